"""The items of the lesson's archive: sample photos with their true rights, and invented trouble.

Photos of the package keep the rights that ``SOURCES.csv`` states. Everything else is made here, and
its title says so, so that nobody takes invented rights for those of a real photo.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from oldphoto.samples import sample_path, sample_photo, sample_sources

BY_NC = "https://creativecommons.org/licenses/by-nc/4.0/"
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
ELSEWHERE = "http://10.0.0.1/plate.jpg"
"""An address in somebody's own network, as a hostile or careless archive could give it."""
_LINE = "Dear Anna, the ferry was late again and the photographer had gone home."


@dataclass(frozen=True)
class DemoItem:
    """One item of the archive.

    Args:
        name: its identifier.
        title: for people.
        rights: rights statement in the search results; empty if only the item's page has it.
        photo: returns the bytes of the file; None for an item without a picture.
        creator: creator of the photo.
        date: date as the source gives it.
        folder: first part of the photo's path; ``private`` is closed by robots.txt.
        address: address of a photo that lies on another machine.
        hidden_rights: rights statement on the item's own page.
        busy: whether the first request for the photo is answered with "too many requests".
        kind: content type of the file.
    """

    name: str
    title: str
    rights: str = ""
    photo: Callable[[], bytes] | None = None
    creator: str = ""
    date: str = ""
    folder: str = "photos"
    address: str = ""
    hidden_rights: str = ""
    busy: bool = False
    kind: str = "image/jpeg"


def demo_items() -> list[DemoItem]:
    """Return the items in the order in which the archive lists them."""
    return [
        _sample("tobolsk"),
        _sample("melons", busy=True),
        _sample("college"),
        _sample("onion_church", hide_rights=True),
        _sample("riverside"),
        _made("letter", "a page of text", _page_bytes),
        _made("studio", "a restricted portrait", _page_bytes, "Publication may be restricted."),
        _sample("three_generations"),
        _made_of("three_generations", "second_scan", "the same, scanned again", _scanned_again),
        _made("poster", "a poster, not for commerce", _page_bytes, BY_NC),
        _sample("garden"),
        _sample("lantern"),
        _made_of("mountains", "mounted", "mountains on a wide mount", _mounted),
        _made_of("cat", "thumbnail", "a cat of 120 pixels", _thumbnail),
        _made("interview", "a sound recording", None),
        _made("login", "a photo behind a login", lambda: b"<html>", kind="text/html"),
        _made("estate", "closed to robots", _page_bytes, folder="private"),
        _made("elsewhere", "a photo in another network", _page_bytes, address=ELSEWHERE),
        _sample("coffee"),
        _sample("photographer"),
        _made("cut_off", "a file cut off", lambda: _page_bytes()[:5000]),
        _sample("rocket"),
        _sample("astronaut"),
    ]


def jpeg(photo: Image.Image, quality: int = 90) -> bytes:
    """Return a photo as the bytes of a JPEG file."""
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=quality)
    return out.getvalue()


def text_page() -> Image.Image:
    """Return a written page, 620 pixels wide and 800 high."""
    page = Image.new("RGB", (620, 800), (236, 228, 208))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=16)
    for top in range(50, 740, 24):
        draw.text((40, top), _LINE, fill=(45, 40, 40), font=font)
    return page


def _page_bytes() -> bytes:
    return jpeg(text_page())


def rights_words(licence: str) -> str:
    """Return a licence of ``SOURCES.csv`` as an archive would state it, without our remarks.

    >>> rights_words("Public domain (NASA)")
    'Public domain'
    """
    return licence.partition(" (")[0]


def _sample(name: str, hide_rights: bool = False, busy: bool = False) -> DemoItem:
    """Return a photo of the package with what ``SOURCES.csv`` says about it."""
    path = sample_path(name)
    source = next(row for row in sample_sources() if row["file"].endswith(f"/{path.name}"))
    rights = rights_words(source["licence"])
    return DemoItem(
        name, source["title"], "" if hide_rights else rights, path.read_bytes, source["creator"],
        source["year"], hidden_rights=rights, busy=busy,
    )  # fmt: skip


def _made(
    name: str, what: str, photo: Callable[[], bytes] | None, rights: str = CC0, **more: Any
) -> DemoItem:
    """Return an item that exists in this lesson alone."""
    return DemoItem(name, f"Made for the lesson: {what}", rights, photo, "the course", **more)


def _made_of(
    sample: str, name: str, what: str, change: Callable[[Image.Image], Image.Image]
) -> DemoItem:
    """Return a changed copy of a sample photo, with the rights of that photo."""
    return replace(
        _sample(sample),
        name=name,
        title=f"Made for the lesson: {what}",
        photo=lambda: jpeg(change(Image.fromarray(sample_photo(sample))), quality=70),
        hidden_rights="",
    )


def _scanned_again(photo: Image.Image) -> Image.Image:
    """Return the photo smaller and darker."""
    size = (photo.width * 2 // 3, photo.height * 2 // 3)
    return photo.resize(size, Image.Resampling.LANCZOS).point(lambda level: int(level * 0.85))


def _mounted(photo: Image.Image) -> Image.Image:
    """Return the photo on grey cardboard."""
    return ImageOps.expand(photo, (photo.width // 4, photo.height // 4), (150, 150, 150))


def _thumbnail(photo: Image.Image) -> Image.Image:
    """Return the photo at 120 pixels."""
    return photo.resize((120, 120), Image.Resampling.LANCZOS)
