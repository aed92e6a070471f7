"""The site: what Sphinx gets, and on request the whole of it, offline, with a search."""

import re
from pathlib import Path

import nbformat
import pytest

from oldphoto.checks import InputError
from oldphoto.course.publishing import site
from oldphoto.course.publishing.badges import address_of
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.pages import notebook_page

ROOT = Path(__file__).parents[3]
NOTEBOOKS = all_notebooks(ROOT / "notebooks")
ADDRESS = address_of(ROOT)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "source"
    site._write_source(NOTEBOOKS, ROOT / "notebooks", folder)
    return folder


def test_every_notebook_and_page_is_listed_and_no_badge_is_fetched(source):
    index = (source / "index.md").read_text(encoding="utf-8")
    names = [f"{one.number} {one.title} <{one.name}>" for one in NOTEBOOKS]
    names += ["GLOSSARY", "EQUATIONS", "LECTURING"]
    assert "EXAM" not in index and not (source / "EXAM.md").exists()
    assert all(f"\n{name}\n" in index for name in [*names, "reference/networks"])
    for path in source.glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        texts = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert "colab-badge.svg" not in texts and "](../" not in texts
        assert "application/vnd.jupyter.widget-view" not in path.read_text(encoding="utf-8")


def test_each_notebook_ends_with_links_to_the_forms_of_the_repository(source):
    forms = {path.name for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")}
    for notebook in NOTEBOOKS:
        last = nbformat.read(source / notebook.path.name, as_version=4).cells[-1].source
        assert last.startswith("[Report a mistake](") and "[Discuss this notebook](" in last
        assert last.count(f"{ADDRESS.home}/issues/new?template=") == 2
        assert set(re.findall(r"template=([\w.]+)", last)) <= forms
        assert f"where={notebook.number}" in last


def test_the_stored_notebooks_end_with_them_too_and_are_not_changed(source):
    for notebook in NOTEBOOKS:
        assert notebook.node.cells[-1].source == ADDRESS.reader_links(notebook.number)
        assert notebook.node == nbformat.read(notebook.path, as_version=4)


def test_links_out_of_the_site_lead_to_the_repository():
    text = "[a](../README.md) [b](08_x.ipynb) [c](EXAM.md)"
    place = f"{ADDRESS.home}/blob/{ADDRESS.reference}"
    expected = f"[a]({place}/README.md) [b](08_x.ipynb) [c]({place}/notebooks/EXAM.md)"
    assert site.outward(text, ADDRESS) == expected


def test_outside_a_clone_the_installed_package_knows_the_address(tmp_path):
    assert address_of(tmp_path).home.startswith("https://github.com/")


def test_a_missing_tool_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(site, "NEEDED", ("sphinx_that_is_not_there",))
    with pytest.raises(InputError, match=r"needs sphinx_that_is_not_there: .*oldphoto\[site\]"):
        site.write_site(NOTEBOOKS, tmp_path)


def test_the_page_of_a_run_ends_with_the_links():
    page = notebook_page(NOTEBOOKS[8].node, "T")
    assert page.index("Report a mistake") > page.index("Further reading")
    assert f'href="{ADDRESS.home}/issues/new?template=notebook.yml&amp;' in page
