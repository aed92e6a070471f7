"""Damage out of pictures of damage: soft masks of real scratches, dust and stains, laid on a photo.

The pictures come from outside, so this is no damage of a recipe, which must replay anywhere.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.checks import InputError
from oldphoto.degradations.common import Parameters, Range, draw, require_photo
from oldphoto.degradations.layers import paint

LEAST_CHANGE = 12
"""Grey levels. Where a texture changes a photo by less, it is left out of photo and mask: nobody
could see the damage, and a detector that must guess it finds damage everywhere."""


@dataclass(frozen=True)
class TextureLayer(Parameters):
    """How a picture of damage lies on a photo.

    Attributes:
        scale: pixels of the photo for each pixel of the picture.
        angle: degrees.
        mirrored: whether the picture is mirrored first.
        place: where its middle lies, (x, y) as shares of the photo.
        opacity: of what is white in the picture.
        blur: deviation of a Gaussian in pixels of the photo.
        level: grey level of the damage.
    """

    scale: float
    angle: float
    mirrored: bool
    place: tuple[float, float]
    opacity: float
    blur: float
    level: float


def sample_texture_layer(
    rng: np.random.Generator,
    scale: Range = (0.2, 0.8),
    opacity: Range = (0.3, 1.0),
    blur: Range = (0.0, 1.0),
    light_prob: float = 0.5,
) -> TextureLayer:
    """Draw how a texture lies on a photo."""
    return TextureLayer(
        scale=float(np.exp(rng.uniform(*np.log(scale)))),
        angle=draw(rng, (0, 360)),
        mirrored=bool(rng.random() < 0.5),
        place=(draw(rng, (0.1, 0.9)), draw(rng, (0.1, 0.9))),
        opacity=draw(rng, opacity),
        blur=draw(rng, blur),
        level=draw(rng, (200, 255) if rng.random() < light_prob else (0, 70)),
    )


def apply_texture_layer(
    photo: np.ndarray, texture: np.ndarray, parameters: TextureLayer
) -> tuple[np.ndarray, np.ndarray]:
    """Lay a picture of damage on a photo.

    Args:
        photo: uint8 (H, W, 3).
        texture: uint8 (h, w), white where damaged, grey where half damaged.

    Returns:
        The damaged photo, uint8 (H, W, 3), and the mask, bool (H, W), True where it changed.

    >>> grey, dot = np.full((5, 5, 3), 100, np.uint8), np.full((1, 1), 255, np.uint8)
    >>> layer = TextureLayer(1.0, 0.0, False, (0.5, 0.5), 0.5, 0.0, 200.0)
    >>> damaged, mask = apply_texture_layer(grey, dot, layer)
    >>> damaged[2, 1:4, 0], int(mask.sum())
    (array([100, 150, 100], dtype=uint8), 1)

    Raises:
        InputError: if photo or texture is of another kind.
    """
    require_photo(photo)
    if texture.dtype != np.uint8 or texture.ndim != 2:
        raise InputError(f"expected a texture as uint8 (h, w), got {texture.dtype} {texture.shape}")
    texture = texture[:, ::-1] if parameters.mirrored else texture
    if parameters.scale < 1:  # the mean over each pixel's area, so that no thin line gets lost
        size = [max(1, round(side * parameters.scale)) for side in texture.shape[::-1]]
        texture = cv2.resize(texture, size, interpolation=cv2.INTER_AREA)
    height, width = photo.shape[:2]
    middle = (texture.shape[1] - 1) / 2, (texture.shape[0] - 1) / 2
    turn = cv2.getRotationMatrix2D(middle, parameters.angle, max(parameters.scale, 1.0))
    turn[:, 2] += np.array(parameters.place) * (width - 1, height - 1) - middle
    moved = cv2.warpAffine(np.ascontiguousarray(texture), turn, (width, height))
    coverage: np.ndarray = moved.astype(np.float32) * np.float32(parameters.opacity / 255)
    if parameters.blur > 0:
        coverage = cv2.GaussianBlur(coverage, (0, 0), parameters.blur)
    change = coverage * np.abs(parameters.level - photo.mean(axis=2))
    coverage[change < LEAST_CHANGE] = 0
    return paint(photo, np.full(3, parameters.level), coverage)
