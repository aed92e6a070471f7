"""What all degradations share: the base of their parameters, seeded random fields, checks."""

import functools
from collections.abc import Sequence
from statistics import NormalDist

import cv2
import numpy as np

from oldphoto.checks import InputError
from oldphoto.checks import require_photo as require_photo

Range = tuple[float, float]
Seed = int | Sequence[int]

# A cubic spline is smoother than the numbers it is drawn through: 151/315 is the mean square of
# its weights along one axis, and so its deviation over both axes.
SPLINE_DEVIATION = 151 / 315


class Parameters:
    """Base of the frozen dataclasses that ``sample_*`` functions draw.

    Attributes:
        margin: how many pixels beyond a region can change the result inside it. Kernels override
            it; a photo is cut with this margin before the work and trimmed afterwards.
        grid: the work is done in whole blocks of so many pixels.
        hides: whether the damage hides what was photographed, so that its mask belongs to the
            scratch mask. A stain or a paper texture has a mask too, but shines through.
    """

    margin: int = 0
    grid: int = 1
    hides: bool = False


def require_range(value: float, limits: Range, name: str) -> None:
    """Raise InputError unless limits[0] <= value <= limits[1]."""
    if not limits[0] <= value <= limits[1]:
        raise InputError(f"{name} must be within {limits[0]} and {limits[1]}, got {value}")


def generator(seed: Seed) -> np.random.Generator:
    """Return the random generator of a seed, or of a tuple such as (seed, epoch, index).

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
    """Draw the seed that fixes what ``apply_*`` scatters over the photo."""
    return int(rng.integers(2**32))


def draw(rng: np.random.Generator, limits: Range) -> float:
    """Draw a number uniformly between two limits."""
    return float(rng.uniform(*limits))


def draw_int(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    """Draw a whole number uniformly between two limits, both included."""
    return int(rng.integers(limits[0], limits[1], endpoint=True))


@functools.cache
def normal_quantiles() -> np.ndarray:
    """Return the 65,536 values that cut the standard normal distribution into equal shares.

    Returns:
        float32 (65536,), ascending, between -4.33 and 4.33. Looked up with 16 random bits they
        are normal noise, five times faster than drawing it and finer than 8 bits can show.
    """
    half = [NormalDist().inv_cdf((i + 0.5) / 65536) for i in range(32768)]
    values = np.array(half + [-z for z in reversed(half)])
    # Cutting the tails at 4.33 takes 0.003 % off the deviation: give it back.
    return (values / values.std()).astype(np.float32)


def random_bits(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform uint16 numbers of a shape."""
    count = int(np.prod(shape))
    words = np.random.PCG64(seed).random_raw((count + 3) // 4)
    # "<" fixes the order of the four numbers in a word, on any machine.
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
    """Return a smooth random surface: a cubic spline over a grid of normal numbers.

    Args:
        size: (H, W).
        cells: number of bumps along the longer side; 1 is a gentle slope.

    Returns:
        float32 (H, W), mean 0 and deviation 1 over many seeds (less inside one small surface).
    """
    # Eight points in a cell are smooth enough; bilinear enlargement does the rest, quickly.
    shrink = max(1, max(size) // (8 * cells))
    height, width = (-(-side // shrink) for side in size)
    step = max(height, width) / cells
    knots = normal_field(seed, (int(height / step) + 5, int(width / step) + 5))
    # Plain sums rather than a matrix product, whose rounding may depend on the threads.
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
    """Return a rough random surface: smooth ones of ever finer bumps, added up.

    Args:
        cells: bumps of the coarsest surface along the longer side; doubled ``octaves - 1`` times.
        persistence: height of each surface as a share of the one before.

    Returns:
        float32 (H, W), mean 0 and deviation 1 over many seeds.
    """
    octaves = max(1, min(octaves, int(np.log2(max(max(size) / cells, 2)))))
    heights = [persistence**octave for octave in range(octaves)]
    total = np.zeros(size, np.float32)
    for octave, height in enumerate(heights):
        total += np.float32(height) * smooth_field(seed + octave, size, cells * 2**octave)
    return total / np.float32(np.linalg.norm(heights))
