"""A house front of equal windows: a picture on which the partial non-local block can be seen."""

import numpy as np
from PIL import Image, ImageDraw

TILE = 32  # pixels; 8 latent positions
WINDOW = 16  # pixels; 4 latent positions, in the middle of a tile
_WALLS = ((201, 164, 124), (176, 190, 170), (196, 150, 150), (168, 172, 196))
_GLASS = ((40, 60, 90), (70, 60, 50), (30, 70, 70), (60, 40, 70))


def facade(floors: int = 4, columns: int = 5, seed: int = 0) -> np.ndarray:
    """Draw a house front: the windows of one floor are equal, each floor has its own kind.

    Returns:
        uint8 (32 floors, 32 columns, 3), with a little grain.

    >>> facade(floors=2, columns=3).shape
    (64, 96, 3)
    """
    rows = [np.tile(_tile(floor), (1, columns, 1)) for floor in range(floors)]
    drawn = np.concatenate(rows).astype(float)
    drawn += np.random.default_rng(seed).normal(0, 1, drawn.shape)
    return drawn.clip(0, 255).round().astype(np.uint8)


def _tile(floor: int) -> np.ndarray:
    """Draw one window with the wall around it."""
    kind = floor % len(_WALLS)
    image = Image.new("RGB", (TILE, TILE), _WALLS[kind])
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, TILE - 4, TILE, TILE), fill=(228, 222, 210))  # the ledge below
    left, right = (TILE - WINDOW) // 2, (TILE + WINDOW) // 2 - 1
    pen.rectangle((left, left, right, right), fill=(245, 242, 235))  # the frame
    pen.rectangle((left + 2, left + 2, right - 2, right - 2), fill=_GLASS[kind])
    middle = TILE // 2
    if kind in (0, 2):  # a bar from top to bottom
        pen.rectangle((middle - 1, left, middle, right), fill=(245, 242, 235))
    if kind in (0, 1):  # a bar across
        pen.rectangle((left, middle - 3, right, middle - 2), fill=(245, 242, 235))
    if kind == 1:  # curtains
        pen.polygon([(left + 2, left + 2), (middle, left + 2), (left + 2, right - 2)], "lightgrey")
    if kind == 3:  # a blind
        for row in range(left + 2, middle + 2, 3):
            pen.line((left + 2, row, right - 2, row), fill=(225, 200, 120), width=2)
    # Light from the upper left: no two places of a wall are alike.
    down, across = np.mgrid[:TILE, :TILE] / TILE
    shade = 1.08 - 0.18 * down - 0.14 * across
    return np.array(image) * shade[..., None]
