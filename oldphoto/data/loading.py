"""Batches of a dataset in an order that a stopped run can continue."""

import shutil
import signal
import sys
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from oldphoto.checks import InputError, require_positive
from oldphoto.data.datasets import PositionDataset
from oldphoto.data.reading import shared_if_possible

TIMEOUT_SECONDS = 300
"""How long a batch from the workers is waited for, before this process goes on alone."""

_SHARED_MEMORY = Path("/dev/shm")
_PREFETCHED = 2  # batches that a worker makes ahead


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


class SteadyLoader(DataLoader):
    """A DataLoader that goes on without its workers when no batch comes from them in time."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches: Any = super().__iter__()
        num_done = 0
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except RuntimeError as error:
                if not self.num_workers or not _is_shared_memory_error(error):
                    raise
                reason = str(error).splitlines()[0]
                warnings.warn(f"this process goes on without workers: {reason}", stacklevel=2)
                break
            yield batch
            num_done += 1
        self._iterator = None
        _end_workers(batches)
        yield from DataLoader(
            self.dataset,
            batch_size=self.batch_size,
            sampler=list(islice(self.sampler, num_done * (self.batch_size or 1), None)),
            pin_memory=self.pin_memory,
            drop_last=self.drop_last,
        )


def _end_workers(batches: Any) -> None:
    """End the workers of an iterator, those too that hang in a photo."""
    workers = batches._workers
    batches._shutdown_workers()  # first, or PyTorch takes a killed worker for an accident
    for worker in workers:
        worker.kill()


def _is_shared_memory_error(error: RuntimeError) -> bool:
    return any(words in str(error) for words in ("timed out", "shared memory", "Bus error"))


def _workers_with_room(num_workers: int, batch: int, dataset: PositionDataset) -> int:
    """Return how many workers the shared memory has room for; warn if not all of them."""
    if not shared_if_possible(torch.zeros(1)).is_shared():
        possible = 0
    elif not _SHARED_MEMORY.is_dir():
        return num_workers  # not Linux: there is no limit to look up
    else:
        # At most a photo, its clean partner and a mask from each stream, in float32.
        sample = sum(4 * 7 * stream.crop**2 for stream in dataset.streams)
        room = shutil.disk_usage(_SHARED_MEMORY).free // (batch * sample)
        # One batch more than the workers hold is in use here.
        possible = min(num_workers, max(0, room - 1) // _PREFETCHED)
    if possible < num_workers:
        warnings.warn(
            f"{possible} of {num_workers} workers are used: {_SHARED_MEMORY} has no room for the "
            "batches of more, enlarge it for faster training (docker run --shm-size 2g)",
            stacklevel=3,
        )
    return possible


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
    ``if __name__ == "__main__":``. Workers hand their batches over in shared memory: where that is
    missing or too small, there are fewer workers or none, and one warning.

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
        num_workers = _workers_with_room(num_workers, batch, dataset)
    if num_workers:
        options = dict(
            multiprocessing_context="spawn",
            persistent_workers=True,
            prefetch_factor=_PREFETCHED,
            worker_init_fn=_start_worker,
            timeout=TIMEOUT_SECONDS,
        )
    return SteadyLoader(
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
