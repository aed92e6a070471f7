"""Batches from a dataset, in an order that a stopped run can go on with."""

import signal
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from oldphoto.checks import InputError, require_positive
from oldphoto.data.datasets import PositionDataset


class PositionSampler(Sampler[int]):
    """Count positions from ``start`` to ``stop``: the whole order of a training run.

    A run that stopped after N samples goes on with ``PositionSampler(N, stop)`` and sees exactly
    what it would have seen. With several processes each takes every ``num_processes``-th position,
    so that all together see what one process with the larger batch would see.

    Args:
        start: first position.
        stop: the position after the last one.
        rank: number of this process, from 0.
        num_processes: how many processes train together.
    """

    def __init__(self, start: int, stop: int, rank: int = 0, num_processes: int = 1) -> None:
        if start < 0 or stop < start:
            raise InputError(f"expected 0 <= start <= stop, got start {start} and stop {stop}")
        if not 0 <= rank < num_processes:
            raise InputError(f"expected 0 <= rank < {num_processes} processes, got rank {rank}")
        # Cut to whole rounds: one process with a batch more than the others would wait for ever.
        whole = start + (stop - start) // num_processes * num_processes
        self._positions = range(start + rank, whole, num_processes)

    def __iter__(self) -> Iterator[int]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


def make_loader(
    dataset: PositionDataset,
    batch: int,
    num_workers: int = 0,
    start: int = 0,
    stop: int | None = None,
    rank: int = 0,
    num_processes: int = 1,
) -> DataLoader:
    """Return a loader of whole batches over the positions from ``start`` to ``stop``.

    The same positions give the same batches for any number of workers. Workers are started anew
    (spawn), which works on every system and beside CUDA; a script that asks for workers needs the
    usual ``if __name__ == "__main__":``.

    Args:
        dataset: one of the datasets of this package.
        batch: samples in a batch; samples that fill no whole batch at the end are left out.
        num_workers: processes that read and degrade photos; 0 does it in this one.
        start: how many samples were used before.
        stop: position after the last sample; None is the end of one epoch after ``start``.
        rank: number of this process, from 0, when several train together.
        num_processes: how many train together.

    Raises:
        InputError: if the dataset has fewer photos than one batch, or no readable one.
    """
    require_positive(batch=batch)
    if num_workers < 0:
        raise InputError(f"num_workers must be 0 or more, got {num_workers}")
    dataset.require_batch(batch)
    stop = start + len(dataset) if stop is None else stop
    options: dict[str, Any] = {}
    if num_workers:
        options = dict(
            multiprocessing_context="spawn",
            persistent_workers=True,
            prefetch_factor=2,
            worker_init_fn=_start_worker,
        )
    return DataLoader(
        dataset,
        batch_size=batch,
        sampler=PositionSampler(start, stop, rank, num_processes),
        num_workers=num_workers,
        pin_memory=torch.cuda.is_available(),
        drop_last=True,
        **options,
    )


def _start_worker(worker: int) -> None:
    """Keep a worker to one thread, for the workers together already use all cores, and to its work.

    Ctrl-C and a batch system ask all processes at once to stop. The training process then still
    wants a batch for the step in hand, and ends its workers itself.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    warnings.showwarning = lambda message, *_, **__: print(message, file=sys.stderr)
