"""What the training loop updates weights with: Adam, learning-rate schedule, moving average."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from oldphoto.config import StageConfig
from oldphoto.training.log import AFTER_DIVERGENCE, NonFiniteLossError
from oldphoto.training.objectives import Batch, Terms
from oldphoto.training.settings import LoopSettings


class Scaler(torch.amp.GradScaler):
    """A gradient scaler that accepts a checkpoint written without one.

    Only fp16 needs a scaler. A run that was moved to another GPU may resume with another precision
    than before, and then finds no scaler state in its checkpoint.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; an empty one leaves the scaler as it is."""
        if state_dict:  # PyTorch's own scaler raises an error for an empty one
            super().load_state_dict(state_dict)


@dataclass(frozen=True)
class Side:
    """One side of adversarial training, generator or discriminators: all it takes to update it.

    Attributes:
        name: "generator" or "discriminator", for messages.
        module: holds the networks, the fixed ones too.
        objective: the module, or its wrapper for several processes and ``torch.compile``. It
            returns the loss terms.
        weights: those that are trained.
        learning_rate: at the start.
        optimizer, schedule: Adam and its learning rate.
        scaler: of gradients in fp16; without effect otherwise.
    """

    name: str
    module: nn.Module
    objective: Callable[..., Any]
    weights: list[nn.Parameter]
    learning_rate: float
    optimizer: torch.optim.Adam
    schedule: torch.optim.lr_scheduler.LambdaLR
    scaler: Scaler


def make_side(
    name: str,
    objective: nn.Module,
    learning_rate: float,
    config: StageConfig,
    settings: LoopSettings,
) -> Side:
    """Move an objective to the device and return it with an optimizer for its trainable weights.

    Args:
        name: "generator" or "discriminator", for messages.
        learning_rate: at the start.
        config: gives betas and schedule.
        settings: device, precision, compiling, number of processes.
    """
    device = torch.device(settings.device)
    # Convolutions run fastest on photos and kernels whose channels lie together in memory.
    objective.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Frozen networks are left out: Adam would keep two averages for each of their weights.
    weights = [weight for weight in objective.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=learning_rate, betas=config.betas)
    # LambdaLR keeps the initial rate and the step, so it resumes exactly.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: linear_decay(step, config.num_steps, config.decay_from)
    )
    # fp16 gradients below 6e-8 would vanish; bf16 has the range of fp32.
    scaler = Scaler(device.type, enabled=settings.precision == "fp16" and device.type == "cuda")
    wrapped: Callable[..., Any] = objective
    if settings.world_size > 1:
        # A batch without holes leaves the partial non-local block unused, and DDP would wait for
        # its gradients.
        wrapped = DistributedDataParallel(objective, find_unused_parameters=True)
    if settings.compile:
        wrapped = torch.compile(wrapped)  # outermost, as PyTorch advises for DDP
    return Side(name, objective, wrapped, weights, learning_rate, optimizer, schedule, scaler)


def learning_rate_of(side: Side) -> float:
    """Return the learning rate of the next step."""
    return side.optimizer.param_groups[0]["lr"]  # all weights are in one group


def override_learning_rates(sides: Iterable[Side]) -> None:
    """Override the checkpoint's learning rates with the requested ones; the schedules continue."""
    for side in sides:
        factor, rate = side.schedule.lr_lambdas[0](side.schedule.last_epoch), side.learning_rate
        # Both: Adam has the rate of the next step, the schedule computes those after it.
        side.schedule.base_lrs = [rate]
        side.optimizer.param_groups[0].update(initial_lr=rate, lr=rate * factor)


def require_finite(sides: Iterable[Side], stage: str, step: int) -> None:
    """Raise NonFiniteLossError if a weight is not finite: such a state must not be saved.

    The losses of a step are computed before its weights change, so finite losses are not enough.

    Args:
        stage: name of the stage, for the message.
        step: steps done.
    """
    for side in sides:
        if not all(bool(weight.isfinite().all()) for weight in side.weights):
            raise NonFiniteLossError(
                f"{stage}: a trained weight of the {side.name} is not finite after step {step}; "
                f"{AFTER_DIVERGENCE}"
            )


def linear_decay(step: int, num_steps: int, decay_from: float) -> float:
    """Return the factor of the learning rate: 1 at first, then falling linearly to 0.

    Args:
        step: steps done.
        num_steps: steps of the whole stage.
        decay_from: fraction of the steps after which it falls.

    >>> [linear_decay(step, num_steps=10, decay_from=0.5) for step in (0, 5, 6, 10)]
    [1.0, 1.0, 0.8, 0.0]
    """
    start = decay_from * num_steps
    # At least 1 in the denominator: with ``decay_from`` 1 the rate never falls.
    return 1.0 if step < start else max(0.0, (num_steps - step) / max(1.0, num_steps - start))


def moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    """Return the update ``average = factor * average + (1 - factor) * current``.

    The factor is min(decay, (1 + n) / (10 + n)) after n updates. With the full decay from the
    start, a short run would return mostly its random first weights: at 0.999 they would still make
    up more than half of the average after 600 steps.

    Args:
        decay: the factor of a long run, in [0, 1).

    Returns:
        ``update(averages, currents, num_updates)``, for ``torch.optim.swa_utils.AveragedModel``.

    >>> average = [torch.zeros(1)]
    >>> moving_average(0.9)(average, [torch.ones(1)], 1000)
    >>> average
    [tensor([0.1000])]
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], currents: Sequence[Tensor], num_updates: Any) -> None:
        # In place, weight by weight: a second copy of the networks would cost their memory.
        n = float(num_updates)
        factor = min(decay, (1 + n) / (10 + n))  # n = 0: 0.1, n = 81: 0.9, n = 8991: 0.999
        for average, current in zip(averages, currents, strict=True):
            average.lerp_(current, 1 - factor)

    return update


def detached(terms: Terms) -> Terms:
    """Return the terms without the graph that computed them, which frees its memory."""
    return {name: term.detach() for name, term in terms.items()}


def mean_terms(parts: Sequence[Terms]) -> Terms:
    """Return each term's mean over the parts of a batch.

    >>> mean_terms([{"l1": torch.tensor(1.0)}, {"l1": torch.tensor(3.0)}])
    {'l1': tensor(2.)}
    """
    # Parts have equal sizes, so the mean of means is the mean over the batch.
    return {name: torch.stack([terms[name] for terms in parts]).mean() for name in parts[0]}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch to the device; photos in the memory order of the convolutions."""
    moved = {}
    for name, value in batch.items():
        # Only photos and masks (B, C, H, W) have channels; seeds (B,) keep their order.
        order = torch.channels_last if value.ndim == 4 else torch.preserve_format
        # From pinned memory the copy runs beside the computation of the step before.
        moved[name] = value.to(device, non_blocking=True, memory_format=order)
    return moved
