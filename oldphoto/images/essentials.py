"""Take a photo file apart into what its pixels need and the rest, and check what its header says.

Metadata that a decoder cannot digest is no reason to refuse sound pixels. Then the file is read a
second time without it.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from oldphoto.images import exif
from oldphoto.images.exif import ExifData, Field
from oldphoto.images.tiff import is_tiff

_PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_JPEG_DROPPED = {0xE1, *range(0xE3, 0xEE), 0xEF, 0xFE}  # APP1, APP3 to APP13, APP15, comments
_TIFF_NEEDED = frozenset({*range(254, 267), 273, 274, 277, 278, 279, 284, 292, 293, 317, 320})
_TIFF_LAYOUT = frozenset({*range(322, 326), 332, 338, 339, 347, *range(512, 522), 529, 530, 532})

# Pixels that one byte of a file can stand for at most, with room to spare: a flat progressive JPEG
# reaches 512, deflate 1,032 bytes of eight pixels, blank fax pages and flat WebP much more.
_PIXELS_PER_BYTE = {"JPEG": 1024, "MPO": 1024, "PNG": 8256, "GIF": 4096, "BMP": 256, "TGA": 256}
_PIXELS_PER_BYTE_ELSE = 1 << 16
_ALWAYS_ALLOWED = 1 << 20  # pixels; so few take no time whatever the file holds


def is_plausible(kind: str, num_pixels: int, num_bytes: int) -> bool:
    """Return whether a file of this many bytes can hold the pixels that its header promises.

    Args:
        kind: Pillow's name of the format.

    Example:
        >>> is_plausible("JPEG", 13_000 * 13_000, num_bytes=1_600)
        False
    """
    bound = _PIXELS_PER_BYTE.get(kind, _PIXELS_PER_BYTE_ELSE)
    return num_pixels <= max(_ALWAYS_ALLOWED, num_bytes * bound)


def without_metadata(path: Path) -> bytes:
    """Return a JPEG, PNG or TIFF file with the parts that its pixels need; b"" for other files."""
    content = path.read_bytes()
    if content[:4] == b"\x89PNG":
        return _png(content)
    if content[:2] == b"\xff\xd8":
        return _jpeg(content)
    return _tiff(content) if is_tiff(content) and content[2:4].strip(b"\0") == b"*" else b""


def png_parts(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks of a PNG file: the name, and all bytes from the length to the checksum."""
    place = 8
    while place + 12 <= len(content):
        size, name = struct.unpack(">I4s", content[place : place + 8])
        yield name, content[place : place + 12 + size]
        place += 12 + size


def _png(content: bytes) -> bytes:
    kept = [content[:8]]
    for name, part in png_parts(content):
        is_sound_profile = (
            name == b"iCCP" and zlib.crc32(part[4:-4]).to_bytes(4, "big") == part[-4:]
        )
        if name in _PNG_NEEDED or is_sound_profile:
            kept.append(part)
    return b"".join(kept)


def _jpeg(content: bytes) -> bytes:
    kept, place = [content[:2]], 2
    while content[place : place + 1] == b"\xff" and place + 4 <= len(content):
        marker = content[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        is_profile = content[place + 4 : place + 16] == b"ICC_PROFILE\0"
        if marker == 0xDA:  # the pixels begin
            break
        if marker not in _JPEG_DROPPED and (marker != 0xE2 or is_profile):
            kept.append(content[place:end])
        place = end
    return b"".join(kept) + content[place:]


def _tiff(content: bytes) -> bytes:
    order = "<" if content[:2] == b"II" else ">"
    needed = _TIFF_NEEDED | _TIFF_LAYOUT
    fields: dict[int, Field] = {
        tag: found for tag, found in exif.all_fields(content).items() if tag in needed
    }
    padded = content + b"\0" * (len(content) % 2)
    directory, start = exif.build_at(ExifData(fields, order=order), len(padded))
    return padded[:4] + struct.pack(order + "I", start) + padded[8:] + directory
