"""The examples in docstrings give the output that stands below them."""

import doctest
import importlib
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules_with_examples() -> list[str]:
    """Return the modules that hold a ``>>>``: the others need not be imported."""
    paths = [p for package in ("oldphoto", "data_tools") for p in (ROOT / package).rglob("*.py")]
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(paths)
        if ">>> " in path.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_a_module(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)  # an example that writes a file writes it here
    failed, attempted = doctest.testmod(module, optionflags=OPTIONS)
    assert failed == 0, "the captured output shows what was expected and what came"
    assert attempted > 0, f"{name} has a >>> outside of docstrings"


def test_a_wrong_output_would_be_found(capsys):
    module = types.ModuleType("made", ">>> 1 + 1\n3\n")
    assert doctest.testmod(module).failed == 1
    assert "Expected:\n    3" in capsys.readouterr().out
