"""Cracks of the gelatine, which branch, and folds of the paper, which cross the photo.

Each ``apply_*`` returns the damaged photo, uint8 (H, W, 3), and a mask, bool (H, W), that is True
on every pixel it touched.
"""

from dataclasses import dataclass

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
    smooth_field,
)
from oldphoto.degradations.layers import LEAST_COVERAGE, Canvas, blend, paint
from oldphoto.degradations.scratches import draw_colour

MAX_BRANCHES = 60


@dataclass(frozen=True)
class Cracks(Parameters):
    """``num`` cracks, each a jagged random walk with branches.

    Attributes:
        length, width: of the main crack, as shares of the short side.
        jag: deviation in degrees of its direction from one step to the next.
        branch_prob: probability of a branch at each step.
        opacity, colour: of the layer that shows in the crack.
    """

    num: int
    length: float
    width: float
    jag: float
    branch_prob: float
    opacity: float
    colour: tuple[float, float, float]
    seed: int
    hides = True


def sample_cracks(
    rng: np.random.Generator,
    num: tuple[int, int] = (1, 5),
    length: Range = (0.3, 1.2),
    width: Range = (0.003, 0.012),
    light_prob: float = 0.75,
) -> Cracks:
    """Draw cracks."""
    return Cracks(
        num=draw_int(rng, num),
        length=draw(rng, length),
        width=draw(rng, width),
        jag=draw(rng, (8.0, 26.0)),
        branch_prob=draw(rng, (0.02, 0.14)),
        opacity=draw(rng, (0.7, 1.0)),
        colour=draw_colour(rng, light_prob),
        seed=draw_seed(rng),
    )


def _grow(
    rng: np.random.Generator, parameters: Cracks, start: np.ndarray, turn: float, side: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a crack and all its branches as (points, widths), thinnest first."""
    step = max(2.0, 0.012 * side)
    waiting = [(start, turn, parameters.length * side, parameters.width * side)]
    lines: list[tuple[np.ndarray, np.ndarray]] = []
    while waiting and len(lines) < MAX_BRANCHES:
        point, heading, length, width = waiting.pop()
        num_steps = max(3, int(length / step))
        jags = np.deg2rad(rng.normal(0, parameters.jag, num_steps))
        # Each step strays from a slowly drifting heading: cracks zigzag but keep a direction.
        headings = heading + 0.25 * jags.cumsum() + jags
        moves = step * np.stack((np.cos(headings), np.sin(headings)), axis=1)
        points = np.vstack((point, point + moves.cumsum(axis=0)))
        fall = np.linspace(1, 0.15, num_steps + 1)
        widths = width * fall * np.exp(rng.normal(0, 0.3, num_steps + 1))
        lines.append((points, widths))
        for at in np.flatnonzero(rng.random(num_steps) < parameters.branch_prob):
            side_turn = rng.choice((-1, 1)) * rng.uniform(0.4, 1.2)
            rest = length * (1 - at / num_steps) * rng.uniform(0.2, 0.7)
            if rest > 3 * step:
                waiting.insert(0, (points[at], headings[at] + side_turn, rest, widths[at] * 0.7))
    return lines


def draw_cracks(size: tuple[int, int], parameters: Cracks) -> np.ndarray:
    """Return the coverage of all cracks, float32 (H, W) in [0, 1]."""
    rng = generator(parameters.seed)
    canvas = Canvas(size)
    for _ in range(parameters.num):
        start = rng.random(2) * (size[1], size[0])
        for points, widths in _grow(rng, parameters, start, rng.uniform(0, 2 * np.pi), min(size)):
            canvas.line(points, widths, parameters.opacity)
    return canvas.coverage()


def apply_cracks(photo: np.ndarray, parameters: Cracks) -> tuple[np.ndarray, np.ndarray]:
    """Crack the gelatine of a photo, uint8 (H, W, 3); also return the mask (H, W)."""
    require_photo(photo)
    coverage = draw_cracks(photo.shape[:2], parameters)
    return paint(photo, np.array(parameters.colour), coverage)


@dataclass(frozen=True)
class Folds(Parameters):
    """``num`` folds across the whole photo.

    Attributes:
        angle: degrees; 0 = the fold lies flat. Further folds are at right angles to the first.
        width: of the worn line, as a share of the short side.
        wear: share of the fold where the picture has gone.
        shade: how much one slope beside the fold is lighter and the other darker, in [0, 1].
    """

    num: int
    angle: float
    width: float
    wear: float
    shade: float
    seed: int
    hides = True


def sample_folds(
    rng: np.random.Generator,
    num: tuple[int, int] = (1, 2),
    width: Range = (0.004, 0.015),
    wear: Range = (0.25, 0.8),
) -> Folds:
    """Draw folds, mostly parallel to a side, sometimes at any angle like a dog-ear."""
    straight = rng.choice((0.0, 90.0)) + float(rng.normal(0, 3))
    angle = straight if rng.random() < 0.7 else draw(rng, (0, 180))
    shade = draw(rng, (0.1, 0.35))
    return Folds(
        draw_int(rng, num), angle, draw(rng, width), draw(rng, wear), shade, draw_seed(rng)
    )


def _distance_to_fold(size: tuple[int, int], parameters: Folds, index: int) -> np.ndarray:
    """Return the signed distance of each pixel to a fold in pixels, float32 (H, W)."""
    rng = generator((parameters.seed, index))
    turn = np.deg2rad(parameters.angle + 90 * (index % 2) + rng.normal(0, 1))
    centre = rng.uniform(0.25, 0.75, 2) * (size[1], size[0])
    rows, cols = np.ogrid[: size[0], : size[1]]
    flat = (rows - centre[1]) * np.cos(turn) - (cols - centre[0]) * np.sin(turn)
    wander = smooth_field(parameters.seed + 7 * index, size, 12)
    return (flat + 0.006 * min(size) * wander).astype(np.float32)


def apply_folds(photo: np.ndarray, parameters: Folds) -> tuple[np.ndarray, np.ndarray]:
    """Fold a photo, uint8 (H, W, 3); also return the mask (H, W).

    A fold is a line of flaked picture between a light and a dark slope.
    """
    require_photo(photo)
    size = photo.shape[:2]
    half = max(0.7, 0.5 * parameters.width * min(size))
    mask = np.zeros(size, bool)
    for index in range(parameters.num):
        distance = _distance_to_fold(size, parameters, index)
        slope = np.exp(-np.abs(distance) / (2 * half)) * parameters.shade
        slope[slope < LEAST_COVERAGE] = 0
        above = distance < 0
        photo = blend(photo, np.full(3, 255.0), slope * above, "normal")
        photo = blend(photo, np.zeros(3), slope * ~above, "normal")
        photo, flaked = paint(
            photo, _bared(size, parameters, index), _flakes(distance / half, parameters, index)
        )
        mask |= flaked | (slope > 0)
    return photo, mask


def _flakes(distance: np.ndarray, parameters: Folds, index: int) -> np.ndarray:
    """Return where the picture has flaked off: near the line, in ragged pieces, (H, W)."""
    size = distance.shape
    rough = fractal_field(parameters.seed + 31 + index, size, max(10, min(size) // 9), octaves=3)
    long = smooth_field(parameters.seed + 57 + index, size, 5)
    reach = 2.2 * parameters.wear - 0.6 + 0.45 * rough + 0.35 * long
    return np.clip(2.5 * (reach - np.abs(distance) * 0.8), 0, 1)


def _bared(size: tuple[int, int], parameters: Folds, index: int) -> np.ndarray:
    """Return the paper fibres under the picture, float32 (H, W, 3)."""
    fibres = fractal_field(parameters.seed + 91 + index, size, max(10, min(size) // 4), octaves=2)
    return np.array((242, 236, 222), np.float32) + 9 * fibres[..., None]
