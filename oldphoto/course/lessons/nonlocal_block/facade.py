"""House fronts of equal windows: pictures on which the partial non-local block can be seen."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from oldphoto.course.lessons.nonlocal_block.attention import Scene
from oldphoto.images.tensors import to_tensor

TILE = 32  # pixels; 8 latent positions
WINDOW = 16  # pixels; 4 latent positions, in the middle of a tile
MARGIN = (TILE - WINDOW) // 2
Seed = int | Sequence[int]


def facade(floors: int = 4, columns: int = 5, seed: Seed = 0) -> np.ndarray:
    """Draw a house front: the windows of one floor are equal, each floor has its own kind.

    Colours and kinds come from the seed.

    Returns:
        uint8 (32 floors, 32 columns, 3), with a little grain.

    >>> facade(floors=2, columns=3).shape
    (64, 96, 3)
    """
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([np.tile(_tile(rng), (1, columns, 1)) for _ in range(floors)])
    drawn += rng.normal(0, 1, drawn.shape)
    return drawn.clip(0, 255).round().astype(np.uint8)


def facades(num: int, floors: int = 3, columns: int = 3, seed: Seed = 0) -> tuple[Tensor, Tensor]:
    """Draw several house fronts, and a mask over one window of each.

    Returns:
        The fronts (num, 3, H, W) in [-1, 1] and their masks (num, 1, H, W), 1 = damaged.

    >>> [tuple(part.shape) for part in facades(2)]
    [(2, 3, 96, 96), (2, 1, 96, 96)]
    """
    rng = np.random.default_rng(seed)
    seeds = rng.integers(2**32, size=num)
    fronts = torch.cat([to_tensor(facade(floors, columns, int(own))) for own in seeds])
    masks = torch.zeros(num, 1, TILE * floors, TILE * columns)
    for mask in masks:
        row, column = (TILE * rng.integers(count) + MARGIN for count in (floors, columns))
        mask[:, row : row + WINDOW, column : column + WINDOW] = 1
    return fronts, masks


def on_twins(scene: Scene) -> float:
    """Return how much the hole of a front borrows from its twins, in [0, 1].

    The twins of a position are the same place in the other windows of its floor.

    Args:
        scene: of a front whose latent has a quarter of the rows and columns.
    """
    period = TILE // 4
    rows = [scene.row((row, column))[row, column % period :: period] for row, column in scene.hole]
    return float(np.mean([row.sum() for row in rows]))


def _tile(rng: np.random.Generator) -> np.ndarray:
    """Draw one window with the wall around it, float (32, 32, 3)."""

    def colour(low: int, high: int) -> tuple[int, int, int]:
        red, green, blue = rng.integers(low, high, 3).tolist()
        return red, green, blue

    image = Image.new("RGB", (TILE, TILE), colour(120, 220))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, TILE - 4, TILE, TILE), fill=colour(60, 255))  # the ledge below
    first, last, middle = MARGIN, TILE - MARGIN - 1, TILE // 2
    frame = colour(120, 255)
    pen.rectangle((first, first, last, last), fill=frame)
    inside = first + 2, last - 2
    pen.rectangle((inside[0], inside[0], inside[1], inside[1]), fill=colour(0, 160))  # the glass
    kind, bright = rng.integers(4), colour(60, 255)
    if kind == 0:  # curtains
        for side in inside:
            pen.polygon([(side, inside[0]), (middle, inside[0]), (side, inside[1])], fill=bright)
    elif kind == 1:  # a blind
        for row in range(inside[0], middle + 2, 3):
            pen.line((inside[0], row, inside[1], row), fill=bright, width=2)
    elif kind == 2:  # a lamp
        pen.ellipse((middle - 4, middle - 2, middle + 3, inside[1]), fill=bright)
    else:  # a shutter over the lower half
        pen.rectangle((inside[0], middle, inside[1], inside[1]), fill=bright)
    if rng.random() < 0.5:  # a bar from top to bottom
        pen.rectangle((middle - 1, first, middle, last), fill=frame)
    if rng.random() < 0.5:  # a bar across
        pen.rectangle((first, middle - 3, last, middle - 2), fill=frame)
    # Light from the upper left: no two places of a wall are alike.
    down, across = np.mgrid[:TILE, :TILE] / TILE
    return np.array(image) * (1.08 - 0.18 * down - 0.14 * across)[..., None]
