"""Lectures: read from their files, whole, timed by their notes, single files that fetch nothing."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from oldphoto.checks import InputError
from oldphoto.cli import main as cli
from oldphoto.course.publishing.notebooks import CourseNotebook, all_notebooks
from oldphoto.course.publishing.slides import Slide, all_decks, deck_page, read_deck, select_decks

ROOT = Path(__file__).parents[3]
NOTEBOOKS = all_notebooks(ROOT / "notebooks")
DECKS = all_decks(ROOT / "notebooks")
DOT = (
    '<img alt="A &quot;dot&quot;" src="data:image/png;base64,'
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAABCAAAAAA+i0toAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
    '">'
)
NUMBER = re.compile(r"(?<![\w.])[−-]?(\d+\.\d+|\d+(?= (?:dB|GiB|MiB)))")


def write(folder: Path, text: str) -> Path:
    path = folder / "1_small.md"
    path.write_text(text, encoding="utf-8")
    return path


def with_picture(folder: Path) -> CourseNotebook:
    outputs = [new_output("display_data", data={"text/html": DOT + DOT.replace("dot", "second")})]
    cell = new_code_cell("draw()", outputs=outputs)
    cell.id = "drawn"
    return CourseNotebook(folder / "04_small.ipynb", "04", new_notebook(cells=[cell]))


def test_a_slide_has_pictures_text_notes_and_a_time():
    slide = Slide("## Head\n![04/a-b] ![05/c 2]\nTwo words $x$.", "one two three (2 min) five")
    assert slide.pictures == [("04", "a-b", 1), ("05", "c", 2)]
    assert slide.words == 3
    assert slide.minutes == pytest.approx(6 / 130 + 2)
    assert not slide.is_question and Slide("## Head\n> Why?", "n").is_question


def test_pictures_come_from_the_stored_outputs(tmp_path):
    source = "# T\n![04/drawn]\nBelow.\nNotes:\nSay $y$.\n---\n## U\n![04/drawn 2]\nNotes:\nSay."
    page = deck_page(read_deck(write(tmp_path, source)), [with_picture(tmp_path)])
    assert 'alt="A &quot;dot&quot;"' in page and 'alt="A &quot;second&quot;"' in page
    assert page.index("dot") < page.index("Below.") < page.index('<aside class="notes">')
    assert page.count("<section>") == 2 and "<math" in page


@pytest.mark.parametrize("name", ["drawn 3", "other"])
def test_a_picture_that_is_not_stored_is_named(tmp_path, name):
    deck = read_deck(write(tmp_path, f"# T\n![04/{name}]\nNotes:\nSay."))
    with pytest.raises(InputError, match=r"a slide needs picture \d of cell '\w+' in notebook 04"):
        deck_page(deck, [with_picture(tmp_path)])


@pytest.mark.parametrize("part", ["No heading.\nNotes:\nSay.", "## Head\nNo notes."])
def test_a_slide_without_heading_or_notes_is_refused(tmp_path, part):
    with pytest.raises(InputError, match=r"slide 2 of 1_small\.md needs a heading and 'Notes:'"):
        read_deck(write(tmp_path, f"# T\nNotes:\nSay.\n---\n{part}"))


def test_decks_are_chosen_by_name_or_number():
    assert [deck.name for deck in DECKS] == ["vae", "gan", "gap", "block", "works"]
    assert select_decks(DECKS, ["2", "vae"]) == DECKS[:2] and select_decks(DECKS, []) == DECKS
    with pytest.raises(InputError, match="no deck '08'; there are 1 vae, 2 gan"):
        select_decks(DECKS, ["08"])


@pytest.mark.parametrize("deck", DECKS, ids=lambda deck: deck.name)
def test_a_lecture_can_be_given(deck):
    assert 15 <= len(deck.slides) <= 22
    assert sum("```" in slide.shown for slide in deck.slides) <= 1
    assert sum(bool(slide.pictures) for slide in deck.slides) >= 0.5 * len(deck.slides)
    asked = [number for number, slide in enumerate(deck.slides) if slide.is_question]
    assert len(asked) >= 4 and max(b - a for a, b in pairwise(asked)) <= 8
    for slide in deck.slides:
        assert slide.words <= 65 and len(slide.notes.split()) >= 20, slide.shown
        assert " min)" in slide.notes or not slide.is_question, slide.shown


@pytest.mark.parametrize("deck", DECKS, ids=lambda deck: deck.name)
def test_numbers_on_slides_are_those_of_the_notebooks(deck):
    """Numbers with a point or in dB stand in a text or an output of a notebook: none is stale."""
    used = {notebook for slide in deck.slides for notebook, _, _ in slide.pictures}
    known = "".join(
        " ".join([cell.source, *map(str, cell.get("outputs", []))])
        for notebook in NOTEBOOKS
        for cell in notebook.node.cells
        if notebook.number in used
    )
    known = re.sub(r"base64,[^\"\\]*", "", known)
    for slide in deck.slides:
        for number in NUMBER.findall(slide.shown):
            rounded = rf"(?<![\d.]){re.escape(number)}(?![\d])|(?<![\d.]){re.escape(number)}\d"
            assert re.search(rounded, known), f"{number} on: {slide.shown}"


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
    assert cli.main(["course", "slides", "vae", "4", "--output", str(tmp_path)]) == 0
    assert "index.html" in capsys.readouterr().out
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["block.html", "index.html", "vae.html"]
    for name in names:
        page = (tmp_path / name).read_text(encoding="utf-8")
        addresses = _Addresses()
        addresses.feed(page)
        assert [a[:80] for a in addresses.fetched if not a.startswith("data:")] == []
        styles = "".join(re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL))
        assert "@import" not in styles and not re.search(r"url\((?!['\"]?data:)", styles)
        assert "sourceMappingURL" not in page
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="vae.html"' in index and f"{DECKS[0].minutes:.0f}</td>" in index


def test_a_page_of_the_user_is_not_replaced(tmp_path, capsys):
    words = ["course", "slides", "gan", "--output", str(tmp_path)]
    assert cli.main(words) == 0 and cli.main(words) == 0  # its own pages are
    deck = tmp_path / "gan.html"
    deck.write_text("my own version", encoding="utf-8")
    assert cli.main(words) == 2
    assert f"{deck} is not a file that this command wrote" in capsys.readouterr().err
    assert deck.read_text(encoding="utf-8") == "my own version"
