"""Give thin lines back: wires, ropes, rails, masts.

Pixel by pixel a faint line in a grainy photo cannot be told from the grain, and the network
removes both. Along the line it can: the mean over seventeen pixels keeps the line and weakens the
grain four times. Nothing here is learned.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np

_LENGTH = 17  # pixels over which a line is followed
_NUM_DIRECTIONS = 16
_AREA_SIGMA = 6.0  # pixels; grain is coarser in the shadows, so it is measured around each pixel
_LEAST_DEVIATION = 0.5  # grey levels: rounding
_RARE = 0.98  # of the pixels lie on no line
_SURE, _LIKELY = 4.5, 3.0  # times the spread: a line begins at the first, and goes on at the second
_NEEDED, _AROUND = 4, 15  # sure pixels in a square around a likely one
_STANDS_OUT = 2.0  # times the variance of the detail that the restored photo has there
_GAIN = 1.3  # the mean runs beside the middle of a line for some of its pixels

LINE_REACH = _LENGTH // 2 + _AROUND // 2 + int(4 * _AREA_SIGMA)
"""Pixels from which ``lost_lines`` can change a pixel."""


def line_spreads(lost: np.ndarray) -> np.ndarray:
    """Return the standard deviation of means along lines where no line is, for each direction.

    In a photo full of lines, such as an engraving or blocks of compression, it is large, and no
    line stands out.

    Args:
        lost: float32 (H, W), the fine detail that the restoration has lost, in grey levels.

    Returns:
        (16,), in units of the deviation around each pixel; for white noise 1 / sqrt(17).

    >>> noise = np.random.default_rng(0).normal(0, 5, (200, 200)).astype(np.float32)
    >>> print(f"{line_spreads(noise).mean():.2f}")
    0.25
    """
    deviation = _deviation(lost)
    spreads = []
    for mean in _means_along_lines(lost):
        some = np.abs(mean[::2, ::2]) / deviation[::2, ::2]  # a quarter of the pixels is enough
        middle, rare = np.quantile(some, (0.5, _RARE))
        # Of a normal distribution both are the deviation; white noise has the least there is.
        spreads.append(max(middle / 0.6745, rare / 2.326, 1 / math.sqrt(_LENGTH)))
    return np.array(spreads, np.float32)


def lost_lines(lost: np.ndarray, variance: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """Return the thin lines in what a restoration has lost, free of grain.

    Args:
        lost: as for ``line_spreads``.
        variance: float32 (H, W) of the fine detail that the restored photo has. Beside an edge that
            was made sharper, what is lost runs along a line, too; there it does not stand out.
        spreads: of the whole photo, from ``line_spreads``.

    Returns:
        float32 (H, W), what to add to the restored photo, in grey levels; 0 nearly everywhere.

    >>> lost = np.random.default_rng(0).normal(0, 3, (90, 90)).astype(np.float32)
    >>> lost[:, 45] += 9  # one wire among grain
    >>> found = lost_lines(lost, np.ones_like(lost), line_spreads(lost))
    >>> bool(found[20:70, 45].min() > 5), bool(np.abs(found[:, :30]).max() < 0.1)
    (True, True)
    """
    line, height = np.zeros_like(lost), np.zeros_like(lost)  # height: in spreads
    for mean, spread in zip(_means_along_lines(lost), spreads, strict=True):
        there = np.abs(mean) / spread
        np.copyto(line, mean, where=there > height)
        np.maximum(height, there, out=height)
    height /= _deviation(lost)
    clear = np.square(line) > _STANDS_OUT * variance
    sure = (clear & (height > _SURE)).astype(np.float32)
    num_sure = cv2.boxFilter(sure, -1, (_AROUND, _AROUND), normalize=False)
    on_line = (clear & (height > _LIKELY) & (num_sure > _NEEDED - 0.5)).astype(np.float32)
    weight = cv2.GaussianBlur(cv2.dilate(on_line, np.ones((3, 3))), (0, 0), 0.8)
    return _GAIN * weight * line


def _deviation(lost: np.ndarray) -> np.ndarray:
    around = cv2.GaussianBlur(np.square(lost), (0, 0), _AREA_SIGMA)
    return np.sqrt(np.maximum(around, _LEAST_DEVIATION**2))


def _means_along_lines(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the means over 17 pixels along a line through each pixel, (H, W) a direction."""
    half = _LENGTH // 2
    padded = np.pad(values, half, mode="reflect" if min(values.shape) > half else "symmetric")
    height, width = values.shape
    for number in range(_NUM_DIRECTIONS):
        angle = math.pi * number / _NUM_DIRECTIONS
        down, right = math.sin(angle), math.cos(angle)
        step = 1 / max(abs(down), abs(right))  # from one row or column to the next
        total = np.zeros_like(values)
        for place in range(-half, half + 1):
            top, left = (half + round(place * step * way) for way in (down, right))
            total += padded[top : top + height, left : left + width]
        total /= _LENGTH
        yield total
