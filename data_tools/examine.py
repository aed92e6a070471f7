"""Look at photo files, on several cores: size, hashes, measurements, or why they cannot be read."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from data_tools.catalogue import CATALOGUE_NAME
from data_tools.hashes import perceptual_hash
from data_tools.measures import PAGE_SIDE, Measures, measure
from oldphoto.checks import InputError, require_folder
from oldphoto.data.reading import decode_photo
from oldphoto.images.files import READABLE
from oldphoto.system.files import sha256_of

REPORT_PAGE = "report.html"
"""Page of a report; where no catalogue lies beside it, all pictures there are contact sheets."""
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap height and width
_SAFETY = 0.005  # of the side, taken off with a border, where the print's edge is blurred


@dataclass(frozen=True)
class Finding:
    """What is known about one file.

    Args:
        path: of the file.
        sha256: of its bytes.
        size: height and width in pixels, upright, after trimming where that was asked for.
        measures: None if the file cannot be read.
        phash: perceptual hash; empty if the file cannot be read.
        trim: rows and columns to take off, as shares: top, bottom, left, right; or None.
        problem: why it cannot be read; empty if it can.
    """

    path: Path
    sha256: str
    size: tuple[int, int] = (0, 0)
    measures: Measures | None = None
    phash: str = ""
    trim: tuple[float, float, float, float] | None = None
    problem: str = ""


def find_photos(folder: Path) -> list[Path]:
    """Return the files below a folder whose names end like photos, sorted.

    Hidden files are left out, and the contact sheets of a report.

    Raises:
        InputError: if there is no such folder, or no photo in it.
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
    """Examine files in order, with a progress bar; the result is the same for any num_workers."""
    look = partial(examine, trim_borders=trim_borders)
    if num_workers <= 1:
        return [look(path) for path in tqdm(paths, desc="examine", unit="photo")]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=_use_one_thread) as pool:
        found = pool.map(look, paths, chunksize=16)
        return list(tqdm(found, total=len(paths), desc="examine", unit="photo"))


def examine(path: Path, trim_borders: bool = False) -> Finding:
    """Examine one file; a file that cannot be read gives a finding that says so."""
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
        pixels, measures = _measured_again(pixels, trim)
        rows, columns = trim_slices((height, width), trim)
        height, width = rows.stop - rows.start, columns.stop - columns.start
    return Finding(path, sha256, (height, width), measures, perceptual_hash(pixels), trim)


def upright_size(path: Path) -> tuple[int, int]:
    """Return height and width as a viewer shows the photo, without decoding it.

    Raises:
        InputError: if the file is not an image.
    """
    try:
        with Image.open(path) as file:
            width, height = file.size
            turned = file.getexif().get(_ORIENTATION) in _TURNED
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as a photo: {error}") from error
    return (width, height) if turned else (height, width)


def trim_slices(
    size: tuple[int, int], trim: tuple[float, float, float, float]
) -> tuple[slice, slice]:
    """Return the rows and columns that remain of a photo of ``size`` without its border."""
    height, width = size
    top, bottom, left, right = (share + _SAFETY * (share > 0) for share in trim)
    rows = slice(round(top * height), max(round((1 - bottom) * height), round(top * height) + 1))
    columns = slice(round(left * width), max(round((1 - right) * width), round(left * width) + 1))
    return rows, columns


def _measured_again(
    pixels: np.ndarray, trim: tuple[float, float, float, float]
) -> tuple[np.ndarray, Measures]:
    """Return the photo without its border, and its measurements."""
    trimmed = np.ascontiguousarray(pixels[trim_slices(pixels.shape[:2], trim)])
    return trimmed, measure(trimmed)


def _use_one_thread() -> None:
    """Keep a worker to one thread: the workers together already use all cores."""
    cv2.setNumThreads(0)
