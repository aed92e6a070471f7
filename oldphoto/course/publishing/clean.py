"""Stored outputs of notebooks: those of the fast run, without anything of the machine it ran on."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from oldphoto.checks import InputError
from oldphoto.course.publishing.notebooks import code_digest
from oldphoto.system.processes import num_processors

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
INTERACTIVE = "Interactive part: run this cell in Jupyter or Colab to use it."
# The line of the first cell with the time and memory of the stored run.
MEASURED = re.compile(r"^\*\*Measured:\*\*.*$", re.MULTILINE)
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def stored_form(
    source: NotebookNode, executed: NotebookNode, seconds: float, peak_memory: int
) -> NotebookNode:
    """Return the notebook as it is committed: the source's cells with the run's outputs.

    Everything that papermill added stays behind: its cell of injected parameters, its metadata
    and its times. Widgets are replaced by a line of text, since a page without a kernel cannot
    show them, and their state makes some viewers refuse the whole notebook.

    Args:
        source: the notebook that was run.
        executed: what papermill wrote.
        seconds: time of the run.
        peak_memory: bytes at its peak.
    """
    node = copy.deepcopy(source)
    outputs = {cell.id: cell.get("outputs", []) for cell in executed.cells}
    count = 0
    for cell in node.cells:
        if cell.cell_type != "code":
            continue
        count += 1
        cell.outputs = [_anonymous(output) for output in outputs[cell.id] if not _is_noise(output)]
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    measured = {
        "code": code_digest(source),
        "seconds": round(seconds),
        "peak_memory_mib": round(peak_memory / 2**20),
    }
    before = source.metadata.get("oldphoto", {})
    measured |= {key: value for key, value in before.items() if key.startswith("full_")}
    node.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}, "oldphoto": measured}
    )
    _update_measured(node)
    replace_widgets(node)
    return node


def with_full_run(source: NotebookNode, seconds: float, peak_memory: int) -> NotebookNode:
    """Return the notebook with time and memory of its full run; its outputs stay the fast run's.

    Args:
        source: a notebook whose fast run is stored.
        seconds: time of the run with ``FAST = False``.
        peak_memory: bytes at its peak.

    Raises:
        InputError: if no fast run is stored.
    """
    if "seconds" not in source.metadata.get("oldphoto", {}):
        raise InputError(
            "expected a notebook whose fast run is stored, got one without: "
            "run `oldphoto course run --save` first"
        )
    node = copy.deepcopy(source)
    node.metadata.oldphoto |= {
        "full_seconds": round(seconds),
        "full_peak_memory_mib": round(peak_memory / 2**20),
    }
    _update_measured(node)
    return node


def measured_line(measured: Mapping[str, Any]) -> str:
    """Return the line of the first cell with the time and memory of a run.

    Args:
        measured: measurements in the metadata: the fast run, and the full one if known.
    """
    gib = measured["peak_memory_mib"] / 1024
    fast = f"the fast run takes {measured['seconds']} s and {gib:.1f} GiB of memory"
    line = f"**Measured:** {fast} on a computer with {num_processors()} CPU cores"
    if "full_seconds" in measured:
        time, gib = _duration(measured["full_seconds"]), measured["full_peak_memory_mib"] / 1024
        line += f", the full one (`FAST = False`) {time} and {gib:.1f} GiB"
    return line + "."


def _duration(seconds: float) -> str:
    return f"{seconds} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def _update_measured(node: NotebookNode) -> None:
    """Update the line **Measured:** in place."""
    line = measured_line(node.metadata.oldphoto)
    node.cells[0].source = MEASURED.sub(line, node.cells[0].source)


def replace_widgets(node: NotebookNode) -> None:
    """Put text where the notebook shows widgets, and drop their state; in place.

    A widget that comes with HTML of its own keeps that; the others get a line of text.
    """
    node.metadata.pop("widgets", None)
    for cell in node.cells:
        for output in cell.get("outputs", []):
            if WIDGET_VIEW not in output.get("data", {}):
                continue
            del output.data[WIDGET_VIEW]
            if "text/html" not in output.data:
                output.data = nbformat.from_dict(
                    {"text/html": f"<p><em>{INTERACTIVE}</em></p>", "text/plain": INTERACTIVE}
                )


def _is_noise(output: NotebookNode) -> bool:
    """Whether an output is progress bars and warnings, which differ at every run."""
    return output.output_type == "stream" and output.name == "stderr"


def _anonymous(output: NotebookNode) -> NotebookNode:
    """Return the output with the folders of this machine taken out of its text."""
    output = copy.deepcopy(output)
    if "text" in output:
        output.text = without_folders(output.text)
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/") and isinstance(value, str):
            output.data[kind] = without_folders(value)
    return output


def without_folders(text: str) -> str:
    """Return text with the current, the package's and the home folder taken out."""
    package = Path(__file__).resolve().parents[3]
    for folder, stands_for in ((Path.cwd(), "."), (package, "."), (Path.home(), "~")):
        if folder != Path(folder.anchor):  # never take out every slash
            text = text.replace(str(folder), stands_for)
    return text
