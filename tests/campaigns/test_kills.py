"""A small share of the campaign of kills; ``kills.py`` is the whole one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("scrapy")
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign copies its own process")
@pytest.mark.parametrize("name", ["restore", "clean"])
def test_a_killed_command_and_two_at_once_harm_nothing(name):
    # In a process of its own: a copy of one that has used several threads could hang.
    command = [sys.executable, str(ROOT / "tests" / "campaigns" / "kills.py"), "--commands", name]
    done = subprocess.run(
        [*command, "--count", "1", "--seed", "1"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        f"{name}, killed: 1 tried, 1 held",
        f"{name}, two at once: 1 tried, 1 held",
    ]
