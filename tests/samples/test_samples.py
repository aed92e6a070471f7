"""The embedded photos: complete, small, openly licensed, and readable."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oldphoto import samples
from oldphoto.checks import InputError

ALLOWED = {
    "CC0 1.0",
    "No Copyright - United States (NoC-US)",
    "No known restrictions on publication (Library of Congress)",
    "Public domain (work of the US government)",
}
ALL = [path for kind in samples.KINDS for path in samples.sample_paths(kind)]


def test_there_are_enough_of_each_kind():
    counts = {kind: len(samples.sample_paths(kind)) for kind in samples.KINDS}
    assert counts["old"] >= 12
    assert counts["clean"] >= 24
    assert counts["held_out"] >= 6
    assert 1 <= counts["show"] <= 3


def test_all_together_stay_under_three_megabytes():
    folder = Path(samples.__file__).parent
    files = [path for path in folder.rglob("*") if path.suffix in {".jpg", ".csv"}]
    assert len(files) == len(ALL) + 1
    assert sum(path.stat().st_size for path in files) < 3_000_000


def test_every_file_has_a_row_with_an_allowed_licence_and_the_other_way_round():
    rows = {row["file"]: row for row in samples.sample_sources()}
    assert set(rows) == {f"{path.parent.name}/{path.name}" for path in ALL}
    for row in rows.values():
        assert row["licence"] in ALLOWED, row
        assert all(row[name] for name in ("title", "creator", "year", "source", "changes")), row


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_sizes(path):
    with Image.open(path) as file:
        file.load()
        assert max(file.size) <= (640 if path.parent.name == "show" else 256)


def test_names_and_pictures_are_unique_so_that_nothing_held_out_is_trained_on():
    assert len({path.stem for path in ALL}) == len(ALL)
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in ALL}) == len(ALL)


def test_held_out_photos_come_from_other_originals_than_the_clean_ones():
    rows = {row["file"]: (row["title"], row["creator"]) for row in samples.sample_sources()}
    of = {
        kind: {rows[f"{kind}/{n}.jpg"] for n in samples.sample_names(kind)}
        for kind in samples.KINDS
    }
    assert not of["held_out"] & of["clean"]
    assert not of["show"] & of["old"]


def test_photo_is_uint8_rgb():
    photo = samples.sample_photo("astronaut")
    assert photo.dtype == np.uint8
    assert photo.shape == (256, 256, 3)


def test_grey_originals_are_served_as_rgb():
    photo = samples.sample_photo("bricks")
    assert photo.shape == (256, 256, 3)
    assert np.array_equal(photo[..., 0], photo[..., 2])


@pytest.mark.parametrize("call", [samples.sample_paths, samples.sample_names])
def test_unknown_kind_is_refused(call):
    with pytest.raises(InputError, match="must be one of old, clean, held_out, show"):
        call("modern")


def test_unknown_name_is_refused_and_the_names_are_listed():
    with pytest.raises(InputError, match=r"got 'nobody'; there are: .*astronaut"):
        samples.sample_photo("nobody")
