"""Web pages of executed notebooks, which show everything without a network.

Formulas become MathML, which browsers draw themselves, so no script is loaded from elsewhere.
Widgets need a running kernel; a line of text stands in their place.
"""

import base64
import copy
import mimetypes
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import nbformat
from latex2mathml.converter import convert as latex_to_mathml
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from oldphoto.course.publishing.clean import replace_widgets
from oldphoto.course.publishing.notebooks import CourseNotebook, read_notebook
from oldphoto.course.publishing.runner import INDEX, SOURCE, Result
from oldphoto.system.files import explained_disk_errors, written_whole
from oldphoto.system.outputs import OutputFolder
from oldphoto.system.pages import fill_template

TEMPLATES = Path(__file__).parent / "templates"
COLOURS = HtmlFormatter(style="friendly").get_style_defs(".highlight")
PICTURES = (".png", ".jpg", ".jpeg")
NORM = re.compile(r"(?<!\\left)(?<!\\right)(?:\\[bB]igg?)?\\([lr])Vert")
SIDES = {"l": "left", "r": "right"}
BADGE = re.compile(r"\[!\[([^\]]*)\]\(http[^)]*\)\]\(([^)]*)\)")


class _MathMLRenderer(IPythonRenderer):
    """nbconvert's Markdown, with formulas drawn by the browser."""

    def block_math(self, body: str) -> str:
        return mathml(body, display="block")

    def inline_math(self, body: str) -> str:
        return mathml(body, display="inline")


def mathml(latex: str, display: str) -> str:
    """Return MathML without its namespace: HTML knows it, and nbconvert would spoil it.

    Args:
        latex: formula without dollar signs.
        display: "inline" or "block".
    """
    # As a pair, norm bars keep their height in the browser, and \big before them is understood.
    paired = NORM.sub(lambda bar: rf"\{SIDES[bar[1]]}\{bar[1]}Vert", latex.strip())
    found: str = latex_to_mathml(paired, display=display)
    return re.sub(r' xmlns="[^"]*"', "", found)


def markdown_html(source: str, pictures: Path | None = None) -> str:
    """Return the HTML of a text cell; badges, whose pictures lie elsewhere, become links.

    Args:
        source: Markdown, with formulas between dollar signs.
        pictures: folder whose pictures are put inside; None leaves their addresses.

    >>> markdown_html("Loss $x$").startswith('<p>Loss <math display="inline">')
    True
    """
    renderer = _MathMLRenderer(escape=False, embed_images=bool(pictures), path=str(pictures))
    html: str = MarkdownWithMath(renderer=renderer).render(BADGE.sub(r"[\1](\2)", source))
    return html


def course_page(template: str, title: str, **values: object) -> str:
    """Return a page in the style of the course; ``template`` is a file in ``templates``."""
    return fill_template(TEMPLATES / template, title=title, colours=Markup(COLOURS), **values)


def notebook_page(node: nbformat.NotebookNode, title: str) -> str:
    """Return the executed notebook as one HTML page that needs no other file.

    Args:
        node: executed notebook; it is not changed.
        title: title of the page.
    """
    shown = copy.deepcopy(node)
    replace_widgets(shown)
    exporter = HTMLExporter(template_name="basic")
    exporter.register_filter("markdown2html", markdown_html)
    body, _ = exporter.from_notebook_node(shown)
    back = '<p><a href="index.html">All notebooks of this run</a></p>'
    return course_page("course.html.j2", title, body=Markup(back + body))


def write_pages(notebooks: list[CourseNotebook], results: list[Result], output: Path) -> Path:
    """Write a page for each executed notebook, and ``index.html`` with links to them.

    Returns:
        The path of the index page.
    """
    with (
        OutputFolder(output) as outputs,
        explained_disk_errors(output, "name another folder with --output"),
    ):
        rows = []
        sheets = []
        pictures = []
        for notebook, result in zip(notebooks, results, strict=True):
            executed = output / notebook.path.name
            page = output / f"{notebook.name}.html"
            if executed.is_file():
                node = read_notebook(executed).node
                _write(outputs, page.name, notebook_page(node, notebook.title))
            rows.append((notebook, result, page.name if page.is_file() else ""))
            written = output / "files" / notebook.name
            for path in sorted(written.rglob("*.html")):  # such as a contact sheet
                sheets.append((quote(path.relative_to(output).as_posix()), _words(path)))
            for path in _pictures(written):
                pictures.append((notebook.name, _words(path), _data_address(path)))
        page_text = course_page(
            "run.html.j2", "The course, executed", rows=rows, sheets=sheets, pictures=pictures
        )
        _write(outputs, INDEX, page_text)
    return output / INDEX


def _write(outputs: OutputFolder, name: str, text: str) -> None:
    with outputs.writing(name, SOURCE) as path, written_whole(path) as file:
        file.write(text.encode("utf-8", errors="backslashreplace"))


def _words(path: Path) -> str:
    return path.stem.replace("_", " ")


def _pictures(folder: Path) -> Iterator[Path]:
    """Yield the pictures that a notebook wrote.

    Those below a page of the notebook's own are left out: that page shows them, and a whole album
    would make this page too large.
    """
    shown = {page.parent for page in folder.rglob("*.html")}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES and not shown & set(path.parents):
            yield path


def _data_address(path: Path) -> str:
    """Return a picture's content as an address, for a page that needs no other file."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{mimetypes.guess_type(path.name)[0]};base64,{data}"
