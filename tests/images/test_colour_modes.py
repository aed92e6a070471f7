"""Every mode of an image file becomes 8-bit RGB: scaled, laid on white, through its profile."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from oldphoto.checks import InputError
from oldphoto.images.files import load_rgb, read_photo

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_grey_bilevel_and_palette(tmp_path):
    grey = np.arange(600, dtype=np.uint16).reshape(20, 30).astype(np.uint8)
    read = read_photo(save(Image.fromarray(grey), tmp_path / "l.png")).pixels
    assert np.array_equal(read, np.dstack([grey] * 3))
    bits = grey > 90
    read = read_photo(save(Image.fromarray(bits), tmp_path / "1.png")).pixels
    assert np.array_equal(read[..., 1], bits * np.uint8(255))
    palette = Image.fromarray(grey).convert("RGB").quantize(256)
    read = read_photo(save(palette, tmp_path / "p.gif")).pixels
    assert np.array_equal(read, np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    values = np.full((16, 16), 40_000, np.uint16)
    values[0, :3] = [0, 257, 65_535]
    path = save(Image.fromarray(values), tmp_path / f"deep{suffix}")
    pixels = read_photo(path).pixels
    assert pixels[0, :3, 0].tolist() == [0, 1, 255]
    assert pixels[5, 5].tolist() == [156, 156, 156]  # 40000 / 257 = 155.6


def test_float_grey_is_read_from_zero_to_one_and_refused_beyond(tmp_path):
    half = save(Image.fromarray(np.full((16, 16), 0.5, np.float32)), tmp_path / "half.tif")
    assert read_photo(half).pixels[3, 3].tolist() == [128] * 3
    bright = save(Image.fromarray(np.full((16, 16), 7.0, np.float32)), tmp_path / "bright.tif")
    with pytest.raises(InputError, match=r"bright\.tif.*from 0 to 1, got 7 to 7"):
        read_photo(bright)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(tmp_path, mode):
    image = Image.new(mode, (20, 20), (0,) * (len(mode) - 1) + (0,))
    image.paste((0,) * (len(mode) - 1) + (255,), (0, 0, 10, 20))
    pixels = read_photo(save(image, tmp_path / "a.png")).pixels
    assert pixels[5, 3].tolist() == [0, 0, 0]
    assert pixels[5, 15].tolist() == [255, 255, 255]


def test_transparent_palette_colour_is_laid_on_white(tmp_path):
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (0, 0, 10, 20))
    pixels = read_photo(save(image, tmp_path / "a.png", transparency=0)).pixels
    assert pixels[5, 3].tolist() == [200, 100, 50]
    assert pixels[5, 15].tolist() == [255, 255, 255]


def test_cmyk_without_profile_is_converted(tmp_path):
    image = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    photo = read_photo(save(image, tmp_path / "a.tif"))
    assert photo.pixels[4, 4].tolist() == [255, 0, 0]
    assert photo.icc_profile is None


def test_lab_is_converted_to_srgb(tmp_path):
    image = Image.new("LAB", (20, 20), (128, 128, 128))
    pixels = read_photo(save(image, tmp_path / "a.tif")).pixels
    assert np.ptp(pixels[4, 4].astype(int)) <= 3  # no colour
    assert 110 < pixels[4, 4, 0] < 130  # L* = 50 is a mid grey, sRGB 119


def test_a_profile_of_another_colour_space_is_dropped(tmp_path):
    image = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    photo = read_photo(save(image, tmp_path / "a.tif", icc_profile=SRGB))
    assert photo.pixels[4, 4].tolist() == [255, 0, 0]
    assert photo.icc_profile is None
    grey = save(Image.new("L", (20, 20), 77), tmp_path / "g.png", icc_profile=b"no profile at all")
    assert read_photo(grey).pixels[0, 0].tolist() == [77] * 3
    for wrong in (b"no profile at all", linear_grey_profile()):
        colour = save(Image.new("RGB", (20, 20)), tmp_path / "c.png", icc_profile=wrong)
        assert read_photo(colour).icc_profile is None


def linear_grey_profile() -> bytes:
    """The smallest ICC profile of linear grey: a white point and the curve y = x."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    start = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", start, 20, b"kTRC", start + 20, 12)
    head = struct.pack(">I4sI4s4s4s", start + 32, b"\0" * 4, 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + tags + white + curve


def test_grey_with_a_profile_becomes_srgb(tmp_path):
    image = Image.new("L", (20, 20), 128)
    photo = read_photo(save(image, tmp_path / "a.png", icc_profile=linear_grey_profile()))
    assert photo.icc_profile is None
    # Linear 128 / 255 is 0.735 in sRGB's curve: 1.055 * 0.502 ** (1 / 2.4) - 0.055 = 187.5 / 255.
    assert np.abs(photo.pixels.astype(int) - 188).max() <= 1


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_grey_keeps_its_levels_through_a_profile(tmp_path, name):
    grey = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    path = save(Image.fromarray(grey), tmp_path / name, icc_profile=linear_grey_profile())
    photo = read_photo(path, with_deep=True)
    assert photo.icc_profile is None and photo.notes == ()
    linear = grey / 65535
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    # Within a twentieth of an 8-bit level; 8 bits would be half a level wrong.
    assert np.abs(photo.deep[..., 0] / 257 - 255 * srgb).max() < 0.05


def test_lab_pixels_pass_through_the_profile_engine():
    image = Image.new("LAB", (16, 16), (255, 128, 128))
    assert load_rgb(image)[0, 0].min() >= 254
