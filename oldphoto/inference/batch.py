"""Restore many photos: which files, under which names, and each with its record."""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from oldphoto.checks import InputError
from oldphoto.images.files import OTHER_FORMATS, READABLE, WRITERS, list_photos, read_photo
from oldphoto.inference.masks import OFFICIAL_PREFIX, MaskSource
from oldphoto.inference.provenance import Provenance, network_sha256, write_recorded
from oldphoto.inference.restorer import Restorer

Restore = Callable[[np.ndarray, np.ndarray | None], Image.Image | np.ndarray]
"""Takes a photo, uint8 (H, W, 3), and its mask, bool (H, W) or None; returns it restored."""


@dataclass(frozen=True)
class Job:
    """One photo to restore, and the file that the result goes to."""

    photo: Path
    output: Path


def find_photos(paths: list[Path]) -> list[Path]:
    """Return the named files and the photos of the named folders, each once, in that order.

    Raises:
        InputError: if a path does not exist, or a folder holds no photo.
    """
    found: dict[Path, Path] = {}
    # A photo of a format that cannot be read is to be named, not passed over.
    suffixes = READABLE | OTHER_FORMATS
    for path in paths:
        if not path.exists():
            raise InputError(f"expected a photo or a folder of photos at {path}, nothing is there")
        for photo in list_photos(path, suffixes) if path.is_dir() else [path]:
            found.setdefault(photo.resolve(), photo)
    return list(found.values())


def plan_jobs(photos: list[Path], output: Path) -> list[Job]:
    """Give each photo a file of its own in the output folder: its name, if that is free.

    A format that cannot be written becomes PNG. A second photo of the same name gets "_2"; a name
    that a photo of the batch has by itself goes to that photo, wherever it stands in the list.

    Raises:
        InputError: if a result would overwrite one of the photos.
    """
    sources = {photo.resolve() for photo in photos}
    names = _names_kept(photos)
    taken = {name.casefold() for name in names.values()}
    jobs = []
    for photo in photos:
        if photo not in names:
            names[photo] = _free_name(photo, taken)
            taken.add(names[photo].casefold())
        if (output / names[photo]).resolve() in sources:
            raise InputError(f"{output} would overwrite {photo}: choose another --output folder")
        if Path(names[photo]).stem != photo.stem:
            say(f"{photo} goes to {names[photo]}: another photo has its name")
        jobs.append(Job(photo, output / names[photo]))
    return jobs


def _names_kept(photos: list[Path]) -> dict[Path, str]:
    """Return the names of the photos that keep theirs: the first of each, if it can be written."""
    first: dict[str, Path] = {}
    for photo in photos:
        if photo.suffix.lower() in WRITERS:
            # Without regard to case: Windows and macOS would see one file.
            first.setdefault(photo.name.casefold(), photo)
    return {photo: photo.name for photo in first.values()}


def _free_name(photo: Path, taken: set[str]) -> str:
    """Return the photo's name as PNG, where it must be, with the first number that is free."""
    suffix = photo.suffix if photo.suffix.lower() in WRITERS else ".png"
    name, number = photo.stem + suffix, 1
    while name.casefold() in taken:
        number += 1
        name = f"{photo.stem}_{number}{suffix}"
    return name


def require_writable(output: Path) -> None:
    """Make the output folder and raise InputError if no file can be made in it."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write into {output} ({error.strerror}): choose another --output folder"
        ) from error


def record_of(restorer: Restorer, weights: str) -> Provenance:
    """Return the record that every photo of a batch gets, but for its own masked share.

    Args:
        weights: as given to ``--weights``; the folders above them are nobody's business.
    """
    name = "official"
    if not weights.startswith(OFFICIAL_PREFIX):
        folder = Path(weights)
        name = folder.parent.name if folder.name == "weights" else folder.name
    return Provenance(name or weights, network_sha256(restorer.network), masked_share=0.0)


def restore_one(job: Job, restorer: Restorer, masks: MaskSource, record: Provenance) -> None:
    """Read, restore and write one photo; its colour profile and a record go along."""
    photo = read_photo(job.photo)
    if photo.num_pictures > 1:
        say(f"{job.photo}: only the first of its {photo.num_pictures} pictures is restored")
    mask = masks(job.photo, photo.pixels)
    restored = restorer(photo.pixels, mask)
    share = 0.0 if mask is None else float(mask.mean())
    write_recorded(
        job.output,
        np.asarray(restored),
        replace(record, masked_share=share),
        photo.icc_profile,
        original=job.photo,
    )


def say(message: str) -> None:
    """Print to stderr without tearing the progress bar."""
    tqdm.write(message, file=sys.stderr)
