"""An endless, shuffled and reproducible stream of photos, indexed by position."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from oldphoto.checks import InputError, require_positive
from oldphoto.data.reading import DEFAULT_CACHE_BYTES, PhotoSet, pad_to

Key = tuple[int, ...]
"""Numbers that seed everything random about one sample: (seed, stream, epoch, photo)."""

_ORDER = 7919  # keeps the shuffling independent of the samples' own random numbers


@lru_cache(maxsize=8)
def shuffled(num_photos: int, seed: int, stream: int, epoch: int) -> np.ndarray:
    """Return the photo at each place of one epoch."""
    return np.random.default_rng((seed, stream, epoch, _ORDER)).permutation(num_photos)


class PhotoStream:
    """Photos by position: each epoch has every photo once, in a new order.

    Position p is place ``p % n`` of epoch ``p // n``. The result depends on the paths, the seed and
    p alone, not on earlier reads, the number of processes or a resumed run.

    Args:
        paths: photo files, in a fixed order.
        crop: side of the squares that will be cut; smaller photos are mirrored up to it.
        seed: of the whole training.
        stream: number of this stream in a dataset with several.
        min_scale: photos are reduced by a random factor between this and 1, never below the crop.
        max_short_side: longer short sides are reduced to this while reading. None is 4 times the
            crop; in a larger photo a crop shows little more than one surface.
        cache_bytes: bytes of decoded photos that one process keeps.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        crop: int,
        seed: int,
        stream: int = 0,
        min_scale: float = 1.0,
        max_short_side: int | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        require_positive(crop=crop)
        if seed < 0:
            raise InputError(f"seed must be 0 or more, got {seed}")
        if not 0 < min_scale <= 1:
            raise InputError(f"min_scale must be above 0 and at most 1, got {min_scale}")
        short_side = 4 * crop if max_short_side is None else max_short_side
        if short_side < crop:
            raise InputError(f"max_short_side must be at least the crop {crop}, got {short_side}")
        self.photos = PhotoSet(paths, short_side, cache_bytes)
        self.crop = crop
        self.seed = seed
        self.stream = stream
        self.min_scale = min_scale

    def __len__(self) -> int:
        """Return the number of photos, which is the length of an epoch."""
        return len(self.photos)

    def at(self, position: int) -> tuple[np.ndarray, Key]:
        """Return the photo of a position, uint8 (H, W, 3), sides at least the crop, and its key.

        Raises:
            InputError: if the position is negative, or no photo of the list can be read.
        """
        key = self.key(position)
        return pad_to(self._scaled(self.photos.read(key[-1]), key), self.crop), key

    def key(self, position: int) -> Key:
        """Return the key of a position, which seeds everything random about its sample.

        Raises:
            InputError: if the position is negative.
        """
        if position < 0:
            raise InputError(f"a position is 0 or more, got {position}")
        epoch, place = divmod(position, len(self))
        index = int(shuffled(len(self), self.seed, self.stream, epoch)[place])
        return (self.seed, self.stream, epoch, index)

    def _scaled(self, pixels: np.ndarray, key: Key) -> np.ndarray:
        """Reduce the photo by the random factor of this sample."""
        if self.min_scale == 1:
            return pixels
        height, width = pixels.shape[:2]
        lowest = max(self.min_scale, min(1.0, self.crop / min(height, width)))
        factor = np.random.default_rng((*key, 1)).uniform(lowest, 1)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
