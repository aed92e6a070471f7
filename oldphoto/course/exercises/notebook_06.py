"""Exercises of notebook 06: metrics of the gap, and both sides of equation 3."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.course.exercises.engine import Exercise, Sheet

_noise = torch.Generator().manual_seed(6)
_first = torch.randn(40, generator=_noise)
_second = 2 * torch.randn(40, generator=_noise) + 1
_latents = torch.randn(12, 5, generator=_noise)
_others = torch.randn(9, 5, generator=_noise) + 0.5
_score_old = torch.rand(8, 1, 3, 3, generator=_noise)
_score_degraded = torch.rand(8, 1, 3, 3, generator=_noise) - 0.2
_latent_old = torch.randn(3, 4, 2, 2, generator=_noise)
_latent_degraded = torch.randn(3, 4, 2, 2, generator=_noise) + 0.5


def _sorted_distance(first: Tensor, second: Tensor) -> Tensor:
    return (first.sort().values - second.sort().values).abs().mean()


sorted_distance = Exercise(
    title="Wasserstein distance of two lists of numbers",
    level="complete a line",
    solution=_sorted_distance,
    trials=((_first, _second), (_first, _first.flip(0)), (_second, _first - 3)),
    limits=(0.0, float("inf")),
    misconceptions={
        "This is the largest move. The distance is the mean of all moves.": (
            lambda first, second: (first.sort().values - second.sort().values).abs().max()
        ),
        "Only one of the lists is in order.": (
            lambda first, second: (first.sort().values - second).abs().mean()
        ),
        "One list rises and the other falls: the smallest is moved to the largest.": (
            lambda first, second: (
                (first.sort().values - second.sort(descending=True).values).abs().mean()
            )
        ),
        "You compare places. sort() returns values and indices: take the values.": (
            lambda first, second: (
                (first.sort().indices - second.sort().indices).abs().float().mean()
            )
        ),
        "You compare numbers by their positions in the lists. Shuffling a list must change "
        "nothing.": lambda first, second: (first - second).abs().mean(),
        "This compares the means alone: a narrow and a wide set would have distance 0.": (
            lambda first, second: (first.mean() - second.mean()).abs()
        ),
        "Moves to the left and to the right cancel. A distance has no sign.": (
            lambda first, second: (first.sort().values - second.sort().values).mean()
        ),
        "This is the sum of all distances. It would double if every number were there twice.": (
            lambda first, second: (first.sort().values - second.sort().values).abs().sum()
        ),
        "This squares the distances: it is W2 squared, not W1.": (
            lambda first, second: (first.sort().values - second.sort().values).square().mean()
        ),
    },
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
    trials=((_latents, _others, 1.5), (_latents, _latents, 0.7)),
    limits=(0.0, 1.0),
    misconceptions={
        "The mean is taken first, then the kernel. Every pair has its own kernel value.": (
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second).square().mean() / (2 * bandwidth**2)
            )
        ),
        "The 2 is inside the square: divide by twice the squared bandwidth.": (
            lambda first, second, bandwidth: torch.exp(
                -(torch.cdist(first, second) / (2 * bandwidth)).square()
            ).mean()
        ),
        "This is one kernel value, of two means. Take the mean over all pairs.": (
            lambda first, second, bandwidth: torch.exp(
                -(first.mean(0) - second.mean(0)).square().sum() / (2 * bandwidth**2)
            )
        ),
        "The distance is not squared: this is a Laplace kernel with a strange width.": (
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second) / (2 * bandwidth**2)
            ).mean()
        ),
        "A factor 2 is missing below: your kernel is narrower than the bandwidth says.": (
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second).square() / bandwidth**2
            ).mean()
        ),
        "The bandwidth has to be squared, too: the exponent must be a number without a unit.": (
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second).square() / (2 * bandwidth)
            ).mean()
        ),
        "The sign is missing: your kernel grows with the distance.": (
            lambda first, second, bandwidth: torch.exp(
                torch.cdist(first, second).square() / (2 * bandwidth**2)
            ).mean()
        ),
        "Python goes from left to right: behind a / 2 the bandwidth multiplies. Use brackets.": (
            lambda first, second, bandwidth: torch.exp(
                -torch.cdist(first, second).square() / 2 * bandwidth**2
            ).mean()
        ),
    },
    hints=(
        "Two equal latents should give 1, two distant ones nearly 0.",
        "torch.cdist gives all distances; square them, divide by twice the squared bandwidth.",
    ),
    praise="1 for equal latents, less the further they are apart.",
)


def _push_both(score_old: Tensor, score_degraded: Tensor) -> Tensor:
    return score_old.square().mean() + (score_degraded - 1).square().mean()


push_both = Exercise(
    title="the two-sided loss of the encoder",
    level="modify",
    solution=_push_both,
    trials=((_score_old, _score_degraded), (_score_degraded, _score_old)),
    gradients=("score_old", "score_degraded"),
    misconceptions={
        "Only the old latents are pushed: that is the released, one-sided form.": (
            lambda score_old, score_degraded: score_old.square().mean()
        ),
        "These are the discriminator's own targets: the encoder would help it instead of "
        "fooling it.": lambda score_old, score_degraded: (
            (score_old - 1).square().mean() + score_degraded.square().mean()
        ),
        "This is the discriminator's loss. The encoder needs the opposite targets.": (
            lambda score_old, score_degraded: (
                0.5 * ((score_old - 1).square().mean() + score_degraded.square().mean())
            )
        ),
        "Both kinds are pushed to 0. The encoder must exchange the labels, not share one.": (
            lambda score_old, score_degraded: (
                score_old.square().mean() + score_degraded.square().mean()
            )
        ),
        "Both kinds are pushed to 1. The encoder must exchange the labels, not share one.": (
            lambda score_old, score_degraded: (
                (score_old - 1).square().mean() + (score_degraded - 1).square().mean()
            )
        ),
        "The second term has the wrong sign: it pushes degraded latents away from 1.": (
            lambda score_old, score_degraded: (
                score_old.square().mean() - (score_degraded - 1).square().mean()
            )
        ),
        "The right targets, but the factor one half belongs to the discriminator's loss alone.": (
            lambda score_old, score_degraded: (
                0.5 * (score_old.square().mean() + (score_degraded - 1).square().mean())
            )
        ),
        "This is minus the discriminator's loss. It has no minimum, so it would push for ever. "
        "Give the encoder targets of its own.": lambda score_old, score_degraded: (
            -0.5 * (score_degraded.square().mean() + (score_old - 1).square().mean())
        ),
        "Only the degraded latents are pushed. Add the term of the old ones.": (
            lambda score_old, score_degraded: (score_degraded - 1).square().mean()
        ),
        "Absolute differences. The LS in LSGAN means least squares.": (
            lambda score_old, score_degraded: (
                score_old.abs().mean() + (score_degraded - 1).abs().mean()
            )
        ),
        "Both are pushed to the middle. Each kind has the target of the other.": (
            lambda score_old, score_degraded: (
                (score_old - 0.5).square().mean() + (score_degraded - 0.5).square().mean()
            )
        ),
        "Sums over all patches. Take the mean of each kind.": lambda score_old, score_degraded: (
            score_old.square().sum() + (score_degraded - 1).square().sum()
        ),
        "The scores are averaged before they are squared: high and low ones cancel.": (
            lambda score_old, score_degraded: (
                score_old.mean().square() + (score_degraded.mean() - 1).square()
            )
        ),
        "Two scores are compared with each other. Each has a fixed target.": (
            lambda score_old, score_degraded: (score_old - score_degraded).square().mean()
        ),
        "This is a cross entropy. Least squares compares scores with 0 and 1.": (
            lambda score_old, score_degraded: (
                F.softplus(score_old).mean() + F.softplus(-score_degraded).mean()
            )
        ),
    },
    hints=(
        "The discriminator learns old = 1, degraded = 0. Which scores does the encoder want?",
        "Keep the term of the old latents, and add one that wants degraded latents scored 1.",
    ),
    praise="Each kind is pushed to where the discriminator expects the other.",
)


def _one_step(
    answer: Callable[..., Any], latent_old: Tensor, latent_degraded: Tensor
) -> dict[str, Any] | None:
    """Try one step of a small discriminator that has an old gradient left over.

    Returns:
        The loss, the weights after the step, and the gradient that reached the encoder.
    """
    discriminator = nn.Conv2d(latent_old.shape[1], 1, kernel_size=1)
    with torch.no_grad():
        for weight in discriminator.parameters():
            weight.copy_(torch.linspace(-0.4, 0.6, weight.numel()).view_as(weight))
            weight.grad = torch.ones_like(weight)
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    encoder = torch.ones((), requires_grad=True)  # stands for all weights of the encoder
    loss = answer(discriminator, optimizer, encoder * latent_old, encoder * latent_degraded)
    if loss is None or loss is ...:
        return None
    reached = torch.zeros(()) if encoder.grad is None else encoder.grad
    return {
        "The loss": torch.as_tensor(loss, dtype=torch.float32),  # loss.item() is right as well
        "The weights after the step": discriminator.weight.detach(),
        "The gradient that reaches the encoder": reached,
    }


def _discriminator_step(
    discriminator: nn.Module,
    optimizer: torch.optim.Optimizer,
    latent_old: Tensor,
    latent_degraded: Tensor,
) -> Tensor:
    score_old = discriminator(latent_old.detach())
    score_degraded = discriminator(latent_degraded.detach())
    loss = 0.5 * ((score_old - 1).square().mean() + score_degraded.square().mean())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _wrong_step(
    targets: tuple[float, float] = (1.0, 0.0),
    factor: float = 0.5,
    terms: tuple[float, float] = (1.0, 1.0),
    detach: bool = True,
    clear: bool = True,
    step: bool = True,
) -> Callable[..., Tensor]:
    """Return the step with a typical mistake."""

    def wrong(
        discriminator: nn.Module,
        optimizer: torch.optim.Optimizer,
        latent_old: Tensor,
        latent_degraded: Tensor,
    ) -> Tensor:
        if detach:
            latent_old, latent_degraded = latent_old.detach(), latent_degraded.detach()
        on_old = (discriminator(latent_old) - targets[0]).square().mean()
        on_degraded = (discriminator(latent_degraded) - targets[1]).square().mean()
        loss = factor * (terms[0] * on_old + terms[1] * on_degraded)
        if clear:
            optimizer.zero_grad()
        loss.backward()
        if step:
            optimizer.step()
        return loss.detach()

    return wrong


discriminator_step = Exercise(
    title="one step of the latent discriminator",
    level="build",
    solution=_discriminator_step,
    trials=(
        (_latent_old, _latent_degraded),
        (_latent_degraded, _latent_old[:1]),
    ),
    observe=_one_step,
    misconceptions={
        "The old latents alone: a discriminator that says 1 to everything would be perfect.": (
            _wrong_step(terms=(1, 0))
        ),
        "The degraded latents alone: a discriminator that says 0 to everything would be perfect.": (
            _wrong_step(terms=(0, 1))
        ),
        "The minus rewards high scores of degraded latents. Both squares are to be small.": (
            _wrong_step(terms=(1, -1))
        ),
        "Both kinds are taught as 0. Then a discriminator that always says 0 is perfect.": (
            _wrong_step(targets=(0.0, 0.0))
        ),
        "The targets are swapped: old latents should be scored 1, degraded ones 0.": (
            _wrong_step(targets=(0.0, 1.0))
        ),
        "The latents are not detached: this step sends a gradient into the encoder too, and "
        "in the discriminator's favour.": _wrong_step(detach=False),
        "The gradient of the step before is still there: backward() adds to it. Clear "
        "the gradients first.": _wrong_step(clear=False),
        "No weight moves: backward() or step() is missing, or gradients were cleared between "
        "the two.": _wrong_step(step=False),
        "This is the encoder's loss. The discriminator wants the opposite: old 1, degraded 0.": (
            _wrong_step(targets=(0.0, 1.0), factor=1.0)
        ),
        "The factor one half of the discriminator's loss is missing.": _wrong_step(factor=1.0),
        "Both kinds are taught as 1. Then a discriminator that always says 1 is perfect.": (
            _wrong_step(targets=(1.0, 1.0))
        ),
    },
    hints=(
        "Five lines of work: scores of both kinds, the loss, clear the gradients, backward, step.",
        "latent.detach() keeps the encoder out of it. Half the sum of (score_old - 1)^2 and "
        "score_degraded^2, each as a mean.",
    ),
    praise="The discriminator moves, and the encoder does not notice.",
)


shrinking_fools = Exercise(
    title="the metric that can be cheated",
    level="investigate",
    solution="a",
    misconceptions={
        "Its bandwidth is the median distance, which shrinks with the latents.": "b",
        "The classifier scales every channel to standard deviation 1 before it learns.": "c",
    },
    hints=(
        "Which of the three has the unit of the latents?",
        "Multiply all latents of both kinds by one half, and compute all three again.",
    ),
    praise="A distance halves when the latents are halved, although nothing has been mixed.",
)

sheet = Sheet("06", (sorted_distance, mean_kernel, shrinking_fools, push_both, discriminator_step))
