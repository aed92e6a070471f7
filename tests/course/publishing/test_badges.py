"""The repository's address: one place, stamped everywhere, and any difference is found."""

from pathlib import Path

import pytest

from oldphoto.checks import InputError
from oldphoto.course.publishing.badges import Address, _files, differing, read_address, stamp
from oldphoto.course.publishing.notebooks import course_pages, read_notebook

ROOT = Path(__file__).parents[3]
PROJECT = """[project]
name = "x"

[project.urls]
Notebooks = "https://github.com/oldphoto/oldphoto/tree/main/notebooks"
Repository = "https://github.com/oldphoto/oldphoto"

[tool.other]
Repository = "untouched"
"""


@pytest.fixture
def repository(tmp_path: Path, make_notebook) -> Path:
    """A small repository whose addresses agree."""
    old = Address("oldphoto/oldphoto")
    make_notebook(
        f"%pip install -q {old.install}  # {old.reader_links('01')}",
        head=f"{old.badges('01_small.ipynb')}\n# A",
    )
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    readme = f"{old.badges('01_small.ipynb')}\ngit clone https://github.com/oldphoto/oldphoto\n"
    other = "https://github.com/oldphoto/oldphoto-data stays\n"
    (tmp_path / "README.md").write_text(readme + other, encoding="utf-8")
    (tmp_path / ".github").mkdir()
    cff = "repository-code: https://github.com/oldphoto/oldphoto\n"
    (tmp_path / ".github" / "CITATION.cff").write_text(cff, encoding="utf-8")
    return tmp_path


def test_stamp_reaches_every_place(repository):
    changed = stamp(repository, "ann/photos", "v1.2")
    assert [p.name for p in changed] == [
        "pyproject.toml",
        "README.md",
        "CITATION.cff",
        "01_small.ipynb",
    ]
    assert read_address(repository) == Address("ann/photos", "v1.2")
    assert differing(repository) == []
    notebook = (repository / "notebooks/01_small.ipynb").read_text(encoding="utf-8")
    assert "github/ann/photos/blob/v1.2/notebooks/01_small.ipynb" in notebook
    assert Address("ann/photos").reader_links("01") in notebook
    assert "git+https://github.com/ann/photos@v1.2" in notebook
    readme = (repository / "README.md").read_text(encoding="utf-8")
    assert "git clone https://github.com/ann/photos\n" in readme
    assert "oldphoto/oldphoto-data stays" in readme
    project = (repository / "pyproject.toml").read_text(encoding="utf-8")
    assert 'Repository = "untouched"' in project


def test_notebooks_of_ones_own_are_left_as_they_are(repository):
    own = repository / "notebooks" / "mine.ipynb"
    text = f"no notebook at all, with {Address('oldphoto/oldphoto').badges('01_small.ipynb')}"
    own.write_text(text, encoding="utf-8")
    stamp(repository, "ann/photos", "v1.2")
    assert own.read_text(encoding="utf-8") == text and differing(repository) == []


def test_a_second_notebook_with_the_number_is_refused_before_anything_is_written(repository):
    (repository / "notebooks" / "01_my_own.ipynb").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"number 01, got 01_my_own\.ipynb and 01_small\.i"):
        stamp(repository, "ann/photos", "v1.2")
    assert read_address(repository) == Address("oldphoto/oldphoto")


def test_stamping_twice_changes_nothing_and_back_restores(repository):
    before = {p: p.read_bytes() for p in repository.rglob("*") if p.is_file()}
    stamp(repository, "ann/photos", "v1.2")
    assert stamp(repository, "ann/photos", "v1.2") == []
    stamp(repository, "oldphoto/oldphoto", "main")
    for path, content in before.items():
        assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["README.md", "notebooks/01_small.ipynb"])
def test_one_differing_address_is_found(repository, name):
    path = repository / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("github/oldphoto/oldphoto", "github/me/fork"), encoding="utf-8")
    assert [path.name in line and "me/fork" in line for line in differing(repository)] == [True]


@pytest.mark.parametrize("repo", ["nameonly", "a/b/c", "https://github.com/a/b", "a b/c", ""])
def test_wrong_repository_is_refused(repository, repo):
    with pytest.raises(InputError, match="must look like owner/name"):
        stamp(repository, repo)


@pytest.mark.parametrize("reference", ["", "two words", "-x", '"'])
def test_wrong_reference_is_refused(repository, reference):
    with pytest.raises(InputError, match="name of a branch or a tag"):
        stamp(repository, "a/b", reference)


def test_the_addresses_of_this_repository_agree():
    assert differing(ROOT) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name
)
def test_every_notebook_opens_itself_in_colab(path):
    first = read_notebook(path).node.cells[0]
    assert read_address(ROOT).badges(path.name) in first.source


def test_no_other_file_names_the_repository():
    home = read_address(ROOT).home.encode()
    folders = [ROOT / name for name in ("oldphoto", "data_tools", ".github")]
    paths = [path for folder in folders for path in folder.rglob("*.*") if path.suffix != ".pyc"]
    paths += [*course_pages(ROOT / "notebooks"), *ROOT.glob("*.*")]
    naming = {path for path in paths if path.is_file() and home in path.read_bytes()}
    assert naming <= set(_files(ROOT))
