"""Every local link of the notebooks, their companion pages and the README leads to a file."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
LOCAL = re.compile(r"\]\((?!https?://|mailto:|attachment:|#)([^)#\s]+)")


def links(text: str) -> list[str]:
    return LOCAL.findall(text)


def texts() -> dict[Path, str]:
    found = {ROOT / "README.md": (ROOT / "README.md").read_text(encoding="utf-8")}
    for path in sorted((ROOT / "notebooks").glob("*.md")):
        found[path] = path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        found[path] = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return found


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.name)
def test_local_links_resolve(path):
    missing = [link for link in links(texts()[path]) if not (path.parent / link).exists()]
    assert missing == []


def test_a_link_to_nowhere_is_seen():
    assert links("[a](b.ipynb) ![c](d/e.jpg) [f](https://g.h/i.ipynb) [j](#k)") == [
        "b.ipynb",
        "d/e.jpg",
    ]
