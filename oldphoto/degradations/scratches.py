"""Scratches: curves of varying width, opacity and colour, worn in places.

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
    generator,
    require_photo,
    smooth_field,
)
from oldphoto.degradations.elastic import Elastic, apply_elastic
from oldphoto.degradations.layers import Canvas, paint, spline

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Scratches(Parameters):
    """``num`` scratches that share a direction.

    Attributes:
        angle, spread: mean direction and its deviation in degrees; 90 = upright.
        length, width: smallest and largest, as shares of the short side.
        strands: hairlines side by side that make one scratch, as from a rough edge.
        bend: how far a scratch strays from a straight line, as a share of its length.
        opacity: of the faintest and the strongest scratch.
        colour: of the scratched layer, in [0, 255].
        broken: share of each scratch that is interrupted.
        clustered: 0 = all over the photo, 1 = all in one place.
        mode: how it is blended.
        warp: amplitude of the elastic distortion of the whole layer.
    """

    num: int
    strands: int
    angle: float
    spread: float
    length: tuple[float, float]
    width: tuple[float, float]
    bend: float
    opacity: tuple[float, float]
    colour: tuple[float, float, float]
    broken: float
    clustered: float
    mode: str
    warp: float
    seed: int
    hides = True


def draw_colour(rng: np.random.Generator, light_prob: float) -> Colour:
    """Draw the colour of bared paper (light, warm), or of dirt and lost gelatine (dark)."""
    if rng.random() < light_prob:
        level, warmth = rng.uniform(215, 255), rng.uniform(0, 0.14)
    else:
        level, warmth = rng.uniform(5, 60), rng.uniform(0, 0.35)
    return (round(level, 1), round(level * (1 - 0.4 * warmth), 1), round(level * (1 - warmth), 1))


def sample_scratches(
    rng: np.random.Generator,
    num: tuple[int, int] = (3, 22),
    width: Range = (0.0016, 0.009),
    opacity: Range = (0.45, 1.0),
    light_prob: float = 0.8,
) -> Scratches:
    """Draw scratches: few and long, or many and short."""
    count = draw_int(rng, num)
    longest = draw(rng, (0.25, 1.3)) if rng.random() < 0.6 else draw(rng, (0.08, 0.25))
    # Film is drawn through cameras lengthwise: about half of all scratches run upright.
    angle = 90 + float(rng.normal(0, 4)) if rng.random() < 0.45 else draw(rng, (0, 180))
    colour = draw_colour(rng, light_prob)
    is_light = colour[0] > 127
    broadest = width[0] + (width[1] - width[0]) * float(rng.random()) ** 2
    return Scratches(
        num=count,
        strands=int(rng.choice((1, 1, 2, 4))),
        angle=angle,
        spread=float(rng.choice((2.0, 8.0, 30.0))),
        length=(longest * 0.25, longest),
        width=(width[0], broadest),
        bend=draw(rng, (0.0, 0.08)),
        opacity=(opacity[0], draw(rng, opacity)),
        colour=colour,
        broken=draw(rng, (0.0, 0.6)),
        clustered=draw(rng, (0.4, 0.95)) if rng.random() < 0.35 else 0.0,
        mode=str(rng.choice(("normal", "screen", "lighten", "add"))) if is_light else "normal",
        warp=draw(rng, (0.0, 0.012)),
        seed=draw_seed(rng),
    )


def _one_line(
    rng: np.random.Generator, size: tuple[int, int], parameters: Scratches, middle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (N, 2) of one scratch and its width at each."""
    side = min(size)
    turn = np.deg2rad(rng.normal(parameters.angle, parameters.spread))
    length = rng.uniform(*parameters.length) * side
    along = np.array((np.cos(turn), np.sin(turn)))
    across = np.array((-along[1], along[0]))
    reach = np.linspace(-0.5, 0.5, 5)[:, None] * length
    # The strays are a random walk, so a scratch curves one way rather than trembling.
    stray = rng.normal(0, parameters.bend / 2, 5).cumsum()[:, None] * length
    points = spline(middle + reach * along + stray * across, max(8, int(length / 6)))
    # A short scratch comes from a light touch and is thin.
    widest = side * rng.uniform(*parameters.width) * min(1, 0.35 + 1.5 * length / side)
    taper = np.sqrt(np.sin(np.linspace(0.06, np.pi - 0.06, len(points))))
    ripple = np.exp(0.25 * np.repeat(rng.normal(0, 1, len(points) // 4 + 1), 4)[: len(points)])
    return points, widest * taper * ripple


def draw_scratches(size: tuple[int, int], parameters: Scratches) -> np.ndarray:
    """Return the coverage of all scratches, float32 (H, W) in [0, 1]."""
    rng = generator(parameters.seed)
    canvas = Canvas(size)
    frame = np.array((size[1], size[0]))
    focus = rng.uniform(0.15, 0.85, 2) * frame
    for opacity in np.sort(rng.uniform(*parameters.opacity, parameters.num)):
        spread = 1 - parameters.clustered
        middle = focus * (1 - spread) + rng.random(2) * frame * spread
        middle += rng.normal(0, 0.06 * min(size), 2) * parameters.clustered
        points, widths = _one_line(rng, size, parameters, middle)
        for strand in range(parameters.strands):
            beside = rng.normal(0, 0.008 * min(size), 2) * (strand > 0)
            first, last = _part(rng, len(points)) if strand else (0, len(points))
            canvas.line(points[first:last] + beside, widths[first:last], opacity)
    coverage = canvas.coverage()
    if parameters.broken > 0:
        coverage *= _worn(size, parameters)
    if parameters.warp > 0:
        coverage = apply_elastic(coverage, Elastic(parameters.warp, 4, parameters.seed + 1))
    return coverage


def _part(rng: np.random.Generator, num_points: int) -> tuple[int, int]:
    """Draw the first and the last point of a strand that runs along a part of its scratch."""
    first = int(rng.integers(num_points // 2))
    return first, int(rng.integers(first + 2, num_points + 1))


def _worn(size: tuple[int, int], parameters: Scratches) -> np.ndarray:
    """Return factors in [0, 1] that interrupt about the share ``broken`` of the scratches."""
    # Fine bumps, the grain of the paper, make dots of a line. Coarse ones lift the tip off.
    fine = smooth_field(parameters.seed + 2, size, max(8, max(size) // 3))
    coarse = smooth_field(parameters.seed + 3, size, max(4, max(size) // 16))
    surface = 0.6 * fine + 0.8 * coarse
    level = np.quantile(surface[::4, ::4], parameters.broken)
    return np.clip(0.5 + 1.5 * (surface - level), 0, 1)


def apply_scratches(photo: np.ndarray, parameters: Scratches) -> tuple[np.ndarray, np.ndarray]:
    """Scratch a photo, uint8 (H, W, 3); also return the mask (H, W).

    >>> photo = np.full((64, 64, 3), 100, np.uint8)
    >>> damaged, mask = apply_scratches(photo, sample_scratches(generator(0)))
    >>> bool(mask.any()), bool((damaged[~mask] == 100).all())
    (True, True)
    """
    require_photo(photo)
    coverage = draw_scratches(photo.shape[:2], parameters)
    return paint(photo, np.array(parameters.colour), coverage, parameters.mode)
