"""What lies on a photo or grew in it: dust, hairs, spots and blotches.

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
    require_range,
)
from oldphoto.degradations.layers import Canvas, paint, spline
from oldphoto.degradations.scratches import draw_colour


@dataclass(frozen=True)
class Dust(Parameters):
    """``num`` grains of half width ``radius`` (shares of the short side); some lie in heaps."""

    num: int
    radius: tuple[float, float]
    clustered: float
    colour: tuple[float, float, float]
    seed: int
    hides = True


def sample_dust(
    rng: np.random.Generator,
    num: tuple[int, int] = (20, 400),
    radius: Range = (0.0015, 0.009),
    light_prob: float = 0.75,
) -> Dust:
    """Draw dust: white if it lay on the negative, dark if it lies on the print."""
    largest = radius[0] + (radius[1] - radius[0]) * float(rng.random()) ** 2
    colour = draw_colour(rng, light_prob)
    return Dust(
        draw_int(rng, num), (radius[0], largest), draw(rng, (0, 0.9)), colour, draw_seed(rng)
    )


def apply_dust(photo: np.ndarray, parameters: Dust) -> tuple[np.ndarray, np.ndarray]:
    """Scatter dust on a photo, uint8 (H, W, 3); also return the mask (H, W)."""
    require_photo(photo)
    rng = generator(parameters.seed)
    size, side = photo.shape[:2], min(photo.shape[:2])
    canvas = Canvas(size)
    frame = np.array((size[1], size[0]))
    heaps = rng.random((4, 2)) * frame
    for _ in range(parameters.num):
        place = rng.random(2) * frame
        if rng.random() < parameters.clustered:
            place = heaps[rng.integers(4)] + rng.normal(0, 0.09 * side, 2)
        # Small grains are the most frequent: log-uniform.
        radius = side * np.exp(rng.uniform(*np.log(parameters.radius)))
        axes = radius * np.array((1, rng.uniform(0.3, 1)))
        canvas.speck(place, axes, rng.uniform(0, 180), rng.uniform(0.55, 1))
    return paint(photo, np.array(parameters.colour), canvas.coverage())


@dataclass(frozen=True)
class Hairs(Parameters):
    """``num`` hairs and threads; length, width: shares of the short side; curl: radians."""

    num: int
    length: tuple[float, float]
    width: float
    curl: float
    colour: tuple[float, float, float]
    seed: int
    hides = True


def sample_hairs(
    rng: np.random.Generator,
    num: tuple[int, int] = (1, 7),
    length: Range = (0.15, 0.9),
    width: Range = (0.0018, 0.006),
    light_prob: float = 0.6,
) -> Hairs:
    """Draw hairs."""
    colour = draw_colour(rng, light_prob)
    curl = draw(rng, (0.15, 0.6))
    return Hairs(draw_int(rng, num), length, draw(rng, width), curl, colour, draw_seed(rng))


def apply_hairs(photo: np.ndarray, parameters: Hairs) -> tuple[np.ndarray, np.ndarray]:
    """Drop curling hairs on a photo, uint8 (H, W, 3); also return the mask (H, W)."""
    require_photo(photo)
    rng = generator(parameters.seed)
    size, side = photo.shape[:2], min(photo.shape[:2])
    canvas = Canvas(size)
    for opacity in np.sort(rng.uniform(0.6, 1, parameters.num)):
        num_knots = int(rng.integers(6, 13))
        length = side * np.exp(rng.uniform(*np.log(parameters.length)))
        turns = rng.uniform(0, 2 * np.pi) + rng.normal(0, parameters.curl, num_knots).cumsum()
        moves = length / num_knots * np.stack((np.cos(turns), np.sin(turns)), axis=1)
        knots = rng.random(2) * (size[1], size[0]) + moves.cumsum(axis=0)
        points = spline(knots, max(8, int(length / 3)))
        canvas.line(points, np.full(len(points), parameters.width * side), opacity)
    return paint(photo, np.array(parameters.colour), canvas.coverage())


@dataclass(frozen=True)
class Spots(Parameters):
    """``num`` soft round spots, such as foxing; radius: shares of the short side."""

    num: int
    radius: tuple[float, float]
    opacity: float
    colour: tuple[float, float, float]
    seed: int
    hides = True


def sample_spots(
    rng: np.random.Generator,
    num: tuple[int, int] = (4, 45),
    radius: Range = (0.004, 0.022),
    opacity: Range = (0.35, 0.85),
) -> Spots:
    """Draw foxing (rust brown), mould (dark) or bleach (light)."""
    kinds = ((128.0, 88.0, 48.0), (96.0, 66.0, 40.0), (38.0, 34.0, 30.0), (240.0, 232.0, 214.0))
    colour = kinds[rng.integers(len(kinds))]
    return Spots(draw_int(rng, num), radius, draw(rng, opacity), colour, draw_seed(rng))


def apply_spots(photo: np.ndarray, parameters: Spots) -> tuple[np.ndarray, np.ndarray]:
    """Put soft, ragged spots on a photo, uint8 (H, W, 3); also return the mask (H, W)."""
    require_photo(photo)
    rng = generator(parameters.seed)
    size, side = photo.shape[:2], min(photo.shape[:2])
    rough = fractal_field(parameters.seed + 1, size, max(12, side // 6), octaves=3)
    coverage = np.zeros(size, np.float32)
    for _ in range(parameters.num):
        centre = rng.random(2) * (size[1], size[0])
        radius = side * np.exp(rng.uniform(*np.log(parameters.radius)))
        strength = parameters.opacity * rng.uniform(0.5, 1)
        window = _window(centre, 2.8 * radius, size)
        rows, cols = np.ogrid[window]
        away = np.hypot(rows - centre[1], cols - centre[0]) / radius
        spot = strength * np.clip(1.6 - away + 0.3 * rough[window], 0, 1)
        coverage[window] = np.maximum(coverage[window], spot)
    return paint(photo, np.array(parameters.colour), coverage)


def _window(centre: np.ndarray, reach: float, size: tuple[int, int]) -> tuple[slice, slice]:
    """Return the part of the photo within ``reach`` pixels of a centre (x, y)."""
    rows, cols = (
        slice(max(0, int(middle - reach)), max(0, min(side, int(middle + reach) + 2)))
        for middle, side in zip((centre[1], centre[0]), size, strict=True)
    )
    return rows, cols


@dataclass(frozen=True)
class Blotches(Parameters):
    """``num`` ragged patches with splashes around them, opaque or nearly so.

    Attributes:
        radius: shares of the short side.
        roughness: 0 = a round drop, 1 = broken into islands.
        opacity: of the whole patch.
    """

    num: int
    radius: tuple[float, float]
    roughness: float
    opacity: float
    colour: tuple[float, float, float]
    seed: int
    hides = True


def sample_blotches(
    rng: np.random.Generator,
    num: tuple[int, int] = (1, 5),
    radius: Range = (0.02, 0.11),
    opacity: Range = (0.6, 1.0),
    light_prob: float = 0.6,
) -> Blotches:
    """Draw blotches: gelatine flaked off (light), ink and dirt (dark)."""
    return Blotches(
        num=draw_int(rng, num),
        radius=radius,
        roughness=draw(rng, (0.3, 1.0)),
        opacity=draw(rng, opacity),
        colour=draw_colour(rng, light_prob),
        seed=draw_seed(rng),
    )


def apply_blotches(photo: np.ndarray, parameters: Blotches) -> tuple[np.ndarray, np.ndarray]:
    """Splash blotches on a photo, uint8 (H, W, 3); also return the mask (H, W)."""
    require_photo(photo)
    require_range(parameters.roughness, (0.0, 1.0), "the roughness of blotches")
    rng = generator(parameters.seed)
    size, side = photo.shape[:2], min(photo.shape[:2])
    rough = fractal_field(parameters.seed + 1, size, 12, octaves=6, persistence=0.7)
    height = np.full(size, -4, np.float32)
    for _ in range(parameters.num):
        centre = rng.random(2) * (size[1], size[0])
        radius = side * np.exp(rng.uniform(*np.log(parameters.radius)))
        window = _window(centre, 4.5 * radius, size)
        rows, cols = np.ogrid[window]
        stretch = rng.uniform(0.6, 1.4)
        away = np.hypot((rows - centre[1]) * stretch, (cols - centre[0]) / stretch) / radius
        height[window] = np.maximum(height[window], 1.2 - away)
    # Where this rough height rises above zero there is paint: patch, bays, islands, splashes.
    coverage = parameters.opacity * np.clip(
        6 * (height + 0.75 * parameters.roughness * rough), 0, 1
    )
    return paint(photo, np.array(parameters.colour), coverage)
