"""Photos with random damage through the reader and the writer: each is read or refused as bad.

    python -m tests.campaigns.damaged_photos --seed 0 --count 2000

A photo holds if it is read and written, or refused by ``BadFileError``, within ``--seconds``.
"""

import io
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, features

from oldphoto.images.errors import BadFileError
from oldphoto.images.files import read_photo
from oldphoto.inference.provenance import Provenance, write_recorded
from tests.campaigns.report import HELD, campaign_parser, finish

RECORD = Provenance("small", "ab" * 32, 0.25)


def sound_photos() -> dict[str, bytes]:
    """Return one sound photo of each format, by suffix."""
    rows, columns = np.mgrid[:48, :64]
    pixels = np.stack([rows * 5, columns * 4, rows + columns], axis=-1).astype(np.uint8)
    deep = (pixels[..., 0].astype(np.uint16) * 257).astype(np.uint16)
    rgb, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x010E], exif[0x0112] = "the mill", 6
    found = {}
    plain = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP"}
    plain |= {".tga": "TGA", ".jp2": "JPEG2000", ".ppm": "PPM", ".tif": "TIFF"}
    if features.check("avif"):
        plain[".avif"] = "AVIF"
    for suffix, kind in plain.items():
        options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "AVIF") else {}
        found[suffix] = _saved(rgb, kind, **options)
    found[".deep.tif"] = _saved(Image.fromarray(deep), "TIFF", compression="tiff_lzw")
    found[".deflate.tiff"] = _saved(rgb, "TIFF", compression="tiff_deflate", exif=exif)
    found[".jpeg.tif"] = _saved(rgb, "TIFF", compression="jpeg")
    found[".rgba.png"] = _saved(rgb.convert("RGBA"), "PNG")
    found[".deep.png"] = _saved(Image.fromarray(deep), "PNG")
    return found


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file with one kind of damage, more often near its start, where the headers are."""
    changed = bytearray(content)
    kind = chance.choice(("bytes", "number", "cut", "removed", "repeated", "zeros"))
    place = int(len(changed) * chance.random() ** 3)
    if kind == "bytes":
        for _ in range(chance.randint(1, 8)):
            changed[int(len(changed) * chance.random() ** 3)] = chance.randrange(256)
    elif kind == "number":
        value = chance.choice((0, 1, 255, 65535, 2**31 - 1, 2**32 - 1))
        changed[place : place + 4] = value.to_bytes(4, chance.choice(("little", "big")))
    elif kind == "cut":
        del changed[chance.randrange(len(changed)) :]
    elif kind == "removed":
        del changed[place : place + chance.randint(1, 40)]
    elif kind == "repeated":
        changed[place:place] = changed[place : place + chance.randint(1, 200)]
    else:
        length = chance.randint(1, 60)
        changed[place : place + length] = bytes(length)
    return bytes(changed)


def outcome_of(content: bytes, suffix: str, folder: Path, max_seconds: float = 10.0) -> str:
    """Return "read" or "refused", or what went wrong."""
    path = folder / f"photo{suffix}"
    path.write_bytes(content)
    started, outcome = time.process_time(), "read"
    try:
        photo = read_photo(path)
        output = folder / f"out{Path(suffix).suffix if suffix[1] in 'jpw' else '.png'}"
        if output.suffix not in (".jpg", ".png", ".webp"):
            output = output.with_suffix(".tif")
        write_recorded(output, photo.pixels, RECORD, photo.icc_profile, photo.metadata)
    except BadFileError as error:
        outcome = "refused" if "\n" not in str(error) else "a sentence of several lines"
    except Exception as error:  # noqa: BLE001 - any other error is what the campaign looks for
        return f"{type(error).__name__}: {error}"
    seconds = time.process_time() - started
    return outcome if seconds <= max_seconds else f"took {seconds:.0f} s"


def main() -> int:
    """Run the campaign and print its report."""
    parser = campaign_parser(__doc__, count=2000)
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="processor seconds that a photo may take"
    )
    args = parser.parse_args()
    photos, outcomes = sorted(sound_photos().items()), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.count):
            chance = random.Random(args.seed * 1_000_003 + number)
            suffix, content = photos[number % len(photos)]
            content = damaged(content, chance)
            outcome = outcome_of(content, suffix, Path(folder), args.seconds)
            is_good = outcome in ("read", "refused")
            outcomes[HELD if is_good else f"number {number}, {suffix}: {outcome}"] += 1
    return finish({"photos: with random damage": outcomes}, args)


if __name__ == "__main__":
    sys.exit(main())
