"""The package itself: its version, and types for those who import it."""

import re
from importlib.resources import files

import oldphoto
from oldphoto.system import packages


def test_the_version_is_the_same_installed_or_not(monkeypatch):
    assert re.fullmatch(r"\d+\.\d+\.\d+", oldphoto.__version__)
    monkeypatch.setattr(packages, "version_of", lambda _: None)
    assert re.fullmatch(r"\d+\.\d+\.\d+", oldphoto.__version__)


def test_type_checkers_may_use_the_annotations():
    assert (files("oldphoto") / "py.typed").is_file()
