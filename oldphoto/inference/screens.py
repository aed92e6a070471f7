"""Printed pictures: find the screen of their dots, and never let a restoration make it stronger.

A postcard or a book plate is a regular pattern of dots, 2 to 10 pixels apart in a scan. A network
that takes the dots for texture draws them more clearly. In the spectrum of the photo the screen is
a few sharp peaks, so it can be told and held back without a network.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from scipy import fft

SIDE = 128
"""Pixels of a window, whose spectrum is looked at; windows overlap by half."""

SCREEN_STEP = SIDE // 2
"""Rows from one window to the next. Strips of a photo that begin at a multiple of it, with two more
on each side, give what the whole photo gives."""

_PERIODS = (2.0, 10.0)  # pixels between two dots
_PEAK = 10.0  # times the power of its surroundings: photos of things have less, see the test
_MOST_WINDOWS = 100  # that are looked at to find a screen; they lie all over the photo
_AT_ONCE = 64  # windows in memory

# The square root of a Hann window: multiplied in before and after, overlapping windows sum to 1.
_AXIS = np.sin(np.pi * (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE)
_WINDOW = _AXIS[:, None] * _AXIS


def find_screen(grey: np.ndarray) -> np.ndarray | None:
    """Return the frequencies at which a photo has the peaks of a printing screen.

    Args:
        grey: (H, W), luminance, of any type and range.

    Returns:
        bool (SIDE, SIDE / 2 + 1), true at the peaks and beside them, as ``rfft2`` orders the
        frequencies; None: no screen was found, or the photo is smaller than a window.

    >>> rows, columns = np.mgrid[:256, :256].astype(np.float32)
    >>> noise = np.random.default_rng(0).normal(0, 4, (256, 256)).astype(np.float32)
    >>> dots = 20 * np.cos(2 * np.pi * columns / 5) * np.cos(2 * np.pi * rows / 5)
    >>> find_screen(128 + noise) is None, find_screen(128 + noise + dots) is None
    (True, False)
    """
    if min(grey.shape) < SIDE:
        return None
    places = list(_places(grey.shape))
    power = np.zeros((SIDE, SIDE // 2 + 1))
    for top, left in places[:: -(-len(places) // _MOST_WINDOWS)]:
        window = grey[top : top + SIDE, left : left + SIDE]
        power += np.square(np.abs(fft.rfft2((window - window.mean()) * _WINDOW)))
    rows, columns = np.meshgrid(fft.fftfreq(SIDE), fft.rfftfreq(SIDE), indexing="ij")
    frequency = np.hypot(rows, columns)
    printed = (frequency > 1 / _PERIODS[1]) & (frequency < 1 / _PERIODS[0])
    # In order of frequency, so that the median looks at neighbours.
    logarithm = fft.fftshift(np.log(power + 1e-6).astype(np.float32), axes=0)
    surroundings = cv2.medianBlur(logarithm, 5)
    peaks = logarithm - surroundings > np.log(_PEAK)
    peaks &= fft.fftshift(printed, axes=0)
    if not peaks.any():
        return None
    # Beside a peak, because a window spreads it, and dots are never quite regular.
    wide = cv2.dilate(peaks.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return fft.ifftshift(wide, axes=0)


def hold_screen_back(original: np.ndarray, restored: np.ndarray, screen: np.ndarray) -> np.ndarray:
    """Return the restored photo with the dots of a screen no stronger than in the original.

    Window by window, the amplitude at the screen's frequencies is cut down to the original's. All
    others stay, and so does what has become weaker.

    Args:
        original: float32 (H, W), luminance.
        restored: float32 (H, W), luminance.
        screen: of ``find_screen``.

    Returns:
        float32 (H, W), restored luminance.
    """
    height, width = restored.shape
    # Half a window more on each side, so that every pixel lies in as many windows as any other.
    last = [-(-side // (SCREEN_STEP)) * (SCREEN_STEP) - side for side in (height, width)]
    pads = [(SCREEN_STEP, SCREEN_STEP + more) for more in last]
    before, after = (np.pad(photo, pads, mode="reflect") for photo in (original, restored))
    change = np.zeros_like(after)
    places = list(_places(after.shape))
    for first in range(0, len(places), _AT_ONCE):
        some = places[first : first + _AT_ONCE]
        wanted, found = (_spectra(photo, some)[:, screen] for photo in (before, after))
        sizes = np.abs(found)
        surplus = np.maximum(sizes - np.abs(wanted), 0) / np.maximum(sizes, 1e-12)
        spectra = np.zeros((len(some), *screen.shape), np.complex64)
        spectra[:, screen] = -surplus * found
        for (top, left), part in zip(some, fft.irfft2(spectra, (SIDE, SIDE)), strict=True):
            change[top : top + SIDE, left : left + SIDE] += part * _WINDOW
    inside = tuple(slice(SCREEN_STEP, SCREEN_STEP + side) for side in (height, width))
    return restored + change[inside]


def _places(size: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield the first row and column of each window that lies inside a photo of this size."""
    for top in range(0, size[0] - SIDE + 1, SCREEN_STEP):
        for left in range(0, size[1] - SIDE + 1, SCREEN_STEP):
            yield top, left


def _spectra(photo: np.ndarray, places: list[tuple[int, int]]) -> np.ndarray:
    """Return the spectra of some windows, complex64 (N, SIDE, SIDE / 2 + 1)."""
    windows = np.stack([photo[top : top + SIDE, left : left + SIDE] for top, left in places])
    return fft.rfft2(windows * _WINDOW)
