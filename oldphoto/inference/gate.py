"""Tell the photos that need nothing: in colour, sharp, without grain and without JPEG blocks.

A network changes every pixel of what it restores, and a sound photo comes back a little worse. The
three measures look at the luminance; each limit was chosen so that no degraded photo passes
(``tests/benchmarks/bench_gate.py``). A black-and-white photo never passes: nearly all old photos
are such, and there the harm of leaving a damaged one alone is greater.
"""

from collections.abc import Callable

import cv2
import numpy as np

from oldphoto.inference.fidelity import find_toning, luminance

MAX_GRAIN = 0.5  # grey levels
MIN_SHARPNESS = 0.85
MAX_BLOCKINESS = 1.1
_SIDE = 16  # pixels; of the squares among which the smooth ones are looked for


def choose_gate(tone: str, always: bool) -> Callable[[np.ndarray], bool] | None:
    """Return the gate of a batch; None: all photos are restored.

    Args:
        tone: of the restorer. With another than "keep" a sound photo may still need a new tone.
        always: whether the user wants all photos restored.

    >>> choose_gate("keep", always=True) is None
    True
    """
    return needs_nothing if tone == "keep" and not always else None


def needs_nothing(pixels: np.ndarray) -> bool:
    """Whether a photo, uint8 (H, W, 3), has colours and none of blur, grain and JPEG blocks.

    Scratches are not looked for.

    >>> needs_nothing(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    False
    """
    grey = luminance(pixels).astype(np.float32)
    return (
        grain(grey) < MAX_GRAIN
        and sharpness(grey) > MIN_SHARPNESS
        and blockiness(grey) < MAX_BLOCKINESS
        and find_toning(pixels) is None
    )


def grain(grey: np.ndarray) -> float:
    """Return the noise of the smoothest tenth of a photo, in grey levels (standard deviation).

    Args:
        grey: float32 (H, W) in [0, 255], at least 16 pixels a side.

    Source:
        Donoho and Johnstone, 1994: the finest diagonal detail is noise, nearly all of it.
    """
    grey = grey[: grey.shape[0] // _SIDE * _SIDE, : grey.shape[1] // _SIDE * _SIDE]
    diagonal = np.zeros_like(grey)
    diagonal[:-1, :-1] = (grey[:-1, :-1] - grey[:-1, 1:] - grey[1:, :-1] + grey[1:, 1:]) / 2
    soft = cv2.GaussianBlur(grey, (0, 0), 2)
    slope = np.abs(cv2.Sobel(soft, -1, 1, 0)) + np.abs(cv2.Sobel(soft, -1, 0, 1))
    slopes, details = _squares(slope).mean(1), np.abs(_squares(diagonal)).mean(1)
    middle = _squares(grey)
    usable = (middle.min(1) > 8) & (middle.max(1) < 247)  # black and white show no noise
    if usable.sum() >= 8:
        slopes, details = slopes[usable], details[usable]
    smooth = np.argsort(slopes)[: max(4, len(slopes) // 10)]
    return float(np.median(details[smooth]) / np.sqrt(2 / np.pi))  # mean |x| of a normal x


def sharpness(grey: np.ndarray, sound: np.ndarray | None = None) -> float:
    """Return how steep the steepest edges are, against those of the photo at half its size.

    An edge from one pixel to the next is as steep at both sizes: 1. Blurred, it is steeper at half
    the size: about 0.5.

    Args:
        grey: float32 (H, W) in [0, 255].
        sound: bool (H, W), the pixels that count; None: all do.
    """
    half = half_size(grey)
    if sound is None:
        return _steepest(grey) / max(_steepest(half), 1.0)
    half_sound = half_size(sound.astype(np.float32)) == 1
    return _steepest(grey, sound) / max(_steepest(half, half_sound), 1.0)


def half_size(pixels: np.ndarray) -> np.ndarray:
    """Return a picture, (H, W) or (H, W, 3), at half its size: the mean of each square of four.

    >>> half_size(np.float32([[0, 2], [4, 6]])).tolist()
    [[3.0]]
    """
    size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def blockiness(grey: np.ndarray) -> float:
    """Return the mean step at the borders of 8x8 blocks, against that inside them; 1: no blocks.

    Args:
        grey: float32 (H, W) in [0, 255], at least 16 pixels a side.
    """
    worst = 0.0
    for axis in (0, 1):
        steps = np.minimum(np.abs(np.diff(grey, axis=axis)), 20).mean(1 - axis)
        steps = steps[: len(steps) // 8 * 8].reshape(-1, 8).mean(0)  # by the place in the block
        worst = max(worst, float(steps[7] / max(np.median(steps[:7]), 1e-3)))
    return worst


def _steepest(grey: np.ndarray, sound: np.ndarray | None = None) -> float:
    """Return the step between sound neighbours that half a percent of the pixels exceed."""
    down, right = np.abs(np.diff(grey, axis=0)), np.abs(np.diff(grey, axis=1))
    if sound is not None:
        down, right = down[sound[1:] & sound[:-1]], right[sound[:, 1:] & sound[:, :-1]]
    steps = np.concatenate([down.ravel(), right.ravel()])
    return float(np.percentile(steps, 99.5)) if steps.size else 0.0


def _squares(values: np.ndarray) -> np.ndarray:
    """Cut (H, W), sides multiples of 16, into squares: (N, 256)."""
    height, width = values.shape
    squares = values.reshape(height // _SIDE, _SIDE, width // _SIDE, _SIDE)
    return squares.swapaxes(1, 2).reshape(-1, _SIDE * _SIDE)
