"""Lectures in a real browser: nothing is fetched, each slide is reached, whole and large."""

from pathlib import Path

import pytest

from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.slides import all_decks, write_decks

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "out" / "screenshots"
NOTEBOOKS = all_notebooks(ROOT / "notebooks")
DECKS = all_decks(ROOT / "notebooks")
SIZES = {"projector": (1024, 768), "desk": (1440, 900), "phone": (390, 844)}
# Go to each slide as a lecturer does, and see what sticks out and how large its pictures are.
WALK = """() => {
  const seen = [];
  for (let steps = 0; steps < 100; steps++) {
    const slide = Reveal.getCurrentSlide().querySelector('.slide');
    const parts = [slide, ...slide.querySelectorAll('.text')];
    seen.push({text: slide.innerText.slice(0, 60),
               wide: Math.max(...parts.map(part => part.scrollWidth - part.clientWidth)),
               high: slide.scrollHeight - slide.clientHeight,
               shown: [...slide.querySelectorAll('img')].map(
                 i => i.getBoundingClientRect().width / innerWidth)});
    if (Reveal.isLastSlide()) break;
    Reveal.next();
  }
  return seen;
}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("deck", DECKS, ids=lambda deck: deck.name)
def test_deck_in_the_browser(page, deck, size, tmp_path):
    write_decks([deck], NOTEBOOKS, tmp_path)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    page.goto((tmp_path / f"{deck.name}.html").as_uri())
    page.wait_for_function("() => window.Reveal && Reveal.isReady()")
    page.screenshot(path=SCREENSHOTS / f"{deck.name}_{size}.png")
    seen = page.evaluate(WALK)
    assert len(seen) == len(deck.slides)
    assert [slide for slide in seen if slide["high"] > 2 or slide["wide"] > 2] == []
    assert [slide for slide in seen if any(width < 0.4 for width in slide["shown"])] == []
    # Pictures are inside the file; nothing was asked of another machine.
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []


def test_the_question_comes_before_its_answer_and_notes_are_the_speakers(page, tmp_path):
    write_decks(DECKS[:1], NOTEBOOKS, tmp_path)
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto((tmp_path / "vae.html").as_uri())
    page.wait_for_function("() => window.Reveal && Reveal.isReady()")
    for _ in range(2):
        page.keyboard.press("Space")
    shown = page.inner_text("section.present .slide")
    assert "fewer numbers than the photo?" in shown and "64 numbers" not in shown
    assert "show of hands" not in page.inner_text(".reveal")
    assert "show of hands" in page.evaluate(
        "() => document.querySelector('section.present aside.notes').textContent"
    )
    page.keyboard.press("Space")
    assert "64 numbers for 48" in page.inner_text("section.present .slide")
