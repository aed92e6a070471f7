"""The record in a restored photo: which network made it, and how much of it was invented.

The record is one line of JSON: in PNG files in the text chunk ``oldphoto``, in JPEG and WebP files
in the EXIF field UserComment, in TIFF files in the last line of ImageDescription. A sentence for
people is written into the field for descriptions, which many viewers show, unless the original
already had a description, which is kept.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from torch import nn

from oldphoto.checks import InputError
from oldphoto.images.files import Metadata, read_metadata, write_photo
from oldphoto.system.packages import own_version

STATEMENT = (
    "restored by a neural network: pixels in the mask are invented, all others may have changed"
)
PNG_KEY = "oldphoto"
_ASCII = b"ASCII\0\0\0"  # EXIF: how the text of a UserComment is coded
_COMMENT = ExifTags.Base.UserComment
_DESCRIPTION = ExifTags.Base.ImageDescription
_NORMAL = 1  # orientation of a photo whose rows go down and whose columns go right
# Copied from the original: descriptions and dates. The other fields describe the old pixels.
_KEPT = (
    _DESCRIPTION,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.Base.DateTime,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
)
_KEPT_INNER = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized)


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
) -> None:
    """Write a restored photo with its record; whole or not at all.

    Args:
        path: the suffix chooses the format, see ``oldphoto.images.files.WRITERS``.
        pixels: uint8 (H, W, 3), upright.
        record: of this photo.
        icc_profile: colour profile of the pixels.
        original: file of the original photo, or its metadata. Description, artist, copyright and
            dates are copied; the orientation is not, because the pixels are upright now.

    Raises:
        InputError: as ``write_photo``.
    """
    exif, comment = _words_of(original)
    record = replace(record, original_comment=record.original_comment or comment)
    text = json.dumps(asdict(record))
    exif[ExifTags.Base.Orientation] = _NORMAL
    exif[ExifTags.Base.Software] = record.software
    exif.setdefault(_DESCRIPTION, _ascii(record.sentence))
    options: dict[str, Any] = {"exif": exif}
    suffix = Path(path).suffix.lower()
    if suffix == ".png":
        chunks = PngInfo()
        chunks.add_itxt(PNG_KEY, text)
        chunks.add_itxt("Description", str(exif[_DESCRIPTION]))
        options["pnginfo"] = chunks
    elif suffix in (".tif", ".tiff"):  # Pillow writes no inner EXIF fields into compressed TIFF
        exif[_DESCRIPTION] = f"{exif[_DESCRIPTION]}\n{text}"
    else:
        exif.get_ifd(ExifTags.IFD.Exif)[_COMMENT] = _ASCII + text.encode("ascii")
    write_photo(path, pixels, icc_profile, options)


def read_provenance(path: str | Path) -> Provenance | None:
    """Return the record of a photo file; None if it has none that this package wrote.

    A record proves nothing, because anybody can remove or change it.

    Raises:
        InputError: if the file is not an image.
    """
    found = (_parsed(text) for text in _possible_records(read_metadata(path)))
    return next((record for record in found if record), None)


def _possible_records(metadata: Metadata) -> list[str]:
    """Return the texts of a file that may be a record, the most likely first."""
    exif = metadata.exif
    last_line = str(exif.get(_DESCRIPTION, "")).rpartition("\n")[2]
    return [metadata.texts.get(PNG_KEY, ""), _comment_of(exif), last_line]


def _parsed(text: str) -> Provenance | None:
    try:
        fields = json.loads(text or "null")
        return Provenance(**fields) if isinstance(fields, dict) else None
    except (ValueError, TypeError, InputError):  # somebody else's comment
        return None


def _words_of(original: str | Path | Metadata | None) -> tuple[Image.Exif, str]:
    """Return the descriptions and dates of a photo as EXIF, and its comment.

    Records of ours are left out: if a photo is restored twice, the last record counts.
    """
    kept = Image.Exif()
    try:
        metadata = read_metadata(original) if isinstance(original, str | Path) else original
    except InputError:  # unreadable metadata is no reason to lose a restored photo
        metadata = None
    if metadata is None:
        return kept, ""
    found, described = metadata.exif, metadata.texts.get("Description")
    earlier = [_parsed(text) for text in _possible_records(metadata)]
    for tag in _KEPT:
        if found.get(tag):
            kept[tag] = found[tag]
    inner = found.get_ifd(ExifTags.IFD.Exif)
    for tag in _KEPT_INNER:
        if inner.get(tag):
            kept.get_ifd(ExifTags.IFD.Exif)[tag] = inner[tag]
    words = _without_records(str(kept.get(_DESCRIPTION) or described or ""))
    if words:
        kept[_DESCRIPTION] = _ascii(words)
    elif _DESCRIPTION in kept:
        del kept[_DESCRIPTION]
    ours = [record.original_comment for record in earlier if record]
    return kept, ours[0] if ours else _comment_of(found)


def _without_records(description: str) -> str:
    """Return a description without the sentence and the line of a record."""
    lines = [line for line in description.splitlines() if not _parsed(line)]
    return "\n".join(line for line in lines if not line.startswith(STATEMENT))


def _comment_of(exif: Image.Exif) -> str:
    """Return the text of the field UserComment; empty where there is none."""
    value = exif.get_ifd(ExifTags.IFD.Exif).get(_COMMENT, b"")
    if isinstance(value, str):
        return value
    return bytes(value).removeprefix(_ASCII).strip(b"\0 ").decode("utf-8", errors="replace")


def _ascii(text: str) -> str:
    """EXIF texts are ASCII; other letters are replaced by a question mark."""
    return text.encode("ascii", errors="replace").decode("ascii")
