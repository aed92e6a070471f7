"""mypy finds no error in the package and the data tools; pyproject.toml holds its settings."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_types_are_sound(monkeypatch):
    api = pytest.importorskip("mypy.api")
    monkeypatch.chdir(ROOT)
    report, problems, _ = api.run([])
    found = [line for line in report.splitlines() if ": error:" in line]
    assert not found and not problems, os.linesep.join([*found, problems])
