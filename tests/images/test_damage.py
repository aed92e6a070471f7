"""Damaged files: sound pixels are read whatever their metadata says, the others are refused."""

import io
import random
import struct
from zlib import compress, crc32

import numpy as np
import pytest
from PIL import Image, features

from oldphoto.checks import InputError
from oldphoto.data.reading import decode_photo
from oldphoto.images import exif
from oldphoto.images.colour_modes import to_rgb
from oldphoto.images.errors import BadFileError, reading
from oldphoto.images.essentials import is_plausible
from oldphoto.images.exif import ExifData, Field
from oldphoto.images.files import read_mask, read_metadata, read_photo
from tests.campaigns import damaged_photos, exif_fields

ROWS, COLUMNS = np.mgrid[:40, :56]
PIXELS = np.stack([COLUMNS * 4, ROWS * 6, ROWS + COLUMNS], axis=-1).astype(np.uint8)


def png_with(name: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """A sound PNG file with one more chunk before its pixels."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    plain = buffer.getvalue()
    end = 8 + 25  # signature and IHDR
    crc = crc32(name + content) if checksum is None else checksum
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)
    return plain[:end] + chunk + plain[end:]


# --- metadata never makes a photo unreadable -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "checksum"),
    [
        (b"eXIf", b"no TIFF header", None),
        (b"eXIf", b"II*\0\xff\xff\xff\xff", None),
        (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff", None),
        (b"eXIf", b"II*\0\x08\0\0\0", 12345),
        (b"zTXt", b"Comment\0\0not deflated", None),
        (b"zTXt", b"Comment\0\0" + compress(bytes(1 << 24)), None),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0\xff\xfe\xfd", None),
        (b"iTXt", b"key\0\1", None),
        (b"iCCP", b"name\0\0not deflated", None),
        (b"pHYs", b"\0", None),
        (b"gAMA", b"", None),
        (b"cHRM", b"\1\2", None),
        (b"tIME", b"", 1),
        (b"oFFs", b"x" * 9, None),
    ],
)
def test_a_png_with_a_broken_chunk_is_read(tmp_path, name, content, checksum):
    (tmp_path / "a.png").write_bytes(png_with(name, content, checksum))
    assert np.array_equal(read_photo(tmp_path / "a.png").pixels, PIXELS)


@pytest.mark.parametrize("head", [b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"MPF\0"])
@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xEE, 0xFE])
def test_a_jpeg_with_a_broken_segment_is_read(tmp_path, head, marker):
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", quality=95)
    plain, content = buffer.getvalue(), head + random.Random(0).randbytes(50)
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
    (tmp_path / "a.jpg").write_bytes(plain[:2] + segment + plain[2:])
    assert read_photo(tmp_path / "a.jpg").pixels.shape == PIXELS.shape


def test_a_comment_of_four_gigabytes_costs_no_time(tmp_path):
    for count, content in ((2**32 - 1, b"ASCII\0\0\0"), (1, b"\xff" * 4)):
        bad = exif.build(ExifData({}, {exif.COMMENT: Field(exif.LONG, b"\xff" * 4)}))
        bad = bad.replace(struct.pack("<HHI", exif.COMMENT, 4, 1), b"\x86\x92\7\0" + content[:4])
        Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + bad)
        assert count and read_photo(tmp_path / "a.jpg").pixels.shape == PIXELS.shape


@pytest.mark.parametrize("suffix", exif_fields.FORMATS)
def test_a_share_of_the_campaign_of_odd_exif(tmp_path, suffix):
    chosen = [case for case in exif_fields.cases(seed=16, count=160) if case.suffix == suffix]
    faults = [
        f"{case}: {fault}" for case in chosen if (fault := exif_fields.fault_of(case, tmp_path))
    ]
    assert len(chosen) >= 25
    assert faults == []


# --- one exception for files that are bad --------------------------------------------------------


def test_a_share_of_the_campaign_of_damaged_photos(tmp_path):
    photos = sorted(damaged_photos.sound_photos().items())
    for number in range(8 * len(photos)):
        suffix, content = photos[number % len(photos)]
        content = damaged_photos.damaged(content, random.Random(number))
        outcome = damaged_photos.outcome_of(content, suffix, tmp_path)
        assert outcome in ("read", "refused"), (number, suffix)


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "JPEG2000", "PNG"])
def test_damage_in_the_middle_is_a_bad_file(tmp_path, kind):
    feature = {"JPEG2000": "jpg_2000", "PNG": "zlib"}.get(kind, kind.lower())
    if not features.check(feature):
        pytest.skip(f"this Pillow reads no {kind}")
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(buffer.getvalue()[:900])
    with pytest.raises(BadFileError, match=rf"a\.{kind.lower()} is "):
        read_photo(path)
    with pytest.raises(BadFileError):
        read_mask(path, (64, 64))


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), AttributeError("x"), ZeroDivisionError(), RecursionError("a\nb")]
)
def test_whatever_a_decoder_raises_is_one_sentence(error):
    sentence = r"^a\.avif is damaged or cut short \(.*\): copy"
    with pytest.raises(BadFileError, match=sentence) as got, reading("a.avif"):
        raise error
    assert "\n" not in str(got.value)


def test_a_lack_of_memory_is_not_a_bad_file():
    with pytest.raises(MemoryError), reading("a.png"):
        raise MemoryError


# --- headers that promise more than the file holds -----------------------------------------------


def jpeg_of_size(height: int, width: int) -> bytes:
    """A small JPEG whose header says another size."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG")
    old, new = struct.pack(">HH", *PIXELS.shape[:2]), struct.pack(">HH", height, width)
    return buffer.getvalue().replace(b"\x08" + old, b"\x08" + new, 1)


def test_a_small_jpeg_that_says_it_is_huge_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg_of_size(13_000, 13_000))
    sentence = r"a\.jpg is damaged: its header promises 13000 pixels wide .* cannot hold"
    for read in (read_photo, read_metadata, lambda path: read_mask(path, (40, 56))):
        with pytest.raises(BadFileError, match=sentence):
            read(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="header promises"):
        decode_photo(tmp_path / "a.jpg", 256)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True, "optimize": True}), ("PNG", {}), ("GIF", {})]
    + [("WEBP", {"lossless": True}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_a_flat_picture_is_plausible(tmp_path, kind, options):
    path = tmp_path / f"a.{kind.lower()}"
    Image.new("L", (4000, 3000), 200).save(path, kind, **options)
    assert is_plausible(kind, 12_000_000, path.stat().st_size)
    assert read_photo(path).pixels.shape == (3000, 4000, 3)


# --- an alpha channel that hides everything ------------------------------------------------------


@pytest.mark.parametrize("suffix", [".bmp", ".tga", ".png", ".webp"])
def test_alpha_that_is_zero_everywhere_hides_nothing(tmp_path, suffix):
    image = Image.fromarray(np.dstack([PIXELS, np.zeros_like(PIXELS[..., 0])]))
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    image.save(tmp_path / f"a{suffix}", **options)
    assert np.array_equal(read_photo(tmp_path / f"a{suffix}").pixels, PIXELS)


def test_an_empty_transparent_layer_stays_empty():
    layer = Image.new("RGBA", (20, 20), (255, 255, 255, 0))
    assert to_rgb(layer, background=0)[0].getextrema() == ((0, 0),) * 3
