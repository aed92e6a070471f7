"""What the archive of the lesson holds: sample photos with their true rights, and made trouble.

Photos of the package keep the rights that ``SOURCES.csv`` states. Everything else is drawn here and
says so in its title, so that nobody takes invented rights for those of a real photo.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from oldphoto.samples import sample_path, sample_photo, sample_sources

BY_NC = "https://creativecommons.org/licenses/by-nc/4.0/"
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
ELSEWHERE = "http://10.0.0.1/plate.jpg"
"""An address inside somebody's own network, as a hostile or careless archive could name it."""
_LINE = "Dear Anna, the ferry was late again and the photographer had gone home."


@dataclass(frozen=True)
class DemoItem:
    """One item of the archive.

    Args:
        name: its identifier.
        title: for people.
        rights: what the item says about its rights; empty where only its own page says it.
        photo: makes the bytes of the file; None for an item without a picture.
        creator: of the photo.
        date: as the source gives it.
        folder: first part of the photo's path; ``private`` is closed by robots.txt.
        address: of a photo that lies elsewhere.
        hidden_rights: what only the item's own page says.
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
        _made("letter", "a page of text", photo=lambda: jpeg(text_page())),
        _made("studio", "a restricted portrait", rights="Publication may be restricted."),
        _sample("three_generations"),
        _made_of("three_generations", "second_scan", "the same, scanned again", _scanned_again),
        _made("poster", "a poster, not for commerce", rights=BY_NC),
        _sample("garden"),
        _sample("lantern"),
        _made_of("mountains", "mounted", "mountains on a wide mount", _mounted),
        _made_of("cat", "thumbnail", "a cat of 120 pixels", _thumbnail),
        _made("interview", "a sound recording", photo=None),
        _made("login", "a photo behind a login", photo=lambda: b"<html>", kind="text/html"),
        _made("estate", "closed to robots", folder="private"),
        _made("elsewhere", "a photo in another network", address=ELSEWHERE),
        _sample("coffee"),
        _sample("photographer"),
        _made("cut_off", "a file cut off", photo=lambda: jpeg(text_page())[:5000]),
        _sample("rocket"),
        _sample("astronaut"),
    ]


def jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    """Return uint8 (H, W, 3) as the bytes of a JPEG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return out.getvalue()


def text_page() -> np.ndarray:
    """Return a written page, uint8 (800, 620, 3)."""
    page = Image.new("RGB", (620, 800), (236, 228, 208))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=16)
    for top in range(50, 740, 24):
        draw.text((40, top), _LINE, fill=(45, 40, 40), font=font)
    return np.asarray(page)


def _sample(name: str, hide_rights: bool = False, busy: bool = False) -> DemoItem:
    """Return a photo of the package with what its table of sources says about it."""
    path = sample_path(name)
    said = next(row for row in sample_sources() if row["file"].endswith(f"/{path.name}"))
    rights = rights_words(said["licence"])
    return DemoItem(
        name, said["title"], "" if hide_rights else rights, path.read_bytes, said["creator"],
        said["year"], hidden_rights=rights, busy=busy,
    )  # fmt: skip


def rights_words(licence: str) -> str:
    """Return a licence of the table as an archive would state it, without our remarks."""
    return licence.partition(" (")[0]


def _made(name: str, what: str, rights: str = CC0, **said: object) -> DemoItem:
    """Return an item that exists in this lesson alone."""
    said.setdefault("photo", lambda: jpeg(text_page()))
    return DemoItem(name, f"Made for the lesson: {what}", rights, creator="the course", **said)


def _made_of(
    sample: str, name: str, what: str, change: Callable[[np.ndarray], np.ndarray]
) -> DemoItem:
    """Return a changed copy of a sample photo, with the rights of that photo."""
    source = _sample(sample)
    return DemoItem(
        name, f"Made for the lesson: {what}", source.rights,
        lambda: jpeg(change(sample_photo(sample)), quality=70), source.creator, source.date,
    )  # fmt: skip


def _scanned_again(pixels: np.ndarray) -> np.ndarray:
    """Return the photo smaller and darker."""
    size = (pixels.shape[1] * 2 // 3, pixels.shape[0] * 2 // 3)
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return (small * 0.85).astype(np.uint8)


def _mounted(pixels: np.ndarray) -> np.ndarray:
    """Return the photo on grey cardboard."""
    rows, columns = pixels.shape[0] // 4, pixels.shape[1] // 4
    margins = ((rows, rows), (columns, columns), (0, 0))
    return np.pad(pixels, margins, constant_values=150)


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Return the photo at 120 pixels."""
    return np.asarray(Image.fromarray(pixels).resize((120, 120), Image.Resampling.LANCZOS))
