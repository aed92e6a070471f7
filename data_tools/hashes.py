"""Perceptual hashes of photos, and the search for near-duplicates among them."""

from collections.abc import Sequence

import imagehash
import numpy as np
from PIL import Image

from oldphoto.checks import InputError

MAX_DISTANCE = 7
"""Largest distance that ``near_pairs`` finds: 8 bytes cannot all differ in 7 differing bits."""


def perceptual_hash(pixels: np.ndarray) -> str:
    """Return the 64-bit perceptual hash of uint8 (H, W, 3), 16 hexadecimal digits.

    It holds the signs of the 64 lowest frequencies of the photo, so that size, compression and
    small changes of brightness leave it nearly as it is.
    """
    return str(imagehash.phash(Image.fromarray(pixels)))


def near_pairs(hashes: Sequence[str], distance: int) -> list[tuple[int, int]]:
    """Return all pairs (earlier, later) of hashes that differ in at most ``distance`` bits.

    Two hashes that differ in at most 7 bits have at least one of their 8 bytes in common, so only
    hashes with a common byte are compared: exact, and fast for a hundred thousand photos.

    Raises:
        InputError: if distance is not within 0 and 7.
    """
    if not 0 <= distance <= MAX_DISTANCE:
        raise InputError(f"distance must be within 0 and {MAX_DISTANCE}, got {distance}")
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
