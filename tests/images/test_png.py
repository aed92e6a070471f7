"""A PNG file whose rows end early is refused; black rows and every kind of PNG are read."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from oldphoto.images.errors import BadFileError
from oldphoto.images.files import read_photo
from oldphoto.images.png import holds_all_rows

MODES = ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(mode: str) -> Image.Image:
    levels = np.random.default_rng(0).integers(1, 256, (37, 29), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(levels.astype(np.uint16) * 257)
    return Image.fromarray(levels).convert(mode)


def png(mode: str) -> bytes:
    file = io.BytesIO()
    picture(mode).save(file, "PNG")
    return file.getvalue()


def cut(content: bytes, kept: int, of: int) -> bytes:
    """Keep ``kept`` of ``of`` rows; the file is whole in every other respect."""
    start = content.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", content, start)
    rows = zlib.decompress(content[start + 8 : start + 8 + length])
    part = chunk(b"IDAT", zlib.compress(rows[: len(rows) * kept // of]))
    return content[:start] + part + content[start + 12 + length :]


def interlaced() -> bytes:
    """Return a grey PNG file of 9 x 9 pixels in seven passes."""
    grey = np.arange(1, 82, dtype=np.uint8).reshape(9, 9)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    data = b""
    for top, left, down, right in [*passes, (1, 0, 2, 1)]:
        data += b"".join(b"\0" + row.tobytes() for row in grey[top::down, left::right])
    header = struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 1)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", MODES)
def test_missing_rows_are_no_black_rows(tmp_path, mode):
    path = tmp_path / "photo.png"
    content = png(mode)
    path.write_bytes(content)
    assert holds_all_rows(path)
    assert read_photo(path).pixels.shape == (37, 29, 3)
    path.write_bytes(cut(content, 20, 37))
    assert not holds_all_rows(path)
    with pytest.raises(BadFileError, match="its image data ends too early"):
        read_photo(path)


def test_interlaced_files_are_counted_pass_by_pass(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(interlaced())
    assert np.asarray(Image.open(path)).tolist() == np.arange(1, 82).reshape(9, 9).tolist()
    assert holds_all_rows(path)
    path.write_bytes(cut(interlaced(), 8, 9))
    assert not holds_all_rows(path)


def test_a_photo_whose_last_row_is_black_is_read(tmp_path):
    pixels = np.full((20, 24, 3), 90, np.uint8)
    pixels[-3:] = 0
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png").pixels, pixels)
