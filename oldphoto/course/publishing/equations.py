"""The equations: those of the paper with the lines that compute them, and all of the notebooks.

``paper_equations`` finds the line of each numbered equation by its mark, a comment ``# eq. 5``. In
the notebooks a display equation is followed, before the next one, by a code cell that checks it,
and often by a table of its symbols; both are read from there.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import nbformat

from oldphoto.course.publishing.notebooks import CourseNotebook

DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
CHECK = re.compile(r"\bassert(?:_\w+)?\b|\.assert_\w+|\.check\(")
SYMBOL_HEAD = re.compile(r"^\|\s*symbol\s*\|\s*in the code\s*\|", re.IGNORECASE)
PACKAGE = Path(__file__).resolve().parents[2]
PAGE = "EQUATIONS.md"
"""Name of the generated page, beside the notebooks."""

# Number, name, LaTeX, what computes it where no line is marked, notebook that explains it.
_PAPER = (
    (
        1,
        "restoring a photo",
        r"\hat y = G_Y(T(E_R(r)))",
        "networks.restoration:RestorationNetwork",
        "00",
    ),
    (
        2,
        "loss of a VAE",
        r"\mathcal L_{VAE}(r) = KL(E(r), N(0, I))"
        r" + \alpha \, \lVert G(z) - r \rVert_1 + \mathcal L_{GAN}(r)",
        "losses:kl_unit_variance",
        "04",
    ),
    (
        3,
        "latent adversarial loss",
        r"\mathcal L_{latent}(r, x) = E_x[D(z_x)^2] + E_r[(1 - D(z_r))^2]",
        "losses:latent_encoder",
        "06",
    ),
    (
        4,
        "training of VAE 1",
        r"\min_{E, G} \max_D \mathcal L_{VAE}(r) + \mathcal L_{VAE}(x) + \mathcal L_{latent}(r, x)",
        "training.objectives:photo_terms",
        "06",
    ),
    (
        5,
        "loss of the mapping",
        r"\mathcal L_T(x, y) = \lambda_1 \lVert T(z_x) - z_y \rVert_1"
        r" + \mathcal L_{T,GAN}(x, y) + \lambda_2 \mathcal L_{FM}(x, y)",
        "training.objectives:photo_terms",
        "07",
    ),
    (
        6,
        "feature matching",
        r"\mathcal L_{FM} = \sum_i \tfrac{1}{n_i} \lVert \phi_i^D(\hat y) - \phi_i^D(y) \rVert_1"
        r" + \sum_i \tfrac{1}{m_i} \lVert \phi_i^{VGG}(\hat y) - \phi_i^{VGG}(y) \rVert_1",
        "losses:feature_matching",
        "07",
    ),
    (
        7,
        "attention weights",
        r"s_{ij} = \frac{(1 - m_j) f_{ij}}{\sum_k (1 - m_k) f_{ik}}",
        "networks.partial_nonlocal:PartialNonlocal.attend",
        "08",
    ),
    (
        8,
        "affinity of two positions",
        r"f_{ij} = \exp(\theta(F_i)^\top \phi(F_j))",
        "networks.partial_nonlocal:PartialNonlocal.attend",
        "08",
    ),
    (
        9,
        "output of the partial non-local block",
        r"O_i = \nu\big(\sum_j s_{ij} \mu(F_j)\big)",
        "networks.partial_nonlocal:PartialNonlocal.attend",
        "08",
    ),
    (
        10,
        "fusion of the two branches",
        r"F_{fuse} = (1 - m) \rho_{local}(F) + m \rho_{global}(O)",
        "networks.mapping:PaperMapping",
        "08",
    ),
)


@dataclass(frozen=True)
class PaperEquation:
    """One numbered equation of Wan et al. 2020.

    Attributes:
        number: as printed in the paper.
        name: a few words.
        latex: the equation, without dollar signs.
        path: file that computes it, from the folder above the package, as "oldphoto/losses.py".
        line: line of its mark ``# eq. N``; without one, where the function or class begins.
        notebook: number of the notebook that explains it.
    """

    number: int
    name: str
    latex: str
    path: str
    line: int
    notebook: str


def paper_equations() -> list[PaperEquation]:
    """Return the paper's equations 1 to 10 in order.

    >>> [equation.number for equation in paper_equations()]
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    """
    found = []
    for number, name, latex, reference, notebook in _PAPER:
        path, line = _marked_line(number, reference) or _first_line(reference)
        relative = path.relative_to(PACKAGE.parent).as_posix()
        found.append(PaperEquation(number, name, latex, relative, line, notebook))
    return found


def _marked_line(number: int, reference: str) -> tuple[Path, int] | None:
    """Return file and line of the first mark, looked for in the file of ``reference`` first."""
    expected = PACKAGE / (reference.partition(":")[0].replace(".", "/") + ".py")
    others = [PACKAGE / "losses.py", *sorted(PACKAGE.glob("networks/*.py"))]
    mark = re.compile(rf"#.*\beq\. {number}\b")
    for path in (expected, *others, *sorted(PACKAGE.glob("training/*.py"))):
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if mark.search(text):
                return path, line
    return None


def _first_line(reference: str) -> tuple[Path, int]:
    """Return file and first line of ``module:name``, a function or a class."""
    module, _, name = reference.partition(":")
    found = import_module(f"oldphoto.{module}")
    path = Path(str(found.__file__))
    for part in name.split("."):
        found = getattr(found, part)
    return path, inspect.getsourcelines(found)[1]


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


def equations_page(notebooks: Sequence[CourseNotebook]) -> str:
    """Return the page of all equations as Markdown: the paper's by number, then all by notebook."""
    names = {notebook.number: notebook for notebook in notebooks}
    lines = [
        "# Equations",
        "",
        "Where each equation stands, and which cell checks it. This page is made from the",
        "notebooks by `python -m oldphoto course equations`; a test compares the two.",
        "",
        "## The paper's numbered equations",
        "",
        "| | equation | name | code | notebook |",
        "|---|---|---|---|---|",
    ]
    for equation in paper_equations():
        place = f"{equation.path.removeprefix('oldphoto/')}, line {equation.line}"
        link = f"[{place}](../{equation.path}#L{equation.line})"
        columns = [f"({equation.number})", f"${equation.latex}$", equation.name, link]
        lines.append(f"| {' | '.join(columns)} | {_link(names[equation.notebook])} |")
    for notebook in notebooks:
        cells = list(equation_cells(notebook))
        if cells:
            lines += ["", f"## {notebook.number} {notebook.title}", "", _link(notebook)]
            for cell in cells:
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
