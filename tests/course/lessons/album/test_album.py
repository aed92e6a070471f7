"""The contact sheet: every photo before and after, failures named, nothing outside the page."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course.lessons.album import album
from oldphoto.inference.provenance import Provenance, read_provenance
from oldphoto.samples import sample_paths

IMAGES = re.compile(r"<img [^>]*>")


def invert(pixels, _mask):
    return 255 - pixels


def no_mask(_path, _pixels):
    return None


@pytest.fixture
def folder(tmp_path):
    """Two photos, a broken one, a text."""
    for number, name in enumerate(("a.png", "b & c.jpg")):
        noise = np.random.default_rng(number).integers(0, 256, (20, 30 + number, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / name)
    (tmp_path / "broken.jpg").write_text("no photo", encoding="utf-8")
    (tmp_path / "letter.txt").write_text("no photo", encoding="utf-8")
    return tmp_path


def names(folder):
    return [folder / name for name in ("a.png", "b & c.jpg", "broken.jpg")]


def test_a_broken_file_is_named_and_stops_nobody(folder, tmp_path):
    out = tmp_path / "out"
    order = [names(folder)[i] for i in (2, 0, 1)]  # the broken one first
    outcomes = album.restore_album(order, out, invert, no_mask)
    assert [outcome.name for outcome in outcomes] == ["broken.jpg", "a.png", "b & c.jpg"]
    assert "not an image" in outcomes[0].error and str(folder) not in outcomes[0].error
    assert not outcomes[1].error and not outcomes[2].error
    assert sorted(path.name for path in out.iterdir()) == [
        "a.png",
        "b & c.jpg",
    ]
    before, after = Image.open(folder / "a.png"), Image.open(out / "a.png")
    np.testing.assert_array_equal(np.asarray(after), 255 - np.asarray(before))


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), MemoryError(), InputError("x")])
def test_a_photo_that_cannot_be_restored_stops_nobody(folder, tmp_path, error):
    def fails_once(pixels, _mask):
        if pixels.shape[1] == 30:
            raise error
        return pixels

    outcomes = album.restore_album(names(folder)[:2], tmp_path / "out", fails_once, no_mask)
    assert outcomes[0].error and not outcomes[1].error


def test_numbers_of_an_outcome_are_those_of_the_photo(tmp_path):
    pixels = np.full((20, 40, 3), 100, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "flat.png")
    mask = np.zeros((20, 40), bool)
    mask[:5] = True  # a quarter
    outcome = album.restore_album(
        [tmp_path / "flat.png"], tmp_path / "out", lambda p, m: p + 7, lambda path, p: mask
    )[0]
    assert outcome.size == (20, 40)
    assert outcome.masked_share == 0.25
    assert outcome.change == 7.0


def test_a_record_goes_into_the_files_with_the_share_of_each(folder, tmp_path):
    half = np.zeros((20, 30), bool)
    half[:10] = True
    record = Provenance("small", "ab" * 32, 0.0)
    album.restore_album(names(folder)[:1], tmp_path / "out", invert, lambda path, p: half, record)
    assert read_provenance(tmp_path / "out" / "a.png") == replace(record, masked_share=0.5)


def test_the_page_has_all_pictures_described_and_needs_nothing_else(folder, tmp_path):
    marked = np.zeros((20, 30), bool)
    marked[3, 4] = True
    outcomes = album.restore_album(
        names(folder), tmp_path / "out", invert, lambda path, p: marked[:, : p.shape[1]]
    )
    page = album.contact_sheet(outcomes, "My <album>", ["weights small"])
    images = IMAGES.findall(page)
    assert len(images) == 6  # before, after, mask of two photos
    assert all(re.search(r'alt="[^"]{15,}"', image) for image in images)
    assert all('src="data:image/jpeg;base64,' in image for image in images)
    assert "<script" not in page and "http" not in page
    assert "My &lt;album&gt;" in page and "b &amp; c.jpg" in page  # escaped
    assert "2 of 3 photos restored" in page and "weights small" in page
    failures = page.split("Not restored")[1].split("</ul>")[0]
    assert failures.count("broken.jpg") == 1 and "a.png" not in failures
    assert "Not restored" not in album.contact_sheet(outcomes[:2], "all well")


def test_the_sheet_becomes_one_whole_page(tmp_path):
    path = album.write_sheet(tmp_path / "new" / "sheet.html", "<p>été</p>", "a < b")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")
    assert "<title>a &lt; b</title>" in text and "<p>été</p>" in text


def test_a_page_and_photos_of_the_user_are_not_replaced(tmp_path):
    (tmp_path / "sheet.html").write_text("mine", encoding="utf-8")
    for _ in range(2):
        path = album.write_sheet(tmp_path / "sheet.html", "<p>a</p>", "a")
        assert path == tmp_path / "sheet_2.html"
    assert (tmp_path / "sheet.html").read_text(encoding="utf-8") == "mine"
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="left as it is: move it away"):
        album.demo_folder(tmp_path / "input", sample_paths("held_out")[:1])
    assert (tmp_path / "input" / "letter.txt").read_text(encoding="utf-8") == "mine"


def test_a_single_damaged_pixel_survives_reduction():
    mask = np.zeros((1000, 500), bool)
    mask[777, 333] = True
    reduced = album.smaller(mask, 100)
    assert reduced.shape == (100, 50) and reduced.sum() == 1 and reduced[77, 33]
    photo = np.full((50, 20, 3), 9, np.uint8)
    assert album.smaller(photo, 100) is not photo and album.smaller(photo, 100).shape == (50, 20, 3)


def test_words_tell_tones_and_brightness():
    ramp = np.repeat(np.arange(0, 250, 5, dtype=np.uint8)[:, None], 3, axis=1)[None]
    assert album.look_words(ramp).startswith("in grey, mean brightness 48 %")
    traces = np.clip(ramp.astype(int) + (0, 3, 5), 0, 255).astype(np.uint8)  # nobody sees them
    assert album.look_words(traces).startswith("in grey")
    brown = np.clip(ramp.astype(int) + (20, 5, -15), 0, 255).astype(np.uint8)
    assert album.look_words(brown[:, 5:]).startswith("in brown tones")
    halves = np.zeros((2, 2, 3), np.uint8)
    halves[0, :, 0], halves[1, :, 2] = 255, 255  # red above, blue below
    assert album.look_words(halves).startswith("in colour, mean brightness 33 %, contrast 47 %")


def test_other_files_are_told(folder):
    assert album.files_left_out(folder) == ["letter.txt"]
    (folder / "1931").mkdir()
    assert album.files_left_out(folder) == ["1931 (a sub-folder)", "letter.txt"]


def test_the_demonstration_has_good_and_bad_files(tmp_path):
    folder = album.demo_folder(tmp_path / "new", sample_paths("held_out")[:1])
    paths = sorted(path for path in folder.iterdir() if path.suffix != ".txt")
    outcomes = album.restore_album(paths, tmp_path / "out", invert, no_mask)
    assert [bool(outcome.error) for outcome in outcomes] == [False, False, True, True]
    assert album.look_words(outcomes[1].before).startswith("in grey")
    with pytest.raises(InputError, match="at least one photo"):
        album.demo_folder(tmp_path, [])
