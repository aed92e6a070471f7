"""Exercises of notebook 12: one term or step of each method, and how a table is read."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    gradients=("output",),
    limits=(0.0, float("inf")),
    misconceptions={
        "The holes of the output are set to 0, but those of the photo are not.": (
            lambda output, degraded, scratch_mask: (
                (output * (1 - scratch_mask) - degraded).square().mean()
            )
        ),
        "This is the root. The energy is the mean of the squares.": (
            lambda output, degraded, scratch_mask: (
                (output - degraded).square()[(scratch_mask == 0).expand_as(output)].mean().sqrt()
            )
        ),
        "The squares are missing: differences of both signs cancel.": (
            lambda output, degraded, scratch_mask: (output - degraded)[
                (scratch_mask == 0).expand_as(output)
            ].mean()
        ),
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

_operation_scores = 2 * torch.randn(2, 4, 8, generator=_draw)


def _shares(scores: Tensor) -> Tensor:
    return scores.softmax(dim=2)


shares = Exercise(
    title="shares of the operations",
    level="complete a line",
    solution=_shares,
    trials=((_operation_scores,),),
    gradients=("scores",),
    limits=(0.0, 1.0),
    misconceptions={
        "These are logarithms of weights.": lambda scores: scores.log_softmax(dim=2),
        "These are positive numbers, but they do not add up to 1.": lambda scores: scores.exp(),
        "The scores can be negative, so dividing by their sum gives no weights.": (
            lambda scores: scores / scores.sum(dim=2, keepdim=True)
        ),
        "The best operation gets everything: no gradient reaches the others.": (
            lambda scores: F.one_hot(scores.argmax(dim=2), scores.shape[2]).float()
        ),
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


_Step = Callable[..., Tensor]


def _generator_step(
    generator: nn.Module,
    discriminator: Network,
    optimizer: torch.optim.Optimizer,
    degraded: Tensor,
    clean: Tensor,
) -> Tensor:
    restored = generator(degraded)
    scores = discriminator(torch.cat([degraded, restored], dim=1))
    loss = F.softplus(-scores).mean() + 100 * (restored - clean).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return restored.detach()


def _two_steps(answer: _Step, degraded: Tensor, clean: Tensor) -> dict[str, Any] | None:
    """Return the photos and the weights after two steps, and whether the photos carry a gradient.

    The second step shows whether the gradient of the first was thrown away.
    """
    generator = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        generator.weight.copy_(torch.linspace(-0.4, 0.5, 9).view(3, 3, 1, 1))
        assert generator.bias is not None
        generator.bias.fill_(0.1)
    optimizer = torch.optim.SGD(generator.parameters(), lr=1e-2)
    for _ in range(2):
        restored = answer(generator, _discriminator, optimizer, degraded, clean)
    if restored is None or restored is ...:
        return None
    return {
        "The generator's weights after two steps": generator.weight.detach().flatten(),
        "The restored photos": restored,
        "Their gradient": "cut off" if not restored.requires_grad else "still there",
    }


def _step_with(
    loss_of: Callable[[Tensor, Tensor, Tensor], Tensor], clears: bool = True, detaches: bool = True
) -> _Step:
    """Return a wrong answer, from its loss of (degraded, restored, clean)."""

    def step(*given: Any) -> Tensor:
        generator, _, optimizer, degraded, clean = given
        restored = generator(degraded)
        if clears:
            optimizer.zero_grad()
        loss = loss_of(degraded, restored, clean)
        loss.backward()
        optimizer.step()
        return restored.detach() if detaches else restored

    return step


def _scores(first: Tensor, second: Tensor) -> Tensor:
    return _discriminator(torch.cat([first, second], dim=1))


def _l1(restored: Tensor, clean: Tensor) -> Tensor:
    return 100 * (restored - clean).abs().mean()


def _right_loss(x: Tensor, made: Tensor, y: Tensor) -> Tensor:
    return F.softplus(-_scores(x, made)).mean() + _l1(made, y)


generator_step = Exercise(
    title="the generator's step",
    level="build",
    solution=_generator_step,
    trials=((_degraded, _clean), (_output, _degraded)),
    tolerance=1e-5,
    observe=_two_steps,
    misconceptions={
        "This is the loss of LSGAN. The equation above has -log D.": (
            _step_with(lambda x, made, y: (_scores(x, made) - 1).square().mean() + _l1(made, y))
        ),
        "The factor 100 belongs to the second term alone.": (
            _step_with(lambda x, made, y: 100 * _right_loss(x, made, y) - 99 * _l1(made, y))
        ),
        "The second term has the wrong sign: it moves the photo away from the clean one.": (
            _step_with(lambda x, made, y: F.softplus(-_scores(x, made)).mean() - _l1(made, y))
        ),
        "Differences of both signs cancel: take absolute ones.": (
            _step_with(
                lambda x, made, y: F.softplus(-_scores(x, made)).mean() + 100 * (made - y).mean()
            )
        ),
        "The discriminator sees the clean photo beside the restored one. Put the degraded one "
        "before it.": (
            _step_with(lambda x, made, y: F.softplus(-_scores(y, made)).mean() + _l1(made, y))
        ),
        "The scores teach the generator nothing: they are missing from the loss, "
        "or the photo is detached on its way to the discriminator.": _step_with(
            lambda x, made, y: F.softplus(-_scores(x, made.detach())).mean() + _l1(made, y)
        ),
        "This loss is low when the discriminator recognises the restored photo. That is the "
        "discriminator's goal; the generator has the opposite one.": (
            _step_with(lambda x, made, y: F.softplus(_scores(x, made)).mean() + _l1(made, y))
        ),
        "The discriminator sees the restored photo twice. It is conditional: the degraded one "
        "belongs before it.": (
            _step_with(lambda x, made, y: F.softplus(-_scores(made, made)).mean() + _l1(made, y))
        ),
        "The two photos are swapped; the discriminator expects the degraded one first.": (
            _step_with(lambda x, made, y: F.softplus(-_scores(made, x)).mean() + _l1(made, y))
        ),
        "This is the minimax form. Its gradient vanishes when the discriminator is certain; "
        "the paper uses the other form.": (
            _step_with(lambda x, made, y: -F.softplus(_scores(x, made)).mean() + _l1(made, y))
        ),
        "The discriminator alone does not ask for *this* clean photo. The second term of the "
        "equation is missing.": _step_with(lambda x, made, y: F.softplus(-_scores(x, made)).mean()),
        "The mean difference counts too little: the equation multiplies it by a number.": (
            _step_with(lambda x, made, y: F.softplus(-_scores(x, made)).mean() + _l1(made, y) / 100)
        ),
        "The restored photo is compared with the degraded one. The target is the clean one.": (
            _step_with(lambda x, made, y: F.softplus(-_scores(x, made)).mean() + _l1(made, x))
        ),
        "These are squares; the equation has absolute differences, which blur less.": _step_with(
            lambda x, made, y: (
                F.softplus(-_scores(x, made)).mean() + 100 * (made - y).square().mean()
            )
        ),
        "The second step still has the gradient of the first: clear it before `backward`.": (
            _step_with(_right_loss, clears=False)
        ),
        "The step is right. Detach the photos that you return: the discriminator's step must "
        "not reach the generator.": _step_with(_right_loss, detaches=False),
    },
    hints=(
        "Restore, score the pair, add both terms of the equation. Then the three lines of each "
        "step: clear the gradient, backward, step.",
        "F.softplus(-score) is -log D. The discriminator gets the degraded and the restored photo, "
        "joined by torch.cat along the channels.",
    ),
    praise="The discriminator's own weights get a gradient as well; its next step clears it.",
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
    gradients=("damaged", "clean"),
    limits=(0.0, float("inf")),
    misconceptions={
        "This is one of two cycles. The other starts with a damaged photo.": (
            lambda restore, damage, damaged, clean: (restore(damage(clean)) - clean).abs().mean()
        ),
        "Two cycles are added, not averaged.": (
            lambda restore, damage, damaged, clean: 0.5 * _cycle(restore, damage, damaged, clean)
        ),
        "One step is no cycle: translate each photo there and back.": (
            lambda restore, damage, damaged, clean: (
                (restore(damaged) - damaged).abs().mean() + (damage(clean) - clean).abs().mean()
            )
        ),
        "The value is right, but the photo between is detached: one generator learns nothing.": (
            lambda restore, damage, damaged, clean: (
                (damage(restore(damaged).detach()) - damaged).abs().mean()
                + (restore(damage(clean).detach()) - clean).abs().mean()
            )
        ),
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

sheet = Sheet("12", (energy, shares, generator_step, cycle, beaten_everywhere))
"""The exercises in the order of the notebook."""
