"""A small share of the campaigns, and their counts in the README."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.campaigns.report import campaign_parser, finish, table

pytest.importorskip("scrapy")
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign copies its own process")
@pytest.mark.parametrize("name", ["restore", "clean", "study"])
def test_a_disturbed_command_harms_nothing(name):
    # In a process of its own: a copy of one that has used several threads could hang.
    command = [sys.executable, "-m", "tests.campaigns.kills", "--commands", name, "--count", "1"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=1800
    )
    assert done.returncode == 0, done.stdout + done.stderr
    row = "commands killed, on a full disk, or two at once"
    assert done.stdout.splitlines() == [
        f"{row}: {name}, {way}: 1 tried, 1 held"
        for way in ("killed", "on a full disk", "two at once")
    ]


@pytest.mark.parametrize("name, count", [("hostile_servers", 14), ("repeats", 1)])
def test_the_other_campaigns_hold(name, count, tmp_path):
    command = [sys.executable, "-m", f"tests.campaigns.{name}", "--count", str(count)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=1800
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} tried, {count} held" in done.stdout


def test_a_trial_that_does_not_hold_is_counted_and_named(capsys):
    args = campaign_parser("A campaign.", 2).parse_args([])
    assert finish({"photos": Counter({"held": 3, "lost": 1})}, args) == 1
    assert capsys.readouterr().out == "photos: 4 tried, 3 held\n  1 times: lost\n"
    assert finish({"photos": Counter({"held": 3})}, args) == 0


def test_the_table_of_the_readme_is_that_of_the_reports():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert table() in text, "run `python -m tests.campaigns.report`"
