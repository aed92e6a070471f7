"""Exercises of notebook 06: measures of the gap, and the latent adversary."""

import torch
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Misconception, Sheet

_noise = torch.Generator().manual_seed(6)
_first = torch.randn(40, generator=_noise)
_second = 2 * torch.randn(40, generator=_noise) + 1
_codes = torch.randn(12, 5, generator=_noise)
_others = torch.randn(9, 5, generator=_noise) + 0.5
_score_old = torch.rand(8, 1, 3, 3, generator=_noise)
_score_degraded = torch.rand(8, 1, 3, 3, generator=_noise) - 0.2


def _sorted_distance(first: Tensor, second: Tensor) -> Tensor:
    return (first.sort().values - second.sort().values).abs().mean()


sorted_distance = Exercise(
    title="Wasserstein distance of two lists of numbers",
    level="complete a line",
    solution=_sorted_distance,
    trials=((_first, _second), (_first, _first.flip(0)), (_second, _first - 3)),
    limits=(0.0, float("inf")),
    misconceptions=(
        Misconception(
            lambda first, second: (first - second).abs().mean(),
            "You compare numbers by their places in the lists. Shuffling a list must change "
            "nothing.",
        ),
        Misconception(
            lambda first, second: (first.mean() - second.mean()).abs(),
            "This compares the means alone: a narrow and a wide set would have distance 0.",
        ),
        Misconception(
            lambda first, second: (first.sort().values - second.sort().values).mean(),
            "Ways to the left and ways to the right cancel. A way has no sign.",
        ),
        Misconception(
            lambda first, second: (first.sort().values - second.sort().values).abs().sum(),
            "This is the sum of all ways. It would double if every number were there twice.",
        ),
        Misconception(
            lambda first, second: (first.sort().values - second.sort().values).square().mean(),
            "This squares the ways: it is W2 squared, not W1.",
        ),
    ),
    hints=(
        "Which number of the second list should the smallest of the first be moved to?",
        "Tensor.sort() returns values and indices; put both lists in order before you subtract.",
    ),
    praise="In one dimension, nobody overtakes: the order decides who goes where.",
)


def _mean_kernel(first: Tensor, second: Tensor, bandwidth: float) -> Tensor:
    squared = torch.cdist(first, second).square()
    return torch.exp(-squared / (2 * bandwidth**2)).mean()


mean_kernel = Exercise(
    title="the mean of a Gaussian kernel",
    level="complete a line",
    solution=_mean_kernel,
    trials=((_codes, _others, 1.5), (_codes, _codes, 0.7)),
    limits=(0.0, 1.0),
    misconceptions=(
        Misconception(
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second) / (2 * bandwidth**2)
            ).mean(),
            "The distance is not squared: this is a Laplace kernel with a strange width.",
        ),
        Misconception(
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second).square() / bandwidth**2
            ).mean(),
            "A factor 2 is missing below: your kernel is narrower than the bandwidth says.",
        ),
        Misconception(
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second).square() / (2 * bandwidth)
            ).mean(),
            "The bandwidth has to be squared, too: the exponent must be a number without a unit.",
        ),
        Misconception(
            lambda first, second, bandwidth: torch.exp(
                torch.cdist(first, second).square() / (2 * bandwidth**2)
            ).mean(),
            "The sign is missing: your kernel grows with the distance.",
        ),
        Misconception(
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second).square() / 2 * bandwidth**2
            ).mean(),
            "Python goes from left to right: behind a / 2 the bandwidth multiplies. Use brackets.",
        ),
    ),
    hints=(
        "Two equal codes should give 1, two far ones nearly 0.",
        "torch.cdist gives all distances; square them, divide by twice the squared bandwidth.",
    ),
    praise="1 for equal codes, less the further they are apart.",
)


def _push_both(score_old: Tensor, score_degraded: Tensor) -> Tensor:
    return score_old.square().mean() + (score_degraded - 1).square().mean()


push_both = Exercise(
    title="the two-sided push on the encoder",
    level="modify",
    solution=_push_both,
    trials=((_score_old, _score_degraded), (_score_degraded, _score_old)),
    misconceptions=(
        Misconception(
            lambda score_old, score_degraded: score_old.square().mean(),
            "Only the old codes are pushed: that is the released, one-sided form.",
        ),
        Misconception(
            lambda score_old, score_degraded: (
                (score_old - 1).square().mean() + score_degraded.square().mean()
            ),
            "These are the discriminator's own targets: the encoder would help it instead of "
            "fooling it.",
        ),
        Misconception(
            lambda score_old, score_degraded: (
                score_old.square().mean() + score_degraded.square().mean()
            ),
            "Both kinds are pushed to 0. The encoder must exchange the labels, not share one.",
        ),
        Misconception(
            lambda score_old, score_degraded: (
                score_old.square().mean() - (score_degraded - 1).square().mean()
            ),
            "The second term has the wrong sign: it pushes degraded codes away from 1.",
        ),
        Misconception(
            lambda score_old, score_degraded: (
                0.5 * (score_old.square().mean() + (score_degraded - 1).square().mean())
            ),
            "The right aims, but the factor one half belongs to the discriminator's loss alone.",
        ),
        Misconception(
            lambda score_old, score_degraded: (
                -0.5 * (score_degraded.square().mean() + (score_old - 1).square().mean())
            ),
            "This is minus the discriminator's loss: it has no best score, so it would push for "
            "ever. "
            "Give the encoder aims of its own.",
        ),
    ),
    hints=(
        "The discriminator learns old = 1, degraded = 0. What would the encoder like it to say?",
        "Keep the term of the old codes, and add one that wants degraded codes to be scored 1.",
    ),
    praise="Each kind is pushed to where the discriminator expects the other.",
)


def _shrinking_fools() -> str:
    return "a"


shrinking_fools = Exercise(
    title="the measure that can be cheated",
    level="investigate",
    solution=_shrinking_fools,
    misconceptions=(
        Misconception("b", "Its bandwidth is the median distance, which shrinks with the codes."),
        Misconception("c", "The classifier brings every channel to deviation 1 before it learns."),
    ),
    hints=(
        "Which of the three has the unit of the codes?",
        "Multiply all codes of both kinds by one half, and compute all three again.",
    ),
    praise="A distance halves when the codes are halved; nothing has been mixed by that.",
)

sheet = Sheet((sorted_distance, mean_kernel, shrinking_fools, push_both))
