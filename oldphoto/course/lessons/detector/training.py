"""Training crops with exact masks for the scratch detector, and measures of a trained one."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate

from oldphoto.checks import InputError, require_positive
from oldphoto.data import DetectorPairs
from oldphoto.degradations import Recipe
from oldphoto.degradations.recipes import Step
from oldphoto.degradations.scratches import sample_scratches
from oldphoto.metrics.detection import Curve, precision_recall_curve
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.samples import sample_paths

BATCH = 8
_TEST_SEED = 1_000  # damage of the test crops is never that of the training crops


def plain_scratches(side: int) -> Recipe:
    """Return a recipe of light scratches, 1 to 3 pixels wide: a network learns them in seconds.

    Args:
        side: of the photo or crop in pixels; damage is drawn in fractions of it.
    """
    require_positive(side=side)
    sample = partial(
        sample_scratches,
        num=(max(1, side // 24), max(3, side // 8)),
        width=(1 / side, 3 / side),
        opacity=(0.8, 1.0),
        light_prob=1.0,
    )
    return Recipe("plain scratches", groups=((Step(1.0, (sample,)),),), shuffled=(False,))


@dataclass(frozen=True)
class Crops:
    """Grey photos and where they are damaged.

    Attributes:
        grey: (N, 1, H, W) in [-1, 1].
        scratch_mask: (N, 1, H, W), 1 = damaged.
    """

    grey: Tensor
    scratch_mask: Tensor

    @property
    def truth(self) -> np.ndarray:
        """The masks as bool (N, 1, H, W)."""
        return self.scratch_mask.numpy() > 0.5

    @property
    def fraction(self) -> float:
        """Fraction of damaged pixels."""
        return float(self.truth.mean())


def damaged_crops(
    kind: str, count: int, crop: int, seed: int, recipe: str | Recipe | None = None
) -> Crops:
    """Make damaged crops of the sample photos, with masks that are exact and cost nothing.

    Args:
        kind: "clean" to train with, "held_out" to measure on; their damage differs, too.
        count: how many; each photo is used again and again, each time damaged anew.
        crop: side in pixels.
        seed: of cuts and damage.
        recipe: one with structured damage, or its name; None is ``plain_scratches``.
    """
    require_positive(count=count, crop=crop)
    seed += _TEST_SEED * (kind == "held_out")
    recipe = recipe or plain_scratches(crop)
    pairs = DetectorPairs(sample_paths(kind), crop=crop, seed=seed, recipe=recipe)
    samples = default_collate([pairs[position] for position in range(count)])
    return Crops(samples["grey"], samples["scratch_mask"])


def random_batch(crops: Crops, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw eight crops with their masks, all turned and mirrored in the same way.

    Returns:
        The grey crops and their scratch masks, both (8, 1, H, W).
    """
    chosen = torch.randint(len(crops.grey), (BATCH,), generator=generator)
    turns, mirrored = torch.randint(4, (2,), generator=generator).tolist()
    grey, mask = (
        torch.rot90(part[chosen], turns, (2, 3)) for part in (crops.grey, crops.scratch_mask)
    )
    return (grey.flip(3), mask.flip(3)) if mirrored % 2 else (grey, mask)


def probability(network: ScratchUNet, grey: Tensor) -> np.ndarray:
    """Return the probability of damage of each pixel, float32 as ``grey``: (B, 1, H, W)."""
    with torch.no_grad():
        parts = [network.eval()(part) for part in grey.split(2 * BATCH)]
    return torch.cat(parts).sigmoid().numpy()


def grey_levels(photo: np.ndarray) -> np.ndarray:
    """Return the brightness of a photo, uint8 (H, W), as the detector for people computes it."""
    return np.array(Image.fromarray(photo).convert("L"))


def photo_probability(network: ScratchUNet, photo: np.ndarray) -> np.ndarray:
    """Return the probability of damage of each pixel of a photo, at its own size.

    Args:
        network: a trained detector.
        photo: uint8 (H, W, 3), sides multiples of ``network.size_multiple``.

    Returns:
        float32 (H, W) in [0, 1].
    """
    grey = torch.from_numpy(grey_levels(photo)).float() / 127.5 - 1
    return probability(network, grey[None, None])[0, 0]


def curve_of(network: ScratchUNet, crops: Crops) -> Curve:
    """Return precision and recall over all pixels of the crops, for every threshold."""
    return precision_recall_curve(probability(network, crops.grey), crops.truth)


def average_precision(network: ScratchUNet, crops: Crops) -> float:
    """Return the average precision over all pixels of the crops, in [0, 1]."""
    return curve_of(network, crops).average_precision


def shift_error(network: ScratchUNet, grey: Tensor, pixels: int = 1) -> float:
    """Return the mean change of the probabilities when the photo is moved.

    The photo is moved to the right, the answer is moved back, and the two are compared away from
    the rim. 0 = the detector finds the same wherever a scratch lies.

    Args:
        network: a trained detector.
        grey: (B, 1, H, W) in [-1, 1].
        pixels: how far; a multiple of ``network.size_multiple`` changes little.
    """
    margin = 4 * network.size_multiple
    if min(grey.shape[-2:]) <= 2 * margin:
        raise InputError(f"expected photos of more than {2 * margin} px, got {grey.shape[-2:]}")
    straight = probability(network, grey)
    moved = probability(network, grey.roll(pixels, dims=3))
    difference = np.abs(np.roll(moved, -pixels, axis=3) - straight)
    return float(difference[..., margin:-margin, margin:-margin].mean())


def edge_strength(grey: np.ndarray) -> np.ndarray:
    """Return how steep the brightness of a photo is: (H, W) in levels a pixel.

    Args:
        grey: (H, W) in levels, 0 to 255.
    """
    rows, columns = np.gradient(grey.astype(float))
    return np.hypot(rows, columns)


def alarms_at_edges(
    found: np.ndarray, grey: np.ndarray, fraction: float = 0.1
) -> tuple[float, float]:
    """Return the fraction of false alarms at steep edges and elsewhere, of an undamaged photo.

    Args:
        found: bool (H, W), what a detector calls damaged.
        grey: (H, W) in levels, 0 to 255.
        fraction: how many of the pixels count as steepest.

    Returns:
        Of the steepest pixels, the fraction that is called damaged; of the others, theirs.
    """
    if found.shape != grey.shape:
        raise InputError(f"expected one size, got {found.shape} and {grey.shape}")
    edges = edge_strength(grey)
    steepest = edges >= np.quantile(edges, 1 - fraction)
    if steepest.all():
        raise InputError("expected a photo with edges, all pixels of this one are equally steep")
    return float(found[steepest].mean()), float(found[~steepest].mean())
