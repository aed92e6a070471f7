"""Read and write photos and masks.

Inside the package a photo is upright uint8 RGB of shape (H, W, 3). Rotation in EXIF data, grey,
16 bits, palettes, CMYK and transparency are converted here, when the file is read.
"""

import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

from oldphoto.checks import InputError, require_folder
from oldphoto.images.colour_modes import to_rgb
from oldphoto.system.files import written_whole

PhotoSource = str | Path | Image.Image | np.ndarray
"""A photo in any form that people have it in: a file, a PIL image, an array."""

MIN_SIDE = 16
MAX_PIXELS = 178_956_970  # Pillow's own limit against decompression bombs (half a GiB as RGB)
MASK_TOLERANCE = 48  # JPEG of quality 75 moves the black and white of a mask by up to 43
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".tif": ("TIFF", {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_deflate"}),
    ".webp": ("WEBP", {"quality": 95}),
}
READABLE = frozenset(WRITERS) | {".jfif", ".jpe", ".bmp", ".gif", ".jp2", ".pbm", ".pgm", ".ppm"}
# Photo formats that Pillow reads only in some builds, or never.
OTHER_FORMATS = frozenset(
    {".avif", ".heic", ".heif", ".jxl", ".psd", ".tga"}
    | {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"}
)
# What Pillow raises for files that are cut short or are not images at all.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError),
    *(OverflowError, struct.error, zlib.error),
)


@dataclass(frozen=True)
class Metadata:
    """Metadata of a file: its EXIF fields, and the texts of a PNG file by their keys."""

    exif: Image.Exif = field(default_factory=Image.Exif)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Photo:
    """One decoded photo.

    Attributes:
        pixels: uint8 (H, W, 3), upright RGB.
        icc_profile: RGB colour profile of the pixels; None: sRGB or unknown.
        name: of the file.
        num_pictures: how many pictures the file holds (pages of a TIFF, frames of a GIF); the
            pixels are those of the first.
        metadata: as in the file; its orientation has been applied to the pixels.
    """

    pixels: np.ndarray
    icc_profile: bytes | None
    name: str
    num_pictures: int = 1
    metadata: Metadata = field(default_factory=Metadata)


def read_photo(path: str | Path) -> Photo:
    """Read one photo file, whatever its mode, as upright 8-bit RGB.

    Transparency is laid on white. The colour profile of an RGB file is kept; grey and CMYK with a
    profile are converted to sRGB through it. 16-bit values are divided by 257, never stretched.

    Returns:
        The photo; its name is the file's.

    Raises:
        InputError: if the file is missing, empty, cut short, not an image, over MAX_PIXELS, or
            less than MIN_SIDE pixels high or wide.
    """
    path = Path(path)
    with _open(path) as image:
        photo = _photo(image, path.name, str(path))
    require_min_side(photo.pixels, str(path))
    return photo


def load_photo(source: PhotoSource) -> Photo:
    """Bring a photo given as a path, a PIL image or an array into the package's form.

    A PIL image is turned upright when its EXIF data says so, as a file would be.

    Args:
        source: path; PIL image of any mode; uint8 array (H, W, 3), (H, W, 4), (H, W, 1) or (H, W).

    Raises:
        InputError: as ``read_photo``, or if the source is of another type.

    Example:
        >>> load_photo(Image.new("L", (40, 20), 7)).pixels.shape
        (20, 40, 3)
    """
    if isinstance(source, (str, Path)):
        return read_photo(source)
    if isinstance(source, np.ndarray) and source.dtype == np.uint8 and source.shape[2:] == (3,):
        require_min_side(source, "the photo")  # already in the package's form
        return Photo(source.copy(), None, "photo")
    if isinstance(source, np.ndarray):
        source = _from_array(source)
    if not isinstance(source, Image.Image):
        raise InputError(
            f"expected a photo as a path, a PIL image or a uint8 array, got {type(source).__name__}"
        )
    photo = _photo(source, "photo", "the photo")
    require_min_side(photo.pixels, "the photo")
    return photo


def load_rgb(source: PhotoSource) -> np.ndarray:
    """Return the uint8 RGB pixels (H, W, 3) of a photo given in any form of ``load_photo``."""
    return load_photo(source).pixels


def read_metadata(path: str | Path) -> Metadata:
    """Read the metadata of an image file.

    Raises:
        InputError: if the file is not an image.
    """
    with _open(Path(path)) as image:
        return _metadata(image)


def read_mask(path: str | Path, size: tuple[int, int]) -> np.ndarray:
    """Read a scratch mask: white is damaged, black (or transparent) is sound.

    Args:
        size: height and width of the photo that the mask belongs to.

    Returns:
        bool (H, W), true where damaged.

    Raises:
        InputError: if the file cannot be read, has another size, or holds grey values: any value
            more than MASK_TOLERANCE away from both black and white.
    """
    path = Path(path)
    with _open(path) as image:
        grey = np.asarray(_upright(image, str(path), background=0)[0].convert("L"))
    if grey.shape != tuple(size):
        raise InputError(
            f"{path} is {_size_text(grey.shape)}, but its photo is {_size_text(size)}: "
            "save the mask at the size of the photo"
        )
    return mask_from_grey(grey, str(path))


def mask_from_grey(grey: np.ndarray, name: str = "the scratch mask") -> np.ndarray:
    """Turn grey values 0..255 into a bool mask; InputError if a value is neither black nor white.

    Example:
        >>> mask_from_grey(np.array([[0, 255, 240]], np.uint8))
        array([[False,  True,  True]])
    """
    unsure = (grey > MASK_TOLERANCE) & (grey < 255 - MASK_TOLERANCE)
    if unsure.any():
        raise InputError(
            f"{name} has grey values (for example {grey[unsure][0]}), expected only black for "
            "sound and white for damaged: paint it without soft edges and save it as PNG"
        )
    return grey > 127


def list_photos(folder: str | Path, suffixes: frozenset[str] = READABLE) -> list[Path]:
    """Return the photo files of a folder, sorted by name, without hidden files.

    Args:
        suffixes: suffixes of photo files, in lower case.

    Raises:
        InputError: if the folder is missing or holds no photo.
    """
    folder = require_folder(Path(folder), "a folder of photos")
    paths = [path for path in folder.iterdir() if path.suffix.lower() in suffixes]
    paths = sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise InputError(f"expected photos (JPEG, PNG, TIFF, WebP) in {folder}, found none")
    return paths


def write_photo(
    path: str | Path,
    pixels: np.ndarray,
    icc_profile: bytes | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write uint8 RGB (H, W, 3) whole or not at all; the suffix chooses the format.

    Args:
        metadata: more for Pillow's writer of the format, such as ``exif``.

    Raises:
        InputError: if the suffix has no writer, or the file cannot be written there.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise InputError(f"cannot write {path}: expected a name ending in {', '.join(WRITERS)}")
    kind, options = WRITERS[path.suffix.lower()]
    options = {**options, **(metadata or {})}
    try:
        with written_whole(path) as file:
            Image.fromarray(pixels).save(file, kind, icc_profile=icc_profile or b"", **options)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {path}: {error}; choose another place or format") from error


def _open(path: Path) -> Image.Image:
    """Open an image file without decoding it; every failure becomes one sentence."""
    if not path.is_file():
        raise InputError(f"expected a photo at {path}, but no such file is there")
    try:
        with warnings.catch_warnings():
            # Pillow warns from half of the limit on; up to the limit the photo is accepted.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path)
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(path)) from error
    except _BROKEN as error:
        raise InputError(f"{path} {_why_no_image(path)}") from error


def _why_no_image(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as error:
        return f"cannot be read ({error.strerror}): check the file's permissions and the disk"
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":  # which Pillow knows only when it is whole
        return "is damaged or cut short: copy it again from its source"
    what = "is not an image we can read" if start else "is empty (0 bytes)"
    return f"{what}: give a JPEG, PNG, TIFF or WebP file"


def _too_large(name: object) -> str:
    return f"{name} has more than {MAX_PIXELS:,} pixels: reduce it or cut it into parts first"


def _photo(image: Image.Image, name: str, label: str) -> Photo:
    num_pictures = _num_pictures(image)
    upright, icc_profile = _upright(image, label, background=255)
    return Photo(np.array(upright), icc_profile, name, num_pictures, _metadata(image))


def _metadata(image: Image.Image) -> Metadata:
    """Read the metadata while the file is open; what is broken is left out."""
    texts = {str(key): value for key, value in image.info.items() if isinstance(value, str)}
    try:
        exif = image.getexif()
        exif.get_ifd(ExifTags.IFD.Exif)  # Pillow reads the inner fields when they are first used
    except _BROKEN:
        exif = Image.Exif()
    return Metadata(exif, texts)


def _num_pictures(image: Image.Image) -> int:
    if image.format == "MPO":  # JPEG of a phone; what follows is a preview or a map of depths
        return 1
    try:
        return getattr(image, "n_frames", 1)
    except _BROKEN:
        return 1


def _upright(image: Image.Image, name: str, background: int) -> tuple[Image.Image, bytes | None]:
    """Decode, turn upright and convert to RGB; the profile is what the RGB values still need."""
    if image.width * image.height > MAX_PIXELS:
        raise InputError(_too_large(name))
    try:
        image.load()
        turned = ImageOps.exif_transpose(image)
        return to_rgb(turned, background)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except _BROKEN as error:
        raise InputError(
            f"{name} is damaged or cut short ({error}): copy it again from its source"
        ) from error


def _from_array(array: np.ndarray) -> Image.Image:
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not is_image:
        raise InputError(f"expected a uint8 array (H, W, 3), got {array.dtype} {array.shape}")
    return Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)


def require_min_side(pixels: np.ndarray, name: str) -> None:
    """Raise InputError if a photo (H, W, 3) is less than MIN_SIDE pixels high or wide."""
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise InputError(
            f"{name} is {_size_text(pixels.shape)}: a photo needs at least {MIN_SIDE} pixels a side"
        )


def _size_text(size: tuple[int, ...]) -> str:
    return f"{size[1]} pixels wide and {size[0]} high"
