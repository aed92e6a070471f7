"""Lectures for the browser: one HTML file for each deck, which needs neither network nor kernel.

A deck is a Markdown file in ``notebooks/lectures``. A line ``---`` parts two slides. A slide has a
heading, text, and pictures, each named by the notebook's cell that stored it:

    ## A VAE that draws
    ![04/sunset-grid]
    The two numbers of the latent have become the two degrees of freedom.
    Notes:
    Ask (1 min): what changes along a row?

``![05/ring 2]`` is the second picture of a cell, ``![diagram/pipeline]`` a drawing of the package.
Pictures in one line stand side by side. What follows ``Notes:`` is the speaker's (key S); minutes
in brackets are added to the time that the words take. reveal.js (MIT licence, in ``deck/reveal``)
is inside the file.
"""

import base64
import re
from dataclasses import dataclass
from html import escape, unescape
from io import BytesIO
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course.diagrams import diagram
from oldphoto.course.publishing.notebooks import CourseNotebook
from oldphoto.course.publishing.pages import course_page, markdown_html
from oldphoto.system.files import written_whole
from oldphoto.system.outputs import photo_folder

LECTURES = "lectures"
"""Folder of the decks' sources, beside the notebooks."""
FILE_NAME = re.compile(r"\d_(\w+)\.md")
WORDS_A_MINUTE = 130
"""How fast a lecturer speaks whom people with another first language understand."""
PICTURE = re.compile(r"!\[(\w+)/([\w-]+)(?: (\d))?\]")
PICTURE_LINE = re.compile(rf"^{PICTURE.pattern}(?: {PICTURE.pattern})*$", re.MULTILINE)
STORED_PICTURE = re.compile(
    r'<img\b[^>]*?alt="([^"]*)"[^>]*?src="(data:image/([^;"]+);base64,[^"]+)'
)
MINUTES = re.compile(r"\((\d+(?:\.\d+)?) min\)")
WIDE = 1.35  # a picture at least this much wider than high has its text below it, others beside
PLAYER = Path(__file__).parent / "deck"


@dataclass(frozen=True)
class Slide:
    """One slide: Markdown of what is shown, and of what is said."""

    shown: str
    notes: str

    @property
    def is_question(self) -> bool:
        """Whether the class is asked before it sees the answer."""
        return self.shown.lstrip("# \n").startswith("> ") or "\n> " in self.shown

    @property
    def minutes(self) -> float:
        """Time to speak the notes, plus the minutes in their brackets."""
        pauses = sum(float(found) for found in MINUTES.findall(self.notes))
        return len(self.notes.split()) / WORDS_A_MINUTE + pauses

    @property
    def pictures(self) -> list[tuple[str, str, int]]:
        """Notebook, cell and number of each picture; "diagram" for a drawing of the package."""
        return [(at, cell, int(nth or 1)) for at, cell, nth in PICTURE.findall(self.shown)]

    @property
    def words(self) -> int:
        """Number of words that the class reads, equations apart."""
        text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", " ", PICTURE.sub("", self.shown), flags=re.DOTALL)
        return len(re.findall(r"\w[\w'-]*", text))


@dataclass(frozen=True)
class Deck:
    """A lecture."""

    name: str
    title: str
    slides: tuple[Slide, ...]

    @property
    def minutes(self) -> float:
        """Time of the lecture."""
        return sum(slide.minutes for slide in self.slides)


def read_deck(path: Path) -> Deck:
    """Read the source of a deck.

    Raises:
        InputError: if the file is not named like 1_vae.md, or a slide has no heading or no notes.
    """
    named = FILE_NAME.fullmatch(path.name)
    if not named:
        raise InputError(f"expected a deck named like 1_vae.md, got {path.name}")
    slides = []
    for number, part in enumerate(path.read_text(encoding="utf-8").split("\n---\n"), start=1):
        shown, _, notes = part.partition("\nNotes:\n")
        if not re.match(r"\s*##? \S", shown) or not notes.strip():
            raise InputError(f"slide {number} of {path.name} needs a heading and 'Notes:'")
        slides.append(Slide(shown.strip(), notes.strip()))
    return Deck(named[1], slides[0].shown.splitlines()[0].lstrip("# "), tuple(slides))


def all_decks(notebooks: Path) -> list[Deck]:
    """Read all decks beside the notebooks, in their order."""
    return [read_deck(path) for path in sorted((notebooks / LECTURES).glob("*.md"))]


def select_decks(decks: list[Deck], wanted: list[str]) -> list[Deck]:
    """Return the decks given by name or number; all if none is given.

    Raises:
        InputError: if one is not there, naming those that are.
    """
    numbered = {str(number): deck for number, deck in enumerate(decks, start=1)}
    known = numbered | {deck.name: deck for deck in decks}
    for word in wanted:
        if word not in known:
            there = ", ".join(f"{number} {deck.name}" for number, deck in numbered.items())
            raise InputError(f"there is no deck {word!r}; there are {there}")
    return [deck for deck in decks if deck in [known[word] for word in wanted]] if wanted else decks


def write_decks(decks: list[Deck], notebooks: list[CourseNotebook], output: Path) -> Path:
    """Write each deck as a page, with the stored pictures of the notebooks, and a page of links.

    Returns:
        The path of the page of links.

    Raises:
        InputError: if the folder cannot be written, holds another file of such a name, or a picture
            that a slide names is not stored.
    """
    pages = {f"{deck.name}.html": deck_page(deck, notebooks) for deck in decks}
    pages["index.html"] = course_page("decks.html.j2", "Lectures", decks=decks)
    with photo_folder(output) as outputs:  # without a hidden folder: lecturers copy it as it is
        for name, page in pages.items():
            with outputs.writing(name, "course slides") as path, written_whole(path) as file:
                file.write(page.encode("utf-8"))
    return output / "index.html"


def deck_page(deck: Deck, notebooks: list[CourseNotebook]) -> str:
    """Return a deck as one HTML page, with everything inside.

    Raises:
        InputError: if a picture is not stored.
    """
    by_number = {notebook.number: notebook for notebook in notebooks}
    slides = [
        (_slide_html(slide, by_number), Markup(markdown_html(slide.notes))) for slide in deck.slides
    ]
    names = ("reveal/reveal.css", "theme.css", "reveal/reveal.js", "reveal/notes.js", "fit.js")
    parts = {name: Markup((PLAYER / name).read_text(encoding="utf-8")) for name in names}
    return course_page("deck.html.j2", deck.title, slides=slides, parts=parts)


def _slide_html(slide: Slide, notebooks: dict[str, CourseNotebook]) -> Markup:
    """Return heading, texts and pictures of a slide; a picture that is not wide has text beside."""
    heading, _, body = slide.shown.partition("\n")
    found = PICTURE_LINE.search(body)
    above, below = (body[: found.start()], body[found.end() :]) if found else (body, "")
    pictures = [_picture(*part, notebooks) for part in slide.pictures]
    width = sum(ratio for _, ratio in pictures)
    kind = "question" if slide.is_question else "plain"
    if found and width < WIDE:
        kind += " beside"
    texts = [
        f'<div class="text">{markdown_html(t)}</div>' if t.strip() else "" for t in (above, below)
    ]
    images = "".join(image for image, _ in pictures)
    figures = f'<div class="figures">{images}</div>' if found else ""
    inside = markdown_html(heading) + texts[0] + figures + texts[1]
    return Markup(f'<div class="slide {kind}">{inside}</div>')


def _picture(
    at: str, cell: str, nth: int, notebooks: dict[str, CourseNotebook]
) -> tuple[str, float]:
    """Return a picture as HTML, and its width over its height.

    Raises:
        InputError: if it is not stored.
    """
    if at == "diagram":
        svg, words = diagram(cell)
        address = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
        return _image(words, address, _svg_ratio(svg))
    node = notebooks[at].node if at in notebooks else None
    outputs = [o for c in node.cells if c.id == cell for o in c.get("outputs", [])] if node else []
    html = "".join(str(output.get("data", {}).get("text/html", "")) for output in outputs)
    stored = STORED_PICTURE.findall(html)
    if len(stored) < nth:
        raise InputError(
            f"a slide needs picture {nth} of cell {cell!r} in notebook {at}, "
            f"which stores {len(stored)}"
        )
    words, address, kind = stored[nth - 1]
    data = base64.b64decode(address.partition(",")[2])
    if kind.startswith("svg"):
        return _image(unescape(words), address, _svg_ratio(data.decode()))
    with Image.open(BytesIO(data)) as image:
        return _image(unescape(words), address, image.width / image.height)


def _svg_ratio(svg: str) -> float:
    found = re.search(r"viewBox=['\"][\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)", svg)
    return float(found[1]) / float(found[2]) if found else 2.0


def _image(words: str, address: str, ratio: float) -> tuple[str, float]:
    grow = f"flex-grow: {ratio:.3g}"  # side by side, all are of one height
    return f'<img alt="{escape(words)}" src="{address}" style="{grow}">', ratio
