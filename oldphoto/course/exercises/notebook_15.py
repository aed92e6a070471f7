"""Exercises of notebook 15: scans, masks, memory, and when to stop fine-tuning."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Sheet

_mask = torch.zeros(1, 1, 12, 16)
_mask[..., 5, 4:9] = 1
_mask[..., 0, 0] = 1


def _scan_pixels(cm: float, dpi: int) -> int:
    return round(cm / 2.54 * dpi)


scan_pixels = Exercise(
    title="the pixels of a scan",
    level="complete a line",
    solution=_scan_pixels,
    trials=((15.0, 300), (10.0, 600), (2.54, 1200)),
    misconceptions={
        "This rounds the inches first: a centimetre of the print is lost.": (
            lambda cm, dpi: round(cm / 2.54) * dpi
        ),
        "This rounds up; round to the nearest whole number.": lambda cm, dpi: math.ceil(
            cm / 2.54 * dpi
        ),
        "An inch has 2.54 cm, not 25.4.": lambda cm, dpi: round(cm / 25.4 * dpi),
        "Dots are counted per inch, the print in centimetres.": lambda cm, dpi: round(cm * dpi),
        "An inch is longer than a centimetre: a print has fewer inches than centimetres.": (
            lambda cm, dpi: round(cm * 2.54 * dpi)
        ),
        "Return one side, not the area.": lambda cm, dpi: round((cm / 2.54 * dpi) ** 2),
        "Pixels are whole numbers: round.": lambda cm, dpi: cm / 2.54 * dpi,
        "int() truncates; round to the nearest whole number.": lambda cm, dpi: int(cm / 2.54 * dpi),
    },
    hints=(
        "dpi means dots per inch. How long is the side in inches?",
        "An inch is 2.54 cm. Multiply the inches by the dots of one inch, and round.",
    ),
    praise="Halve the resolution, and a quarter of the pixels is left.",
)


def _grow(scratch_mask: Tensor, pixels: int) -> Tensor:
    return F.max_pool2d(scratch_mask, 2 * pixels + 1, stride=1, padding=pixels)


grow = Exercise(
    title="widen a mask",
    level="modify",
    solution=_grow,
    trials=((_mask, 2), (_mask, 1)),
    limits=(0.0, 1.0),
    misconceptions={
        "The mask grows by one pixel, whatever `pixels` is.": (
            lambda scratch_mask, pixels: F.max_pool2d(scratch_mask, 3, stride=1, padding=1)
        ),
        "Only the new rim is left; the damage itself belongs to the mask, too.": (
            lambda scratch_mask, pixels: (
                F.max_pool2d(scratch_mask, 2 * pixels + 1, stride=1, padding=pixels) - scratch_mask
            )
        ),
        "The mask is as thin as before.": lambda scratch_mask, pixels: scratch_mask,
        "These are grey values. A pixel is either damaged or sound.": (
            lambda scratch_mask, pixels: F.avg_pool2d(
                scratch_mask, 2 * pixels + 1, stride=1, padding=pixels
            )
        ),
        "This widens what is SOUND, so the damage became thinner.": lambda scratch_mask, pixels: (
            1 - F.max_pool2d(1 - scratch_mask, 2 * pixels + 1, stride=1, padding=pixels)
        ),
        "Twice too wide: the window already extends to both sides.": (
            lambda scratch_mask, pixels: F.max_pool2d(
                scratch_mask, 4 * pixels + 1, stride=1, padding=2 * pixels
            )
        ),
        "The window is too narrow: it must extend that many pixels to both sides.": (
            lambda scratch_mask, pixels: F.max_pool2d(
                scratch_mask, pixels + 1, stride=1, padding=pixels // 2
            )
        ),
    },
    hints=(
        "A pixel becomes damaged if any pixel near it is: take the maximum in a window.",
        "The window extends that far to every side, so it is 2 * pixels + 1 wide; use padding.",
    ),
    praise="When in doubt draw a little too wide: sound pixels can be copied back, scratches not.",
)


def _largest_side(budget: int, fixed: int, per_pixel: int) -> int:
    return math.isqrt((budget - fixed) // per_pixel)


largest_side = Exercise(
    title="the largest photo that fits",
    level="complete a line",
    solution=_largest_side,
    trials=((10**9, 32 * 2**20, 400), (4 * 10**9, 10**8, 1000)),
    misconceptions={
        "The root is of the pixels, and the fixed bytes are not shared among them.": (
            lambda budget, fixed, per_pixel: math.isqrt(budget - fixed // per_pixel)
        ),
        "A side is the root of the pixels, not half of them.": (
            lambda budget, fixed, per_pixel: (budget - fixed) // per_pixel // 2
        ),
        "This is the number of pixels. What is the side of a square with that many?": (
            lambda budget, fixed, per_pixel: (budget - fixed) // per_pixel
        ),
        "You forgot the fixed bytes.": (
            lambda budget, fixed, per_pixel: math.isqrt(budget // per_pixel)
        ),
        "Subtract the fixed bytes from the budget, do not add them.": (
            lambda budget, fixed, per_pixel: math.isqrt((budget + fixed) // per_pixel)
        ),
        "Pixels are whole numbers: which side still fits?": (
            lambda budget, fixed, per_pixel: math.sqrt((budget - fixed) / per_pixel)
        ),
        "Rounded up, the photo needs more than the budget.": (
            lambda budget, fixed, per_pixel: math.ceil(math.sqrt((budget - fixed) / per_pixel))
        ),
    },
    hints=(
        "First: how many pixels fit? Then: what is the side of a square with that many?",
        "Subtract the fixed bytes, divide by those of a pixel, take the square root, round down.",
    ),
    praise="A larger photo is cut into tiles.",
    tolerance=1e-9,
)

_trained = np.array([21.4, 21.6, 22.2, 22.4, 22.3])
_rest = np.array([22.4, 22.6, 22.5, 22.1, 21.6])


_two_peaks = (_trained, np.array([22.0, 22.3, 22.1, 22.6, 22.2]))  # the first fall is not the last


def _weights_to_keep(trained_on: np.ndarray, rest: np.ndarray) -> int:
    return int(np.argmax(rest))


weights_to_keep = Exercise(
    title="which weights to keep",
    level="investigate",
    solution=_weights_to_keep,
    trials=((_trained, _rest), (_trained, _rest[::-1] - 1.0), (_trained, _trained - 3), _two_peaks),
    misconceptions={
        "You stop at the first fall. Later the score rises again, above the first peak.": (
            lambda trained_on, rest: int(np.argmax(np.diff(rest) < 0))
        ),
        "These are counted from 1. The first measurement has the index 0.": (
            lambda trained_on, rest: int(np.argmax(rest)) + 1
        ),
        "This is the smallest score. PSNR should be high.": (
            lambda trained_on, rest: int(np.argmin(rest))
        ),
        "These are best on the training photos, which the network may have memorised.": (
            lambda trained_on, rest: int(np.argmax(trained_on))
        ),
        "The last are not always the best: overfitting.": lambda trained_on, rest: len(rest) - 1,
        "This is the score. Return the index of the measurement, from 0.": (
            lambda trained_on, rest: float(np.max(rest))
        ),
        "Do not use the training photos: their score nearly always rises.": (
            lambda trained_on, rest: int(np.argmax(trained_on + rest))
        ),
        "The first are the initial weights. Sometimes they are the best, but not here.": (
            lambda trained_on, rest: 0
        ),
    },
    hints=(
        "Which of the two arrays tells you about photos that you have not scanned yet?",
        "Return the index of the largest value on the held-out photos.",
    ),
    praise="This is early stopping. If the answer is 0, keep the initial weights.",
    tolerance=1e-9,
)

sheet = Sheet("15", (scan_pixels, grow, largest_side, weights_to_keep))
