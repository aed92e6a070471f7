"""The record in a restored photo: which network made it, and how much of it was invented.

The record is one line of JSON: in PNG files in the text chunk ``oldphoto``, in JPEG and WebP files
in the EXIF field UserComment, in TIFF files in the last line of ImageDescription. Where the
original has a comment or a description of its own, that stays, and the record stands in the EXIF
field ImageHistory. A sentence for people is written into ImageDescription, which many viewers show,
unless the original already had a description.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from oldphoto.checks import InputError
from oldphoto.images import exif
from oldphoto.images.exif import ExifData, Field
from oldphoto.images.files import read_metadata, write_photo
from oldphoto.images.metadata import PNG_SUFFIXES, TIFF_SUFFIXES, Metadata, fitted, text_chunk
from oldphoto.system.packages import own_version

STATEMENT = (
    "restored by a neural network: pixels in the mask are invented, all others may have changed"
)
PNG_KEY = "oldphoto"
_ASCII = b"ASCII\0\0\0"  # EXIF: how the text of a UserComment is coded
# PNG texts that have a field in EXIF, for results in another format.
_FIELD_OF_TEXT = {
    "Description": exif.DESCRIPTION,
    "Author": exif.ARTIST,
    "Copyright": exif.COPYRIGHT,
}


@dataclass(frozen=True)
class Provenance:
    """The record of one restored photo.

    Attributes:
        weights: name of the weights, without the folders above them.
        weights_sha256: of ``network_sha256``.
        masked_share: of the pixels, in [0, 1], that were marked as damaged.
        software: name and version.
        statement: what that means, in words.
        original_comment: comment of the original photo, which the record replaces.
    """

    weights: str
    weights_sha256: str
    masked_share: float
    software: str = ""
    statement: str = STATEMENT
    original_comment: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.masked_share <= 1:
            raise InputError(f"masked_share must be within 0 and 1, got {self.masked_share}")
        if not self.software:
            object.__setattr__(self, "software", f"oldphoto {own_version()}")

    @property
    def sentence(self) -> str:
        """The record as one sentence."""
        share = f"{100 * self.masked_share:.1f} % of the pixels were in the mask"
        return f"{self.statement} ({share}; {self.software}, weights {self.weights})"


def network_sha256(network: nn.Module) -> str:
    """Return the SHA-256 of all weights of a network, as 64 hexadecimal digits.

    It is computed from the loaded numbers, not from files, so it does not depend on the file
    format: each weight's name, then its values as little-endian float32, sorted by name.

    Example:
        >>> network_sha256(nn.Identity())[:12]
        'e3b0c44298fc'
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def write_recorded(
    path: str | Path,
    pixels: np.ndarray,
    record: Provenance,
    icc_profile: bytes | None = None,
    original: str | Path | Metadata | None = None,
) -> tuple[str, ...]:
    """Write a restored photo with its record and the original's metadata; whole or not at all.

    Args:
        path: the suffix chooses the format, see ``oldphoto.images.files.WRITERS``.
        pixels: uint8 (H, W, 3), upright; uint16 for PNG and TIFF.
        record: of this photo.
        icc_profile: colour profile of the pixels.
        original: file of the original photo, or its metadata. All of it is kept, except what
            describes the old pixels: orientation, thumbnail, MakerNote.

    Returns:
        Sentences on metadata that could not be kept.

    Raises:
        InputError: as ``write_photo``.
    """
    suffix = Path(path).suffix.lower()
    metadata = _metadata_of(original)
    earlier = [found for text in _possible_records(metadata) if (found := _parsed(text))]
    comment = earlier[0].original_comment if earlier else _comment_of(metadata.exif)
    record = replace(record, original_comment=record.original_comment or comment)
    turned = metadata.orientation >= 5
    metadata = fitted(metadata, pixels.shape[:2], turned, converted=False)
    metadata = _without_our_words(metadata)
    if suffix not in PNG_SUFFIXES:
        metadata = _texts_as_fields(metadata)
    described = _with_record(metadata, record, suffix)
    return metadata.notes + write_photo(path, pixels, icc_profile, described)


def read_provenance(path: str | Path) -> Provenance | None:
    """Return the record of a photo file; None if it has none that this package wrote.

    A record proves nothing, because anybody can remove or change it.

    Raises:
        InputError: if the file is not an image.
    """
    found = (_parsed(text) for text in _possible_records(read_metadata(path)))
    return next((record for record in found if record), None)


def _metadata_of(original: str | Path | Metadata | None) -> Metadata:
    """Return the original's metadata; unreadable metadata never costs a restored photo."""
    if isinstance(original, Metadata):
        return original
    try:
        return read_metadata(original) if original is not None else Metadata()
    except InputError:
        return Metadata()


def _possible_records(metadata: Metadata) -> list[str]:
    """Return the texts of a file that may be a record, the most likely first."""
    fields = metadata.exif
    last_line = fields.text(exif.DESCRIPTION).rpartition("\n")[2]
    history = fields.text(exif.HISTORY, photo=True)
    return [metadata.png_texts().get(PNG_KEY, ""), history, _comment_of(fields), last_line]


def _parsed(text: str) -> Provenance | None:
    try:
        fields = json.loads(text or "null")
        return Provenance(**fields) if isinstance(fields, dict) else None
    except (ValueError, TypeError, RecursionError, InputError):  # somebody else's comment
        return None


def _without_our_words(metadata: Metadata) -> Metadata:
    """Remove records and sentences of an earlier restoration: the last record counts."""
    main, photo = dict(metadata.exif.main), dict(metadata.exif.photo)
    description = metadata.exif.text(exif.DESCRIPTION)
    words = _without_records(description)
    if not words:
        main.pop(exif.DESCRIPTION, None)
    elif words != description.rstrip("\n"):
        main[exif.DESCRIPTION] = exif.text_field(words)
    if metadata.exif.text(exif.SOFTWARE).startswith("oldphoto "):
        del main[exif.SOFTWARE]
    if _parsed(_comment_of(metadata.exif)):
        del photo[exif.COMMENT]
    if _parsed(metadata.exif.text(exif.HISTORY, photo=True)):
        del photo[exif.HISTORY]
    ours = [
        key
        for key, text in metadata.png_texts().items()
        if key == PNG_KEY or (key == "Description" and not _without_records(text))
    ]
    texts = tuple(
        (kind, content)
        for kind, content in metadata.texts
        if content.partition(b"\0")[0].decode("latin-1") not in ours
    )
    return replace(metadata, exif=replace(metadata.exif, main=main, photo=photo), texts=texts)


def _texts_as_fields(metadata: Metadata) -> Metadata:
    """Move the texts of a PNG file into the EXIF fields of the same meaning."""
    main = dict(metadata.exif.main)
    moved = set()
    for key, text in metadata.png_texts().items():
        tag = _FIELD_OF_TEXT.get(key)
        if tag is not None and tag not in main and text:
            main[tag] = exif.text_field(text)
            moved.add(key)
    texts = tuple(
        (kind, content)
        for kind, content in metadata.texts
        if content.partition(b"\0")[0].decode("latin-1") not in moved
    )
    return replace(metadata, exif=replace(metadata.exif, main=main), texts=texts)


def _with_record(metadata: Metadata, record: Provenance, suffix: str) -> Metadata:
    """Add the record, its sentence and the program's name in the places of the file's format."""
    main, photo = dict(metadata.exif.main), dict(metadata.exif.photo)
    text = json.dumps(asdict(record))  # ASCII
    texts = metadata.texts
    has_software = exif.SOFTWARE in main
    main[exif.PROCESSING_SOFTWARE if has_software else exif.SOFTWARE] = exif.text_field(
        record.software
    )
    keys = metadata.png_texts()
    sentence = keys.get("Description") or record.sentence
    is_described = exif.DESCRIPTION in main
    main.setdefault(exif.DESCRIPTION, exif.text_field(sentence))
    if suffix in PNG_SUFFIXES:
        texts += (text_chunk(PNG_KEY, text),)
        if "Description" not in keys:
            words = ExifData(main).text(exif.DESCRIPTION)
            texts += (text_chunk("Description", words),)
    elif suffix in TIFF_SUFFIXES and not is_described:
        main[exif.DESCRIPTION] = exif.text_field(f"{sentence}\n{text}")
    elif suffix not in TIFF_SUFFIXES and exif.COMMENT not in photo:
        photo[exif.COMMENT] = Field(exif.UNDEFINED, _ASCII + text.encode("ascii"))
    else:
        photo[exif.HISTORY] = exif.text_field(text)
    return replace(metadata, exif=replace(metadata.exif, main=main, photo=photo), texts=texts)


def _without_records(description: str) -> str:
    """Return a description without the sentence and the line of a record."""
    lines = [line for line in description.splitlines() if not _parsed(line)]
    return "\n".join(line for line in lines if not line.startswith(STATEMENT))


def _comment_of(fields: ExifData) -> str:
    """Return the text of the field UserComment, in any of its codings; "" where there is none."""
    found = fields.photo.get(exif.COMMENT)
    if found is None or found.kind not in (exif.BYTE, exif.ASCII, exif.UNDEFINED, exif.UTF8):
        return ""
    coding, content = found.content[:8], found.content[8:]
    if coding == b"UNICODE\0":
        big = fields.order == ">"
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            big, content = content[:2] == b"\xfe\xff", content[2:]
        text = content.decode("utf-16-be" if big else "utf-16-le", "replace")
    elif coding == b"JIS\0\0\0\0\0":
        text = content.decode("iso2022_jp", "replace")
    elif coding in (_ASCII, bytes(8)):
        text = exif.decoded(content)
    else:
        text = exif.decoded(found.content)
    return text.strip("\0 ")
