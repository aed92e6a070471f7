"""Layers of damage on a photo: how they are drawn, and how they are blended with it."""

import cv2
import numpy as np

from oldphoto.checks import InputError, require_in

MODES = ("normal", "add", "lighten", "screen", "multiply")
# Coverage below this share changes a pixel by a few grey levels at most. It is left out of both
# photo and mask, so that the mask is exact.
LEAST_COVERAGE = 0.06
# Lines and specks are drawn this many times larger, then shrunk, for soft rims and fine widths.
OVERSAMPLING = 3


def blend(photo: np.ndarray, layer: np.ndarray, coverage: np.ndarray, mode: str) -> np.ndarray:
    """Blend a layer with a photo.

    Args:
        photo: uint8 (H, W, 3).
        layer: colours in [0, 255], (3,) or (H, W, 3).
        coverage: float (H, W) in [0, 1]; where it is 0 the photo stays as it is.
        mode: with p photo and l layer in [0, 1], the full effect is "normal" l, "add" p + l,
            "lighten" max(p, l), "screen" 1 - (1 - p)(1 - l), "multiply" p l.

    Returns:
        uint8 (H, W, 3).

    >>> photo, half = np.full((1, 1, 3), 100, np.uint8), np.full((1, 1), 0.5)
    >>> [int(blend(photo, np.array(200.0), half, mode)[0, 0, 0]) for mode in MODES]
    [150, 200, 150, 161, 89]

    Source:
        The paper blends its textures by addition, lighten-only and screen.
    """
    require_in(mode, MODES, "mode")
    below, layer = photo.astype(np.float32), np.asarray(layer, np.float32)
    change: np.ndarray
    if mode == "normal":
        change = layer - below
    elif mode == "add":
        change = np.broadcast_to(layer, below.shape)
    elif mode == "lighten":
        change = np.maximum(layer - below, 0)
    elif mode == "screen":
        change = layer * (1 - below / 255)
    else:
        change = below * (layer / 255 - 1)
    mixed = below + coverage[..., None].astype(np.float32) * change
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def paint(
    photo: np.ndarray, colour: np.ndarray, coverage: np.ndarray, mode: str = "normal"
) -> tuple[np.ndarray, np.ndarray]:
    """Blend; return the photo and the exact mask (H, W) outside of which it is unchanged."""
    coverage = np.where(coverage < LEAST_COVERAGE, 0, np.minimum(coverage, 1))
    return blend(photo, colour, coverage, mode), coverage > 0


class Canvas:
    """A canvas for drawing coverage, ``OVERSAMPLING`` times as large as the photo.

    Args:
        size: (H, W) of the photo. All positions are (x, y) in its pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.board = np.zeros((size[0] * OVERSAMPLING, size[1] * OVERSAMPLING), np.uint8)

    def line(self, points: np.ndarray, widths: np.ndarray, opacity: float) -> None:
        """Draw a line through points (N, 2) with a width in pixels at each point.

        A line replaces what was drawn before it, so draw faint lines first.
        """
        corners = np.rint(points * OVERSAMPLING).astype(np.int32)
        thickness = np.maximum(np.rint(widths * OVERSAMPLING), 1).astype(int)
        value = round(255 * opacity)
        start = 0
        # One call for each run of equal thickness is faster than one for each piece.
        for stop in (*np.flatnonzero(np.diff(thickness[1:])) + 1, len(corners) - 1):
            run = corners[start : stop + 1].reshape(-1, 1, 2)
            cv2.polylines(self.board, [run], False, value, int(thickness[stop]))
            start = stop

    def threads(self, points: np.ndarray, width: float, opacity: float) -> None:
        """Draw many lines at once: points (number of lines, N, 2), all of one width."""
        corners = np.rint(points * OVERSAMPLING).astype(np.int32)[:, :, None]
        thickness = max(1, round(width * OVERSAMPLING))
        cv2.polylines(self.board, list(corners), False, round(255 * opacity), thickness)

    def speck(self, centre: np.ndarray, axes: np.ndarray, angle: float, opacity: float) -> None:
        """Draw a filled ellipse; axes are its two half widths in pixels, angle in degrees."""
        place = tuple(int(v) for v in np.rint(centre * OVERSAMPLING))
        half = tuple(max(1, int(v)) for v in np.rint(axes * OVERSAMPLING))
        cv2.ellipse(self.board, place, half, angle, 0, 360, round(255 * opacity), -1)

    def coverage(self) -> np.ndarray:
        """Return what was drawn, float32 (H, W) in [0, 1]."""
        height, width = self.size
        small = cv2.resize(self.board, (width, height), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / 255


def spline(knots: np.ndarray, num_points: int) -> np.ndarray:
    """Return points (num_points, 2) on a smooth curve through the knots (K, 2).

    At each knot the cubic runs parallel to the line between both neighbours (Catmull-Rom 1974).

    >>> spline(np.array([[0.0, 0.0], [2.0, 1.0], [4.0, 0.0]]), num_points=5)[:, 1]
    array([0.   , 0.625, 1.   , 0.625, 0.   ])
    """
    if len(knots) < 2:
        raise InputError(f"a curve needs at least 2 knots, got {len(knots)}")
    padded = np.vstack((2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]))
    position = np.linspace(0, len(knots) - 1, num_points)
    piece = np.minimum(position.astype(int), len(knots) - 2)
    t = (position - piece)[:, None]
    before, start, end, after = (padded[piece + i] for i in range(4))
    return 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
