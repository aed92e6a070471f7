"""Read and write EXIF fields as they are stored, without giving a meaning to their values.

EXIF data is a small TIFF file: directories (IFDs) of fields, each with a tag, a type and values.
Copying type and bytes keeps every legal field exactly. Fields of a wrong type are repaired or left
out. Sources: TIFF 6.0, section 2; CIPA DC-008 (EXIF 3.0), section 4.6.
"""

import mmap
import struct
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, UTF8 = 1, 2, 3, 4, 5, 7, 10, 129
_FLOAT, _DOUBLE = 11, 12
# Bytes per value, and bytes per number (a rational is two numbers), by field type.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_NUMBERS = {**_SIZES, 5: 4, 10: 4}
_CODES = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 8: "h", 9: "i", 10: "i", 11: "f", 12: "d"}
_CODES[13] = "I"
_MAX_FIELDS = 2000  # of one directory; a camera writes about 60

DESCRIPTION, ORIENTATION, SOFTWARE, ARTIST, COPYRIGHT = 0x010E, 0x0112, 0x0131, 0x013B, 0x8298
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
PROCESSING_SOFTWARE = 0x000B
TAKEN, COMMENT, COLOUR_SPACE, HISTORY = 0x9003, 0x9286, 0xA001, 0x9213
WIDTH, HEIGHT, MAKER_NOTE = 0xA002, 0xA003, 0x927C
XMP, IPTC, PHOTOSHOP = 700, 33723, 34377
_EXIF_POINTER, _GPS_POINTER, _INTEROP_POINTER = 0x8769, 0x8825, 0xA005
_POINTERS = frozenset({_EXIF_POINTER, _GPS_POINTER, _INTEROP_POINTER})

# Fields of the first directory that describe how the old pixels are stored, or stand elsewhere.
_STRUCTURE = frozenset(
    {*range(254, 267), 273, 277, 278, 279, 280, 281, 284, *range(288, 294), 317}
    | {*range(320, 344), 347, *range(512, 522), 34675, 37724, 59932}
    | {XMP, IPTC, PHOTOSHOP, _EXIF_POINTER, _GPS_POINTER, _INTEROP_POINTER}
)

# Fields on colour that a TIFF file takes as a description of its own pixels.
COLOUR_OF_TIFF = frozenset({301, 529, 530, 531, 532})

# The legal type of well-known fields; a field that is not listed may have any type.
_TEXT, _OPAQUE, _BYTES, _RATIO, _INTEGER = "text", "opaque", "bytes", "ratio", "integer"
_MAIN_KINDS = {
    **dict.fromkeys((0xB, 0x10D, 0x10E, 0x10F, 0x110, 0x11D, 0x131, 0x132, 0x13B, 0x13C), _TEXT),
    **dict.fromkeys((0x8298,), _TEXT),
    **dict.fromkeys((0x11A, 0x11B, 0x11E, 0x11F, 0x13E, 0x13F, 0x211, 0x214), _RATIO),
    **dict.fromkeys((0x112, 0x128, 0x4746, 0x4749), _INTEGER),
    **dict.fromkeys(range(0x9C9B, 0x9CA0), _BYTES),
}
_PHOTO_KINDS = {
    **dict.fromkeys((0x8824, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012), _TEXT),
    **dict.fromkeys((0x9213, 0x9290, 0x9291, 0x9292, 0xA004, 0xA420, 0xA430, 0xA431), _TEXT),
    **dict.fromkeys((*range(0xA433, 0xA43E),), _TEXT),
    **dict.fromkeys((0x9000, 0x9101, 0x927C, 0x9286, 0xA000, 0xA300, 0xA301, 0xA302), _OPAQUE),
    **dict.fromkeys((0x8828, 0xA20C, 0xA40B), _OPAQUE),
    **dict.fromkeys((0x829A, 0x829D, 0x9102, *range(0x9201, 0x9207), 0x920A), _RATIO),
    **dict.fromkeys((*range(0x9400, 0x9406), 0xA20B, 0xA20E, 0xA20F, 0xA215), _RATIO),
    **dict.fromkeys((0xA404, 0xA432, 0xA500), _RATIO),
    **dict.fromkeys((0x8822, 0x8827, 0x8830, *range(0x8831, 0x8836), 0x9207, 0x9208), _INTEGER),
    **dict.fromkeys((0x9209, 0x9214, 0xA001, 0xA002, 0xA003, 0xA210, 0xA214, 0xA217), _INTEGER),
    **dict.fromkeys((*range(0xA401, 0xA404), *range(0xA405, 0xA40B), 0xA40C), _INTEGER),
}
_GPS_KINDS = {
    **dict.fromkeys((1, 3, 8, 9, 10, 12, 14, 16, 18, 19, 21, 23, 25, 29), _TEXT),
    **dict.fromkeys((2, 4, 6, 7, 11, 13, 15, 17, 20, 22, 24, 26, 31), _RATIO),
    **dict.fromkeys((0, 5), _BYTES),
    **dict.fromkeys((27, 28), _OPAQUE),
    30: _INTEGER,
}
_INTEROP_KINDS = {1: _TEXT, 2: _OPAQUE, 0x1000: _TEXT, 0x1001: _INTEGER, 0x1002: _INTEGER}


@dataclass(frozen=True)
class Field:
    """One field: its type, and its values as bytes in the byte order of its directory."""

    kind: int
    content: bytes


Directory = dict[int, Field]
Source = bytes | mmap.mmap


@dataclass(frozen=True)
class ExifData:
    """All fields of a file, by directory; the thumbnail's directory is left out.

    Attributes:
        main: description, dates, artist, camera; of a TIFF file also XMP and IPTC.
        photo: the EXIF directory: dates, comment, exposure.
        gps: position.
        interop: name of the colour space's rule (R98 sRGB, R03 Adobe RGB).
        order: byte order of the fields' contents, "<" or ">".
        num_damaged: fields that could not be read.
    """

    main: Directory = field(default_factory=dict)
    photo: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    interop: Directory = field(default_factory=dict)
    order: str = "<"
    num_damaged: int = 0

    def text(self, tag: int, photo: bool = False) -> str:
        """Return a text field as a string; "" where it is missing."""
        found = (self.photo if photo else self.main).get(tag)
        return decoded(found.content) if found else ""

    def integer(self, tag: int, photo: bool = False) -> int:
        """Return the first value of a whole-number field; 0 where there is none."""
        found = (self.photo if photo else self.main).get(tag)
        if found is None or found.kind not in (BYTE, SHORT, LONG):
            return 0
        values = numbers(found, self.order)
        return int(values[0]) if values else 0


def text_field(text: str) -> Field:
    """Return a text field. EXIF means ASCII, and most programs read and write UTF-8 there."""
    return Field(ASCII, text.replace("\0", " ").encode("utf-8", "replace") + b"\0")


def short_field(value: int, order: str) -> Field:
    """Return a field with one whole number from 0 to 65535."""
    return Field(SHORT, struct.pack(order + "H", value))


def long_field(value: int, order: str) -> Field:
    """Return a field with one whole number from 0 to 4294967295."""
    return Field(LONG, struct.pack(order + "I", value))


def ratio_field(value: float, order: str) -> Field:
    """Return a field with one positive fraction."""
    ratio = Fraction(value).limit_denominator(10_000)
    return Field(RATIONAL, struct.pack(order + "2I", ratio.numerator, ratio.denominator))


def decoded(content: bytes) -> str:
    """Return the text of a field: UTF-8, or Latin-1 where it is not UTF-8.

    Example:
        >>> decoded("Müller".encode("latin-1") + bytes(1))
        'Müller'
    """
    content = content.rstrip(b"\0 ")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def numbers(found: Field, order: str) -> tuple[float, ...]:
    """Return the numbers of a field; a fraction counts as two numbers."""
    code = _CODES.get(found.kind, "B")
    count = len(found.content) // struct.calcsize("=" + code)
    return struct.unpack(f"{order}{count}{code}", found.content[: count * struct.calcsize(code)])


# --- reading -------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """The bytes of a TIFF structure, and how many bytes its fields may still have."""

    data: Source
    order: str
    big: bool
    budget: int
    num_damaged: int = 0

    def number(self, offset: int, size: int) -> int:
        """Return a whole number; 0 where the data has ended."""
        content = self.data[offset : offset + size]
        if offset < 0 or len(content) < size:
            return 0
        return int.from_bytes(content, "little" if self.order == "<" else "big")

    def directory(self, start: int, skip: frozenset[int] = frozenset()) -> Directory:
        """Return the fields of the directory at an offset; damaged ones are counted."""
        head, step = (8, 20) if self.big else (2, 12)
        if not 0 < start < len(self.data):
            return {}
        count = min(self.number(start, head), _MAX_FIELDS)
        found: Directory = {}
        for offset in range(start + head, start + head + count * step, step):
            if offset + step > len(self.data):
                break
            tag, kind = self.number(offset, 2), self.number(offset + 2, 2)
            if tag in skip:
                continue
            content = self._content(offset + 4, kind)
            if content is None:
                self.num_damaged += 1
            else:
                found.setdefault(tag, Field(kind, content))
        return found

    def _content(self, offset: int, kind: int) -> bytes | None:
        width = 8 if self.big else 4
        size = self.number(offset, width) * _SIZES.get(kind, 0)
        place = offset + width if size <= width else self.number(offset + width, width)
        # Fields do not overlap, so together they are never larger than the file.
        if not 0 < size <= self.budget or place + size > len(self.data):
            return None
        self.budget -= size
        return bytes(self.data[place : place + size])


def parse(data: Source, start: int | None = None) -> ExifData:
    """Read the fields of EXIF data or of a TIFF file; damaged fields are left out.

    Args:
        data: begins with the TIFF header, or with ``Exif`` and two zero bytes before it.
        start: offset of the first directory; None: the one that the header names.

    Example:
        >>> parse(build(ExifData({ARTIST: text_field("Ada")}))).text(ARTIST)
        'Ada'
    """
    if data[:4] == b"Exif":
        data = data[6:]
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return ExifData()
    reader = _Reader(data, order, big=False, budget=len(data))
    reader.big = reader.number(2, 2) == 43
    if start is None:
        start = reader.number(8, 8) if reader.big else reader.number(4, 4)
    pointers = reader.directory(start, frozenset(_STRUCTURE - {_EXIF_POINTER, _GPS_POINTER}))
    places, met = ExifData(pointers, order=order), {start}

    def inside(place: int, skip: frozenset[int]) -> Directory:
        """Return a directory in another one; a pointer that leads back counts as damaged."""
        if place in met:
            reader.num_damaged += 1
            return {}
        met.update({place} - {0})
        return reader.directory(place, skip)

    photo = inside(places.integer(_EXIF_POINTER), _POINTERS - {_INTEROP_POINTER})
    interop = inside(ExifData(photo, order=order).integer(_INTEROP_POINTER), _POINTERS)
    gps = inside(places.integer(_GPS_POINTER), _POINTERS)
    for pointer in (_EXIF_POINTER, _GPS_POINTER):
        pointers.pop(pointer, None)
    photo.pop(_INTEROP_POINTER, None)
    return ExifData(pointers, photo, gps, interop, order, reader.num_damaged)


def parse_blocks(data: Source, start: int) -> tuple[bytes, bytes, bytes]:
    """Return XMP, IPTC and Photoshop's resources of a TIFF directory; b"" for what is missing."""
    order = "<" if data[:2] == b"II" else ">"
    reader = _Reader(data, order, big=False, budget=len(data))
    reader.big = reader.number(2, 2) == 43
    found = reader.directory(start, frozenset(_STRUCTURE - {XMP, IPTC, PHOTOSHOP}))
    blocks = [found[tag].content if tag in found else b"" for tag in (XMP, IPTC, PHOTOSHOP)]
    if IPTC in found and found[IPTC].kind == LONG and blocks[1][:1] != b"\x1c":
        blocks[1] = _swapped(found[IPTC], order, "<" if order == ">" else ">").content
    return blocks[0], blocks[1], blocks[2]


def all_fields(data: Source) -> Directory:
    """Return all fields of a TIFF file's first directory, those of its structure as well."""
    order = "<" if data[:2] == b"II" else ">"
    reader = _Reader(data, order, big=False, budget=len(data))
    return reader.directory(reader.number(4, 4))


# --- repairing -----------------------------------------------------------------------------------


def repaired(data: ExifData) -> tuple[ExifData, tuple[str, ...]]:
    """Give every field its legal type where the value allows it, and leave out the others.

    Returns:
        The fields, and the tags that were left out, as hexadecimal numbers.
    """
    kept: list[Directory] = []
    lost: list[str] = []
    groups = (data.main, data.photo, data.gps, data.interop)
    for group, kinds in zip(
        groups, (_MAIN_KINDS, _PHOTO_KINDS, _GPS_KINDS, _INTEROP_KINDS), strict=True
    ):
        legal: Directory = {}
        for tag, found in group.items():
            fitting = _fitting(found, kinds.get(tag, ""), data.order)
            if fitting:
                legal[tag] = fitting
            else:
                lost.append(f"0x{tag:04X}")
        kept.append(legal)
    if RESOLUTION_UNIT in kept[0] and data.integer(RESOLUTION_UNIT) not in (1, 2, 3):
        del kept[0][RESOLUTION_UNIT]
        lost.append(f"0x{RESOLUTION_UNIT:04X}")
    return with_groups(data, kept, data.order), tuple(lost)


def _fitting(found: Field, kind: str, order: str) -> Field | None:
    """Return a field with the legal type; None if its value has no such form."""
    as_bytes = found.kind in (BYTE, ASCII, UNDEFINED, UTF8)
    if kind == _TEXT:
        if not as_bytes:
            return None
        ended = found.content if found.content.endswith(b"\0") else found.content + b"\0"
        return Field(found.kind if found.kind == UTF8 else ASCII, ended)
    if kind == _OPAQUE:
        return Field(UNDEFINED, found.content) if as_bytes else None
    if kind == _BYTES:
        return Field(BYTE, found.content) if as_bytes else None
    if kind == _INTEGER:
        return found if found.kind in (BYTE, SHORT, LONG) else None
    if kind == _RATIO and found.kind not in (RATIONAL, SRATIONAL):
        return _as_ratio(found, order)
    return found


def _as_ratio(found: Field, order: str) -> Field | None:
    """Turn whole or floating numbers into fractions."""
    if found.kind not in (SHORT, LONG, _FLOAT, _DOUBLE):
        return None
    values = numbers(found, order)
    if not values or not all(0 <= value < 2**31 for value in values):
        return None
    return Field(RATIONAL, b"".join(ratio_field(value, order).content for value in values))


# --- writing -------------------------------------------------------------------------------------


def build(data: ExifData) -> bytes:
    """Return the fields as EXIF data that begins with a TIFF header."""
    blocks, start = build_at(data, 8)
    magic = b"II" if data.order == "<" else b"MM"
    return magic + struct.pack(data.order + "HI", 42, start) + blocks


def build_at(data: ExifData, offset: int, more: Directory | None = None) -> tuple[bytes, int]:
    """Return the directories as bytes that will stand at an offset of a TIFF file.

    Args:
        more: further fields of the first directory.

    Returns:
        The bytes, and the offset of the first directory.
    """
    blocks = b""
    photo, main = dict(data.photo), {**data.main, **(more or {})}
    if data.interop:
        photo[_INTEROP_POINTER] = long_field(offset, data.order)
        blocks += _directory_bytes(data.interop, offset, data.order)
    for tag, group in ((_EXIF_POINTER, photo), (_GPS_POINTER, data.gps)):
        if group:
            start = offset + len(blocks)
            main[tag] = long_field(start, data.order)
            blocks += _directory_bytes(group, start, data.order)
    start = offset + len(blocks)
    return blocks + _directory_bytes(main, start, data.order), start


def _directory_bytes(group: Directory, offset: int, order: str) -> bytes:
    entries, values = struct.pack(order + "H", len(group)), b""
    values_start = offset + 2 + 12 * len(group) + 4
    for tag, found in sorted(group.items()):
        count = len(found.content) // _SIZES[found.kind]
        inline = found.content.ljust(4, b"\0")
        if len(found.content) > 4:
            inline = struct.pack(order + "I", values_start + len(values))
            values += found.content + b"\0" * (len(found.content) % 2)
        entries += struct.pack(order + "HHI", tag, found.kind, count) + inline
    return entries + b"\0" * 4 + values


def in_order(data: ExifData, order: str) -> ExifData:
    """Return the fields in another byte order."""
    if data.order == order:
        return data
    groups = [
        {tag: _swapped(found, data.order, order) for tag, found in group.items()}
        for group in (data.main, data.photo, data.gps, data.interop)
    ]
    comment = groups[1].get(COMMENT)
    if comment and comment.content.startswith(b"UNICODE\0"):
        words = np.frombuffer(comment.content[8:][: len(comment.content[8:]) // 2 * 2], ">u2")
        swapped = words.astype("<u2").tobytes()
        groups[1][COMMENT] = Field(comment.kind, b"UNICODE\0" + swapped)
    return with_groups(data, groups, order)


def with_groups(data: ExifData, groups: list[Directory], order: str) -> ExifData:
    """Return the data with other directories: main, photo, gps and interop, in this order."""
    main, photo, gps, interop = groups
    return replace(data, main=main, photo=photo, gps=gps, interop=interop, order=order)


def _swapped(found: Field, old: str, new: str) -> Field:
    size = _NUMBERS.get(found.kind, 1)
    if size == 1:
        return found
    whole = found.content[: len(found.content) // size * size]
    values = np.frombuffer(whole, f"{old}u{size}").astype(f"{new}u{size}")
    return Field(found.kind, values.tobytes())
