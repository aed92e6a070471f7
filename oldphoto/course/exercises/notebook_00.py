"""Exercises of notebook 00: photos, masks and an honest look at a restoration."""

import numpy as np
import torch
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Sheet

_rng = np.random.default_rng(0)
_mask = _rng.random((6, 10)) < 0.3
_pixels = _rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
_before = _rng.integers(0, 256, (6, 10, 3), dtype=np.uint8)
_after = _rng.integers(0, 256, (6, 10, 3), dtype=np.uint8)
_noise = torch.Generator().manual_seed(0)
_photo = 1.6 * torch.rand(1, 3, 4, 6, generator=_noise) - 0.8
_scratch_mask = (torch.rand(1, 1, 4, 6, generator=_noise) < 0.3).float()


def _damaged_fraction(mask: np.ndarray) -> float:
    return mask.mean()


damaged_fraction = Exercise(
    title="the damaged fraction of a photo",
    level="complete a line",
    solution=_damaged_fraction,
    trials=((_mask,), (np.zeros((3, 3), dtype=bool),)),
    misconceptions={
        "This divides by the sound pixels. Divide by all pixels.": lambda mask: (
            mask.sum() / (~mask).sum()
        ),
        "This says whether there is damage at all.": lambda mask: mask.any(),
        "Divide by the number of all pixels: height times width. Yours is the width.": (
            lambda mask: mask.sum() / mask.shape[1]
        ),
        "This is a number of pixels, not a fraction.": lambda mask: mask.sum(),
        "This is the fraction of SOUND pixels.": lambda mask: 1 - mask.mean(),
        "A fraction is between 0 and 1.": lambda mask: 100 * mask.mean(),
        "Divide by the number of all pixels: height times width.": (
            lambda mask: mask.sum() / mask.shape[0]
        ),
    },
    hints=(
        "True counts as 1 and False as 0. What is the mean of a mask, then?",
        "An array has the methods sum() and mean().",
    ),
    praise="The mean of a mask is the damaged fraction.",
)


def _to_tensor(pixels: np.ndarray) -> Tensor:
    channels_first = torch.from_numpy(pixels).permute(2, 0, 1)
    return channels_first[None].float() / 127.5 - 1


to_tensor = Exercise(
    title="from pixels to what the network sees",
    level="complete a line",
    solution=_to_tensor,
    trials=((_pixels,),),
    limits=(-1.0, 1.0),
    same_kind=True,
    misconceptions={
        "Values go from -0.5 to 0.5. The network expects -1 (black) to 1 (white).": (
            lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255 - 0.5
        ),
        "The colours are in the order blue, green, red. Leave them as they are.": (
            lambda pixels: (
                torch.from_numpy(pixels).flip(2).permute(2, 0, 1)[None].float() / 127.5 - 1
            )
        ),
        "Values go from 0 to 255. The network expects -1 (black) to 1 (white).": (
            lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
        ),
        "Values go from 0 to 1. The network expects -1 (black) to 1 (white).": (
            lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        ),
        "The shape is right, but reshape mixes colours and positions. Use permute instead.": (
            lambda pixels: (
                torch.from_numpy(pixels.copy()).reshape(1, 3, *pixels.shape[:2]).float() / 127.5 - 1
            )
        ),
        "The values are right. The network expects (1, 3, height, width).": (
            lambda pixels: torch.from_numpy(pixels).float() / 127.5 - 1
        ),
        "The values are right. One axis is missing: the batch, in front.": (
            lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1
        ),
        "Nearly: 255 must become exactly 1.": (
            lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 128 - 1
        ),
    },
    hints=(
        "Two things change: the order of the axes, and the range of the values.",
        "permute(2, 0, 1) moves the colours to the front; 0 must become -1, and 255 must become 1.",
    ),
    praise="This is the input format of every network in this course.",
)


def _paint_white(degraded: Tensor, scratch_mask: Tensor) -> Tensor:
    return degraded * (1 - scratch_mask) + scratch_mask


paint_white = Exercise(
    title="paint the damage white",
    level="modify",
    solution=_paint_white,
    trials=((_photo, _scratch_mask),),
    limits=(-1.0, 1.0),
    misconceptions={
        "Nothing has changed.": lambda degraded, scratch_mask: degraded,
        "1 was added and the rest cut off: a dark pixel becomes grey. Replace the pixel.": (
            lambda degraded, scratch_mask: (degraded + scratch_mask).clamp(-1, 1)
        ),
        "Only the damage is left, and the sound pixels are grey.": (
            lambda degraded, scratch_mask: degraded * scratch_mask
        ),
        "The whole photo is grey now. Sound pixels must stay as they are.": (
            lambda degraded, scratch_mask: 0 * degraded
        ),
        "The whole photo is white now. Sound pixels must stay as they are.": (
            lambda degraded, scratch_mask: torch.ones_like(degraded)
        ),
        "Damaged pixels become 0, which is grey in [-1, 1]. White is the largest value.": (
            lambda degraded, scratch_mask: degraded * (1 - scratch_mask)
        ),
        "Damaged pixels become -1, which is black.": (
            lambda degraded, scratch_mask: degraded * (1 - scratch_mask) - scratch_mask
        ),
        "The mask is the wrong way round: sound pixels became white.": (
            lambda degraded, scratch_mask: degraded * scratch_mask + (1 - scratch_mask)
        ),
        "1 was added to the pixel, so some values are outside [-1, 1]. Replace the pixel.": (
            lambda degraded, scratch_mask: degraded + scratch_mask
        ),
        "255 is white in a file. In a tensor of the network, white is 1.": (
            lambda degraded, scratch_mask: degraded * (1 - scratch_mask) + 255 * scratch_mask
        ),
    },
    hints=(
        "The mask is 1 where the photo is damaged: multiplying by (1 - mask) keeps the rest.",
        "What must be added where the mask is 1, so that the result is 1 there?",
    ),
    praise="Now the damage cannot be mistaken for part of the picture.",
)


def _change_outside(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> float:
    difference = np.abs(before.astype(float) - after.astype(float))
    return difference[~mask].mean()


change_outside = Exercise(
    title="what changed where nothing was damaged",
    level="investigate",
    solution=_change_outside,
    trials=((_before, _after, _mask),),
    misconceptions={
        "This is the largest change. Return the mean.": (
            lambda before, after, mask: np.abs(before.astype(float) - after)[~mask].max()
        ),
        "These are squared differences. Take absolute ones.": (
            lambda before, after, mask: ((before.astype(float) - after)[~mask] ** 2).mean()
        ),
        "This is the fraction of values that changed. By how much do they change?": (
            lambda before, after, mask: (before != after)[~mask].mean()
        ),
        "The sign was dropped after the mean, so brighter and darker have cancelled already.": (
            lambda before, after, mask: abs((before.astype(float) - after)[~mask].mean())
        ),
        "This is the mean over the whole photo. Use only the sound pixels.": (
            lambda before, after, mask: np.abs(before.astype(float) - after).mean()
        ),
        "This is the change INSIDE the damage.": (
            lambda before, after, mask: np.abs(before.astype(float) - after)[mask].mean()
        ),
        "Brighter and darker cancel each other. Take absolute differences first.": (
            lambda before, after, mask: (before.astype(float) - after)[~mask].mean()
        ),
        "uint8 cannot go below 0: 3 - 5 gives 254. Convert both photos to float first.": (
            lambda before, after, mask: np.abs(before - after)[~mask].mean()
        ),
        "This is the sum over all sound pixels. Return their mean.": (
            lambda before, after, mask: np.abs(before.astype(float) - after)[~mask].sum()
        ),
        "The three colours of a pixel were added up. Take their mean as well.": (
            lambda before, after, mask: np.abs(before.astype(float) - after).sum(2)[~mask].mean()
        ),
        "The damaged pixels were set to 0 but still counted. Leave them out of the mean.": (
            lambda before, after, mask: (
                np.abs(before.astype(float) - after) * ~mask[..., None]
            ).mean()
        ),
    },
    hints=(
        "~mask is True where the photo is sound; photo[~mask] takes only those pixels.",
        "Make both photos float, subtract, take np.abs, choose the sound pixels, take the mean.",
    ),
    praise="Restoration changes more than the scratch. Now you can say how much.",
)

sheet = Sheet("00", (to_tensor, damaged_fraction, paint_white, change_outside))
