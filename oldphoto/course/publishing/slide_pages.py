"""Decks for the browser: one HTML file for each notebook, which needs neither network nor kernel.

The player is reveal.js (MIT licence, in the folder ``reveal``); it and all pictures stand inside
the file. Key S opens the speaker's view with the notes, F fills the screen, O shows all slides.
"""

import base64
import mimetypes
import re
from html import escape
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from oldphoto.checks import InputError
from oldphoto.course.publishing.notebooks import CourseNotebook
from oldphoto.course.publishing.pages import fill_page, markdown_html
from oldphoto.course.publishing.slide_blocks import Block
from oldphoto.course.publishing.slides import Part, Slide, plan_slides, printed_text

PLAYER = Path(__file__).parent / "reveal"
PICTURE = re.compile(r'<img src="(?!data:|https?:)([^"]+)"')
OTHER_NOTEBOOK = re.compile(r'href="(?:\./)?(\d\d_\w+)\.ipynb')
SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{styles}</style>
</head>
<body>
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script>{player}</script>
<script>{notes}</script>
<script>{start}</script>
</body>
</html>
"""


def write_decks(notebooks: list[CourseNotebook], output: Path) -> Path:
    """Write a deck for each notebook, from its stored outputs, and a page of links to them.

    Returns:
        The path of the page of links.

    Raises:
        InputError: if the folder cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {output} cannot be written ({error.strerror})") from error
    rows = []
    for notebook in notebooks:
        slides = plan_slides(notebook.node)
        path = output / f"{notebook.name}.html"
        path.write_text(deck_page(slides, notebook.title, notebook.path.parent), encoding="utf-8")
        link = f'<a href="{path.name}">{escape(notebook.title)}</a>'
        rows.append(f"<tr><td>{notebook.number}</td><td>{link}</td><td>{len(slides)}</td></tr>")
    keys = (
        "<p>Keys: arrows to go on, S for the speaker's view, F for the whole screen, O for all "
        "slides, Esc to come back. To print, add <code>?print-pdf</code> to the address.</p>"
    )
    head = "<tr><th>No.</th><th>Deck</th><th>Slides</th></tr>"
    body = f"<h1>The course as slides</h1>{keys}<table>{head}{''.join(rows)}</table>"
    index = output / "index.html"
    index.write_text(fill_page("The course as slides", body), encoding="utf-8")
    return index


def deck_page(slides: list[Slide], title: str, folder: Path) -> str:
    """Return one HTML page with all slides, the player and the pictures inside.

    Args:
        folder: where the notebook lies, whose text names pictures relative to it.

    Raises:
        InputError: if a picture that the text shows is not there.
    """
    return PAGE.format(
        title=escape(title),
        styles=_player_file("reveal.css")
        + HtmlFormatter(style="friendly").get_style_defs(".highlight")
        + _player_file("theme.css"),
        slides="\n".join(_sections(slides, folder)),
        player=_player_file("reveal.js"),
        notes=_player_file("notes.js"),
        start=_player_file("fit.js"),
    )


def _player_file(name: str) -> str:
    return SOURCE_MAP.sub("", (PLAYER / name).read_text(encoding="utf-8"))


def _sections(slides: list[Slide], folder: Path) -> list[str]:
    """Return the HTML of each section: the slides that lie below each other, in one element."""
    stacks: list[list[str]] = []
    for slide in slides:
        if slide.section or not stacks:
            stacks.append([])
        stacks[-1].append(_slide(slide, folder))
    return [f"<section>\n{chr(10).join(stack)}\n</section>" for stack in stacks]


def _slide(slide: Slide, folder: Path) -> str:
    parts = "\n".join(_part(part, folder) for part in slide.parts)
    notes = ""
    if slide.notes:
        told = _text("\n\n".join(slide.notes), folder)
        notes = f'\n<aside class="notes">{told}</aside>'
    return f"<section>\n{parts}{notes}\n</section>"


def _part(part: Part, folder: Path) -> str:
    if part.kind == "code":
        html = highlight(part.content, PythonLexer(), HtmlFormatter(cssclass="highlight"))
    elif part.kind == "picture":
        html = part.content.data["text/html"]
    elif part.kind == "printed":
        html = _printed(part)
    else:
        assert isinstance(part.content, Block)
        html = _text(part.content.text, folder)
    kinds = [part.kind] + ["fragment"] * part.fragment
    return f'<div class="{" ".join(kinds)}">{html}</div>'


def _printed(part: Part) -> str:
    """Return what a cell printed; a table of numbers stays a table."""
    html = part.content.get("data", {}).get("text/html", "")
    if "<table" in html:
        return html
    return f"<pre>{escape(printed_text(part.content))}</pre>"


def _text(markdown: str, folder: Path) -> str:
    """Turn text into HTML: pictures inside it, and links to notebooks lead to their decks."""
    html = OTHER_NOTEBOOK.sub(r'href="\1.html', markdown_html(markdown))
    return PICTURE.sub(lambda found: f'<img src="{_embedded(folder / found.group(1))}"', html)


def _embedded(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"the slides need the picture {path.name}, which is not beside the text")
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{mimetypes.guess_type(path.name)[0]};base64,{data}"
