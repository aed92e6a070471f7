"""Equation cards: where each equation stands, what its symbols are called, what checks it.

The notebooks are the one source. A display equation is followed, before the next one, by a code
cell that checks it, and often by a table of its symbols; both are read from there. Only which of
them are the paper's numbered equations, and which functions compute them, is written down here.
"""

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import nbformat

from oldphoto.course.publishing.notebooks import CourseNotebook

DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
CHECK = re.compile(r"\bassert(?:_\w+)?\b|\.assert_\w+|\.check\(")
SYMBOL_HEAD = re.compile(r"^\|\s*symbol\s*\|\s*in the code\s*\|", re.IGNORECASE)
PAGE = "EQUATIONS.md"
"""Name of the generated page, beside the notebooks."""


@dataclass(frozen=True)
class PaperEquation:
    """One numbered equation of the paper.

    Attributes:
        number: as printed in Wan et al. 2020.
        what: a few words.
        code: functions and classes that compute it, as ``module:name``.
        notebook: number of the notebook that explains it.
        cell: id of the cell in which it stands there.
    """

    number: str
    what: str
    code: tuple[str, ...]
    notebook: str
    cell: str


@dataclass(frozen=True)
class EquationCell:
    """The display equations of one cell of a notebook.

    Attributes:
        notebook: the notebook.
        cell: id of the cell.
        section: last heading above it.
        formulas: LaTeX of each, without the dollar signs.
        symbols: (symbol, in the code, what it is) of the table that belongs to them, if any.
        check: id of the first code cell behind it that checks something, or "".
    """

    notebook: CourseNotebook
    cell: str
    section: str
    formulas: tuple[str, ...]
    symbols: tuple[tuple[str, str, str], ...]
    check: str


def equation_cells(notebook: CourseNotebook) -> Iterator[EquationCell]:
    """Return all cells of a notebook that hold display equations, in order."""
    cells = notebook.node.cells
    section = notebook.title
    for number, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        headings = re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)
        section = headings[-1].strip() if headings else section
        formulas = tuple(" ".join(found.split()) for found in DISPLAY.findall(cell.source))
        if formulas:
            following = _until_next_equation(cells[number + 1 :])
            table = _symbols([cell, *following])
            yield EquationCell(notebook, cell.id, section, formulas, table, _check(following))


def _until_next_equation(cells: Sequence[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    following = []
    for cell in cells:
        if cell.cell_type == "markdown" and DISPLAY.search(cell.source):
            break
        following.append(cell)
    return following


def _check(cells: Sequence[nbformat.NotebookNode]) -> str:
    code = (cell for cell in cells if cell.cell_type == "code")
    return next((cell.id for cell in code if CHECK.search(cell.source)), "")


def _symbols(cells: Sequence[nbformat.NotebookNode]) -> tuple[tuple[str, str, str], ...]:
    """Return the rows of the first table of symbols in these cells."""
    for cell in cells:
        lines = cell.source.splitlines() if cell.cell_type == "markdown" else []
        heads = [n for n, line in enumerate(lines) if SYMBOL_HEAD.match(line)]
        if heads:
            return tuple(_rows(lines[heads[0] + 2 :]))
    return ()


def _rows(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        columns = [column.strip() for column in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        yield columns[0], columns[1], columns[-1]


def find_code(reference: str) -> object:
    """Return what ``module:name`` stands for.

    Raises:
        ImportError, AttributeError: if there is no such thing.
    """
    module, _, name = reference.partition(":")
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def equations_page(notebooks: Sequence[CourseNotebook]) -> str:
    """Return the page of all equations as Markdown: the paper's by number, then all by notebook."""
    found = {n.number: list(equation_cells(n)) for n in notebooks}
    names = {n.number: n for n in notebooks}
    lines = [
        "# Equations",
        "",
        "Where each equation stands, and which cell checks it. This page is made from the",
        "notebooks by `python -m oldphoto course equations`; a test compares the two.",
        "",
        "## The paper's numbered equations",
        "",
        "| equation | what it says | code | notebook |",
        "|---|---|---|---|",
    ]
    for equation in PAPER_EQUATIONS:
        code = ", ".join(f"`{reference.replace(':', '.')}`" for reference in equation.code)
        link = _link(names[equation.notebook])
        lines.append(f"| ({equation.number}) | {equation.what} | {code} | {link} |")
    for notebook in notebooks:
        if found[notebook.number]:
            lines += ["", f"## {notebook.number} {notebook.title}", "", _link(notebook)]
            for cell in found[notebook.number]:
                lines += _cell_lines(cell)
    return "\n".join(lines) + "\n"


def _cell_lines(cell: EquationCell) -> list[str]:
    lines = ["", f"**{cell.section}** (cell `{cell.cell}`, checked in cell `{cell.check}`)", ""]
    for formula in cell.formulas:
        lines += [f"$$ {formula} $$", ""]
    if cell.symbols:
        lines += ["| symbol | in the code | what it is |", "|---|---|---|"]
        lines += [f"| {symbol} | {code} | {what} |" for symbol, code, what in cell.symbols]
    return lines if cell.symbols else lines[:-1]


def _link(notebook: CourseNotebook) -> str:
    return f"[{notebook.number} {notebook.title}]({notebook.path.name})"


PAPER_EQUATIONS = (
    PaperEquation(
        "1",
        "restoring: encode, map, decode",
        ("oldphoto.networks.restoration:RestorationNetwork",),
        "00",
        "equation-1",
    ),
    PaperEquation(
        "2",
        "loss of a VAE: KL, reconstruction, LSGAN",
        (
            "oldphoto.training.objectives:VAEObjective",
            "oldphoto.losses:kl_unit_variance",
            "oldphoto.losses:l1_loss",
        ),
        "04",
        "s2",
    ),
    PaperEquation(
        "3",
        "latent adversarial term between old and degraded codes",
        ("oldphoto.losses:latent_discriminator", "oldphoto.losses:latent_encoder"),
        "05",
        "s9",
    ),
    PaperEquation(
        "4",
        "stage 1 as a whole: both kinds of photo, and the game",
        (
            "oldphoto.training.objectives:VAEObjective",
            "oldphoto.training.objectives:DiscriminatorObjective",
        ),
        "05",
        "s9",
    ),
    PaperEquation(
        "5",
        "loss of the mapping: codes, LSGAN, features",
        ("oldphoto.training.objectives:MappingObjective", "oldphoto.losses:lsgan_generator"),
        "07",
        "identity-after",
    ),
    PaperEquation(
        "6",
        "matching features: discriminator and VGG",
        ("oldphoto.losses:feature_matching", "oldphoto.losses:perceptual"),
        "07",
        "ex3-md",
    ),
    PaperEquation(
        "8, 9",
        "partial non-local block: likeness, shares of the sound positions, borrowing",
        ("oldphoto.networks.partial_nonlocal:PartialNonlocal.attend",),
        "08",
        "eq1-md",
    ),
    PaperEquation(
        "10",
        "fusion of the local and the global branch",
        ("oldphoto.networks.mapping:PartialNonlocalMapping",),
        "08",
        "eq4-md",
    ),
)
