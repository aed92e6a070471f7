"""Blur: Gaussian (soft lens), box (out of focus), motion (shaken camera); edges are mirrored.

Each ``apply_*`` takes and returns a photo, uint8 (H, W, 3).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.checks import InputError
from oldphoto.degradations.common import Parameters, Range, draw, require_photo, require_range


def _require_odd(kernel_size: int) -> None:
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise InputError(f"a kernel size is an odd number of pixels >= 1, got {kernel_size}")


@dataclass(frozen=True)
class GaussianBlur(Parameters):
    """A Gaussian of deviation ``sigma`` pixels, cut to a square of ``kernel_size`` pixels."""

    kernel_size: int
    sigma: float

    @property
    def margin(self) -> int:
        return self.kernel_size // 2


def sample_gaussian_blur(
    rng: np.random.Generator,
    kernel_sizes: tuple[int, ...] = (3, 5, 7),
    sigma: Range = (1.0, 5.0),
) -> GaussianBlur:
    """Draw a Gaussian blur. The defaults are those of the released code."""
    return GaussianBlur(int(rng.choice(kernel_sizes)), draw(rng, sigma))


def apply_gaussian_blur(photo: np.ndarray, parameters: GaussianBlur) -> np.ndarray:
    """Blur a photo, uint8 (H, W, 3), with a Gaussian.

    >>> step = np.repeat(np.uint8([[[0], [0], [90], [90]]]), 3, axis=2)
    >>> apply_gaussian_blur(step, GaussianBlur(kernel_size=3, sigma=1.0))[0, :, 0]
    array([ 0, 25, 65, 90], dtype=uint8)

    Source:
        ``online_add_degradation_v2`` of the authors' code, with the same OpenCV kernel.
    """
    require_photo(photo)
    _require_odd(parameters.kernel_size)
    size = (parameters.kernel_size, parameters.kernel_size)
    return cv2.GaussianBlur(photo, size, parameters.sigma)


@dataclass(frozen=True)
class BoxBlur(Parameters):
    """The mean over a square of ``kernel_size`` pixels."""

    kernel_size: int

    @property
    def margin(self) -> int:
        return self.kernel_size // 2


def sample_box_blur(rng: np.random.Generator, kernel_sizes: tuple[int, ...] = (3, 5, 7)) -> BoxBlur:
    """Draw a box blur."""
    return BoxBlur(int(rng.choice(kernel_sizes)))


def apply_box_blur(photo: np.ndarray, parameters: BoxBlur) -> np.ndarray:
    """Replace each pixel of a uint8 photo (H, W, 3) by the mean of the square around it.

    Source:
        Journal version of the paper, section 4.2: box blur for lens defocus.
    """
    require_photo(photo)
    _require_odd(parameters.kernel_size)
    return cv2.blur(photo, (parameters.kernel_size, parameters.kernel_size))


@dataclass(frozen=True)
class MotionBlur(Parameters):
    """The camera moved by ``length`` pixels in direction ``angle`` (degrees, 0 = sideways)."""

    length: float
    angle: float

    @property
    def margin(self) -> int:
        return int(self.length) // 2 + 1


def sample_motion_blur(
    rng: np.random.Generator, length: Range = (3.0, 11.0), angle: Range = (0.0, 180.0)
) -> MotionBlur:
    """Draw a motion blur."""
    return MotionBlur(draw(rng, length), draw(rng, angle))


def motion_kernel(parameters: MotionBlur) -> np.ndarray:
    """Return a straight line through the middle as a kernel that sums to 1.

    Returns:
        float32 (K, K) with K = 2 * margin + 1.
    """
    side = 2 * parameters.margin + 1
    turn = np.deg2rad(parameters.angle)
    # Each instant of the exposure leaves its light on four pixels (bilinear weights).
    instants = np.linspace(-0.5, 0.5, 8 * side) * (parameters.length - 1)
    kernel = np.zeros((side, side))
    for x, y in zip(instants * np.cos(turn), instants * np.sin(turn), strict=True):
        left, top = int(np.floor(x)), int(np.floor(y))
        right_share, low_share = x - left, y - top
        row, col = top + side // 2, left + side // 2
        shares = np.outer((1 - low_share, low_share), (1 - right_share, right_share))
        block = kernel[row : row + 2, col : col + 2]
        block += shares[: block.shape[0], : block.shape[1]]
    return (kernel / kernel.sum()).astype(np.float32)


def apply_motion_blur(photo: np.ndarray, parameters: MotionBlur) -> np.ndarray:
    """Smear a photo, uint8 (H, W, 3), along a line."""
    require_photo(photo)
    require_range(parameters.length, (1.0, 101.0), "the length of a motion blur")
    return cv2.filter2D(photo, -1, motion_kernel(parameters))
