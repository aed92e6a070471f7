"""Exercises of notebook 12: one term or step of each method, and how a table is read."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Sheet
from oldphoto.evaluation.comparison_table import PAPER

Network = Callable[[Tensor], Tensor]

_draw = torch.Generator().manual_seed(12)
_output, _degraded, _clean = torch.rand(3, 2, 3, 6, 5, generator=_draw)
_scratch_mask = (torch.rand(2, 1, 6, 5, generator=_draw) < 0.3).float()


def _energy(output: Tensor, degraded: Tensor, scratch_mask: Tensor) -> Tensor:
    sound = (scratch_mask == 0).expand_as(output)
    return (output - degraded).square()[sound].mean()


energy = Exercise(
    title="the energy of the deep image prior",
    level="complete a line",
    solution=_energy,
    trials=((_output, _degraded, _scratch_mask), (_degraded, _clean, 1 - _scratch_mask)),
    limits=(0.0, float("inf")),
    misconceptions={
        "The mask is inverted: you compare inside the holes, which are painted white.": (
            lambda output, degraded, scratch_mask: (
                (output - degraded).square()[(scratch_mask == 1).expand_as(output)].mean()
            )
        ),
        "The holes are included: the network would learn to paint them white.": (
            lambda output, degraded, scratch_mask: (output - degraded).square().mean()
        ),
        "The holes are not in the sum, but they are still in the number that you divide by.": (
            lambda output, degraded, scratch_mask: (
                (output - degraded).square() * (1 - scratch_mask)
            ).mean()
        ),
        "You divide by the number of sound pixels, but each of them has three values.": (
            lambda output, degraded, scratch_mask: (
                ((output - degraded).square() * (1 - scratch_mask)).sum() / (1 - scratch_mask).sum()
            )
        ),
        "This is the sum: a larger photo would need a smaller learning rate. Take the mean.": (
            lambda output, degraded, scratch_mask: (
                (output - degraded).square() * (1 - scratch_mask)
            ).sum()
        ),
        "These are absolute differences; this energy has squares.": (
            lambda output, degraded, scratch_mask: (
                (output - degraded).abs()[(scratch_mask == 0).expand_as(output)].mean()
            )
        ),
    },
    hints=(
        "Which pixels of the degraded photo are usable? scratch_mask is 1 where it is damaged.",
        "Square the differences, pick those of sound pixels in all three channels, and average.",
    ),
    praise="The loss ignores the holes, so the network fills them by its own structure.",
)

_scores = 2 * torch.randn(2, 4, 8, generator=_draw)


def _shares(scores: Tensor) -> Tensor:
    return scores.softmax(dim=2)


shares = Exercise(
    title="shares of the operations",
    level="complete a line",
    solution=_shares,
    trials=((_scores,),),
    limits=(0.0, 1.0),
    misconceptions={
        "The softmax runs over the layers: now the layers compete, not the operations.": (
            lambda scores: scores.softmax(dim=1)
        ),
        "The softmax runs over the photos: now the photos compete, not the operations.": (
            lambda scores: scores.softmax(dim=0)
        ),
        "The weights of all layers together add up to 1. Each layer should have its own sum.": (
            lambda scores: scores.flatten(1).softmax(dim=1).view_as(scores)
        ),
        "Each weight is between 0 and 1, but they do not add up to 1.": (
            lambda scores: scores.sigmoid()
        ),
        "Negative scores get a weight of exactly 0, and so no gradient.": (
            lambda scores: scores.relu() / scores.relu().sum(dim=2, keepdim=True)
        ),
    },
    hints=(
        "The weights of the operations in one layer of one photo add up to 1. Which axis?",
        "The shape is (photos, layers, operations); softmax takes the axis as dim.",
    ),
    praise="Add 1 to all scores of a layer and nothing changes: only differences count.",
)


def _discriminator(six: Tensor) -> Tensor:
    """Score two photos: large where the second is brighter than the first."""
    first, second = six.chunk(2, dim=1)
    return 2 * (second - 0.7 * first).mean(dim=(1, 2, 3)) + 0.3 * first.square().mean()


def pull(loss: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of a loss with respect to a weight, or 0 if it does not depend on it."""
    if not loss.requires_grad:
        return torch.zeros_like(weight)
    (gradient,) = torch.autograd.grad(loss, weight, allow_unused=True)
    return torch.zeros_like(weight) if gradient is None else gradient


def _generator_pull(weight: Tensor, degraded: Tensor, discriminator: Network) -> Tensor:
    restored = weight * degraded
    loss = F.softplus(-discriminator(torch.cat([degraded, restored], dim=1))).mean()
    return pull(loss, weight)


def _wrong_pull(loss_of: Callable[[Tensor, Tensor, Network], Tensor]) -> Callable[..., Tensor]:
    """Return a wrong answer, from its loss of (degraded, restored, discriminator)."""
    return lambda weight, degraded, discriminator: pull(
        loss_of(degraded, weight * degraded, discriminator), weight
    )


generator_pull = Exercise(
    title="the generator's step",
    level="modify",
    solution=_generator_pull,
    trials=((torch.tensor([0.8], requires_grad=True), _degraded, _discriminator),),
    misconceptions={
        "Nothing arrives at the generator: its photo is detached on the way to the "
        "discriminator. "
        "That is right in the discriminator's step, and only there.": (
            _wrong_pull(lambda x, y, d: F.softplus(d(torch.cat([x, y.detach()], dim=1))).mean())
        ),
        "This loss is low when the discriminator recognises the restored photo. That is the "
        "discriminator's "
        "goal; the generator has the opposite one.": (
            _wrong_pull(lambda x, y, d: F.softplus(d(torch.cat([x, y], dim=1))).mean())
        ),
        "The discriminator sees the restored photo twice. It is conditional: the degraded one "
        "belongs "
        "before it.": _wrong_pull(lambda x, y, d: F.softplus(-d(torch.cat([y, y], dim=1))).mean()),
        "The two photos are swapped; the discriminator expects that the degraded "
        "one "
        "comes first.": (
            _wrong_pull(lambda x, y, d: F.softplus(-d(torch.cat([y, x], dim=1))).mean())
        ),
        "This is the minimax form. Its gradient vanishes when the discriminator is certain; "
        "the paper "
        "uses the other form.": (
            _wrong_pull(lambda x, y, d: -F.softplus(d(torch.cat([x, y], dim=1))).mean())
        ),
    },
    hints=(
        "Two things are the discriminator's in this loss: the sign of the score, and the detach().",
        "softplus(-score) is -log D. And the gradient must be able to reach the weight.",
    ),
    praise="The discriminator's own weights get a gradient as well: freeze them, or clear it "
    "afterwards.",
)


def _restore(photo: Tensor) -> Tensor:
    return 1.3 * photo - 0.1


def _damage(photo: Tensor) -> Tensor:
    return 0.6 * photo + 0.25 * photo.square()


def _cycle(restore: Network, damage: Network, damaged: Tensor, clean: Tensor) -> Tensor:
    back = (damage(restore(damaged)) - damaged).abs().mean()
    return back + (restore(damage(clean)) - clean).abs().mean()


cycle = Exercise(
    title="the cycle loss",
    level="modify",
    solution=_cycle,
    trials=(
        (_restore, _damage, _degraded, _clean),
        (_damage, _restore, _clean, _output),
    ),
    limits=(0.0, float("inf")),
    misconceptions={
        "This is one of two cycles. The other starts with a clean photo.": (
            lambda restore, damage, damaged, clean: (
                (damage(restore(damaged)) - damaged).abs().mean()
            )
        ),
        "This compares with a partner, as Pix2Pix does. Here no photo has one: compare each "
        "with itself.": lambda restore, damage, damaged, clean: (
            (restore(damaged) - clean).abs().mean() + (damage(clean) - damaged).abs().mean()
        ),
        "The targets are swapped: a damaged photo must come back as itself.": (
            lambda restore, damage, damaged, clean: (
                (damage(restore(damaged)) - clean).abs().mean()
                + (restore(damage(clean)) - damaged).abs().mean()
            )
        ),
        "The generators are in the wrong order: you damage a damaged photo.": (
            lambda restore, damage, damaged, clean: (
                (restore(damage(damaged)) - damaged).abs().mean()
                + (damage(restore(clean)) - clean).abs().mean()
            )
        ),
        "These are sums; the factor 10 of the paper belongs to means.": (
            lambda restore, damage, damaged, clean: (
                (damage(restore(damaged)) - damaged).abs().sum()
                + (restore(damage(clean)) - clean).abs().sum()
            )
        ),
        "These are squares. The paper uses absolute differences, which blur less.": (
            lambda restore, damage, damaged, clean: (
                (damage(restore(damaged)) - damaged).square().mean()
                + (restore(damage(clean)) - clean).square().mean()
            )
        ),
        "Leave out the factor 10: the next cell multiplies by it.": (
            lambda restore, damage, damaged, clean: 10 * _cycle(restore, damage, damaged, clean)
        ),
    },
    hints=(
        "Write down what each photo becomes after one step, and after two.",
        "Restore the damaged photo and damage it again; the clean photo the other way round.",
    ),
    praise="A generator that hides the damage in faint patterns has a cycle loss of 0, too.",
)

WINDOW = 8
_steps = np.arange(80)
LOSS = 0.08 * np.exp(-_steps / 9) + 0.012 - 0.0001 * _steps
"""Loss of a deep image prior after each of 80 steps."""

PSNR = 26 - 14 * np.exp(-_steps / 7) - 0.0018 * np.maximum(_steps - 25, 0) ** 2
"""PSNR against the clean photo, which is unknown in practice."""

VARIANCE = 0.02 * np.exp(-_steps / 6) + 0.0004 + 0.000002 * np.maximum(_steps - 38, 0) ** 1.5
VARIANCE[_steps < WINDOW - 1] = np.inf
VARIANCE[WINDOW - 1 :] -= 0.0002 * np.exp(-((_steps[WINDOW - 1 :] - 41) ** 2) / 20)
"""Variance of the last ``WINDOW`` outputs; infinite while there are fewer."""


def _kept() -> int:
    return int(np.argmin(VARIANCE)) - WINDOW + 1


kept = Exercise(
    title="the step that is kept",
    level="investigate",
    solution=_kept,
    misconceptions={
        "The loss falls to the end: it compares with the degraded photo, noise and all.": (
            int(np.argmin(LOSS))
        ),
        "That is the best step. But to find it you have looked at the clean photo.": (
            int(np.argmax(PSNR))
        ),
        "The window of least variance ends there. Its first output is kept.": (
            int(np.argmin(VARIANCE))
        ),
        "There the outputs differ most from each other: the fit has not converged.": (
            int(np.argmax(VARIANCE[WINDOW - 1 :])) + WINDOW - 1
        ),
    },
    hints=(
        "Which of the three curves does the method know, and which of them has a minimum?",
        "np.argmin of the variance is the last step of a window of WINDOW outputs.",
    ),
    praise="It is a little later than the best step; the end would be much worse.",
)


def _beaten_everywhere() -> int:
    table = np.array(list(PAPER.values())) * [1, 1, -1, -1]  # now more is better throughout
    return sum(bool((table > row).all(axis=1).any()) for row in table)


beaten_everywhere = Exercise(
    title="beaten in every column",
    level="investigate",
    solution=_beaten_everywhere,
    misconceptions={
        "The input is, by all others. Other methods are beaten as well.": 1,
        "That is how many are not beaten in all columns at once. Count the others.": 3,
        "That is the number of pairs in which one wins every column. Count each loser once.": 12,
        "Each of them is beaten somewhere. The question is whether one and the same method "
        "does it in all four columns.": len(PAPER) - 1,
    },
    hints=(
        "For each pair of methods: is one better than the other in all four columns?",
        "PSNR and SSIM should be high, LPIPS and FID low. Then count the beaten rows.",
    ),
    praise="Which of the others is best depends on the metric that matters to you.",
)

sheet = Sheet((energy, kept, shares, generator_pull, cycle, beaten_everywhere))
"""The exercises in the order of the notebook."""
