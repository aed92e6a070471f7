"""Running the course's notebooks in batch: several at once, measured, none lost."""

import contextlib
import json
import os
import platform
import queue
import sys
import tempfile
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from oldphoto.checks import InputError, require_positive
from oldphoto.course.publishing.kernel import kernel_environment, write_kernel
from oldphoto.course.publishing.notebooks import CourseNotebook
from oldphoto.course.publishing.worker import Job, Result, run_job, set_queue


def run_notebooks(
    notebooks: list[CourseNotebook],
    output: Path,
    parameters: dict[str, Any] | None = None,
    jobs: int | None = None,
    cell_timeout: float | None = None,
) -> list[Result]:
    """Run notebooks with papermill, each in a process and a kernel of its own.

    Args:
        notebooks: what to run.
        output: folder for the executed notebooks, the files they write and ``results.json``.
        parameters: values that replace those of the tagged cells; each notebook must know them.
        jobs: how many run at once; None: one for each core, four at most.
        cell_timeout: seconds after which one cell counts as failed; None waits forever.

    Returns:
        One result for each notebook, in the order given, failed ones included.

    Raises:
        InputError: if a parameter is unknown to one of the notebooks, or the folder cannot be
            written; nothing has been run then.
    """
    values = parameters or {}
    for notebook in notebooks:
        check_parameters(notebook, values)
    cores = os.cpu_count() or 1
    jobs = min(len(notebooks), min(4, cores) if jobs is None else jobs)
    require_positive(jobs=jobs)
    if cell_timeout is not None:  # nbclient takes one below zero for "wait forever"
        require_positive(cell_timeout=cell_timeout)
    _make_folder(output)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        environment = kernel_environment(write_kernel(Path(scratch), max(1, cores // jobs)))
        tasks = [
            Job(
                source=notebook.path,
                output=output / notebook.path.name,
                work_folder=output / "files" / notebook.name,
                parameters=values,
                environment=environment,
                cell_timeout=cell_timeout,
            )
            for notebook in notebooks
        ]
        num_cells = sum(len(n.node.cells) + bool(values) for n in notebooks)
        results = _run_all(tasks, jobs, num_cells)
    write_results(output / "results.json", results, jobs)
    return results


def check_parameters(notebook: CourseNotebook, values: dict[str, Any]) -> None:
    """Raise InputError unless the notebook has each parameter, with a value of its kind.

    Papermill itself only warns about an unknown name and then runs with the defaults.
    """
    known = notebook.parameters()
    for name, value in values.items():
        if name not in known:
            raise InputError(
                f"notebook {notebook.name} has no parameter {name!r}; it has "
                f"{', '.join(known) or 'none'}"
            )
        wanted, given = _kind(known[name]), _kind(value)
        if wanted not in (given, "anything"):
            raise InputError(
                f"parameter {name} of notebook {notebook.name} takes {wanted}, "
                f"as its default {known[name]!r}; got {value!r}"
            )


def _kind(value: Any) -> str:
    """Name the kind of a parameter's value in a reader's words."""
    if isinstance(value, bool):
        return "True or False"
    if isinstance(value, int | float):
        return "a number"
    return "a text" if isinstance(value, str) else "anything"


def _make_folder(output: Path) -> None:
    """Create the folder; old results go, so that a stopped run cannot be mistaken for them."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "results.json").unlink(missing_ok=True)
        (output / "index.html").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {output} cannot be written ({error.strerror}); name another with --output"
        ) from error


def _run_all(tasks: list[Job], jobs: int, num_cells: int) -> list[Result]:
    """Run the tasks, ``jobs`` at a time, under one progress bar that counts cells."""
    context = get_context("spawn")  # the same on Linux, macOS and Windows
    finished_cells = context.Queue()
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=set_queue, initargs=(finished_cells,)
    )
    # In a log file each redrawn bar is a new line: a few are enough there.
    interval = 0.3 if sys.stderr.isatty() else 10
    with pool, tqdm(total=num_cells, unit="cell", mininterval=interval) as bar:
        futures = [pool.submit(run_job, task) for task in tasks]
        while not all(future.done() for future in futures):
            running = [
                task.source.stem[:2]
                for task, future in zip(tasks, futures, strict=True)
                if future.running()
            ]
            bar.set_description(f"notebook {', '.join(running[:jobs])}", refresh=False)
            with contextlib.suppress(queue.Empty):  # look at the processes from time to time
                bar.update(finished_cells.get(timeout=0.3))
        return [_result(task, future) for task, future in zip(tasks, futures, strict=True)]


def _result(task: Job, future: "Future[Result]") -> Result:
    """Return what the process returned; whatever went wrong makes that one notebook fail."""
    problem = future.exception()
    if problem is None:
        return future.result()
    if isinstance(problem, BrokenProcessPool):
        error = "its process was killed, most often for lack of memory; try again with --jobs 1"
    else:
        error = f"it could not be run: {type(problem).__name__}: {problem}"
    return Result(task.source.stem, error, 0.0, 0, task.parameters)


def write_results(path: Path, results: list[Result], jobs: int) -> None:
    """Write time and peak memory of each notebook, and the machine they were measured on."""
    rows = [
        {
            "name": result.name,
            "ok": result.ok,
            "error": result.error,
            "seconds": round(result.seconds, 1),
            "peak_memory_mib": round(result.peak_memory / 2**20),
            "parameters": result.parameters,
        }
        for result in results
    ]
    machine = {
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "jobs": jobs,
    }
    text = json.dumps({"machine": machine, "notebooks": rows}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
