"""The static rules: a good notebook passes, and each broken rule is found by its own message."""

import json
from pathlib import Path

import nbformat
import pytest

from oldphoto.course.publishing.badges import Address
from oldphoto.course.publishing.notebooks import all_notebooks, code_digest, read_notebook
from oldphoto.course.publishing.rules import check_notebook

HEAD = (
    f"{Address('o/p').badge('01_small.ipynb')}\n\n# Title\n\n**You will be able to** see.\n\n"
    "**Measured:** not yet"
)


@pytest.fixture
def good(make_notebook, tmp_path) -> Path:
    """A notebook that keeps all rules, in a repository of its own."""
    (tmp_path / "pyproject.toml").write_text(
        '[project.urls]\nRepository = "https://github.com/o/p"\n', encoding="utf-8"
    )
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
    "no badge": (set_source(0, HEAD.replace("blob/main", "blob/dev")), "needs the badge"),
    "no objectives": (set_source(0, HEAD.replace("You will", "We")), "You will be able to"),
    "no measured line": (set_source(0, HEAD.replace("Measured", "Time")), "Measured"),
    "two titles": (set_source(0, HEAD + "\n# Again"), "expected one title"),
    "level left out": (set_source(0, HEAD + "\n### Deep"), "level 3 follows one of level 1"),
    "image without alt": (set_source(0, HEAD + "\n![](a.png)"), "1 pictures without description"),
    "html image": (set_source(0, HEAD + '<img src="a.png">'), "1 pictures without description"),
    "empty alt": (set_source(0, HEAD + '<img alt="" src="a.png">'), "without description"),
    "computed parameter": (set_source(1, "FAST = True\nSEED = len('a')"), "plain literals"),
    "import in parameters": (set_source(1, "import os"), "may hold only lines like"),
    "no seed": (set_source(1, "FAST = True"), "lacks SEED"),
    "long set-up": (set_source(2, "x = 1\n" * 6), "the set-up cell has 6 lines"),
    "not Python": (set_source(3, "x ="), "not Python"),
    "foreign colour": (
        set_source(3, "axis.plot(x, color='tab:red')"),
        "the colour 'tab:red' is not",
    ),
    "path in code": (set_source(3, "open('/home/ann/a.png')"), "/home/ann/a.png"),
    "path in output": (set_output(output(text_plain="C:\\Users\\ann")), "somebody's machine"),
    "address": (set_output(output(text_plain="<Styler at 0x7f75d9815410>")), "address in memory"),
    "picture": (set_output(output(image_png="aa")), "show it with course.figures.show"),
    "html picture": (set_output(output(text_html="<img src=''>")), "without description"),
    "error": (set_output(nbformat.v4.new_output("error", ename="Oops")), "stored error: Oops"),
    "unknown tag": (lambda node: node.cells[3].metadata.update(tags=["hide"]), "unknown tags hide"),
    "one skip": (lambda node: node.cells[3].metadata.update(tags=["nbval-skip"]), "used together"),
    "not run": (lambda node: node.cells[3].update(execution_count=None), "no stored output"),
    "stale": (set_source(3, "x + 1"), "code has changed since its outputs were stored"),
    "papermill": (lambda node: node.metadata.update(papermill={}), "metadata of papermill"),
    "stateless": (lambda node: node.metadata.update(widgets={"a": {}}), "widgets without state"),
    "no kernel": (lambda node: node.metadata.pop("kernelspec"), "kernelspec"),
    "same ids": (lambda node: node.cells[3].update(id=node.cells[2].id), "id of its own"),
    "no set-up": (lambda node: node.cells[2].metadata.update(tags=[]), "tagged setup, found 0"),
    "no parameters": (lambda node: node.cells[1].metadata.update(tags=[]), "parameters, found 0"),
    "too large": (set_output(output(text_plain="x" * 1_000_001)), "more than 1,000,000"),
    "code first": (lambda node: node.cells[0].update(cell_type="code"), "must be text"),
}


def test_good_notebook_passes(good):
    change(good, lambda node: None)
    assert check_notebook(read_notebook(good)) == []


@pytest.mark.filterwarnings("ignore:Non-unique cell id")
@pytest.mark.parametrize(("edit", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_rule_is_found(good, edit, message):
    change(good, edit)
    problems = [str(problem) for problem in check_notebook(read_notebook(good))]
    assert any(message in problem for problem in problems), problems


def test_new_address_in_the_set_up_cell_does_not_make_outputs_stale(good):
    change(good, lambda node: node.cells[2].update(source="%pip list -v\nx = 1"))
    assert check_notebook(read_notebook(good)) == []


def test_the_course_keeps_all_rules():
    folder = Path(__file__).parents[3] / "notebooks"
    assert [str(p) for n in all_notebooks(folder) for p in check_notebook(n)] == []
