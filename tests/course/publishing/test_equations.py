"""Equation cards: every equation has a check, the paper's have code, and the page is fresh."""

from pathlib import Path

import nbformat
import pytest

from oldphoto.course.publishing import equations
from oldphoto.course.publishing.equations import (
    PACKAGE,
    PAGE,
    equation_cells,
    equations_page,
    paper_equations,
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


@pytest.mark.parametrize("equation", paper_equations(), ids=lambda e: str(e.number))
def test_the_papers_equations_have_a_line_and_a_notebook(equation):
    lines = (PACKAGE.parent / equation.path).read_text(encoding="utf-8").splitlines()
    text = lines[equation.line - 1].strip()
    assert f"eq. {equation.number}" in text or text.startswith(("def ", "class "))
    assert equation.notebook in {notebook.number for notebook in NOTEBOOKS}
    assert "$" not in equation.latex and equation.latex.count("{") == equation.latex.count("}")


def test_a_mark_is_found_before_the_definition(tmp_path, monkeypatch):
    source = "x = 1  # eq. 10\ny = 2  # the rest of eq. 1, eq. 2\n"
    (tmp_path / "losses.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(equations, "PACKAGE", tmp_path)
    assert equations._marked_line(1, "losses:f") == (tmp_path / "losses.py", 2)
    assert equations._marked_line(10, "losses:f") == (tmp_path / "losses.py", 1)
    assert equations._marked_line(3, "losses:f") is None


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
