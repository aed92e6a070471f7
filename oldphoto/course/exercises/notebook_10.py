"""Exercises of notebook 10: training the full model."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from oldphoto.course.exercises.engine import Exercise, Sheet
from oldphoto.course.exercises.steps import in_a_row, watched_sgd, with_weights

_noise = torch.Generator().manual_seed(10)
_average = torch.randn(3, 4, generator=_noise)
_weights = torch.randn(3, 4, generator=_noise)


_LossOf = Callable[[Tensor], Tensor]
_small, _large = torch.randn(2, 4, 3, 5, generator=_noise)  # two batches in four parts of 3


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: Sequence[Tensor],
    loss_of: _LossOf,
    clip: float,
) -> None:
    optimizer.zero_grad()
    for part in parts:
        (loss_of(network(part)) / len(parts)).backward()
    nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()


def _variant_of_the_step(
    zero: str = "once",
    divide: bool = True,
    clip_when: str = "before",
    step: str = "once",
    parts: str = "all",
) -> Callable[..., None]:
    """Return the step with one thing left out or done otherwise."""

    def answer(
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        batch: Sequence[Tensor],
        loss_of: _LossOf,
        clip: float,
    ) -> None:
        chosen = {"all": batch, "first": batch[:1], "together": [torch.cat(tuple(batch))]}[parts]
        if zero == "once":
            optimizer.zero_grad()
        for part in chosen:
            if zero == "each part":
                optimizer.zero_grad()
            (loss_of(network(part)) / (len(chosen) if divide else 1)).backward()
            if clip_when == "each part":
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            if step == "each part":
                optimizer.step()
        if clip_when == "before":
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        if clip_when == "values":
            nn.utils.clip_grad_value_(network.parameters(), clip)
        for _ in range({"once": 1, "twice": 2}.get(step, 0)):
            optimizer.step()

    return answer


def _weights_after_steps(
    answer: Callable[..., Any], parts: Tensor, clip: float
) -> dict[str, Any] | None:
    """Take two steps with an answer, and return the weights after each."""
    network = with_weights(nn.Linear(5, 2))
    start = in_a_row(network.parameters())
    optimizer, _ = watched_sgd(network)
    batches: list[int] = []
    network.register_forward_hook(lambda _, inputs, __: batches.append(len(inputs[0])))
    found: dict[str, Any] = {}
    for number in ("first", "second"):
        answer(network, optimizer, list(parts), lambda a: (a - 1).square().mean(), clip)
        found[f"The weights after the {number} step"] = in_a_row(network.parameters())
    found["The most photos in the network at once"] = max(batches, default=0)
    return None if torch.equal(start, in_a_row(network.parameters())) else found


training_step = Exercise(
    title="a step in parts",
    level="build",
    solution=_step,
    trials=((_small, 100.0), (_large, 0.5), (5 * _small[:2], 2.0)),
    observe=_weights_after_steps,
    misconceptions={
        "The step is right, but the parts went through the network together: that takes the "
        "memory of the large batch.": _variant_of_the_step(parts="together"),
        "This is the first part alone.": _variant_of_the_step(parts="first"),
        "Each value is clipped. What should be clipped is the length of the whole gradient.": (
            _variant_of_the_step(clip_when="values")
        ),
        "The optimizer takes two steps.": _variant_of_the_step(step="twice"),
        "The gradients of the parts are added, but the loss of the whole batch is a mean: "
        "each part must count less.": _variant_of_the_step(divide=False),
        "The gradient is set to zero in every part, so only that of the last part is left.": (
            _variant_of_the_step(zero="each part")
        ),
        "The first step is right, the second is not: the old gradient is still there.": (
            _variant_of_the_step(zero="never")
        ),
        "The optimizer takes a step in every part: later parts see other weights.": (
            _variant_of_the_step(step="each part")
        ),
        "A gradient that is too long is not clipped, or only after the step.": (
            _variant_of_the_step(clip_when="never")
        ),
        "It is clipped in every part. The length of the whole gradient counts.": (
            _variant_of_the_step(clip_when="each part")
        ),
    },
    hints=(
        "backward() adds to the gradients that are there. So what happens once, and what in "
        "every part?",
        "Once: zero_grad, clip_grad_norm_, step. In every part: the loss of that part, divided "
        "by the number of parts, and backward.",
    ),
    praise="Four small batches give the step of one large batch.",
)


def _rate_factor(step: int, num_steps: int) -> float:
    half = num_steps / 2
    return 1.0 if step < half else (num_steps - step) / half


rate_factor = Exercise(
    title="the factor of the learning rate",
    level="complete a line",
    solution=_rate_factor,
    trials=((0, 40), (15, 40), (35, 40), (40, 40), (20, 40), (30, 50)),
    misconceptions={
        "It falls half as fast as it should, and ends at one half.": (
            lambda step, num_steps: 1.0 if step < num_steps / 2 else 1.5 - step / num_steps
        ),
        "This is a cosine. The paper has a straight line.": (
            lambda step, num_steps: (
                1.0
                if step < num_steps / 2
                else 0.5 + 0.5 * np.cos(np.pi * (2 * step / num_steps - 1))
            )
        ),
        "// drops the fraction: the factor falls in one jump.": (
            lambda step, num_steps: (
                1.0 if step < num_steps / 2 else (num_steps - step) // (num_steps / 2)
            )
        ),
        "In the second half it is negative: how many steps are LEFT?": (
            lambda step, num_steps: (
                1.0 if step < num_steps / 2 else (step - num_steps) / (num_steps / 2)
            )
        ),
        "It never falls.": lambda step, num_steps: 1.0,
        "A step down is no line: it must reach 0 at the end.": (
            lambda step, num_steps: 1.0 if step < num_steps / 2 else 0.5
        ),
        "It jumps in the middle: just after the first half it should still be near 1.": (
            lambda step, num_steps: 1.0 if step < num_steps / 2 else 1 - step / num_steps
        ),
        "In the second half it rises, from 0 to 1. It should fall.": lambda step, num_steps: (
            1.0 if step < num_steps / 2 else (step - num_steps / 2) / (num_steps / 2)
        ),
        "It falls from the very first step. The paper keeps it for the first half.": (
            lambda step, num_steps: 1 - step / num_steps
        ),
    },
    hints=(
        "Where must the line begin, and where must it end? Two points make a line.",
        "How many steps are left, as a fraction of the second half?",
    ),
    praise="Full speed for one half, then down to nothing.",
)


def _moving_average(average: Tensor, weights: Tensor, decay: float) -> Tensor:
    return decay * average + (1 - decay) * weights


moving_average = Exercise(
    title="the moving average of the weights",
    level="modify",
    solution=_moving_average,
    trials=((_average, _weights, 0.98), (_average, _weights, 0.5), (_average, _weights, 0.999)),
    misconceptions={
        "The minus makes a difference of the two. A mean is a sum.": (
            lambda average, weights, decay: decay * average - (1 - decay) * weights
        ),
        "Nothing changes: the new weights are not used.": lambda average, weights, decay: average,
        "Only the old part is there. Add that of the new weights.": (
            lambda average, weights, decay: decay * average
        ),
        "This divides so that the factors add up to 1, but they are to be decay and 1 - decay.": (
            lambda average, weights, decay: (decay * average + weights) / (1 + decay)
        ),
        "The wrong way round: with a decay near 1 the average should hardly move.": (
            lambda average, weights, decay: (1 - decay) * average + decay * weights
        ),
        "The two factors must add up to 1, or the average grows without end.": (
            lambda average, weights, decay: average + (1 - decay) * weights
        ),
        "The new weights count in full: the two factors add up to more than 1.": (
            lambda average, weights, decay: decay * average + weights
        ),
        "This is the mean of the two. How much of each is kept should depend on decay.": (
            lambda average, weights, decay: (average + weights) / 2
        ),
        "These are the newest weights alone; nothing is averaged.": (
            lambda average, weights, decay: weights
        ),
    },
    hints=(
        "With decay = 1 nothing should change; with decay = 0 only the new weights count.",
        "Two products whose factors add up to 1.",
    ),
    praise="A memory of about 1 / (1 - decay) steps.",
)


def _go_on_from(found: list[tuple[int, bool]]) -> int:
    return max([step for step, is_whole in found if is_whole], default=0)


go_on_from = Exercise(
    title="which checkpoint to go on from",
    level="complete a line",
    solution=_go_on_from,
    trials=(
        ([(120, True), (140, False)],),
        ([(20, True), (30, True), (40, False), (10, True), (25, True)],),
        ([(20, False)],),
        ([],),
    ),
    misconceptions={
        "That is how many there are. Return the step of one.": lambda found: len(found),
        "That is the step after it. Go on FROM the newest whole one.": (
            lambda found: max([step for step, is_whole in found if is_whole], default=0) + 1
        ),
        "These are steps of all whole ones together. Return one.": (
            lambda found: sum(step for step, is_whole in found if is_whole)
        ),
        "Where no checkpoint is whole, training begins with step 0.": (
            lambda found: max([step for step, is_whole in found if is_whole], default=-1)
        ),
        "The newest one is damaged in the first case; you would go on from broken weights.": (
            lambda found: max([step for step, _ in found], default=0)
        ),
        "This is the oldest whole one: more work than needed would be repeated.": (
            lambda found: min([step for step, is_whole in found if is_whole], default=0)
        ),
        "This takes the first whole one of the list; nobody promised that it is sorted.": (
            lambda found: next((step for step, is_whole in found if is_whole), 0)
        ),
        "This takes the last whole one of the list; nobody promised that it is sorted.": (
            lambda found: ([0] + [step for step, is_whole in found if is_whole])[-1]
        ),
    },
    hints=(
        "First keep the whole ones, then take the newest of those.",
        "max(..., default=0) answers for an empty list.",
    ),
    praise="The newest whole one, or the beginning where there is none.",
)


def _positions(step: int, batch: int, rank: int, num_processes: int) -> np.ndarray:
    return np.arange(step * batch, (step + 1) * batch)[rank::num_processes]


positions = Exercise(
    title="the photos of one process",
    level="modify",
    solution=_positions,
    trials=((0, 8, 0, 2), (3, 8, 1, 4), (5, 6, 2, 3), (2, 4, 0, 1)),
    misconceptions={
        "Each process would take the photos of process 0. Where does `rank` come in?": (
            lambda step, batch, rank, num_processes: np.arange(step * batch, (step + 1) * batch)[
                ::num_processes
            ]
        ),
        "Process 0 should begin with the first photo, not the second.": (
            lambda step, batch, rank, num_processes: np.arange(step * batch, (step + 1) * batch)[
                rank + 1 :: num_processes
            ]
        ),
        "This is True or False for each photo. Return the positions.": (
            lambda step, batch, rank, num_processes: (
                np.arange(step * batch, (step + 1) * batch) % num_processes == rank
            )
        ),
        "Every process would see every photo: the same work, done several times.": (
            lambda step, batch, rank, num_processes: np.arange(step * batch, (step + 1) * batch)
        ),
        "These are the photos of step 0 in every step.": (
            lambda step, batch, rank, num_processes: np.arange(batch)[rank::num_processes]
        ),
        "Each gets as many, but in blocks. The package deals them out in turn, like cards.": (
            lambda step, batch, rank, num_processes: np.arange(step * batch, (step + 1) * batch)[
                rank * (batch // num_processes) : (rank + 1) * (batch // num_processes)
            ]
        ),
    },
    hints=(
        "Deal the batch out like cards: process 0 gets the first, process 1 the second, ...",
        "A slice may have a start and a stride: values[start::stride].",
    ),
    praise="Together they see each photo once, and the same ones as a single process would.",
)


def _training_bytes(num_weights: int) -> int:
    copies = 1 + 1 + 2 + 1  # weight, gradient, Adam's two averages, moving average
    bytes_of_float32 = 4
    return num_weights * copies * bytes_of_float32


training_bytes = Exercise(
    title="bytes that the weights take in training",
    level="complete a line",
    solution=_training_bytes,
    trials=((1000,), (872_131,)),
    tolerance=1e-9,
    misconceptions={
        "Half precision would take 2 bytes each. These weights are float32.": lambda num_weights: (
            num_weights * 10
        ),
        "These are bits.": lambda num_weights: num_weights * 160,
        "These are MiB. Return bytes.": lambda num_weights: num_weights * 20 / 2**20,
        "One copy too many.": lambda num_weights: num_weights * 24,
        "This is what the weights take when they are only used. Training keeps more of each.": (
            lambda num_weights: num_weights * 4
        ),
        "This is a number of values. How many bytes has a float32?": (
            lambda num_weights: num_weights * 5
        ),
        "Weights and gradients. What does Adam keep, and what becomes the result?": (
            lambda num_weights: num_weights * 8
        ),
        "Adam keeps two averages, of the gradient and of its square; and one more copy counts.": (
            lambda num_weights: num_weights * 12
        ),
        "One copy is missing: the moving average that becomes the result.": (
            lambda num_weights: num_weights * 16
        ),
    },
    hints=(
        "Count the copies of one weight: itself, its gradient, what Adam remembers, the average.",
        "Adam remembers two numbers for each weight.",
    ),
    praise="Five times the weights, before the first photo has come in.",
)


lost_part = Exercise(
    title="the part that silently starts anew",
    level="investigate",
    solution="discriminator_loss",
    misconceptions={
        "That part holds the VAE; its file is read again in their code.": "loss",
        "The moving average is ours; their code has none to lose.": "average",
        "That part moves the VAE. Which part holds discriminators, and thus featD?": (
            "loss_optimizer"
        ),
        "That is what Adam remembers of the discriminators. In which part are they themselves?": (
            "discriminator_loss_optimizer"
        ),
        "That is a name in their code. Which part of ours holds it?": "featD",
        "Random states are not in their files at all. What is featD?": "random",
    },
    hints=(
        "featD is their name for the latent discriminator. Who trains it?",
        "Discriminators have a loss of their own; see the loop in section 2.",
    ),
    praise="The latent discriminator forgets all it knew, and the gap between old and synthetic "
    "latents may open again, without any message.",
)

sheet = Sheet(
    "10",
    (training_step, rate_factor, moving_average, go_on_from, positions, training_bytes, lost_part),
)
