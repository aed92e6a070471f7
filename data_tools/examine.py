"""Examine photo files on several cores: size, hashes, measurements, or why they are unreadable."""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from data_tools.catalogue import CATALOGUE_NAME
from data_tools.hashes import perceptual_hash
from data_tools.measures import PAGE_SIDE, Measures, measure
from oldphoto.checks import InputError, require_folder, require_positive
from oldphoto.data.reading import decode_photo
from oldphoto.images.files import (
    MISNAMED,
    OTHER_FORMATS,
    READABLE,
    is_like_a_photo,
    upright_size,
)
from oldphoto.system.files import sha256_of
from oldphoto.system.outputs import HIDDEN, is_link
from oldphoto.system.streams import printable

REPORT_PAGE = "report.html"
"""Page of a report; pictures beside it are contact sheets, unless a catalogue is there too."""
_SAFETY = 0.005  # fraction of the side that is cut off in addition to a border


@dataclass(frozen=True)
class Finding:
    """The result of examining one file.

    Args:
        path: path of the file.
        sha256: SHA-256 of its content; empty if not even its bytes can be read.
        size: height and width in pixels, upright, after trimming if borders are trimmed.
        measures: measurements; None if the file cannot be read.
        phash: perceptual hash; empty if the file cannot be read.
        trim: fractions to cut off at the top, bottom, left and right, or None.
        problem: why the file cannot be read; empty if it can.
    """

    path: Path
    sha256: str
    size: tuple[int, int] = (0, 0)
    measures: Measures | None = None
    phash: str = ""
    trim: tuple[float, float, float, float] | None = None
    problem: str = ""


def find_photos(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the photo files below a folder, sorted, without hidden files and contact sheets.

    Links are not followed: what they lead to is not in the folder.

    Returns:
        The files, and a sentence on each that looks like a photo and is left out.

    Raises:
        InputError: if the folder is missing or holds no photo.
    """
    require_folder(folder, "a folder of photos")
    paths: list[Path] = []
    left_out: list[str] = []

    def note(error: OSError) -> None:
        left_out.append(f"{error.filename}: the folder cannot be read ({error.strerror})")

    for place, folders, names in os.walk(folder, onerror=note):
        here = Path(place)
        left_out += [
            f"{here / name}: a link to a folder" for name in folders if is_link(here / name)
        ]
        folders[:] = [name for name in folders if name != HIDDEN and not is_link(here / name)]
        if REPORT_PAGE in names and CATALOGUE_NAME not in names:
            continue  # contact sheets
        for path in map(here.joinpath, names):
            if not path.name.startswith(".") and is_like_a_photo(path):
                reason = _why_left_out(path)
                left_out += [f"{path}: {reason}"] if reason else []
                paths += [] if reason else [path]
    if not paths:
        said = f"; {left_out[0]}" if left_out else ""
        raise InputError(f"expected photos (JPEG, PNG, TIFF, WebP) in {folder}, found none{said}")
    return sorted(paths), left_out


def _why_left_out(path: Path) -> str:
    """Return why a file is not examined at all; empty if it is."""
    if is_link(path):
        return "a link; copy the photo itself into the folder"
    if not path.is_file():
        return "not an ordinary file"
    if path.suffix.lower() in READABLE:
        return ""
    is_known = path.suffix.lower() in OTHER_FORMATS
    return "a format that is not read here; save it as JPEG, PNG or TIFF" if is_known else MISNAMED


def say_left_out(left_out: Sequence[str]) -> None:
    """Name the files that were left out on stderr, in letters that every console can print."""
    for sentence in left_out:
        print("left out:", printable(sentence), file=sys.stderr)


def examine_all(
    paths: Sequence[Path], trim_borders: bool = False, num_workers: int = 1
) -> list[Finding]:
    """Examine files in order with a progress bar; num_workers does not change the result.

    Raises:
        InputError: if there is no worker.
    """
    require_positive(workers=num_workers)
    look = partial(examine, trim_borders=trim_borders)
    if num_workers == 1:
        return [look(path) for path in tqdm(paths, desc="examine", unit="photo")]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=_use_one_thread) as pool:
        found = pool.map(look, paths, chunksize=16)
        return list(tqdm(found, total=len(paths), desc="examine", unit="photo"))


def examine(path: Path, trim_borders: bool = False) -> Finding:
    """Examine one file; for a file that cannot be read, the finding holds the problem."""
    try:
        sha256 = sha256_of(path)
    except OSError as error:
        return Finding(path, "", problem=f"{path} cannot be read ({error.strerror})")
    try:
        height, width = upright_size(path)
        pixels = decode_photo(path, PAGE_SIDE)
    except InputError as error:
        return Finding(path, sha256, problem=str(error))
    measures = measure(pixels)
    trim = None
    if trim_borders and measures.framed:
        trim = measures.border
        pixels = np.ascontiguousarray(pixels[trim_slices(pixels.shape[:2], trim)])
        measures = measure(pixels)
        rows, columns = trim_slices((height, width), trim)
        height, width = rows.stop - rows.start, columns.stop - columns.start
    return Finding(path, sha256, (height, width), measures, perceptual_hash(pixels), trim)


def trim_slices(
    size: tuple[int, int], trim: tuple[float, float, float, float]
) -> tuple[slice, slice]:
    """Return the rows and columns that remain of a photo without its border.

    Half a percent more than the border is cut off, because the print's edge is blurred.

    Args:
        size: height and width in pixels.
        trim: fractions that are border at the top, bottom, left and right.

    >>> trim_slices((1000, 200), (0.1, 0.2, 0.0, 0.0))
    (slice(105, 795, None), slice(0, 200, None))
    """
    height, width = size
    top, bottom, left, right = (fraction + _SAFETY * (fraction > 0) for fraction in trim)
    rows = slice(round(top * height), max(round((1 - bottom) * height), round(top * height) + 1))
    columns = slice(round(left * width), max(round((1 - right) * width), round(left * width) + 1))
    return rows, columns


def _use_one_thread() -> None:
    """Limit a worker to one thread, because the workers together already use all cores."""
    cv2.setNumThreads(0)
