"""Equation cards: every equation has a check, the paper's have code, and the page is fresh."""

from pathlib import Path

import nbformat
import pytest

from oldphoto.course.publishing.equations import (
    PAGE,
    PAPER_EQUATIONS,
    equation_cells,
    equations_page,
    find_code,
)
from oldphoto.course.publishing.notebooks import CourseNotebook, all_notebooks

NOTEBOOKS = all_notebooks()


def made_of(*cells: tuple[str, str]) -> CourseNotebook:
    make = {"text": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    node = nbformat.v4.new_notebook(cells=[make[kind](source) for kind, source in cells])
    return CourseNotebook(Path("99_made.ipynb"), "99", node)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.number)
def test_every_display_equation_is_checked_by_code_before_the_next(notebook):
    unchecked = [cell.cell for cell in equation_cells(notebook) if not cell.check]
    assert not unchecked, f"equations without a check: {unchecked}"


@pytest.mark.parametrize("equation", PAPER_EQUATIONS, ids=lambda e: e.number)
def test_the_papers_equations_have_code_and_a_place(equation):
    for reference in equation.code:
        assert callable(find_code(reference))
    notebook = next(n for n in NOTEBOOKS if n.number == equation.notebook)
    assert equation.cell in [cell.cell for cell in equation_cells(notebook)]


def test_the_page_is_fresh():
    written = (NOTEBOOKS[0].path.parent / PAGE).read_text(encoding="utf-8")
    assert written == equations_page(NOTEBOOKS), "run `python -m oldphoto course equations`"


def test_what_is_read_from_a_notebook():
    notebook = made_of(
        ("text", "# Title\n\n## 1. Area\n\n$$ a =\n b^2 $$"),
        ("text", "| symbol | in the code | what it is |\n|---|---|---|\n| $b$ | `side` | length |"),
        ("code", "print(1)"),
        ("code", "assert 9 == 3**2"),
        ("text", "$$ c $$ and $$ d $$"),
        ("code", "assertion = 1"),
    )
    cells = notebook.node.cells
    first, second = equation_cells(notebook)
    assert (first.section, first.formulas) == ("1. Area", ("a = b^2",))
    assert first.symbols == (("$b$", "`side`", "length"),)
    assert first.check == cells[3].id
    assert second.formulas == ("c", "d") and second.symbols == ()


def test_a_table_of_symbols_is_read_and_an_equation_without_check_is_seen():
    table = "$$ b $$\n\n| symbol | in the code | shape | what it is |\n|---|---|---|---|\n"
    table += "| $b$ | `side` | (3,) | length |\n\nend"
    notebook = made_of(("text", table), ("code", "b = 1"))
    (cell,) = equation_cells(notebook)
    assert cell.symbols == (("$b$", "`side`", "length"),)
    assert cell.check == ""


def test_missing_code_is_an_error():
    with pytest.raises(AttributeError):
        find_code("oldphoto.losses:no_such_loss")
