"""Style and spelling of the whole project: ruff, and codespell with British words in prose."""

import re
import subprocess
import sys
from pathlib import Path

import codespell_lib
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "notebooks").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Code, formulas, addresses and titles keep their own spelling.
NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$|https?://\S+|\]\([^)]*\)"
    r"|\*[A-Z][^*]+\*|\"[A-Z][^\"]+\"",
    re.DOTALL,
)


def run(*command: str) -> str:
    """Run a tool on the project; return what it prints, and nothing when it finds nothing."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    return done.stdout + done.stderr if done.returncode else ""


def cells(path: Path, kind: str) -> str:
    notebook = nbformat.read(path, as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


@pytest.fixture
def american(tmp_path: Path) -> Path:
    """A dictionary of American words with their British forms: codespell's own, reversed."""
    source = Path(codespell_lib.__file__).parent / "data" / "dictionary_en-GB_to_en-US.txt"
    pairs = (line.split("->") for line in source.read_text(encoding="utf-8").split())
    lines = [f"{word.rstrip(',')}->{british}" for british, word in pairs]
    dictionary = tmp_path / "american.txt"
    dictionary.write_text("\n".join(lines), encoding="utf-8")
    return dictionary


def test_ruff_finds_nothing():
    assert run("ruff", "check", ".") == ""


@pytest.mark.parametrize("path", ["oldphoto", "data_tools", "tests", *NOTEBOOKS], ids=str)
def test_layout_is_that_of_ruff(path):
    assert run("ruff", "format", "--check", str(path)) == ""


def test_no_typing_errors(tmp_path):
    for path in NOTEBOOKS:
        text = cells(path, "markdown") + cells(path, "code")
        (tmp_path / f"{path.stem}.txt").write_text(text, encoding="utf-8")
    assert run("codespell_lib", ".", str(tmp_path)) == ""


def test_prose_is_british(tmp_path, american):
    prose = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
    prose |= {path.name: cells(path, "markdown") for path in NOTEBOOKS}
    prose["found.md"] = "the color of a `color`"
    (tmp_path / "prose").mkdir()
    for name, text in prose.items():
        path = tmp_path / "prose" / f"{name}.txt"
        path.write_text(NOT_PROSE.sub(" ", text), encoding="utf-8")
    found = run("codespell_lib", "--dictionary", str(american), str(tmp_path / "prose"))
    lines = found.splitlines()
    assert len(lines) == 1 and lines[0].endswith("found.md.txt:1: color ==> colour"), found
