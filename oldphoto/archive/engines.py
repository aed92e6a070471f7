"""Run the batches of an archive: by processes of this machine, or by a Ray cluster.

Both give every batch to a worker and yield rows as they come. A worker whose process dies is
replaced, and its batch is begun again: what it had finished is found in the manifest, and the photo
it died of is refused after some tries (``worker.NUM_TRIES``). No more than one batch waits for each
process, so the memory does not grow with the archive.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from typing import Any

import numpy as np

from oldphoto.archive.manifest import Row
from oldphoto.archive.tasks import Task
from oldphoto.archive.worker import NUM_TRIES, MakeWorker
from oldphoto.checks import InputError, require_positive

_MAX_BLOCKS = 10_000  # of a Ray dataset; each costs its driver some memory
_worker: Callable[[list[Task]], list[Row]]  # of this process, set by _start


def batches_of(tasks: Iterable[Task], size: int) -> Iterator[list[Task]]:
    """Split tasks into batches; the last one may be shorter.

    >>> [len(batch) for batch in batches_of([Task("a", "a")] * 5, 2)]
    [2, 2, 1]
    """
    require_positive(size=size)
    batch: list[Task] = []
    for task in tasks:
        batch.append(task)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


# --- processes of this machine -------------------------------------------------------------------


def run_pool(
    make_worker: MakeWorker, tasks: Iterable[Task], num_workers: int, batch_size: int
) -> Iterator[Row]:
    """Run batches in processes of this machine; a process that dies takes no other with it.

    Raises:
        RuntimeError: if processes die before they take a photo.
    """
    waiting = batches_of(tasks, batch_size)
    running: dict[Future[list[Row]], tuple[ProcessPoolExecutor, list[Task], int]] = {}
    idle = [_new_process(make_worker) for _ in range(num_workers)]
    try:
        while True:
            while idle and (batch := next(waiting, None)):
                process = idle.pop()
                running[process.submit(_run, batch)] = process, batch, 1
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                process, batch, times = running.pop(done)
                try:
                    rows = done.result()
                except BrokenProcessPool:
                    process.shutdown()
                    # Each death costs one photo of the batch one of its tries.
                    if times > NUM_TRIES * len(batch):
                        raise RuntimeError(
                            "the processes die before they begin a photo: try fewer --workers"
                        ) from None
                    process = _new_process(make_worker)
                    running[process.submit(_run, batch)] = process, batch, times + 1
                    continue
                idle.append(process)
                yield from rows
    finally:
        for process in [*idle, *(process for process, _, _ in running.values())]:
            process.shutdown(wait=False, cancel_futures=True)


def _new_process(make_worker: MakeWorker) -> ProcessPoolExecutor:
    """Return an executor with a process of its own, so that a death breaks no other."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, initializer=_start, initargs=(make_worker,))


def _start(make_worker: MakeWorker) -> None:
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = make_worker()


def _end_with_parent() -> None:
    """End this process when the one that started it has died, however that happened."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _run(batch: list[Task]) -> list[Row]:
    return _worker(batch)


# --- Ray -----------------------------------------------------------------------------------------


def run_ray(
    make_worker: MakeWorker,
    tasks: list[Task],
    num_workers: int,
    batch_size: int,
    num_cpus: float = 1,
    num_gpus: float = 0,
) -> Iterator[Row]:
    """Run batches on a Ray cluster: the one that RAY_ADDRESS names, else one on this machine.

    Ray Data streams the tasks to ``num_workers`` actors, begins anew what a lost machine had, and
    holds the next batches back while all actors are busy.

    Args:
        num_cpus, num_gpus: of each worker.

    Raises:
        InputError: if Ray is not installed or does not start.
    """
    try:
        import pyarrow
        import ray.data
    except ImportError as error:
        raise InputError(
            "the engine ray needs the package Ray: python -m pip install 'oldphoto[ray]'"
        ) from error
    _connect()
    ray.data.DataContext.get_current().enable_progress_bars = False  # the caller has one
    size = max(batch_size, -(-len(tasks) // _MAX_BLOCKS))
    blocks = [
        pyarrow.Table.from_pylist([_flat(task) for task in block])
        for block in batches_of(tasks, size)
    ]
    rows = ray.data.from_arrow(blocks).map_batches(
        _Actor,
        fn_constructor_args=(make_worker,),
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=num_workers),
        num_cpus=num_cpus,
        num_gpus=num_gpus,
    )
    for values in rows.iter_rows():
        yield Row.of(values)


def _connect() -> None:
    """Connect to Ray; a busy machine may be too slow for its first try."""
    import ray

    if ray.is_initialized():
        return
    for is_last in (False, True):
        try:
            ray.init(log_to_driver=False, configure_logging=False, include_dashboard=False)
            return
        except Exception as error:
            ray.shutdown()
            if is_last:
                raise InputError(f"Ray does not start on this machine: {error}") from error


class _Actor:
    """A worker as Ray Data calls it: with columns, and it returns columns."""

    def __init__(self, make_worker: MakeWorker) -> None:
        self.worker = make_worker()

    def __call__(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        lines = zip(*columns.values(), strict=True)
        rows = self.worker([_task(dict(zip(columns, line, strict=True))) for line in lines])
        return {name: np.array([asdict(row)[name] for row in rows]) for name in asdict(rows[0])}


def _flat(task: Task) -> dict[str, Any]:
    """Return a task as one row of a table; a task without an earlier row has an empty one."""
    return asdict(task.known or Row(task.source, task.result)) | {"mask": task.mask}


def _task(values: dict[str, Any]) -> Task:
    mask = str(values.pop("mask"))
    known = Row.of(values)
    return Task(known.source, known.result, known if known.finished else None, mask)
