"""Elastic distortion: one smooth bending for a texture, a photo and its mask."""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.checks import InputError
from oldphoto.degradations.common import (
    Parameters,
    Range,
    draw,
    draw_int,
    draw_seed,
    require_range,
    smooth_field,
)


@dataclass(frozen=True)
class Elastic(Parameters):
    """Points move by about ``amplitude`` (share of the short side) along ``cells`` waves.

    The shipped recipes bend only the textures on the photo (scratches, cracks), as the paper
    does: a photo that moved no longer fits its clean partner. In a recipe of your own it moves
    photo and mask together. That suits the scratch detector, which needs no partner.
    """

    amplitude: float
    cells: int
    seed: int


def sample_elastic(
    rng: np.random.Generator, amplitude: Range = (0.005, 0.02), cells: tuple[int, int] = (3, 6)
) -> Elastic:
    """Draw an elastic distortion."""
    return Elastic(draw(rng, amplitude), draw_int(rng, cells), draw_seed(rng))


def displacement(size: tuple[int, int], parameters: Elastic) -> tuple[np.ndarray, np.ndarray]:
    """Return how far right and how far below each pixel is read from, two float32 (H, W)."""
    pixels = np.float32(parameters.amplitude * min(size))
    sideways = smooth_field(parameters.seed, size, parameters.cells)
    downwards = smooth_field(parameters.seed + 1, size, parameters.cells)
    return pixels * sideways, pixels * downwards


def apply_elastic(image: np.ndarray, parameters: Elastic) -> np.ndarray:
    """Bend a photo, a texture or a mask. The surroundings are mirrored.

    Shape:
        image and result: (H, W) or (H, W, C), uint8 or float32 (bilinear), or bool (nearest).

    Source:
        Simard et al. 2003, with a smooth surface in place of blurred noise. The paper distorts
        its scratch and paper textures in this way.
    """
    require_range(parameters.amplitude, (0.0, 0.2), "the amplitude of an elastic distortion")
    is_mask = image.dtype == bool
    if not is_mask and image.dtype not in (np.uint8, np.float32):
        raise InputError(f"expected uint8, float32 or bool to distort, got {image.dtype}")
    height, width = image.shape[:2]
    sideways, downwards = displacement((height, width), parameters)
    columns = np.arange(width, dtype=np.float32) + sideways
    rows = np.arange(height, dtype=np.float32)[:, None] + downwards
    values = image.astype(np.uint8) if is_mask else image
    way = cv2.INTER_NEAREST if is_mask else cv2.INTER_LINEAR
    bent = cv2.remap(values, columns, rows, way, borderMode=cv2.BORDER_REFLECT_101)
    return bent.astype(bool) if is_mask else bent
