"""Measure how long each control of each notebook takes to answer (the aim: 200 ms).

python tests/benchmarks/bench_widgets.py [NUMBER ...]

Each notebook is run here, in its fast form; then every slider and every choice that it shows is
moved through its range. Buttons are left alone: they start things.
"""

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Sequence

import ipywidgets
import matplotlib
import numpy as np
from IPython.core.interactiveshell import InteractiveShell

from oldphoto.course.publishing.notebooks import CourseNotebook, all_notebooks

MOVES = 8
"""Positions of a slider that are tried."""

Control = ipywidgets.IntSlider | ipywidgets.SelectionSlider | ipywidgets.Dropdown


def run(notebook: CourseNotebook) -> list[ipywidgets.Widget]:
    """Run all code cells in a shell of their own and return the views that they leave."""
    shell, said, made = InteractiveShell(), io.StringIO(), []
    ipywidgets.Widget.on_widget_constructed(made.append)
    for cell in notebook.node.cells:
        if cell.cell_type != "code":
            continue
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            result = shell.run_cell(cell.source, store_history=True)
        result.raise_error()
    ipywidgets.Widget.on_widget_constructed(None)
    inside = {child for widget in made for child in getattr(widget, "children", ())}
    return [w for w in made if isinstance(w, ipywidgets.Box) and w not in inside]


def controls_of(view: ipywidgets.Widget) -> list[Control]:
    """Return all sliders and choices inside a view."""
    if isinstance(view, ipywidgets.IntSlider) or hasattr(view, "options"):
        return [view]
    return [c for child in getattr(view, "children", ()) for c in controls_of(child)]


def positions(control: Control) -> tuple[str, Sequence[int]]:
    """Return the trait that moves a control, and the values that it is given."""
    if not isinstance(control, ipywidgets.IntSlider):
        return "index", range(len(control.options))
    spread = np.linspace(control.min, control.max, MOVES)
    steps = [control.min + int(v - control.min) // control.step * control.step for v in spread]
    return "value", steps


def measure(control: Control) -> list[float]:
    """Move a control through its range and back; return the seconds of each move."""
    trait, values = positions(control)
    seconds, first = [], getattr(control, trait)
    for value in (*values, first):
        if value == getattr(control, trait):
            continue
        start = time.perf_counter()
        setattr(control, trait, value)
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Print the median and the longest answer of each control."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*", help="of notebooks; none for all")
    numbers = parser.parse_args().numbers
    matplotlib.use("agg")
    print(f"{'notebook and control':60} {'median':>9} {'longest':>9}", flush=True)
    for notebook in all_notebooks():
        if numbers and notebook.number not in numbers:
            continue
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for control in (c for view in run(notebook) for c in controls_of(view)):
                seconds = measure(control)
                if seconds:
                    name = f"{notebook.number} {control.description}"
                    longest, median = 1e3 * max(seconds), 1e3 * np.median(seconds)
                    print(f"{name:60} {median:6.0f} ms {longest:6.0f} ms", flush=True)


if __name__ == "__main__":
    main()
