"""Commands that work for long find out at the start that their result cannot be written."""

import errno
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from data_tools import clean, list_folder
from data_tools.cli import main as data_tools
from oldphoto.archive import run as archive_run
from oldphoto.checks import InputError
from oldphoto.cli import course, evaluate
from oldphoto.cli.main import main
from oldphoto.course.publishing import bundle, runner, site
from oldphoto.inference.masks import keep_masks
from oldphoto.samples import sample_paths
from oldphoto.system import outputs

PHOTOS = sample_paths("held_out")[0].parent


def work(*_: object, **__: object) -> None:
    pytest.fail("the work has begun")


def lazy_work(*_: object) -> Iterator[None]:
    work()
    yield None


@pytest.fixture(autouse=True)
def drive_that_can_only_be_read(monkeypatch):
    """Folders are there, but no file can be made in them."""

    def refuse(**_: object) -> None:
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(outputs, "tempfile", SimpleNamespace(TemporaryFile=refuse))


def test_clean_and_catalogue(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(clean, "examine_all", work)
    monkeypatch.setattr(list_folder, "examine_all", work)
    out = tmp_path / "out"
    out.mkdir()
    assert data_tools(["clean", str(PHOTOS), "--output", str(out)]) == 2
    assert f"{out} cannot be written (Read-only file system): choose" in capsys.readouterr().err
    (out / "a.jpg").write_bytes(sample_paths("held_out")[0].read_bytes())
    assert data_tools(["catalogue", str(out)]) == 2
    assert f"{out} cannot be written (Read-only file system)" in capsys.readouterr().err
    (out / "catalogue.csv").mkdir()
    assert data_tools(["catalogue", str(out)]) == 2
    assert "catalogue.csv is a folder, but the catalogue has this name" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--methods", "input"]])
def test_evaluate(tmp_path, monkeypatch, capsys, options):
    monkeypatch.setattr(evaluate, "make_test_photos", lazy_work)
    monkeypatch.setattr(evaluate, "evaluate", work)
    assert main(["evaluate", "--output", str(tmp_path), *options]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_engines_for_archives(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(archive_run, "list_sources", work)
    words = ["restore", str(PHOTOS), "--output", str(tmp_path), "--engine", "pool"]
    assert main(words) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_masks_that_are_to_be_kept(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        keep_masks(lambda *_: work(), tmp_path / "masks", sample_paths("held_out"))


def test_the_bundle_the_site_and_the_stored_notebooks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bundle, "build_wheel", work)
    monkeypatch.setattr(site, "missing_tools", lambda: "")
    monkeypatch.setattr(site, "_write_source", work)
    monkeypatch.setattr(runner, "run_notebooks", work)
    assert main(["course", "bundle", "--output", str(tmp_path)]) == 2
    assert main(["course", "site", "--output", str(tmp_path)]) == 2
    monkeypatch.setattr(course, "all_notebooks", lambda _: course_of(tmp_path))
    assert main(["course", "run", "00", "--save", "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("cannot be written") == 3


def course_of(folder):
    """Return a course of one notebook, which lies on the drive that can only be read."""
    return [SimpleNamespace(number="00", name="00_a", path=folder / "00_a.ipynb")]
