"""Read and write photos and masks.

Inside the package a photo is upright uint8 RGB of shape (H, W, 3). Rotation in EXIF data, grey,
16 bits, palettes, CMYK and transparency are converted here, when the file is read. Who restores a
photo of 16 bits can ask for these as well.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from oldphoto.checks import InputError, require_folder
from oldphoto.images.colour_modes import to_rgb
from oldphoto.images.deep import DEEP_SUFFIXES, read_deep, save_deep
from oldphoto.images.errors import BROKEN, MAX_PIXELS, BadFileError, reading
from oldphoto.images.essentials import is_plausible, without_metadata
from oldphoto.images.metadata import (
    Metadata,
    finish,
    fitted,
    read_metadata_of,
    save_options,
)
from oldphoto.images.png import holds_all_rows
from oldphoto.images.tiff import RAW_SUFFIXES, is_camera_raw, is_tiff, open_tiff, raw_sentence
from oldphoto.system.files import written_whole

PhotoSource = str | Path | Image.Image | np.ndarray
"""A photo in any form that people have it in: a file, a PIL image, an array."""

MIN_SIDE = 16
REDUCED = "the 16 bits per channel of the file are reduced to 8"
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
OTHER_FORMATS = (
    frozenset({".avif", ".heic", ".heif", ".hif", ".jxl", ".jxr", ".psd", ".tga", ".mpo", ".pcx"})
    | {".j2c", ".j2k", ".jpc", ".jpf", ".jpx", ".dib", ".pnm"}
    | RAW_SUFFIXES
)
MISNAMED = "a photo by its content, but not by the ending of its name: rename it"
_FIRST_BYTES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"GIF8")
# Pillow would start another program, Ghostscript, on files that may come from anywhere.
_DRAWINGS = ("EPS", "WMF", "EMF")
# EXIF orientation: how the stored rows and columns must be turned.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Photo:
    """One decoded photo.

    Attributes:
        pixels: uint8 (H, W, 3), upright RGB.
        icc_profile: RGB colour profile of the pixels; None: sRGB or unknown.
        name: of the file.
        num_pictures: how many pictures the file holds (pages of a TIFF, frames of a GIF); the
            pixels are those of the first.
        metadata: of the file, made to fit the upright pixels.
        notes: sentences on what was reduced or left out when the file was read.
        deep: uint16 (H, W, 3), the same photo with 16 bits per channel; None if the file has no
            more than 8, or they were not asked for.
    """

    pixels: np.ndarray
    icc_profile: bytes | None
    name: str
    num_pictures: int = 1
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()
    deep: np.ndarray | None = None


@dataclass(frozen=True)
class _Opened:
    """An image that is open, not yet decoded, and what was learned about its file."""

    image: Image.Image
    path: Path | None = None
    num_pictures: int | None = None
    offset: int | None = None
    orientation: int | None = None
    notes: tuple[str, ...] = ()
    is_deep: bool = False


def read_photo(path: str | Path, draft_side: int | None = None, with_deep: bool = False) -> Photo:
    """Read one photo file, whatever its mode, as upright 8-bit RGB.

    Transparency is laid on white. The colour profile of an RGB file is kept; grey and CMYK with a
    profile are converted to sRGB through it. 16-bit values are divided by 257, never stretched.
    Metadata that cannot be read never makes a photo unreadable.

    Args:
        draft_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as both sides keep
            this many pixels; None: at its full size.
        with_deep: of a PNG or TIFF file of more than 8 bits per channel, read these as well.

    Returns:
        The photo; its name is the file's.

    Raises:
        BadFileError: if the file is missing, empty, cut short, not an image, a camera raw, over
            MAX_PIXELS, or less than MIN_SIDE pixels high or wide.
    """
    path = Path(path)
    with _opened(path) as opened:
        if draft_side is not None:
            opened.image.draft(None, (draft_side, draft_side))  # no effect on other formats
        photo = _photo(opened, path.name, str(path), with_deep)
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
    photo = _photo(_Opened(source), "photo", "the photo")
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
    with _opened(Path(path)) as opened:
        return read_metadata_of(opened.image, opened.path, opened.offset)


def upright_size(path: str | Path) -> tuple[int, int]:
    """Return height and width of a photo turned upright, without decoding it.

    Raises:
        InputError: if the file is not an image.
    """
    with _opened(Path(path)) as opened:
        width, height = opened.image.size
        turn = opened.orientation
        if turn is None and opened.image.format == "TIFF":
            turn = 1  # Pillow gives the upright size of a TIFF file
        if turn is None:
            turn = read_metadata_of(opened.image, opened.path, opened.offset).orientation
    return (width, height) if turn >= 5 else (height, width)


def read_mask(path: str | Path, size: tuple[int, int]) -> np.ndarray:
    """Read a scratch mask: white is damaged, black (or transparent) is sound.

    Args:
        size: height and width of the photo that the mask belongs to.

    Returns:
        bool (H, W), true where damaged.

    Raises:
        InputError: if the file cannot be read, has another size, is painted in black on a
            transparent ground, or holds grey values: any value more than MASK_TOLERANCE away from
            both black and white.
    """
    path = Path(path)
    with _opened(path) as opened:
        grey, on_white = _grey_on(opened, str(path), 0), np.zeros(1)
        if not grey.any():
            on_white = _grey_on(opened, str(path), 255)
    if grey.shape != tuple(size):
        raise InputError(
            f"{path} is {_size_text(grey.shape)}, but its photo is {_size_text(size)}: "
            "save the mask at the size of the photo"
        )
    mask = mask_from_grey(grey, str(path))
    if on_white.any() and not on_white.all():  # what was painted would not be used
        raise InputError(
            f"{path} is painted in black on a transparent ground, expected white where the photo "
            "is damaged"
        )
    return mask


def _grey_on(opened: _Opened, name: str, background: int) -> np.ndarray:
    return np.asarray(_upright(opened, name, background)[0].convert("L"))


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
    brightest = int(grey.max(initial=0))
    if 0 < brightest <= MASK_TOLERANCE:  # programs that write 1 for damaged
        raise InputError(
            f"{name} has no white: its brightest value is {brightest}, expected 255 where the "
            "photo is damaged, or 0 everywhere if it is not"
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


def is_like_a_photo(path: Path) -> bool:
    """Return whether a file is a photo by the ending of its name or by its first bytes."""
    return path.suffix.lower() in READABLE | OTHER_FORMATS or starts_like_a_photo(path)


def starts_like_a_photo(path: Path) -> bool:
    """Return whether a file begins as JPEG, PNG, TIFF, GIF or WebP files do.

    Pipes and devices are not opened.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(_FIRST_BYTES) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


def write_photo(
    path: str | Path,
    pixels: np.ndarray,
    icc_profile: bytes | None = None,
    metadata: Metadata | None = None,
) -> tuple[str, ...]:
    """Write RGB (H, W, 3) whole or not at all; the suffix chooses the format.

    Args:
        pixels: uint8, or uint16 for PNG and TIFF.
        metadata: written into the file; None: no metadata.

    Returns:
        Sentences on metadata that the format cannot hold.

    Raises:
        InputError: if the suffix has no writer, or the file cannot be written there.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    is_deep = pixels.dtype == np.uint16
    if is_deep and suffix not in DEEP_SUFFIXES:
        raise InputError(f"cannot write {path}: 16 bits per channel need PNG or TIFF")
    if suffix not in WRITERS:
        raise InputError(f"cannot write {path}: expected a name ending in {', '.join(WRITERS)}")
    kind, options = WRITERS[suffix]
    more, notes = save_options(suffix, metadata) if metadata else ({}, ())
    options = {**options, **more, "icc_profile": icc_profile or b""}
    try:
        with written_whole(path) as file:
            buffer = io.BytesIO()
            if is_deep:
                save_deep(buffer, kind, pixels, options)
            else:
                Image.fromarray(pixels).save(buffer, kind, **options)
            content = bytearray(buffer.getvalue())
            if metadata is not None:
                finish(suffix, content, metadata)
            file.write(content)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {path}: {error}; choose another place or format") from error
    return notes


def write_mask(path: str | Path, mask: np.ndarray) -> None:
    """Write a scratch mask, bool (H, W), as ``read_mask`` reads it: white where damaged.

    Raises:
        InputError: as ``write_photo``.
    """
    write_photo(path, np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 255)


# --- opening -------------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Opened]:
    """Open an image file without decoding it; every failure becomes a BadFileError."""
    if not path.is_file():
        raise BadFileError(f"expected a photo at {path}, but no such file is there")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of decoders, about metadata and large photos
        opened = _open(path)
        with opened.image:
            yield opened


def _open(path: Path) -> _Opened:
    try:
        with path.open("rb") as file:
            start = file.read(32)
        if is_camera_raw(path, start):
            raise BadFileError(raw_sentence(path))
        opened = _open_kind(path, start)
    except BadFileError:
        raise
    except Image.DecompressionBombError as error:
        raise BadFileError(_too_large(path)) from error
    except BROKEN as error:
        raise BadFileError(f"{path} {_why_no_image(path)}") from error
    image = opened.image
    if image.format in _DRAWINGS:
        raise BadFileError(
            f"{path} is a drawing ({image.format}), not a photo: give a JPEG, PNG, TIFF or WebP "
            "file"
        )
    if not is_plausible(image.format or "", image.width * image.height, path.stat().st_size):
        raise BadFileError(
            f"{path} is damaged: its header promises {_size_text(image.size[::-1])}, which its "
            f"{path.stat().st_size:,} bytes cannot hold; copy it again from its source"
        )
    return opened


def _open_kind(path: Path, start: bytes) -> _Opened:
    """Open a TIFF by its tags, other files with Pillow; without metadata if that is broken."""
    if is_tiff(start):
        try:
            tiff = open_tiff(path)
        except BROKEN as error:
            if isinstance(error, BadFileError | Image.DecompressionBombError):
                raise
            return _Opened(Image.open(path), path)
        return _Opened(
            tiff.image,
            path,
            tiff.num_pictures,
            tiff.offset,
            tiff.orientation,
            tiff.notes,
            tiff.is_deep,
        )
    try:
        return _Opened(Image.open(path), path)
    except Image.DecompressionBombError:
        raise
    except BROKEN:
        return _Opened(_reopened(path), path)


def _reopened(path: Path) -> Image.Image:
    """Open a file without its metadata."""
    return Image.open(io.BytesIO(without_metadata(path)))


def _why_no_image(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as error:
        return f"cannot be read ({error.strerror}): check the file's permissions and the disk"
    is_webp = start[:4] == b"RIFF" and start[8:] == b"WEBP"
    if is_webp or start[4:12] == b"ftypavif":  # which Pillow knows only when they are whole
        return "is damaged or cut short: copy it again from its source"
    if start[:3] == b"\xff\xd8\xff":
        return (
            "is damaged, or a JPEG of a rare kind, such as one of 12 bits: copy it again from its "
            "source, or save it as PNG or TIFF"
        )
    what = "is not an image we can read" if start else "is empty (0 bytes)"
    return f"{what}: give a JPEG, PNG, TIFF or WebP file"


def _too_large(name: object) -> str:
    return f"{name} has more than {MAX_PIXELS:,} pixels: reduce it or cut it into parts first"


# --- decoding ------------------------------------------------------------------------------------


def _photo(opened: _Opened, name: str, label: str, with_deep: bool = False) -> Photo:
    image = opened.image
    num_pictures = opened.num_pictures or _num_pictures(image)
    is_deep = opened.is_deep or _is_deep(image)
    metadata = read_metadata_of(image, opened.path, opened.offset)
    stored = image.size
    upright, icc_profile = _upright(opened, label, background=255, metadata=metadata)
    pixels = np.array(upright)
    is_converted = image.mode in ("CMYK", "LAB") or (
        image.mode not in ("RGB", "RGBA", "P") and bool(image.info.get("icc_profile"))
    )
    turned = metadata.orientation >= 5 or stored == upright.size[::-1] != stored[::-1]
    deep = None
    if with_deep and is_deep and opened.path:
        turn = opened.orientation or metadata.orientation or 1
        profile = image.info.get("icc_profile")
        deep = read_deep(opened.path, opened.offset, turn, profile, shown=pixels)
    notes = opened.notes + ((REDUCED,) if is_deep and deep is None else ())
    metadata = fitted(metadata, pixels.shape[:2], turned, is_converted)
    return Photo(pixels, icc_profile, name, num_pictures, metadata, notes, deep)


def _is_deep(image: Image.Image) -> bool:
    """Return whether an open image has more than 8 bits per channel."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return True
    return ";16" in str(getattr(image, "tile", ""))


def _num_pictures(image: Image.Image) -> int:
    if image.format == "MPO":  # JPEG of a phone; what follows is a preview or a map of depths
        return 1
    try:
        return getattr(image, "n_frames", 1)
    except BROKEN:
        return 1


def _upright(
    opened: _Opened, name: str, background: int, metadata: Metadata | None = None
) -> tuple[Image.Image, bytes | None]:
    """Decode, turn upright and convert to RGB; the profile is what the RGB values still need."""
    image = opened.image
    if image.width * image.height > MAX_PIXELS:
        raise BadFileError(_too_large(name))
    with reading(name):
        if metadata is None:
            metadata = read_metadata_of(image, opened.path, opened.offset)
        image = _decoded(opened)
        _require_all_rows(image, opened.path)
        return to_rgb(_turned(image, opened, metadata), background)


def _decoded(opened: _Opened) -> Image.Image:
    """Decode an image; a second time without its metadata if the first time failed."""
    try:
        opened.image.load()
        return opened.image
    except BROKEN:
        if opened.path is None:
            raise
        try:
            again = _reopened(opened.path)
            again.load()
        except BROKEN:
            again = None
        if again is None:
            raise  # the first error says what is wrong
        return again


def _require_all_rows(image: Image.Image, path: Path | None) -> None:
    """Raise OSError for a PNG file whose data ends early: its missing rows are read as zeros."""
    if image.format != "PNG" or path is None:
        return
    last_row = np.asarray(image.crop((0, image.height - 1, *image.size)))
    if (image.info.get("interlace") or not last_row.any()) and not holds_all_rows(path):
        raise OSError("its image data ends too early")


def _turned(image: Image.Image, opened: _Opened, metadata: Metadata) -> Image.Image:
    """Turn an image upright. Pillow itself turns the TIFF files that it decodes."""
    orientation = opened.orientation
    if orientation is None and image.format != "TIFF":
        found = metadata.orientation
        # An image in memory may have been turned since its file was opened.
        use_file = found and opened.path is not None
        orientation = found if use_file else _orientation_of(image, found)
    turn = _TURNS.get(orientation or 1)
    return image if turn is None else image.transpose(turn)


def _orientation_of(image: Image.Image, default: int) -> int:
    """Return the orientation that Pillow finds, in XMP for example."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except BROKEN:
        return default


def _from_array(array: np.ndarray) -> Image.Image:
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not is_image:
        raise InputError(f"expected a uint8 array (H, W, 3), got {array.dtype} {array.shape}")
    return Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)


def require_min_side(pixels: np.ndarray, name: str) -> None:
    """Raise InputError if a photo (H, W, 3) is less than MIN_SIDE pixels high or wide."""
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise BadFileError(
            f"{name} is {_size_text(pixels.shape)}: a photo needs at least {MIN_SIDE} pixels a side"
        )


def _size_text(size: tuple[int, ...]) -> str:
    return f"{size[1]} pixels wide and {size[0]} high"
