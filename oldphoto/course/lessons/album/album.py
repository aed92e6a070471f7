"""Restore a folder of photos, and show each of them before and after on one page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.images.files import load_rgb
from oldphoto.inference.batch import Outcome, Restore, restore_batch
from oldphoto.inference.inputs import HIDDEN, OTHER_ENDING, search_photos
from oldphoto.inference.jobs import plan_jobs
from oldphoto.inference.masks import MaskSource
from oldphoto.inference.provenance import Provenance
from oldphoto.system.outputs import OutputFolder, photo_folder

LONGEST = 360  # pixels of the pictures on the page; the restored photos themselves keep their size
_GREY_LEVELS, _BROWN_LEVELS, _ONE_TONE = 6.0, 8.0, 12.0  # of 255, see ``look_words``
_STYLE = """
.album { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; padding: 1rem; }
.album article { border-top: 1px solid #ccc; margin-top: 1rem; break-inside: avoid; }
.album .row { display: flex; flex-wrap: wrap; gap: 1rem; }
.album figure { margin: 0; }
.album img { display: block; max-width: 100%; }
.album figcaption { color: #444; }
.album .failed { color: #a30000; }
"""


def _no_pixels() -> np.ndarray:
    return np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class AlbumPhoto:
    """What the page shows of one photo.

    Attributes:
        name: of its file.
        error: why it was not restored, one sentence; "" if it was. The rest is then not set.
        before, after: reduced, uint8 (h, w, 3).
        mask: reduced, bool (h, w), true where damaged; None where no mask was used.
        size: height and width of the photo, in pixels.
        masked_share: fraction of the pixels marked as damaged, in [0, 1].
        change: mean change of a pixel, in grey levels of 255.
        seconds: time that restoring took, without reading and writing.
        notes: sentences about anything unusual.
    """

    name: str
    error: str = ""
    before: np.ndarray = field(default_factory=_no_pixels)
    after: np.ndarray = field(default_factory=_no_pixels)
    mask: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    masked_share: float = 0.0
    change: float = 0.0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def files_left_out(folder: Path) -> list[str]:
    """Return the names of what is not restored in a folder, without hidden files.

    The reason is added where it is not the ending of the name.
    """
    left_out = [one for one in search_photos([folder]).left_out if one.reason != HIDDEN]
    return [
        one.path.name
        if one.reason == OTHER_ENDING
        else f"{one.path.name} ({one.reason.partition(':')[0]})"
        for one in left_out
    ]


def restore_album(
    photos: Sequence[Path],
    output: Path,
    restore: Restore,
    masks: MaskSource,
    record: Provenance | None = None,
) -> list[AlbumPhoto]:
    """Restore photos one after the other into a folder; a failed one never stops the others.

    Args:
        photos: files.
        output: folder for the results, made if missing; names are kept where they can be.
        restore: called with pixels and mask.
        masks: called with file and pixels.
        record: written into every restored photo, with its masked fraction; None: no record.

    Returns:
        One entry for each photo, in their order.

    Raises:
        InputError: if a result would overwrite one of the photos.
    """
    jobs = plan_jobs(list(photos), output)
    return [_entry(outcome) for outcome in restore_batch(jobs, restore, masks, record, _reduced)]


def _reduced(pixels: np.ndarray, restored: np.ndarray, mask: np.ndarray | None) -> dict[str, Any]:
    """Return what the page shows of the pixels, so that large photos need not be kept."""
    return {
        "before": smaller(pixels),
        "after": smaller(restored),
        "mask": None if mask is None else smaller(mask),
        "change": float(np.abs(pixels.astype(np.int16) - restored).mean()),
    }


def _entry(outcome: Outcome) -> AlbumPhoto:
    photo = outcome.job.photo
    if outcome.error:
        # The page may be sent to others: it names files, not the folders of this computer.
        return AlbumPhoto(photo.name, outcome.error.replace(str(photo), photo.name))
    return AlbumPhoto(
        name=photo.name,
        size=outcome.size,
        masked_share=outcome.masked_share,
        seconds=outcome.seconds,
        notes=(*outcome.notes, *map(str, outcome.warnings)),
        **outcome.seen,
    )


def smaller(pixels: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """Reduce a photo or a mask so that its longer side has at most ``longest`` pixels.

    No damage gets lost: a pixel of the reduced mask is damaged if any pixel under it is.

    Example:
        >>> smaller(np.zeros((400, 200, 3), np.uint8), 100).shape
        (100, 50, 3)
    """
    is_mask = pixels.dtype == bool
    image = Image.fromarray(pixels.astype(np.uint8) * 255 if is_mask else pixels)
    image.thumbnail((longest, longest), Image.Resampling.BOX)
    return np.asarray(image) > 0 if is_mask else np.asarray(image)


def look_words(pixels: np.ndarray) -> str:
    """Describe the tones, brightness and contrast of a photo in words, for an alt text.

    Args:
        pixels: uint8 (H, W, 3).
    """
    values = pixels.reshape(-1, 3).astype(float)
    warmth, tint = values[:, 0] - values[:, 2], values[:, 0] - values[:, 1]
    if max(np.abs(warmth).mean(), np.abs(tint).mean()) < _GREY_LEVELS:
        tones = "in grey"
    elif warmth.mean() > _BROWN_LEVELS and warmth.std() < _ONE_TONE:
        tones = "in brown tones"
    else:
        tones = "in colour"
    brightness, contrast = 100 * values.mean() / 255, 100 * values.std() / 255
    return f"{tones}, mean brightness {brightness:.0f} %, contrast {contrast:.0f} %"


def contact_sheet(photos: Sequence[AlbumPhoto], title: str, facts: Sequence[str] = ()) -> str:
    """Return HTML that shows all photos and names those that could not be restored.

    Pictures and style are inside, so that the page can be sent by mail. This is the part between
    ``<body>`` and ``</body>``; ``write_sheet`` makes the whole page.

    Args:
        photos: of ``restore_album``.
        title: heading.
        facts: lines below it: weights, masks, files left out.
    """
    failed = [photo for photo in photos if photo.error]
    done = [photo for photo in photos if not photo.error]
    lines = [f"{len(done)} of {len(photos)} photos restored.", *facts]
    head = f"<h1>{escape(title)}</h1>" + "".join(f"<p>{escape(line)}</p>" for line in lines)
    if failed:
        items = "".join(_failure(photo) for photo in failed)
        head += f'<div class="failed"><h2>Not restored</h2><ul>{items}</ul></div>'
    sections = "".join(_section(photo) for photo in done)
    return f'<style>{_STYLE}</style><div class="album">{head}{sections}</div>'


def _failure(photo: AlbumPhoto) -> str:
    """Return the line of one photo that failed; most reasons begin with the photo's name."""
    named = photo.error.startswith(photo.name)
    reason = photo.error.removeprefix(photo.name) if named else f": {photo.error}"
    return f"<li><b>{escape(photo.name)}</b>{escape(reason)}</li>"


def _section(photo: AlbumPhoto) -> str:
    """Return the part of one restored photo."""
    height, width = photo.size
    before = _figure(photo.before, "before", f"{photo.name} before: {look_words(photo.before)}.")
    changed = f"on average a pixel changed by {photo.change:.1f} of 255"
    after = _figure(
        photo.after,
        "after",
        f"{photo.name} restored: {look_words(photo.after)}; {changed}.",
    )
    marked = "no mask"
    if photo.mask is not None:
        marked = f"{100 * photo.masked_share:.1f} % marked as damaged"
        after += _figure(photo.mask, "mask", f"Mask of {photo.name}: {marked}, white on black.")
    line = f"{width} x {height} pixels; {marked}; {changed}; {photo.seconds:.1f} s"
    notes = "".join(f"<p>{escape(note)}</p>" for note in photo.notes)
    return (
        f'<article><h2>{escape(photo.name)}</h2><div class="row">{before}{after}</div>'
        f"<p>{escape(line)}</p>{notes}</article>"
    )


def _figure(pixels: np.ndarray, caption: str, alt: str) -> str:
    buffer = io.BytesIO()
    shown = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    Image.fromarray(shown).save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{escape(alt, quote=True)}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def write_sheet(path: Path, body: str, title: str) -> Path:
    """Write ``contact_sheet``'s HTML as one whole page; returns its path.

    A file of that name that this function did not write stays: the page gets a free name.
    """
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head><body>{body}</body></html>\n"
    )
    with photo_folder(path.parent) as outputs:
        return outputs.write_text(path.name, page, source="contact sheet")


def demo_folder(folder: Path, photos: Sequence[Path]) -> Path:
    """Fill a folder with copies of photos, a grey scan of the first, and two files that fail.

    The two are a photo cut short, as after a broken transfer, and a text with a photo's name.

    Raises:
        InputError: if the folder holds other files of these names; they stay as they are.
    """
    if not photos:
        raise InputError("expected at least one photo to fill a folder with, got none")
    first = photos[0]
    content = first.read_bytes()
    grey = io.BytesIO()
    Image.fromarray(load_rgb(first)).convert("L").save(grey, "PNG")
    files = {path.name: path.read_bytes() for path in photos} | {
        f"{first.stem}_grey_scan.png": grey.getvalue(),
        "cut_short.jpg": content[: len(content) // 3],
        "not_a_photo.jpg": b"Dear Grandmother,",
        "letter.txt": b"Dear Grandmother,",
    }
    with OutputFolder(folder.parent) as outputs:  # so that the folder itself holds photos alone
        for name, written in files.items():
            with outputs.writing(f"{folder.name}/{name}", source="demonstration") as path:
                path.write_bytes(written)
    return folder
