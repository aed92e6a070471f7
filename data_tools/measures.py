"""Measurements of a photo that decide whether it is fit for training."""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.data.reading import shrink

COLOUR_SIDE = 128
PAGE_SIDE = 700
TONE_SIDE = 64
PEEL_SIDE = 256
PEEL_TOLERANCE = 20  # grey levels; paper is not perfectly even
PEEL_FRACTION = 0.8  # fraction of a row that must have the border's colour; the rest may be dust
EDGE_ROWS = 5  # rows of 256 within which the border must end in a straight edge
EDGE_FRACTION = 0.6  # fraction of the edge's length that must be visible
MIN_INSIDE = 0.4  # fraction of a side inside the border; with less it is a backdrop, no frame
MAX_PEELS = 3  # borders around each other: scan bed, mount, printed frame


@dataclass(frozen=True)
class Measures:
    """Measurements of one photo; fractions are between 0 and 1.

    Args:
        colour_spread: standard deviation of the colour among pixels of the same brightness, in
            CIELAB units.
        across_tone: the part of it that is not along one warm tone (yellow, brown, pink); near 0
            for black-and-white and sepia, equal to colour_spread if the tone is not warm.
        tone_range: grey levels between the darkest and the brightest larger area.
        page_contrast: grey levels between the darkest and the brightest frequent tone.
        paper_fraction: fraction of pixels as bright as the paper of a page.
        middle_fraction: fraction of pixels between ink and paper in brightness.
        solid_fraction: fraction at least 4 pixels away from paper, of the pixels that are no paper
            paper; near 0 for text and line drawings, which consist of thin strokes.
        num_glyphs: connected dark marks of the size of letters, per million pixels.
        glyph_fraction: fraction of the dark pixels that lie in such marks.
        border: fractions that are border at the top, bottom, left and right.
    """

    colour_spread: float
    across_tone: float
    tone_range: float
    page_contrast: float
    paper_fraction: float
    middle_fraction: float
    solid_fraction: float
    num_glyphs: float
    glyph_fraction: float
    border: tuple[float, float, float, float]

    @property
    def framed(self) -> bool:
        """Whether two opposite sides have a border of at least 1 % of the photo."""
        top, bottom, left, right = self.border
        return min(top, bottom) >= 0.01 or min(left, right) >= 0.01

    @property
    def border_fraction(self) -> float:
        """Fraction of the area that is border."""
        top, bottom, left, right = self.border
        return 1 - (1 - top - bottom) * (1 - left - right)


def measure(pixels: np.ndarray) -> Measures:
    """Measure a photo, uint8 (H, W, 3)."""
    return Measures(
        *colour_measures(pixels), tone_range(pixels), *page_measures(pixels), border_of(pixels)
    )


def colour_measures(pixels: np.ndarray) -> tuple[float, float]:
    """Return colour_spread and across_tone of ``Measures``.

    The mean colour of each of 16 brightness levels is subtracted first. The rest of a sepia print
    still varies, because a print does not yellow evenly, but along one line of warm colours.

    >>> colour_measures(np.full((64, 64, 3), 128, np.uint8))
    (0.0, 0.0)
    """
    lab = cv2.cvtColor(shrink(pixels, COLOUR_SIDE).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    # JPEG stores colour in coarse blocks; the median removes the resulting speckle.
    colour = np.stack([cv2.medianBlur(lab[..., c], 5) for c in (1, 2)], axis=-1).reshape(-1, 2)
    level = np.minimum(lab[..., 0].ravel() / 100 * 16, 15).astype(int)
    counts = np.maximum(np.bincount(level, minlength=16), 1)
    means = np.stack([np.bincount(level, c, minlength=16) / counts for c in colour.T], axis=1)
    rest = colour - means[level]
    variances, directions = np.linalg.eigh(rest.T @ rest / len(rest))
    spread = float(np.sqrt(variances.sum()))
    line = np.degrees(np.arctan2(directions[1, 1], directions[0, 1])) % 180
    mean = np.degrees(np.arctan2(colour[:, 1].mean(), colour[:, 0].mean()))
    if 15 <= line <= 115 and -10 <= mean <= 125:
        return spread, float(np.sqrt(max(variances[0], 0.0)))
    return spread, spread


def tone_range(pixels: np.ndarray) -> float:
    """Return the grey levels between the 1st and 99th percentile of a photo at 64 px.

    >>> tone_range(np.full((64, 64, 3), 128, np.uint8))
    0.0
    """
    grey = cv2.cvtColor(shrink(pixels, TONE_SIDE), cv2.COLOR_RGB2GRAY)
    darkest, brightest = np.percentile(grey, (1, 99))
    return float(brightest - darkest)


def page_measures(pixels: np.ndarray) -> tuple[float, float, float, float, float, float]:
    """Return the fields of ``Measures`` from page_contrast to glyph_fraction, in that order."""
    grey = cv2.cvtColor(shrink(pixels, PAGE_SIDE), cv2.COLOR_RGB2GRAY)
    ink, paper = np.percentile(grey, (0.3, 90)).astype(float)
    contrast = max(paper - ink, 1.0)
    middle = float(np.mean((grey > ink + 0.3 * contrast) & (grey < paper - 0.25 * contrast)))
    marks = (grey < paper - 0.25 * contrast).astype(np.uint8)
    solid = cv2.erode(marks, np.ones((7, 7), np.uint8))
    solid_fraction = float(solid.sum()) / max(int(marks.sum()), 1)
    dark = (grey <= ink + 0.5 * contrast).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    width, height, area = (stats[1:, c] for c in (2, 3, 4))
    glyph = (height >= 4) & (height <= 40) & (width <= 60) & (area >= 6)
    glyph &= area >= 0.1 * width * height
    num_glyphs = float(glyph.sum()) / grey.size * 1e6
    glyph_fraction = float(area[glyph].sum()) / max(float(area.sum()), 1.0)
    paper_fraction = 1 - float(marks.mean())
    return contrast, paper_fraction, middle, solid_fraction, num_glyphs, glyph_fraction


def border_of(pixels: np.ndarray) -> tuple[float, float, float, float]:
    """Return the fractions that are border at the top, bottom, left and right.

    Rows and columns of nearly one colour are removed from outside, at most three times, because a
    scan often shows scan bed, mount and printed frame around each other. A border ends in a
    straight edge; a plain backdrop or a sky, which ends in an outline, is no border.
    """
    small = cv2.medianBlur(np.ascontiguousarray(shrink(pixels, PEEL_SIDE)), 3).astype(np.int16)
    height, width = small.shape[:2]
    top = bottom = left = right = 0
    for _ in range(MAX_PEELS):
        peeled = _peel(small[top : height - bottom, left : width - right])
        if sum(peeled) == 0:
            break
        top, bottom = top + peeled[0], bottom + peeled[1]
        left, right = left + peeled[2], right + peeled[3]
    return top / height, bottom / height, left / width, right / width


def _peel(block: np.ndarray) -> tuple[int, int, int, int]:
    """Return the rows and columns of one border: top, bottom, left, right."""
    views = (block, block[::-1], block.swapaxes(0, 1), block[:, ::-1].swapaxes(0, 1))
    top, bottom, left, right = (_flat_rows(view) for view in views)
    height, width = block.shape[:2]
    if top + bottom > (1 - MIN_INSIDE) * height or left + right > (1 - MIN_INSIDE) * width:
        return 0, 0, 0, 0
    rows, columns = slice(top, height - bottom), slice(left, width - right)
    return (
        top if _is_frame(views[0][: height - bottom, columns], top) else 0,
        bottom if _is_frame(views[1][: height - top, columns], bottom) else 0,
        left if _is_frame(views[2][: width - right, rows], left) else 0,
        right if _is_frame(views[3][: width - left, rows], right) else 0,
    )


def _far(block: np.ndarray) -> np.ndarray:
    """Return the fraction of pixels in each row whose colour differs from the first row, (H,)."""
    colour = np.median(block[0], axis=0)
    return (np.abs(block - colour).max(axis=2) > PEEL_TOLERANCE).mean(axis=1)


def _flat_rows(block: np.ndarray) -> int:
    """Return the number of rows at the top that have the colour of the first row."""
    flat = _far(block) <= 1 - PEEL_FRACTION
    return len(flat) if flat.all() else int(np.argmin(flat))


def _is_frame(block: np.ndarray, depth: int) -> bool:
    """Return whether the first ``depth`` rows end in a straight edge."""
    far = _far(block)
    edge, inside = far[depth : depth + EDGE_ROWS], far[depth:]
    return len(edge) > 0 and bool(min(edge.max(), inside.mean()) >= EDGE_FRACTION)
