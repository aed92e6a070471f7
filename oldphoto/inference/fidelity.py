"""Keep a restored photo true to its original: its tones, its greys, and as much as is asked for.

A network sees a window of a photo. It can shift the tone of a whole area, or give a black-and-white
photo coloured rims. What the eye sees from afar must not change, so these functions take it from
the original again. None of them learns anything.
"""

from dataclasses import dataclass

import cv2
import numpy as np

MAX_TONE_SHIFT = 3.0
"""Grey levels by which the tone of an area may change: as much as noise and JPEG move it."""

_AREA_SIGMA = 5.0  # pixels; finer than that is detail, which the network may change
TONE_REACH = 2 * 20
"""Pixels from which ``keep_tone`` can change a pixel: two blurs, each four sigmas to a side."""

_BINS = 64  # of the tone curve of a toned photo
_TONE_FIELD_SIGMA = 24.0  # pixels of the reduced photo: stains and yellow rims are this wide
_REDUCTION = 4  # areas of 4x4 pixels average the coloured noise of a scanner out
_MAX_COLOUR = 4.0
"""Grey levels of colour that a black-and-white photo may have besides its tone curve."""

_NOISE = 4.0  # grey levels of colour in an area of 4x4 pixels that are taken for noise


@dataclass(frozen=True)
class Toning:
    """The colour of a black-and-white photo: of its grey levels, and of its paper.

    Attributes:
        curve: what each of 256 grey levels is printed in, relative to it, float32 (256, 3).
        paper: what the paper and coloured writing add from place to place, float32
            (H / 4, W / 4, 3).
    """

    curve: np.ndarray
    paper: np.ndarray

    def print(
        self, grey: np.ndarray, first_row: int = 0, photo_height: int | None = None
    ) -> np.ndarray:
        """Return a grey photo, or some rows of it, in these colours.

        Args:
            grey: float32 (H, W) in [0, 255].
            first_row: of the photo, that ``grey`` begins with.
            photo_height: of the whole photo; None: that of ``grey``.

        Returns:
            float32 (H, W, 3).
        """
        height, width = grey.shape
        colour = np.empty((height, width, 3), np.float32)
        levels = np.arange(256, dtype=np.float32)
        for channel in range(3):
            shift = np.interp(grey.ravel(), levels, self.curve[:, channel]).reshape(grey.shape)
            colour[..., channel] = grey + shift
        paper = self._paper_rows(first_row, height, photo_height or height)
        colour += cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
        return colour

    def _paper_rows(self, first: int, count: int, photo_height: int) -> np.ndarray:
        """Return ``count`` rows of the paper at the height of the photo, (count, W / 4, 3)."""
        last = len(self.paper) - 1
        rows = np.arange(first, first + count, dtype=np.float32) + 0.5
        places = (rows * (len(self.paper) / photo_height) - 0.5).clip(0, last)
        above = places.astype(int)
        part = (places - above)[:, None, None].astype(np.float32)
        return self.paper[above] * (1 - part) + self.paper[np.minimum(above + 1, last)] * part


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Return the luminance of a photo (H, W, 3), in its own type and range.

    >>> luminance(np.full((1, 1, 3), 77, np.uint8)).tolist()
    [[77]]
    """
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def in_levels(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in [0, 255]: uint16 becomes float32, others stay as they are.

    >>> in_levels(np.full((1, 1, 3), 257, np.uint16)).tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    return pixels / np.float32(257) if pixels.dtype == np.uint16 else pixels


def find_toning(pixels: np.ndarray) -> Toning | None:
    """Return the toning of a black-and-white photo, or None if the photo has colours of its own.

    In a black-and-white photo, brown or not, the colour follows from the grey level, but for what
    the paper has taken on: stains and yellow rims are wide and smooth.

    Args:
        pixels: uint8 or float32 (H, W, 3) in [0, 255], or uint16.

    >>> brown = np.linspace((0, 0, 0), (255, 235, 200), 64)[None].repeat(64, axis=0)
    >>> find_toning(brown.astype(np.uint8)) is None
    False
    >>> find_toning(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)) is None
    True
    """
    height, width = pixels.shape[:2]
    size = (-(-width // _REDUCTION), -(-height // _REDUCTION))
    small = in_levels(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)).astype(np.float32)
    grey = luminance(small)
    colour = small - grey[..., None]  # (h, w, 3), how far each channel is from grey
    curve = _colour_of_levels(grey, colour)
    rest = colour - curve[np.rint(grey).astype(np.uint8)]
    paper = cv2.GaussianBlur(rest, (0, 0), _TONE_FIELD_SIGMA)
    rest -= paper
    if np.sqrt(np.square(rest).mean()) > _MAX_COLOUR:
        return None
    # Small but vivid things, a flag or lips, hardly count in the mean.
    if np.percentile(np.abs(rest).max(axis=2), 99.5) > 4 * _MAX_COLOUR:
        return None
    # Red writing below a brown photo is no noise: what is far from brown stays.
    return Toning(curve, paper + rest - np.clip(rest, -_NOISE, _NOISE))


def _colour_of_levels(grey: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return the mean colour of each of 256 grey levels, (256, 3), smooth from level to level."""
    bins = np.clip(grey * (_BINS / 256), 0, _BINS - 1).astype(int).ravel()
    counts = np.bincount(bins, minlength=_BINS)
    centres = (np.arange(_BINS) + 0.5) * (256 / _BINS)
    curve = np.empty((256, 3), np.float32)
    for channel in range(3):
        sums = np.bincount(bins, colour[..., channel].ravel(), minlength=_BINS)
        # A few pixels of prior on either side: an empty level takes the colour of its neighbours.
        both = np.stack([sums, counts])  # (2, 64)
        smooth = cv2.sepFilter2D(both, -1, cv2.getGaussianKernel(9, 1.5), np.ones(1))
        known = smooth[1] > 1e-6
        curve[:, channel] = np.interp(
            np.arange(256), centres[known], smooth[0][known] / smooth[1][known]
        )
    return curve


def keep_tone(
    original: np.ndarray, restored: np.ndarray, damaged: np.ndarray | None = None
) -> np.ndarray:
    """Return the restored photo with the tone of each area within 3 levels of the original's.

    Both photos are compared blurred. Where they differ by more than ``MAX_TONE_SHIFT``, the
    surplus is taken off. Damaged pixels are not compared; they get what their surroundings get.

    Args:
        original: uint8 or float32 (H, W, 3) in [0, 255].
        restored: float32 (H, W, 3) in [0, 255]; it is changed in place.
        damaged: bool (H, W), or None.

    >>> original, restored = np.full((8, 8, 3), 100, np.uint8), np.full((8, 8, 3), 110, np.float32)
    >>> float(keep_tone(original, restored).max())
    103.0
    """
    sound, weight = None, np.ones((1, 1, 1), np.float32)
    if damaged is not None:
        sound = (~damaged).astype(np.float32)[..., None]
        # In the middle of a large hole the weight is near 0, and nothing is known.
        weight = np.maximum(_blurred(sound), 1e-2)[..., None]
    # Taking the surplus off sharpens it at its rim, so the blurred photos are compared twice.
    for _ in range(2):
        moved = restored - original
        area = _blurred(moved if sound is None else moved * sound) / weight
        restored -= area - np.clip(area, -MAX_TONE_SHIFT, MAX_TONE_SHIFT)
    return restored


def _blurred(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), _AREA_SIGMA)


def blended(original: np.ndarray, restored: np.ndarray, strength: float) -> np.ndarray:
    """Return the photo between the original (0) and the restored one (1), float32 (H, W, 3).

    >>> blended(np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 8, np.float32), 0.5).tolist()
    [[[4.0, 4.0, 4.0]]]
    """
    if strength == 1:
        return restored
    return original + np.float32(strength) * (restored - original)
