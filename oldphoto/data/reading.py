"""Photos of a training set, read one by one when they are needed.

The authors' loader decodes all photos before the first step (9.6 GB for Pascal VOC 2012), too much
for a small machine. Here a process holds the list of paths and a cache of a few decoded photos.
"""

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from oldphoto.checks import InputError, require_positive
from oldphoto.images.errors import reading
from oldphoto.images.files import read_photo

DEFAULT_CACHE_BYTES = 64 << 20


def decode_photo(path: Path, short_side: int) -> np.ndarray:
    """Read a photo upright and reduce its short side to at most ``short_side``.

    A JPEG that is at least twice as large is decoded at 1/2, 1/4 or 1/8 of its size, in a fraction
    of the time and memory.

    Shape:
        (H, W, 3), uint8, RGB.

    Raises:
        InputError: if the file cannot be read as a photo.
    """
    try:
        with reading(path):
            pixels = read_photo(path, draft_side=short_side).pixels
    except InputError as error:
        reason = str(error).removeprefix(f"{path} ")
        raise InputError(f"{path} cannot be read as a photo: {reason}") from error
    return shrink(pixels, short_side)


def shrink(pixels: np.ndarray, short_side: int) -> np.ndarray:
    """Reduce (H, W, 3) to a short side of ``short_side``. Smaller photos do not change.

    Each new pixel is the mean of the area it covers, so there is no aliasing.

    >>> shrink(np.zeros((300, 200, 3), np.uint8), 100).shape
    (150, 100, 3)
    """
    height, width = pixels.shape[:2]
    factor = short_side / min(height, width)
    if factor >= 1:
        return pixels
    size = (max(short_side, round(width * factor)), max(short_side, round(height * factor)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def shared_if_possible(tensor: torch.Tensor) -> torch.Tensor:
    """Move a tensor into shared memory; without any, as in some containers, it stays private."""
    try:
        return tensor.share_memory_()
    except RuntimeError:
        return tensor


def pad_to(pixels: np.ndarray, side: int) -> np.ndarray:
    """Mirror a photo (H, W, 3) at its right and lower edge until both sides are at least ``side``.

    Enlarging a small photo instead would teach the networks that blur is clean.
    """
    missing_height = max(0, side - pixels.shape[0])
    missing_width = max(0, side - pixels.shape[1])
    if not missing_height and not missing_width:
        return pixels
    border = cv2.BORDER_REFLECT_101
    return cv2.copyMakeBorder(pixels, 0, missing_height, 0, missing_width, border)


class PhotoSet:
    """A list of photo files with random access, a cache, and replacement of unreadable files.

    An unreadable photo is always replaced by the next readable one of the list. One warning names
    it. The marks are in shared memory, so all worker processes know the same unreadable files;
    where there is none, ``make_loader`` uses no workers.

    Args:
        paths: photo files, in a fixed order.
        short_side: longer short sides are reduced to this many pixels while reading.
        cache_bytes: bytes of decoded photos that one process keeps; 0 keeps none.

    Raises:
        InputError: if paths is empty or a number is not positive.
    """

    def __init__(
        self, paths: Sequence[Path], short_side: int, cache_bytes: int = DEFAULT_CACHE_BYTES
    ) -> None:
        if not paths:
            raise InputError(
                "expected at least one photo to train with, got an empty list; "
                "give a folder that holds photos"
            )
        require_positive(short_side=short_side)
        self.paths = [str(path) for path in paths]
        self.short_side = short_side
        self.cache_bytes = cache_bytes
        self._unreadable = shared_if_possible(torch.zeros(len(paths), dtype=torch.uint8))
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> np.ndarray:
        """Return photo ``index``, or the next readable one, as uint8 (H, W, 3).

        Raises:
            InputError: if no photo of the list can be read.
        """
        for step in range(len(self.paths)):
            candidate = (index + step) % len(self.paths)
            if self._unreadable[candidate]:
                continue
            try:
                return self._get(candidate)
            except InputError as error:
                self._unreadable[candidate] = 1
                warnings.warn(f"left out of training: {error}", stacklevel=2)
        raise InputError(
            f"none of the {len(self.paths)} photos can be read, the first is {self.paths[0]}; "
            "give a folder with readable photos"
        )

    def unreadable(self) -> list[Path]:
        """Return the files found unreadable so far, in any process."""
        marked = self._unreadable.nonzero().flatten().tolist()
        return [Path(self.paths[index]) for index in marked]

    def _get(self, index: int) -> np.ndarray:
        """Return one photo from the cache, or read and cache it."""
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        pixels = decode_photo(Path(self.paths[index]), self.short_side)
        if pixels.nbytes <= self.cache_bytes:
            self._cache[index] = pixels
            self._cached_bytes += pixels.nbytes
        while self._cached_bytes > self.cache_bytes:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.nbytes
        return pixels
