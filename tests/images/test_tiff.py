"""TIFF files are read by their tags: pages, thumbnails, depth, white, planes, extra channels."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.images import exif
from oldphoto.images.exif import ExifData, Field
from oldphoto.images.files import read_mask, read_photo, upright_size

ROWS, COLUMNS = np.mgrid[:40, :56]
COLOUR = np.stack([COLUMNS * 4, ROWS * 6, ROWS + COLUMNS], axis=-1).astype(np.uint8)
GREY = COLOUR[..., 0]
DEEP = {np.uint8: 1, np.uint16: 257}


def assert_shows(path: Path, expected: np.ndarray, tolerance: int = 1) -> None:
    expected = np.dstack([expected] * 3) if expected.ndim == 2 else expected
    pixels = read_photo(path).pixels
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


def in_planes(pixels: np.ndarray, planar: str) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if planar == "separate" else pixels


# --- which picture -------------------------------------------------------------------------------


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("place", ["next page", "sub-directory"])
@pytest.mark.parametrize("bigtiff", [True, False])
def test_a_thumbnail_before_the_photo_is_passed_over(tmp_path, marked, place, bigtiff):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        small = np.zeros((10, 14, 3), np.uint8)
        inside = {"subifds": 1} if place == "sub-directory" else {}
        writer.write(small, photometric="rgb", subfiletype=int(marked), **inside)
        writer.write(COLOUR, photometric="rgb")
    assert_shows(path, COLOUR, tolerance=0)
    photo = read_photo(path)
    assert photo.num_pictures == 1
    assert photo.notes == ("the thumbnail before the photo is passed over",)


def test_a_smaller_copy_after_the_photo_is_no_second_picture(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(COLOUR, photometric="rgb", subifds=1)
        writer.write(COLOUR[::2, ::2], photometric="rgb", subfiletype=1)
    assert_shows(tmp_path / "a.tif", COLOUR, tolerance=0)
    assert read_photo(tmp_path / "a.tif").num_pictures == 1


def test_the_first_of_several_pages_is_the_photo(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in (COLOUR, COLOUR[::-1], COLOUR[:, ::-1]):
            writer.write(page, photometric="rgb")
    assert_shows(tmp_path / "a.tif", COLOUR, tolerance=0)
    assert read_photo(tmp_path / "a.tif").num_pictures == 3


@pytest.mark.parametrize("name", ["a.nef", "a.dng", "a.ARW", "a.tif"])
def test_camera_raws_are_named_with_the_remedy(tmp_path, name):
    with tifffile.TiffWriter(tmp_path / name) as writer:
        writer.write(np.zeros((10, 14, 3), np.uint8), photometric="rgb", subifds=1)
        writer.write(GREY.astype(np.uint16), photometric="cfa")
    with pytest.raises(InputError, match=r"camera raw file .* export it as TIFF or JPEG"):
        read_photo(tmp_path / name)


@pytest.mark.parametrize(
    "start", [b"II*\0\x10\0\0\0CR\2\0", b"FUJIFILMCCD-RAW ", b"\0\0\0\x18ftypcrx "]
)
def test_camera_raws_are_known_by_their_first_bytes(tmp_path, start):
    (tmp_path / "a.tif").write_bytes(start.ljust(200, b"\0"))
    with pytest.raises(InputError, match=r"a\.tif is a camera raw file"):
        read_photo(tmp_path / "a.tif")


def test_a_jpeg_with_the_name_of_a_raw_is_read(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg", quality=95)
    (tmp_path / "a.jpg").rename(tmp_path / "a.dng")
    assert read_photo(tmp_path / "a.dng").pixels.shape == COLOUR.shape


# --- what the numbers mean -----------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_white_is_where_the_file_says(tmp_path, order, kind, photometric):
    values = GREY.astype(kind) * DEEP[kind]
    stored = np.iinfo(kind).max - values if photometric == "miniswhite" else values
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=photometric, byteorder=order)
    assert_shows(tmp_path / "a.tif", GREY, tolerance=0)


@pytest.mark.parametrize("white", [1023, 4095, 16383, 4000])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
def test_values_of_fewer_bits_than_stored_are_not_dark(tmp_path, white, photometric):
    shown = COLOUR if photometric == "rgb" else GREY
    full = 2 ** white.bit_length() - 1
    values = np.round(shown / 255.0 * full).astype(np.uint16)
    stored = full - values if photometric == "miniswhite" else values
    tag = (281, 3, 1, white, True)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=photometric, extratags=[tag])
    assert_shows(tmp_path / "a.tif", shown)


@pytest.mark.parametrize("largest", [30_000, 200, 61_000])
def test_the_largest_value_of_a_photo_is_not_taken_for_white(tmp_path, largest):
    values = GREY.astype(np.uint16) * 257
    tag = (281, 3, 1, largest, True)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", extratags=[tag])
    assert_shows(tmp_path / "a.tif", GREY, tolerance=0)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 5, 8])
def test_packed_bits_are_unpacked(tmp_path, bits, order, compression):
    values = np.round(GREY / 255.0 * (2**bits - 1)).astype(np.uint16)
    places = np.arange(bits - 1, -1, -1)
    row_bits = (values[..., None] >> places & 1).reshape(len(values), -1).astype(np.uint8)
    path = tmp_path / "a.tif"
    path.write_bytes(
        tiff_of(np.packbits(row_bits, axis=1), values.shape, (bits,), compression, order)
    )
    assert_shows(path, GREY)


@pytest.mark.parametrize("compression", [1, 5, 8])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [1, 2])
def test_sixteen_bit_colour_in_planes_of_any_compression(tmp_path, compression, order, planar):
    deep = COLOUR.astype(order + "u2") * np.uint16(257)
    parts = [deep[..., i] for i in range(3)] if planar == 2 else [deep]
    rows = [
        np.frombuffer(np.ascontiguousarray(part).astype(order + "u2").tobytes(), np.uint8)
        for part in parts
    ]
    path = tmp_path / "a.tif"
    shaped = [row.reshape(len(COLOUR), -1) for row in rows]
    path.write_bytes(tiff_of(shaped, GREY.shape, (16,) * 3, compression, order, planar, colour=2))
    assert_shows(path, COLOUR)


def tiff_of(rows, shape, bits, compression, order, planar=1, colour=1) -> bytes:
    """A TIFF file of given bytes per row, one strip for each plane, built without a library."""
    planes = rows if isinstance(rows, list) else [rows]
    strips = [compressed(plane, compression) for plane in planes]
    starts = np.cumsum([8, *map(len, strips)])[:-1]
    pixels = b"".join(strips)
    numbers = {256: [shape[1]], 257: [shape[0]], 258: bits, 259: [compression], 262: [colour]}
    numbers |= {273: starts, 277: [len(bits)], 278: [shape[0]], 279: [len(s) for s in strips]}
    numbers |= {284: [planar]}
    fields = {
        tag: Field(exif.LONG, np.array(values, order + "u4").tobytes())
        for tag, values in numbers.items()
    }
    directory, start = exif.build_at(ExifData(fields, order=order), 8 + len(pixels))
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + np.array(start, order + "u4").tobytes() + pixels + directory


def compressed(rows: np.ndarray, compression: int) -> bytes:
    if compression == 1:
        return rows.tobytes()
    name = {5: "tiff_lzw", 8: "tiff_adobe_deflate"}[compression]
    buffer = io.BytesIO()
    Image.fromarray(rows).save(buffer, "TIFF", compression=name, tiffinfo={278: len(rows)})
    with tifffile.TiffFile(io.BytesIO(buffer.getvalue())) as tiff:
        start, count = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    return buffer.getvalue()[start : start + count]


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("extra", "value"), [("unspecified", 90), ("unassalpha", 0), ("assocalpha", 0)]
)
def test_a_channel_that_is_no_transparency_hides_nothing(tmp_path, planar, kind, extra, value):
    path = tmp_path / "a.tif"
    channel = np.full(GREY.shape, value, np.uint8)
    stored = np.dstack([COLOUR, channel]).astype(kind) * kind(DEEP[kind])
    tifffile.imwrite(
        path,
        in_planes(stored, planar),
        photometric="rgb",
        planarconfig=planar,
        extrasamples=[extra],
    )
    assert_shows(path, COLOUR)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
def test_transparency_is_laid_on_white(tmp_path, kind, extra):
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[:, 30:] = 0
    colours = np.where(alpha[..., None] > 0, COLOUR, 0) if extra == "assocalpha" else COLOUR
    stored = np.dstack([colours, alpha]).astype(kind) * kind(DEEP[kind])
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=[extra])
    assert_shows(tmp_path / "a.tif", np.where(alpha[..., None] > 0, COLOUR, 255))


def test_an_infrared_channel_without_a_name_is_not_transparency(tmp_path):
    stored = np.dstack([COLOUR, np.full(GREY.shape, 30, np.uint8)])
    rows = stored.reshape(len(GREY), -1)
    (tmp_path / "a.tif").write_bytes(tiff_of(rows, GREY.shape, (8,) * 4, 1, "<", colour=2))
    assert_shows(tmp_path / "a.tif", COLOUR, tolerance=0)
    assert "infrared" in read_photo(tmp_path / "a.tif").notes[0]


def test_sixteen_bits_are_said_to_be_reduced(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", COLOUR.astype(np.uint16) * 257, photometric="rgb")
    Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        assert (
            "16 bits per channel of the file are reduced to 8"
            in read_photo(tmp_path / name).notes[0]
        )


# --- damage --------------------------------------------------------------------------------------


def test_a_picture_that_is_not_in_the_file_is_refused(tmp_path):
    content = tiff_of(COLOUR.reshape(len(GREY), -1), GREY.shape, (8,) * 3, 1, "<", colour=2)
    field = struct.pack("<HHI", 273, exif.LONG, 1)
    beyond = content.replace(field + struct.pack("<I", 8), field + struct.pack("<I", 2**31))
    (tmp_path / "a.tif").write_bytes(beyond)
    with pytest.raises(InputError, match=r"a\.tif is damaged or cut short"):
        read_photo(tmp_path / "a.tif")


def test_a_tiff_of_another_kind_is_refused_in_a_sentence(tmp_path):
    values = np.zeros((40, 56, 3), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="icclab")
    with pytest.raises(InputError, match=r"kind we cannot decode .*: save it as RGB"):
        read_photo(tmp_path / "a.tif")


def test_masks_are_read_by_their_tags_too(tmp_path):
    mask = (GREY > 100).astype(np.uint16) * 65535
    tifffile.imwrite(tmp_path / "m.tif", 65535 - mask, photometric="miniswhite")
    assert np.array_equal(read_mask(tmp_path / "m.tif", GREY.shape), mask > 0)


def test_the_upright_size_is_that_of_the_photo(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((10, 14, 3), np.uint8), photometric="rgb", subfiletype=1)
        writer.write(COLOUR, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    assert (
        upright_size(tmp_path / "a.tif")
        == (56, 40)
        == read_photo(tmp_path / "a.tif").pixels.shape[:2]
    )


# --- found by trying kinds that nobody had tried -------------------------------------------------


def test_inverted_floating_point_is_no_negative(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", (1 - GREY / 255).astype("f4"), photometric="miniswhite")
    assert_shows(tmp_path / "a.tif", GREY)


def test_grey_of_32_bits_is_scaled_by_its_depth(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY * np.uint32(0x01010101), photometric="minisblack")
    assert_shows(tmp_path / "a.tif", GREY)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.complex64])
def test_numbers_that_say_nothing_about_white_are_refused(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", (GREY // 2).astype(kind), photometric="minisblack")
    with pytest.raises(InputError, match="holds signed or complex numbers"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("scale", [1, 257])
def test_a_palette_of_8_bits_is_not_black(tmp_path, scale):
    colours = np.random.default_rng(0).integers(0, 256, (3, 256))
    map_of_16 = (colours * scale).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=map_of_16)
    assert_shows(tmp_path / "a.tif", colours.T[GREY], tolerance=0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 7}, {"planarconfig": "separate"}]
)
def test_missing_rows_are_not_shown_as_black(tmp_path, kind, layout):
    path = tmp_path / "a.tif"
    pixels = in_planes(COLOUR.astype(kind) * kind(DEEP[kind]), layout.get("planarconfig", ""))
    tifffile.imwrite(path, pixels, photometric="rgb", **layout)
    assert_shows(path, COLOUR, tolerance=0)
    path.write_bytes(path.read_bytes()[:-40])  # less than a row
    with pytest.raises(InputError, match="is damaged or cut short"):
        read_photo(path)


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "packbits"])
def test_a_cut_that_reaches_the_number_of_bits_is_noticed(tmp_path, compression):
    path = tmp_path / "a.tif"
    Image.fromarray(COLOUR).save(path, compression=compression)
    path.write_bytes(path.read_bytes()[:-1])  # Pillow writes BitsPerSample last
    with pytest.raises(InputError, match="is damaged or cut short"):
        read_photo(path)


def test_a_chain_of_pages_that_leads_back_ends(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, COLOUR, photometric="rgb")
    content = bytearray(path.read_bytes())
    start = struct.unpack_from("<I", content, 4)[0]
    end = start + 2 + 12 * struct.unpack_from("<H", content, start)[0]
    content[end : end + 4] = struct.pack("<I", start)
    path.write_bytes(content)
    assert read_photo(path).num_pictures == 1
