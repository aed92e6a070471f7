"""16 bits per channel stay 16: read exactly, turned upright, laid on white, and written."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from oldphoto.checks import InputError
from oldphoto.images.essentials import png_parts
from oldphoto.images.files import REDUCED, read_photo, write_photo

COLOUR = np.random.default_rng(0).integers(0, 65536, (24, 36, 3), np.uint16)
GREY = COLOUR[..., 0]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ALPHA = np.full(GREY.shape, 65535, np.uint16)
ALPHA[:, 20:] = 0


def written(path: Path, stored: np.ndarray, **options: object) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, stored, **options)
    else:
        bgr = stored if stored.ndim == 2 else stored[..., [2, 1, 0, 3][: stored.shape[2]]]
        path.write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
    return path


def deep_of(path: Path) -> np.ndarray:
    photo = read_photo(path, with_deep=True)
    assert photo.deep is not None and photo.notes == ()
    assert np.array_equal(photo.pixels, read_photo(path).pixels)
    return photo.deep


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_every_value_is_read_as_it_is_stored(tmp_path, name):
    assert np.array_equal(deep_of(written(tmp_path / name, COLOUR)), COLOUR)
    assert np.array_equal(deep_of(written(tmp_path / name, GREY)), np.dstack([GREY] * 3))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_of_either_layout(tmp_path, planar, compression):
    stored = np.moveaxis(COLOUR, -1, 0) if planar == "separate" else COLOUR
    options = {"planarconfig": planar, "compression": compression, "byteorder": ">"}
    path = written(tmp_path / "a.tif", stored, photometric="rgb", **options)
    assert np.array_equal(deep_of(path), COLOUR)


def test_tiff_whose_white_is_zero_or_whose_depth_is_twelve(tmp_path):
    path = written(tmp_path / "white.tif", GREY, photometric="miniswhite")
    assert np.array_equal(deep_of(path)[..., 1], 65535 - GREY)
    twelve = GREY >> 4
    path = written(tmp_path / "twelve.tif", twelve, extratags=[(281, "H", 1, 4095, True)])
    assert np.array_equal(deep_of(path)[..., 2], np.round(twelve * (65535 / 4095)))


def test_the_photo_after_a_thumbnail_is_read(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(COLOUR[::4, ::4], photometric="rgb", subfiletype=1)
        writer.write(COLOUR, photometric="rgb")
    assert np.array_equal(read_photo(tmp_path / "a.tif", with_deep=True).deep, COLOUR)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_turned_upright_like_the_eight_bits(tmp_path, name, orientation):
    path = written(tmp_path / name, COLOUR, **tags(orientation) if name == "a.tif" else {})
    if name == "a.png":
        exif = Image.Exif()
        exif[274] = orientation
        Image.new("RGB", (36, 24)).save(tmp_path / "small.png", exif=exif)
        small, content = (tmp_path / "small.png").read_bytes(), path.read_bytes()
        chunk = next(part for kind, part in png_parts(small) if kind == b"eXIf")
        path.write_bytes(content[:33] + chunk + content[33:])
    deep = deep_of(path)
    assert deep.shape == ((36, 24, 3) if orientation >= 5 else (24, 36, 3))
    assert np.abs(deep / 257 - read_photo(path).pixels).max() < 1.5


def tags(orientation: int) -> dict[str, object]:
    return {"extratags": [(274, "H", 1, orientation, True)]}


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_transparent_parts_are_laid_on_white(tmp_path, name):
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"]} if name == "a.tif" else {}
    deep = deep_of(written(tmp_path / name, np.dstack([COLOUR, ALPHA]), **options))
    assert np.array_equal(deep, np.where(ALPHA[..., None] > 0, COLOUR, 65535))


def test_four_colours_are_reduced_and_it_is_said(tmp_path):
    stored = np.dstack([COLOUR, GREY])
    path = written(tmp_path / "a.tif", stored, photometric="separated", extrasamples=[])
    photo = read_photo(path, with_deep=True)
    assert photo.deep is None and photo.notes == (REDUCED,)


def test_eight_bits_are_taken_where_the_decoders_differ(tmp_path, monkeypatch):
    path = written(tmp_path / "a.png", COLOUR)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: COLOUR)  # red and blue exchanged
    photo = read_photo(path, with_deep=True)
    assert photo.deep is None and photo.notes == (REDUCED,)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_what_is_written_reads_back_with_its_profile(tmp_path, name):
    write_photo(tmp_path / name, COLOUR, icc_profile=SRGB)
    photo = read_photo(tmp_path / name, with_deep=True)
    assert np.array_equal(photo.deep, COLOUR)
    assert photo.icc_profile == SRGB


def test_other_formats_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="need PNG or TIFF"):
        write_photo(tmp_path / "a.jpg", COLOUR)
