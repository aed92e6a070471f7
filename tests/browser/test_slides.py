"""Decks in a real browser: nothing is fetched, each slide is reached and whole, notes are there."""

from pathlib import Path

import pytest

from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.slides import deck_of, num_slides, write_decks

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "out" / "screenshots"
NOTEBOOKS = all_notebooks(ROOT / "notebooks")
# Go to each slide as a lecturer does, with all fragments shown, and see what sticks out.
WALK = """() => {
  const seen = [];
  for (let steps = 0; steps < 500; steps++) {
    const slide = Reveal.getCurrentSlide();
    slide.querySelectorAll('.fragment').forEach(part => part.classList.add('visible'));
    seen.push({text: slide.innerText.slice(0, 60),
               wide: slide.scrollWidth - slide.clientWidth,
               high: slide.scrollHeight - slide.clientHeight});
    if (Reveal.isLastSlide()) break;
    if (Reveal.availableRoutes().down) Reveal.down(); else Reveal.right();
  }
  return seen;
}"""


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_deck_in_the_browser(page, notebook, tmp_path):
    write_decks([notebook], tmp_path)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto((tmp_path / f"{notebook.name}.html").as_uri())
    page.wait_for_function("() => window.Reveal && Reveal.isReady()")
    page.screenshot(path=SCREENSHOTS / f"{notebook.name}_deck.png")
    seen = page.evaluate(WALK)
    assert len(seen) == num_slides(deck_of(notebook.node))
    assert [slide for slide in seen if slide["high"] > 2 or slide["wide"] > 2] == []
    # Pictures are inside the file; nothing was asked of another machine.
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []


def test_the_question_comes_before_its_answer_and_notes_are_the_speakers(page, tmp_path):
    (notebook,) = [n for n in NOTEBOOKS if n.number == "00"]
    write_decks([notebook], tmp_path)
    page.goto((tmp_path / f"{notebook.name}.html").as_uri())
    page.wait_for_function("() => window.Reveal && Reveal.isReady()")
    assert "40 minutes" not in page.inner_text(".reveal")
    notes = "() => [...document.querySelectorAll('aside.notes')].map(n => n.textContent).join()"
    assert "40 minutes" in page.evaluate(notes)
    for _ in range(10):
        page.keyboard.press("Space")
        if page.evaluate(
            "() => Reveal.getCurrentSlide().querySelector('.celltag_question') !== null"
        ):
            break
    shown = page.evaluate("() => Reveal.getCurrentSlide().innerText")
    assert shown.startswith("Decide first.") and "restorer" not in shown
    page.screenshot(path=SCREENSHOTS / "deck_question.png")
    page.keyboard.press("Space")
    assert "restorer(photo)" in page.evaluate("() => Reveal.getCurrentSlide().innerText")
