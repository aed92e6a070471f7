"""Read TIFF files by what their tags say: which picture is the photo, what its numbers mean.

Pillow decodes the usual kinds correctly and does so here. It takes the first picture of a file even
if that is a thumbnail, and it knows neither MaxSampleValue nor 16-bit planes nor inverted 16-bit
grey. Those files are decoded by tifffile, and their tags are applied here.
"""

import io
import logging
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from oldphoto.images.errors import BROKEN, MAX_PIXELS, BadFileError
from oldphoto.images.tiff_samples import read_samples

RAW_SUFFIXES = frozenset(
    {".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".drf"}
    | {".eip", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mdc", ".mef", ".mos", ".mrw"}
    | {".nef", ".nrw", ".orf", ".pef", ".ptx", ".pxn", ".r3d", ".raf", ".raw", ".rw2", ".rwl"}
    | {".rwz", ".sr2", ".srf", ".srw", ".x3f"}
)
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"IIU\0", b"IIRO", b"IIRS", b"MMOR")
_COLOUR_FILTER, _LINEAR_RAW = 32803, 34892  # PhotometricInterpretation of camera raws
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK = 0, 1, 2, 5
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4}  # samples before the extra
_ASSOCIATED, _UNASSOCIATED = 1, 2  # ExtraSamples: alpha, with and without multiplied colours
_SEPARATE = 2  # PlanarConfiguration
_UNSIGNED, _FLOATS, _UNDEFINED = 1, 3, 4  # SampleFormat; the others are signed or complex
_PALETTE, _YCBCR, _UNCOMPRESSED, _COLOUR_MAP = 3, 6, 1, 320
# Fields without which the pixels would be read wrongly.
_STRUCTURE = frozenset({*range(256, 260), 262, 266, 273, *range(277, 280), 284, 317, _COLOUR_MAP})
_LAYOUT = frozenset({*range(322, 326), 338, 339, 530})
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # SubfileType
_MAX_PAGES = 1000
_MAX_FIELDS = 2000
_THUMBNAIL_SIDE = 640
_MAX_SAMPLES = 16


@dataclass(frozen=True)
class TiffPicture:
    """The photo of a TIFF file.

    Attributes:
        image: not yet decoded where Pillow decodes it.
        num_pictures: full-size pictures of the file.
        offset: of the photo's directory; fields that it lacks may stand in the first one.
        orientation: still to be applied, 1 to 8; None: Pillow applies it.
        notes: sentences on how the file was read.
        is_deep: whether it has more than 8 bits per channel.
    """

    image: Image.Image
    num_pictures: int
    offset: int
    orientation: int | None
    notes: tuple[str, ...]
    is_deep: bool


def is_tiff(start: bytes) -> bool:
    """Return whether a file that starts with these bytes is a TIFF file."""
    return start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_camera_raw(path: Path, start: bytes) -> bool:
    """Return whether a file is a camera raw, from its name and its first bytes."""
    if start.startswith(_RAW_STARTS) or start[4:11] == b"ftypcrx" or start[6:14] == b"HEAPCCDR":
        return True
    is_cr2 = is_tiff(start) and start[8:10] == b"CR"
    by_name = path.suffix.lower() in RAW_SUFFIXES
    known = start[:2] in (b"\xff\xd8", b"BM") or start[:4] in (b"\x89PNG", b"GIF8")
    return is_cr2 or (by_name and not known)


def raw_sentence(path: Path) -> str:
    """Return what to do with a camera raw."""
    return (
        f"{path} is a camera raw file (values of the sensor, not yet a photo): "
        "export it as TIFF or JPEG with the camera's program and give that file"
    )


def open_tiff(path: Path) -> TiffPicture:
    """Open the photo of a TIFF file.

    Raises:
        BadFileError: if the file is a camera raw or says something that cannot be decoded.
        OSError, ValueError: and others of ``BROKEN`` for damaged files.
    """
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its warnings are not for readers
    with tifffile.TiffFile(path) as tiff:
        pages = _pages(tiff)
        if any(_photometric(page) in (_COLOUR_FILTER, _LINEAR_RAW) for page, _ in pages):
            raise BadFileError(raw_sentence(path))
        page, num_pictures, notes = _photo_page(pages)
        _require_size(page, path)
        _require_whole(page, path)
        _require_plain_numbers(page, path)
        is_deep = int(page.bitspersample) > 8
        extra = _extra_note(page)
        notes += (extra,) if extra else ()
        image = _open_with_pillow(path, page, pages[0][0]) if _pillow_is_right(page) else None
        if image is not None:
            if extra and image.mode == "RGBA":
                image = image.convert("RGB")  # Pillow takes a fourth channel for transparency
            if _photometric(page) == _PALETTE:
                image = _with_colour_map(image, page)
            return TiffPicture(image, num_pictures, page.offset, None, notes, is_deep)
        _require_data(page, path)
        decoded = _decode(path, page)
        orientation = _number(page, 274) or 1
        return TiffPicture(decoded, num_pictures, page.offset, orientation, notes, is_deep)


# --- which picture -------------------------------------------------------------------------------


def _pages(tiff: tifffile.TiffFile) -> list[tuple[Any, bool]]:
    """Return every picture, and whether it stands in the file's main chain."""
    found: list[tuple[Any, bool]] = []
    places: set[int] = set()
    for index in range(_MAX_PAGES):
        try:
            page = tiff.pages[index]
        except BROKEN:  # the end of the chain, or a damaged page
            if index == 0:
                raise
            break
        if page.offset in places:  # a damaged chain that leads back
            break
        places.add(page.offset)
        found.append((page, True))
        try:
            found += [(sub, False) for sub in list(page.pages or [])[:_MAX_PAGES]]
        except BROKEN:
            continue
    return found


def _photo_page(pages: list[tuple[Any, bool]]) -> tuple[Any, int, tuple[str, ...]]:
    """Choose the first full-size picture; return it, the number of pictures, and notes."""
    whole = [(page, chained) for page, chained in pages if not _is_reduced(page)]
    if not whole:
        return max((page for page, _ in pages), key=_area), 1, ()
    page = whole[0][0]
    larger = [other for other, _ in whole[1:] if _is_thumbnail_of(page, other)]
    if larger:
        page = max(larger, key=_area)
        whole = [(p, chained) for p, chained in whole if not _is_thumbnail_of(p, page)]
    num_pictures = max(1, sum(chained for _, chained in whole))
    notes = ("the thumbnail before the photo is passed over",) if page is not pages[0][0] else ()
    return page, num_pictures, notes


def _is_reduced(page: Any) -> bool:
    kind = _number(page, 254)
    return bool(kind & (_REDUCED | _MASK)) or _number(page, 255) == _OLD_REDUCED


def _is_thumbnail_of(page: Any, other: Any) -> bool:
    """Return whether a small picture has the shape of one that is at least twice as large."""
    height, width = page.imagelength, page.imagewidth
    if max(height, width) > _THUMBNAIL_SIDE or other.imagewidth < 2 * width:
        return False
    return bool(abs(other.imagelength * width / (other.imagewidth * height) - 1) < 0.05)


def _area(page: Any) -> int:
    return int(page.imagelength) * int(page.imagewidth)


# --- what the tags say ---------------------------------------------------------------------------


def _number(page: Any, tag: int) -> int:
    """Return the first number of a tag; 0 where it is missing or no number."""
    found = page.tags.get(tag)
    value = found.value if found is not None else 0
    value = value[0] if isinstance(value, tuple) and value else value
    return int(value) if isinstance(value, int | float) else 0


def _photometric(page: Any) -> int:
    return _number(page, 262) if 262 in page.tags else -1


def _white(page: Any) -> int:
    """Return the value of full light: of the depth in bits that MaxSampleValue speaks of.

    The field is meant as the largest value that occurs. Scanners of 10 to 14 bits write their
    depth into it, so a value of up to 14 bits in 16 is taken as that.
    """
    bits = int(page.bitspersample)
    declared = _number(page, 281).bit_length()
    return 2 ** (declared if bits > 8 and 8 <= declared <= 14 else bits) - 1


def _num_colours(page: Any) -> int:
    return _COLOURS.get(_photometric(page), int(page.samplesperpixel))


def _extra_note(page: Any) -> str:
    """Return a note if there are channels beyond the colours that are not transparency."""
    num_extra = int(page.samplesperpixel) - _num_colours(page)
    kinds = [int(kind) for kind in page.extrasamples]
    if num_extra <= 0 or any(kind in (_ASSOCIATED, _UNASSOCIATED, 999) for kind in kinds):
        return ""
    return "a channel beyond the colours (such as a scanner's infrared) is not used"


def _pillow_is_right(page: Any) -> bool:
    """Return whether Pillow, if it opens this kind at all, gives the tags their meaning."""
    bits, several = int(page.bitspersample), int(page.samplesperpixel) > 1
    if _ASSOCIATED in page.extrasamples:  # Pillow loses the colours where alpha is 0
        return False
    if bits > 8 and not several:
        is_usual = page.sampleformat == _FLOATS or _white(page) == 65535
        return _photometric(page) == _BLACK_IS_ZERO and is_usual
    is_separate = int(page.planarconfig) == _SEPARATE
    if is_separate and int(page.samplesperpixel) > _num_colours(page):
        return False
    if bits > 8 and several:
        return not is_separate and _white(page) == 2**bits - 1
    return True


def _require_size(page: Any, path: Path) -> None:
    """Refuse sizes that no photo has before memory is asked for.

    Raises:
        DecompressionBombError: if the picture, or one of its tiles, has more than MAX_PIXELS.
        BadFileError: if it has too many channels or several layers of depth, or lies beyond the
            end of the file.
    """
    tile = int(page.tilewidth) * int(page.tilelength) if page.is_tiled else 0
    if max(_area(page), tile) > MAX_PIXELS:
        raise Image.DecompressionBombError
    if not 1 <= int(page.samplesperpixel) <= _MAX_SAMPLES or int(page.imagedepth) != 1:
        raise BadFileError(_unknown(path, page))

    if any(start >= path.stat().st_size for start in page.dataoffsets):
        raise BadFileError(_missing(path))


def _require_whole(page: Any, path: Path) -> None:
    """Refuse a file whose end is missing: Pillow shows black there, or takes another depth.

    Raises:
        BadFileError: if a field that the pixels need cannot be read, or uncompressed rows lie
            beyond the end of the file.
    """
    if (_stored_fields(page) & (_STRUCTURE | _LAYOUT)) - set(page.tags.keys()):
        raise BadFileError(_missing(path))
    if _number(page, 259) not in (0, _UNCOMPRESSED) or _photometric(page) == _YCBCR:
        return  # the decoder notices it; the rows of YCbCr can be shorter than they look
    if page.is_tiled:
        width, heights = int(page.tilewidth), [int(page.tilelength)]
    else:
        width, step, height = int(page.imagewidth), int(page.rowsperstrip), int(page.imagelength)
        step = max(1, min(step, height))
        heights = [min(step, height - top) for top in range(0, height, step)]
    separate = int(page.planarconfig) == _SEPARATE
    samples = 1 if separate else int(page.samplesperpixel)
    row_bytes = -(-width * samples * int(page.bitspersample) // 8)
    for index, start in enumerate(page.dataoffsets):
        if start + row_bytes * heights[index % len(heights)] > path.stat().st_size:
            raise BadFileError(_missing(path))


def _stored_fields(page: Any) -> set[int]:
    """Return the tags in a picture's directory, those whose values cannot be read as well."""
    file, form = page.parent.filehandle, page.parent.tiff
    file.seek(page.offset)
    (count,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    entries = file.read(min(count, _MAX_FIELDS) * form.tagsize)
    starts = range(0, len(entries) - form.tagsize + 1, form.tagsize)
    return {struct.unpack_from(f"{form.byteorder}H", entries, start)[0] for start in starts}


def _require_plain_numbers(page: Any, path: Path) -> None:
    """Raise BadFileError for signed and complex numbers: nobody knows which of them is white."""
    if (_number(page, 339) or _UNSIGNED) not in (_UNSIGNED, _FLOATS, _UNDEFINED):
        raise BadFileError(
            f"{path} holds signed or complex numbers, which say nothing about black and white: "
            "save it with 8 or 16 bits per channel without signs"
        )


def _require_data(page: Any, path: Path) -> None:
    """Raise BadFileError if the picture's data is missing, or reaches beyond the file."""
    size = path.stat().st_size
    places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if not places or any(count <= 0 or start + count > size for start, count in places):
        raise BadFileError(_missing(path))


def _missing(path: Path) -> str:
    return (
        f"{path} is damaged or cut short (its picture is not in the file, or not all of it): "
        "copy it again from its source"
    )


# --- decoding ------------------------------------------------------------------------------------


def _open_with_pillow(path: Path, page: Any, first: Any) -> Image.Image | None:
    """Open a picture with Pillow; None if it does not know this kind."""
    try:
        if page is first:
            return Image.open(path)
        return Image.open(io.BytesIO(_starting_at(path, page.offset)))
    except Image.DecompressionBombError:
        raise
    except BROKEN:
        return None


def _with_colour_map(image: Image.Image, page: Any) -> Image.Image:
    """Correct a palette of 8 bits, which some programs write in place of 16: Pillow sees black."""
    field = page.tags.get(_COLOUR_MAP)
    colours = np.asarray(field.value if field is not None else [256])
    if image.mode == "P" and 0 < colours.max() < 256:
        image.putpalette(colours.reshape(3, -1).T.astype(np.uint8).tobytes())
    return image


def _starting_at(path: Path, offset: int) -> bytes:
    """Return a TIFF file whose header names another directory as the first."""
    content = bytearray(path.read_bytes())
    order = "little" if content[:2] == b"II" else "big"
    is_big = int.from_bytes(content[2:4], order) == 43  # type: ignore[arg-type]
    place = slice(8, 16) if is_big else slice(4, 8)
    content[place] = offset.to_bytes(8 if is_big else 4, order)  # type: ignore[arg-type]
    return bytes(content)


def read_levels(path: Path, offset: int | None) -> np.ndarray | None:
    """Decode a picture of more than 8 bits to uint16 (H, W, 1 to 4): the colours, then alpha.

    Args:
        offset: of the picture's directory; None: the first.

    Returns:
        The levels, not turned upright; None if the file has 8 bits, or four colours.
    """
    with tifffile.TiffFile(path) as tiff:
        page = next(page for page, _ in _pages(tiff) if offset in (None, page.offset))
        if int(page.bitspersample) <= 8 or _num_colours(page) > 3:
            return None
        _require_data(page, path)
        return _levels(path, page, full=65535)


def _decode(path: Path, page: Any) -> Image.Image:
    """Decode a picture into an image of 8 bits per channel, as its tags say."""
    num_colours = _num_colours(page)
    colours = _levels(path, page, full=255)
    image = Image.fromarray(colours[..., 0] if colours.shape[2] == 1 else colours)
    if num_colours == 4:
        image = Image.frombytes("CMYK", image.size, colours.tobytes())
    elif colours.shape[2] == 2:
        image = Image.frombytes("LA", (colours.shape[1], colours.shape[0]), colours.tobytes())
    profile = page.tags.get(34675)
    if profile is not None and isinstance(profile.value, bytes):
        image.info["icc_profile"] = profile.value
    return image


def _levels(path: Path, page: Any, full: int) -> np.ndarray:
    """Return the colours of a picture, and its transparency, as levels 0 to ``full``."""
    num_colours = _num_colours(page)
    if _photometric(page) not in _COLOURS:
        raise BadFileError(_unknown(path, page))
    samples = read_samples(path, page)  # (H, W, samples)
    if samples is None:
        raise BadFileError(_unknown(path, page))
    levels = _to_levels(samples, _white(page), full)
    if _photometric(page) == _WHITE_IS_ZERO:
        levels[..., 0] = full - levels[..., 0]
    colours = levels[..., :num_colours]
    kinds = [int(kind) for kind in page.extrasamples]
    alphas = [i for i, kind in enumerate(kinds) if kind in (_ASSOCIATED, _UNASSOCIATED)]
    if alphas and num_colours < 4:
        alpha = levels[..., num_colours + alphas[0]]
        if kinds[alphas[0]] == _ASSOCIATED and alpha.any():
            part = np.maximum(alpha, 1)[..., None]
            colours = np.minimum(colours * np.uint32(full) // part, full).astype(levels.dtype)
        colours = np.dstack([colours, alpha])
    return colours


def _to_levels(values: np.ndarray, white: int, full: int) -> np.ndarray:
    """Scale whole numbers 0..white, or floats 0..1, to uint8 (full 255) or uint16 (full 65535)."""
    kind = np.uint8 if full == 255 else np.uint16
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        if white < 65535 and int(values.max()) > white:
            white = 255 if values.dtype.itemsize == 1 else 65535  # MaxSampleValue is not true
        table = np.round(np.arange(white + 1) * (full / white)).astype(kind)
        return np.asarray(table[values])
    brightest = 1.0 if values.dtype.kind == "f" else float(white)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > brightest:
        raise BadFileError(
            f"expected values from 0 to {brightest:g}, got {values.min():g} to {values.max():g}: "
            "save the photo with 8 or 16 bits per channel"
        )
    return np.round(values.astype(np.float32) * (full / brightest)).astype(kind)


def _unknown(path: Path, page: Any) -> str:
    return (
        f"{path} is a TIFF of a kind we cannot decode ({int(page.samplesperpixel)} channels of "
        f"{int(page.bitspersample)} bits, PhotometricInterpretation {_photometric(page)}, "
        f"Compression {_number(page, 259)}): save it as RGB without compression"
    )
