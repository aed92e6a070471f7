"""PNG: tell a file whose compressed rows end too early. Pillow shows black in their place."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type
_WHOLE = ((0, 0, 1, 1),)
# First row and column of each pass of an interlaced file, and the steps from there.
_ADAM7 = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
_AT_ONCE = 1 << 20  # bytes


def holds_all_rows(path: Path) -> bool:
    """Return whether the compressed data of a PNG file has as many bytes as its header promises.

    Source:
        PNG specification (ISO/IEC 15948), sections 7 to 10.
    """
    content = path.read_bytes()
    width, height, depth, colour, *_, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    bits, promised = depth * _CHANNELS[colour], 0
    for top, left, down, right in _ADAM7 if interlaced else _WHOLE:
        rows, columns = -((top - height) // down), -((left - width) // right)
        if rows > 0 and columns > 0:
            promised += rows * (1 + -(-columns * bits // 8))  # each row names its filter first
    return sum(_lengths(content)) >= promised


def _lengths(content: bytes) -> Iterator[int]:
    """Yield how many bytes each part of the image data gives; stop where it is damaged."""
    decoder, place = zlib.decompressobj(), 8
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        data = content[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        while data:
            try:
                yield len(decoder.decompress(data, _AT_ONCE))
            except zlib.error:
                return
            data = decoder.unconsumed_tail
        place += 12 + length
