"""Exercises of notebook 09: counting, a level of the U-Net, the focal loss, the curve, masks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.course.exercises.engine import Exercise, Sheet
from oldphoto.metrics.detection import precision_recall_curve
from oldphoto.networks.scratch_detector import UpBlock

_draw = np.random.default_rng(9)
_truth = _draw.random((12, 15)) < 0.2
_found = (_draw.random((12, 15)) < 0.15) | (_truth & (_draw.random((12, 15)) < 0.6))
_few = _truth & (_draw.random((12, 15)) < 0.3)


def _precision(found: np.ndarray, truth: np.ndarray) -> float:
    return (found & truth).sum() / found.sum()


precision = Exercise(
    title="precision",
    level="complete a line",
    solution=_precision,
    trials=((_found, _truth), (_few | (_found & ~_truth), _truth)),
    limits=(0.0, 1.0),
    misconceptions={
        "This is in percent. A fraction lies between 0 and 1.": (
            lambda found, truth: 100 * (found & truth).sum() / found.sum()
        ),
        "This is a number of pixels. Divide it by that of all pixels called damaged.": (
            lambda found, truth: (found & truth).sum()
        ),
        "That is the fraction of sound pixels with a false alarm.": (
            lambda found, truth: (found & ~truth).sum() / (~truth).sum()
        ),
        "// drops the fraction.": lambda found, truth: (found & truth).sum() // found.sum(),
        "You divide by all that is damaged: that is recall, the fraction that was found.": (
            lambda found, truth: (found & truth).sum() / truth.sum()
        ),
        "That is accuracy. It counts the sound pixels too, and nearly all are sound.": (
            lambda found, truth: (found == truth).mean()
        ),
        "That is intersection over union: pixels that were missed lower it as well.": (
            lambda found, truth: (found & truth).sum() / (found | truth).sum()
        ),
        "That is the fraction of false alarms among what was found; you want the others.": (
            lambda found, truth: (found & ~truth).sum() / found.sum()
        ),
        "That is F1, which counts misses as well.": (
            lambda found, truth: 2 * (found & truth).sum() / (found.sum() + truth.sum())
        ),
        "You divide by all pixels. Only those called damaged count for precision.": (
            lambda found, truth: (found & truth).mean()
        ),
    },
    hints=(
        "Of the pixels that were called damaged, how many really are?",
        "Two sums: of the pixels in both masks, and of the pixels in found.",
    ),
    praise="Who calls one pixel damaged, and is right, has precision 1: it needs recall beside it.",
)

_features = torch.randn(2, 8, 5, 6, generator=torch.Generator().manual_seed(1))
_skip = torch.randn(2, 4, 10, 12, generator=torch.Generator().manual_seed(2))


def _block_and_gradients(
    answer: Callable[..., Any], x: Tensor, skip: Tensor
) -> dict[str, Any] | None:
    """Run a block with fixed weights, and send a gradient back through it."""
    block = answer(x.shape[1], skip.shape[1])
    if not isinstance(block, nn.Module):
        return None
    draw = torch.Generator().manual_seed(0)
    for weight in block.parameters():
        nn.init.normal_(weight, std=0.3, generator=draw)
    x.requires_grad_()
    skip.requires_grad_()
    joined = block(x, skip)
    if joined is None or joined is ...:
        return None
    if isinstance(joined, Tensor) and joined.requires_grad:
        joined.backward(torch.randn(joined.shape, generator=draw))
    results = {"The result": joined}
    for name, inputs in (("The gradient of x", x), ("The gradient of skip", skip)):
        results[name] = torch.zeros_like(inputs) if inputs.grad is None else inputs.grad
    return results


def _other_block(forward: Callable[[UpBlock, Tensor, Tensor], Tensor]) -> type[UpBlock]:
    """Return an UpBlock with another ``forward``."""
    return type("UpBlock", (UpBlock,), {"forward": forward})


def _twice(x: Tensor, mode: str = "bilinear") -> Tensor:
    aligned = False if mode == "bilinear" else None
    return F.interpolate(x, scale_factor=2, mode=mode, align_corners=aligned)


def _with_corners_aligned(block: UpBlock, x: Tensor, skip: Tensor) -> Tensor:
    larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    return block.block2(block.block1(torch.cat([block.conv(larger), skip], dim=1)))


up_block = Exercise(
    title="one level up",
    level="build",
    solution=UpBlock,
    trials=((_features, _skip), (_features[:, :6, 1:, 1:], _skip[:, :3, :8, :10])),
    observe=_block_and_gradients,
    misconceptions={
        "There is a ReLU before the stack. The two blocks have theirs.": _other_block(
            lambda self, x, skip: self.block2(
                self.block1(torch.cat([self.conv(_twice(x)).relu(), skip], dim=1))
            )
        ),
        "block2 is used twice.": _other_block(
            lambda self, x, skip: self.block2(
                self.block2(self.block1(torch.cat([self.conv(_twice(x)), skip], dim=1)))
            )
        ),
        "Both parts are there, in the other order. In the package the features from below "
        "come first, and its weights expect them there.": _other_block(
            lambda self, x, skip: self.block2(
                self.block1(torch.cat([skip, self.conv(_twice(x))], dim=1))
            )
        ),
        "skip is not used: the exact places that the way down knew are lost.": _other_block(
            lambda self, x, skip: self.block2(
                self.block1(torch.cat([self.conv(_twice(x)), self.conv(_twice(x))], dim=1))
            )
        ),
        "x is not used: nothing of the coarse levels arrives.": _other_block(
            lambda self, x, skip: self.block2(self.block1(torch.cat([skip, skip], dim=1)))
        ),
        "This repeats each value (nearest neighbour). Interpolate with mode='bilinear'.": (
            _other_block(
                lambda self, x, skip: self.block2(
                    self.block1(torch.cat([self.conv(_twice(x, "nearest")), skip], dim=1))
                )
            )
        ),
        "align_corners=True stretches the map a little. The package sets it to False.": (
            _other_block(_with_corners_aligned)
        ),
        "The convolution comes before the enlargement here. It belongs behind it, where it "
        "smooths what the interpolation has made.": _other_block(
            lambda self, x, skip: self.block2(
                self.block1(torch.cat([_twice(self.conv(x)), skip], dim=1))
            )
        ),
        "The result is right, but skip is detached: its gradient is 0, and the way down "
        "learns from the bottom alone.": _other_block(
            lambda self, x, skip: self.block2(
                self.block1(torch.cat([self.conv(_twice(x)), skip.detach()], dim=1))
            )
        ),
        "block2 is missing.": _other_block(
            lambda self, x, skip: self.block1(torch.cat([self.conv(_twice(x)), skip], dim=1))
        ),
        "A U-Net does not add, it stacks: torch.cat along the channels, then both blocks.": (
            _other_block(lambda self, x, skip: self.conv(_twice(x)) + skip)
        ),
    },
    hints=(
        "Four steps: enlarge x, convolve it, stack it with skip along the channels, two blocks.",
        "F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False), self.conv, "
        "torch.cat with dim=1 (from below first), self.block1, self.block2.",
    ),
    praise="The result is right, and a gradient reaches both x and skip.",
)

_logits = torch.linspace(-3, 4, 40)
_p_true = torch.sigmoid(_logits)


def _focal(p_true: Tensor, gamma: float) -> Tensor:
    return -((1 - p_true) ** gamma) * p_true.log()


focal = Exercise(
    title="the focal loss of a pixel",
    level="complete a line",
    solution=_focal,
    trials=((_p_true, 2.0), (_p_true, 0.5)),
    gradients=("p_true",),
    limits=(0.0, float("inf")),
    misconceptions={
        "This is the logarithm to base 2. Losses use the natural one.": (
            lambda p_true, gamma: -((1 - p_true) ** gamma) * p_true.log2()
        ),
        "gamma is not used.": lambda p_true, gamma: -(1 - p_true) * p_true.log(),
        "This is one minus a power. The bracket comes first, then the power.": (
            lambda p_true, gamma: -(1 - p_true**gamma) * p_true.log()
        ),
        "Only the factor is there. It multiplies the cross entropy.": (
            lambda p_true, gamma: (1 - p_true) ** gamma
        ),
        "The values are right, but the factor is detached: it belongs to the gradient, too.": (
            lambda p_true, gamma: -((1 - p_true).detach() ** gamma) * p_true.log()
        ),
        "This is the cross entropy. The factor that makes easy pixels count less is missing.": (
            lambda p_true, gamma: -p_true.log()
        ),
        "The factor is the wrong way round: now pixels that are classified badly count less.": (
            lambda p_true, gamma: -(p_true**gamma) * p_true.log()
        ),
        "The logarithm of a probability is negative: a loss needs the other sign.": (
            lambda p_true, gamma: (1 - p_true) ** gamma * p_true.log()
        ),
        "gamma multiplies here. It should be an exponent: then easy pixels fade much faster.": (
            lambda p_true, gamma: -gamma * (1 - p_true) * p_true.log()
        ),
        "The logarithm is that of the other class; p_true is that of the right one already.": (
            lambda p_true, gamma: -((1 - p_true) ** gamma) * (1 - p_true).log()
        ),
    },
    hints=(
        "Cross entropy is -log(p_true). By what is it multiplied, so that p_true near 1 vanishes?",
        "(1 - p_true) to the power gamma, times the logarithm of p_true, with a minus sign.",
    ),
    praise="With gamma 0 it is the cross entropy again.",
)

_drawn = _draw.random(60)
_damaged = _draw.random(60) < 1.2 * _drawn**2
_scores = (0.9 * _drawn).round(2)
_curve = precision_recall_curve(_scores, _damaged)
_weak = precision_recall_curve(_draw.random(80), _draw.random(80) < 0.2)


def _area(precision: np.ndarray, recall: np.ndarray) -> float:
    return (np.diff(recall, prepend=0) * precision).sum()


def _trapezoids(precision: np.ndarray, recall: np.ndarray) -> float:
    return (np.diff(recall) * (precision[1:] + precision[:-1]) / 2).sum()


area = Exercise(
    title="average precision",
    level="modify",
    solution=_area,
    trials=((_curve.precision, _curve.recall), (_weak.precision, _weak.recall)),
    limits=(0.0, 1.0),
    misconceptions={
        "That is the best F1, one point of the curve.": lambda precision, recall: (
            2 * precision * recall / (precision + recall)
        ).max(),
        "The steps are those of precision. They are those of recall.": (
            lambda precision, recall: (np.diff(precision, prepend=0) * recall).sum()
        ),
        "The curve is made to fall first, as in some data sets. The formula takes it as it is.": (
            lambda precision, recall: (
                np.diff(recall, prepend=0) * np.maximum.accumulate(precision[::-1])[::-1]
            ).sum()
        ),
        "A mean over thresholds: parts of the curve with many thresholds count too much.": (
            lambda precision, recall: precision.mean()
        ),
        "Each precision belongs to a step of recall, not to all the recall up to there.": (
            lambda precision, recall: (precision * recall).sum()
        ),
        "The first step, from recall 0 to the first point, is missing.": (
            lambda precision, recall: (np.diff(recall) * precision[1:]).sum()
        ),
        "The precision at the end of a step counts, and the first step starts at recall 0.": (
            lambda precision, recall: (np.diff(recall) * precision[:-1]).sum()
        ),
        "Trapezoids, from the first point on. The formula takes steps, and it starts at 0.": (
            _trapezoids
        ),
        "These are trapezoids: straight lines between the points. The formula takes steps.": (
            lambda precision, recall: _trapezoids(np.r_[1, precision], np.r_[0, recall])
        ),
        "That is the mean recall; precision does not occur in it.": (
            lambda precision, recall: recall.mean()
        ),
    },
    hints=(
        "How wide is each step of recall? The first one starts at 0.",
        "np.diff has the argument prepend. Then: width times precision, and the sum.",
    ),
    praise="Guessing gets the fraction of damaged pixels, a perfect order gets 1.",
)

_mask = torch.from_numpy(_few)[None, None].float()


def _grow(scratch_mask: Tensor, pixels: int) -> Tensor:
    return F.max_pool2d(scratch_mask, 2 * pixels + 1, stride=1, padding=pixels)


grow = Exercise(
    title="a wider mask",
    level="modify",
    solution=_grow,
    trials=((_mask, 2), (_mask, 1), (_mask, 3)),
    limits=(0.0, 1.0),
    misconceptions={
        "The mask is as thin as before.": lambda scratch_mask, pixels: scratch_mask,
        "Twice too wide: the window already extends to both sides.": (
            lambda scratch_mask, pixels: F.max_pool2d(
                scratch_mask, 4 * pixels + 1, stride=1, padding=2 * pixels
            )
        ),
        "The mask grows to the left and right alone.": (
            lambda scratch_mask, pixels: F.max_pool2d(
                scratch_mask, (1, 2 * pixels + 1), stride=1, padding=(0, pixels)
            )
        ),
        "The damage is inverted.": (
            lambda scratch_mask, pixels: (
                1 - F.max_pool2d(scratch_mask, 2 * pixels + 1, stride=1, padding=pixels)
            )
        ),
        "The mask grows by one pixel, whatever `pixels` is.": (
            lambda scratch_mask, pixels: F.max_pool2d(scratch_mask, 3, stride=1, padding=1)
        ),
        "Now the mask becomes thinner: these are minima, and a thin scratch is gone.": (
            lambda scratch_mask, pixels: (
                -F.max_pool2d(-scratch_mask, 2 * pixels + 1, stride=1, padding=pixels)
            )
        ),
        "A mean makes fractions out of a mask of 0 and 1. What is damaged stays damaged.": (
            lambda scratch_mask, pixels: F.avg_pool2d(
                scratch_mask, 2 * pixels + 1, stride=1, padding=pixels
            )
        ),
        "Only the new rim is left; the scratch itself belongs to the mask, too.": (
            lambda scratch_mask, pixels: (
                F.max_pool2d(scratch_mask, 2 * pixels + 1, stride=1, padding=pixels) - scratch_mask
            )
        ),
    },
    hints=(
        "A window that reaches `pixels` to both sides of its middle: how wide is it?",
        "The window is 2 * pixels + 1 wide, and the padding keeps the size: pixels.",
    ),
    praise="Each round of 1 pixel is a square of 3 by 3; so two rounds of 1 are one round of 2.",
)

SCORES, DAMAGED = _scores, _damaged
"""Probabilities and truth of 60 pixels, for the investigation."""


def _strictest() -> float:
    curve = precision_recall_curve(SCORES, DAMAGED)
    return curve.threshold[curve.recall >= 0.8][0]


strictest = Exercise(
    title="the strictest threshold that finds enough",
    level="investigate",
    solution=_strictest,
    misconceptions={
        "That is the last threshold at which recall is still too small. It must be reached.": (
            lambda: _curve.threshold[_curve.recall < 0.8][-1]
        ),
        "That is a position in the array. Return the threshold there.": (
            lambda: int(np.argmax(_curve.recall >= 0.8))
        ),
        "0.5 is where a detector is often cut. The question is what recall it has.": 0.5,
        "That finds everything, at the price of calling everything damaged. Be stricter.": (
            _scores.min()
        ),
        "0.8 is the recall that is demanded. At which threshold is it reached?": 0.8,
        "That is the threshold with the best F1, which nobody asked for here.": _curve.best[0],
        "There precision is at least 0.8. The question is about recall.": (
            _curve.threshold[_curve.precision >= 0.8][-1]
        ),
    },
    hints=(
        "Call precision_recall_curve on the two arrays, and look at recall from the top.",
        "The thresholds fall and recall rises: take the first threshold where recall reaches 0.8.",
    ),
    praise="A rule like this is set before the test photos are seen, or it is fitted to them.",
)

sheet = Sheet("09", (precision, up_block, focal, area, grow, strictest))
