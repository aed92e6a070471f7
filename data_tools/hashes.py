"""Perceptual hashes of photos, and the search for pairs of similar hashes."""

from collections.abc import Sequence

import imagehash
import numpy as np
from PIL import Image

from oldphoto.checks import InputError

MAX_DISTANCE = 7
"""Largest distance of ``near_pairs``: 7 bits that differ leave at least one of 8 bytes equal."""


def perceptual_hash(pixels: np.ndarray) -> str:
    """Return the 64-bit perceptual hash of a photo, 16 hexadecimal digits.

    The bits tell which of the 64 lowest frequencies of the cosine transform lie above their median,
    so size, compression and brightness hardly change it.

    Args:
        pixels: uint8 (H, W, 3).

    >>> perceptual_hash(np.zeros((32, 32, 3), np.uint8))
    '0000000000000000'
    """
    return str(imagehash.phash(Image.fromarray(pixels)))


def require_distance(distance: int) -> None:
    """Raise InputError if the search cannot find all hashes that differ in so many bits."""
    if not 0 <= distance <= MAX_DISTANCE:
        raise InputError(f"distance must be within 0 and {MAX_DISTANCE}, got {distance}")


def near_pairs(hashes: Sequence[str], distance: int) -> list[tuple[int, int]]:
    """Return the index pairs of all hashes that differ in at most ``distance`` bits, sorted.

    Two hashes that differ in at most 7 bits have at least one of their 8 bytes in common, so only
    hashes with a common byte are compared. The search is exact, and fast for 100,000 photos.

    Raises:
        InputError: if distance is not within 0 and 7.

    >>> near_pairs(["00ff00ff00ff00ff", "ffffffffffffffff", "00ff00ff00ff00fe"], distance=1)
    [(0, 2)]
    """
    require_distance(distance)
    if not hashes:
        return []
    as_bytes = np.array([list(bytes.fromhex(text)) for text in hashes], dtype=np.uint8)
    found: set[tuple[int, int]] = set()
    for column in range(8):
        order = np.argsort(as_bytes[:, column], kind="stable")
        ends = np.flatnonzero(np.diff(as_bytes[order, column])) + 1
        for group in np.split(order, ends):
            found.update(_near_in_group(as_bytes, group, distance))
    return sorted(found)


def _near_in_group(as_bytes: np.ndarray, group: np.ndarray, distance: int) -> list[tuple[int, int]]:
    """Compare every hash of a group with the later ones of the same group."""
    pairs = []
    for place in range(len(group) - 1):
        later = group[place + 1 :]
        differing = np.bitwise_xor(as_bytes[later], as_bytes[group[place]])
        bits = _ONES[differing].sum(axis=1)
        pairs += [(int(group[place]), int(index)) for index in later[bits <= distance]]
    return pairs


_ONES = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)
"""Number of ones in each byte."""
