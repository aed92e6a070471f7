"""Keep the fine detail of a photo: give lost texture back, and limit how much edges are sharpened.

A network that has learned to remove noise also removes what looks like it: foliage, cloth, brick,
small print. In a sharp photo most of what it has lost can be told from noise. Noise lies everywhere
to about the same amount; texture is more than that in some places.

A faint line in a grainy photo, such as a wire before the sky, is given back without the grain: see
``thin_lines``.

A network that has learned to remove blur makes edges of a photo that was enlarged jagged and hard.
So the contrast of detail may grow, but not by more than ``MAX_GROWTH``. Nothing here is learned.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.inference.fidelity import in_levels, luminance
from oldphoto.inference.gate import sharpness
from oldphoto.inference.thin_lines import LINE_REACH, line_spreads, lost_lines

MAX_GROWTH = 1.4
"""How many times the contrast of detail, its standard deviation around a pixel, may grow."""

_BLURRED, _SHARP = 0.6, 0.8  # sharpness: below, nothing is given back; above, everything
_DETAIL_SIGMA, _AREA_SIGMA, _BLEND_SIGMA = 2.0, 3.0, 1.5  # pixels
_NOISE_QUANTILE = 0.4  # of the places, that are taken to have lost noise alone
_NOISE_FACTOR = 2.5  # times the variance of the noise, from which a loss counts as texture
_LEAST_NOISE = 0.25  # its variance in grey levels: rounding
_HOLE_RIM = 13  # pixels; around a hole old and new cannot be compared
_MEASURED_PIXELS = 2**21
_STRIP_ROWS = 256

DETAIL_REACH = max(4 * 7, 4 * 2 + LINE_REACH)
"""Pixels from which ``keep_detail`` can change a pixel: three blurs, four sigmas a side each, or
one and a line."""


@dataclass(frozen=True)
class Loss:
    """What a photo has lost in its restoration.

    Attributes:
        noise: variance, in grey levels, of what was lost where nothing but noise was.
        share: how much of the lost texture is given back, in [0, 1]: 0 if the photo is not sharp,
            so that a network had more to add than to lose.
        spreads: of means along lines, see ``line_spreads``.
    """

    noise: float
    share: float
    spreads: np.ndarray


def measure_loss(
    original: np.ndarray, restored: np.ndarray, damaged: np.ndarray | None
) -> Loss | None:
    """Measure what was lost; of a large photo in strips that lie all over it.

    Args:
        original: uint8 or uint16 (H, W, 3).
        restored: float32 (H, W, 3) in [0, 255].
        damaged: bool (H, W), or None.

    Returns:
        The loss; None if all of it is damaged.
    """
    height, width = original.shape[:2]
    rows = min(height, _STRIP_ROWS) if height * width > _MEASURED_PIXELS else height
    num = max(1, min(height // rows, _MEASURED_PIXELS // (rows * width)))
    tops = np.linspace(0, height - rows, num).astype(int)
    losses, sharp, spreads = [], [], []
    for top in tops:
        part = slice(top, top + rows)
        hole = _near_hole(damaged, part)
        before, after = _greys(original[part], restored[part], damaged, part)
        sharp.append(sharpness(before, None if hole is None else ~hole))
        before, after = _detail(before), _detail(after)
        lost = _variance(before) - _variance(after)
        losses.append(lost.ravel() if hole is None else lost[~hole])
        spreads.append(line_spreads(before - after))
    share = float(np.clip((np.median(sharp) - _BLURRED) / (_SHARP - _BLURRED), 0, 1))
    all_losses = np.concatenate(losses)
    if not all_losses.size:
        return None
    noise = max(float(np.quantile(all_losses, _NOISE_QUANTILE)), _LEAST_NOISE)
    return Loss(noise, share, np.median(spreads, axis=0))


def keep_detail(
    original: np.ndarray, restored: np.ndarray, damaged: np.ndarray | None, loss: Loss | None
) -> np.ndarray:
    """Return the restored photo, or some rows of it: texture and lines back, edges held back.

    Args:
        original, restored, damaged: as for ``measure_loss``.
        loss: of the whole photo; None gives nothing back.

    Returns:
        float32 (H, W, 3).

    >>> stripes = np.tile(np.float32([80, 80, 160, 160]), (64, 16))
    >>> original = np.repeat(stripes[..., None], 3, axis=2).astype(np.uint8)
    >>> flat = np.full((64, 64, 3), 120, np.float32)
    >>> kept = keep_detail(original, flat, None, Loss(4.0, share=1.0, spreads=np.ones(16)))
    >>> round(float(np.corrcoef(kept[..., 0].ravel(), stripes.ravel())[0, 1]), 2)
    1.0
    """
    whole = slice(None)
    before, after = map(_detail, _greys(original, restored, damaged, whole))
    hole = _near_hole(damaged, whole)
    if hole is not None:
        before[hole] = after[hole]
    had, has = _variance(before), _variance(after)
    # Where detail has grown too much, a fraction of it is taken off. One grey level is rounding.
    most = MAX_GROWTH * np.sqrt((had + 1) / (has + 1))
    change = cv2.GaussianBlur(np.minimum(most, 1) - 1, (0, 0), _BLEND_SIGMA) * after
    if loss is not None:
        lost = had - has
        texture = np.clip((lost - _NOISE_FACTOR * loss.noise) / np.maximum(lost, 1e-3), 0, 1)
        back = loss.share * cv2.GaussianBlur(texture, (0, 0), _BLEND_SIGMA)
        change += back * (before - after)
        lines = lost_lines(before - after, has, loss.spreads)
        if hole is not None:
            lines[hole] = 0
        change += (1 - back) * lines
    return restored + change[..., None]


def _greys(
    original: np.ndarray, restored: np.ndarray, damaged: np.ndarray | None, rows: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Return both luminances, float32 (H, W); what lay in a hole must not matter around it."""
    before, after = (in_levels(luminance(one)).astype(np.float32) for one in (original, restored))
    if damaged is not None:
        before[damaged[rows]] = after[damaged[rows]]
    return before, after


def _detail(grey: np.ndarray) -> np.ndarray:
    return grey - cv2.GaussianBlur(grey, (0, 0), _DETAIL_SIGMA)


def _variance(detail: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(np.square(detail), (0, 0), _AREA_SIGMA)


def _near_hole(damaged: np.ndarray | None, rows: slice) -> np.ndarray | None:
    if damaged is None:
        return None
    kernel = np.ones((_HOLE_RIM, _HOLE_RIM), np.uint8)
    return cv2.dilate(damaged[rows].astype(np.uint8), kernel) > 0
