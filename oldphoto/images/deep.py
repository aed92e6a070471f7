"""Read and write colour of 16 bits per channel, which Pillow reduces to 8 bits."""

import io
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms

from oldphoto.images.colour_modes import colour_space, srgb_of_grey
from oldphoto.images.errors import BROKEN
from oldphoto.images.essentials import png_parts
from oldphoto.images.tiff import is_tiff, read_levels

DEEP_SUFFIXES = (".png", ".tif", ".tiff")  # formats that can hold 16 bits per channel
_PIXELS = (b"IHDR", b"IDAT", b"IEND")
_HEAD = 8 + 25  # bytes of a PNG file's signature and IHDR
_TOLERANCE = 2  # levels of 255: Pillow cuts the lower bits off, and rounds under transparency


def read_deep(
    path: Path, offset: int | None, orientation: int, profile: bytes | None, shown: np.ndarray
) -> np.ndarray | None:
    """Decode a PNG or TIFF file of more than 8 bits per channel without reducing it.

    Args:
        offset: of the picture's directory in a TIFF file; None: the first.
        orientation: how the stored rows and columns must be turned, 1 to 8.
        profile: colour profile of the stored values.
        shown: uint8 (H, W, 3), the same photo decoded to 8 bits.

    Returns:
        uint16 (H, W, 3), upright RGB; None if the file has 8 bits or cannot be decoded here, or if
        the two decodings differ, because then one of them is wrong, and it may be this one.
    """
    try:
        content = path.read_bytes()
        levels = read_levels(path, offset) if is_tiff(content) else _png_levels(content)
        if levels is None:
            return None
        colours, steepest = _on_white(levels), 1.0
        if colours.shape[2] == 1 and profile and colour_space(profile) == "GRAY":
            curve = srgb_of_grey(profile)
            colours = curve[colours]
            steepest = max(1.0, np.diff(curve[::257].astype(float)).max() / 257)
    except (*BROKEN, StopIteration, cv2.error, ImageCms.PyCMSError):
        return None
    rgb = _turned(np.broadcast_to(colours, (*colours.shape[:2], 3)), orientation)
    if rgb.shape != shown.shape:
        return None
    differences = np.abs((rgb >> 8).astype(np.int16) - shown)
    return np.ascontiguousarray(rgb) if differences.max() <= _TOLERANCE * steepest else None


def _png_levels(content: bytes) -> np.ndarray | None:
    """Return the levels of a PNG file of 16 bits, (H, W, 1, 3 or 4); None for other files."""
    if content[:4] != b"\x89PNG" or content[24] != 16:
        return None
    parts = [part for name, part in png_parts(content) if name in _PIXELS]
    plain = np.frombuffer(content[:8] + b"".join(parts), np.uint8)
    decoded = cv2.imdecode(plain, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        return None
    if decoded.ndim == 2:
        return np.asarray(decoded[..., None])
    return np.asarray(decoded[..., [2, 1, 0, 3][: decoded.shape[2]]])  # OpenCV gives BGR


def _on_white(levels: np.ndarray) -> np.ndarray:
    """Lay the colours on white where the last of 2 or 4 channels says that they are transparent."""
    num_colours = (levels.shape[2] - 1) // 2 * 2 + 1
    colours, alpha = levels[..., :num_colours], levels[..., num_colours:]
    if not alpha.any():  # none, or unused: whether it hides something is compared later
        return colours
    part = alpha.astype(np.float32) / 65535
    return np.round(colours * part + 65535 * (1 - part)).astype(np.uint16)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored rows and columns upright, as an EXIF orientation says."""
    turned = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    turned = turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned
    return turned[::-1] if orientation in (3, 4, 7, 8) else turned


def save_deep(file: BinaryIO, kind: str, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """Write uint16 (H, W, 3) as PNG or TIFF.

    Args:
        kind: Pillow's name of the format.
        options: what Pillow's writer would be given; for TIFF only the colour profile is used.
    """
    if kind == "TIFF":
        tifffile.imwrite(
            file,
            pixels,
            photometric="rgb",
            compression="zlib",
            iccprofile=options["icc_profile"] or None,
            metadata=None,
            software=False,
        )
        return
    one_pixel = io.BytesIO()  # in which Pillow writes the metadata
    Image.new("RGB", (1, 1)).save(one_pixel, kind, **options)
    words = [part for name, part in png_parts(one_pixel.getvalue()) if name not in _PIXELS]
    is_written, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))
    if not is_written:
        raise ValueError("the picture cannot be encoded as PNG")
    content = encoded.tobytes()
    file.write(content[:_HEAD] + b"".join(words) + content[_HEAD:])
