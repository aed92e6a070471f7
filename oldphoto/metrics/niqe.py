"""NIQE: how far a photo's local statistics are from those of undamaged photos.

No pair and no human ratings are needed. The statistics of undamaged photos come in a file that this
package does not ship, see ``oldphoto.metrics.files``.
"""

import zipfile
from pathlib import Path

import cv2
import numpy as np
from scipy.special import gamma

from oldphoto.checks import InputError
from oldphoto.metrics.files import NotAvailableError, find_metric_file

BLOCK = 96
"""Side of the blocks that are described one by one, in pixels; the authors' choice."""

NUM_FEATURES = 36  # 18 at each of two scales

# Shapes of the distribution to choose from, and the ratio of moments that each of them has.
_SHAPES = np.arange(200, 10001) / 1000
_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))

_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # horizontal, vertical, both diagonals


def normalised_brightness(grey: np.ndarray) -> np.ndarray:
    """Return the normalised brightness of BRISQUE: minus the local mean, over the local spread.

    Args:
        grey: (H, W) in levels, 0 to 255.

    Returns:
        float (H, W); in an undamaged photo about normal.

    Source:
        Mittal et al. 2012, equation 1: a Gaussian window of 7 pixels, sigma 7/6, constant 1.

    >>> normalised_brightness(np.full((9, 9), 77)).round(6).max().item()
    0.0
    """
    values = grey.astype(float)
    mean = _window_mean(values)
    spread = np.sqrt(np.abs(_window_mean(values * values) - mean**2))
    return (values - mean) / (spread + 1)


def natural_statistics(folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (36,) and covariance (36, 36) of the features of undamaged photos.

    Args:
        folder: folder of ``oldphoto download niqe``.

    Raises:
        NotAvailableError: if the file is missing.
        InputError: if it is not the published file.
    """
    path = find_metric_file("niqe", folder)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mean, covariance = arrays["mu_pris_param"], arrays["cov_pris_param"]
        return mean.reshape(NUM_FEATURES), covariance.reshape(NUM_FEATURES, NUM_FEATURES)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} does not hold the statistics of NIQE: {error}") from error


def niqe(photo: np.ndarray, natural: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the NIQE of a photo: about 3 for an undamaged one, more for a distorted one.

    Args:
        photo: uint8 (H, W, 3), at least two blocks of 96 x 96 pixels.
        natural: from ``natural_statistics``.

    Raises:
        NotAvailableError: if the photo is too small or too even.

    Source:
        Mittal, Soundararajan and Bovik 2013 (doi 10.1109/LSP.2012.2227726), eq. 10, with all blocks
        of the photo, as the authors' program does.
    """
    natural_mean, natural_covariance = natural
    features = block_features(_brightness(photo))  # (blocks, 36)
    known = features[np.isfinite(features).all(axis=1)]  # a block of one grey has no shape
    if len(known) < 2:
        raise NotAvailableError(
            f"NIQE needs at least two blocks of {BLOCK} x {BLOCK} pixels with some texture, got "
            f"{len(known)} in a photo of {photo.shape[1]} x {photo.shape[0]} pixels"
        )
    apart = np.nanmean(features, axis=0) - natural_mean
    covariance = (np.cov(known, rowvar=False) + natural_covariance) / 2
    # Few blocks do not span all 36 directions, hence the pseudo-inverse.
    return float(np.sqrt(apart @ np.linalg.pinv(covariance) @ apart))  # eq. 10


def block_features(grey: np.ndarray) -> np.ndarray:
    """Describe each block of 96 x 96 pixels by 36 numbers: 18 at full size, 18 at half of it.

    Args:
        grey: float (H, W) in levels, 0 to 255; what is no whole block is left out.

    Returns:
        (blocks, 36). Where a block has a single grey, there is no shape: not a number.

    >>> grey = np.random.default_rng(0).normal(128, 20, size=(200, 300))
    >>> block_features(grey).shape
    (6, 36)
    """
    rows, columns = grey.shape[0] // BLOCK, grey.shape[1] // BLOCK
    full = grey[: rows * BLOCK, : columns * BLOCK]
    if not full.size:
        return np.empty((0, NUM_FEATURES))
    half = _halved(full)
    scales = []
    for scaled, side in ((full, BLOCK), (half, BLOCK // 2)):
        normalised = normalised_brightness(scaled)
        # (rows, side, columns, side) to (rows, columns, side, side): one block after the other
        blocks = normalised.reshape(rows, side, columns, side).swapaxes(1, 2)
        scales.append([_features(block) for block in blocks.reshape(-1, side, side)])
    return np.concatenate(scales, axis=1)


def _features(block: np.ndarray) -> np.ndarray:
    """Return the 18 numbers of a block: of its values, and of its products with neighbours."""
    shape, left, right = _fit(block)
    numbers = [shape, (left + right) / 2]
    for shift in _NEIGHBOURS:
        shape, left, right = _fit(block * np.roll(block, shift, axis=(0, 1)))
        mean = (right - left) * gamma(2 / shape) / gamma(1 / shape)  # eq. 8
        numbers += [shape, mean, left, right]
    return np.array(numbers)


def _fit(values: np.ndarray) -> tuple[float, float, float]:
    """Fit a generalised normal distribution with two sides: shape, left and right scale.

    Source:
        Lasmar et al. 2009, by moments; equation 7 of the paper of NIQE.
    """
    negative, positive = values[values < 0], values[values > 0]
    if not (negative.size and positive.size):
        return np.nan, np.nan, np.nan
    left, right = (np.sqrt(np.mean(side**2)) for side in (negative, positive))
    ratio = left / right
    moments = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    wanted = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = _SHAPES[np.argmin((_RATIOS - wanted) ** 2)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return float(shape), float(left * scale), float(right * scale)


def _window_mean(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (7, 7), 7 / 6, borderType=cv2.BORDER_REPLICATE)


def _halved(grey: np.ndarray) -> np.ndarray:
    """Reduce to half by a bicubic filter as wide as the reduction, as MATLAB's imresize does."""
    # The kernel at every second place: |x| < 2 at half the step, of a = -1/2.
    offsets = np.abs(np.arange(-3.5, 4) / 2)
    near = 1.5 * offsets**3 - 2.5 * offsets**2 + 1
    far = -0.5 * offsets**3 + 2.5 * offsets**2 - 4 * offsets + 2
    kernel = np.where(offsets <= 1, near, np.where(offsets < 2, far, 0)) / 2
    # Eight taps: the middle of a new pixel lies between two old ones.
    blurred = cv2.sepFilter2D(
        grey, -1, kernel, kernel, anchor=(3, 3), borderType=cv2.BORDER_REFLECT
    )
    return blurred[::2, ::2]


def _brightness(photo: np.ndarray) -> np.ndarray:
    """Return the brightness Y in video levels, 16 to 235, rounded: what the statistics are of."""
    weights = np.array([65.481, 128.553, 24.966]) / 255  # ITU-R BT.601
    return np.round(photo.astype(float) @ weights + 16)
