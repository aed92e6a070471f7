"""Slides: what stands on which slide, and decks that need nothing but their own file."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from oldphoto.checks import InputError
from oldphoto.cli import main as cli
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.slides import BLOCK, deck_of, deck_page, num_slides

ROOT = Path(__file__).parents[3]
NOTEBOOKS = all_notebooks(ROOT / "notebooks")
HEAD = "[![Open In Colab](x)](y)\n\n# A title\n\nWhy."
HEAD += "\n\n**You will be able to**\n\n1. see\n\n**Time:** 9 h"
PICTURE = new_output("display_data", data={"text/html": '<img alt="A" src="data:,">'})
QUESTION = "> **Decide first.** Which?"


def text(source: str, **metadata):
    return new_markdown_cell(source, metadata=metadata)


def code(source: str, *outputs, tags=()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def printed(words: str):
    return new_output("stream", text=words)


def slides_of(node: NotebookNode) -> list[list[NotebookNode]]:
    """Return the cells of each slide of a notebook."""
    slides = []
    for cell in deck_of(node).cells:
        if cell.metadata.slideshow.slide_type in ("slide", "subslide"):
            slides.append([])
        slides[-1].append(cell)
    return slides


def plan(*cells) -> list[list[NotebookNode]]:
    opening = [text(HEAD), code("FAST = True", tags=["parameters"]), code("1", tags=["setup"])]
    return slides_of(new_notebook(cells=[*opening, *cells]))[2:]


def mark(cell: NotebookNode) -> str:
    return cell.metadata.slideshow.slide_type


def shown(slide: list[NotebookNode]) -> str:
    return " | ".join(c.source or "OUT" for c in slide if mark(c) != "notes")


def notes(slide: list[NotebookNode]) -> list[str]:
    return [cell.source for cell in slide if mark(cell) == "notes"]


def test_blocks_of_a_text_cell():
    blocks = [
        "## Head",
        "Words\ngo on.",
        "1. one\n   more\n2. two",
        "$$ a\n+ b $$",
        "> **Decide first.** a?\n> b",
        "| a |\n|---|",
        "```python\nx\n\ny\n```",
        "<details><summary>A</summary>\n\ninside\n\n</details>",
        "![alt](p.png)",
    ]
    found = [block.strip() for block in BLOCK.findall("\n\n".join(blocks))]
    assert [block for block in found if block] == blocks
    close = [block.strip() for block in BLOCK.findall("## Head\nWords\n> **Decide first.** a?")]
    assert [block for block in close if block] == ["## Head", "Words", "> **Decide first.** a?"]


def test_opening_has_title_and_aims_and_the_rest_is_for_the_speaker():
    node = new_notebook(cells=[text(HEAD), text("Orientation."), code("1", tags=["setup"])])
    slides = slides_of(node)
    assert [shown(s) for s in slides] == ["# A title | Why.", "**You will be able to** | 1. see"]
    assert notes(slides[1]) == ["**Time:** 9 h", "Orientation."]
    assert [mark(slide[0]) for slide in slides] == ["slide", "subslide"]


def test_headings_start_slides():
    slides = plan(text("## 1. One\n\na\n\n### Inner\n\nb"), text("## 2. Two"))
    assert [shown(s) for s in slides] == ["## 1. One | a", "### Inner | b", "## 2. Two"]
    assert [mark(slide[0]) for slide in slides] == ["slide", "subslide", "slide"]


def test_setup_parameters_and_the_sheet_are_left_out():
    assert plan(code("exercises.sheet.summary()", printed("1. open"))) == []
    assert [shown(s) for s in plan(code("a = 1"))] == ["a = 1"]


def test_no_slide_is_a_heading_alone():
    slides = plan(text(f"## S\n\n### T\n\n{QUESTION}\n\nWords."), text("## U\n\n### V\n\nMore."))
    assert [shown(s) for s in slides] == [
        f"## S | ### T | {QUESTION}",
        "Words.",
        "## U | ### V | More.",
    ]
    assert [mark(slide[0]) for slide in slides] == ["slide", "subslide", "slide"]


def test_a_question_stands_alone_before_its_answer():
    slides = plan(text(f"## S\n\nWords.\n\n{QUESTION}"), code("answer()", printed("this one")))
    assert [shown(s) for s in slides] == ["## S | Words.", QUESTION, "answer() | OUT"]
    assert slides[1][0].metadata.tags == ["question"]


def test_what_is_printed_and_said_about_it_comes_at_a_click():
    slides = plan(code("f()", printed("42\n")), text("So it is 42.\n\nNext thing."))
    assert [shown(s) for s in slides] == ["f() | OUT | So it is 42.", "Next thing."]
    assert [mark(cell) for cell in slides[0]] == ["subslide", "fragment", "fragment"]


def test_long_code_and_pictures_go_on_slides_of_their_own():
    long = "\n".join(f"line_{n} = {n}" for n in range(20))
    slides = plan(text("## S\n\nWords.\n\nMore words."), code(long, PICTURE))
    assert [shown(s) for s in slides] == ["## S | Words. | More words.", long, "OUT"]
    (drawing,) = plan(text("## S\n\nWords."), code('show_svg(*diagram("pipeline"))', PICTURE))
    assert shown(drawing) == "## S | Words. | OUT" and "show_svg" in notes(drawing)[0]


def test_an_exercise_shows_its_stub_and_no_verdict():
    task = "Do it. " + "With care. " * 30
    stub = code("def my_f():\n    return None", printed("Not finished"), tags=["exercise"])
    (slide,) = plan(text(f"### Exercise 1\n\n{task}"), stub, text("Stuck? `e.hint()` helps."))
    assert shown(slide) == f"### Exercise 1 | {task.strip()} | def my_f():\n    return None"
    assert mark(slide[2]) == "fragment"


def test_answers_are_for_the_speaker():
    (slide,) = plan(text("## Five questions\n\n1. Why?\n\n<details>\n\nBecause.\n\n</details>"))
    assert "Because" not in shown(slide) and "Because" in notes(slide)[0]


def test_marks_of_a_lecturer_are_obeyed():
    skipped = text("Not shown.", slideshow={"slide_type": "skip"})
    below = text("Below.", slideshow={"slide_type": "subslide"})
    slides = plan(text("Shown."), skipped, below)
    assert [shown(s) for s in slides] == ["Shown.", "Below."]
    assert notes(slides[0]) == ["Not shown."]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_every_notebook_has_a_whole_deck(notebook):
    slides = slides_of(notebook.node)
    texts = [c.source for c in notebook.node.cells if c.cell_type == "markdown"]
    sections = [h for t in texts for h in re.findall(r"^## .+$", t, re.MULTILINE)]
    starts = [slide[0].source for slide in slides if mark(slide[0]) == "slide"]
    assert [start.strip() for start in starts[1:]] == [section.strip() for section in sections]
    code_cells = [c for c in notebook.node.cells if c.cell_type == "code"]
    everything = " | ".join(shown(slide) for slide in slides)
    for cell in code_cells:
        if "exercise" in cell.metadata.get("tags", []):
            assert cell.source in everything
    pictures = [o for c in code_cells for o in c.outputs if "<img" in str(o.get("data", {}))]
    outputs = [o for slide in slides for c in slide for o in c.get("outputs", [])]
    assert all(picture in outputs for picture in pictures)
    asks = sum(t.count("> **Decide first") for t in texts)
    last = [s for s in slides if [c for c in s if mark(c) != "notes"][-1].metadata.get("tags")]
    assert len(last) == asks >= 2  # nothing on the same slide gives an answer away
    assert len(slides) == num_slides(deck_of(notebook.node))
    assert any("**Time:**" in note for slide in slides for note in notes(slide))


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
        styles = "".join(re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL))
        assert "@import" not in styles and not re.search(r"url\((?!['\"]?data:)", styles)
        assert "sourceMappingURL" not in page
    deck = (tmp_path / decks[1]).read_text(encoding="utf-8")
    assert 'href="00_restore_a_photo.html"' in deck  # the deck, not the notebook
    assert '<aside class="notes">' in deck and "<math" in deck


def test_a_page_of_the_user_is_not_replaced(tmp_path, capsys):
    words = ["course", "slides", "8", "--output", str(tmp_path)]
    assert cli.main(words) == 0 and cli.main(words) == 0  # its own pages are
    (deck,) = tmp_path.glob("08*.html")
    deck.write_text("my own version", encoding="utf-8")
    assert cli.main(words) == 2
    assert f"{deck} is not a file that this command wrote" in capsys.readouterr().err
    assert deck.read_text(encoding="utf-8") == "my own version"


def test_pictures_of_the_text_are_put_inside(tmp_path):
    (tmp_path / "p.png").write_bytes(b"\x89PNG")
    deck = deck_of(new_notebook(cells=[text("# T\n\n![A picture](p.png)")]))
    assert 'src="data:image/png;base64,iVBORw=="' in deck_page(deck, "T", tmp_path)
    with pytest.raises(InputError, match=r"need the picture q\.png"):
        deck_page(deck_of(new_notebook(cells=[text("![A picture](q.png)")])), "T", tmp_path)
