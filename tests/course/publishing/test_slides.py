"""Slides: what the rule puts where, and decks that need nothing but their own file."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from oldphoto.checks import InputError
from oldphoto.cli import main as cli
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.slide_blocks import Block, shorten, split_blocks
from oldphoto.course.publishing.slide_pages import deck_page
from oldphoto.course.publishing.slides import FULL, Slide, plan_slides

ROOT = Path(__file__).parents[3]
NOTEBOOKS = all_notebooks(ROOT / "notebooks")
HEAD = "[![Open In Colab](x)](y)\n\n# A title\n\nWhy."
HEAD += "\n\n**You will be able to**\n\n1. see\n\n**Time:** 9 h"
PICTURE = new_output("display_data", data={"text/html": '<img alt="A" src="data:,">'})


def text(source: str, **metadata):
    return new_markdown_cell(source, metadata=metadata)


def code(source: str, *outputs, tags=()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def printed(words: str):
    return new_output("stream", text=words)


def plan(*cells) -> list[Slide]:
    opening = [text(HEAD), code("FAST = True", tags=["parameters"]), code("1", tags=["setup"])]
    return plan_slides(new_notebook(cells=[*opening, *cells]))[2:]


def words_on(slide: Slide) -> str:
    parts = (part.content for part in slide.parts)
    return " | ".join(
        p.text if isinstance(p, Block) else p if isinstance(p, str) else "OUT" for p in parts
    )


def test_blocks_of_a_text_cell():
    cell = """## Head
Words
go on 1000. and on:
1. one
   more
2. two

$$ a
+ b $$
> **Decide first.** a?

| a |
|---|

```python
x

y
```
<details><summary>A</summary>

inside

</details>
![alt](p.png)"""
    kinds = [block.kind for block in split_blocks(cell)]
    expected = "heading paragraph list equation quote table code details picture"
    assert kinds == expected.split()
    assert "".join(split_blocks(cell)[6].text.split()) == "```pythonxy```"
    # A line that begins with a number is no list unless the number is 1.
    assert [b.kind for b in split_blocks("a factor of\n1000. More.")] == ["paragraph"]


def test_a_long_paragraph_shows_its_first_sentence():
    first = "This is the first one."
    long = Block("paragraph", f"Short. {first} " + "And word after word. " * 12)
    shown, rest = shorten(long)
    assert shown.text == f"Short. {first}" and rest == long.text
    # The last one stays where it asks, or leads to what follows.
    asks = Block("paragraph", f"Short. {first} " + "And word after word. " * 12 + "Which?")
    assert shorten(asks)[0].text == f"Short. {first} … Which?"
    leads = Block("paragraph", f"Short. {first} " + "And word after word. " * 12 + "Like this:")
    assert shorten(leads)[0].text == f"Short. {first} … Like this:"
    two = Block("paragraph", "First one " + "and word after word " * 12 + ". Like this:")
    assert shorten(two) == (two, "")  # nothing would be left out
    short = Block("paragraph", "First one. And a second.")
    assert shorten(short) == (short, "")
    # Never cut inside bold or code: its marks would be seen.
    bold = Block("paragraph", f"**{first} And bold.** More. " + "And word after word. " * 12)
    assert shorten(bold)[0].text == f"**{first} And bold.** More."
    never = Block("paragraph", f"`{first} " + "And word after word. " * 12 + "`")
    assert shorten(never) == (never, "")


def test_opening_has_title_and_aims_and_the_rest_is_for_the_speaker():
    node = new_notebook(cells=[text(HEAD), text("Orientation."), code("1", tags=["setup"])])
    slides = plan_slides(node)
    assert [words_on(s) for s in slides] == ["# A title | Why.", "**You will be able to** | 1. see"]
    assert slides[1].notes == ["**Time:** 9 h", "Orientation."]
    assert slides[0].section and not slides[1].section


def test_headings_start_slides():
    slides = plan(text("## 1. One\n\na\n\n### Inner\n\nb"), text("## 2. Two"))
    assert [words_on(s) for s in slides] == ["## 1. One | a", "### Inner | b", "## 2. Two"]
    assert [s.section for s in slides] == [True, False, True]


def test_setup_parameters_and_the_sheet_are_left_out():
    assert plan(code("exercises.sheet.summary()", printed("1. open"))) == []
    shown = "".join(words_on(s) for s in plan(code("a = 1")))
    assert shown == "a = 1"


def test_no_slide_is_a_heading_alone():
    question = "> **Decide first.** Which?"
    slides = plan(text(f"## S\n\n### T\n\n{question}\n\nWords."), text("## U\n\n### V\n\nMore."))
    assert [words_on(s) for s in slides] == [
        f"## S | ### T | {question}",
        "Words.",
        "## U | ### V | More.",
    ]
    assert [s.section for s in slides] == [True, False, True]


def test_a_question_stands_alone_before_its_answer():
    question = "> **Decide first.** Which?"
    slides = plan(text(f"## S\n\nWords.\n\n{question}"), code("answer()", printed("this one")))
    assert [words_on(s) for s in slides] == ["## S | Words.", question, "answer() | OUT"]
    assert [part.kind for part in slides[1].parts] == ["question"]


def test_what_is_printed_and_said_about_it_comes_at_a_click():
    slides = plan(code("f()", printed("42\n")), text("So it is 42.\n\nNext thing."))
    assert [words_on(s) for s in slides] == ["f() | OUT | So it is 42.", "Next thing."]
    assert [part.fragment for part in slides[0].parts] == [False, True, True]


def test_long_code_and_pictures_go_on_slides_of_their_own():
    long = "\n".join(f"line_{n} = {n}" for n in range(20))
    slides = plan(text("## S\n\nWords.\n\nMore words."), code(long, PICTURE))
    assert [words_on(s) for s in slides] == ["## S | Words. | More words.", long, "OUT"]
    drawing = plan(code("show_svg(pipeline(), alt='A')", PICTURE))
    assert [words_on(s) for s in drawing] == ["OUT"] and "show_svg" in drawing[0].notes[0]


def test_an_exercise_shows_its_stub_and_no_verdict():
    task = "Do it. " + "With care. " * 30
    stub = code("def my_f():\n    return None", printed("Not finished"), tags=["exercise"])
    slides = plan(text(f"### Exercise 1\n\n{task}"), stub, text("Stuck? `e.hint()` helps."))
    assert words_on(slides[0]) == f"### Exercise 1 | {task} | def my_f():\n    return None"
    assert slides[0].parts[-1].fragment
    assert len(slides) == 1


def test_answers_are_for_the_speaker():
    (slide,) = plan(text("## Five questions\n\n1. Why?\n\n<details>\n\nBecause.\n\n</details>"))
    assert "Because" not in words_on(slide) and "Because" in slide.notes[0]


def test_a_long_list_goes_on_on_the_next_slide():
    items = "\n".join(f"{n}. " + "word " * 30 for n in range(1, 13))
    slides = plan(text(f"## Summary\n\n{items}"))
    assert len(slides) == 2 and all(slide.lines <= FULL for slide in slides)
    assert words_on(slides[1]).split()[0] not in ("1.", "2.")


def test_marks_of_a_lecturer_are_obeyed():
    skipped = text("Not shown.", slideshow={"slide_type": "skip"})
    below = text("Below.", slideshow={"slide_type": "subslide"})
    slides = plan(text("Shown."), skipped, below)
    assert [words_on(s) for s in slides] == ["Shown.", "Below."]
    assert slides[0].notes == ["Not shown."]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_every_notebook_has_a_whole_deck(notebook):
    slides = plan_slides(notebook.node)
    shown = " | ".join(words_on(slide) for slide in slides)
    texts = [c.source for c in notebook.node.cells if c.cell_type == "markdown"]
    sections = [h for t in texts for h in re.findall(r"^## .+$", t, re.MULTILINE)]
    assert sum(slide.section for slide in slides) == len(sections) + 1
    assert all(section in shown for section in sections)
    code_cells = [c for c in notebook.node.cells if c.cell_type == "code"]
    exercises = [c for c in code_cells if "exercise" in c.metadata.get("tags", [])]
    pictures = sum("<img" in str(o.get("data", {})) for c in code_cells for o in c.outputs)
    assert sum(p.kind == "picture" for s in slides for p in s.parts) == pictures
    assert all(cell.source.strip() in shown for cell in exercises)
    asks = sum(t.count("> **Decide first") for t in texts)
    last = [s for s in slides if s.parts[-1].kind == "question"]
    assert len(last) == asks >= 2  # nothing on the same slide gives an answer away
    assert not any(slide.only_headings for slide in slides)
    assert sum(bool(slide.notes) for slide in slides) >= 5


class _Addresses(HTMLParser):
    """Collect what a browser would fetch by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster") or (tag == "link" and name == "href"):
                self.fetched.append(value or "")


def test_decks_are_single_files_that_fetch_nothing(tmp_path, capsys):
    assert cli.main(["course", "slides", "0", "8", "--output", str(tmp_path)]) == 0
    assert "index.html" in capsys.readouterr().out
    decks = sorted(path.name for path in tmp_path.iterdir())
    assert decks == ["00_restore_a_photo.html", "08_partial_nonlocal_block.html", "index.html"]
    for name in decks:
        page = (tmp_path / name).read_text(encoding="utf-8")
        addresses = _Addresses()
        addresses.feed(page)
        assert [a[:80] for a in addresses.fetched if not a.startswith("data:")] == []
        styles = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
        assert "@import" not in styles and not re.search(r"url\((?!['\"]?data:)", styles)
        assert "sourceMappingURL" not in page
    deck = (tmp_path / decks[1]).read_text(encoding="utf-8")
    assert 'href="00_restore_a_photo.html"' in deck  # the deck, not the notebook
    assert '<aside class="notes">' in deck and "<math" in deck


def test_pictures_of_the_text_are_put_inside(tmp_path):
    (tmp_path / "p.png").write_bytes(b"\x89PNG")
    slides = plan(text("![A picture](p.png)"))
    assert 'src="data:image/png;base64,iVBORw=="' in deck_page(slides, "T", tmp_path)
    with pytest.raises(InputError, match=r"need the picture q\.png"):
        deck_page(plan(text("![A picture](q.png)")), "T", tmp_path)
