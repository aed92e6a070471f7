"""Processes: how many may compute at once, and none that outlives the one that started it."""

import os
import sys
import threading

import psutil


def num_processors() -> int:
    """Return how many processors this process may use; a room's computer may lend it a part."""
    if hasattr(os, "sched_getaffinity"):  # os.process_cpu_count is new in Python 3.13
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def kill_tree(pid: int) -> None:
    """Kill a process, and before it all that it started; those that have ended are no error."""
    try:
        process = psutil.Process(pid)
        found = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for one in found:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue


def end_with_parent() -> None:
    """End this process, and all that it starts, as soon as its parent ends, however that ends.

    The parent starts it with ``stdin=subprocess.PIPE`` and never writes: the system closes the
    pipe when the parent ends, even if that was killed.
    """
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    while os.read(sys.__stdin__.fileno(), 1):  # type: ignore[union-attr]
        pass
    kill_tree(os.getpid())
