"""The static rules: a good notebook passes, and each broken rule is found by its own message."""

import json
from pathlib import Path

import nbformat
import pytest

from oldphoto.course.publishing.notebooks import all_notebooks, code_digest, read_notebook
from oldphoto.course.publishing.rules import STALE, check_notebook

HEAD = "# Title\n\n**Measured:** not yet"


@pytest.fixture
def good(make_notebook) -> Path:
    """A notebook that keeps all rules."""
    path = make_notebook("%pip list\nx = 1", "x", head=HEAD)
    change(path, lambda node: node.cells[2].metadata.update(tags=["setup"]))
    return path


def change(path, edit):
    node = nbformat.read(path, as_version=4)
    for cell in node.cells[1:]:
        cell.execution_count = 1
    node.metadata["oldphoto"] = {"code": code_digest(node)}
    edit(node)
    path.write_text(json.dumps(node), encoding="utf-8")  # nbformat would mend some faults


def output(**data):
    data = {kind.replace("_", "/"): value for kind, value in data.items()}
    return nbformat.v4.new_output("display_data", data=data)


def set_source(cell, text):
    return lambda node: node.cells[cell].update(source=text)


def set_output(*outputs):
    return lambda node: node.cells[3].update(outputs=list(outputs))


BROKEN = {
    "image without alt": (set_source(0, HEAD + "\n![](a.png)"), "1 pictures without description"),
    "html image": (set_source(0, HEAD + '<img src="a.png">'), "1 pictures without description"),
    "empty alt": (set_source(0, HEAD + '<img alt="" src="a.png">'), "without description"),
    "computed parameter": (set_source(1, "FAST = True\nSEED = len('a')"), "plain literals"),
    "import in parameters": (set_source(1, "import os"), "may hold only lines like"),
    "no seed": (set_source(1, "FAST = True"), "lacks SEED"),
    "path in code": (set_source(3, "open('/home/ann/a.png')"), "/home/ann/a.png"),
    "path in output": (set_output(output(text_plain="C:\\Users\\ann")), "somebody's machine"),
    "address": (set_output(output(text_plain="<Styler at 0x7f75d9815410>")), "address in memory"),
    "picture": (set_output(output(image_png="aa")), "show it with course.figures.show"),
    "html picture": (set_output(output(text_html="<img src=''>")), "without description"),
    "error": (set_output(nbformat.v4.new_output("error", ename="Oops")), "stored error: Oops"),
    "stale": (set_source(3, "x + 1"), "code has changed since its outputs were stored"),
    "stateless": (lambda node: node.metadata.update(widgets={"a": {}}), "widgets without state"),
    "no kernel": (lambda node: node.metadata.pop("kernelspec"), "kernelspec"),
    "same ids": (lambda node: node.cells[3].update(id=node.cells[2].id), "id of its own"),
    "no set-up": (lambda node: node.cells[2].metadata.update(tags=[]), "tagged setup, found 0"),
    "no parameters": (lambda node: node.cells[1].metadata.update(tags=[]), "parameters, found 0"),
}


def test_good_notebook_passes(good):
    change(good, lambda node: None)
    assert check_notebook(read_notebook(good)) == []


@pytest.mark.filterwarnings("ignore:Non-unique cell id")
@pytest.mark.parametrize(("edit", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_rule_is_found(good, edit, message):
    change(good, edit)
    problems = check_notebook(read_notebook(good))
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("cell", "source"),
    [(2, "%pip list -v\nx = 1"), (3, "(\n    x\n)  # the same"), (0, HEAD + " yet")],
    ids=["address of the package", "format", "text"],
)
def test_what_changes_no_result_does_not_make_outputs_stale(good, cell, source):
    change(good, set_source(cell, source))
    assert check_notebook(read_notebook(good)) == []


def problems_of_the_course() -> list[str]:
    folder = Path(__file__).parents[3] / "notebooks"
    return [problem for n in all_notebooks(folder) for problem in check_notebook(n)]


def test_the_course_keeps_the_rules():
    assert [problem for problem in problems_of_the_course() if STALE not in problem] == []


def test_stored_outputs_of_the_course_come_from_its_code():
    assert [problem for problem in problems_of_the_course() if STALE in problem] == []
