"""A small share of the campaign of kills; ``kills.py`` is the whole one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("scrapy")
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign copies its own process")
@pytest.mark.parametrize("name", ["restore", "clean", "study"])
def test_a_disturbed_command_harms_nothing(name):
    # In a process of its own: a copy of one that has used several threads could hang.
    command = [sys.executable, "-m", "tests.campaigns.kills", "--commands", name, "--count", "1"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        f"commands {way}: {name}: 1 tried, 1 held"
        for way in ("killed", "on a full disk", "two at once")
    ]
