"""Change of a perceptual hash when a photo is changed: pure functions, and a thin view."""

import io
from collections.abc import Callable, Mapping
from html import escape

import cv2
import ipywidgets
import numpy as np
from PIL import Image

from oldphoto.checks import InputError, require_in
from oldphoto.course.figures import photo_html
from oldphoto.course.widgets import picture_view, slider

Hash = Callable[[np.ndarray], str]
"""From uint8 (H, W, 3) to 16 hexadecimal digits."""
Change = Callable[[np.ndarray, float], np.ndarray]

PANEL = 256  # pixels of each of the four panels
GAP = 12
BITS = 8  # rows and columns of the hash


def _jpeg(pixels: np.ndarray, strength: float) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=round(95 - 93 * strength))
    with Image.open(out) as file:
        return np.array(file.convert("RGB"))


def _smaller(pixels: np.ndarray, strength: float) -> np.ndarray:
    size = [max(8, round(side * (1 - 0.95 * strength))) for side in pixels.shape[1::-1]]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _darker(pixels: np.ndarray, strength: float) -> np.ndarray:
    return (pixels * (1 - 0.9 * strength)).astype(np.uint8)


def _noise(pixels: np.ndarray, strength: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 100 * strength, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def _cropped(pixels: np.ndarray, strength: float) -> np.ndarray:
    rows, columns = (round(side * 0.3 * strength) for side in pixels.shape[:2])
    return pixels[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns]


def _turned(pixels: np.ndarray, strength: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 20 * strength, 1)
    return cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def _mirrored(pixels: np.ndarray, strength: float) -> np.ndarray:
    return pixels[:, ::-1] if strength > 0 else pixels


CHANGES: dict[str, Change] = {
    "JPEG": _jpeg,
    "smaller": _smaller,
    "darker": _darker,
    "noise": _noise,
    "cropped": _cropped,
    "turned": _turned,
    "mirrored": _mirrored,
}
"""Kinds of change, each from a photo and a strength in [0, 1] to a photo."""


def changed(pixels: np.ndarray, kind: str, strength: float) -> np.ndarray:
    """Return a changed photo.

    Args:
        pixels: uint8 (H, W, 3).
        kind: one of ``CHANGES``.
        strength: in [0, 1].

    Returns:
        uint8 (H', W', 3).

    Raises:
        InputError: if the kind is not known or the strength is outside [0, 1].
    """
    require_in(kind, tuple(CHANGES), "kind of change")
    if not 0 <= strength <= 1:
        raise InputError(f"strength must be within 0 and 1, got {strength}")
    return CHANGES[kind](pixels, strength)


def hash_bits(digits: str) -> np.ndarray:
    """Return the bits of 16 hexadecimal digits, bool (8, 8).

    >>> hash_bits("f" + 15 * "0").sum()
    np.int64(4)
    """
    packed = np.frombuffer(bytes.fromhex(digits), dtype=np.uint8)
    return np.unpackbits(packed).reshape(BITS, BITS).astype(bool)


def hash_picture(first: np.ndarray, second: np.ndarray, perceptual_hash: Hash) -> np.ndarray:
    """Return two photos, each next to its bits; differing bits are marked by a dot.

    Shape:
        uint8 (256, 4 * 256 + 3 * 12, 3).
    """
    bits = [hash_bits(perceptual_hash(photo)) for photo in (first, second)]
    differing = bits[0] != bits[1]
    gap = np.full((PANEL, GAP, 3), 255, np.uint8)
    panels = [_square(first), gap, _board(bits[0], differing * False), gap]
    panels += [_square(second), gap, _board(bits[1], differing)]
    return np.concatenate(panels, axis=1)


def hash_distance(first: np.ndarray, second: np.ndarray, perceptual_hash: Hash) -> int:
    """Return in how many of 64 bits the hashes of two photos differ."""
    bits = [hash_bits(perceptual_hash(photo)) for photo in (first, second)]
    return int((bits[0] != bits[1]).sum())


def hash_view(
    photos: Mapping[str, np.ndarray], perceptual_hash: Hash, limit: int
) -> ipywidgets.Widget:
    """Return the panel: photo, kind of change, strength, the two photos with their bits.

    Args:
        photos: title to uint8 (H, W, 3).
        perceptual_hash: the hash to look at.
        limit: distance up to which two photos count as near-duplicates.
    """
    photo = ipywidgets.Dropdown(options=list(photos), description="photo")
    kind = ipywidgets.Dropdown(options=list(CHANGES), description="change")
    strength = slider("strength, %", 50, 0, 100, step=5)

    def html() -> str:
        first = photos[photo.value]
        second = changed(first, kind.value, strength.value / 100)
        words = hash_words(hash_distance(first, second, perceptual_hash), limit)
        alt = f"{photo.value} and the same, {kind.value} by {strength.value} %: {words}"
        drawn = photo_html(hash_picture(first, second, perceptual_hash), alt)
        return f"<p>{escape(words)}</p>{drawn}"

    return picture_view([photo, kind, strength], html)


def hash_words(distance: int, limit: int) -> str:
    """Return the meaning of a distance in words.

    >>> hash_words(3, limit=4)
    '3 of 64 bits differ: taken for a near-duplicate'
    """
    verdict = "a near-duplicate" if distance <= limit else "another photo"
    return f"{distance} of 64 bits differ: taken for {verdict}"


def _square(pixels: np.ndarray) -> np.ndarray:
    """Return the photo resized to a panel."""
    return cv2.resize(pixels, (PANEL, PANEL), interpolation=cv2.INTER_AREA)


def _board(bits: np.ndarray, differing: np.ndarray) -> np.ndarray:
    """Return the bits as squares, 1 light and 0 dark, and a dot in the differing ones."""
    side = PANEL // BITS
    grey = np.where(bits, 225, 60).astype(np.uint8)
    board = np.kron(grey, np.ones((side, side), np.uint8))
    board[::side] = board[:, ::side] = 140
    board = np.repeat(board[..., None], 3, axis=2)
    for row, column in np.argwhere(differing):
        middle = (int(column) * side + side // 2, int(row) * side + side // 2)
        cv2.circle(board, middle, side // 4, (213, 94, 0), thickness=-1)
        cv2.circle(board, middle, side // 4, (255, 255, 255), thickness=2)
    return board
