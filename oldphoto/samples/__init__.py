"""A few dozen small photos that ship with the package, so that everything runs offline.

Every photo is public domain, CC0, "no known restrictions" or "No Copyright - United States".
``SOURCES.csv`` beside this file lists title, creator, year, source, licence and changes.

=============  =====================================================================
kind           what
=============  =====================================================================
``old``        real old photos and postcards with real wear, 256 x 256 px
``clean``      modern photos to train with, 256 x 256 px
``held_out``   modern photos that no training uses, for measuring, 256 x 256 px
``show``       larger real old photos (640 px) for display
=============  =====================================================================
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from oldphoto.checks import InputError, require_in

KINDS = ("old", "clean", "held_out", "show")
_FOLDER = Path(__file__).parent


def sample_paths(kind: str) -> list[Path]:
    """Return the files of one kind, in alphabetical order.

    >>> [path.name for path in sample_paths("held_out")[:2]]
    ['astronaut.jpg', 'branches.jpg']

    Raises:
        InputError: if kind is not ``old``, ``clean``, ``held_out`` or ``show``.
    """
    require_in(kind, KINDS, "kind of sample photos")
    return sorted((_FOLDER / kind).glob("*.jpg"))


def sample_names(kind: str) -> list[str]:
    """Return the names of one kind, for ``sample_photo``."""
    return [path.stem for path in sample_paths(kind)]


def sample_path(name: str) -> Path:
    """Return the file of one photo of any kind.

    Raises:
        InputError: if no sample photo has this name.
    """
    for kind in KINDS:
        path = _FOLDER / kind / f"{name}.jpg"
        if path.is_file():
            return path
    known = ", ".join(sorted(name for kind in KINDS for name in sample_names(kind)))
    raise InputError(f"expected the name of a sample photo, got {name!r}; there are: {known}")


def sample_photo(name: str) -> np.ndarray:
    """Return one photo, uint8 (H, W, 3), RGB.

    >>> sample_photo("coffee").shape
    (256, 256, 3)

    Raises:
        InputError: if no sample photo has this name.
    """
    with Image.open(sample_path(name)) as file:
        return np.array(file.convert("RGB"))


def sample_sources() -> list[dict[str, str]]:
    """Return a dictionary per photo: file, title, creator, year, source, licence, changes."""
    with (_FOLDER / "SOURCES.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
