"""Batches of a dataset in an order that a stopped run can continue."""

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

    A run that stopped after N samples continues with ``PositionSampler(N, stop)`` and sees the same
    samples as without the stop. With several processes each takes every ``num_processes``-th
    position, so together they see the samples of one process with the larger batch.

    >>> list(PositionSampler(start=10, stop=20, rank=1, num_processes=3))
    [11, 14, 17]

    Args:
        start: first position.
        stop: position after the last one.
        rank: number of this process, from 0.
        num_processes: number of processes that train together.
    """

    def __init__(self, start: int, stop: int, rank: int = 0, num_processes: int = 1) -> None:
        if start < 0 or stop < start:
            raise InputError(f"expected 0 <= start <= stop, got start {start} and stop {stop}")
        if not 0 <= rank < num_processes:
            raise InputError(f"expected 0 <= rank < {num_processes} processes, got rank {rank}")
        # Cut to whole rounds: a process with one more batch would wait for the others for ever.
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

    The same positions give the same batches for any number of workers. Workers are spawned, which
    works on every system and with CUDA. A script with workers needs the usual
    ``if __name__ == "__main__":``.

    Args:
        dataset: one of the datasets of this package.
        batch: samples in a batch. An incomplete last batch is dropped.
        num_workers: processes that read and degrade photos; 0 uses this process.
        start: number of samples used before.
        stop: position after the last sample; None is one epoch after ``start``.
        rank: number of this process, from 0, when several train together.
        num_processes: number of processes that train together.

    >>> from oldphoto.data import CleanPhotos
    >>> from oldphoto.samples import sample_paths
    >>> loader = make_loader(CleanPhotos(sample_paths("clean"), crop=64, seed=0), batch=8)
    >>> [batch.shape[0] for batch in loader]  # 28 photos
    [8, 8, 8]

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
    """Limit a worker to one thread, because all workers together use all cores.

    It also ignores signals. Ctrl-C and batch systems signal all processes, but the training process
    still needs a batch for the current step and ends its workers itself.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    warnings.showwarning = lambda message, *_, **__: print(message, file=sys.stderr)
