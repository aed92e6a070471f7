"""Decode the numbers of a TIFF picture as they are stored: any depth, planes, compressions.

tifffile decodes most files. It has no LZW and no packed 10 or 12 bits of its own. For those
libtiff, through Pillow, undoes the compression of plain bytes, and the bits are unpacked here.
"""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from oldphoto.images import exif
from oldphoto.images.errors import BROKEN
from oldphoto.images.exif import ExifData, Field

_SEPARATE = 2  # PlanarConfiguration
_DIFFERENCES = 2  # Predictor: each value is stored as the difference to its left neighbour
_NOT_BYTES = (2, 3, 4, 6, 7, 34712, 33003, 33005)  # compressions that work on pixels, not on bytes


def read_samples(path: Path, page: Any) -> np.ndarray | None:
    """Return the numbers of a picture as (H, W, samples); None if nothing here decodes it.

    Args:
        page: a ``tifffile.TiffPage`` whose data lies within the file.
    """
    try:
        values = page.asarray()
    except (*BROKEN, ImportError):
        try:
            return _with_libtiff(path, page)
        except BROKEN:
            return None
    if values.ndim == 2:
        return np.asarray(values[..., None])
    if int(page.planarconfig) == _SEPARATE and values.shape[0] == page.samplesperpixel:
        values = np.moveaxis(values, 0, -1)
    return np.asarray(values) if values.ndim == 3 else None


def _with_libtiff(path: Path, page: Any) -> np.ndarray | None:
    """Undo the compression strip by strip, or one row of tiles after the other."""
    bits, num_samples = int(page.bitspersample), int(page.samplesperpixel)
    if int(page.compression) in _NOT_BYTES or not 8 <= bits <= 16 or page.sampleformat != 1:
        return None
    num_planes = num_samples if int(page.planarconfig) == _SEPARATE else 1
    width = int(page.tilewidth) if page.is_tiled else int(page.imagewidth)
    height = int(page.tilelength) if page.is_tiled else int(page.rowsperstrip)
    height = min(height, int(page.imagelength)) if not page.is_tiled else height
    across = -(-int(page.imagewidth) // width)
    down = -(-int(page.imagelength) // height)
    shape = (down * height, across * width, num_samples)
    samples = np.zeros(shape, np.uint16 if bits > 8 else np.uint8)
    size = (width, height, num_samples // num_planes)
    with path.open("rb") as file:
        for index, (start, count) in enumerate(
            zip(page.dataoffsets, page.databytecounts, strict=True)
        ):
            plane, place = divmod(index, across * down)
            top, left = (place // across) * height, (place % across) * width
            if not page.is_tiled:
                size = (width, min(height, int(page.imagelength) - top), size[2])
            file.seek(start)
            block = _block(file.read(count), size, page)
            channels = slice(plane, plane + 1) if num_planes > 1 else slice(None)
            samples[top : top + size[1], left : left + width, channels] = block
    return samples[: page.imagelength, : page.imagewidth]


def _block(content: bytes, size: tuple[int, int, int], page: Any) -> np.ndarray:
    """Decode one strip or tile of (width, height, samples) to (height, width, samples)."""
    width, height, num_samples = size
    bits = int(page.bitspersample)
    row_bytes = -(-width * num_samples * bits // 8)
    rows = _decompressed(content, row_bytes, height, page)
    if bits == 16:
        order = page.parent.byteorder
        values = rows.view(order + "u2").astype(np.uint16)
    elif bits == 8:
        values = rows
    else:
        stored = np.unpackbits(rows, axis=1)[:, : width * num_samples * bits]
        weights = 2 ** np.arange(bits - 1, -1, -1, dtype=np.uint16)
        values = stored.reshape(height, -1, bits).astype(np.uint16) @ weights
    values = values.reshape(height, width, num_samples)
    if int(page.predictor) == _DIFFERENCES:
        values = np.cumsum(values, axis=1, dtype=values.dtype)  # wraps around, as is meant
    return values


def _decompressed(content: bytes, row_bytes: int, height: int, page: Any) -> np.ndarray:
    """Undo a compression by presenting the bytes to libtiff as a grey picture of 8 bits."""
    numbers = {256: row_bytes, 257: height, 258: 8, 259: int(page.compression), 262: 1, 277: 1}
    numbers |= {266: int(page.fillorder), 273: 8, 278: height, 279: len(content)}
    fields = {tag: Field(exif.LONG, struct.pack("<I", value)) for tag, value in numbers.items()}
    padded = content + b"\0" * (len(content) % 2)
    directory, start = exif.build_at(ExifData(fields), 8 + len(padded))
    file = io.BytesIO(b"II*\0" + struct.pack("<I", start) + padded + directory)
    with Image.open(file) as image:
        return np.array(image)
