"""Processors that may be used, and processes that end with the one that started them."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from oldphoto.system.processes import kill_tree, num_processors

GRANDCHILD = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
CHILD = f"""
import subprocess, sys
from oldphoto.system.processes import end_with_parent
end_with_parent()
subprocess.run([sys.executable, "-c", {GRANDCHILD!r}])
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=subprocess.PIPE)
print(child.pid, flush=True)
child.wait()
"""


def has_ended(pid: int) -> bool:
    """Wait for a process that is not ours; a minute is far more than it needs."""
    try:
        psutil.Process(pid).wait(60)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_a_child_of_a_killed_process_ends_with_all_that_it_started():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child, grandchild = (int(parent.stdout.readline()) for _ in range(2))
        parent.kill()
    assert has_ended(child) and has_ended(grandchild)


def test_a_tree_is_killed_and_one_that_has_ended_is_no_error():
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        kill_tree(child.pid)
        child.wait()
        assert has_ended(grandchild)
    kill_tree(child.pid)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no such limit")
def test_processors_that_are_kept_from_this_process_do_not_count():
    code = (
        "import os; from oldphoto.system.processes import num_processors;"
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); print(num_processors())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n" and num_processors() >= 1


def test_no_other_place_counts_the_processors():
    package = Path(__file__).parents[2] / "oldphoto"
    texts = {path.name: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    assert [name for name, text in texts.items() if "cpu_count" in text] == ["processes.py"]
