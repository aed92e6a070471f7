"""Losses of reproduction: low resolution, JPEG, the halftone screen of print.

Each ``apply_*`` takes and returns a photo, uint8 (H, W, 3).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

from oldphoto.checks import InputError
from oldphoto.degradations.common import (
    Parameters,
    Range,
    draw,
    draw_int,
    require_photo,
    require_range,
)


@dataclass(frozen=True)
class LowResolution(Parameters):
    """Both sides shrink by their scales. ``smooth`` enlarges bilinearly, otherwise by nearest."""

    scale_y: float
    scale_x: float
    smooth: bool

    @property
    def margin(self) -> int:
        # The cubic kernel reaches two small pixels, bilinear enlargement one more.
        return math.ceil(3 / min(self.scale_y, self.scale_x))


def sample_low_resolution(
    rng: np.random.Generator, scale: Range = (0.5, 1.0), smooth_prob: float = 0.5
) -> LowResolution:
    """Draw a low resolution. The defaults are those of the released code."""
    return LowResolution(draw(rng, scale), draw(rng, scale), bool(rng.random() < smooth_prob))


def apply_low_resolution(photo: np.ndarray, parameters: LowResolution) -> np.ndarray:
    """Shrink a photo, uint8 (H, W, 3), with an antialiased cubic, then enlarge it to its size.

    >>> photo = np.uint8([[[10] * 3, [20] * 3, [200] * 3, [210] * 3]])
    >>> apply_low_resolution(photo, LowResolution(1.0, 0.5, smooth=False))[0, :, 0]
    array([ 30,  30, 190, 190], dtype=uint8)

    Source:
        ``synthesize_low_resolution`` of the authors' code, which uses Pillow's filters. These
        agree with them within two grey levels and are several times faster.
    """
    require_photo(photo)
    require_range(min(parameters.scale_y, parameters.scale_x), (0.01, 1.0), "a scale")
    require_range(max(parameters.scale_y, parameters.scale_x), (0.01, 1.0), "a scale")
    height, width = photo.shape[:2]
    small = (max(1, round(height * parameters.scale_y)), max(1, round(width * parameters.scale_x)))
    # Photos straight from Pillow are read-only, and torch wants writable memory.
    pixels = np.require(photo, requirements=["C", "W"])
    channels = torch.from_numpy(pixels).permute(2, 0, 1)[None]  # (1, 3, H, W)
    shrunk = interpolate(channels, size=small, mode="bicubic", antialias=True)
    pixels = np.ascontiguousarray(shrunk[0].permute(1, 2, 0).numpy())  # (h, w, 3)
    # NEAREST_EXACT takes the pixel under the centre; plain NEAREST would shift the photo.
    way_up = cv2.INTER_LINEAR if parameters.smooth else cv2.INTER_NEAREST_EXACT
    return cv2.resize(pixels, (width, height), interpolation=way_up)


# Step of each wave of an 8 x 8 block of brightness at quality 50 (ITU-T T.81, annex K).
LUMINANCE_TABLE = np.array(
    (
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    )
)


def quantization_table(quality: int) -> np.ndarray:
    """Return the steps (8, 8) to which JPEG rounds the waves of a block of brightness.

    Row and column count the waves down and across. The rule is that of libjpeg: the steps of
    quality 50, divided by up to 50 above it and multiplied below it.

    >>> quantization_table(90)[0]
    array([ 3,  2,  2,  3,  5,  8, 10, 12])
    """
    require_range(quality, (1, 100), "JPEG quality")
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((LUMINANCE_TABLE * percent + 50) // 100).clip(1, 255)


@dataclass(frozen=True)
class Jpeg(Parameters):
    """JPEG at ``quality`` 1 to 100, colour at half the resolution (4:2:0)."""

    quality: int
    # Colour at half the resolution makes blocks of 16 pixels.
    grid = 16

    @property
    def margin(self) -> int:
        return 2  # colour is enlarged with its neighbours


def sample_jpeg(rng: np.random.Generator, quality: tuple[int, int] = (40, 100)) -> Jpeg:
    """Draw a JPEG quality. The default range is that of the released code."""
    return Jpeg(draw_int(rng, quality))


def encode_jpeg(photo: np.ndarray, parameters: Jpeg) -> bytes:
    """Return the JPEG file of a photo uint8 (H, W, 3)."""
    require_photo(photo)
    require_range(parameters.quality, (1, 100), "JPEG quality")
    options = [cv2.IMWRITE_JPEG_QUALITY, int(parameters.quality)]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise InputError(f"a photo of shape {photo.shape} cannot be written as JPEG")
    return data.tobytes()


def apply_jpeg(photo: np.ndarray, parameters: Jpeg) -> np.ndarray:
    """Write a photo, uint8 (H, W, 3), as JPEG and read it back."""
    data = np.frombuffer(encode_jpeg(photo, parameters), np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None  # this very file was just encoded
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Halftone(Parameters):
    """A screen of dots ``pitch`` pixels apart, turned by ``angle`` degrees, mixed in by opacity."""

    pitch: float
    angle: float
    opacity: float


def sample_halftone(
    rng: np.random.Generator,
    pitch: Range = (3.0, 7.0),
    angle: Range = (0.0, 90.0),
    opacity: Range = (0.25, 0.8),
) -> Halftone:
    """Draw the screen of a printed photo."""
    return Halftone(draw(rng, pitch), draw(rng, angle), draw(rng, opacity))


def apply_halftone(photo: np.ndarray, parameters: Halftone) -> np.ndarray:
    """Print a photo, uint8 (H, W, 3), as dots of ink that are larger where it is darker.

    Each channel is compared with a threshold that rises and falls like two crossed waves. The
    rims of the dots are soft over one pixel, as ink and scanner make them, and show no moire.
    """
    require_photo(photo)
    screen = _screen(photo.shape[:2], parameters.pitch, parameters.angle)
    return _print(photo, screen[..., None], parameters.pitch, parameters.opacity)


INK_ANGLES = (15.0, 75.0, 0.0)
"""Degrees by which printers turn the screens of cyan, magenta and yellow."""


@dataclass(frozen=True)
class Rosette(Parameters):
    """The three screens of a colour print, ``pitch`` pixels apart, each turned by its own angle.

    ``angle`` turns all three together, in degrees; ``opacity`` is how far the dots show.
    """

    pitch: float
    angle: float
    opacity: float


def sample_rosette(
    rng: np.random.Generator,
    pitch: Range = (2.5, 9.0),
    angle: Range = (0.0, 90.0),
    opacity: Range = (0.25, 0.8),
) -> Rosette:
    """Draw the screens of a colour print."""
    return Rosette(draw(rng, pitch), draw(rng, angle), draw(rng, opacity))


def apply_rosette(photo: np.ndarray, parameters: Rosette) -> np.ndarray:
    """Print a photo, uint8 (H, W, 3), in cyan, magenta and yellow dots.

    Each ink takes light from one channel, and its screen has an angle of its own, so that the dots
    form small roses instead of a coarse pattern.

    >>> grey = np.full((8, 8, 3), 128, np.uint8)
    >>> bool((apply_rosette(grey, Rosette(4.0, 0.0, 1.0)).std(axis=2) > 0).any())
    True
    """
    require_photo(photo)
    screens = [
        _screen(photo.shape[:2], parameters.pitch, parameters.angle + turn) for turn in INK_ANGLES
    ]
    return _print(photo, np.stack(screens, axis=2), parameters.pitch, parameters.opacity)


def _screen(size: tuple[int, int], pitch: float, angle: float) -> np.ndarray:
    """Return the threshold of each pixel, (H, W) in [0, 1]: two crossed waves."""
    require_range(pitch, (2.0, 100.0), "the pitch of a halftone in pixels")
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    turn, wave = np.deg2rad(angle), 2 * np.pi / pitch
    along = np.cos(wave * (cols * np.cos(turn) + rows * np.sin(turn)))
    across = np.cos(wave * (rows * np.cos(turn) - cols * np.sin(turn)))
    # The sum of two cosines is not uniformly distributed. Mapped through its own distribution
    # function it is, and then the share of paper between the dots equals the brightness.
    return _evenly_spread((along + across).astype(np.float32) / 2)


def _print(photo: np.ndarray, threshold: np.ndarray, pitch: float, opacity: float) -> np.ndarray:
    """Compare a photo with the thresholds, (H, W, 1) or (H, W, 3), and mix the dots with it."""
    softness = np.float32(1.5 / pitch)
    dots = np.clip((photo / np.float32(255) - threshold) / softness + 0.5, 0, 1) * 255
    mixed = photo + np.float32(opacity) * (dots - photo)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _evenly_spread(waves: np.ndarray) -> np.ndarray:
    """Map the mean of two cosines, in [-1, 1], to thresholds evenly spread over [0, 1]."""
    angles = (np.arange(256) + 0.5) * np.pi / 256
    values = np.sort((np.cos(angles)[:, None] + np.cos(angles)).reshape(-1) / 2)[::64]
    return np.interp(waves, values, np.linspace(0, 1, values.size)).astype(np.float32)
