"""A folder of photos restored in one go, and one page that shows each of them before and after."""

import base64
import io
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.images.files import READABLE, load_rgb, read_photo, write_photo
from oldphoto.inference.batch import Job, Restore, plan_jobs
from oldphoto.inference.masks import OFFICIAL_PREFIX, MaskSource
from oldphoto.inference.provenance import Provenance, write_recorded
from oldphoto.inference.restorer import OFFICIAL_VARIANTS, Restorer, TilingWarning
from oldphoto.system.files import written_whole

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


@dataclass(frozen=True)
class Outcome:
    """What became of one photo.

    Attributes:
        name: of its file.
        error: why it was not restored, one sentence; empty if it was. The rest is then not set.
        before, after: reduced, uint8 (h, w, 3).
        mask: reduced, bool (h, w), true where damaged; None where no mask was used.
        size: height and width of the photo, in pixels.
        masked_share: of its pixels, in [0, 1].
        change: mean change of a pixel, in grey levels of 255.
        seconds: that restoring took, without reading and writing.
        notes: sentences about anything unusual.
    """

    name: str
    error: str = ""
    before: np.ndarray | None = None
    after: np.ndarray | None = None
    mask: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    masked_share: float = 0.0
    change: float = 0.0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def open_restorer(
    weights: str,
    variant: str = "",
    device: str | None = None,
    max_memory_gb: float | None = None,
) -> Restorer:
    """Load weights as ``oldphoto restore`` does.

    Args:
        weights: "small", a folder that training wrote, or ``official:FOLDER``.
        variant: "scratch", "quality" or "hr"; empty takes what there is.

    Raises:
        InputError: if there are no such weights.
    """
    options = dict(device=device, max_memory_gb=max_memory_gb)
    if weights.startswith(OFFICIAL_PREFIX):
        folder = weights.removeprefix(OFFICIAL_PREFIX)
        return Restorer.from_official(folder, variant or OFFICIAL_VARIANTS[0], **options)
    return Restorer.from_pretrained(weights, variant or None, **options)


def files_left_out(folder: Path) -> list[str]:
    """Return the names of the files in a folder that no photo reader is tried on."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    return [p.name for p in paths if p.suffix.lower() not in READABLE and p.name[0] != "."]


def restore_album(
    photos: Sequence[Path],
    output: Path,
    restore: Restore,
    masks: MaskSource,
    record: Provenance | None = None,
) -> list[Outcome]:
    """Restore photos one after the other into a folder; one that fails never stops the others.

    Args:
        photos: files.
        output: folder for the results, made if missing; names are kept where they can be.
        restore: called with pixels and mask.
        masks: called with file and pixels.
        record: is written into every restored photo, with the masked share of each; None: none.

    Returns:
        One outcome for each photo, in their order.

    Raises:
        InputError: if a result would overwrite one of the photos.
    """
    outcomes = []
    for job in plan_jobs(list(photos), output):
        try:
            outcomes.append(_restore_one(job, restore, masks, record))
        except (InputError, torch.OutOfMemoryError, MemoryError) as error:
            reason = str(error).replace(str(job.photo), job.photo.name) or type(error).__name__
            outcomes.append(Outcome(job.photo.name, error=reason))
    return outcomes


def _restore_one(
    job: Job, restore: Restore, masks: MaskSource, record: Provenance | None
) -> Outcome:
    photo = read_photo(job.photo)
    mask = masks(job.photo, photo.pixels)
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TilingWarning)
        restored = np.asarray(restore(photo.pixels, mask))
    seconds = time.perf_counter() - started
    share = 0.0 if mask is None else float(mask.mean())
    if record is None:
        write_photo(job.output, restored, photo.icc_profile)
    else:
        record = replace(record, masked_share=share)
        write_recorded(job.output, restored, record, photo.icc_profile, original=job.photo)
    return Outcome(
        name=job.photo.name,
        before=smaller(photo.pixels),
        after=smaller(restored),
        mask=None if mask is None else smaller(mask),
        size=photo.pixels.shape[:2],
        masked_share=share,
        change=float(np.abs(photo.pixels.astype(np.int16) - restored).mean()),
        seconds=seconds,
        notes=[str(warning.message) for warning in caught],
    )


def smaller(pixels: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """Return a photo, or a mask, whose longer side has at most ``longest`` pixels.

    A damaged pixel of a mask never gets lost: one of the reduced mask is damaged if any of those
    that it stands for is.
    """
    is_mask = pixels.dtype == bool
    image = Image.fromarray(pixels.astype(np.uint8) * 255 if is_mask else pixels)
    image.thumbnail((longest, longest), Image.Resampling.BOX)
    return np.asarray(image) > 0 if is_mask else np.asarray(image)


def look_words(pixels: np.ndarray) -> str:
    """Say in words how a photo looks as far as numbers tell: tones, brightness, contrast.

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


def contact_sheet(outcomes: Sequence[Outcome], title: str, facts: Sequence[str] = ()) -> str:
    """Return HTML that shows all photos and names those that could not be restored.

    It holds its pictures and its style in itself, so it may be sent by mail. It is the part of a
    page that stands between ``<body>`` and ``</body>``; ``write_sheet`` makes the whole page.

    Args:
        outcomes: of ``restore_album``.
        title: heading.
        facts: lines below it: weights, masks, files left out.
    """
    failed = [outcome for outcome in outcomes if outcome.error]
    done = [outcome for outcome in outcomes if not outcome.error]
    lines = [f"{len(done)} of {len(outcomes)} photos restored.", *facts]
    head = f"<h1>{escape(title)}</h1>" + "".join(f"<p>{escape(line)}</p>" for line in lines)
    if failed:
        items = "".join(_failure(outcome) for outcome in failed)
        head += f'<div class="failed"><h2>Not restored</h2><ul>{items}</ul></div>'
    sections = "".join(_section(outcome) for outcome in done)
    return f'<style>{_STYLE}</style><div class="album">{head}{sections}</div>'


def _failure(outcome: Outcome) -> str:
    """Return the line of one photo that failed; most reasons begin with the photo's name."""
    named = outcome.error.startswith(outcome.name)
    reason = outcome.error.removeprefix(outcome.name) if named else f": {outcome.error}"
    return f"<li><b>{escape(outcome.name)}</b>{escape(reason)}</li>"


def _section(outcome: Outcome) -> str:
    """Return the part of one restored photo."""
    height, width = outcome.size
    before = _figure(
        outcome.before, "before", f"{outcome.name} before: {look_words(outcome.before)}."
    )
    changed = f"on average a pixel changed by {outcome.change:.1f} of 255"
    after = _figure(
        outcome.after,
        "after",
        f"{outcome.name} restored: {look_words(outcome.after)}; {changed}.",
    )
    marked = "no mask"
    if outcome.mask is not None:
        marked = f"{100 * outcome.masked_share:.1f} % marked as damaged"
        after += _figure(outcome.mask, "mask", f"Mask of {outcome.name}: {marked}, white on black.")
    line = f"{width} x {height} pixels; {marked}; {changed}; {outcome.seconds:.1f} s"
    notes = "".join(f"<p>{escape(note)}</p>" for note in outcome.notes)
    return (
        f'<article><h2>{escape(outcome.name)}</h2><div class="row">{before}{after}</div>'
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
    """Write ``contact_sheet``'s HTML as one whole page; returns its path."""
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head><body>{body}</body></html>\n"
    )
    with written_whole(path) as file:
        file.write(page.encode("utf-8"))
    return path


def demo_folder(folder: Path, photos: Sequence[Path]) -> Path:
    """Fill a folder with copies of photos, a grey scan of the first, and two files that fail.

    The two are a photo cut short, as after a broken transfer, and a text with a photo's name.
    """
    if not photos:
        raise InputError("expected at least one photo to fill a folder with, got none")
    folder.mkdir(parents=True, exist_ok=True)
    for path in photos:
        (folder / path.name).write_bytes(path.read_bytes())
    grey = Image.fromarray(load_rgb(photos[0])).convert("L")
    grey.save(folder / f"{photos[0].stem}_grey_scan.png")
    content = photos[0].read_bytes()
    (folder / "cut_short.jpg").write_bytes(content[: len(content) // 3])
    (folder / "not_a_photo.jpg").write_text("Dear Grandmother,", encoding="utf-8")
    (folder / "letter.txt").write_text("Dear Grandmother,", encoding="utf-8")
    return folder
