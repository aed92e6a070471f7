"""Pictures of what a scratch detector finds: hits, misses and false alarms, curves, a slider."""

from collections.abc import Mapping

import ipywidgets
import numpy as np
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course.figures import COLOURS, Photo, as_pixels, photo_html
from oldphoto.course.widgets import picture_view, slider
from oldphoto.metrics.detection import Curve, confusion, grown

KINDS = {"found": "blue", "missed": "yellow", "false alarm": "red"}
_STYLES = ("-", "--", "-.", ":")
_WIDEST = 5  # pixels by which the slider widens a mask


def overlay(photo: Photo, found: np.ndarray, truth: np.ndarray | None = None) -> np.ndarray:
    """Paint on a photo what was found, missed and wrongly called damaged.

    Args:
        photo: in any form of ``show_photos``, (H, W) in size.
        found: bool (H, W), true = called damaged.
        truth: bool (H, W), true = damaged; None if nobody knows: all that was found is "found".

    Returns:
        uint8 (H, W, 3): found is blue, missed yellow, a false alarm red; the rest is pale.
    """
    pixels = as_pixels(photo)
    truth = found if truth is None else truth
    if found.shape != pixels.shape[:2] or truth.shape != found.shape:
        raise InputError(f"expected masks of size {pixels.shape[:2]}, got {found.shape}")
    painted = (0.5 * pixels + 127).astype(np.uint8)
    kinds = (found & truth, ~found & truth, found & ~truth)
    for where, colour in zip(kinds, KINDS.values(), strict=True):
        painted[where] = np.round(255 * np.array(to_rgb(COLOURS[colour])))
    return painted


def threshold_words(
    probability: np.ndarray, truth: np.ndarray, threshold: float, pixels: int
) -> str:
    """Say what a threshold and a widening by some pixels give on one photo."""
    counts = confusion(grown(probability >= threshold, pixels), truth)
    return (
        f"Threshold {threshold:.2f}, widened by {pixels}: precision {counts.precision:.2f}, "
        f"recall {counts.recall:.2f}, F1 {counts.f1:.2f}, IoU {counts.iou:.2f}."
    )


def threshold_view(
    photo: Photo, probability: np.ndarray, truth: np.ndarray, threshold: float = 0.5
) -> ipywidgets.Widget:
    """Return sliders for the threshold and the widening of the mask, and what they find.

    Args:
        photo: in any form of ``show_photos``.
        probability: float (H, W) in [0, 1].
        truth: bool (H, W), true = damaged.
        threshold: where the slider stands at first.
    """
    percent = slider("threshold, in %", round(100 * threshold), 1, 99)
    wider = slider("widened by, in pixels", 0, 0, _WIDEST)

    def html() -> str:
        level = percent.value / 100
        words = threshold_words(probability, truth, level, wider.value)
        painted = overlay(photo, grown(probability >= level, wider.value), truth)
        alt = f"{words} Blue: found; yellow: missed; red: false alarm."
        return f"{photo_html(twice(painted), alt)}<p>{alt}</p>"

    return picture_view([percent, wider], html)


def twice(pixels: np.ndarray) -> Image.Image:
    """Return a photo at twice its size: each pixel stays a square."""
    image = Image.fromarray(pixels)
    return image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST)


def draw_curves(curves: Mapping[str, Curve], fraction: float) -> tuple[Figure, str]:
    """Draw precision over recall, with the point of the best F1 of each curve.

    Args:
        curves: name to curve.
        fraction: of damaged pixels; the precision of guessing.

    Returns:
        The figure, and its words.
    """
    fig, axis = pyplot.subplots(figsize=(6.5, 4.5))
    words = []
    for (name, curve), style in zip(curves.items(), _STYLES, strict=False):
        axis.plot(curve.recall, curve.precision, style, label=name)
        threshold, f1 = curve.best
        place = int(np.flatnonzero(curve.threshold == threshold)[0])
        axis.plot(curve.recall[place], curve.precision[place], "ko")
        words.append(
            f"{name}: average precision {curve.average_precision:.2f}, best F1 {f1:.2f} at "
            f"threshold {threshold:.2f}."
        )
    axis.axhline(fraction, color="black", linestyle=":", label="guessing")
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axis.legend()
    return fig, " ".join(words)
