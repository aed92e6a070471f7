"""What all degradations share: base class of the parameters, seeded random fields, checks."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import cv2
import numpy as np

from oldphoto.checks import InputError
from oldphoto.checks import require_photo as require_photo
from oldphoto.checks import require_range as require_range

Range = tuple[float, float]
Seed = int | Sequence[int]

# A cubic spline is smoother than the numbers it is drawn through: 151/315 is the mean square of
# its weights along one axis, and so its deviation over both axes.
SPLINE_DEVIATION = 151 / 315


@dataclass(frozen=True)
class Parameters:
    """Base class of the parameters that ``sample_*`` functions draw.

    Attributes:
        grid: side in pixels of the blocks that are processed as a whole.
        hides: whether the damage hides the picture, so that its mask is part of the scratch mask.
            A stain or a paper texture has a mask too, but the picture shows through.
    """

    grid: ClassVar[int] = 1
    hides: ClassVar[bool] = False

    @property
    def margin(self) -> int:
        """How many pixels around a region can change the result inside it (a kernel's radius).

        A crop is cut with this margin before it is degraded and trimmed afterwards.
        """
        return 0


def generator(seed: Seed) -> np.random.Generator:
    """Return the random generator for a seed or for a tuple such as (seed, epoch, index).

    >>> generator((0, 3, 7)).integers(100, size=4)
    array([98, 77, 30, 73])

    Raises:
        InputError: if a number is negative or not whole.
    """
    try:
        return np.random.default_rng(np.random.SeedSequence(seed))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"a seed is a whole number >= 0 or a tuple of them, got {seed!r}"
        ) from error


def draw_seed(rng: np.random.Generator) -> int:
    """Draw the seed of everything that ``apply_*`` places at random."""
    return int(rng.integers(2**32))


def draw(rng: np.random.Generator, limits: Range) -> float:
    """Draw a number uniformly between two limits."""
    return float(rng.uniform(*limits))


def draw_int(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    """Draw a whole number uniformly between two limits, both included."""
    return int(rng.integers(limits[0], limits[1], endpoint=True))


@functools.cache
def normal_quantiles() -> np.ndarray:
    """Return 65,536 quantiles of the standard normal distribution, float32 and ascending.

    Indexed with 16 random bits they give normal noise between -4.33 and 4.33. That is five times
    faster than drawing normal numbers, and finer than 8-bit photos can show.
    """
    half = [NormalDist().inv_cdf((i + 0.5) / 65536) for i in range(32768)]
    values = np.array(half + [-z for z in reversed(half)])
    # Without the tails beyond 4.33 the deviation is 0.003 % too small. Scale it back to 1.
    return (values / values.std()).astype(np.float32)


def random_bits(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform uint16 numbers of the given shape."""
    count = int(np.prod(shape))
    words = np.random.PCG64(seed).random_raw((count + 3) // 4)
    # "<" fixes the byte order, so that every machine gives the same numbers.
    return words.astype("<u8", copy=False).view("<u2")[:count].reshape(shape)


def normal_field(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal noise, float32, independent in every element."""
    return normal_quantiles()[random_bits(seed, shape)]


def _spline_weights(num_points: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the first knot (N,) and the weights (N, 4) of the cubic B-spline at each point."""
    position = (np.arange(num_points, dtype=np.float32) + 0.5) / np.float32(step)
    first = position.astype(int)
    t = (position - first).astype(np.float32)
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    return first, np.stack(weights, axis=1) / 6


def smooth_field(seed: int, size: tuple[int, int], cells: int) -> np.ndarray:
    """Return a smooth random surface: a cubic B-spline over a grid of normal numbers.

    Args:
        size: (H, W).
        cells: number of bumps along the longer side; 1 is a gentle slope.

    Returns:
        float32 (H, W), mean 0 and deviation 1 over many seeds (less inside one small surface).
    """
    # Eight points per cell are smooth enough. Bilinear enlargement does the rest, faster.
    shrink = max(1, max(size) // (8 * cells))
    height, width = (-(-side // shrink) for side in size)
    step = max(height, width) / cells
    knots = normal_field(seed, (int(height / step) + 5, int(width / step) + 5))
    # Plain sums: the rounding of a matrix product may depend on the number of threads.
    first, weights = _spline_weights(height, step)
    rows = sum(weights[:, k, None] * knots[first + k] for k in range(4))
    first, weights = _spline_weights(width, step)
    surface = sum(weights[:, k] * rows[:, first + k] for k in range(4))
    if shrink > 1:
        surface = cv2.resize(surface, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return surface / np.float32(SPLINE_DEVIATION)


def fractal_field(
    seed: int, size: tuple[int, int], cells: int, octaves: int = 4, persistence: float = 0.5
) -> np.ndarray:
    """Return a rough random surface: the sum of smooth surfaces with finer and finer bumps.

    Args:
        seed, size: as in ``smooth_field``.
        cells: bumps of the coarsest surface along the longer side. Each octave doubles them.
        octaves: number of surfaces.
        persistence: height of each surface relative to the one before.

    Returns:
        float32 (H, W), mean 0 and deviation 1 over many seeds.
    """
    octaves = max(1, min(octaves, int(np.log2(max(max(size) / cells, 2)))))
    heights = [persistence**octave for octave in range(octaves)]
    total = np.zeros(size, np.float32)
    for octave, height in enumerate(heights):
        total += np.float32(height) * smooth_field(seed + octave, size, cells * 2**octave)
    return total / np.float32(np.linalg.norm(heights))
