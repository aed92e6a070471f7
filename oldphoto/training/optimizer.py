"""The parts of the training loop: optimizer steps, learning rate, moving average."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from oldphoto.config import StageConfig
from oldphoto.training.checkpoint import Stateful
from oldphoto.training.log import AFTER_DIVERGENCE, NonFiniteLossError
from oldphoto.training.objectives import Samples, Terms
from oldphoto.training.settings import LoopSettings, mixed_precision


class Scaler(torch.amp.GradScaler):
    """A loss scaler that begins anew where the checkpoint was written without one.

    Only fp16 needs a scaler, so a run that goes on with another precision than before, because
    it was given another GPU, finds none in its checkpoint.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict:
            super().load_state_dict(state_dict)


class Player:
    """One side of adversarial training: a loss, and the optimizer of the networks it holds.

    Args:
        name: prefix of its parts in a checkpoint.
        loss: ``loss(*inputs)`` returns terms and samples.
        learning_rate: at the start.
        config: betas, schedule and clipping.
        settings: precision, compiling, number of processes.
    """

    def __init__(
        self,
        name: str,
        loss: nn.Module,
        learning_rate: float,
        config: StageConfig,
        settings: LoopSettings,
    ) -> None:
        self.name, self.loss, self.settings = name, loss, settings
        self.clip_norm, self.first_rate = config.clip_norm, learning_rate
        self.weights = [p for p in loss.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.weights, lr=learning_rate, betas=config.betas)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: linear_decay(step, config.num_steps, config.decay_from)
        )
        self.device_type = torch.device(settings.device).type
        self.scaler = Scaler(
            self.device_type, enabled=settings.precision == "fp16" and self.device_type == "cuda"
        )
        self._call: nn.Module = loss
        if settings.world_size > 1:
            # A batch without holes leaves the non-local block unused.
            self._call = DistributedDataParallel(self._call, find_unused_parameters=True)
        if settings.compile:
            self._call = torch.compile(self._call)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.optimizer.param_groups[0]["lr"]

    def keep_rate(self) -> None:
        """Go on with the learning rate that was asked for, whatever a checkpoint says."""
        factor = self.schedule.lr_lambdas[0](self.schedule.last_epoch)
        self.schedule.base_lrs = [self.first_rate]
        self.optimizer.param_groups[0].update(
            initial_lr=self.first_rate, lr=self.first_rate * factor
        )

    def require_finite(self, stage: str, step: int) -> None:
        """Raise NonFiniteLossError if a weight is not finite: such a state must not be kept."""
        if not all(bool(weight.isfinite().all()) for weight in self.weights):
            raise NonFiniteLossError(
                f"{stage}: a weight that the {self.name} has trained is not finite after step "
                f"{step}; {AFTER_DIVERGENCE}"
            )

    def parts(self) -> dict[str, Stateful]:
        """Everything that a checkpoint must hold of this player, by name."""
        return {
            self.name: self.loss,
            f"{self.name}_optimizer": self.optimizer,
            f"{self.name}_schedule": self.schedule,
            f"{self.name}_scaler": self.scaler,
        }

    def backward(self, *inputs: object) -> tuple[Terms, Samples]:
        """Compute the terms on one part of a batch and add their gradient to the others'."""
        with mixed_precision(self.settings):
            terms, samples = self._call(*inputs)
        total = sum(terms.values()) / self.settings.accumulate
        self.scaler.scale(total).backward()
        return {name: term.detach() for name, term in terms.items()}, samples

    def step(self) -> None:
        """Move the weights along the collected gradient, and forget it."""
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.weights, self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)


def linear_decay(step: int, num_steps: int, decay_from: float) -> float:
    """Return the factor of the learning rate: 1 at first, falling to 0 at the end.

    Args:
        step: steps done.
        num_steps: steps of the whole stage.
        decay_from: share of the steps after which it falls.
    """
    start = decay_from * num_steps
    return 1.0 if step < start else max(0.0, (num_steps - step) / max(1.0, num_steps - start))


def moving_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    """Return the update ``average = factor * average + (1 - factor) * current``.

    The factor is min(decay, (1 + n) / (10 + n)) after n updates. With the full decay from the
    start, a run of a few hundred steps would return mostly its first, random weights: with 0.999,
    more than half of the average after 600 steps.

    Args:
        decay: the factor of a long run, in [0, 1).
    """

    @torch.no_grad()
    def update(averages: list[Tensor], currents: list[Tensor], num_updates: Tensor) -> None:
        n = float(num_updates)
        factor = min(decay, (1 + n) / (10 + n))
        for average, current in zip(averages, currents, strict=True):
            average.lerp_(current, 1 - factor)

    return update


def mean_terms(parts: Sequence[Terms]) -> Terms:
    """Return each term's mean over the parts of a batch."""
    return {name: torch.stack([terms[name] for terms in parts]).mean() for name in parts[0]}


def to_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Move a batch to the device; photos in the memory order that convolutions like best."""
    moved = {}
    for name, value in batch.items():
        order = torch.channels_last if value.ndim == 4 else torch.preserve_format
        moved[name] = value.to(device, non_blocking=True, memory_format=order)
    return moved
