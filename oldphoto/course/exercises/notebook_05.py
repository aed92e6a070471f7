"""Exercises of notebook 05: the losses of a discriminator, what it sees, and what goes wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.course.exercises.engine import Exercise, Sheet
from oldphoto.course.exercises.steps import in_a_row, watched_sgd, with_weights

Discriminator = Callable[[Tensor], Tensor]
Layers = tuple[tuple[int, int], ...]
_noise = torch.Generator().manual_seed(5)
_real = torch.rand(6, 1, 4, 4, generator=_noise) + 0.3
_fake = torch.rand(6, 1, 4, 4, generator=_noise) - 0.2


def _loss_and_gradients(
    answer: Callable[..., Any], real: Tensor, fake: Tensor
) -> dict[str, Any] | None:
    """Compute a loss of a small discriminator, and see which of two networks it moves.

    The value of a loss does not say where its gradient goes.
    """
    weight, made_by = torch.tensor(0.9, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    loss = answer(lambda photo: photo * weight, real, fake * made_by)
    if loss is None or loss is ...:
        return None
    if isinstance(loss, Tensor) and not loss.shape and loss.requires_grad:
        loss.backward()
    slopes = [torch.zeros(()) if w.grad is None else w.grad for w in (weight, made_by)]
    names = ("The loss", "The gradient of the discriminator", "The gradient of the generator")
    return dict(zip(names, (loss, *slopes), strict=True))


def _discriminator_loss(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    return 0.5 * ((on_real - 1).square().mean() + on_fake.square().mean())


def _discriminator_loss_without_gradient(
    discriminator: Discriminator, real: Tensor, fake: Tensor
) -> Tensor:
    with torch.no_grad():
        on_fake = discriminator(fake.detach())
    return 0.5 * ((discriminator(real) - 1).square().mean() + on_fake.square().mean())


discriminator_loss = Exercise(
    title="the discriminator's loss",
    level="modify",
    solution=_discriminator_loss,
    trials=((_real, _fake), (_fake - 0.5, _fake)),
    observe=_loss_and_gradients,
    misconceptions={
        "The minus rewards high scores of generated photos. Both squares are to be small.": (
            lambda discriminator, real, fake: (
                0.5
                * (
                    (discriminator(real) - 1).square().mean()
                    - discriminator(fake.detach()).square().mean()
                )
            )
        ),
        "Both kinds are taught as 1: then a discriminator that always says 1 is perfect.": (
            lambda discriminator, real, fake: (
                0.5
                * (
                    (discriminator(real) - 1).square().mean()
                    + (discriminator(fake.detach()) - 1).square().mean()
                )
            )
        ),
        "The target of generated photos is 0 here, not -1.": (
            lambda discriminator, real, fake: (
                0.5
                * (
                    (discriminator(real) - 1).square().mean()
                    + (discriminator(fake.detach()) + 1).square().mean()
                )
            )
        ),
        "The scores are averaged before they are squared: high and low ones cancel.": (
            lambda discriminator, real, fake: (
                0.5
                * (
                    (discriminator(real).mean() - 1).square()
                    + discriminator(fake.detach()).mean().square()
                )
            )
        ),
        "Absolute differences. The LS in LSGAN means least squares.": (
            lambda discriminator, real, fake: (
                0.5
                * (
                    (discriminator(real) - 1).abs().mean()
                    + discriminator(fake.detach()).abs().mean()
                )
            )
        ),
        "This is the loss of WGAN: a difference of means. Least squares has targets.": (
            lambda discriminator, real, fake: (
                discriminator(fake.detach()).mean() - discriminator(real).mean()
            )
        ),
        "This is the generator's loss. The discriminator wants the opposite, and looks at both "
        "kinds.": lambda discriminator, real, fake: (discriminator(fake) - 1).square().mean(),
        "The targets are swapped: this discriminator learns that generated photos are the "
        "real ones.": lambda discriminator, real, fake: (
            0.5
            * (
                discriminator(real).square().mean()
                + (discriminator(fake.detach()) - 1).square().mean()
            )
        ),
        "The generated photos are not detached: this step would train the generator too, and "
        "in the discriminator's favour.": lambda discriminator, real, fake: (
            0.5 * ((discriminator(real) - 1).square().mean() + discriminator(fake).square().mean())
        ),
        "The value is right, but the scores are detached: the discriminator learns nothing. "
        "Detach the generated photos instead, before they are scored.": (
            lambda discriminator, real, fake: (
                0.5
                * (
                    (discriminator(real).detach() - 1).square().mean()
                    + discriminator(fake).detach().square().mean()
                )
            )
        ),
        "This is the cross entropy of section 1. Least squares compares scores with 1 and 0.": (
            lambda discriminator, real, fake: (
                0.5
                * (
                    F.softplus(-discriminator(real)).mean()
                    + F.softplus(discriminator(fake.detach())).mean()
                )
            )
        ),
        "These are the cross entropies of section 1. Least squares compares scores with 1 and 0.": (
            lambda discriminator, real, fake: (
                F.softplus(-discriminator(real)).mean()
                + F.softplus(discriminator(fake.detach())).mean()
            )
        ),
        "With gradients switched off, the discriminator learns nothing from generated photos. "
        "Detach the photos; do not switch off the discriminator.": (
            _discriminator_loss_without_gradient
        ),
        "This is a sum over patches and photos: it grows with both, and so do the steps.": (
            lambda discriminator, real, fake: (
                0.5
                * (
                    (discriminator(real) - 1).square().sum()
                    + discriminator(fake.detach()).square().sum()
                )
            )
        ),
        "The factor one half is missing: your discriminator learns twice as fast as the "
        "formula says.": lambda discriminator, real, fake: (
            (discriminator(real) - 1).square().mean() + discriminator(fake.detach()).square().mean()
        ),
        "A discriminator that sees real photos alone says 1 to everything.": (
            lambda discriminator, real, fake: 0.5 * (discriminator(real) - 1).square().mean()
        ),
        "A discriminator that sees generated photos alone says 0 to everything. (And they are "
        "not detached.)": lambda discriminator, real, fake: discriminator(fake).square().mean(),
    },
    hints=(
        "Two kinds of photos, two targets: what should be scored 1, and what 0?",
        "Squared distances from 1 and from 0, each with .mean(), half of their sum; and "
        "Tensor.detach() keeps the generator out of it.",
    ),
    praise="Both kinds, the right targets, and the generator is left alone.",
)


def _generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: torch.optim.Optimizer,
    noise: Tensor,
    loss_of: Callable[[Tensor], Tensor],
) -> float:
    fake = generator(noise)
    loss = loss_of(discriminator(fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _variant_of_the_step(
    zero: bool = True, step: bool = True, fake: str = "made", sign: float = 1.0
) -> Callable[..., float]:
    """Return the generator's step with one thing left out or done otherwise."""

    def answer(
        generator: nn.Module,
        discriminator: nn.Module,
        optimizer: torch.optim.Optimizer,
        noise: Tensor,
        loss_of: Callable[[Tensor], Tensor],
    ) -> float:
        torch.manual_seed(0)
        made = generator(torch.randn_like(noise) if fake == "fresh" else noise)
        scores = discriminator(made.detach() if fake == "detached" else made)
        loss = loss_of(made if fake == "unscored" else scores)
        if zero:
            optimizer.zero_grad()
        (sign * loss).backward()
        if step:
            optimizer.step()
        if fake == "both":  # a second optimizer that has no place here
            torch.optim.SGD(discriminator.parameters(), lr=0.1).step()
        return loss.item()

    return answer


def _networks_after_steps(answer: Callable[..., Any], noise: Tensor) -> dict[str, Any] | None:
    """Take two steps of the generator with an answer, and see what has moved."""
    generator, discriminator = with_weights(nn.Linear(2, 3)), with_weights(nn.Linear(3, 1), seed=1)
    start = in_a_row(generator.parameters())
    optimizer, gradient = watched_sgd(generator)
    results = [
        answer(generator, discriminator, optimizer, noise, lambda a: (a - 1).square().mean())
        for _ in range(2)
    ]
    moved = in_a_row(generator.parameters())
    if torch.equal(start, moved) and (results[-1] is None or results[-1] is ...):
        return None
    return {
        "The gradient of the generator at the second step": gradient(),
        "The generator after two steps": moved,
        "The discriminator after two steps": in_a_row(discriminator.parameters()),
    }


generator_step = Exercise(
    title="the generator's step",
    level="build",
    solution=_generator_step,
    trials=((torch.randn(8, 2, generator=_noise),), (torch.randn(4, 2, generator=_noise),)),
    observe=_networks_after_steps,
    misconceptions={
        "These samples come from noise of your own. Use the noise that is given.": (
            _variant_of_the_step(fake="fresh")
        ),
        "The loss of the samples themselves was taken. Let the discriminator score them first.": (
            _variant_of_the_step(fake="unscored")
        ),
        "No gradient reaches the generator: its samples are detached. That belongs into the "
        "discriminator's step.": _variant_of_the_step(fake="detached"),
        "The gradient is right, but the generator does not move: who takes the step?": (
            _variant_of_the_step(step=False)
        ),
        "The first step is right, the second is not: gradients add up until somebody sets "
        "them to zero.": _variant_of_the_step(zero=False),
        "The sign is the wrong way round: this generator learns to be found out.": (
            _variant_of_the_step(sign=-1.0)
        ),
        "The discriminator has moved, too. This step moves the generator alone.": (
            _variant_of_the_step(fake="both")
        ),
    },
    hints=(
        "Generate, score, compute the loss of the scores. Which part of the discriminator's step "
        "must not be here?",
        "generator(noise) goes into the discriminator as it is, its scores into loss_of. Then "
        "zero_grad of the optimizer, backward of the loss, step of the optimizer.",
    ),
    praise="The gradient runs through the discriminator, and the generator alone moves.",
)


def _receptive_field(layers: Layers) -> int:
    field, jump = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * jump
        jump *= stride
    return field


def _jump_too_early(layers: Layers) -> int:
    field, jump = 1, 1
    for kernel_size, stride in layers:
        jump *= stride
        field += (kernel_size - 1) * jump
    return field


def _from_the_wrong_end(layers: Layers) -> int:
    field = 1
    for kernel_size, stride in layers:
        field = (field - 1) * stride + kernel_size
    return field


receptive_field = Exercise(
    title="how far one score sees",
    level="modify",
    solution=_receptive_field,
    trials=((((7, 1), (4, 2), (4, 2), (3, 1)),), (((3, 1), (3, 1)),), (((5, 3),),)),
    tolerance=1e-9,
    misconceptions={
        "One pixel is seen before the first layer: start with 1.": lambda layers: (
            _receptive_field(layers) - 1
        ),
        "Kernels are added, not multiplied.": lambda layers: int(
            np.prod([kernel for kernel, _ in layers])
        ),
        "This adds up kernels alone: strides stretch them, and neighbouring kernels overlap.": (
            lambda layers: sum(kernel for kernel, _ in layers)
        ),
        "The strides are not used: behind a stride of 2, one step is two pixels of the photo.": (
            lambda layers: 1 + sum(kernel_size - 1 for kernel_size, _ in layers)
        ),
        "This adds up kernels. But neighbouring kernels overlap, and a stride spreads the taps "
        "of all layers behind it.": (
            lambda layers: 1 + sum(kernel_size for kernel_size, _ in layers)
        ),
        "The stride of a layer spreads the positions behind it, not its own taps.": _jump_too_early,
        "The taps of a layer are spread by the strides before it, not by its own.": (
            lambda layers: 1 + sum((kernel - 1) * stride for kernel, stride in layers)
        ),
        "A kernel of k reaches k - 1 positions beyond the one that is there already.": (
            lambda layers: _receptive_field(tuple((k + 1, stride) for k, stride in layers))
        ),
        "This rule is right if you walk from the scores back to the photo. The list begins "
        "at the photo.": _from_the_wrong_end,
    },
    hints=(
        "How many pixels lie between two neighbouring taps of this layer?",
        "A kernel of k taps adds k - 1 gaps, and each gap is as wide as all strides before it.",
    ),
    praise="Every layer adds its kernel's gaps, stretched by all strides before it.",
)

_FakeMaps = list[list[Tensor]]


def _maps(shift: float) -> _FakeMaps:
    shapes = ((2, 3, 6, 6), (2, 5, 3, 3), (2, 1, 3, 3))
    return [[torch.randn(s, generator=_noise) + shift for s in shapes] for _ in range(2)]


_fake_maps, _real_maps = _maps(0.4), _maps(0.0)


def _feature_matching(fake: _FakeMaps, real: _FakeMaps) -> Tensor:
    total = torch.zeros(())
    for of_fake, of_real in zip(fake, real, strict=True):
        for a, b in zip(of_fake[:-1], of_real[:-1], strict=True):
            total = total + (a - b.detach()).abs().mean()
    return total / len(fake)


def _matched(
    fake: _FakeMaps, real: _FakeMaps, distance: Callable[[Tensor, Tensor], Tensor], last: int | None
) -> Tensor:
    pairs = [
        (a, b)
        for of_fake, of_real in zip(fake, real, strict=True)
        for a, b in zip(of_fake[:last], of_real[:last], strict=True)
    ]
    return torch.stack([distance(a, b) for a, b in pairs]).sum() / len(fake)


feature_matching = Exercise(
    title="feature matching",
    level="modify",
    solution=_feature_matching,
    trials=((_fake_maps, _real_maps), (_real_maps, [m[::1] for m in reversed(_fake_maps)])),
    gradients=("fake",),
    misconceptions={
        "Scales and layers are all averaged; equation 6 adds the layers.": (
            lambda fake, real: _matched(fake, real, lambda a, b: (a - b).abs().mean(), None) / 3
        ),
        "Roots of mean squares. The bars with the index 1 in equation 6 are absolute values.": (
            lambda fake, real: _matched(fake, real, lambda a, b: (a - b).square().mean().sqrt(), -1)
        ),
        "These are lengths of maps. Equation 6 has the mean absolute difference.": (
            lambda fake, real: _matched(fake, real, lambda a, b: (a - b).norm(), -1)
        ),
        "The scores are in it, too. They belong to the adversarial term.": (
            lambda fake, real: _matched(fake, real, lambda a, b: (a - b).abs().mean(), None)
        ),
        "You take sums over the maps: large maps then count most. Equation 6 divides by n.": (
            lambda fake, real: _matched(fake, real, lambda a, b: (a - b).abs().sum(), -1)
        ),
        "These are squares. The bars with the index 1 in equation 6 are absolute values.": (
            lambda fake, real: _matched(fake, real, lambda a, b: (a - b).square().mean(), -1)
        ),
        "The sum over layers is right, but the scales are added instead of averaged.": (
            lambda fake, real: 2 * _matched(fake, real, lambda a, b: (a - b).abs().mean(), -1)
        ),
        "Differences up and down cancel each other: without absolute values nothing is left.": (
            lambda fake, real: _matched(fake, real, lambda a, b: (a - b).mean(), -1)
        ),
        "The right sum, but over the first scale alone.": (
            lambda fake, real: _matched(fake[:1], real[:1], lambda a, b: (a - b).abs().mean(), -1)
        ),
        "The layers are averaged; equation 6 adds them. Only the scales are averaged.": (
            lambda fake, real: (
                _matched(fake, real, lambda a, b: (a - b).abs().mean(), -1) / (len(fake[0]) - 1)
            )
        ),
        "This compares the first layer of the first scale alone.": (
            lambda fake, real: (fake[0][0] - real[0][0]).abs().mean()
        ),
    },
    hints=(
        "Which map of each scale has no place here? And what is averaged, what is added?",
        "Two loops, over scales and over all layers but the last; mean absolute difference of "
        "each pair; add them, and divide by the number of scales.",
    ),
    praise="A mean within a map, a sum over layers, a mean over scales.",
)

_weight = torch.randn(6, 9, generator=_noise)
_u = F.normalize(torch.randn(6, generator=_noise), dim=0)


def _next_u(weight: Tensor, u: Tensor) -> Tensor:
    v = F.normalize(weight.T @ u, dim=0)
    return F.normalize(weight @ v, dim=0)


next_u = Exercise(
    title="one round of power iteration",
    level="complete a line",
    solution=_next_u,
    trials=((_weight, _u), (3 * _weight[:4], _u[:4])),
    misconceptions={
        "The largest entry is 1 now. Length means the root of the sum of squares.": (
            lambda weight, u: (weight @ (weight.T @ u)) / (weight @ (weight.T @ u)).max()
        ),
        "Nothing has changed.": lambda weight, u: u,
        "These are two rounds.": lambda weight, u: _next_u(weight, _next_u(weight, u)),
        "The result is not of length 1: after some rounds it would overflow.": (
            lambda weight, u: weight @ F.normalize(weight.T @ u, dim=0)
        ),
        "Nothing is brought to length 1: after some rounds it would overflow.": (
            lambda weight, u: weight @ (weight.T @ u)
        ),
        "This is only the way there, v. It has to come back through the weights.": (
            lambda weight, u: F.normalize(weight.T @ u, dim=0)
        ),
        "The sum of the absolute values is 1 now. Length means the root of the squares.": (
            lambda weight, u: F.normalize(weight @ (weight.T @ u), dim=0, p=1)
        ),
    },
    hints=(
        "There and back: first through the transposed weights, then through the weights.",
        "torch.nn.functional.normalize(vector, dim=0) brings a vector to length 1; use it twice.",
    ),
    praise="Each round turns u towards the direction that the weights stretch most.",
)

_answers = torch.tensor([[0.6, -0.8, 0.2], [0.6, 0.6, 0.4], [-0.8, 0.6, 0.9]])


def _best_answer(answers: Tensor) -> Tensor:
    return answers.median(dim=0).values


best_answer = Exercise(
    title="the answer that L1 likes best",
    level="complete a line",
    solution=_best_answer,
    trials=((_answers,), (torch.cat([_answers, 0.5 * _answers - 0.3, _answers - 1])[:5],)),
    misconceptions={
        "This is one number for all pixels. Each pixel has its own.": lambda answers: (
            answers.median().expand(3)
        ),
        "The brightest value of each pixel is bright wherever any answer is.": (
            lambda answers: answers.max(dim=0).values
        ),
        "These are indices. Tensor.median(dim=...) has the values as well.": (
            lambda answers: answers.median(dim=0).indices
        ),
        "The mean is what the squared error likes best. Absolute errors do not care how far "
        "away the few are.": lambda answers: answers.mean(dim=0),
        "You compare pixels of one answer. Compare the answers at one pixel.": (
            lambda answers: answers.median(dim=1).values
        ),
        "This is one of the answers, and wrong at each place where the others agree.": (
            lambda answers: answers[0]
        ),
        "The darkest value of each pixel is dark wherever any answer is.": (
            lambda answers: answers.min(dim=0).values
        ),
    },
    hints=(
        "Move the answer for one pixel a little up: for how many of the true values does the "
        "error grow, for how many does it shrink?",
        "At the best place as many true values lie above as below. Tensor.median(dim=...) gives "
        "values and indices.",
    ),
    praise="As many above as below: one answer in a minority leaves no trace at all.",
)


collapsed_log = Exercise(
    title="which log shows a mode collapse",
    level="investigate",
    solution="c",
    misconceptions={
        "The points of this one are narrow, too, but see its gradient: this generator has not "
        "moved at all.": "a",
        "The points of this one are as wide as the ring, and the discriminator is near "
        "guessing.": "b",
    },
    hints=(
        "A generator that has collapsed makes points in one place. Which column tells?",
        "Two logs have narrow points. In one of them the generator is alive: look at the gradient.",
    ),
    praise="Narrow points and a living gradient: it moves, but all its points move together.",
)

sheet = Sheet(
    "05",
    (
        discriminator_loss,
        generator_step,
        receptive_field,
        feature_matching,
        next_u,
        best_answer,
        collapsed_log,
    ),
)
