"""Changes of tone and colour: colour cast, fading, sepia, yellowing, vignette.

Each ``apply_*`` takes and returns a photo, uint8 (H, W, 3).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.degradations.common import (
    Parameters,
    Range,
    draw,
    draw_int,
    draw_seed,
    require_photo,
    require_range,
    smooth_field,
)

# Bleached photographic paper: light, and warm because its gelatine has turned yellow.
PAPER_WHITE = np.array((244, 236, 214), np.float32)
# What a strength of 1 takes off each channel: yellow is white without blue.
YELLOW_LOSS = np.array((0.03, 0.10, 0.42), np.float32)


def _to_pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class RgbShift(Parameters):
    """Grey levels added to each channel."""

    red: int
    green: int
    blue: int


def sample_rgb_shift(rng: np.random.Generator, shift: tuple[int, int] = (-20, 20)) -> RgbShift:
    """Draw a colour cast. The default range is the paper's."""
    return RgbShift(draw_int(rng, shift), draw_int(rng, shift), draw_int(rng, shift))


def apply_rgb_shift(photo: np.ndarray, parameters: RgbShift) -> np.ndarray:
    """Add a constant to each channel of a photo, uint8 (H, W, 3), and clip.

    Source:
        Colour jitter of the paper's journal version, section 4.2.
    """
    require_photo(photo)
    shift = np.array((parameters.red, parameters.green, parameters.blue), np.int16)
    return np.clip(photo + shift, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Fading(Parameters):
    """Black rises to the level ``black``, white falls to the level ``white`` (of 255)."""

    black: float
    white: float


def sample_fading(
    rng: np.random.Generator, black: Range = (10.0, 80.0), white: Range = (190.0, 255.0)
) -> Fading:
    """Draw a loss of contrast."""
    return Fading(draw(rng, black), draw(rng, white))


def apply_fading(photo: np.ndarray, parameters: Fading) -> np.ndarray:
    """Squeeze the tones of a photo, uint8 (H, W, 3), linearly between faded black and white.

    >>> photo = np.uint8([[[0, 128, 255]]])
    >>> apply_fading(photo, Fading(black=40.0, white=220.0)).tolist()
    [[[40, 130, 220]]]
    """
    require_photo(photo)
    require_range(parameters.white, (parameters.black, 255.0), "the faded white level")
    tones = np.linspace(parameters.black, parameters.white, 256)
    return cv2.LUT(photo, _to_pixels(tones))


@dataclass(frozen=True)
class Sepia(Parameters):
    """Colour gives way to a toned grey by ``strength``; ``depth`` 0 is neutral, 1 deep brown."""

    strength: float
    depth: float


def sample_sepia(
    rng: np.random.Generator, strength: Range = (0.6, 1.0), depth: Range = (0.0, 1.0)
) -> Sepia:
    """Draw a toning."""
    return Sepia(draw(rng, strength), draw(rng, depth))


def apply_sepia(photo: np.ndarray, parameters: Sepia) -> np.ndarray:
    """Mix a photo, uint8 (H, W, 3), with its toned luminance.

    Each channel is the luminance raised to its own power. The middle tones turn brown, as in a
    toned print. Black stays black and white stays white.
    """
    require_photo(photo)
    require_range(parameters.strength, (0.0, 1.0), "the strength of sepia")
    powers = 1 + parameters.depth * np.array((-0.22, 0.08, 0.60))
    tones = 255 * np.linspace(0, 1, 256)[:, None] ** powers  # (256, 3)
    luminance = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    toned = _to_pixels(tones)[luminance]
    return cv2.addWeighted(photo, 1 - parameters.strength, toned, parameters.strength, 0)


@dataclass(frozen=True)
class Yellowing(Parameters):
    """The paper turned yellow by ``strength``: 0 is not at all, 1 is amber."""

    strength: float


def sample_yellowing(rng: np.random.Generator, strength: Range = (0.2, 0.9)) -> Yellowing:
    """Draw a yellowing."""
    return Yellowing(draw(rng, strength))


def apply_yellowing(photo: np.ndarray, parameters: Yellowing) -> np.ndarray:
    """Put a yellow filter over a photo, uint8 (H, W, 3): each channel loses its own share."""
    require_photo(photo)
    require_range(parameters.strength, (0.0, 1.0), "the strength of yellowing")
    keep = 1 - parameters.strength * YELLOW_LOSS
    return cv2.LUT(photo, _to_pixels(np.arange(256)[:, None] * keep)[None])


@dataclass(frozen=True)
class UnevenFading(Parameters):
    """The photo bleaches by up to ``strength``, most where a surface of ``cells`` bumps is high."""

    strength: float
    cells: int
    seed: int


def sample_uneven_fading(
    rng: np.random.Generator, strength: Range = (0.2, 0.7), cells: tuple[int, int] = (1, 4)
) -> UnevenFading:
    """Draw a bleaching that differs from place to place."""
    return UnevenFading(draw(rng, strength), draw_int(rng, cells), draw_seed(rng))


def apply_uneven_fading(photo: np.ndarray, parameters: UnevenFading) -> np.ndarray:
    """Mix a photo, uint8 (H, W, 3), with bleached paper, more in some places than in others."""
    require_photo(photo)
    require_range(parameters.strength, (0.0, 1.0), "the strength of fading")
    surface = smooth_field(parameters.seed, photo.shape[:2], parameters.cells)
    share = parameters.strength / (1 + np.exp(-2 * surface))  # (H, W), between 0 and strength
    return _to_pixels(photo + share[..., None] * (PAPER_WHITE - photo))


@dataclass(frozen=True)
class Vignette(Parameters):
    """Light is lost towards the corners, at the farthest one the share ``strength``.

    The centre is given as shares of width and height. ``bleached``: the rim turns paper white,
    as in an album. Otherwise it turns dark, as behind an old lens.
    """

    strength: float
    centre_x: float
    centre_y: float
    bleached: bool


def sample_vignette(
    rng: np.random.Generator,
    strength: Range = (0.2, 0.7),
    centre: Range = (0.4, 0.6),
    bleached_prob: float = 0.4,
) -> Vignette:
    """Draw a vignette."""
    bleached = bool(rng.random() < bleached_prob)
    return Vignette(draw(rng, strength), draw(rng, centre), draw(rng, centre), bleached)


def apply_vignette(photo: np.ndarray, parameters: Vignette) -> np.ndarray:
    """Darken or bleach a photo, uint8 (H, W, 3), with the squared distance from the centre."""
    require_photo(photo)
    require_range(parameters.strength, (0.0, 1.0), "the strength of a vignette")
    height, width = photo.shape[:2]
    rows = (np.arange(height, dtype=np.float32) - parameters.centre_y * (height - 1)) ** 2
    cols = (np.arange(width, dtype=np.float32) - parameters.centre_x * (width - 1)) ** 2
    distance = rows[:, None] + cols
    share = np.float32(parameters.strength) * distance / max(distance.max(), 1)
    target = PAPER_WHITE if parameters.bleached else np.zeros(3, np.float32)
    return _to_pixels(photo + share[..., None] * (target - photo))
