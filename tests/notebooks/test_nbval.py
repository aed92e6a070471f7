"""Every notebook runs from top to bottom, and its marked cells give the stored output again.

nbval does the work, in a pytest of its own for each notebook, so that one command covers all and
each notebook is one test. A copy is run: notebooks write files beside themselves.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from oldphoto.course.publishing.kernel import kernel_environment, write_kernel
from oldphoto.course.publishing.notebooks import all_notebooks

NOTEBOOKS = all_notebooks(Path(__file__).parents[2] / "notebooks")
SANITIZE = Path(__file__).with_name("sanitize.cfg")


def run_nbval(notebook: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval on one notebook, with the kernel of this interpreter."""
    folder = notebook.parent
    # Not an option: nbval takes what the command line says for text, and fails.
    (folder / "conftest.py").write_text(
        "def pytest_configure(config):\n    config.option.nbval_kernel_startup_timeout = 1800\n",
        encoding="utf-8",
    )
    environment = os.environ | kernel_environment(write_kernel(folder / "jupyter"))
    options = [
        "--nbval-lax",
        "--nbval-sanitize-with",
        str(SANITIZE),
        "--nbval-cell-timeout",
        "1800",
    ]
    options += ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, notebook.name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_notebook_runs_and_marked_outputs_come_again(notebook, tmp_path):
    copy = Path(shutil.copy(notebook.path, tmp_path))
    finished = run_nbval(copy)
    assert finished.returncode == 0, finished.stdout[-6000:]


def test_every_notebook_has_marked_cells():
    for notebook in NOTEBOOKS:
        marked = [c for c in notebook.node.cells if "nbval-check-output" in str(c.metadata)]
        assert len(marked) >= 3, notebook.name


def test_a_marked_output_that_differs_fails_and_a_time_does_not(tmp_path):
    cells = [nbformat.v4.new_code_cell(f"print('{text}')") for text in ("took 3.1 s", "new")]
    for cell, stored in zip(cells, ("took 0.2 s\n", "old\n"), strict=True):
        cell.metadata.tags = ["nbval-check-output"]
        cell.execution_count = 1
        cell.outputs = [nbformat.v4.new_output("stream", text=stored)]
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(node, tmp_path / "small.ipynb")
    finished = run_nbval(tmp_path / "small.ipynb")
    assert finished.returncode == 1
    assert "1 failed, 1 passed" in finished.stdout
