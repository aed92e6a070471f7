"""How a training is carried out: device, precision, saving, and stopping on request."""

import signal
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from oldphoto.checks import InputError, require_in, require_positive

_AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class LoopSettings:
    """How a run is carried out; what it learns depends on none of it but the precision.

    Attributes:
        device: "cpu", "cuda", "cuda:1", "mps".
        precision: "fp32", "bf16", or "fp16" with a loss scaler.
        num_workers: processes that prepare photos.
        accumulate: parts into which the batch is cut to save memory.
        compile: let torch.compile fuse the networks' operations.
        resume: go on from the newest checkpoint in the folder.
        max_minutes: stop with a checkpoint after so long; None is no limit.
        save_minutes: time between two checkpoints; 0 saves after every step.
        log_every: steps between two rows of the log.
        sample_every: steps between two pictures of the progress.
        rank: number of this process among all that train together.
        world_size: how many they are.
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


def mixed_precision(settings: LoopSettings) -> AbstractContextManager:
    """Return the context in which a loss is computed: half of the bytes where that is harmless."""
    dtype = _AUTOCAST[settings.precision]
    return torch.autocast(torch.device(settings.device).type, dtype, enabled=dtype is not None)


def share_of_batch(batch: int, settings: LoopSettings) -> int:
    """Return how many photos one process puts through the networks at once.

    Raises:
        InputError: if the batch cannot be shared out evenly.
    """
    shares = settings.world_size * settings.accumulate
    if batch % shares:
        raise InputError(
            f"a batch of {batch} cannot be shared evenly among {settings.world_size} processes x "
            f"{settings.accumulate} parts: choose divisors of it"
        )
    return batch // shares


class StopRequest:
    """Let Ctrl-C and SIGTERM ask for a stop after the step in hand; a second one insists."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        # Only the main thread may set handlers; elsewhere the caller has its own ways to stop.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
