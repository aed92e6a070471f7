"""Restore many photos: plan the output files, restore one after the other, report on each.

``restore_batch`` is the one loop over photo files. It prints nothing: the command line prints what
it yields, the album of notebook 15 draws it.
"""

import contextlib
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.images.deep import DEEP_SUFFIXES
from oldphoto.images.errors import reading
from oldphoto.images.files import REDUCED, WRITERS, read_photo, write_photo
from oldphoto.inference.inputs import FoundPhotos
from oldphoto.inference.inputs import find_photos as find_photos  # scripts import it from here
from oldphoto.inference.masks import MaskError, MaskSource
from oldphoto.inference.provenance import Provenance, network_sha256, write_recorded
from oldphoto.inference.restorer import Restorer, TilingWarning
from oldphoto.system.files import sha256_of
from oldphoto.system.outputs import OutputFolder, folded, photo_folder
from oldphoto.weights.source import WeightsSource

Restore = Callable[[np.ndarray, np.ndarray | None], Image.Image | np.ndarray]
"""Takes a photo, uint8 (H, W, 3), and its mask, bool (H, W) or None; returns it restored.

In a batch, photos of 16 bits per channel are uint16. A result of uint8 is then written as such.
"""

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
        outputs: the folder that the output lies in, with the record of what was written there.
    """

    photo: Path
    output: Path
    note: str = ""
    outputs: OutputFolder | None = field(default=None, compare=False, repr=False)


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


def plan_jobs(photos: list[Path], output: Path, outputs: OutputFolder | None = None) -> list[Job]:
    """Give each photo a file of its own in the output folder; it keeps its name if that is free.

    A format that cannot be written becomes PNG. A second photo with the same name gets "_2". A
    photo that already has such a name keeps it, wherever it stands in the list. A file that is
    there already is replaced only if it is an earlier result of the same photo.

    Args:
        photos: files.
        output: folder for the results.
        outputs: the folder with the record, in which ``output`` lies; None: ``output`` itself.

    Raises:
        InputError: if a result would overwrite one of the photos.

    Example:
        >>> jobs = plan_jobs([Path("x/a.png"), Path("y/a.png"), Path("b.gif")], Path("out"))
        >>> [job.output.name for job in jobs]
        ['a.png', 'a_2.png', 'b.png']
        >>> jobs[1].note
        'saved as a_2.png, because another photo has its name'
    """
    outputs = outputs or photo_folder(output)
    inside = output.relative_to(outputs.folder)
    sources = {photo.resolve() for photo in photos}
    keep_names = _first_of_each_name(photos)
    reserved = {folded((inside / photo.name).as_posix()) for photo in keep_names}
    jobs: dict[Path, Job] = {}
    for photo in [*keep_names, *photos]:
        if photo in jobs:
            continue
        wanted = (inside / _written_name(photo)).as_posix()
        if outputs.path(wanted).resolve() in sources:
            raise InputError(f"{output} would overwrite {photo}: choose another --output folder")
        if photo in keep_names:
            reserved.discard(folded(wanted))
        other = "another photo" if folded(wanted) in reserved else f"a file in {output}"
        source = _source_of(photo) if outputs.has_record else ""
        name = outputs.free_name(wanted, source, reserved)
        reserved.add(folded(name))
        path = outputs.path(name)
        note = f"saved as {path.name}, because {other} has its name" if name != wanted else ""
        jobs[photo] = Job(photo, path, note, outputs)
    return [jobs[photo] for photo in photos]


def plan_folders(found: FoundPhotos, output: Path) -> list[Job]:
    """Plan the photos of ``search_photos``: sub-folders have their like in the output folder.

    Raises:
        InputError: if a result would overwrite one of the photos.
    """
    by_folder: dict[Path, list[Path]] = {}
    for photo in found.photos:
        by_folder.setdefault(found.folders[photo], []).append(photo)
    outputs = photo_folder(output)
    jobs = {
        job.photo: job
        for folder, photos in by_folder.items()
        for job in plan_jobs(photos, output / folder, outputs)
    }
    sources = {photo.resolve() for photo in found.photos}
    for job in jobs.values():
        if job.output.resolve() in sources:
            raise InputError(
                f"{output} would overwrite {job.output}: choose another --output folder"
            )
    return [jobs[photo] for photo in found.photos]


def _first_of_each_name(photos: list[Path]) -> dict[Path, None]:
    """Return the photos that keep their names: the first of each name, if it can be written."""
    first: dict[str, Path] = {}
    for photo in photos:
        if photo.suffix.lower() in WRITERS:
            first.setdefault(folded(photo.name), photo)
    return dict.fromkeys(first.values())


def _written_name(photo: Path) -> str:
    """Return the photo's name, as PNG where it must be."""
    return photo.name if photo.suffix.lower() in WRITERS else f"{photo.stem}.png"


def _source_of(photo: Path) -> str:
    """Return what the record of the output folder knows a photo by: its content."""
    try:
        return f"photo:{sha256_of(photo)}"
    except OSError:  # it will be reported as unreadable
        return f"photo:{photo.name}"


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
        InputError: before the first photo, if another process is writing into the output folder.
        RuntimeError: any error of the program itself is passed on.
    """
    with contextlib.ExitStack() as held:
        for job in jobs:
            if job.outputs and not job.outputs.is_locked:
                held.enter_context(job.outputs)
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

    A photo of 16 bits per channel stays so, if the format of its result can hold them.

    Raises:
        InputError: if the photo or its mask cannot be used, or the result cannot be written.
        MemoryError, RuntimeError: if the memory is not enough.
    """
    with reading(job.photo):
        photo = read_photo(job.photo, with_deep=job.output.suffix.lower() in DEEP_SUFFIXES)
    mask = masks(job.photo, photo.pixels)
    started = time.perf_counter()
    restored = np.asarray(restore(photo.pixels if photo.deep is None else photo.deep, mask))
    seconds = time.perf_counter() - started
    share = 0.0 if mask is None else float(mask.mean())
    with _writing(job) as path:
        if record is None:
            lost = write_photo(path, restored, photo.icc_profile)
        else:
            record = replace(record, masked_share=share)
            lost = write_recorded(path, restored, record, photo.icc_profile, photo.metadata)
    notes = [job.note] if job.note else []
    if photo.num_pictures > 1:
        notes.append(f"only the first of its {photo.num_pictures} pictures is restored")
    is_deep = restored.dtype == np.uint16
    reduced = (REDUCED,) if photo.deep is not None and not is_deep else ()
    height, width = photo.pixels.shape[:2]
    return Outcome(
        job,
        notes=tuple(notes),
        file_notes=photo.notes + reduced + lost,
        size=(height, width),
        masked_share=share,
        seconds=seconds,
        seen=look(photo.pixels, _eight_bits(restored), mask) if look else None,
    )


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    return np.round(pixels / 257).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


@contextlib.contextmanager
def _writing(job: Job) -> Iterator[Path]:
    """Yield the path to write a result to; a file of the user is never replaced."""
    if job.outputs is None:
        yield job.output
        return
    name = job.output.relative_to(job.outputs.folder).as_posix()
    with job.outputs.writing(name, _source_of(job.photo)) as path:
        yield path


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
