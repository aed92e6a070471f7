"""Checks of the notebooks that ruff does not make: pictures, tagged cells and stored outputs."""

import json
import re
from collections.abc import Iterator

import nbformat

from oldphoto.checks import InputError
from oldphoto.course.publishing.notebooks import CourseNotebook, cells_tagged, code_digest
from oldphoto.course.publishing.reading_time import EXTRA, PACE, sections, time_line
from oldphoto.course.publishing.reading_time import TAG as EXTRA_TAG

# Folders of the machine on which the outputs were stored.
PERSONAL = re.compile(r"(?:/home/|/Users/|/root/|/tmp/|/var/folders/|[A-Z]:\\+Users\\+)[^\s\"']*")
# "<Styler at 0x7f75d9815410>": nothing for a reader, and another one at every run.
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
MARKDOWN_IMAGE = re.compile(r"!\[([^\]]*)\]\(")
HTML_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
ALT = re.compile(r"""\balt=(?:"\s*[^"\s]|'\s*[^'\s])""")

Finding = tuple[int, str]  # number of the cell from 1, or 0 for the whole notebook; what is wrong


def check_notebook(notebook: CourseNotebook) -> list[str]:
    """Return one line for each problem of a notebook."""
    return [
        f"{notebook.name}, cell {cell}: {message}" if cell else f"{notebook.name}: {message}"
        for rule in RULES
        for cell, message in rule(notebook)
    ]


def is_valid(notebook: CourseNotebook) -> Iterator[Finding]:
    """The file is a valid notebook with a kernel, and each cell has an id of its own."""
    try:
        nbformat.validate(notebook.node)
    except nbformat.ValidationError as error:
        yield 0, f"not a valid notebook: {error.message}"
    # From the file itself: nbformat gives new ids to cells that lack one or share one.
    raw = json.loads(notebook.path.read_text(encoding="utf-8"))
    ids = [cell.get("id") for cell in raw["cells"]]
    if None in ids or len(set(ids)) < len(ids):
        yield 0, "each cell needs an id of its own"
    if raw["metadata"].get("kernelspec", {}).get("name") != "python3":
        yield 0, "metadata.kernelspec must name python3"
    if not all("state" in value for value in raw["metadata"].get("widgets", {}).values()):
        yield 0, "metadata.widgets without state: GitHub would not show the notebook"


def has_tagged_cells(notebook: CourseNotebook) -> Iterator[Finding]:
    """There is one set-up cell, and one cell of parameters with FAST and SEED."""
    for tag in ("parameters", "setup"):
        count = len(cells_tagged(notebook.node, tag))
        if count != 1:
            yield 0, f"expected one cell tagged {tag}, found {count}"
    try:
        missing = {"FAST", "SEED"} - notebook.parameters().keys()
    except (InputError, SyntaxError) as error:
        yield 0, str(error)
        return
    if missing:
        yield 0, f"the parameters cell lacks {', '.join(sorted(missing))}"


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


def outputs_are_clean(notebook: CourseNotebook) -> Iterator[Finding]:
    """No stored errors, and no folders or addresses of somebody's machine."""
    for number, cell in enumerate(notebook.node.cells, start=1):
        outputs = cell.get("outputs", [])
        for output in outputs:
            if output.output_type == "error":
                yield number, f"a stored error: {output.ename}"
        text = cell.source + "".join(part for output in outputs for part in _texts(output))
        for path in PERSONAL.findall(text):
            yield number, f"a folder of somebody's machine: {path}"
        if ADDRESS.search(text):
            yield number, "an address in memory: show the object in a form for people"


def _texts(output: nbformat.NotebookNode) -> Iterator[str]:
    yield output.get("text", "")
    for kind, content in output.get("data", {}).items():
        if kind.startswith("text/"):
            # Pictures are long texts in which anything may occur by chance.
            yield re.sub(r"base64,[^\"']*", "", str(content))


def outputs_are_fresh(notebook: CourseNotebook) -> Iterator[Finding]:
    """The stored outputs come from the code as it is now."""
    if notebook.measured.get("code") != code_digest(notebook.node):
        yield 0, f"{STALE}; run `oldphoto course run --save`"


def core_is_marked(notebook: CourseNotebook) -> Iterator[Finding]:
    """The core fits into a lesson, extra sections carry a tag, and the head says the time."""
    for number, cell in enumerate(notebook.node.cells, start=1):
        if (EXTRA in cell.source) != (EXTRA_TAG in cell.metadata.get("tags", [])):
            yield number, f"an extra section needs the tag {EXTRA_TAG} and the line {EXTRA}"
    head = notebook.node.cells[0].source
    parts = sections(notebook.node)
    if PACE not in head and not any(section.extra for section in parts):
        return  # its time is not computed
    core = sum(section.minutes for section in parts if not section.extra)
    if core > CORE_MINUTES:
        yield 0, f"the core takes {core:.0f} minutes, expected at most {CORE_MINUTES}: mark extra"
    if time_line(notebook.node) not in head:
        yield 1, f"the time should be: {time_line(notebook.node)}"


CORE_MINUTES = 60  # 45, and the rest of an hour for exercises that take longer
STALE = "the code has changed since its outputs were stored"
RULES = (
    is_valid,
    has_tagged_cells,
    pictures_are_described,
    outputs_are_clean,
    outputs_are_fresh,
    core_is_marked,
)
