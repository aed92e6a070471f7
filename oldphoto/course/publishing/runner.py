"""Running the notebooks in batch: several papermill processes at once, timed and measured.

papermill's command runs each notebook in a process of its own, so that a notebook that crashes or
fills the memory takes none of the others with it.
"""

import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
from tqdm.auto import tqdm

from oldphoto.checks import InputError, require_positive
from oldphoto.course.publishing.kernel import KERNEL_NAME, kernel_environment, write_kernel
from oldphoto.course.publishing.notebooks import CourseNotebook
from oldphoto.system.files import explained_disk_errors, written_whole
from oldphoto.system.outputs import OutputFolder
from oldphoto.system.processes import kill_tree, num_processors

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
RESULTS, INDEX = "results.json", "index.html"
SOURCE = "course run"  # of these files in the record of the output folder
MEMORY_INTERVAL = 0.1  # seconds between two measurements; a shorter peak can be missed
START_SECONDS = 1800  # for a kernel to begin; it takes long where all processors are busy
# papermill's command, which ends with this process even if that is killed.
PAPERMILL = """
import runpy
from oldphoto.system.processes import end_with_parent
end_with_parent()
runpy.run_module("papermill", run_name="__main__", alter_sys=True)
"""
CELLS_DONE = re.compile(r"(\d+)/\d+ \[")  # in the progress bar of papermill


@dataclass(frozen=True)
class Result:
    """The outcome of running one notebook.

    Attributes:
        name: file name without ending.
        error: one paragraph that says what failed; empty when all went well.
        seconds: from the start of papermill to its end.
        peak_memory: largest sum of the memory of the kernel and its processes, in bytes.
        parameters: values that replaced those of the notebook.
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
        jobs: how many run at once; None: one for each processor that may be used, four at most.
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
    cores = num_processors()
    jobs = min(len(notebooks), min(4, cores) if jobs is None else jobs)
    require_positive(jobs=jobs)
    if cell_timeout is not None:  # papermill takes one below zero for "wait forever"
        require_positive(cell_timeout=cell_timeout)
    with (
        OutputFolder(output.resolve()) as outputs,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        explained_disk_errors(output, "name another folder with --output"),
    ):
        _require_own_files(outputs, notebooks)
        for name in (RESULTS, INDEX):  # a stopped run must not be mistaken for the last one
            outputs.remove(name)
        write_kernel(Path(folder), max(1, cores // jobs))
        runs = [_Run(n, outputs, values, Path(folder), cell_timeout) for n in notebooks]
        results = _run_all(runs, jobs)
        with outputs.writing(RESULTS, SOURCE) as path:
            write_results(path, results, jobs)
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


def _require_own_files(outputs: OutputFolder, notebooks: list[CourseNotebook]) -> None:
    """Raise InputError if a file of the user has the name of a result, or a link leads away."""
    names = [RESULTS, INDEX]
    for notebook in notebooks:
        names += [notebook.path.name, f"{notebook.name}.html", f"files/{notebook.name}/x"]
    for name in names:
        if not outputs.may_write(name, SOURCE):
            found = name.removesuffix("/x")
            raise InputError(
                f"{outputs.folder} holds {found}, which this command did not write: move it away, "
                "or name another folder with --output"
            )


class _Run:
    """One notebook, run by the papermill command.

    Attributes:
        cells_done: how many cells have finished so far; other threads may read it.
    """

    def __init__(
        self,
        notebook: CourseNotebook,
        outputs: OutputFolder,
        parameters: dict[str, Any],
        kernel: Path,
        cell_timeout: float | None,
    ) -> None:
        self.name = notebook.name
        self.cells = notebook.node.cells
        self.num_cells = len(self.cells) + bool(parameters)
        self.cells_done = 0
        self.parameters = parameters
        self.environment = kernel_environment(kernel)
        self.cell_timeout = cell_timeout
        self.outputs = outputs
        self.file_name = notebook.path.name
        self.executed = outputs.new_path(notebook.path.name)
        self.folder_name = f"files/{notebook.name}"
        self.folder = outputs.path(self.folder_name)
        self.log = kernel / f"{notebook.name}.log"
        self.command = [sys.executable, "-c", PAPERMILL, str(notebook.path.resolve())]
        self.command += [str(self.executed), "--kernel", KERNEL_NAME, "--language", "python"]
        self.command += ["--cwd", str(self.folder), "--no-request-save-on-cell-execute"]
        self.command += ["--start-timeout", str(START_SECONDS)]
        self.command += ["--progress-bar", "--parameters_yaml", json.dumps(parameters, default=str)]
        if cell_timeout is not None:
            self.command += ["--execution-timeout", str(math.ceil(cell_timeout))]

    def execute(self) -> Result:
        """Run the notebook to its end and return what came of it."""
        moved = self.outputs.fresh_folder(self.folder_name)
        if moved:
            tqdm.write(f"{self.folder} held files of yours: they are now in {moved}", sys.stderr)
        self.outputs.remove(self.file_name)
        peak = 0
        started = time.perf_counter()
        with (
            self.log.open("wb") as log,
            subprocess.Popen(
                self.command,
                env=os.environ | self.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            ) as process,
        ):
            try:
                while process.poll() is None:
                    peak = max(peak, children_memory(process.pid))
                    time.sleep(MEMORY_INTERVAL)
                    counts = CELLS_DONE.findall(self._printed()[-500:])
                    self.cells_done = int(counts[-1]) if counts else 0
            finally:
                if process.poll() is None:
                    kill_tree(process.pid)
        self.cells_done = self.num_cells
        seconds = time.perf_counter() - started
        error = self._error(process.returncode, self._printed())
        if self.executed.is_file():
            self.outputs.place(self.executed, self.file_name, SOURCE)
        self.outputs.own_folder(self.folder_name, SOURCE)
        return Result(self.name, error, seconds, peak, self.parameters)

    def _printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _error(self, code: int, printed: str) -> str:
        """Return what failed in words, or an empty string."""
        if code == 0:
            return "; ".join(hidden_errors(nbformat.read(self.executed, as_version=4)))
        if code < 0:
            return (
                f"{self._reached(printed)}: its process was killed, most often for want of memory. "
                "Close other programs and run it alone, with --jobs 1"
            )
        if "CellTimeoutError" in printed:
            return (
                f"{self._reached(printed)} took longer than {self.cell_timeout:g} s. Run it again "
                "when the machine has less to do, or allow more with --cell-timeout"
            )
        if "DeadKernelError" in printed:
            return (
                f"{self._reached(printed)}: Python itself ended, most often for want of memory. "
                "Close other programs and run it alone, with --jobs 1"
            )
        if self.executed.is_file():
            errors = cell_errors(nbformat.read(self.executed, as_version=4))
            if errors:
                return (
                    f"{errors[-1]}. Run this notebook alone; if it fails again, open it and run it "
                    "up to this cell"
                )
        last = (printed.strip().splitlines() or ["no words"])[-1]
        return f"it could not be run: {last}. `python -m oldphoto doctor` says what is missing"

    def _reached(self, printed: str) -> str:
        """Return the name of the cell that was running, counted by papermill's progress bar."""
        counts = CELLS_DONE.findall(printed)
        number = int(counts[-1]) if counts else 0
        cells = list(self.cells)
        if self.parameters:  # papermill adds a cell with their values behind the parameters
            tags = [cell.metadata.get("tags", []) for cell in cells]
            place = next((i for i, names in enumerate(tags) if "parameters" in names), 0)
            cells.insert(place + 1, cells[place])
        number = min(number, len(cells) - 1)
        return cell_name(number + 1, cells[number])


def _run_all(runs: list[_Run], jobs: int) -> list[Result]:
    """Run the notebooks, ``jobs`` at a time, under one progress bar that counts cells."""
    # In a log file each redrawn bar is a new line: a few are enough there.
    interval = 0.3 if sys.stderr.isatty() else 10
    num_cells = sum(run.num_cells for run in runs)
    with (
        ThreadPoolExecutor(jobs) as pool,
        tqdm(total=num_cells, unit="cell", mininterval=interval) as bar,
    ):
        futures = [pool.submit(run.execute) for run in runs]
        try:
            while wait(futures, timeout=0.3).not_done:
                bar.update(sum(run.cells_done for run in runs) - bar.n)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C, start no others
        bar.update(num_cells - bar.n)
        return [future.result() for future in futures]


def children_memory(pid: int | None = None) -> int:
    """Return the bytes of memory held by all processes that a process started.

    A process that is about to start a program is for a moment a copy of its parent, and seems to
    hold all that the parent holds. Such copies, known by the parent's command line, do not count.

    Args:
        pid: number of the process; None: this one.
    """
    total = 0
    try:
        parent = psutil.Process(pid)
        commands = {parent.pid: parent.cmdline()}
        children = parent.children(recursive=True)
    except psutil.Error:  # it has ended
        return 0
    for process in children:
        try:
            commands[process.pid] = process.cmdline()
            if commands[process.pid] != commands.get(process.ppid()):
                total += process.memory_info().rss
        except psutil.Error:  # it ended between the listing and the question
            continue
    return total


def cell_errors(node: nbformat.NotebookNode) -> list[str]:
    """Return the errors of cells; papermill's own remarks do not count as cells."""
    cells = [c for c in node.cells if "papermill-error-cell-tag" not in c.metadata.get("tags", [])]
    return [
        f"{cell_name(number, cell)}: {output.ename}: {output.evalue}"
        for number, cell in enumerate(cells, start=1)
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


def cell_name(number: int, cell: nbformat.NotebookNode) -> str:
    """Return how a reader finds a cell: its place and its first line of code.

    Example:
        >>> cell_name(4, nbformat.v4.new_code_cell("1 / 0"))
        'cell 4 (1 / 0)'
    """
    lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
    code = [line for line in lines if not line.startswith(("#", "import ", "from "))]
    return f"cell {number} ({textwrap.shorten((code or lines or ['empty'])[0], 60)})"


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
        "cores": num_processors(),
        "jobs": jobs,
    }
    text = json.dumps({"machine": machine, "notebooks": rows}, indent=1)
    with written_whole(path) as file:
        file.write((text + "\n").encode())
