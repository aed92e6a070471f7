"""Contact sheets: many small photos with their names on one page, to look at with own eyes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from oldphoto.checks import InputError
from oldphoto.data.reading import decode_photo
from oldphoto.images.files import write_photo

CELL = 168
LABEL = 14
COLUMNS = 10
ROWS = 8
PER_SHEET = COLUMNS * ROWS


def write_sheets(folder: Path, name: str, photos: Sequence[tuple[Path, str]]) -> list[Path]:
    """Write as many sheets as the photos need, ``NAME_01.jpg`` and so on.

    Args:
        folder: where the sheets go.
        name: start of their file names.
        photos: file and caption of each photo.

    Returns:
        The sheets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sheets = []
    for number, start in enumerate(range(0, len(photos), PER_SHEET), start=1):
        path = folder / f"{name}_{number:02}.jpg"
        write_photo(path, draw_sheet(photos[start : start + PER_SHEET]))
        sheets.append(path)
    return sheets


def draw_sheet(photos: Sequence[tuple[Path, str]]) -> np.ndarray:
    """Draw one sheet, uint8 (H, W, 3); a photo that cannot be read is an empty cell."""
    rows = -(-len(photos) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * (CELL + LABEL)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (path, caption) in enumerate(photos):
        left, top = index % COLUMNS * CELL, index // COLUMNS * (CELL + LABEL)
        draw.rectangle([left, top, left + CELL - 1, top + CELL + LABEL - 1], outline="lightgrey")
        small = _thumbnail(path)
        if small is not None:
            sheet.paste(small, (left + 2, top + 2))
        draw.text((left + 3, top + CELL), caption[-26:], fill="black")
    return np.asarray(sheet)


def _thumbnail(path: Path) -> Image.Image | None:
    """Return a small copy of a photo, None if it cannot be read."""
    try:
        small = Image.fromarray(decode_photo(path, CELL))
    except InputError:
        return None
    small.thumbnail((CELL - 4, CELL - 4))
    return small
