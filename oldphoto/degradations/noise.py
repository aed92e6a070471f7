"""Noise: Gaussian, speckle, salt and pepper, film grain.

Each ``apply_*`` takes and returns a photo, uint8 (H, W, 3).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.degradations.common import (
    Parameters,
    Range,
    draw,
    draw_seed,
    generator,
    normal_field,
    normal_quantiles,
    random_bits,
    require_photo,
    require_range,
)


@dataclass(frozen=True)
class GaussianNoise(Parameters):
    """Noise of deviation ``sigma`` grey levels, independent in every pixel and channel."""

    sigma: float
    seed: int


def sample_gaussian_noise(rng: np.random.Generator, sigma: Range = (5.0, 50.0)) -> GaussianNoise:
    """Draw Gaussian noise. The default range is that of the released code."""
    return GaussianNoise(draw(rng, sigma), draw_seed(rng))


def apply_gaussian_noise(photo: np.ndarray, parameters: GaussianNoise) -> np.ndarray:
    """Add normal noise to a photo, uint8 (H, W, 3), and clip.

    >>> grey = np.full((1, 2, 3), 128, np.uint8)
    >>> apply_gaussian_noise(grey, GaussianNoise(sigma=10.0, seed=0)).tolist()
    [[[128, 138, 142], [132, 138, 128]]]

    Source:
        ``synthesize_gaussian`` of the authors' code. Theirs cuts off the fraction, which darkens
        every photo by half a grey level. Here the noise is rounded.
    """
    require_photo(photo)
    levels = np.rint(normal_quantiles() * np.float32(parameters.sigma)).astype(np.int16)
    noise = levels[random_bits(parameters.seed, photo.shape)]
    return cv2.add(photo, noise, dtype=cv2.CV_8U)  # clips


@dataclass(frozen=True)
class SpeckleNoise(Parameters):
    """Noise in proportion to the brightness: deviation ``sigma`` grey levels on pure white."""

    sigma: float
    seed: int


def sample_speckle_noise(rng: np.random.Generator, sigma: Range = (5.0, 50.0)) -> SpeckleNoise:
    """Draw speckle noise. The default range is that of the released code."""
    return SpeckleNoise(draw(rng, sigma), draw_seed(rng))


def apply_speckle_noise(photo: np.ndarray, parameters: SpeckleNoise) -> np.ndarray:
    """Multiply each value of a photo, uint8 (H, W, 3), by 1 + noise and clip.

    Source: ``synthesize_speckle`` of the authors' code.
    """
    require_photo(photo)
    factors = 1 + normal_quantiles() * np.float32(parameters.sigma / 255)
    factors = factors[random_bits(parameters.seed, photo.shape)]
    return cv2.multiply(photo, factors, dtype=cv2.CV_8U)


@dataclass(frozen=True)
class SaltPepper(Parameters):
    """A share ``amount`` of all values is lost: ``salt_share`` of them become 255, the rest 0."""

    amount: float
    salt_share: float
    seed: int


def sample_salt_pepper(
    rng: np.random.Generator, amount: Range = (0.0, 0.01), salt_share: Range = (0.3, 0.8)
) -> SaltPepper:
    """Draw salt and pepper. The default ranges are those of the released code."""
    return SaltPepper(draw(rng, amount), draw(rng, salt_share), draw_seed(rng))


def apply_salt_pepper(photo: np.ndarray, parameters: SaltPepper) -> np.ndarray:
    """Set single values of a photo, uint8 (H, W, 3), to 255 or 0.

    Source:
        ``synthesize_salt_pepper`` of the authors' code: each value is lost independently with
        probability ``amount``. Drawing the gaps between lost values gives the same distribution
        with a hundredth of the work.
    """
    require_photo(photo)
    require_range(parameters.amount, (0.0, 1.0), "the amount of salt and pepper")
    if parameters.amount < 1e-9:
        return photo.copy()
    rng = generator(parameters.seed)
    expected = photo.size * parameters.amount
    gaps = rng.geometric(parameters.amount, int(expected + 6 * np.sqrt(expected) + 16))
    lost = np.cumsum(gaps) - 1
    salted = rng.random(lost.size) < parameters.salt_share
    inside = lost < photo.size
    result = photo.copy()
    result.reshape(-1)[lost[inside]] = np.where(salted[inside], 255, 0)
    return result


@dataclass(frozen=True)
class FilmGrain(Parameters):
    """Grey grain of about ``grain_size`` pixels and ``sigma`` grey levels at middle grey.

    ``colour`` is the share of the grain that differs between the channels (0 = silver print).
    """

    sigma: float
    grain_size: float
    colour: float
    seed: int


def sample_film_grain(
    rng: np.random.Generator,
    sigma: Range = (4.0, 20.0),
    grain_size: Range = (0.5, 1.3),
    colour: Range = (0.0, 0.3),
) -> FilmGrain:
    """Draw the grain of a film."""
    return FilmGrain(draw(rng, sigma), draw(rng, grain_size), draw(rng, colour), draw_seed(rng))


def _clumped(seed: int, shape: tuple[int, ...], grain_size: float) -> np.ndarray:
    """Return normal noise of deviation 1 that is correlated over grain_size pixels."""
    noise = normal_field(seed, shape)
    kernel = cv2.getGaussianKernel(2 * int(np.ceil(2 * grain_size)) + 1, grain_size)
    noise = cv2.sepFilter2D(noise, cv2.CV_32F, kernel, kernel)
    return noise / np.float32((kernel**2).sum())  # the deviation left after the blur


def apply_film_grain(photo: np.ndarray, parameters: FilmGrain) -> np.ndarray:
    """Add grain to a photo, uint8 (H, W, 3), strongest in the middle tones.

    Black grains that cover a share ``1 - v`` of white paper have a variance of ``v (1 - v)``
    (Selwyn). The strength follows its square root, plus a small constant.
    """
    require_photo(photo)
    require_range(parameters.grain_size, (0.2, 20.0), "the grain size in pixels")
    tone = np.arange(256, dtype=np.float32) / 255
    strength = np.sqrt(4 * tone * (1 - tone)) * 0.9 + 0.1
    grey = _clumped(parameters.seed, photo.shape[:2], parameters.grain_size)[..., None]
    grain = grey
    if parameters.colour > 0:
        coloured = _clumped(parameters.seed + 1, photo.shape, parameters.grain_size)
        share = np.float32(parameters.colour)
        grain = np.sqrt(1 - share**2) * grey + share * coloured
    luminance = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    local = strength[luminance][..., None] * np.float32(parameters.sigma)
    return np.clip(np.rint(photo + local * grain), 0, 255).astype(np.uint8)
