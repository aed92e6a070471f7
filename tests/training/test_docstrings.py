"""The examples in the docstrings of training and of the losses print what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import oldphoto

PACKAGE = Path(oldphoto.__file__).parent
MODULES = ["config", "losses", *(f"training.{p.stem}" for p in (PACKAGE / "training").glob("*.py"))]


@pytest.mark.parametrize("name", [name for name in MODULES if "__init__" not in name])
def test_the_examples_are_right(name):
    failed, _ = doctest.testmod(import_module(f"oldphoto.{name}"))
    assert failed == 0
