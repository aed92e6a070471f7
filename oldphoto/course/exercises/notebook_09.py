"""Exercises of notebook 09: counting hits and alarms, the focal loss, the curve, wider masks."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Misconception, Sheet
from oldphoto.metrics.detection import precision_recall_curve

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
    misconceptions=(
        Misconception(
            lambda found, truth: (found & truth).sum() / truth.sum(),
            "You divide by all that is damaged: that is recall, the share that was found.",
        ),
        Misconception(
            lambda found, truth: (found == truth).mean(),
            "That is accuracy. It counts the sound pixels too, and nearly all are sound.",
        ),
        Misconception(
            lambda found, truth: (found & truth).sum() / (found | truth).sum(),
            "That is intersection over union: pixels that were missed lower it as well.",
        ),
        Misconception(
            lambda found, truth: (found & ~truth).sum() / found.sum(),
            "That is the share of false alarms among what was found; you want the others.",
        ),
        Misconception(
            lambda found, truth: 2 * (found & truth).sum() / (found.sum() + truth.sum()),
            "That is F1, which counts misses as well.",
        ),
        Misconception(
            lambda found, truth: (found & truth).mean(),
            "You divide by all pixels. Only those called damaged count for precision.",
        ),
    ),
    hints=(
        "Of the pixels that were called damaged, how many really are?",
        "Two sums: of the pixels in both masks, and of the pixels in found.",
    ),
    praise="Who calls one pixel damaged, and is right, has precision 1: it needs recall beside it.",
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
    limits=(0.0, float("inf")),
    misconceptions=(
        Misconception(
            lambda p_true, gamma: -p_true.log(),
            "This is the cross entropy. The factor that makes easy pixels count less is missing.",
        ),
        Misconception(
            lambda p_true, gamma: -(p_true**gamma) * p_true.log(),
            "The factor is the wrong way round: now pixels that are classified badly count less.",
        ),
        Misconception(
            lambda p_true, gamma: (1 - p_true) ** gamma * p_true.log(),
            "The logarithm of a probability is negative: a loss needs the other sign.",
        ),
        Misconception(
            lambda p_true, gamma: -gamma * (1 - p_true) * p_true.log(),
            "gamma multiplies here. It should be an exponent: then easy pixels fade much faster.",
        ),
        Misconception(
            lambda p_true, gamma: -((1 - p_true) ** gamma) * (1 - p_true).log(),
            "The logarithm is that of the other class; p_true is that of the right one already.",
        ),
    ),
    hints=(
        "Cross entropy is -log(p_true). By what is it multiplied, so that p_true near 1 vanishes?",
        "(1 - p_true) to the power gamma, times the logarithm of p_true, with a minus sign.",
    ),
    praise="With gamma 0 it is the cross entropy again.",
)

_scores = _draw.random(60).round(2)
_damaged = _draw.random(60) < 1.2 * _scores**2
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
    misconceptions=(
        Misconception(
            lambda precision, recall: precision.mean(),
            "A mean over thresholds: parts of the curve with many thresholds count too much.",
        ),
        Misconception(
            lambda precision, recall: (precision * recall).sum(),
            "Each precision belongs to a step of recall, not to all the recall up to there.",
        ),
        Misconception(
            lambda precision, recall: (np.diff(recall) * precision[1:]).sum(),
            "The first step, from recall 0 to the first point, is missing.",
        ),
        Misconception(
            lambda precision, recall: (np.diff(recall) * precision[:-1]).sum(),
            "The precision at the end of a step counts, and the first step starts at recall 0.",
        ),
        Misconception(
            _trapezoids,
            "Trapezoids, from the first point on. The formula takes steps, and it starts at 0.",
        ),
        Misconception(
            lambda precision, recall: _trapezoids(np.r_[1, precision], np.r_[0, recall]),
            "These are trapezoids: straight lines between the points. The formula takes steps.",
        ),
        Misconception(
            lambda precision, recall: recall.mean(),
            "That is the mean recall; precision does not occur in it.",
        ),
    ),
    hints=(
        "How wide is each step of recall? The first one starts at 0.",
        "np.diff has the argument prepend. Then: width times precision, and the sum.",
    ),
    praise="Guessing gets the share of damaged pixels, a perfect order gets 1.",
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
    misconceptions=(
        Misconception(
            lambda scratch_mask, pixels: F.max_pool2d(scratch_mask, 3, stride=1, padding=1),
            "The mask grows by one pixel, whatever was asked for.",
        ),
        Misconception(
            lambda scratch_mask, pixels: (
                -F.max_pool2d(-scratch_mask, 2 * pixels + 1, stride=1, padding=pixels)
            ),
            "Now the mask becomes thinner: these are minima, and a thin scratch is gone.",
        ),
        Misconception(
            lambda scratch_mask, pixels: F.avg_pool2d(
                scratch_mask, 2 * pixels + 1, stride=1, padding=pixels
            ),
            "A mean makes shares out of a mask of 0 and 1. What is damaged anywhere stays damaged.",
        ),
        Misconception(
            lambda scratch_mask, pixels: (
                F.max_pool2d(scratch_mask, 2 * pixels + 1, stride=1, padding=pixels) - scratch_mask
            ),
            "Only the new rim is left; the scratch itself belongs to the mask, too.",
        ),
    ),
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
    misconceptions=(
        Misconception(
            _scores.min(),
            "That finds everything, at the price of calling everything damaged. Be stricter.",
        ),
        Misconception(0.8, "0.8 is the recall that is demanded. At which threshold is it reached?"),
        Misconception(
            _curve.best[0],
            "That is the threshold with the best F1, which nobody asked for here.",
        ),
        Misconception(
            _curve.threshold[_curve.precision >= 0.8][-1],
            "There precision is at least 0.8. The question is about recall.",
        ),
    ),
    hints=(
        "Call precision_recall_curve on the two arrays, and look at recall from the top.",
        "The thresholds fall and recall rises: take the first threshold where recall reaches 0.8.",
    ),
    praise="A rule like this is set before the test photos are seen, or it is fitted to them.",
)

sheet = Sheet((precision, focal, area, grow, strictest))
