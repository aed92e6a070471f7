"""The record of a restored photo: read back from every format, and the original's words kept."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from oldphoto.checks import InputError
from oldphoto.images.files import read_photo
from oldphoto.inference import provenance
from oldphoto.inference.provenance import (
    Provenance,
    network_sha256,
    read_provenance,
    write_recorded,
)

DESCRIPTION, ORIENTATION, ARTIST = 0x010E, 0x0112, 0x013B
INNER, TAKEN, COMMENT = 0x8769, 0x9003, 0x9286
FORMATS = (".png", ".jpg", ".tif", ".webp")
RECORD = Provenance("small", "ab" * 32, 0.125)
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def save_original(path: Path, **options: object) -> Path:
    """A photo that lies on its side, with words in its EXIF data."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[DESCRIPTION] = "Grandmother, 1931"
    exif[ARTIST] = "unknown"
    if path.suffix == ".jpg":
        exif.get_ifd(INNER)[TAKEN] = "1931:05:01 00:00:00"
        exif.get_ifd(INNER)[COMMENT] = b"ASCII\0\0\0from the red album"
    Image.fromarray(PIXELS).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_record_is_read_back(tmp_path, suffix):
    path = tmp_path / f"photo{suffix}"
    write_recorded(path, PIXELS, RECORD)
    assert read_provenance(path) == RECORD
    assert RECORD.software.startswith("oldphoto ")
    if suffix in (".png", ".tif"):  # formats without loss
        np.testing.assert_array_equal(read_photo(path).pixels, PIXELS)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("source", (".jpg", ".png", ".tif"))
def test_words_of_the_original_are_kept_and_the_photo_stays_upright(tmp_path, suffix, source):
    original = save_original(tmp_path / f"original{source}")
    upright = read_photo(original).pixels
    assert upright.shape == (30, 20, 3)  # it was turned
    path = tmp_path / f"restored{suffix}"
    write_recorded(path, upright, RECORD, original=original)
    with Image.open(path) as image:
        exif = image.getexif()
        assert exif[DESCRIPTION].splitlines()[0] == "Grandmother, 1931"
        assert exif[ARTIST] == "unknown"
        assert exif[ORIENTATION] == 1
    assert read_photo(path).pixels.shape == (30, 20, 3)  # not turned a second time
    found = read_provenance(path)
    assert found.weights_sha256 == RECORD.weights_sha256 and found.masked_share == 0.125
    if source == ".jpg":
        assert found.original_comment == "from the red album"


def test_date_and_comment_of_a_jpeg_survive_two_restorations(tmp_path):
    original = save_original(tmp_path / "original.jpg")
    first, second = tmp_path / "first.jpg", tmp_path / "second.jpg"
    write_recorded(first, PIXELS, RECORD, original=original)
    write_recorded(second, PIXELS, Provenance("other", "cd" * 32, 0.5), original=first)
    found = read_provenance(second)
    assert (found.weights, found.original_comment) == ("other", "from the red album")
    with Image.open(second) as image:
        assert image.getexif().get_ifd(INNER)[TAKEN] == "1931:05:01 00:00:00"
        assert image.getexif()[DESCRIPTION] == "Grandmother, 1931"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_photo_without_words_gets_a_sentence_and_the_newest_one_counts(tmp_path, suffix):
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    write_recorded(first, PIXELS, RECORD)
    write_recorded(second, PIXELS, Provenance("other", "cd" * 32, 0.5), original=first)
    with Image.open(second) as image:
        words = image.getexif()[DESCRIPTION]
    assert words.startswith(provenance.STATEMENT) and "50.0 % of the pixels" in words
    assert "12.5 %" not in words
    assert read_provenance(second).masked_share == 0.5


def test_description_of_a_png_text_chunk_is_kept(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    chunks.add_text("Description", "the mill")
    Image.fromarray(PIXELS).save(tmp_path / "original.png", pnginfo=chunks)
    write_recorded(tmp_path / "restored.jpg", PIXELS, RECORD, original=tmp_path / "original.png")
    with Image.open(tmp_path / "restored.jpg") as image:
        assert image.getexif()[DESCRIPTION] == "the mill"


def test_other_files_have_no_record(tmp_path):
    for comment in (b"ASCII\0\0\0hello", b"ASCII\0\0\0{}", b'ASCII\0\0\0{"weights": 1}', b"\xff"):
        exif = Image.Exif()
        exif.get_ifd(INNER)[COMMENT] = comment
        Image.fromarray(PIXELS).save(tmp_path / "photo.jpg", exif=exif)
        assert read_provenance(tmp_path / "photo.jpg") is None
    (tmp_path / "text.jpg").write_text("hello", encoding="utf-8")
    for name in ("text.jpg", "missing.jpg"):
        with pytest.raises(InputError, match=name):
            read_provenance(tmp_path / name)


def test_an_unreadable_original_does_not_stop_the_writing(tmp_path):
    (tmp_path / "broken.jpg").write_text("hello", encoding="utf-8")
    write_recorded(tmp_path / "new.png", PIXELS, RECORD, original=tmp_path / "broken.jpg")
    assert read_provenance(tmp_path / "new.png") == RECORD


def test_colour_profile_goes_along(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for suffix in FORMATS:
        write_recorded(tmp_path / f"photo{suffix}", PIXELS, RECORD, profile)
        with Image.open(tmp_path / f"photo{suffix}") as image:
            assert image.info["icc_profile"] == profile


def test_the_record_in_a_png_is_one_line_of_json(tmp_path):
    write_recorded(tmp_path / "photo.png", PIXELS, RECORD)
    with Image.open(tmp_path / "photo.png") as image:
        fields = json.loads(image.text[provenance.PNG_KEY])
    assert fields["masked_share"] == 0.125
    assert "pixels in the mask are invented" in fields["statement"]


def test_hash_depends_on_every_weight_and_on_nothing_else():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    before = network_sha256(network)
    assert len(before) == 64 and before == network_sha256(network.eval())
    with torch.no_grad():
        network[0].bias[1] += 1e-3
    assert network_sha256(network) != before


def test_hash_of_a_network_worked_out_by_hand():
    import hashlib

    network = nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(1.0)
        network.bias.fill_(-2.0)
    # float32, little-endian: 1.0 is 3f800000, -2.0 is c0000000; "bias" before "weight".
    content = b"bias" + bytes.fromhex("000000c0") + b"weight" + bytes.fromhex("0000803f")
    assert network_sha256(network) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("share", (-0.1, 1.1, float("nan")))
def test_a_share_lies_between_nothing_and_everything(share):
    with pytest.raises(InputError, match="masked_share"):
        Provenance("small", "", share)
