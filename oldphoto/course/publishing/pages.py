"""Web pages of executed notebooks, which show everything without a network.

Formulas become MathML, which browsers draw themselves, so no script is loaded from elsewhere.
Widgets need a running kernel; a line of text stands in their place.
"""

import base64
import copy
import mimetypes
import re
from html import escape
from pathlib import Path
from urllib.parse import quote

import nbformat
from latex2mathml.converter import convert as latex_to_mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from oldphoto.course.publishing.clean import replace_widgets
from oldphoto.course.publishing.notebooks import CourseNotebook, read_notebook
from oldphoto.course.publishing.worker import Result

PICTURES = (".png", ".jpg", ".jpeg")
NORM = re.compile(r"(?<!\\left)(?<!\\right)(?:\\[bB]igg?)?\\([lr])Vert")
SIDES = {"l": "left", "r": "right"}
BADGE = re.compile(r"\[!\[([^\]]*)\]\(http[^)]*\)\]\(([^)]*)\)")


class _MathMLRenderer(IPythonRenderer):
    """nbconvert's Markdown, with formulas drawn by the browser."""

    def block_math(self, body: str) -> str:
        return _mathml(body, display="block")

    def inline_math(self, body: str) -> str:
        return _mathml(body, display="inline")


def _mathml(latex: str, display: str) -> str:
    """Return MathML without its namespace: HTML knows it, and nbconvert would spoil it."""
    # As a pair, norm bars keep their height in the browser, and \big before them is understood.
    paired = NORM.sub(lambda bar: rf"\{SIDES[bar[1]]}\{bar[1]}Vert", latex.strip())
    mathml = latex_to_mathml(paired, display=display)
    return re.sub(r' xmlns="[^"]*"', "", mathml)


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
    return fill_page(title, f'<p><a href="index.html">All notebooks of this run</a></p>{body}')


def markdown_html(source: str) -> str:
    """Turn a text cell into HTML; badges become plain links, since their pictures lie elsewhere."""
    source = BADGE.sub(r"[\1](\2)", source)
    return MarkdownWithMath(renderer=_MathMLRenderer(escape=False)).render(source)


def fill_page(title: str, body: str) -> str:
    """Return a whole page around ``body``, with the style of all pages."""
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    for mark, text in {"TITLE": escape(title), "COLOURS": colours, "BODY": body}.items():
        template = template.replace(f"<!--{mark}-->", text)
    return template


def write_pages(notebooks: list[CourseNotebook], results: list[Result], output: Path) -> Path:
    """Write a page for each executed notebook, and ``index.html`` with links to them.

    Returns:
        The path of the index page.
    """
    rows = []
    sheets = []
    pictures = []
    for notebook, result in zip(notebooks, results, strict=True):
        executed = output / notebook.path.name
        page = output / f"{notebook.name}.html"
        if executed.is_file():
            node = read_notebook(executed).node
            page.write_text(notebook_page(node, notebook.title), encoding="utf-8")
        rows.append(_row(notebook, result, page.name if page.is_file() else ""))
        written = output / "files" / notebook.name
        sheets += _sheets(written, output)
        pictures += _pictures(written)
    index = output / "index.html"
    body = _index(rows, sheets, pictures)
    index.write_text(fill_page("The course, executed", body), encoding="utf-8")
    return index


def _row(notebook: CourseNotebook, result: Result, page: str) -> str:
    title = escape(notebook.title)
    linked = f'<a href="{page}">{title}</a>' if page else title
    state = "ran without errors" if result.ok else f"failed: {escape(result.error)}"
    mark = "ok" if result.ok else "failed"
    return (
        f"<tr><td>{notebook.number}</td><td>{linked}</td>"
        f"<td class='number'>{result.seconds:.0f} s</td>"
        f"<td class='number'>{result.peak_memory / 2**20:.0f} MiB</td>"
        f"<td class='{mark}'>{state}</td></tr>"
    )


def _sheets(folder: Path, output: Path) -> list[str]:
    """Return a link to each page that a notebook wrote, such as a contact sheet."""
    links = []
    for path in sorted(folder.rglob("*.html")):
        address = escape(quote(path.relative_to(output).as_posix()), quote=True)
        links.append(f'<li><a href="{address}">{escape(path.stem.replace("_", " "))}</a></li>')
    return links


def _pictures(folder: Path) -> list[str]:
    """Return a figure for each picture that a notebook wrote, embedded in the page.

    Pictures that lie below a page of the notebook's own are left out: that page shows them, and
    a reader's whole album would make this one too large.
    """
    figures = []
    shown = {page.parent for page in folder.rglob("*.html")}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES):
        if shown & set(path.parents):
            continue
        kind = mimetypes.guess_type(path.name)[0]
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        name = escape(path.stem.replace("_", " "))
        figures.append(
            f'<figure><img alt="Picture written by notebook {escape(folder.name)}: {name}" '
            f'src="data:{kind};base64,{data}"><figcaption>{name}</figcaption></figure>'
        )
    return figures


def _index(rows: list[str], sheets: list[str], pictures: list[str]) -> str:
    head = "<tr><th>No.</th><th>Notebook</th><th>Time</th><th>Peak memory</th><th>Result</th></tr>"
    written = f"<h2>Pictures written by the notebooks</h2><div class='grid'>{''.join(pictures)}"
    pages = f"<h2>Pages written by the notebooks</h2><ul>{''.join(sheets)}</ul>" if sheets else ""
    return (
        f"<h1>The course, executed</h1><table>{head}{''.join(rows)}</table>{pages}"
        f"{written + '</div>' if pictures else ''}"
    )
