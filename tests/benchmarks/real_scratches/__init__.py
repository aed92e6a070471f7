"""Real old photos whose damage was marked by hand: 26 with damage, 15 without any to speak of.

Every photo is public domain, "No Copyright - United States" or "no known restrictions" (Library
of Congress); ``SOURCES.csv`` names source and licence of each. The masks are CC0. They lie here and
not in the package: 6 MB that only measuring needs.

Who marked, and how: a vision language model looked at each photo in two halves,
enlarged twice, with a grid of coordinates, and wrote down what it took for damage: cracks, creases,
scratches, hairs, spots and flakes where the picture is lost, chips of the edge. No second person
checked the marks. ``decisions.json`` holds what was written: lines with a width, spots with a
radius, areas, and rectangles in which all specks were taken. Within lines and spots
``mark_scratches.py`` keeps the pixels that differ from their surroundings. Proposals of the
detector and of top-hats were looked at first; nearly all were objects, so none was taken over.

Values of a mask (PNG of one channel):

===  ==============================================================================================
0    sound
1    damaged
2    doubtful, not counted: what may be printed, stamped or drawn by hand; the worn edge of a card
     and what lies 12 px around it; specks of a few pixels that nobody judged
===  ==============================================================================================

What to keep in mind: these are postcards and prints with wear, one of them cracked. Badly torn
photos of open licence were not at hand.
"""

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent
SOUND, DAMAGED, DOUBTFUL = 0, 1, 2
HALVES = ("tune", "held_out")
_SEED = 17


@dataclass(frozen=True)
class MarkedPhoto:
    """A photo and what was marked.

    Attributes:
        name: of its files, without suffix.
        photo: uint8 (H, W, 3), RGB.
        marks: uint8 (H, W): SOUND, DAMAGED or DOUBTFUL.
    """

    name: str
    photo: np.ndarray
    marks: np.ndarray

    @property
    def is_damaged(self) -> bool:
        """Tell whether anything is marked as damaged."""
        return bool((self.marks == DAMAGED).any())


def marked_names(half: str) -> list[str]:
    """Return the names of one half, "tune" or "held_out"; those without damage are halved, too."""
    names = {True: [], False: []}
    for name in sorted(row["file"].removesuffix(".jpg") for row in sources()):
        names[(read_marks(name) == DAMAGED).any().item()].append(name)
    chosen = []
    for group in names.values():
        random.Random(_SEED).shuffle(group)
        middle = len(group) // 2
        chosen += group[:middle] if half == HALVES[0] else group[middle:]
    return sorted(chosen)


def marked_photos(half: str) -> list[MarkedPhoto]:
    """Return the photos of one half, "tune" or "held_out"."""
    return [MarkedPhoto(name, read_photo(name), read_marks(name)) for name in marked_names(half)]


def read_photo(name: str) -> np.ndarray:
    """Return a photo, uint8 (H, W, 3)."""
    with Image.open(FOLDER / "photos" / f"{name}.jpg") as file:
        return np.array(file.convert("RGB"))


def read_marks(name: str) -> np.ndarray:
    """Return the marks of a photo, uint8 (H, W)."""
    with Image.open(FOLDER / "masks" / f"{name}.png") as file:
        return np.array(file).astype(np.uint8)


def sources() -> list[dict[str, str]]:
    """Return a dictionary per photo: file, source, licence, changes."""
    with (FOLDER / "SOURCES.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
