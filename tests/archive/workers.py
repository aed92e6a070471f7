"""Workers for the tests of the engines: quick ones, and some that die."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np

from oldphoto.archive.manifest import Row
from oldphoto.archive.tasks import Task
from oldphoto.archive.worker import ArchiveWorker, MakeWorker

POISON = "poison"


MASKED = 77
"""Level that masked pixels get."""


def inverted(pixels: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Stand for a restoration: exact, and seen in the result."""
    result = 255 - pixels
    if mask is not None:
        result[mask] = MASKED
    return result


def no_mask(_photo: Path, _pixels: np.ndarray) -> None:
    return None


def quick_worker(
    output: str, made_with: str = "test", record: str = "", seconds: float = 0
) -> ArchiveWorker:
    """Return a worker that notes each photo that it begins in a file, and dies of POISON."""

    def restore(pixels: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        if record:
            with Path(record).open("a", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {pixels[0, 0, 0]}\n")
        time.sleep(seconds)
        if pixels[0, 0].tolist() == [1, 2, 3]:
            os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        return inverted(pixels, mask)

    return ArchiveWorker(output, restore, no_mask, None, made_with)


def make_quick(output: Path, **more: object) -> MakeWorker:
    return partial(quick_worker, str(output), **more)  # type: ignore[arg-type]


def fails_to_start() -> object:
    raise ValueError("no weights")


def answer(tasks: list[Task]) -> list[Row]:
    return [Row(task.source, task.result) for task in tasks]
