"""Restore an enlarged photo at half its size.

Many old photos on the web were enlarged from small files and compressed again. The network learned
to sharpen edges that blur has widened; of the artefacts along such edges it makes steps and double
lines. At half the size the photo has lost nothing but the artefacts, and there the network sharpens
its edges cleanly. What the restoration has changed is then enlarged and added to the photo.
"""

import cv2
import numpy as np

from oldphoto.inference.fidelity import in_levels, luminance
from oldphoto.inference.gate import half_size, sharpness

_SOFT, _SOFT_AT_HALF = 0.6, 0.72  # sharpness of the photo, and of the photo at half its size
_FINEST = 0.58
"""Amplitude of the finest octave, against that of the next. Photos blurred by recipe ``released``
have up to 0.5 where they are as soft, enlarged old photos 0.6 to 1.4: compression leaves artefacts,
but no steep edges. A photo that is soft without them is restored at its own size."""

_LEAST_SIDE = 128  # pixels; smaller photos are small enough
_RIM = 25  # pixels; so far the paint of a hole spreads when a photo is halved twice


def is_enlarged(pixels: np.ndarray, damaged: np.ndarray | None) -> bool:
    """Return whether a photo shows the signs of an enlargement.

    Args:
        pixels: uint8 or uint16 (H, W, 3).
        damaged: bool (H, W), pixels that do not count; None: all count.

    >>> is_enlarged(np.zeros((200, 300, 3), np.uint8), None)
    False
    """
    if min(pixels.shape[:2]) < _LEAST_SIDE:
        return False
    grey = in_levels(luminance(pixels)).astype(np.float32)
    half = half_size(grey)
    sound = half_sound = None
    if damaged is not None:
        sound = cv2.dilate(damaged.astype(np.uint8), np.ones((_RIM, _RIM), np.uint8)) == 0
        half_sound = half_size(sound.astype(np.float32)) == 1
    # The smaller one first: nearly all photos are sharp there, and a scan need not be searched.
    if sharpness(half, half_sound) >= _SOFT_AT_HALF or sharpness(grey, sound) >= _SOFT:
        return False
    finest = _octave(grey, half, sound)
    return finest > _FINEST * max(_octave(half, half_size(half), half_sound), 1.0)


def _octave(grey: np.ndarray, half: np.ndarray, sound: np.ndarray | None) -> float:
    """Return the standard deviation of what halving removes, in grey levels."""
    size = (grey.shape[1], grey.shape[0])
    lost = grey - cv2.resize(half, size, interpolation=cv2.INTER_CUBIC)
    lost = lost if sound is None else lost[sound]
    return float(np.sqrt(np.square(lost).mean())) if lost.size else 0.0


def halved(pixels: np.ndarray, damaged: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return photo and mask at half their size; what is damaged in part is damaged."""
    hole = None if damaged is None else half_size(damaged.astype(np.float32)) > 0
    return half_size(pixels), hole


def with_change(
    pixels: np.ndarray, half: np.ndarray, restored: np.ndarray, hole: np.ndarray | None
) -> np.ndarray:
    """Return a photo with the change that restoration has made at half its size.

    Args:
        pixels: uint8 or uint16 (H, W, 3).
        half, hole: from ``halved``.
        restored: what became of ``half``, of its shape and type.

    Returns:
        (H, W, 3), of the type of ``pixels``.
    """
    size = (pixels.shape[1], pixels.shape[0])
    after = restored.astype(np.float32)
    change = after - half
    if hole is not None:
        change[hole] = 0  # what lies in a hole is no part of the photo
    result = cv2.resize(change, size, interpolation=cv2.INTER_CUBIC)
    result += pixels
    if hole is not None:
        filled = cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        result[filled] = cv2.resize(after, size, interpolation=cv2.INTER_CUBIC)[filled]
    return np.rint(result).clip(0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
