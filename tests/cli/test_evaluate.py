"""``oldphoto evaluate``: one photo that cannot be used is named, and the table has the others."""

import csv
import shutil

import pytest

from oldphoto.cli.main import main
from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.samples import sample_paths


@pytest.fixture
def photos(tmp_path):
    """Two photos with a broken one between them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, path in zip("ac", sample_paths("held_out"), strict=False):
        shutil.copy(path, folder / f"{name}{path.suffix}")
    (folder / "b.jpg").write_bytes(b"no photo")
    return folder


@pytest.mark.parametrize("options", [[], ["--methods", "input"]])
def test_a_broken_photo_is_named_and_the_others_are_measured(photos, tmp_path, capsys, options):
    out = tmp_path / "out"
    words = ["evaluate", "--data", str(photos), "--output", str(out)]
    assert main([*words, *options]) == 1
    shown = capsys.readouterr()
    assert "b.jpg is not an image" in shown.err
    assert "2 of 3 photos measured" in shown.out
    if not options:
        with (out / "scores.csv").open(encoding="utf-8") as file:
            assert [row["name"] for row in csv.DictReader(file)] == ["a", "c", "mean"]
    else:
        assert (out / "table.csv").is_file()


def test_the_other_photos_are_degraded_as_without_it(photos):
    paths = sorted(photos.iterdir())
    refused = []
    made = list(make_test_photos(paths, refused=lambda path, _: refused.append(path.name)))
    assert refused == ["b.jpg"]
    whole = list(make_test_photos([paths[0], paths[2], paths[2]]))
    assert (made[0].degraded == whole[0].degraded).all()
    assert (made[1].degraded == whole[2].degraded).all()


def test_nothing_to_measure_is_wrong_use(tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    words = ["evaluate", "--data", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main(words) == 2
    assert "none of the 1 photos can be used" in capsys.readouterr().err


def test_a_peer_needs_the_table_of_methods(photos, tmp_path, capsys):
    words = ["evaluate", "--data", str(photos), "--output", str(tmp_path / "out")]
    assert main([*words, "--peer", "realesrgan"]) == 2
    assert "give both" in capsys.readouterr().err
    assert main([*words, "--methods", "input", "--peer", "realesrgan:none.bin"]) == 2
    assert "no such file" in capsys.readouterr().err
