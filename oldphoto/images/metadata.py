"""Metadata of a photo file: read from JPEG, PNG, TIFF and WebP, put into a restored photo.

Everything that describes the photo is kept as it is stored. What describes the old pixels (the
thumbnail, the orientation, how the file was compressed) is left out or made to fit the new ones.
"""

import io
import mmap
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from oldphoto.images import exif as exif_data
from oldphoto.images.errors import BROKEN
from oldphoto.images.exif import ExifData, Field

PNG_SUFFIXES, JPEG_SUFFIXES = (".png",), (".jpg", ".jpeg")
TIFF_SUFFIXES, WEBP_SUFFIXES = (".tif", ".tiff"), (".webp",)
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_COPIED_CHUNKS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"tIME": 7}  # length of each
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_MAX_CHUNKS = 10_000
_MAX_TEXT = 1 << 22  # bytes of one text after decompression
_XMP_HEAD, _EXIF_HEAD = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0"
_EXTENDED_XMP, _PHOTOSHOP_HEAD = b"http://ns.adobe.com/xmp/extension/\0", b"Photoshop 3.0\0"
_IPTC_BLOCK = 0x0404
# Photoshop's resources that describe the photo: IPTC and its digest, resolution, copyright.
_KEPT_RESOURCES = (_IPTC_BLOCK, 0x0425, 0x03ED, 0x040A, 0x040B)
_SEGMENT = 65_533 - 2  # bytes that fit into one segment of a JPEG file
_TIFF_LIMIT = 2**32


@dataclass(frozen=True)
class Metadata:
    """Metadata of one file.

    Attributes:
        exif: all fields, as stored.
        texts: text chunks of a PNG file, each its kind and its content, in order.
        xmp: packet of XML.
        resources: blocks of Photoshop by number; 0x0404 is IPTC.
        comment: of a JPEG or GIF file.
        dpi: horizontal and vertical resolution in dots per inch, outside EXIF.
        pixel_size: content of the PNG chunk pHYs.
        density: unit and resolution as a JPEG file's JFIF segment stores them.
        chunks: PNG chunks that are copied, by name: how the values are meant, and the date.
        notes: sentences on what could not be read.
    """

    exif: ExifData = field(default_factory=ExifData)
    texts: tuple[tuple[bytes, bytes], ...] = ()
    xmp: bytes = b""
    resources: dict[int, bytes] = field(default_factory=dict)
    comment: bytes = b""
    dpi: tuple[float, float] | None = None
    pixel_size: bytes = b""
    density: bytes = b""
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def png_texts(self) -> dict[str, str]:
        """Return the readable texts of a PNG file by their keywords."""
        found = (_decode_text(kind, content) for kind, content in self.texts)
        return {key: text for key, text in found if text is not None}

    @property
    def orientation(self) -> int:
        """How the stored pixels are turned, 1 to 8; 0 where EXIF does not say it."""
        value = self.exif.integer(exif_data.ORIENTATION)
        return value if 1 <= value <= 8 else 0


# --- reading -------------------------------------------------------------------------------------


def read_metadata_of(image: Image.Image, path: Path | None, offset: int | None = None) -> Metadata:
    """Read the metadata of an open image; damaged parts are left out and never raise.

    Args:
        path: its file; None: the image is only in memory.
        offset: of the directory of a TIFF file that describes the photo.
    """
    readers = {"JPEG": _of_jpeg, "MPO": _of_jpeg}
    try:
        if path is not None and image.format == "PNG":
            found = _of_png(path)
        elif path is not None and (image.format == "TIFF" or offset is not None):
            found = _of_tiff(path, offset)
        else:
            found = readers.get(image.format or "", _of_info)(image)
    except BROKEN as error:
        return Metadata(notes=(f"its metadata cannot be read ({error})",))
    damaged = found.exif.num_damaged
    if damaged:
        found = replace(found, notes=(*found.notes, "damaged EXIF fields are left out"))
    return found


def _of_info(image: Image.Image) -> Metadata:
    """Read what Pillow found in a file of any format."""
    info = image.info
    raw = info.get("exif", b"")
    if not raw:
        try:
            raw = image.getexif().tobytes()
        except BROKEN:
            raw = b""
    comment, xmp = info.get("comment", b""), info.get("xmp", b"")
    return Metadata(
        exif=exif_data.parse(bytes(raw)),
        xmp=xmp if isinstance(xmp, bytes) else b"",
        comment=comment.encode() if isinstance(comment, str) else bytes(comment),
        dpi=_positive(info.get("dpi")),
    )


def _positive(dpi: Any) -> tuple[float, float] | None:
    try:
        across, down = float(dpi[0]), float(dpi[1])
    except BROKEN:
        return None
    return (across, down) if 1 <= across <= 65535 and 1 <= down <= 65535 else None


def _of_jpeg(image: Image.Image) -> Metadata:
    found = Metadata()
    segments: list[tuple[str, bytes]] = getattr(image, "applist", [])
    photoshop, comments, notes = b"", [], []
    for name, content in segments:
        if name == "APP0" and content.startswith(b"JFIF\0") and len(content) >= 12:
            unit, across, down = struct.unpack(">BHH", content[7:12])
            scale = {1: 1.0, 2: 2.54}.get(unit, 0.0)
            dpi = _positive((across * scale, down * scale))
            found = replace(found, dpi=dpi, density=content[7:12])
        elif name == "APP1" and content.startswith(_EXIF_HEAD) and not found.exif.main:
            found = replace(found, exif=exif_data.parse(content))
        elif name == "APP1" and content.startswith(_XMP_HEAD) and not found.xmp:
            found = replace(found, xmp=content[len(_XMP_HEAD) :])
        elif name == "APP1" and content.startswith(_EXTENDED_XMP):
            notes = ["the second part of its XMP is not kept"]
        elif name == "APP13" and content.startswith(_PHOTOSHOP_HEAD):
            photoshop += content[len(_PHOTOSHOP_HEAD) :]
        elif name == "COM":
            comments.append(content)
    return replace(
        found,
        resources=_resources(photoshop),
        comment=comments[0] if comments else b"",
        notes=tuple(notes),
    )


def _resources(content: bytes) -> dict[int, bytes]:
    """Split Photoshop's blocks: "8BIM", number, name, size, content, each padded to even size."""
    found: dict[int, bytes] = {}
    place = 0
    while content[place : place + 4] == b"8BIM" and place + 7 <= len(content):
        number = struct.unpack(">H", content[place + 4 : place + 6])[0]
        start = place + 6 + (content[place + 6] + 2) // 2 * 2
        size = int.from_bytes(content[start : start + 4], "big")
        block = content[start + 4 : start + 4 + size]
        if number in _KEPT_RESOURCES and len(block) == size:
            found.setdefault(number, block)
        place = start + 4 + (size + 1) // 2 * 2
    return found


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the chunks of a PNG file; of picture data only the name.

    Stops at the first chunk that is not whole; chunks with a wrong checksum are left out.
    """
    file.seek(8)
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        size, name = struct.unpack(">I4s", head)
        if name in (b"IDAT", b"fdAT"):
            file.seek(size + 4, io.SEEK_CUR)
            yield name, b""
            continue
        content = file.read(size)
        checksum = file.read(4)
        if len(content) < size or name == b"IEND":
            return
        if zlib.crc32(name + content).to_bytes(4, "big") == checksum:
            yield name, content


def _of_png(path: Path) -> Metadata:
    found = Metadata()
    texts: list[tuple[bytes, bytes]] = []
    chunks: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        for name, content in png_chunks(file):
            if name == b"eXIf":
                found = replace(found, exif=exif_data.parse(content))
            elif name == b"pHYs" and len(content) == 9:
                found = replace(found, pixel_size=content)
            elif len(content) == _COPIED_CHUNKS.get(name):
                chunks[name] = content
            elif name in _TEXT_CHUNKS:
                texts.append((name, content))
    xmp = [content for name, content in texts if content.startswith(_XMP_KEYWORD + b"\0")]
    if xmp:
        text = _decode_text(b"iTXt", xmp[0])[1]
        found = replace(found, xmp=text.encode() if text else b"")
    texts = [text for text in texts if text[1] not in xmp]
    dpi = None
    if found.pixel_size[8:] == b"\1":  # dots per metre
        dpi = _positive([n * 0.0254 for n in struct.unpack(">II", found.pixel_size[:8])])
    profile = [text for text in texts if text[1].startswith((b"Raw profile type exif\0",))]
    if profile:  # as ImageMagick writes EXIF
        texts.remove(profile[0])
        if not found.exif.main:
            found = replace(found, exif=exif_data.parse(_raw_profile(*profile[0])))
    return replace(found, texts=tuple(texts), chunks=chunks, dpi=dpi)


def _raw_profile(kind: bytes, content: bytes) -> bytes:
    """Decode a profile that stands as hexadecimal digits in a text chunk."""
    text = _decode_text(kind, content)[1] or ""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def _decode_text(kind: bytes, content: bytes) -> tuple[str, str | None]:
    """Return keyword and text of a PNG text chunk; the text is None if it cannot be read."""
    keyword, _, rest = content.partition(b"\0")
    key = keyword.decode("latin-1")
    try:
        if kind == b"tEXt":
            return key, rest.decode("latin-1")
        if kind == b"zTXt":
            return key, _inflated(rest[1:]).decode("latin-1")
        is_compressed, body = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[2]
        return key, (_inflated(body) if is_compressed else body).decode("utf-8")
    except BROKEN:
        return key, None


def text_chunk(key: str, text: str) -> tuple[bytes, bytes]:
    """Return a PNG text chunk in UTF-8: its kind and its content."""
    return b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8", "replace")


def _inflated(content: bytes) -> bytes:
    inflater = zlib.decompressobj()
    text = inflater.decompress(content, _MAX_TEXT)
    if inflater.unconsumed_tail:
        raise ValueError("a text is too long")
    return text


def _of_tiff(path: Path, offset: int | None) -> Metadata:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        first = exif_data.parse(data)
        own = exif_data.parse(data, offset)
        xmp, iptc, photoshop = exif_data.parse_blocks(data, offset or _first_directory(data))
        if offset is not None and not (xmp or iptc or photoshop):
            xmp, iptc, photoshop = exif_data.parse_blocks(data, _first_directory(data))
    resources = _resources(photoshop)
    if iptc:
        resources[_IPTC_BLOCK] = iptc.rstrip(b"\0")
    main = {**first.main, **own.main}
    merged = ExifData(
        _without_colour(main),
        own.photo or first.photo,
        own.gps or first.gps,
        own.interop or first.interop,
        own.order,
        own.num_damaged,
    )
    return Metadata(exif=merged, xmp=xmp, resources=resources)


def _without_colour(main: dict[int, Field]) -> dict[int, Field]:
    return {tag: found for tag, found in main.items() if tag not in exif_data.COLOUR_OF_TIFF}


def _first_directory(data: mmap.mmap) -> int:
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack(order + "H", data[2:4])[0] == 43
    place, code = (slice(8, 16), "Q") if is_big else (slice(4, 8), "I")
    return int(struct.unpack(order + code, data[place])[0])


# --- made to fit the new pixels ------------------------------------------------------------------


def fitted(found: Metadata, size: tuple[int, int], turned: bool, converted: bool) -> Metadata:
    """Return the metadata for new, upright pixels.

    Args:
        size: height and width of the new pixels.
        turned: whether rows and columns have been exchanged.
        converted: whether the colours have been converted to sRGB.
    """
    exif, lost = exif_data.repaired(found.exif)
    main, photo, order = dict(exif.main), dict(exif.photo), exif.order
    notes = list(found.notes)
    if lost:
        notes.append(f"EXIF fields of a wrong type are left out: {', '.join(lost)}")
    if photo.pop(exif_data.MAKER_NOTE, None):
        notes.append("the camera's MakerNote is not kept, because it describes the old file")
    main[exif_data.ORIENTATION] = exif_data.short_field(1, order)
    for tag, side in ((exif_data.WIDTH, size[1]), (exif_data.HEIGHT, size[0])):
        if tag in photo:
            photo[tag] = exif_data.long_field(side, order)
    interop = exif.interop
    if converted:
        interop = {}
        for tag in (exif_data.COLOUR_SPACE, 0xA500):
            photo.pop(tag, None)
        for tag in (318, 319):  # WhitePoint, PrimaryChromaticities
            main.pop(tag, None)
    fitting = replace(
        found,
        exif=replace(exif, main=main, photo=photo, interop=interop),
        xmp=_upright_xmp(found.xmp),
        chunks={name: c for name, c in found.chunks.items() if name == b"tIME" or not converted},
        notes=tuple(notes),
    )
    return _turned(fitting) if turned else fitting


def _turned(found: Metadata) -> Metadata:
    """Exchange horizontal and vertical resolution."""
    main = dict(found.exif.main)
    across, down = main.pop(exif_data.X_RESOLUTION, None), main.pop(exif_data.Y_RESOLUTION, None)
    if across:
        main[exif_data.Y_RESOLUTION] = across
    if down:
        main[exif_data.X_RESOLUTION] = down
    size, density = found.pixel_size, found.density
    return replace(
        found,
        exif=replace(found.exif, main=main),
        dpi=found.dpi and found.dpi[::-1],
        pixel_size=size[4:8] + size[:4] + size[8:],
        density=density[:1] + density[3:5] + density[1:3],
    )


def _upright_xmp(xmp: bytes) -> bytes:
    """Set the orientation in XMP to normal and remove the thumbnail, which shows the old photo."""
    xmp = re.sub(rb"(tiff:Orientation\s*=\s*[\"'])\d+", rb"\g<1>1", xmp)
    xmp = re.sub(rb"(<tiff:Orientation>)\s*\d+\s*", rb"\g<1>1", xmp)
    if len(xmp) < _MAX_TEXT:
        xmp = re.sub(rb"<xmp:Thumbnails>.*?</xmp:Thumbnails>", b"", xmp, flags=re.DOTALL)
        xmp = re.sub(rb"<xapGImg:image>[^<]*</xapGImg:image>", b"", xmp)
    return xmp


# --- writing -------------------------------------------------------------------------------------


def save_options(suffix: str, found: Metadata) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the options for Pillow's writer, and notes on what the format cannot hold."""
    if suffix in PNG_SUFFIXES:
        return _png_options(found)
    if suffix in JPEG_SUFFIXES:
        return _jpeg_options(found)
    if suffix in WEBP_SUFFIXES:
        return _webp_options(found)
    return {}, _lost(found, texts=True, comment=True, chunks=True)


def _lost(found: Metadata, **parts: bool) -> tuple[str, ...]:
    """Return notes on parts that are there and cannot be kept in the new file's format."""
    names = {
        "texts": (found.texts, "PNG texts"),
        "comment": (found.comment, "the file's comment"),
        "chunks": (found.chunks, "PNG's gAMA, cHRM, sRGB and tIME"),
        "resources": (found.resources, "IPTC"),
    }
    missing = [word for part, (content, word) in names.items() if content and parts.get(part)]
    return tuple(f"not kept, because the result has another format: {word}" for word in missing)


def _exif_bytes(found: Metadata, with_dpi: bool = False) -> bytes:
    exif = found.exif
    if with_dpi and found.dpi and exif_data.X_RESOLUTION not in exif.main:
        exif = replace(exif, main={**exif.main, **_resolution(found.dpi, exif.order)})
    return exif_data.build(exif)


def _resolution(dpi: tuple[float, float], order: str) -> dict[int, Field]:
    return {
        exif_data.X_RESOLUTION: exif_data.ratio_field(dpi[0], order),
        exif_data.Y_RESOLUTION: exif_data.ratio_field(dpi[1], order),
        exif_data.RESOLUTION_UNIT: exif_data.short_field(2, order),
    }


def _jpeg_options(found: Metadata) -> tuple[dict[str, Any], tuple[str, ...]]:
    notes = list(_lost(found, texts=True, chunks=True))
    exif, too_long = _shortened(found.exif)
    notes += [f"the EXIF field 0x{tag:04X} is too long to be kept" for tag in too_long]
    options: dict[str, Any] = {"exif": _EXIF_HEAD + exif_data.build(exif)}
    if found.dpi:
        options["dpi"] = found.dpi
    if 0 < len(found.xmp) <= _SEGMENT - len(_XMP_HEAD):
        options["xmp"] = found.xmp
    elif found.xmp:
        notes.append("its XMP is too long to be kept")
    if 0 < len(found.comment) <= _SEGMENT:
        options["comment"] = found.comment
    blocks = _PHOTOSHOP_HEAD + _photoshop_bytes(found.resources)
    if found.resources and len(blocks) <= _SEGMENT:
        options["extra"] = b"\xff\xed" + struct.pack(">H", len(blocks) + 2) + blocks
    elif found.resources:
        notes.append("its IPTC is too long to be kept")
    return options, tuple(notes)


def _shortened(data: ExifData) -> tuple[ExifData, list[int]]:
    """Leave out the largest fields until the rest fits into one segment; return their tags."""
    groups = [dict(group) for group in (data.main, data.photo, data.gps, data.interop)]
    too_long = []
    while len(exif_data.build(data)) > _SEGMENT - len(_EXIF_HEAD):
        sizes = [(len(f.content), tag, i) for i, g in enumerate(groups) for tag, f in g.items()]
        _, tag, place = max(sizes)
        del groups[place][tag]
        too_long.append(tag)
        data = exif_data.with_groups(data, groups, data.order)
    return data, too_long


def _photoshop_bytes(resources: dict[int, bytes]) -> bytes:
    blocks = b""
    for number, content in sorted(resources.items()):
        blocks += b"8BIM" + struct.pack(">HHI", number, 0, len(content))
        blocks += content + b"\0" * (len(content) % 2)
    return blocks


def _png_options(found: Metadata) -> tuple[dict[str, Any], tuple[str, ...]]:
    chunks = PngInfo()
    for name, content in (*found.chunks.items(), *found.texts):
        chunks.add(name, content)
    if found.xmp:
        chunks.add_itxt(_XMP_KEYWORD.decode(), found.xmp.decode("utf-8", "replace"))
    if _IPTC_BLOCK in found.resources:
        content = b"Photoshop 3.0\0" + _photoshop_bytes(found.resources)
        digits = content.hex()
        lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
        chunks.add_text("Raw profile type iptc", f"\niptc\n{len(content):8}\n{lines}\n", zip=True)
    options: dict[str, Any] = {"pnginfo": chunks, "exif": _exif_bytes(found)}
    if found.dpi:
        options["dpi"] = found.dpi
    if found.comment:
        chunks.add_text("Comment", exif_data.decoded(found.comment))
    return options, ()


def _webp_options(found: Metadata) -> tuple[dict[str, Any], tuple[str, ...]]:
    options = {"exif": _exif_bytes(found, with_dpi=True), "xmp": found.xmp}
    return options, _lost(found, texts=True, comment=True, chunks=True, resources=True)


def finish(suffix: str, content: bytearray, found: Metadata) -> None:
    """Put into a written file what Pillow's writer does not take."""
    if suffix in TIFF_SUFFIXES:
        _finish_tiff(content, found)
    elif suffix in JPEG_SUFFIXES and found.density and content[6:11] == b"JFIF\0":
        content[13:18] = found.density
    elif suffix in PNG_SUFFIXES and found.pixel_size and not found.dpi:  # only the pixel's shape
        chunk = b"pHYs" + found.pixel_size
        end = 8 + 25  # signature and IHDR
        checksum = zlib.crc32(chunk)
        content[end:end] = struct.pack(">I", len(found.pixel_size)) + chunk
        content[end + 17 : end + 17] = struct.pack(">I", checksum)


def _finish_tiff(content: bytearray, found: Metadata) -> None:
    """Append all metadata to a TIFF file; its pixels stay where they are.

    The file's own directory is read, completed and written again at the end.
    """
    order = "<" if content[:2] == b"II" else ">"
    own = exif_data.all_fields(bytes(content))
    exif = exif_data.in_order(found.exif, order)
    exif = replace(exif, main=_without_colour(exif.main))
    if found.dpi and exif_data.X_RESOLUTION not in exif.main:
        exif = replace(exif, main={**exif.main, **_resolution(found.dpi, order)})
    blocks: dict[int, Field] = {}
    for tag in (exif_data.X_RESOLUTION, exif_data.Y_RESOLUTION, exif_data.RESOLUTION_UNIT):
        own.pop(tag, None)  # tifffile writes one dot without a unit
    if found.xmp:
        blocks[exif_data.XMP] = Field(exif_data.BYTE, found.xmp)
    if _IPTC_BLOCK in found.resources:
        blocks[exif_data.IPTC] = Field(exif_data.UNDEFINED, found.resources[_IPTC_BLOCK])
    others = {n: block for n, block in found.resources.items() if n != _IPTC_BLOCK}
    if others:
        blocks[exif_data.PHOTOSHOP] = Field(exif_data.BYTE, _photoshop_bytes(others))
    content += b"\0" * (len(content) % 2)
    directories, start = exif_data.build_at(exif, len(content), {**own, **blocks})
    if len(content) + len(directories) < _TIFF_LIMIT:
        content += directories
        content[4:8] = struct.pack(order + "I", start)
