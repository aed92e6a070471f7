"""Times of notebooks, and the marks of their core."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.reading_time import EXTRA, sections, time_line
from oldphoto.course.publishing.rules import core_is_marked

NOTEBOOKS = all_notebooks()


def small_notebook(extra: str = EXTRA) -> nbformat.NotebookNode:
    cells = [
        new_markdown_cell("# Head\n\n" + "word " * 599 + "$$ x = y $$"),
        new_code_cell("SEED = 0\n" * 50, metadata={"tags": ["parameters"]}),
        new_markdown_cell("end of the head\n\n## 1. One\n\n### Exercise 1: build\n\nIt is so."),
        new_code_cell("\n\n".join(["line"] * 12)),
        new_markdown_cell(
            f"## 2. Two\n\n{extra}\n\n" + "word " * 2400, metadata={"tags": ["extra"]}
        ),
        new_markdown_cell("## Summary\n\n<details>" + "word " * 900 + "</details>"),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def test_words_lines_and_exercises_count_by_hand():
    head, one, two, summary = sections(small_notebook())
    assert (head.words, head.lines, head.exercises) == (604, 0, 0)
    assert (one.number, one.words, one.lines, one.exercises) == ("1", 5, 12, 1)
    assert one.minutes == pytest.approx(5 / 120 + 1 + 8)
    assert (two.number, two.extra, summary.number, summary.words) == ("2", True, "", 0)


def test_the_line_tells_core_and_whole():
    words = "120 words or 12 lines of code a minute, 8 minutes an exercise."
    assert time_line(small_notebook()) == (
        f"**Time:** 15 minutes for the core (sections 1), 35 for all: {words}"
    )
    assert time_line(small_notebook(extra="")) == f"**Time:** 35 minutes: {words}"


def test_an_extra_part_ends_at_the_next_heading():
    lines = ["# Head", "## 1. One\n\none", f"### Two\n\n{EXTRA}\n\n### Exercise 1: a\n\n{EXTRA}"]
    lines += ["### Three\n\nthree", f"## 2. Four\n\n{EXTRA}", f"### Five\n\n{EXTRA}"]
    node = nbformat.v4.new_notebook(cells=[new_markdown_cell("\n\n".join(lines))])
    found = [(s.number, s.extra, s.exercises) for s in sections(node)]
    assert found == [
        ("", False, 0),
        ("1", False, 0),
        ("1", True, 0),
        ("1", True, 1),
        ("1", False, 0),
        ("2", True, 0),
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda one: one.number)
def test_every_notebook_says_its_time_and_marks_its_core(notebook):
    assert list(core_is_marked(notebook)) == []
    assert time_line(notebook.node) in notebook.node.cells[0].source


@pytest.mark.parametrize(
    "notebook",
    [one for one in NOTEBOOKS if one.number not in ("02", "15")],  # these begin with a drawing
    ids=lambda one: one.number,
)
def test_every_notebook_begins_with_a_picture(notebook):
    code = [cell for cell in notebook.node.cells if cell.cell_type == "code"]
    first = next(cell for cell in code if not cell.metadata.get("tags"))
    assert "show(fig" in first.source or "show_photos(" in first.source


def test_marks_that_disagree_are_found():
    notebook = next(one for one in all_notebooks() if one.number == "04")
    assert list(core_is_marked(notebook)) == []
    cell = next(cell for cell in notebook.node.cells if EXTRA in cell.source)
    cell.metadata.tags.remove("extra")
    assert next(core_is_marked(notebook))[1].startswith("an extra section")
    for cell in notebook.node.cells:
        cell.source = cell.source.replace(EXTRA, "")
        cell.metadata.pop("tags", None)
    messages = [message for _, message in core_is_marked(notebook)]
    assert messages[0].startswith("the core takes") and messages[1].startswith("the time should be")
