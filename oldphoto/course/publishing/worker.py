"""Running one notebook with papermill in a process of its own, and measuring it.

Everything here works in a freshly started process: the arguments and the result can be pickled.
"""

import os
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import nbformat
import psutil

from oldphoto.course.publishing.kernel import KERNEL_NAME

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
_finished_cells: Queue | None = None


@dataclass(frozen=True)
class Job:
    """What one process has to do.

    Attributes:
        source: notebook to run; it is only read.
        output: where the executed notebook goes.
        work_folder: current folder of the notebook, where it may write its files.
        parameters: values that replace those of the parameters cell.
        environment: variables with which Jupyter finds the right kernel.
        cell_timeout: seconds after which one cell counts as failed; None waits forever.
    """

    source: Path
    output: Path
    work_folder: Path
    parameters: dict[str, Any]
    environment: dict[str, str]
    cell_timeout: float | None = None


@dataclass(frozen=True)
class Result:
    """What came of one notebook.

    Attributes:
        name: file name without ending.
        error: one paragraph that says what failed; empty when all went well.
        seconds: from the start of the kernel to its end.
        peak_memory: largest sum of the memory of the kernel and its processes, in bytes.
    """

    name: str
    error: str
    seconds: float
    peak_memory: int
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the notebook ran without any error."""
        return not self.error


class PeakMemory:
    """Watch the memory of this process's children while the ``with`` block runs.

    A short peak between two looks (0.1 s) can be missed.
    """

    def __init__(self, interval: float = 0.1) -> None:
        self.interval = interval
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(self.interval):
            self.peak = max(self.peak, children_memory())

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def children_memory() -> int:
    """Return the bytes of memory held by all processes that this one started.

    A process that is about to start a program is for a moment a copy of its parent, and seems to
    hold all that the parent holds. Such copies, known by the parent's command line, do not count.
    """
    myself = psutil.Process()
    commands = {myself.pid: myself.cmdline()}
    total = 0
    for process in myself.children(recursive=True):
        try:
            commands[process.pid] = process.cmdline()
            if commands[process.pid] != commands.get(process.ppid()):
                total += process.memory_info().rss
        except psutil.Error:  # it ended between the listing and the question: it holds nothing
            continue
    return total


def set_queue(queue: Queue) -> None:
    """Remember where this process reports finished cells (called once as it starts)."""
    global _finished_cells
    _finished_cells = queue


def run_job(job: Job) -> Result:
    """Run one notebook and return what came of it; failures are in ``Result.error``."""
    os.environ.update(job.environment)
    job.work_folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with PeakMemory() as memory:
        error = _execute(job)
    seconds = time.perf_counter() - started
    return Result(job.source.stem, error, seconds, memory.peak, job.parameters)


def _execute(job: Job) -> str:
    """Run papermill and return the error in words, or an empty string."""
    # Imported here: it takes a second, and only the processes that execute need it.
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    papermill_engines.register("counting", _counting_engine())
    try:
        node = execute_notebook(
            job.source,
            job.output,
            parameters=job.parameters,
            engine_name="counting",
            kernel_name=KERNEL_NAME,
            language="python",
            progress_bar=False,
            cwd=job.work_folder,
            execution_timeout=job.cell_timeout,
            request_save_on_cell_execute=False,
        )
    except PapermillExecutionError as error:
        return f"cell {error.cell_index + 1}: {error.ename}: {error.evalue}"
    except CellTimeoutError:
        return f"a cell took longer than {job.cell_timeout:g} s"
    except DeadKernelError:
        return "the kernel died; most often the machine had no memory left"
    return "; ".join(hidden_errors(node))


def _counting_engine() -> type:
    """Return papermill's own engine, which in addition reports each finished cell."""
    from papermill.engines import NBClientEngine, NotebookExecutionManager

    class CountingEngine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(
            cls, nb_man: NotebookExecutionManager, kernel_name: str, **kwargs: Any
        ) -> Any:
            complete = nb_man.cell_complete

            def complete_and_count(cell: nbformat.NotebookNode, **info: Any) -> None:
                complete(cell, **info)
                if _finished_cells is not None:
                    _finished_cells.put(1)

            nb_man.cell_complete = complete_and_count
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)

    return CountingEngine


def hidden_errors(node: nbformat.NotebookNode) -> list[str]:
    """Return the errors that hide in the state of widgets.

    An exception in the callback of a widget is no output of any cell: papermill, and a reader
    who does not touch the widget, never see it. It is only kept in the state of the widget.
    """
    widgets = node.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    return [
        f"error inside a widget: {output.get('ename')}: {output.get('evalue')}"
        for widget in widgets.values()
        for output in widget.get("state", {}).get("outputs", [])
        if output.get("output_type") == "error"
    ]
