"""``python -m data_tools split``: assign each photo to training, validation or test."""

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, read_catalogue, write_catalogue
from oldphoto.checks import InputError, require_file
from oldphoto.system.outputs import lock_folder

SPLITS = ("train", "validation", "test")
DEFAULT_PERCENT = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with a catalogue.csv")
    add_percentages(parser)


def add_percentages(parser: argparse.ArgumentParser) -> None:
    """Declare the percentages of validation and test; training gets the rest."""
    for name in SPLITS[1:]:
        parser.add_argument(
            f"--{name}", type=float, default=DEFAULT_PERCENT, metavar="PERCENT",
            help=f"percent of the photos for {name} (default {DEFAULT_PERCENT:g})",
        )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Write the split of each photo into the catalogue and print the number of photos in each."""
    require_percentages(args.validation, args.test)
    path = args.folder / CATALOGUE_NAME
    require_file(path, "a catalogue")
    with lock_folder(args.folder):
        rows = [with_split(row, args.validation, args.test) for row in read_catalogue(path)]
        write_catalogue(path, rows)
    counts = Counter(row.split for row in rows if row.status == "kept")
    print(", ".join(f"{name} {counts[name]}" for name in SPLITS) + f" of {counts.total()} photos")
    return 0


def require_percentages(validation: float, test: float) -> None:
    """Raise InputError unless both percentages are valid and leave photos for training."""
    if not (validation >= 0 and test >= 0 and validation + test < 100):  # also for nan
        raise InputError(
            "validation and test must be at least 0 percent and together below 100, "
            f"got {validation:g} and {test:g}"
        )


def with_split(row: CatalogueRow, validation: float, test: float) -> CatalogueRow:
    """Return the row with its split; a failed row has none."""
    if row.status == "failed":
        return row
    return replace(row, split=split_of(row.sha256, validation, test))


def split_of(sha256: str, validation: float, test: float) -> str:
    """Return the split of a photo, from the first digits of its SHA-256.

    The digits are as good as random, but fixed: a photo stays in its split when others are added,
    renamed or removed, so no test photo ever becomes a training photo.

    Args:
        sha256: SHA-256 of the file in hexadecimal digits.
        validation: percent of the photos for validation.
        test: percent of the photos for the test.

    Returns:
        ``train``, ``validation`` or ``test``.

    Raises:
        InputError: if the hash is not hexadecimal.

    >>> split_of("0" * 64, validation=5, test=5), split_of("f" * 64, validation=5, test=5)
    ('test', 'train')
    """
    try:
        place = int(sha256[:13], 16) / 16**13 * 100
    except ValueError as error:
        raise InputError(
            f"expected a SHA-256 in hexadecimal digits, got {sha256!r}; "
            "make the catalogue anew with: python -m data_tools catalogue DIR"
        ) from error
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"
