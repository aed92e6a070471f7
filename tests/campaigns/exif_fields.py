"""Photos with odd EXIF: every field in every type, with true and absurd counts, in four formats.

    python -m tests.campaigns.exif_fields --seed 0 --count 4000

Each photo is read, written with its record as ``oldphoto restore`` writes it, and read again. It
holds if its pixels are those of the sound photo, the record is found, and it took at most
``--seconds``. The exit code is 1 if one did not hold.
"""

import io
import itertools
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from oldphoto.images.files import read_photo
from oldphoto.inference.provenance import Provenance, read_provenance, write_recorded
from tests.campaigns.report import HELD, campaign_parser, finish

# Where a field stands, and its tag: texts, dates, numbers, pointers, and what is read specially.
MAIN = (0x10E, 0x10F, 0x110, 0x112, 0x11A, 0x11B, 0x128, 0x131, 0x132, 0x13B, 0x8298)
XP_TEXTS = (0x9C9B, 0x9C9C)
POINTERS = (0x8769, 0x8825, 0xA005, 0x14A, 0x201, 0x202)
STRUCTURE = (0x2BC, 0x83BB, 0x8649, 0x8773)  # XMP, IPTC, Photoshop, colour profile
PHOTO = (0x9000, 0x9003, 0x9004, 0x9010, 0x927C, 0x9286, 0x9290, 0xA000, 0xA001, 0xA002, 0xA003)
PHOTO_MORE = (0xA420, 0xA434, 0x829A, 0x829D, 0x8827, 0xA005, 0x9213)
FIELDS = [("main", tag) for tag in (*MAIN, *XP_TEXTS, *POINTERS, *STRUCTURE)]
FIELDS += [("photo", tag) for tag in (*PHOTO, *PHOTO_MORE)] + [("gps", tag) for tag in (1, 2, 29)]
TYPES = (*range(14), 16, 129, 65535)
COUNTS = (0, 1, 3, 40, 65_536, 2**32 - 1)
FORMATS = (".jpg", ".png", ".webp", ".tif")
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
RECORD = Provenance("small", "ab" * 32, 0.25)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


@dataclass(frozen=True)
class Case:
    """One field of one type with a count, in a photo of one format and byte order."""

    place: str
    tag: int
    kind: int
    count: int
    suffix: str
    order: str
    seed: int

    def __str__(self) -> str:
        return (
            f"{self.suffix} {self.order} {self.place} 0x{self.tag:04X} {self.kind} x {self.count}"
        )


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield cases in an order that the seed decides; each combination at most once."""
    everything = list(itertools.product(FIELDS, TYPES, COUNTS, FORMATS, "<>"))
    for number, (field, *others) in enumerate(random.Random(seed).sample(everything, count)):
        yield Case(*field, *others, seed=seed + number)


def odd_exif(case: Case, offset: int = 0) -> bytes:
    """Return EXIF data with the odd field; an offset, where it stands in a TIFF file."""
    values = random.Random(case.seed).randbytes(min(_SIZES.get(case.kind, 1) * case.count, 500))
    odd = (case.tag, case.kind, case.count, values)
    sound = (0x10E, 2, 4, b"mill")
    main = [sound] if case.place != "main" else [sound, odd]
    inner = b""
    start = offset + 8
    if case.place != "main":
        inner = _directory([odd], start, case.order)
        pointer = 0x8769 if case.place == "photo" else 0x8825
        main.append((pointer, 4, 1, struct.pack(case.order + "I", start)))
    magic = (b"II" if case.order == "<" else b"MM") + struct.pack(case.order + "H", 42)
    first = start + len(inner)
    return (
        magic + struct.pack(case.order + "I", first) + inner + _directory(main, first, case.order)
    )


def _directory(fields: list[tuple[int, int, int, bytes]], start: int, order: str) -> bytes:
    entries, values = struct.pack(order + "H", len(fields)), b""
    room = start + 2 + 12 * len(fields) + 4
    for tag, kind, count, content in sorted(fields):
        inline = content.ljust(4, b"\0")
        if len(content) > 4 or _SIZES.get(kind, 1) * count > 4:
            inline = struct.pack(order + "I", room + len(values))
            values += content + b"\0" * (len(content) % 2)
        entries += struct.pack(order + "HHI", tag, kind, count) + inline
    return entries + b"\0" * 4 + values


def write_case(case: Case, folder: Path) -> Path:
    """Write the photo of a case."""
    path = folder / f"photo{case.suffix}"
    buffer = io.BytesIO()
    image = Image.fromarray(PIXELS)
    if case.suffix == ".tif":
        path.write_bytes(_tiff_with(case))
        return path
    kind = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[case.suffix]
    options = {"lossless": True} if case.suffix == ".webp" else {}
    image.save(buffer, kind, exif=b"Exif\0\0" + odd_exif(case), **options)
    path.write_bytes(buffer.getvalue())
    return path


def _tiff_with(case: Case) -> bytes:
    """Return a TIFF file whose only directory has the picture and the odd field."""
    height, width = PIXELS.shape[:2]
    pixels, order = PIXELS.tobytes(), case.order
    numbers = {256: width, 257: height, 259: 1, 262: 2, 273: 8, 277: 3, 278: height}
    numbers[279] = len(pixels)
    fields = [(tag, 4, 1, struct.pack(order + "I", value)) for tag, value in numbers.items()]
    fields.append((258, 3, 3, struct.pack(order + "3H", 8, 8, 8)))
    values = random.Random(case.seed).randbytes(min(_SIZES.get(case.kind, 1) * case.count, 500))
    odd = (case.tag, case.kind, case.count, values)
    start, inner = 8 + len(pixels), b""
    if case.place == "main":
        fields.append(odd)
    else:
        inner = _directory([odd], start, order)
        pointer = 0x8769 if case.place == "photo" else 0x8825
        fields.append((pointer, 4, 1, struct.pack(order + "I", start)))
    first = start + len(inner)
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, first)
    return magic + pixels + inner + _directory(fields, first, order)


def fault_of(case: Case, folder: Path, max_seconds: float = 5.0) -> str:
    """Return what went wrong with a case; "" if it held."""
    started = time.process_time()
    try:
        path = write_case(case, folder)
        photo = read_photo(path)
        output = folder / f"out{case.suffix}"
        write_recorded(output, photo.pixels, RECORD, photo.icc_profile, photo.metadata)
        found = read_provenance(output)
        again = read_photo(output).pixels
    except Exception as error:  # noqa: BLE001 - any error is what the campaign looks for
        return f"{type(error).__name__}: {error}"
    seconds = time.process_time() - started
    if seconds > max_seconds:
        return f"took {seconds:.0f} s"
    if found is None or found.weights_sha256 != RECORD.weights_sha256:
        return "the record is not found"
    is_turned = case.tag == 0x112 and case.place == "main"  # a legal value turns the photo
    if not is_turned and case.suffix != ".jpg" and not np.array_equal(photo.pixels, PIXELS):
        return "other pixels"
    return "" if again.shape == photo.pixels.shape else "turned a second time"


def main() -> int:
    """Run the campaign and print its report."""
    parser = campaign_parser(__doc__, count=4000)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="processor seconds that a photo may take"
    )
    args = parser.parse_args()
    outcomes = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(args.seed, args.count):
            fault = fault_of(case, Path(folder), args.seconds)
            outcomes[f"{case}: {fault}" if fault else HELD] += 1
    return finish({"photos: with odd EXIF": outcomes}, args)


if __name__ == "__main__":
    sys.exit(main())
