"""Experiments on photos of your own: resolution of the scan, masks, memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from oldphoto.course.figures import STYLE
from oldphoto.degradations import Recipe, Stains, Step, apply_stains, degrade_pair, sample_scratches
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.images.files import load_rgb
from oldphoto.inference.batch import Restore
from oldphoto.inference.memory_plan import WorkingMemory
from oldphoto.metrics.fidelity import psnr, psnr_within
from oldphoto.system.memory import GIB

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the grey value of a photo (Rec. 601)."""

_SCRATCHED = Recipe(
    "scratched",
    groups=((Step(1.0, (partial(sample_scratches, num=(3, 4), width=(0.012, 0.02)),)),),),
    shuffled=(False,),
)
_TEA = Stains(num=3, radius=(0.2, 0.4), tint=(225.0, 185.0, 95.0), strength=0.9, ring=0.6, seed=0)


# --- scanning ----------------------------------------------------------------------------------


def degraded_photos(
    paths: Sequence[Path], recipe: str | Recipe = "released", seed: int = 0
) -> list[TestPhoto]:
    """Degrade clean photos by a recipe, without holes; the same seed gives the same photos."""
    photos = []
    for index, path in enumerate(paths):
        degraded, clean, mask = degrade_pair(load_rgb(path), (seed, index), recipe)
        photos.append(TestPhoto(path.stem, degraded, clean, mask))
    return photos


def scaled(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Resize uint8 (H, W, 3) to ``scale`` times its sides, like a scan of another resolution.

    Example:
        >>> scaled(np.zeros((20, 30, 3), np.uint8), 0.5).shape
        (10, 15, 3)
    """
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def resolution_scores(
    restore: Restore, photos: Sequence[TestPhoto], scales: Sequence[float]
) -> dict[float, list[float]]:
    """Restore each photo at several scales, resize it back and measure it.

    With the resolution of the scan, the grain and the blur of a print get larger in pixels.
    Enlarging a degraded photo has the same effect.

    Args:
        scales: factors of the sides; 1 is the size at which the damage was made.

    Returns:
        For each scale the PSNR of every photo in dB.
    """
    scores: dict[float, list[float]] = {}
    for scale in scales:
        scores[scale] = []
        for photo in photos:
            restored = np.asarray(restore(scaled(photo.degraded, scale), None))
            back = Image.fromarray(restored).resize(photo.clean.shape[1::-1], Image.Resampling.BOX)
            scores[scale].append(psnr(np.asarray(back), photo.clean))
    return scores


def stained_print(clean: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make a black and white print with tea stains, as scanned in colour.

    Args:
        clean: uint8 (H, W, 3); its grey version is the print.

    Returns:
        The stained print and the print itself, both uint8 (H, W, 3).
    """
    grey = np.repeat(np.rint(clean @ LUMA)[..., None], 3, axis=2).astype(np.uint8)
    stained, _ = apply_stains(grey, replace(_TEA, seed=seed))
    return stained, grey


# --- masks -------------------------------------------------------------------------------------


def scratched_photos(paths: Sequence[Path], seed: int = 0) -> list[TestPhoto]:
    """Draw scratches on clean photos; there is no other damage, and the masks are exact."""
    return degraded_photos(paths, _SCRATCHED, seed)


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Widen a bool mask (H, W) by a number of pixels all around; narrow it if negative.

    Example:
        >>> mask = np.zeros((5, 5), bool)
        >>> mask[2, 2] = True
        >>> int(grown(mask, 1).sum())
        9
    """
    kernel = np.ones((2 * abs(pixels) + 1,) * 2, np.uint8)
    change = cv2.dilate if pixels >= 0 else cv2.erode
    return change(mask.astype(np.uint8), kernel) > 0


def mask_scores(
    restore: Restore, photos: Sequence[TestPhoto], growths: Sequence[int], reach: int = 8
) -> dict[str, list[float]]:
    """Restore scratched photos with exact, too thin and too wide masks, and without a mask.

    Args:
        growths: pixels by which the exact mask is widened; negative: narrowed.
        reach: only pixels this near to a scratch are measured, because they are few.

    Returns:
        For each mask, by name, the PSNR around the scratches of every photo, in dB.
    """
    scores: dict[str, list[float]] = {"no mask": []}
    scores |= {mask_name(growth): [] for growth in growths}
    for photo in photos:
        near = grown(photo.scratch_mask, reach)
        masks = {mask_name(growth): grown(photo.scratch_mask, growth) for growth in growths}
        for name, mask in {"no mask": None, **masks}.items():
            restored = np.asarray(restore(photo.degraded, mask))
            scores[name].append(psnr_within(restored, photo.clean, near))
    return scores


def mask_name(growth: int) -> str:
    """Return the name of a mask in the results.

    Example:
        >>> mask_name(0), mask_name(-2)
        ('exact', '2 px thinner')
    """
    if not growth:
        return "exact"
    return f"{abs(growth)} px {'wider' if growth > 0 else 'thinner'}"


def draw_scores(scores: Mapping[str, Sequence[float]], xlabel: str, start: float = 0) -> Figure:
    """Draw the mean of each list as a bar, and each photo as a dot.

    Args:
        scores: PSNR values by name.
        xlabel: label of the axis with the names.
        start: lowest value of the other axis, in dB.
    """
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(7.5, 3.4))
        names = [str(name) for name in scores]
        axis.bar(names, [np.mean(v) for v in scores.values()], color="#56B4E9", edgecolor="black")
        for place, values in enumerate(scores.values()):
            spots = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else [0]
            axis.plot(place + np.array(spots), values, "o", color="black", markersize=4)
        axis.set(xlabel=xlabel, ylabel="PSNR, dB", ylim=(start, None))
    return fig


def score_words(scores: Mapping[str, Sequence[float]]) -> str:
    """Return the means as a sentence, the best first.

    Example:
        >>> score_words({"exact": [30.0, 32.0], "no mask": [20.0, 21.0]})
        'exact: 31.0 dB, no mask: 20.5 dB.'
    """
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    order = sorted(means, key=lambda name: means[name], reverse=True)
    return ", ".join(f"{name}: {means[name]:.1f} dB" for name in order) + "."


# --- memory ------------------------------------------------------------------------------------


def scan_size(sides_cm: tuple[float, float], dpi: int) -> tuple[int, int]:
    """Return height and width in pixels of a print, scanned at ``dpi`` dots per inch.

    Example:
        >>> scan_size((10, 15), dpi=300)
        (1181, 1772)
    """
    height, width = (round(side / 2.54 * dpi) for side in sides_cm)
    return height, width


def memory_table(
    memory: WorkingMemory, sides_cm: tuple[float, float], resolutions: Sequence[int]
) -> list[dict[str, str]]:
    """Predict the memory that a print takes at several scanning resolutions.

    Args:
        sides_cm: height and width of the print.
        resolutions: in dots per inch.

    Returns:
        A row for each resolution: pixels, and GiB without and with a mask.
    """
    rows = []
    for dpi in resolutions:
        height, width = scan_size(sides_cm, dpi)
        without, with_mask = (memory.predict_bytes(height, width, m) / GIB for m in (False, True))
        rows.append(
            {
                "dpi": str(dpi),
                "pixels": f"{width} x {height}",
                "without mask": f"{without:.2f} GiB",
                "with mask": f"{with_mask:.2f} GiB",
            }
        )
    return rows
