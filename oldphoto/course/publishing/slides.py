"""Decks for the browser: one HTML file for each notebook, which needs neither network nor kernel.

nbconvert's exporter makes them, with reveal.js (MIT licence, in ``deck/reveal``) inside the file.
Key S opens the speaker's view with the notes, F fills the screen, O shows all slides.

The marks for slides are set here by a simple rule, since the notebooks carry none. A heading of
level 2 starts a slide to the right, one of level 3 a slide below. A question to decide first stands
alone, and what follows it comes on the next slide. A picture stands without its code where it is a
drawing, and on a slide of its own where both do not fit. Answers, hints and times go into the
notes. Where a cell has Jupyter's own mark (``slideshow.slide_type``), that mark is obeyed.
"""

import re
from pathlib import Path

from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from oldphoto.checks import InputError
from oldphoto.course.publishing.notebooks import CourseNotebook
from oldphoto.course.publishing.pages import COLOURS, course_page, markdown_html
from oldphoto.system.files import written_whole
from oldphoto.system.outputs import photo_folder

LINES = 16.0  # that fit on one slide, about; the page shrinks a slide that is too full
PICTURE_LINES = 13.0
LEFT_OUT = ("exercises.sheet.",)
BADGE = "[![Open In Colab]"
QUESTION = "> **Decide first"
DRAWING = "show_svg("  # of a drawing only the picture is shown
FOR_NOTES = re.compile(r"<details|\*\*Time:|\*\*Measured:|Stuck\?|.*\.hint\(\)", re.DOTALL)
# Fences, equations, answers, headings and quotes stay whole; other blocks end at a blank line.
BLOCK = re.compile(
    r"\n*(?:^```.*?^```|^\$\$.*?\$\$|^<details.*?</details>|^#+ [^\n]*|^(?:>[^\n]*\n?)+"
    r"|.+?(?=\n\s*\n|\n(?:#+ |> |```|<details)|\Z))",
    re.DOTALL | re.MULTILINE,
)
OTHER_NOTEBOOK = re.compile(r'href="(?:\./)?(\d\d_\w+)\.ipynb')
MISSING_PICTURE = re.compile(r'<img[^>]* src="(?!data:|https?:)([^"]+)"')


def write_decks(notebooks: list[CourseNotebook], output: Path) -> Path:
    """Write a deck for each notebook, from its stored outputs, and a page of links to them.

    Returns:
        The path of the page of links.

    Raises:
        InputError: if the folder cannot be written, holds another file of such a name, or a picture
            that a text shows is missing.
    """
    decks, pages = [], {}
    for notebook in notebooks:
        deck = deck_of(notebook.node)
        page = deck_page(deck, notebook.title, notebook.path.parent)
        pages[f"{notebook.name}.html"] = page
        decks.append((notebook, num_slides(deck)))
    pages["index.html"] = course_page("decks.html.j2", "The course as slides", decks=decks)
    with photo_folder(output) as outputs:  # without a hidden folder: lecturers copy it as it is
        for name, page in pages.items():
            with outputs.writing(name, "course slides") as path, written_whole(path) as file:
                file.write(page.encode("utf-8"))
    return output / "index.html"


def deck_page(deck: NotebookNode, title: str, folder: Path) -> str:
    """Return a notebook with marks for slides as one HTML page, with everything inside.

    Args:
        folder: where the notebook lies, whose text names pictures relative to it.

    Raises:
        InputError: if a picture that the text shows is not there.
    """

    def markdown(source: str) -> str:
        html = OTHER_NOTEBOOK.sub(r'href="\1.html', markdown_html(source, pictures=folder))
        if missing := MISSING_PICTURE.search(html):
            raise InputError(f"the slides need the picture {missing[1]}, which is not in {folder}")
        return html

    exporter = SlidesExporter(
        template_name="deck",
        extra_template_basedirs=[str(Path(__file__).parent)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.register_filter("markdown2html", markdown)
    deck.metadata.title = title
    page, _ = exporter.from_notebook_node(deck, resources={"colours": COLOURS})
    return str(page)


def num_slides(deck: NotebookNode) -> int:
    """Return how many slides a deck has."""
    return sum(cell.metadata.slideshow.slide_type in ("slide", "subslide") for cell in deck.cells)


def deck_of(node: NotebookNode) -> NotebookNode:
    """Return a notebook whose cells are the parts of slides, each with its mark.

    Args:
        node: an executed notebook; it is not changed.
    """
    deck = _Deck()
    before_setup = True
    for index, cell in enumerate(node.cells):
        tags = cell.metadata.get("tags", [])
        mark = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if mark in ("slide", "subslide"):
            deck.begin(mark)
        if cell.cell_type == "markdown":
            if mark in ("skip", "notes") or (before_setup and index > 0):
                deck.add_note(cell.source)
            else:
                deck.add_text(cell.source)
        elif "setup" in tags or "parameters" in tags:
            before_setup = before_setup and "setup" not in tags
            deck.begin()
        elif mark not in ("skip", "notes") and not cell.source.startswith(LEFT_OUT):
            deck.add_code(cell, is_exercise="exercise" in tags)
    return new_notebook(cells=deck.cells)


class _Deck:
    """Cells of the slides so far.

    Attributes:
        filled: lines on the last slide, headings apart.
        next: mark of the cell to come, where it starts a slide; else "".
        has_result: whether the last slide ends with the output of a cell.
    """

    def __init__(self) -> None:
        self.cells: list[NotebookNode] = []
        self.filled = 0.0
        self.next = "slide"
        self.has_result = False

    def begin(self, mark: str = "subslide") -> None:
        """Start a slide with the next cell, unless the last one has only headings."""
        if mark == "slide" or (self.filled and self.next != "slide"):
            self.next = mark

    def put(self, cell: NotebookNode, lines: float, mark: str = "-") -> None:
        """Put a cell on the last slide, or on a new one where it does not fit."""
        if self.filled + lines > LINES:
            self.begin()
        if self.next:
            self.filled, self.has_result = 0.0, False
        cell.metadata["slideshow"] = {"slide_type": self.next or mark}
        self.cells.append(cell)
        self.filled += lines
        self.next = ""

    def add_note(self, markdown: str) -> None:
        """Put a text into the speaker's notes of the last slide."""
        notes = {"slideshow": {"slide_type": "notes"}}
        self.cells.append(new_markdown_cell(markdown, metadata=notes))

    def add_text(self, markdown: str) -> None:
        """Put the blocks of a text cell on slides; the remark on a result appears beside it."""
        for block in (found.strip() for found in BLOCK.findall(markdown)):
            if not block or block.startswith(BADGE):
                continue
            if FOR_NOTES.match(block):
                self.add_note(block)
            elif self.has_result and block[0].isalnum():
                self.put(new_markdown_cell(block), _lines_of(block), "fragment")
                self.begin()
            else:
                self._add_block(block)

    def _add_block(self, block: str) -> None:
        is_question = block.startswith(QUESTION)
        if heading := re.match("#+", block):
            self.begin("slide" if len(heading[0]) <= 2 else "subslide")
        elif is_question or self.has_result or block.startswith("**You will be able to"):
            self.begin()
        cell = new_markdown_cell(block)
        cell.metadata["tags"] = ["question"] * is_question  # a class for the style
        self.put(cell, 0.0 if heading else _lines_of(block))
        if is_question:  # what follows must not give the answer away
            self.begin()

    def add_code(self, cell: NotebookNode, is_exercise: bool) -> None:
        """Put a code cell and what it showed on slides; of an exercise, the stub alone."""
        outputs = [] if is_exercise else cell.outputs
        pictures = [output for output in outputs if _is_picture(output)]
        printed = [output for output in outputs if output not in pictures]
        if self.has_result:
            self.begin()
        if DRAWING in cell.source and pictures:
            self.add_note(f"```python\n{cell.source}\n```")
        else:
            lines = 0.7 * len(cell.source.splitlines()) + 1
            self.put(new_code_cell(cell.source), lines, "fragment" if is_exercise else "-")
        for output in printed:
            self.put(_result(output), _lines_printed(output), "fragment")
        for picture in pictures:
            self.put(_result(picture), PICTURE_LINES)
        self.has_result = bool(outputs)
        if not outputs:
            self.begin()


def _result(output: NotebookNode) -> NotebookNode:
    """Return a cell that shows an output without code."""
    return new_code_cell(outputs=[output], metadata={"transient": {"remove_source": True}})


def _is_picture(output: NotebookNode) -> bool:
    html = output.get("data", {}).get("text/html", "")
    return "<img" in html or "<svg" in html


def _lines_printed(output: NotebookNode) -> float:
    """Return how many lines of a slide a printed output fills, about."""
    data = output.get("data", {})
    rows = data.get("text/html", "").count("<tr") or data.get("text/markdown", "").count("\n")
    return 1.0 + (rows or 0.7 * len(output.get("text", data.get("text/plain", "")).splitlines()))


def _lines_of(block: str) -> float:
    """Return how many lines of a slide a block of text fills, about."""
    if block.startswith(("![", "<img")):
        return PICTURE_LINES
    lines = sum(max(1.0, len(line) / 80) for line in block.splitlines())
    return 0.7 * lines if block.startswith("```") else lines + 0.6
