"""Lost pieces: holes, torn corners and borders, with torn rims and the backing below.

Each ``apply_*`` returns the damaged photo, uint8 (H, W, 3), and a mask, bool (H, W), that is True
on every pixel it touched.
"""

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

from oldphoto.degradations.common import (
    Parameters,
    Range,
    draw,
    draw_int,
    draw_seed,
    fractal_field,
    generator,
    require_photo,
    require_range,
)
from oldphoto.degradations.hole_masks import MAX_RATIO
from oldphoto.degradations.paper import paper_sheet

# What a photo lies on when it is scanned or pasted down: mount, album, lid of the scanner.
BACKINGS = (
    (236.0, 228.0, 206.0),
    (214.0, 198.0, 166.0),
    (188.0, 170.0, 140.0),
    (250.0, 250.0, 248.0),
    (46.0, 42.0, 40.0),
)


@dataclass(frozen=True)
class Holes(Parameters):
    """``num`` holes that together take the share ``ratio`` of the photo.

    Attributes:
        roughness: 0 = round, 1 = ragged.
        rim: width of the torn paper edge, as a share of the short side.
        feather: width over which the picture fades at the edge, as a share of the short side.
        below: colour of the backing, in [0, 255].
    """

    num: int
    ratio: float
    roughness: float
    rim: float
    feather: float
    below: tuple[float, float, float]
    seed: int
    hides = True


def _draw_ratio(rng: np.random.Generator, ratio: float | Range) -> float:
    if isinstance(ratio, int | float):
        return float(ratio)
    return draw(rng, ratio)


def _draw_backing(rng: np.random.Generator) -> tuple[float, float, float]:
    return BACKINGS[rng.integers(len(BACKINGS))]


def sample_holes(
    rng: np.random.Generator,
    ratio: float | Range = (0.005, 0.08),
    num: tuple[int, int] = (1, 6),
) -> Holes:
    """Draw holes; ratio is the share of the photo they take, 0 to 0.6, or its limits."""
    return Holes(
        num=draw_int(rng, num),
        ratio=_draw_ratio(rng, ratio),
        roughness=draw(rng, (0.3, 1.0)),
        rim=draw(rng, (0.0, 0.018)),
        feather=draw(rng, (0.002, 0.012)),
        below=_draw_backing(rng),
        seed=draw_seed(rng),
    )


def apply_holes(photo: np.ndarray, parameters: Holes) -> tuple[np.ndarray, np.ndarray]:
    """Tear holes into a photo, uint8 (H, W, 3); also return the mask (H, W) of the share ``ratio``.

    >>> photo = np.full((50, 80, 3), 100, np.uint8)
    >>> _, mask = apply_holes(photo, sample_holes(generator(0), ratio=0.1))
    >>> int(mask.sum())
    400

    Source:
        The paper's large damage: feathered holes of random shape that reveal paper texture.
    """
    require_photo(photo)
    size = photo.shape[:2]
    rng = generator(parameters.seed)
    rows, cols = np.ogrid[: size[0], : size[1]]
    nearest = np.full(size, np.inf, np.float32)
    for _ in range(parameters.num):
        centre = rng.random(2) * (size[1], size[0])
        stretch, scale = np.exp(rng.normal(0, 0.3)), np.exp(rng.normal(0, 0.4))
        away = np.hypot((rows - centre[1]) * stretch, (cols - centre[0]) / stretch) / scale
        nearest = np.minimum(nearest, away)
    # The rougher a hole, the more its outline follows a surface with bumps of the hole's size.
    reach = np.sqrt(max(parameters.ratio, 1e-3) * photo[..., 0].size / parameters.num / np.pi)
    bumps = fractal_field(parameters.seed + 1, size, max(3, int(max(size) / reach)), octaves=5)
    score = -nearest / reach + 0.45 * parameters.roughness * bumps
    return _tear(photo, score, parameters)


@dataclass(frozen=True)
class TornBorder(Parameters):
    """Paper lost from the outside: the share ``ratio`` of the photo.

    Attributes:
        corners: share of the loss that is at corners rather than along sides, in [0, 1].
        roughness, rim, feather, below: as in ``Holes``.
    """

    corners: float
    ratio: float
    roughness: float
    rim: float
    feather: float
    below: tuple[float, float, float]
    seed: int
    hides = True


def sample_torn_border(rng: np.random.Generator, ratio: float | Range = (0.01, 0.12)) -> TornBorder:
    """Draw torn corners and borders; ratio is the share of the photo that is lost."""
    return TornBorder(
        corners=draw(rng, (0.3, 1.0)),
        ratio=_draw_ratio(rng, ratio),
        roughness=draw(rng, (0.2, 0.8)),
        rim=draw(rng, (0.004, 0.022)),
        feather=draw(rng, (0.002, 0.006)),
        below=_draw_backing(rng),
        seed=draw_seed(rng),
    )


def apply_torn_border(photo: np.ndarray, parameters: TornBorder) -> tuple[np.ndarray, np.ndarray]:
    """Tear corners and border off a photo, uint8 (H, W, 3); also return the mask (H, W)."""
    require_photo(photo)
    rng = generator(parameters.seed)
    size = photo.shape[:2]
    down = np.linspace(0, 1, size[0], dtype=np.float32)[:, None]
    right = np.linspace(0, 1, size[1], dtype=np.float32)[None]
    gaps = {"top": down, "bottom": 1 - down, "left": right, "right": 1 - right}
    # A tear at a corner is a slanting line; each corner and side has its own loss.
    score = np.full(size, -np.inf, np.float32)
    for first, second in product(("top", "bottom"), ("left", "right")):
        slant = rng.uniform(0.5, 1.5)
        depth = rng.uniform(0, 1) * parameters.corners
        score = np.maximum(score, depth - gaps[first] * slant - gaps[second] / slant)
    for gap in gaps.values():
        depth = rng.uniform(-0.1, 0.6) * (1 - parameters.corners)
        score = np.maximum(score, depth - 2 * gap)
    bumps = fractal_field(parameters.seed + 1, size, 5, octaves=6)
    return _tear(photo, score + 0.07 * parameters.roughness * bumps, parameters)


def _tear(
    photo: np.ndarray, score: np.ndarray, parameters: Holes | TornBorder
) -> tuple[np.ndarray, np.ndarray]:
    """Remove the share ``ratio`` of the pixels, those of highest score; leave a torn white rim."""
    require_range(parameters.ratio, (0.0, MAX_RATIO), "the ratio of lost pixels")
    size = photo.shape[:2]
    keep = round(parameters.ratio * score.size)
    if keep == 0:
        return photo.copy(), np.zeros(size, bool)
    level = np.partition(score.reshape(-1), score.size - keep)[score.size - keep]
    mask = score >= level
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    side = min(size)
    sheet = paper_sheet(parameters.seed + 3, size, parameters.below, 0.8)
    ragged = 1 + 0.7 * fractal_field(parameters.seed + 60, size, 12, octaves=3)
    rim = parameters.rim * side * np.maximum(ragged, 0.1)
    fibres = 12 * fractal_field(parameters.seed + 70, size, max(10, side // 4), octaves=2)
    core = np.clip(240 + fibres, 0, 255)[..., None]  # torn paper is white inside
    torn = np.clip(rim - depth + 0.5, 0, 1)[..., None]
    shadow = 1 - 0.35 * np.exp(-np.maximum(depth - rim, 0) / (0.008 * side + 0.5))[..., None]
    below = sheet * np.where(torn > 0, 1, shadow) * (1 - torn) + core * torn
    opacity = np.clip(depth / max(parameters.feather * side, 1), 0, 1)[..., None]
    mixed = np.clip(np.rint(photo + opacity * (below - photo)), 0, 255).astype(np.uint8)
    return np.where(mask[..., None], mixed, photo), mask
