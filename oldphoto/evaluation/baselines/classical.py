"""Restoration without learning: fill the holes, remove the noise, fill the holes again.

The first filling keeps the white of the holes from spreading while the photo is denoised. The
second filling is made from denoised pixels and is the result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import cv2
import numpy as np
from skimage.restoration import estimate_sigma, inpaint_biharmonic

from oldphoto.checks import InputError, require_in
from oldphoto.evaluation.baselines.bm3d import bm3d
from oldphoto.evaluation.baselines.common import require_photo_and_mask
from oldphoto.evaluation.test_photos import TestPhoto, make_test_photos
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_paths

Denoiser = Literal["nlm", "bm3d"]
Filler = Literal["telea", "navier-stokes", "biharmonic"]
DENOISERS: tuple[Denoiser, ...] = ("nlm", "bm3d")
FILLERS: tuple[Filler, ...] = ("telea", "navier-stokes", "biharmonic")


@dataclass(frozen=True)
class ClassicalSettings:
    """Settings of the pipeline, chosen by ``tune``.

    Attributes:
        denoiser: OpenCV's non-local means, or BM3D.
        noise_factor, noise_offset: the strength is factor * estimated noise + offset, in levels
            of 255. The estimate misses noise that went through a blur or JPEG, hence the offset.
        filler: OpenCV's Telea or Navier-Stokes, or scikit-image's biharmonic filling.
        radius: of OpenCV's fillers, in pixels.
    """

    denoiser: Denoiser = "bm3d"
    noise_factor: float = 1.0
    noise_offset: float = 6.0
    filler: Filler = "biharmonic"
    radius: int = 5

    def __post_init__(self) -> None:
        require_in(self.denoiser, DENOISERS, "denoiser")
        require_in(self.filler, FILLERS, "filler")
        if min(self.noise_factor, self.noise_offset) < 0 or self.radius < 1:
            raise InputError(f"strengths must not be negative and radius at least 1, got {self}")


TUNED_BM3D = ClassicalSettings("bm3d", noise_factor=0.7, noise_offset=9.0)
TUNED_NLM = ClassicalSettings("nlm", noise_factor=1.0, noise_offset=3.0)
TUNED = TUNED_BM3D
"""Found by ``print(tune())`` (10 minutes).

It maximises the PSNR of every second sample photo of kind ``clean``, degraded by the recipe
``released`` with holes over 5 to 20 %, seed 1. The held-out photos are not used."""


class Classical:
    """The pipeline, as a ``Method``.

    Args:
        settings: strengths and methods.

    Source:
        Buades et al. 2005 (non-local means), Dabov et al. 2007 (BM3D), Telea 2004, Bertalmio et
        al. 2001 (Navier-Stokes), Damelin and Hoang 2018 (biharmonic).
    """

    num_parameters = 0

    def __init__(self, settings: ClassicalSettings = TUNED) -> None:
        self.settings = settings

    def __call__(self, photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
        mask = require_photo_and_mask(photo, scratch_mask)
        return self.fill(self.denoise(fill_telea(photo, mask)), mask)

    def denoise(self, photo: np.ndarray) -> np.ndarray:
        """Remove noise of the estimated strength from a photo, uint8 (H, W, 3)."""
        strength = self.settings.noise_factor * noise_level(photo) + self.settings.noise_offset
        if self.settings.denoiser == "bm3d":
            return bm3d(photo, strength)
        return cv2.fastNlMeansDenoisingColored(photo, None, strength, strength, 3, 21)

    def fill(self, photo: np.ndarray, scratch_mask: np.ndarray) -> np.ndarray:
        """Fill the masked pixels from their surroundings; the others do not change."""
        if not scratch_mask.any():
            return photo
        if self.settings.filler == "biharmonic":
            filled = inpaint_biharmonic(photo, scratch_mask, channel_axis=2)
            return (255 * filled).round().clip(0, 255).astype(np.uint8)
        if self.settings.filler == "telea":
            return fill_telea(photo, scratch_mask, self.settings.radius)
        return cv2.inpaint(photo, _grey(scratch_mask), self.settings.radius, cv2.INPAINT_NS)


def noise_level(photo: np.ndarray) -> float:
    """Estimate the standard deviation of the noise, in levels of 255, from the finest wavelets.

    Source: Donoho and Johnstone 1994, from scikit-image.
    """
    return float(np.mean(estimate_sigma(photo, channel_axis=2)))


def fill_telea(photo: np.ndarray, scratch_mask: np.ndarray, radius: int = 3) -> np.ndarray:
    """Fill the masked pixels of uint8 (H, W, 3) by fast marching (Telea 2004)."""
    return cv2.inpaint(photo, _grey(scratch_mask), radius, cv2.INPAINT_TELEA)


def _grey(scratch_mask: np.ndarray) -> np.ndarray:
    return 255 * scratch_mask.astype(np.uint8)


def training_photos(seed: int = 1) -> list[TestPhoto]:
    """Return every second sample photo of kind ``clean``, degraded as test photos are."""
    return list(make_test_photos(sample_paths("clean"), seed=seed))[::2]


def candidates(denoisers: Sequence[Denoiser] = DENOISERS) -> Iterator[ClassicalSettings]:
    """Yield the settings of denoiser and strength that ``tune`` compares first."""
    for denoiser, factor, offset in product(denoisers, (0.7, 1.0), (3.0, 6.0, 9.0)):
        yield ClassicalSettings(denoiser, factor, offset)


def tune(
    photos: Sequence[TestPhoto] | None = None,
    denoisers: Sequence[Denoiser] = DENOISERS,
    report: Callable[[str], None] = print,
) -> ClassicalSettings:
    """Return the settings with the highest mean PSNR: first the denoiser, then the filler.

    Args:
        photos: to tune on; None takes ``training_photos``. Never use the photos of the evaluation.
        denoisers: to choose from.
        report: gets a line for each attempt.

    Raises:
        InputError: if there are no photos.
    """
    photos = training_photos() if photos is None else photos
    if not photos:
        raise InputError("expected at least one photo to tune on, got none")

    def score(settings: ClassicalSettings) -> float:
        method = Classical(settings)
        value = float(np.mean([psnr(method(p.degraded, p.scratch_mask), p.clean) for p in photos]))
        report(f"{value:.3f} dB: {settings}")
        return value

    best = max(candidates(denoisers), key=score)
    fillers = [replace(best, filler=name, radius=r) for name in FILLERS[:2] for r in (3, 8)]
    return max([best, *fillers], key=score)
