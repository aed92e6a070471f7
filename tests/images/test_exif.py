"""EXIF fields are read and written as bytes: round trips, byte orders, repairs, damage."""

import struct

import pytest
from PIL import Image

from oldphoto.images import exif
from oldphoto.images.exif import ExifData, Field

SOUND = ExifData(
    {exif.DESCRIPTION: exif.text_field("Łódź 1931"), exif.ORIENTATION: exif.short_field(6, "<")},
    {exif.TAKEN: exif.text_field("1931:05:01 12:00:00"), 0x829A: exif.ratio_field(1 / 60, "<")},
    {2: Field(exif.RATIONAL, struct.pack("<6I", 51, 1, 45, 1, 33, 1))},
    {1: exif.text_field("R03")},
)


@pytest.mark.parametrize("order", ["<", ">"])
def test_fields_survive_a_round_trip_in_both_byte_orders(order):
    data = exif.in_order(SOUND, order)
    assert exif.parse(exif.build(data)) == data
    assert exif.parse(b"Exif\0\0" + exif.build(data)) == data
    assert exif.in_order(data, "<") == SOUND


def test_pillow_reads_what_is_built():
    read = Image.Exif()
    read.load(exif.build(SOUND))
    assert read[exif.ORIENTATION] == 6
    assert read.get_ifd(0x8769)[exif.TAKEN] == "1931:05:01 12:00:00"
    assert read.get_ifd(0x8825)[2] == (51, 45, 33)


def test_what_pillow_writes_is_read():
    written = Image.Exif()
    written[exif.ARTIST] = "Ada"
    written.get_ifd(0x8769)[exif.TAKEN] = "1931:05:01 12:00:00"
    data = exif.parse(written.tobytes())
    assert (data.text(exif.ARTIST), data.text(exif.TAKEN, photo=True)) == (
        "Ada",
        "1931:05:01 12:00:00",
    )


@pytest.mark.parametrize(
    ("tag", "found", "legal"),
    [
        (exif.ARTIST, Field(exif.UNDEFINED, b"Ada"), Field(exif.ASCII, b"Ada\0")),
        (exif.ARTIST, Field(11, b"\0" * 4), None),
        (exif.X_RESOLUTION, Field(exif.SHORT, b"\x2c\1"), exif.ratio_field(300, "<")),
        (exif.X_RESOLUTION, Field(12, struct.pack("<d", 72.5)), exif.ratio_field(72.5, "<")),
        (exif.X_RESOLUTION, Field(11, struct.pack("<f", float("nan"))), None),
        (exif.ORIENTATION, Field(exif.ASCII, b"6\0"), None),
        (exif.RESOLUTION_UNIT, exif.short_field(9, "<"), None),
        (0x9C9B, Field(exif.UNDEFINED, b"a\0"), Field(exif.BYTE, b"a\0")),
        (0xC0DE, Field(11, b"\0" * 4), Field(11, b"\0" * 4)),  # no field that we know
    ],
)
def test_types_are_repaired_or_the_field_is_left_out(tag, found, legal):
    repaired, lost = exif.repaired(ExifData({tag: found}))
    assert repaired.main.get(tag) == legal
    assert lost == (() if legal else (f"0x{tag:04X}",))


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_data_that_is_cut_short_never_raises(cut):
    exif.parse(exif.build(SOUND)[:cut])
    exif.parse(exif.build(SOUND)[:8] + bytes([cut]) * 60)


def test_fields_that_claim_more_than_the_file_are_counted():
    data = exif.build(SOUND).replace(struct.pack("<HI", 2, 13), struct.pack("<HI", 2, 2**32 - 1))
    read = exif.parse(data)
    assert read.num_damaged == 1
    assert read.integer(exif.ORIENTATION) == 6


def test_a_directory_that_points_at_itself_ends():
    looped = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x8769, 4, 1, 8) + bytes(4)
    assert exif.parse(looped).main == {}


@pytest.mark.parametrize("pointer", [0x8769, 0x8825])
def test_a_pointer_that_leads_back_is_not_copied(pointer):
    back = exif.long_field(8, "<")
    fields = {exif.DESCRIPTION: exif.text_field("a mill"), pointer: back, 0xA005: back}
    content, start = exif.build_at(ExifData(fields), 8)
    assert start == 8
    found = exif.parse(b"II" + struct.pack("<HI", 42, start) + content)
    assert found.text(exif.DESCRIPTION) == "a mill"
    assert not (found.photo or found.gps or found.interop)
    assert found.num_damaged == 1
