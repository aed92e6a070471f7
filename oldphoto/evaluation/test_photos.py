"""Test photos with known clean originals: degraded by a recipe, with holes of known size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oldphoto.checks import InputError
from oldphoto.degradations import degrade_pair, paint_white
from oldphoto.images.errors import reading
from oldphoto.images.files import load_rgb

HOLE_RATIO = (0.05, 0.20)
"""Fraction of a test photo that its holes cover."""


@dataclass(frozen=True)
class TestPhoto:
    """A degraded photo and its clean original.

    Attributes:
        name: of the file, without suffix.
        degraded: uint8 (H, W, 3), damaged pixels white.
        clean: uint8 (H, W, 3).
        scratch_mask: bool (H, W), True where damaged.
    """

    __test__ = False  # the name starts with Test, but pytest must not collect it

    name: str
    degraded: np.ndarray
    clean: np.ndarray
    scratch_mask: np.ndarray


def make_test_photos(
    paths: Sequence[Path],
    recipe: str = "released",
    seed: int = 0,
    refused: Callable[[Path, str], None] | None = None,
) -> Iterator[TestPhoto]:
    """Degrade each photo by a recipe and cut holes into it. The seed decides the result.

    A photo's damage follows from the seed and its place in ``paths``, so it does not depend on
    photos that cannot be used. ``refused`` is called with each of these and the reason; without it
    the first one ends the iteration.

    >>> from oldphoto.samples import sample_paths
    >>> photo = next(make_test_photos(sample_paths("held_out")))
    >>> photo.name, photo.degraded.shape, round(float(photo.scratch_mask.mean()), 3)
    ('astronaut', (256, 256, 3), 0.179)

    Raises:
        InputError: if there are no photos, or none can be used; without ``refused``: if one cannot.
    """
    if not paths:
        raise InputError("expected at least one clean photo to measure on, got none")
    num_made = 0
    for index, path in enumerate(paths):
        try:
            with reading(path):
                clean = load_rgb(path)
            photo = make_test_photo(path.stem, clean, (seed, index), recipe)
        except InputError as error:
            if refused is None:
                raise
            refused(path, str(error))
            continue
        num_made += 1
        yield photo
    if not num_made:
        raise InputError(f"none of the {len(paths)} photos can be used, the first is {paths[0]}")


def make_test_photo(
    name: str, clean: np.ndarray, seed: tuple[int, ...], recipe: str = "released"
) -> TestPhoto:
    """Degrade one photo, uint8 (H, W, 3), by a recipe and cut holes into it."""
    degraded, clean, mask = degrade_pair(clean, seed, recipe, hole_prob=1.0, hole_ratio=HOLE_RATIO)
    return TestPhoto(name, paint_white(degraded, mask), clean, mask)
