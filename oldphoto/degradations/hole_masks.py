"""Irregular hole masks for training: brush strokes and ragged patches over a chosen share."""

import cv2
import numpy as np

from oldphoto.checks import InputError
from oldphoto.degradations.common import Range, draw, draw_seed, random_bits

MAX_RATIO = 0.6  # the largest share in the published test masks
MAX_SHAPES = 400


def _stroke(rng: np.random.Generator, mask: np.ndarray) -> None:
    """Draw one brush stroke that wanders and never turns sharply."""
    side = min(mask.shape)
    steps = int(rng.integers(3, 13))
    turns = rng.normal(0, 0.7, steps).cumsum() + rng.uniform(0, 2 * np.pi)
    lengths = rng.uniform(0.03, 0.16, steps)[:, None] * side
    moves = lengths * np.stack((np.cos(turns), np.sin(turns)), axis=1)
    start = rng.random(2) * (mask.shape[1], mask.shape[0])
    points = np.rint(np.vstack((start, start + moves.cumsum(axis=0)))).astype(np.int32)
    # Thin strokes are more frequent than broad ones, as scratches are.
    thickness = max(1, round(side * 0.008 * 10 ** rng.random()))
    cv2.polylines(mask, [points.reshape(-1, 1, 2)], False, 1, thickness)


def _patch(rng: np.random.Generator, mask: np.ndarray) -> None:
    """Draw one ragged patch: an ellipse whose outline wanders in and out."""
    side = min(mask.shape)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = np.ones(40)
    for waves in range(2, 8):
        outline += rng.normal(0, 0.28 / waves) * np.cos(waves * angles + rng.uniform(0, 2 * np.pi))
    radii = side * draw(rng, (0.02, 0.11)) * np.clip(outline, 0.2, None)
    stretch = draw(rng, (0.5, 1.0))
    centre = rng.random(2) * (mask.shape[1], mask.shape[0])
    points = np.stack((np.cos(angles) * radii, np.sin(angles) * radii * stretch), axis=1) + centre
    cv2.fillPoly(mask, [np.rint(points).astype(np.int32).reshape(-1, 1, 2)], 1)


def trim_to_ratio(mask: np.ndarray, ratio: float, seed: int) -> np.ndarray:
    """Remove pixels from the rim of a mask until exactly the share ``ratio`` is left.

    Args:
        mask: uint8 (H, W), not zero where damaged; at least the share ``ratio`` of it.

    Returns:
        bool (H, W).
    """
    keep = round(ratio * mask.size)
    if keep == 0:
        return np.zeros(mask.shape, bool)
    # A mask that covers everything has no rim inside the photo. It shrinks from the photo's edge.
    edge = int(mask.all())
    depth = cv2.distanceTransform(np.pad(mask, edge), cv2.DIST_L2, 3)
    depth = depth[edge : edge + mask.shape[0], edge : edge + mask.shape[1]]
    inside = mask > 0
    # Many pixels lie equally deep. A little noise decides which of them go.
    ties = random_bits(seed, (int(inside.sum()),)) / np.float32(2**17)
    depths = depth[inside] + ties
    threshold = np.partition(depths, depths.size - keep)[depths.size - keep]
    kept = np.zeros(mask.shape, bool)
    kept[inside] = depths >= threshold
    return kept


def require_hole_ratio(ratio: float | Range) -> Range:
    """Return the limits of the share that holes cover as (lowest, highest).

    >>> require_hole_ratio(0.2)
    (0.2, 0.2)

    Raises:
        InputError: if a share is outside 0 to 0.6, or the lower one above the higher.
    """
    lowest, highest = (ratio, ratio) if isinstance(ratio, int | float) else ratio
    if not 0 <= lowest <= highest <= MAX_RATIO:
        raise InputError(f"the ratio of a hole mask lies within 0 and {MAX_RATIO}, got {ratio}")
    return lowest, highest


def sample_hole_mask(
    rng: np.random.Generator,
    size: tuple[int, int],
    ratio: float | Range = (0.0, MAX_RATIO),
    patch_prob: float = 0.3,
) -> np.ndarray:
    """Draw an irregular hole mask: strokes and patches that cover a share of the photo.

    Args:
        size: (H, W).
        ratio: the share to cover, 0 to 0.6, or the limits between which it is drawn.
        patch_prob: probability that a shape is a patch, not a stroke.

    Returns:
        bool (H, W), True = damaged. The share is exact to the pixel, except for ties.

    >>> int(sample_hole_mask(np.random.default_rng(0), (100, 100), ratio=0.2).sum())
    2000

    Raises:
        InputError: if a share is outside 0 to 0.6 or the size is not positive.

    Source:
        The use and the ratios follow the irregular masks of Liu et al. 2018 (arXiv 1804.07723);
        the generator is this project's own, so that nothing has to be downloaded.
    """
    limits = require_hole_ratio(ratio)
    if min(size) < 1:
        raise InputError(f"the size of a mask is (H, W), each at least 1, got {size}")
    wanted = draw(rng, limits)
    mask = np.zeros(size, np.uint8)
    for _ in range(MAX_SHAPES):
        if np.count_nonzero(mask) >= wanted * mask.size:
            break
        shape = _patch if rng.random() < patch_prob else _stroke
        shape(rng, mask)
    else:
        # Strokes keep missing a very narrow photo. Cover all of it and trim to the share.
        mask[:] = 1
    return trim_to_ratio(mask, wanted, draw_seed(rng))


def paint_white(photo: np.ndarray, scratch_mask: np.ndarray) -> np.ndarray:
    """Return a copy of the photo with the damaged pixels white, as the network expects them.

    Args:
        photo: uint8 (H, W, 3).
        scratch_mask: bool (H, W), True = damaged.

    Raises:
        InputError: if the mask is not bool of the photo's size.
    """
    if scratch_mask.dtype != bool or scratch_mask.shape != photo.shape[:2]:
        raise InputError(
            f"expected a bool mask of shape {photo.shape[:2]}, "
            f"got {scratch_mask.dtype} of shape {scratch_mask.shape}"
        )
    painted = photo.copy()
    painted[scratch_mask] = 255
    return painted
