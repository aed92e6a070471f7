"""Small notebooks made by the tests."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

MakeNotebook = Callable[..., Path]


@pytest.fixture
def make_notebook(tmp_path: Path) -> MakeNotebook:
    """Return a function that writes NAME.ipynb with parameters FAST, SEED and the code cells."""

    def make(*code: str, name: str = "01_small", head: str = "# A small one") -> Path:
        parameters = new_code_cell("FAST = True\nSEED = 0", metadata={"tags": ["parameters"]})
        node = new_notebook(cells=[new_markdown_cell(head), parameters])
        node.cells += [new_code_cell(source) for source in code]
        node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        for index, cell in enumerate(node.cells):
            cell.id = f"cell-{index}"
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(node, path)
        return path

    return make
