"""Notebooks run in batch: each failure is seen, named, and does not stop the others."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

from oldphoto.checks import InputError
from oldphoto.cli import course as command
from oldphoto.cli import main as cli
from oldphoto.course.publishing import runner
from oldphoto.course.publishing.badges import Address
from oldphoto.course.publishing.kernel import write_kernel
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.pages import write_pages
from oldphoto.course.publishing.runner import check_parameters, children_memory, run_notebooks

BADGE = Address("o/p").badges("02_good.ipynb")
HIDDEN_ERROR = """
import ipywidgets
slider = ipywidgets.IntSlider()
ipywidgets.interactive_output(lambda value: 1 / value, {"value": slider})
"""
GUARDED_ERROR = """
from oldphoto.course.widgets import Guard
guard = Guard()
guard(lambda: 1 / 0)()
guard.log
"""
COUNT_WITH_A_COPY = """
import os, signal, subprocess, sys, time
from oldphoto.course.publishing.runner import children_memory
counts = [children_memory()]
copy = os.fork()
if copy == 0:
    time.sleep(600)
counts.append(children_memory())
os.kill(copy, signal.SIGKILL)
os.waitpid(copy, 0)
code = "print('up', flush=True); import time; time.sleep(600)"
program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
program.stdout.readline()
counts.append(children_memory())
program.kill()
program.wait()
print(*counts)
"""
USES_MEMORY = """
import pathlib, time
block = bytearray(300 * 2**20)
while not pathlib.Path("measured").exists():
    time.sleep(0.05)
"""
STARTS_A_PROCESS = """
import os, pathlib, subprocess, sys
program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("begun").write_text(f"{os.getppid()} {os.getpid()} {program.pid}")
pathlib.Path("begun").rename("numbers.txt")
program.wait()
"""


def run_command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, request):
    """Run five notebooks once, two at a time; each is good or wrong in its own way."""
    folder = tmp_path_factory.mktemp("course")
    sources = {
        "01_good": "import sys\nprint(SEED, FAST, sys.executable)\nopen('seen.txt', 'w').close()",
        "02_failing": "1 / 0",
        "03_hiding": HIDDEN_ERROR,
        "04_large": USES_MEMORY,
        "05_guarded": GUARDED_ERROR,
    }
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    for name, source in sources.items():
        write_small(notebooks / f"{name}.ipynb", source)

    def measured(pid):
        total = children_memory(pid)
        if total > 350 * 2**20:  # 04_large may end
            (folder / "out/files/04_large/measured").touch()
        return total

    # A kernel that loses a message would wait for ever, and the whole test run with it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "children_memory", measured)
        results = run_notebooks(
            all_notebooks(notebooks), folder / "out", {"SEED": 7}, jobs=2, cell_timeout=120
        )
    return folder, {result.name: result for result in results}


def write_small(path, source):
    parameters = nbformat.v4.new_code_cell("FAST = True\nSEED = 0")
    parameters.metadata.tags = ["parameters"]
    cells = [nbformat.v4.new_markdown_cell("# Small"), parameters]
    cells.append(nbformat.v4.new_code_cell(source))
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(node, path)


def test_good_notebook_runs_in_this_interpreter_with_the_parameters(finished):
    folder, results = finished
    assert results["01_good"].ok
    executed = nbformat.read(folder / "out/01_good.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == f"7 True {sys.executable}\n"


def test_files_of_a_notebook_land_in_its_own_folder(finished):
    folder, _ = finished
    assert (folder / "out/files/01_good/seen.txt").is_file()


def test_failing_cell_is_named(finished):
    error = finished[1]["02_failing"].error
    assert error.startswith("cell 4 (1 / 0): ZeroDivisionError: division by zero. Run this")


@pytest.mark.parametrize(
    ("source", "cell", "advice"),
    [
        (
            "import time\ntime.sleep(3600)",
            "cell 4 (time.sleep(3600)) took longer than 20 s",
            "--cell",
        ),
        ("import os\nos._exit(1)", "cell 4 (os._exit(1)): Python itself ended", "--jobs 1"),
    ],
)
def test_a_cell_that_does_not_end_is_named(tmp_path, source, cell, advice):
    write_small(tmp_path / "01_small.ipynb", source)
    notebooks = all_notebooks(tmp_path)
    (result,) = run_notebooks(notebooks, tmp_path / "out", {"SEED": 7}, cell_timeout=20)
    assert result.error.startswith(cell) and advice in result.error
    page = write_pages(notebooks, [result], tmp_path / "out").read_text(encoding="utf-8")
    assert cell in page


def test_error_hidden_in_widget_state_fails(finished):
    assert "inside a widget: ZeroDivisionError" in finished[1]["03_hiding"].error


def test_error_that_a_widget_of_the_course_shows_fails_too(finished):
    assert "inside a widget: ZeroDivisionError" in finished[1]["05_guarded"].error


def test_peak_memory_counts_what_the_kernel_holds(finished):
    results = finished[1]
    extra = results["04_large"].peak_memory - results["01_good"].peak_memory
    assert 200 * 2**20 < extra < 400 * 2**20


def test_a_killed_run_leaves_no_process_and_the_next_one_succeeds(tmp_path):
    notebook, out = tmp_path / "01_small.ipynb", tmp_path / "out"
    write_small(notebook, STARTS_A_PROCESS)
    words = ["--notebooks", str(tmp_path), "--output", str(out)]
    numbers = out / "files/01_small/numbers.txt"
    with subprocess.Popen([sys.executable, "-m", "oldphoto", "course", "run", *words]) as course:
        while not numbers.exists():
            assert course.poll() is None
            time.sleep(0.05)
        course.kill()
    for number in numbers.read_text(encoding="utf-8").split():
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(int(number)).wait(60)
    write_small(notebook, "print(SEED)")
    (result,) = run_notebooks(all_notebooks(tmp_path), out, cell_timeout=120)
    assert result.ok
    assert numbers.parent.with_name("01_small_2").is_dir()  # nobody knows whose files these are


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only copies made by fork look like that")
def test_a_copy_of_the_parent_that_is_no_program_yet_does_not_count():
    copy = subprocess.run(
        [sys.executable, "-c", COUNT_WITH_A_COPY], capture_output=True, text=True, timeout=300
    )
    assert copy.returncode == 0, copy.stderr
    alone, with_a_copy, with_a_program = (int(word) for word in copy.stdout.split())
    assert alone == with_a_copy == 0
    assert with_a_program > 2**20


def test_results_are_written(finished):
    folder, _ = finished
    written = json.loads((folder / "out/results.json").read_text(encoding="utf-8"))
    assert [row["ok"] for row in written["notebooks"]] == [True, False, False, True, False]
    assert written["machine"]["jobs"] == 2
    assert written["notebooks"][0]["parameters"] == {"SEED": 7}


def test_unknown_parameter_is_refused_before_anything_runs(make_notebook, tmp_path):
    notebooks = all_notebooks(make_notebook("print(1)").parent)
    with pytest.raises(InputError, match="01_small has no parameter 'SPEED'; it has FAST, SEED"):
        run_notebooks(notebooks, tmp_path / "out", {"SPEED": 1})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("values", [{"SEED": "one"}, {"SEED": True}, {"FAST": 1}, {"FAST": "no"}])
def test_parameter_of_another_kind_is_refused(make_notebook, values):
    notebook = all_notebooks(make_notebook("print(1)").parent)[0]
    with pytest.raises(InputError, match=r"takes (a number|True or False)"):
        check_parameters(notebook, values)


def test_output_that_is_a_file_is_refused(make_notebook, tmp_path):
    (tmp_path / "out").write_text("", encoding="utf-8")
    notebooks = all_notebooks(make_notebook("print(1)").parent)
    with pytest.raises(InputError, match="cannot be written"):
        run_notebooks(notebooks, tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["results.json", "index.html", "01_small.ipynb", "01_small.html", "files/01_small"]
)
def test_a_file_of_the_user_is_never_replaced(make_notebook, tmp_path, name):
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="which this command did not write: move it away"):
        run_notebooks(all_notebooks(make_notebook("print(1)", name="01_small").parent), out)
    assert (out / name).read_text(encoding="utf-8") == "mine"


def test_notebooks_are_not_replaced_by_their_executed_selves(make_notebook):
    path = make_notebook("print(1)")
    before = path.read_bytes()
    with pytest.raises(InputError, match="which this command did not write"):
        run_notebooks(all_notebooks(path.parent), path.parent)
    assert path.read_bytes() == before


def test_command_writes_a_page_and_returns_1_when_one_fails(make_notebook, tmp_path, capsys):
    make_notebook("print('reached')\n1 / 0", name="01_bad", head="# It fails <here>")
    folder = make_notebook("print(FAST)", name="02_good", head=f"{BADGE}\n# $x^2$ and more").parent
    words = ["run", "--notebooks", str(folder), "--output", str(tmp_path / "out"), "--full"]
    assert run_command(*words) == 1
    assert "01_bad" in capsys.readouterr().out
    index = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert "ZeroDivisionError" in index and "It fails &lt;here&gt;" in index
    page = (tmp_path / "out/02_good.html").read_text(encoding="utf-8")
    assert "False" in page and "<math" in page
    assert "<script" not in page and 'src="http' not in page  # whole without a network


def test_save_stores_outputs_without_traces_of_the_machine(make_notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    widget = "import ipywidgets\nipywidgets.IntSlider()"
    here = "import os, sys\nprint(os.getcwd())\nprint('noise', file=sys.stderr)"
    path = make_notebook(here, widget, head="# Stored\n\n**Measured:** not yet")
    words = ["run", "--notebooks", str(path.parent), "--output", str(tmp_path / "out"), "--save"]
    assert run_command(*words, "--fast") == 0
    stored = nbformat.read(path, as_version=4)
    assert [cell.id for cell in stored.cells] == [f"cell-{index}" for index in range(4)]
    assert "fast run takes" in stored.cells[0].source
    assert stored.cells[1].source == "FAST = True\nSEED = 0"
    assert [cell.execution_count for cell in stored.cells[1:]] == [1, 2, 3]
    assert stored.cells[2].outputs[0].text == "./out/files/01_small\n"
    assert len(stored.cells[2].outputs) == 1  # what went to stderr is left out
    assert "papermill" not in str(stored)
    assert "widget-view" not in str(stored) and "widgets" not in stored.metadata
    assert "Interactive part" in str(stored.cells[3].outputs)


@pytest.mark.parametrize("options", [["-p", "SEED", "3"], ["-p", "FAST", "False"]])
def test_save_refuses_other_parameters(make_notebook, options):
    folder = make_notebook("print(1)").parent
    with pytest.raises(InputError, match="--save stores runs with the notebooks' own parameters"):
        run_command("run", "--notebooks", str(folder), "--save", *options)


def test_a_full_run_stores_time_and_memory_alone(make_notebook, tmp_path, capsys):
    path = make_notebook("print(FAST)", head="# Both\n\n**Measured:** not yet")
    words = ["--notebooks", str(path.parent)]
    run = ["run", *words, "--output", str(tmp_path / "out"), "--save"]
    with pytest.raises(InputError, match="whose fast run is stored, got one without"):
        run_command(*run, "--full")
    for speed in ("--fast", "--full", "--fast"):  # a later fast run keeps what the full one needs
        assert run_command(*run, speed) == 0
    stored = nbformat.read(path, as_version=4)
    assert stored.cells[2].outputs[0].text == "True\n"
    measured = stored.metadata.oldphoto
    assert set(measured) == {
        "code", "seconds", "peak_memory_mib", "full_seconds", "full_peak_memory_mib"
    }  # fmt: skip
    assert f"the full one (`FAST = False`) {measured.full_seconds} s" in stored.cells[0].source
    capsys.readouterr()
    assert run_command("list", *words) == 0
    assert f"{measured.full_peak_memory_mib} MiB" in capsys.readouterr().out


def test_the_readme_shows_the_stored_times(capsys):
    assert run_command("list", "--markdown") == 0
    readme = (all_notebooks()[0].path.parents[1] / "README.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out in readme, "paste `python -m oldphoto course list --markdown`"


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("True", True), ("cpu", "cpu"), ("None", None), ("", "")],
)
def test_values_are_read_as_python_or_text(text, value):
    assert command.parse_value(text) == value


def test_value_that_names_a_file_becomes_a_full_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"")
    assert command.parse_value("photo.jpg") == str(tmp_path / "photo.jpg")


def test_kernel_entry_names_this_interpreter_and_the_package(tmp_path):
    write_kernel(tmp_path, threads=3)
    text = (tmp_path / "kernels/python3/kernel.json").read_text(encoding="utf-8")
    entry = json.loads(text)
    assert entry["argv"][0] == sys.executable
    assert entry["env"]["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_time_limit_that_means_nothing_is_refused(tmp_path, timeout):
    write_small(tmp_path / "01_good.ipynb", "print(SEED)")
    with pytest.raises(InputError, match="cell_timeout must be greater than 0"):
        run_notebooks(all_notebooks(tmp_path), tmp_path / "out", cell_timeout=timeout)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ([], command.USUAL_CELL_SECONDS),
        (["--fast"], command.USUAL_CELL_SECONDS),
        (["--full"], None),
        (["-p", "SEED", "3"], None),
        (["--full", "--cell-timeout", "90"], 90.0),
    ],
)
def test_only_notebooks_as_they_are_have_a_usual_time(tmp_path, monkeypatch, options, seconds):
    write_small(tmp_path / "01_good.ipynb", "print(SEED)")
    asked = []
    monkeypatch.setattr(
        "oldphoto.course.publishing.runner.run_notebooks",
        lambda *given: asked.append(given[-1]) or [],
    )
    monkeypatch.setattr("oldphoto.course.publishing.pages.write_pages", lambda *_: tmp_path)
    where = ["--notebooks", str(tmp_path), "--output", str(tmp_path / "out")]
    assert cli.main(["course", "run", *options, *where]) == 0
    assert asked == [seconds]
