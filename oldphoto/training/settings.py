"""How a training run is carried out: device, precision, saving, and stopping on request."""

import signal
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import torch

from oldphoto.checks import InputError, require_in, require_positive

# bf16 has the range of fp32 with fewer digits. fp16 is for older GPUs and needs a scaler.
_AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class LoopSettings:
    """How a run is carried out. Of all this, only the precision changes what is learned.

    Attributes:
        device: "cpu", "cuda", "cuda:1", "mps".
        precision: "fp32", "bf16", or "fp16" with a gradient scaler.
        num_workers: processes that load photos.
        accumulate: number of parts into which a batch is split to save memory.
        compile: use torch.compile.
        resume: continue from the newest checkpoint in the folder.
        max_minutes: save a checkpoint and stop after this many minutes; None is no limit.
        save_minutes: minutes between two checkpoints; 0 saves after every step.
        log_every: steps between two rows of the log.
        sample_every: steps between two pictures of sample photos.
        rank: number of this process, from 0.
        world_size: number of processes that train together.

    Raises:
        InputError: if the precision is unknown or a number of steps or parts is not positive.
    """

    device: str = "cpu"
    precision: str = "fp32"
    num_workers: int = 0
    accumulate: int = 1
    compile: bool = False
    resume: bool = False
    max_minutes: float | None = None
    save_minutes: float = 5.0
    log_every: int = 20
    sample_every: int = 500
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        require_in(self.precision, tuple(_AUTOCAST), "precision")
        require_positive(
            accumulate=self.accumulate, log_every=self.log_every, sample_every=self.sample_every
        )


def autocast(settings: LoopSettings) -> AbstractContextManager[Any]:
    """Return the autocast context for the chosen precision."""
    dtype = _AUTOCAST[settings.precision]
    # Weights and their updates stay in fp32; convolutions and products compute in half precision.
    return torch.autocast(torch.device(settings.device).type, dtype, enabled=dtype is not None)


def share_of_batch(batch: int, settings: LoopSettings) -> int:
    """Return how many photos of a batch one process puts through the networks at once.

    Raises:
        InputError: if the batch cannot be split evenly.

    >>> share_of_batch(8, LoopSettings(world_size=2, accumulate=2))
    2
    """
    # Shares of unequal size would give the photos unequal weights in the mean gradient.
    shares = settings.world_size * settings.accumulate
    if batch % shares:
        raise InputError(
            f"a batch of {batch} cannot be shared evenly among {settings.world_size} processes x "
            f"{settings.accumulate} parts: choose divisors of it"
        )
    return batch // shares


class StopRequest:
    """Turn Ctrl-C and SIGTERM into a stop after the current step; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False
        # The handlers that were there before; ``Any`` because there are several kinds of them.
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        # Only the main thread may set handlers; elsewhere the caller has its own ways to stop.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Give the handlers back: after training, Ctrl-C must end the program again.
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt  # the step seems to hang, or there is no time to save
        self.requested = True  # the loop looks at it after each step, when the state is whole
