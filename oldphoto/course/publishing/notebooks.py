"""Finding the course's notebooks and reading what their cells say about them."""

import ast
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from oldphoto.checks import InputError

FILE_NAME = re.compile(r"(\d\d)_(\w+)\.ipynb")


@dataclass(frozen=True)
class CourseNotebook:
    """One notebook of the course.

    Attributes:
        path: the .ipynb file.
        number: its two digits in reading order, as "08".
        node: its parsed content.
    """

    path: Path
    number: str
    node: nbformat.NotebookNode

    @property
    def name(self) -> str:
        """File name without the ending, as "08_partial_nonlocal_block"."""
        return self.path.stem

    @property
    def title(self) -> str:
        """Text of the first level-one heading, or the name where there is none."""
        for cell in self.node.cells:
            found = re.search(r"^# (.+)$", cell.source, re.MULTILINE)
            if cell.cell_type == "markdown" and found:
                return found.group(1).strip()
        return self.name

    @property
    def measured(self) -> dict[str, float | str]:
        """Seconds, peak memory (MiB) and code digest of the stored run; empty before the first."""
        return dict(self.node.metadata.get("oldphoto", {}))

    def parameters(self) -> dict[str, object]:
        """Names and defaults of the cell tagged ``parameters``; empty without such a cell."""
        tagged = cells_tagged(self.node, "parameters")
        return literal_assignments(tagged[0].source, self.path.name) if tagged else {}


def code_digest(node: nbformat.NotebookNode) -> str:
    """Return a short fingerprint of the code, to compare with that of the stored outputs.

    Layout, quotes and comments do not count, and neither does the set-up cell, whose address
    ``course publish`` changes.
    """
    cells = [cell for cell in node.cells if cell.cell_type == "code"]
    sources = [c.source.strip() for c in cells if "setup" not in c.metadata.get("tags", [])]
    text = "\n\n".join(_without_layout(source) for source in sources)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_layout(source: str) -> str:
    try:
        return repr(_syntax(ast.parse(source)))
    except SyntaxError:  # a magic command
        return source


def _syntax(node: object) -> object:
    """Return a syntax tree as nested lists, the same in all versions of Python."""
    if isinstance(node, list):
        return [_syntax(item) for item in node]
    if isinstance(node, ast.AST):
        # Fields that only some versions know are empty in our code.
        fields = [(k, v) for k, v in ast.iter_fields(node) if v is not None and v != []]
        return [type(node).__name__, *((key, _syntax(value)) for key, value in fields)]
    return repr(node)


def cells_tagged(node: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    """Return the cells that carry a tag, in order."""
    return [cell for cell in node.cells if tag in cell.metadata.get("tags", [])]


def literal_assignments(source: str, where: str) -> dict[str, object]:
    """Return ``{name: value}`` of a cell that holds only assignments of plain literals.

    Raises:
        InputError: if a line is anything else; papermill could not replace it faithfully.
    """
    values: dict[str, object] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                raise InputError(
                    f"the parameters cell of {where} may hold only lines like NAME = literal; "
                    f"line {statement.lineno} is {ast.unparse(statement)!r}"
                )
        try:
            values[name] = ast.literal_eval(value)
        except ValueError as error:
            raise InputError(
                f"the parameters cell of {where} needs plain literals; "
                f"{ast.unparse(statement)!r} is computed"
            ) from error
    return values


def read_notebook(path: Path) -> CourseNotebook:
    """Read one notebook of the course.

    Raises:
        InputError: if the file is not a notebook or not named NN_words.ipynb.
    """
    named = FILE_NAME.fullmatch(path.name)
    if not named:
        raise InputError(f"expected a notebook named like 08_words.ipynb, got {path.name}")
    try:
        node = nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError) as error:
        raise InputError(f"{path.name} is not a notebook that can be read: {error}") from error
    return CourseNotebook(path, named.group(1), node)


def find_folder(folder: Path | None = None) -> Path:
    """Return the folder of the notebooks: the one given, else that of the repository.

    It is looked for in the current folder, in the folders above it, and beside the package.

    Raises:
        InputError: if no folder ``notebooks`` with numbered notebooks is found.
    """
    here = Path.cwd()
    beside_package = Path(__file__).resolve().parents[3]
    near = [parent / "notebooks" for parent in (here, *here.parents, beside_package)]
    candidates = [folder] if folder else [here, *near]
    for candidate in candidates:
        if candidate.is_dir() and any(FILE_NAME.fullmatch(p.name) for p in candidate.iterdir()):
            return candidate.resolve()
    looked = folder or "the current folder, the folders above it and beside the package"
    raise InputError(
        f"no notebooks of the course were found in {looked}; clone the repository and run the "
        "command inside it, or name their folder with --notebooks"
    )


def all_notebooks(folder: Path | None = None) -> list[CourseNotebook]:
    """Read all notebooks of the course in reading order."""
    return [read_notebook(path) for path in course_files(find_folder(folder))]


def course_files(folder: Path) -> list[Path]:
    """Return the course's notebooks in a folder in reading order; others are a reader's own.

    Raises:
        InputError: if two have the same number: one of them is a reader's own.
    """
    by_number: dict[str, Path] = {}
    for path in sorted(folder.glob("*.ipynb")):
        if named := FILE_NAME.fullmatch(path.name):
            other = by_number.setdefault(named[1], path)
            if other != path:
                raise InputError(
                    f"expected one notebook with the number {named[1]}, got {other.name} and "
                    f"{path.name}: give your own a name without a number at its start"
                )
    return list(by_number.values())


def course_pages(folder: Path) -> list[Path]:
    """Return the pages beside the notebooks: the Markdown files with a name in capitals."""
    return [path for path in sorted(folder.glob("*.md")) if path.stem.isupper()]


def select(notebooks: list[CourseNotebook], wanted: list[str]) -> list[CourseNotebook]:
    """Return the notebooks given by number ("8", "08"), name or file; all if none is given.

    Raises:
        InputError: if one is not there, naming those that are.
    """
    if not wanted:
        return notebooks
    chosen: list[CourseNotebook] = []
    for word in wanted:
        stem = Path(word).name.removesuffix(".ipynb")
        number = stem.zfill(2) if stem.isdigit() else None
        found = [n for n in notebooks if number == n.number or stem in (n.name, n.name[3:])]
        if not found:
            there = ", ".join(n.name for n in notebooks)
            raise InputError(f"there is no notebook {word!r}; there are {there}")
        chosen += [n for n in found if n not in chosen]
    return chosen
