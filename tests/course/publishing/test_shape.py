"""The common form of the notebooks: a whole one passes, each departure is named."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from oldphoto.course.publishing.notebooks import all_notebooks, read_notebook
from oldphoto.course.publishing.shape import TIME, check_shape

HEAD = """# Title

**You will be able to**

1. see, and say
   what you see (section 1),
2. hear (sections 2 and 3),
3. write (sections 4 to 6).

**Time:** 45 minutes (sections 1 to 6: 5, 10, 5, 10, 10,
5). **You need:** any computer."""
ENDING = """## Summary

1. One.
2. Two.
3. Three.

## Five questions to test yourself

1. Why?

## What we simplified

## What comes next"""


@pytest.fixture
def whole(make_notebook):
    """A notebook of 30 cells in the common form."""
    path = make_notebook(head=HEAD)
    node = nbformat.read(path, as_version=4)
    texts = [f"Before.\n\n## {number}. Section" for number in range(1, 7)]
    texts += ["A remark."] * 9 + [ENDING]
    node.cells += [new_markdown_cell(text) for text in texts]
    node.cells += [new_code_cell("x = 1")] * 12
    for index, cell in enumerate(node.cells):
        node.cells[index] = nbformat.from_dict(cell | {"id": f"cell-{index}"})
    nbformat.write(node, path)
    return read_notebook(path)


def replaced(old: str, new: str):
    def edit(cells):
        assert any(old in cell.source for cell in cells)
        for cell in cells:
            cell.source = cell.source.replace(old, new)

    return edit


DEPARTURES = {
    "two objectives": (replaced("3. write (sections 4 to 6).", ""), "2 objectives; expected 3"),
    "no section": (replaced(" (section 1),", ","), "objective 1 does not end with its sections"),
    "a gap": (replaced("(sections 2 and 3)", "(section 2)"), "name sections [1, 2, 4, 5, 6]"),
    "no time": (replaced("**Time:** 45", "**Time:** about 45"), "no line like"),
    "wrong sum": (replaced("**Time:** 45", "**Time:** 50"), "add up to 45, not to 50"),
    "too long": (
        replaced("45 minutes (sections 1 to 6: 5", "91 minutes (sections 1 to 6: 51"),
        "more than 90",
    ),
    "one too few": (
        replaced("sections 1 to 6: 5, 10", "sections 1 to 5: 15"),
        "minutes of 5 sections",
    ),
    "too short": (lambda cells: cells.__delitem__(-1), "29 cells; expected 30 to 60"),
    "mostly code": (
        lambda cells: cells.extend([new_code_cell("x")] * 2),
        "17 cells of text beside 15",
    ),
    "no ending": (replaced("## What we simplified", "## Simplified"), "the last headings are"),
    "summary": (replaced("3. Three.", ""), "the summary has 2 items for 3 objectives"),
}


def test_a_whole_notebook_passes(whole):
    assert check_shape(whole) == []


@pytest.mark.parametrize(("edit", "message"), DEPARTURES.values(), ids=DEPARTURES.keys())
def test_each_departure_is_named(whole, edit, message):
    edit(whole.node.cells)
    problems = [str(problem) for problem in check_shape(whole)]
    assert any(message in problem for problem in problems), problems


def test_the_guide_knows_how_long_the_reading_paths_take():
    minutes = {n.number: int(TIME.search(n.node.cells[0].source)[1]) for n in all_notebooks()}
    guide = (all_notebooks()[0].path.parent / "LECTURING.md").read_text(encoding="utf-8")
    evening = sum(minutes[number] for number in ("00", "01", "08"))
    assert f"| one evening | 00, 01, 08 | {evening} |" in guide
    assert f"| one semester | all, in order | {sum(minutes.values()):,} |" in guide


@pytest.mark.parametrize("notebook", all_notebooks(), ids=lambda n: n.number)
def test_the_course_has_one_form(notebook):
    assert [str(problem) for problem in check_shape(notebook)] == []
