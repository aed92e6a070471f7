"""An overlay on a restored photo: invented, uncertain and wrong pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

import ipywidgets
import numpy as np
from matplotlib import colormaps
from torch import Tensor

from oldphoto.checks import require_in
from oldphoto.course.common import enlarged
from oldphoto.course.figures import STYLE, photo_html
from oldphoto.course.lessons.limits.doubt import error_of, invented_overlay, rim_of, spread_of
from oldphoto.course.widgets import picture_view, slider
from oldphoto.images.tensors import to_pixels

LAYERS = ("restored", "invented", "spread", "doubted", "wrong")
HIGHEST = 10
"""Largest threshold of the spread, in levels of 255; the brightest of the layer ``spread``."""

WRONG = 20
"""Smallest visible error, in levels of 255."""

_HEAT = colormaps[STYLE["image.cmap"]]
_RIM = np.array([255, 255, 255], np.uint8)


@dataclass(frozen=True)
class Overlays:
    """The layers of a photo that was restored with a hole of ours.

    Attributes:
        restored: mean of the samples, uint8 (H, W, 3).
        mask: bool (H, W), true in the hole.
        spread: of the samples, float (H, W), levels of 255.
        error: of their mean, float (H, W), levels of 255.
    """

    restored: np.ndarray
    mask: np.ndarray
    spread: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, samples: Tensor, clean: np.ndarray, mask: np.ndarray) -> "Overlays":
        """Compute all layers once, from samples (N, 3, H, W) in [-1, 1]."""
        restored = to_pixels(samples.mean(dim=0))
        return cls(restored, mask, spread_of(samples), error_of(samples, clean))

    def doubted(self, threshold: float) -> np.ndarray:
        """Return the pixels whose spread reaches the threshold, bool (H, W)."""
        return self.spread >= threshold

    @property
    def wrong(self) -> np.ndarray:
        """Pixels whose error reaches ``WRONG``, bool (H, W)."""
        return self.error >= WRONG


def layer_picture(overlays: Overlays, layer: str, threshold: float) -> np.ndarray:
    """Draw one layer over the restored photo.

    Args:
        layer: one of ``LAYERS``: "restored" is the photo alone; "invented", "doubted" and "wrong"
            mark the mask, the pixels whose spread reaches the threshold, and those whose error
            reaches ``WRONG``; "spread" is a map of the spread. A white outline shows the hole.
        threshold: of the spread, in levels of 255.

    Returns:
        uint8 (H, W, 3).

    Raises:
        InputError: if there is no such layer.
    """
    require_in(layer, LAYERS, "layer")
    if layer == "restored":
        return overlays.restored
    if layer == "invented":
        return invented_overlay(overlays.restored, overlays.mask)
    if layer == "spread":
        heat = _HEAT(np.clip(overlays.spread / HIGHEST, 0, 1))[..., :3]
        picture = np.rint(255 * heat).astype(np.uint8)
    else:
        where = overlays.doubted(threshold) if layer == "doubted" else overlays.wrong
        picture = invented_overlay(overlays.restored, where)
    picture[rim_of(overlays.mask)] = _RIM
    return picture


def doubted_fractions(overlays: Overlays, threshold: float) -> tuple[float, float, float]:
    """Return the doubted fractions of the invented, of the other, and of the wrong pixels.

    Returns:
        Three numbers in [0, 1]; the last is 0 where nothing is wrong.
    """
    doubted, wrong = overlays.doubted(threshold), overlays.wrong
    of_wrong = float(doubted[wrong].mean()) if wrong.any() else 0.0
    return float(doubted[overlays.mask].mean()), float(doubted[~overlays.mask].mean()), of_wrong


def overlay_words(name: str, overlays: Overlays, threshold: float) -> str:
    """Return sentences on the fractions of a photo that are invented, doubted and wrong."""
    mask, wrong = overlays.mask, overlays.wrong
    inside, outside, of_wrong = doubted_fractions(overlays, threshold)
    return (
        f"{name}: {100 * mask.mean():.0f} % of the pixels are invented. With a spread of "
        f"{threshold} levels or more, {100 * inside:.0f} % of them and {100 * outside:.0f} % of "
        f"the others are doubted. Wrong by {WRONG} levels or more are "
        f"{100 * wrong[mask].mean():.0f} % of the invented pixels and "
        f"{100 * wrong[~mask].mean():.0f} % of the others; {100 * of_wrong:.0f} % of all the wrong "
        "ones are doubted."
    )


def honesty_view(cases: Mapping[str, Overlays]) -> ipywidgets.Widget:
    """Return a widget to choose photo, layer and threshold; it shows the picture and its fractions.

    Args:
        cases: layers by the name of the photo.
    """
    photo = ipywidgets.Dropdown(options=list(cases), description="photo")
    layer = ipywidgets.RadioButtons(options=LAYERS, value="doubted", description="layer:")
    threshold = slider("doubted from a spread of ... levels", HIGHEST // 2, 0, HIGHEST)

    def html() -> str:
        overlays = cases[photo.value]
        pixels = layer_picture(overlays, layer.value, threshold.value)
        words = overlay_words(photo.value, overlays, threshold.value)
        alt = f"Layer {layer.value}. {words}"
        return f"{photo_html(enlarged(pixels, times=3), alt)}<p>{words}</p>"

    return picture_view([photo, layer, threshold], html)
