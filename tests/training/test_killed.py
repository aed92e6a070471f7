"""A training that is killed again and again, also while it saves, ends with the same weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NUM_KILLS = 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the lives are forks of one process")
def test_twenty_kills_change_nothing(tmp_path):
    program = Path(__file__).with_name("killed_run.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), "--kills", str(NUM_KILLS)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same"]
    # On a very fast machine a life may be over before its moment comes.
    assert found["kills"] + found["finished_early"] == NUM_KILLS
    assert found["while_saving"] >= 3
    # Two whole checkpoints, and nothing left behind by those that were cut off.
    assert [name.partition(".")[2] for name in found["left"]] == ["json", "pt", "json", "pt"]
