"""Examine photo files on several cores: size, hashes, measurements, or why they are unreadable."""

import multiprocessing
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
from oldphoto.checks import InputError, require_folder
from oldphoto.data.reading import decode_photo
from oldphoto.images.files import READABLE, upright_size
from oldphoto.system.files import sha256_of

REPORT_PAGE = "report.html"
"""Page of a report; pictures beside it are contact sheets, unless a catalogue is there too."""
_SAFETY = 0.005  # fraction of the side that is cut off in addition to a border


@dataclass(frozen=True)
class Finding:
    """The result of examining one file.

    Args:
        path: path of the file.
        sha256: SHA-256 of its content.
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


def find_photos(folder: Path) -> list[Path]:
    """Return the photo files below a folder, sorted, without hidden files and contact sheets.

    Raises:
        InputError: if the folder is missing or holds no photo.
    """
    require_folder(folder, "a folder of photos")
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in READABLE]
    paths = [path for path in paths if path.is_file() and not path.name.startswith(".")]
    reports = {page.parent for page in folder.rglob(REPORT_PAGE)}
    sheets = {place for place in reports if not (place / CATALOGUE_NAME).is_file()}
    paths = [path for path in paths if path.parent not in sheets]
    if not paths:
        raise InputError(f"expected photos (JPEG, PNG, TIFF, WebP) in {folder}, found none")
    return sorted(paths)


def examine_all(
    paths: Sequence[Path], trim_borders: bool = False, num_workers: int = 1
) -> list[Finding]:
    """Examine files in order with a progress bar; num_workers does not change the result."""
    look = partial(examine, trim_borders=trim_borders)
    if num_workers <= 1:
        return [look(path) for path in tqdm(paths, desc="examine", unit="photo")]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=_use_one_thread) as pool:
        found = pool.map(look, paths, chunksize=16)
        return list(tqdm(found, total=len(paths), desc="examine", unit="photo"))


def examine(path: Path, trim_borders: bool = False) -> Finding:
    """Examine one file; for a file that cannot be read, the finding holds the problem."""
    sha256 = sha256_of(path)
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
    top, bottom, left, right = (share + _SAFETY * (share > 0) for share in trim)
    rows = slice(round(top * height), max(round((1 - bottom) * height), round(top * height) + 1))
    columns = slice(round(left * width), max(round((1 - right) * width), round(left * width) + 1))
    return rows, columns


def _use_one_thread() -> None:
    """Limit a worker to one thread, because the workers together already use all cores."""
    cv2.setNumThreads(0)
