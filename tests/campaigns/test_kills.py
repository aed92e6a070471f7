"""A small share of the campaign of kills; ``kills.py`` is the whole one."""

import importlib
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("scrapy")
sys.path.insert(0, str(Path(__file__).parent))
kills = importlib.import_module("kills")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign copies its own process")
@pytest.mark.parametrize("name", ["restore", "clean"])
def test_a_killed_command_and_two_at_once_harm_nothing(name):
    outcomes = kills.campaign([name], count=1, seed=1)
    assert outcomes == {
        f"{name}, killed": Counter(held=1),
        f"{name}, two at once": Counter(held=1),
    }
