"""Rules that every notebook of the course keeps, checked without running it."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from oldphoto.checks import InputError
from oldphoto.course.publishing.badges import read_address
from oldphoto.course.publishing.notebooks import CourseNotebook, cells_tagged, code_digest
from oldphoto.course.publishing.palette_use import foreign_colours

MAX_BYTES = 1_000_000
MAX_SETUP_LINES = 5
TAGS = {
    "parameters",  # papermill replaces its values
    "setup",
    "exercise",  # the reader completes it
    "check",  # it says whether the exercise is right
    "demo",  # it shows widgets
    "nbval-check-output",  # the stored output must come again
    "nbval-skip",
    "skip-execution",  # papermill's word for the same
}
# Folders that tell about the machine of whoever stored the outputs.
PERSONAL = re.compile(r"(?:/home/|/Users/|/root/|/tmp/|/var/folders/|[A-Z]:\\+Users\\+)[^\s\"']*")
# "<Styler at 0x7f75d9815410>": nothing for a reader, and another one at every run.
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
MARKDOWN_IMAGE = re.compile(r"!\[([^\]]*)\]\(")
HTML_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
ALT = re.compile(r"""\balt=(?:"\s*[^"\s]|'\s*[^'\s])""")


@dataclass(frozen=True)
class Problem:
    """A broken rule: in which notebook, in which cell (from 1; 0 = the whole), and what."""

    notebook: str
    cell: int
    message: str

    def __str__(self) -> str:
        where = f"{self.notebook}, cell {self.cell}" if self.cell else self.notebook
        return f"{where}: {self.message}"


Finding = tuple[int, str]
Rule = Callable[[CourseNotebook], Iterator[Finding]]


def check_notebook(notebook: CourseNotebook, rules: Sequence[Rule] | None = None) -> list[Problem]:
    """Return all broken rules of one notebook, in the order of the rules; None stands for RULES."""
    return [
        Problem(notebook.name, cell, message)
        for rule in (RULES if rules is None else rules)
        for cell, message in rule(notebook)
    ]


def is_valid(notebook: CourseNotebook) -> Iterator[Finding]:
    """The file is a valid notebook of format 4.5, whose cells have ids of their own."""
    try:
        nbformat.validate(notebook.node)
    except nbformat.ValidationError as error:
        yield 0, f"not a valid notebook: {error.message}"
    # From the file itself: nbformat gives new ids to cells that lack one or share one.
    raw = json.loads(notebook.path.read_text(encoding="utf-8"))
    ids = [cell.get("id") for cell in raw["cells"]]
    if None in ids or len(set(ids)) < len(ids):
        yield 0, "each cell needs an id of its own"


def has_kernel(notebook: CourseNotebook) -> Iterator[Finding]:
    """The notebook names its kernel; JupyterLab asks the reader in a dialogue otherwise."""
    if notebook.node.metadata.get("kernelspec", {}).get("name") != "python3":
        yield 0, "metadata.kernelspec must name python3"


def is_small(notebook: CourseNotebook) -> Iterator[Finding]:
    """The file is small enough to be shown on GitHub."""
    size = notebook.path.stat().st_size
    if size > MAX_BYTES:
        yield 0, f"the file has {size:,} bytes, more than {MAX_BYTES:,}"


def opens_well(notebook: CourseNotebook) -> Iterator[Finding]:
    """The first cell has the badge of this very notebook, and what the reader will be able to."""
    first = notebook.node.cells[0]
    if first.cell_type != "markdown":
        yield 1, "the first cell must be text"
    if "You will be able to" not in first.source:
        yield 1, 'the first cell must say what "You will be able to" do'
    if "**Measured:**" not in first.source:
        yield 1, "the first cell needs a line **Measured:**, which `course run --save` fills in"
    root = notebook.path.parents[1]
    if (root / "pyproject.toml").is_file():
        badge = read_address(root).badge(notebook.path.name)
        if badge not in first.source:
            yield 1, f"the first cell needs the badge {badge}"


def has_parameters(notebook: CourseNotebook) -> Iterator[Finding]:
    """There is one cell of parameters, which holds plain literals, FAST and SEED among them."""
    count = len(cells_tagged(notebook.node, "parameters"))
    if count != 1:
        yield 0, f"expected one cell tagged parameters, found {count}"
        return
    try:
        missing = {"FAST", "SEED"} - notebook.parameters().keys()
    except (InputError, SyntaxError) as error:
        yield 0, str(error)
        return
    if missing:
        yield 0, f"the parameters cell lacks {', '.join(sorted(missing))}"


def has_setup(notebook: CourseNotebook) -> Iterator[Finding]:
    """There is one short set-up cell."""
    tagged = cells_tagged(notebook.node, "setup")
    if len(tagged) != 1:
        yield 0, f"expected one cell tagged setup, found {len(tagged)}"
    for cell in tagged:
        lines = sum(bool(line.strip()) for line in cell.source.splitlines())
        if lines > MAX_SETUP_LINES:
            yield 0, f"the set-up cell has {lines} lines, more than {MAX_SETUP_LINES}"


def code_is_readable(notebook: CourseNotebook) -> Iterator[Finding]:
    """Code cells are Python."""
    for number, cell in _cells(notebook, "code"):
        try:
            compile(TransformerManager().transform_cell(cell.source), "<cell>", "exec")
        except SyntaxError as error:
            yield number, f"not Python: {error}"


def headings_in_order(notebook: CourseNotebook) -> Iterator[Finding]:
    """One title, and no level of heading left out on the way down."""
    level, titles = 0, 0
    for number, cell in _cells(notebook, "markdown"):
        without_code = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
        for marks in re.findall(r"^(#+) ", without_code, re.MULTILINE):
            if len(marks) > level + 1:
                yield number, f"a heading of level {len(marks)} follows one of level {level}"
            level = len(marks)
            titles += level == 1
    if titles != 1:
        yield 0, f"expected one title (# ...), found {titles}"


def pictures_are_described(notebook: CourseNotebook) -> Iterator[Finding]:
    """Each picture, in text and in outputs, has a description."""
    for number, cell in enumerate(notebook.node.cells, start=1):
        texts = [cell.source] if cell.cell_type == "markdown" else []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                yield number, "a picture without description: show it with course.figures.show"
            texts.append(str(data.get("text/html", "")))
        for text in texts:
            bare = sum(not alt.strip() for alt in MARKDOWN_IMAGE.findall(text))
            bare += sum(not ALT.search(tag) for tag in HTML_IMAGE.findall(text))
            if bare:
                yield number, f"{bare} pictures without description (alt text)"


def colours_are_safe(notebook: CourseNotebook) -> Iterator[Finding]:
    """Colours are those of the palette, which colour-blind people can tell apart."""
    for number, cell in _cells(notebook, "code"):
        with contextlib.suppress(SyntaxError):  # another rule tells of that
            for colour in foreign_colours(cell.source):
                yield number, f"the colour {colour!r} is not one of course.figures.COLOURS"


def tags_are_known(notebook: CourseNotebook) -> Iterator[Finding]:
    """Only the tags of the course; nbval and papermill are told together what to skip."""
    for number, cell in enumerate(notebook.node.cells, start=1):
        tags = set(cell.metadata.get("tags", []))
        if tags - TAGS:
            yield number, f"unknown tags {', '.join(sorted(tags - TAGS))}"
        if len(tags & {"nbval-skip", "skip-execution"}) == 1:
            yield number, "nbval-skip and skip-execution must be used together"


def outputs_are_stored(notebook: CourseNotebook) -> Iterator[Finding]:
    """Outputs are those of a whole run, without errors, folders or addresses of a machine."""
    for number, cell in _cells(notebook, "code"):
        skipped = "skip-execution" in cell.metadata.get("tags", [])
        if cell.get("execution_count") is None and not skipped:
            yield number, "no stored output; run `oldphoto course run --save`"
        if "papermill" in cell.metadata:
            yield number, "metadata of papermill"
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield number, f"a stored error: {output.ename}"
    for number, cell in enumerate(notebook.node.cells, start=1):
        text = cell.source + "".join(_output_texts(cell))
        for path in PERSONAL.findall(text):
            yield number, f"a folder of somebody's machine: {path}"
        if ADDRESS.search(text):
            yield number, "an address in memory: show the object in a form for people"


def outputs_are_fresh(notebook: CourseNotebook) -> Iterator[Finding]:
    """The stored outputs come from the code as it is now."""
    stored = notebook.measured.get("code")
    if stored != code_digest(notebook.node):
        yield (
            0,
            "the code has changed since its outputs were stored; run `oldphoto course run --save`",
        )


def widgets_are_whole(notebook: CourseNotebook) -> Iterator[Finding]:
    """Stored widgets have their state; GitHub shows "Invalid Notebook" otherwise."""
    widgets = notebook.node.metadata.get("widgets")
    if widgets is not None and not all("state" in value for value in widgets.values()):
        yield 0, "metadata.widgets without state"
    if "papermill" in notebook.node.metadata:
        yield 0, "metadata of papermill"


def _cells(notebook: CourseNotebook, kind: str) -> Iterator[tuple[int, nbformat.NotebookNode]]:
    numbered = enumerate(notebook.node.cells, start=1)
    return ((number, cell) for number, cell in numbered if cell.cell_type == kind)


def _output_texts(cell: nbformat.NotebookNode) -> Iterator[str]:
    for output in cell.get("outputs", []):
        yield output.get("text", "")
        data = output.get("data", {})
        # Pictures are long texts in which anything may occur by chance.
        yield from (re.sub(r"base64,[^\"']*", "", str(data[k])) for k in data if k[:4] == "text")


RULES: tuple[Rule, ...] = (
    is_valid,
    has_kernel,
    is_small,
    opens_well,
    has_parameters,
    has_setup,
    code_is_readable,
    headings_in_order,
    pictures_are_described,
    colours_are_safe,
    tags_are_known,
    outputs_are_stored,
    outputs_are_fresh,
    widgets_are_whole,
)
