"""List the photos of a folder for training."""

import csv
from collections.abc import Sequence
from itertools import chain, cycle, islice
from pathlib import Path

from oldphoto.checks import InputError, require_folder
from oldphoto.images.files import list_photos

CATALOGUE_NAME = "catalogue.csv"


def photo_paths(folder: Path, split: str | None = None, mode: str | None = None) -> list[Path]:
    """Return the photos of a folder, by its catalogue if it has one.

    Without ``catalogue.csv`` these are all photos directly in the folder. With it, they are the
    kept rows with this split and mode. A row without a split counts as ``train``.

    Args:
        folder: a folder of photos, such as ``python -m data_tools clean`` writes.
        split: ``train``, ``validation``, ``test``; None takes all.
        mode: ``L`` (one colour) or ``RGB``; None takes both.

    Raises:
        InputError: if there is no such folder or photo, or split or mode is given for a folder
            without a catalogue.
    """
    require_folder(folder, "a folder of photos")
    catalogue = folder / CATALOGUE_NAME
    if not catalogue.is_file():
        if split is not None or mode is not None:
            raise InputError(
                f"{folder} has no {CATALOGUE_NAME}, which says the split and mode of each photo; "
                f"make one with: python -m data_tools catalogue {folder}"
            )
        return list_photos(folder)
    try:
        with catalogue.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("status") == "kept"]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{catalogue} is no catalogue ({error}): move it away, or make it anew with: "
            f"python -m data_tools catalogue {folder}"
        ) from error
    rows = [row for row in rows if split is None or (row.get("split") or "train") == split]
    wanted = [row for row in rows if mode is None or row.get("mode") == mode]
    paths = [folder / row["path"] for row in wanted if row.get("path")]
    if not paths:
        raise InputError(f"{catalogue} lists no photo with split {split} and mode {mode}")
    return sorted(paths)


def alternate(first: Sequence[Path], second: Sequence[Path]) -> list[Path]:
    """Alternate between two lists, repeating the shorter one, so that each is half of the result.

    The authors draw real old photos from a black-and-white and a colour folder with equal
    probability: ``alternate(photo_paths(folder, mode="L"), photo_paths(folder, mode="RGB"))``.

    >>> [path.name for path in alternate([Path("a"), Path("b")], [Path("C")])]
    ['a', 'C', 'b', 'C']
    """
    if not first or not second:
        return list(first) + list(second)
    length = max(len(first), len(second))
    pairs = zip(islice(cycle(first), length), islice(cycle(second), length), strict=True)
    return list(chain.from_iterable(pairs))
