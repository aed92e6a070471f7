"""Restore many photos, one after the other, and report on each; ``jobs`` plans the files.

``restore_batch`` is the one loop over photo files. It prints nothing: the command line prints what
it yields, the album of notebook 15 draws it.
"""

import contextlib
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
from oldphoto.images.deep import DEEP_SUFFIXES
from oldphoto.images.errors import reading
from oldphoto.images.files import REDUCED, read_photo, write_photo
from oldphoto.inference.inputs import find_photos as find_photos  # scripts import it from here
from oldphoto.inference.jobs import Job, source_of
from oldphoto.inference.masks import MaskError, MaskSource
from oldphoto.inference.provenance import Provenance, network_sha256, write_recorded
from oldphoto.inference.restorer import Restorer, TilingWarning
from oldphoto.system.files import written_whole
from oldphoto.weights.source import WeightsSource

Restore = Callable[[np.ndarray, np.ndarray | None], Image.Image | np.ndarray]
"""Takes a photo, uint8 (H, W, 3), and its mask, bool (H, W) or None; returns it restored.

In a batch, photos of 16 bits per channel are uint16. A result of uint8 is then written as such.
"""

Look = Callable[[np.ndarray, np.ndarray, np.ndarray | None], Any]
"""Takes a photo, the restored photo and the mask; what it returns is kept in the outcome."""

Gate = Callable[[np.ndarray], bool]
"""Takes a photo, uint8 (H, W, 3); returns whether it needs nothing, as ``gate.needs_nothing``."""

OUT_OF_MEMORY = "out of memory: set a lower --max-memory, or close other programs"


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
        masked_share: fraction of the pixels marked as damaged, in [0, 1].
        seconds: time that restoring took, without reading and writing.
        needed_nothing: whether the photo is left as it is, because the ``gate`` says so.
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
    needed_nothing: bool = False
    seen: Any = None


def restore_batch(
    jobs: Iterable[Job],
    restore: Restore,
    masks: MaskSource,
    record: Provenance | None = None,
    look: Look | None = None,
    gate: Gate | None = None,
) -> Iterator[Outcome]:
    """Restore photo after photo and yield the outcome of each; a failed one never stops the others.

    Args:
        jobs: photos and where to write them, see ``jobs.plan_jobs``.
        restore: called with pixels and mask, such as ``Restorer.restore_pixels``.
        masks: called with file and pixels, see ``choose_masks``.
        record: written into every restored photo, with its masked fraction; None: no record.
        look: called with pixels, restored pixels and mask, for callers that show them.
        gate: called with the pixels of a photo without marked damage; where it returns true, the
            photo is left as it is. None: all photos are restored.

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
                    outcome = restore_one(job, restore, masks, record, look, gate)
                except (InputError, MemoryError, RuntimeError) as error:
                    sentence = sentence_on(error)
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
    gate: Gate | None = None,
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
    fraction = 0.0 if mask is None else float(mask.mean())
    original = photo.pixels if photo.deep is None else photo.deep
    needed_nothing = gate is not None and fraction == 0 and gate(photo.pixels)
    restored = original if needed_nothing else np.asarray(restore(original, mask))
    seconds = time.perf_counter() - started
    with _writing(job) as path:
        if needed_nothing and path.suffix.lower() == job.photo.suffix.lower():
            with written_whole(path) as file:
                file.write(job.photo.read_bytes())
            lost: tuple[str, ...] = ()
        elif needed_nothing:
            lost = write_photo(path, restored, photo.icc_profile, photo.metadata)
        elif record is None:
            lost = write_photo(path, restored, photo.icc_profile)
        else:
            record = replace(record, masked_share=fraction)
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
        masked_share=fraction,
        seconds=seconds,
        needed_nothing=needed_nothing,
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
    with job.outputs.writing(name, source_of(job.photo)) as path:
        yield path


def record_of(restorer: Restorer, source: WeightsSource) -> Provenance:
    """Return the record for the photos of a batch; they differ in the masked fraction alone."""
    return Provenance(source.label, network_sha256(restorer.network), masked_share=0.0)


def sentence_on(error: Exception) -> str:
    """Return the sentence on a photo that failed; "" if the program itself is at fault."""
    if isinstance(error, InputError):
        return str(error)
    # Only CUDA has an exception of its own; elsewhere it is a RuntimeError that says "memory".
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "memory" in str(error):
        return OUT_OF_MEMORY
    return ""
