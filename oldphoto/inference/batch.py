"""Restore many photos: plan the output files, restore one after the other, report on each.

``restore_batch`` is the one loop over photo files. It prints nothing: the command line prints what
it yields, the album of notebook 15 draws it.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.images.errors import reading
from oldphoto.images.files import WRITERS, read_photo, write_photo
from oldphoto.inference.inputs import FoundPhotos
from oldphoto.inference.inputs import find_photos as find_photos  # scripts import it from here
from oldphoto.inference.masks import MaskError, MaskSource
from oldphoto.inference.provenance import Provenance, network_sha256, write_recorded
from oldphoto.inference.restorer import Restorer, TilingWarning
from oldphoto.weights.source import WeightsSource

Restore = Callable[[np.ndarray, np.ndarray | None], Image.Image | np.ndarray]
"""Takes a photo, uint8 (H, W, 3), and its mask, bool (H, W) or None; returns it restored."""

Look = Callable[[np.ndarray, np.ndarray, np.ndarray | None], Any]
"""Takes a photo, the restored photo and the mask; what it returns is kept in the outcome."""

OUT_OF_MEMORY = "out of memory: set a lower --max-memory, or close other programs"


@dataclass(frozen=True)
class Job:
    """One photo to restore.

    Attributes:
        photo: its file.
        output: the file that the result goes to.
        note: a sentence if the output has another name than the photo, else "".
    """

    photo: Path
    output: Path
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of one job.

    Attributes:
        job: the job.
        error: one sentence if the photo was not restored, else ""; the fields from ``size`` on are
            then not set.
        is_mask_error: whether the photo is fine and its mask cannot be used.
        notes: sentences about this photo.
        file_notes: sentences about its file, the same for all files of the kind: what was reduced
            and which metadata was not kept.
        warnings: warnings raised while it was restored; a TilingWarning among them means that the
            result differs from that in one piece.
        size: height and width in pixels.
        masked_share: share of the pixels marked as damaged, in [0, 1].
        seconds: time that restoring took, without reading and writing.
        seen: result of the batch's ``look``.
    """

    job: Job
    error: str = ""
    is_mask_error: bool = False
    notes: tuple[str, ...] = ()
    file_notes: tuple[str, ...] = ()
    warnings: tuple[Warning, ...] = ()
    size: tuple[int, int] = (0, 0)
    masked_share: float = 0.0
    seconds: float = 0.0
    seen: Any = None


# --- where to ------------------------------------------------------------------


def plan_jobs(photos: list[Path], output: Path) -> list[Job]:
    """Give each photo a file of its own in the output folder; it keeps its name if that is free.

    A format that cannot be written becomes PNG. A second photo with the same name gets "_2". A
    photo that already has such a name keeps it, wherever it stands in the list.

    Raises:
        InputError: if a result would overwrite one of the photos.

    Example:
        >>> jobs = plan_jobs([Path("x/a.png"), Path("y/a.png"), Path("b.gif")], Path("out"))
        >>> [job.output.name for job in jobs]
        ['a.png', 'a_2.png', 'b.png']
        >>> jobs[1].note
        'saved as a_2.png, because another photo has its name'
    """
    sources = {photo.resolve() for photo in photos}
    names = _names_kept(photos)
    taken = {name.casefold() for name in names.values()}
    jobs = []
    for photo in photos:
        if photo not in names:
            names[photo] = _free_name(photo, taken)
            taken.add(names[photo].casefold())
        name = names[photo]
        if (output / name).resolve() in sources:
            raise InputError(f"{output} would overwrite {photo}: choose another --output folder")
        renamed = Path(name).stem != photo.stem
        note = f"saved as {name}, because another photo has its name" if renamed else ""
        jobs.append(Job(photo, output / name, note))
    return jobs


def plan_folders(found: FoundPhotos, output: Path) -> list[Job]:
    """Plan the photos of ``search_photos``: sub-folders have their like in the output folder.

    Raises:
        InputError: if a result would overwrite one of the photos.
    """
    by_folder: dict[Path, list[Path]] = {}
    for photo in found.photos:
        by_folder.setdefault(found.folders[photo], []).append(photo)
    jobs = {
        job.photo: job
        for folder, photos in by_folder.items()
        for job in plan_jobs(photos, output / folder)
    }
    sources = {photo.resolve() for photo in found.photos}
    for job in jobs.values():
        if job.output.resolve() in sources:
            raise InputError(
                f"{output} would overwrite {job.output}: choose another --output folder"
            )
    return [jobs[photo] for photo in found.photos]


def _names_kept(photos: list[Path]) -> dict[Path, str]:
    """Return the names of the photos that keep theirs: the first of each, if it can be written."""
    first: dict[str, Path] = {}
    for photo in photos:
        if photo.suffix.lower() in WRITERS:
            # Ignore case: on Windows and macOS a.png and A.PNG are one file.
            first.setdefault(photo.name.casefold(), photo)
    return {photo: photo.name for photo in first.values()}


def _free_name(photo: Path, taken: set[str]) -> str:
    """Return the photo's name, as PNG where it must be, with the first number that is free."""
    suffix = photo.suffix if photo.suffix.lower() in WRITERS else ".png"
    name, number = photo.stem + suffix, 1
    while name.casefold() in taken:
        number += 1
        name = f"{photo.stem}_{number}{suffix}"
    return name


def require_writable(output: Path) -> None:
    """Make the output folder; raise InputError if no file can be written into it."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write into {output} ({error.strerror}): choose another --output folder"
        ) from error


# --- the loop ------------------------------------------------------------------------------------


def restore_batch(
    jobs: Iterable[Job],
    restore: Restore,
    masks: MaskSource,
    record: Provenance | None = None,
    look: Look | None = None,
) -> Iterator[Outcome]:
    """Restore photo after photo and yield the outcome of each; a failed one never stops the others.

    Args:
        jobs: photos and where to write them, see ``plan_jobs``.
        restore: called with pixels and mask, such as ``Restorer.restore_pixels``.
        masks: called with file and pixels, see ``choose_masks``.
        record: written into every restored photo, with the masked share of each; None: no record.
        look: called with pixels, restored pixels and mask, for callers that show them.

    Yields:
        One outcome per job, in order. It is not restored if its file, its mask or the memory
        failed.

    Raises:
        RuntimeError: any error of the program itself is passed on.
    """
    for job in jobs:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", TilingWarning)
            try:
                outcome = restore_one(job, restore, masks, record, look)
            except (InputError, MemoryError, RuntimeError) as error:
                sentence = _sentence(error)
                if not sentence:
                    raise
                outcome = Outcome(job, sentence, is_mask_error=isinstance(error, MaskError))
        told = [w.message for w in caught if isinstance(w.message, Warning)]
        yield replace(outcome, warnings=tuple(told))


def restore_one(
    job: Job,
    restore: Restore,
    masks: MaskSource,
    record: Provenance | None = None,
    look: Look | None = None,
) -> Outcome:
    """Read, restore and write one photo; its colour profile and a record are written with it.

    Raises:
        InputError: if the photo or its mask cannot be used, or the result cannot be written.
        MemoryError, RuntimeError: if the memory is not enough.
    """
    with reading(job.photo):
        photo = read_photo(job.photo)
    mask = masks(job.photo, photo.pixels)
    started = time.perf_counter()
    restored = np.asarray(restore(photo.pixels, mask))
    seconds = time.perf_counter() - started
    share = 0.0 if mask is None else float(mask.mean())
    if record is None:
        lost = write_photo(job.output, restored, photo.icc_profile)
    else:
        record = replace(record, masked_share=share)
        lost = write_recorded(job.output, restored, record, photo.icc_profile, photo.metadata)
    notes = [job.note] if job.note else []
    if photo.num_pictures > 1:
        notes.append(f"only the first of its {photo.num_pictures} pictures is restored")
    height, width = photo.pixels.shape[:2]
    return Outcome(
        job,
        notes=tuple(notes),
        file_notes=photo.notes + lost,
        size=(height, width),
        masked_share=share,
        seconds=seconds,
        seen=look(photo.pixels, restored, mask) if look else None,
    )


def record_of(restorer: Restorer, source: WeightsSource) -> Provenance:
    """Return the record for the photos of a batch; only the masked share differs between them."""
    return Provenance(source.label, network_sha256(restorer.network), masked_share=0.0)


def _sentence(error: Exception) -> str:
    """Return the sentence on a photo that failed; "" if the program itself is at fault."""
    if isinstance(error, InputError):
        return str(error)
    # Only CUDA has an exception of its own; elsewhere it is a RuntimeError that says "memory".
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "memory" in str(error):
        return OUT_OF_MEMORY
    return ""
