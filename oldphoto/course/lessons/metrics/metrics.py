"""The lesson on metrics: terms of SSIM, features of BRISQUE, bias of FID, coverage of intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.checks import InputError, require_positive
from oldphoto.metrics.bootstrap import bootstrap
from oldphoto.metrics.fidelity import require_pair
from oldphoto.metrics.niqe import normalised_brightness as normalised_brightness
from oldphoto.metrics.realism import frechet_distance

WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""Constants of SSIM for values from 0 to 255, which keep it finite in flat windows."""


@dataclass(frozen=True)
class SsimMaps:
    """The three terms of SSIM for each whole window, (H - 10, W - 10, 3), one a colour.

    Attributes:
        luminance: 1 where both windows have the same mean.
        contrast: 1 where both have the same standard deviation.
        structure: 1 where one window is the other up to brightness and contrast; -1: its negative.
    """

    luminance: np.ndarray
    contrast: np.ndarray
    structure: np.ndarray

    @property
    def ssim(self) -> np.ndarray:
        """The product of the three terms; its mean is the SSIM of the photos."""
        return self.luminance * self.contrast * self.structure


def window_weights() -> np.ndarray:
    """Return the weights of the pixels of a window: a Gaussian, (11, 11), that sums to 1.

    >>> window_weights().shape, round(float(window_weights().sum()), 6)
    ((11, 11), 1.0)
    """
    one_way = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_64F)
    return one_way @ one_way.T


def ssim_maps(output: np.ndarray, clean: np.ndarray) -> SsimMaps:
    """Return the terms of SSIM, window by window.

    Args:
        output, clean: uint8 (H, W, 3) of one size, sides at least 11.

    Raises:
        InputError: if the photos are of another kind, of two sizes, or too small.

    Source:
        Wang et al. 2004, equations 6, 9 and 10, with C3 = C2 / 2 and all exponents 1.
    """
    require_pair(output, clean)
    if min(clean.shape[:2]) < WINDOW:
        raise InputError(f"expected sides of at least {WINDOW} pixels, got {clean.shape[:2]}")
    x, y = output.astype(float), clean.astype(float)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    std_x = np.sqrt(np.maximum(_window_mean(x * x) - mean_x**2, 0))
    std_y = np.sqrt(np.maximum(_window_mean(y * y) - mean_y**2, 0))
    covariance = _window_mean(x * y) - mean_x * mean_y
    return SsimMaps(
        (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1),
        (2 * std_x * std_y + C2) / (std_x**2 + std_y**2 + C2),
        (covariance + C2 / 2) / (std_x * std_y + C2 / 2),
    )


def ssim_terms(output: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    """Return the mean of each term of SSIM over all windows and colours, and SSIM itself.

    Args:
        output, clean: as in ``ssim_maps``.
    """
    maps = ssim_maps(output, clean)
    terms = {"luminance": maps.luminance, "contrast": maps.contrast, "structure": maps.structure}
    return {name: float(found.mean()) for name, found in (terms | {"SSIM": maps.ssim}).items()}


def _window_mean(values: np.ndarray) -> np.ndarray:
    """Return the weighted mean over each window that lies inside of (H, W, 3)."""
    rim = WINDOW // 2
    return cv2.GaussianBlur(values, (WINDOW, WINDOW), SIGMA)[rim:-rim, rim:-rim]


def frechet_bias(
    sizes: Sequence[int], num_features: int, num_repeats: int, seed: int = 0
) -> dict[int, list[float]]:
    """Measure the Fréchet distance of two sets from ONE distribution, for which the truth is 0.

    Args:
        sizes: how many members each of both sets has.
        num_features: of each member, independent and standard normal.
        num_repeats: how often two new sets are drawn for each size.
        seed: of the drawing.

    Returns:
        Size to the distances that were measured.
    """
    require_positive(num_features=num_features, num_repeats=num_repeats)
    rng = np.random.default_rng(seed)
    return {
        size: [
            frechet_distance(*rng.normal(size=(2, size, num_features))) for _ in range(num_repeats)
        ]
        for size in sizes
    }


def coverage(num_photos: int, num_studies: int, seed: int = 0) -> float:
    """Return the coverage of a 95 % bootstrap interval: how often it contains the mean, in [0, 1].

    Each study has so many photos, whose values are normal with a mean that we know.
    """
    require_positive(num_photos=num_photos, num_studies=num_studies)
    rng = np.random.default_rng(seed)
    hits = 0
    for number in range(num_studies):
        found = bootstrap(rng.normal(size=num_photos).tolist(), num_resamples=1000, seed=number)
        hits += found.low <= 0 <= found.high
    return hits / num_studies
