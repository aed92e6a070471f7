"""Spelling of what readers read: notebooks, pages, and what the course's helpers say.

codespell knows typical typing errors, so it seldom objects to a right word, and needs no dictionary
of the subject. It also knows pairs like colour and color: prose is British throughout.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
# Words that are right here: a licence's short name (CC BY-ND), a query word of an archive.
RIGHT = "nd,fo"
CODE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$|https?://\S+|\]\([^)]*\)", re.DOTALL)
# Titles of papers and names keep their own spelling.
TITLE = re.compile(r"\*[A-Z][^*]+\*|\"[A-Z][^\"]+\"")
# British as well, in another sense: computer program, the practice, a story, PyTorch's optimizer.
BRITISH_TOO = {
    *("program", "programs", "practice", "story", "stories", "tire", "draft", "check", "checks"),
    *("optimizer", "optimizers", "gray", "disk", "disks", "license", "meter", "meters", "curb"),
}
WORD = re.compile(r"[A-Za-z]+")


def notebook_text(path: Path) -> str:
    """Return text, code and printed words of a notebook, without its pictures."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        parts.append(cell.source)
        for output in cell.get("outputs", []):
            parts += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
    return "\n\n".join(parts)


def read_prose(path: Path) -> str:
    """Return the text of a page, or of the text cells of a notebook, without code and titles."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return without_code(text)


def said_by(path: Path) -> str:
    """Return all texts of a Python file: docstrings, messages, hints."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(node.value for node in nodes if isinstance(node.value, str))


def pages() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        yield path.name, notebook_text(path)
    for pattern in ("README.md", "notebooks/*.md", "oldphoto/**/README.md"):
        for path in sorted(ROOT.glob(pattern)):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    for folder in ("course", "cli"):
        for path in sorted((ROOT / "oldphoto" / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), said_by(path)


def without_code(text: str) -> str:
    """Return text without code, formulas, addresses and titles."""
    return TITLE.sub(" ", CODE.sub(" ", text))


def misspelt(texts: dict[str, str], folder: Path) -> list[str]:
    """Return codespell's findings, one line each: place, word and proposal."""
    for name, text in texts.items():
        (folder / f"{name.replace('/', '.')}.txt").write_text(text, encoding="utf-8")
    options = ["--builtin", "clear,rare", f"--ignore-words-list={RIGHT}", "--config", "none"]
    command = [sys.executable, "-m", "codespell_lib", *options, "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode in (0, 65), done.stderr  # 65: it has found something
    return done.stdout.splitlines()


def american_words() -> dict[str, str]:
    """Return American words and their British forms, of codespell's own list."""
    import codespell_lib

    data = Path(codespell_lib.__file__).parent / "data" / "dictionary_en-GB_to_en-US.txt"
    pairs = (line.split("->") for line in data.read_text(encoding="utf-8").split())
    return {american.rstrip(","): british for british, american in pairs}


def test_no_typing_errors(tmp_path):
    assert misspelt(dict(pages()), tmp_path) == []


def test_a_typing_error_would_be_found(tmp_path):
    found = misspelt({"a.ipynb": "the the resotred photo\nits teh end"}, tmp_path)
    assert any("teh ==> the" in line for line in found)


def test_prose_is_british():
    american = american_words()
    paths = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("notebooks/*.md"), ROOT / "README.md"]
    found = [
        f"{path.name}: {word}, British {american[word.lower()]}"
        for path in sorted(paths)
        for word in WORD.findall(read_prose(path))
        if word.lower() in american and word.lower() not in BRITISH_TOO
    ]
    assert found == []


@pytest.mark.parametrize("word", ["color", "center", "behavior"])
def test_an_american_word_would_be_found(word):
    assert word in american_words()
    assert word not in without_code(
        f"`{word}` and $${word}$$ and *A {word} of* and [x](http://{word})"
    )
