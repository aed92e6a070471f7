"""Cut a photo that is too large for the memory into overlapping tiles, and blend the results.

Along each axis neighbours share ``2 * margin + ramp`` pixels. The outer ``margin`` of a tile is
discarded, because there a network sees the mirrored border instead of the photo. Over the ``ramp``
in the middle one tile is blended linearly into the other.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from oldphoto.checks import InputError, require_positive


@dataclass(frozen=True)
class Tiling:
    """Size of the tiles and of their overlap, in pixels.

    Attributes:
        tile: height and width.
        margin: width of the discarded border of a tile.
        ramp: width of the strip in which two tiles are blended.
    """

    tile: tuple[int, int]
    margin: int
    ramp: int

    def __post_init__(self) -> None:
        require_positive(ramp=self.ramp)

    @property
    def overlap(self) -> int:
        """Pixels that two neighbours share."""
        return 2 * self.margin + self.ramp


def even_tile(length: int, largest: int, overlap: int, multiple: int) -> int:
    """Return the side of equal tiles that cover ``length``, none longer than ``largest``.

    The number of tiles is the lowest that ``largest`` allows, and their side is the smallest that
    still covers everything. So a photo a little longer than one tile is cut in halves.

    Args:
        length: side of the photo, a multiple of ``multiple``, as are ``largest`` and ``overlap``.

    Raises:
        InputError: if ``largest`` is less than twice the overlap.

    Example:
        >>> even_tile(1000, largest=800, overlap=64, multiple=4)
        532
    """
    if length <= largest:
        return length
    if largest < 2 * overlap:
        raise InputError(f"tiles of {largest} pixels are too small for an overlap of {overlap}")
    count = math.ceil((length - overlap) / (largest - overlap))
    side = math.ceil((length + (count - 1) * overlap) / count)
    return min(largest, math.ceil(side / multiple) * multiple)


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return the first pixel of each tile; the last tile ends with the photo.

    Example:
        >>> tile_starts(1000, tile=532, overlap=64)
        [0, 468]
    """
    if tile >= length:
        return [0]
    starts = list(range(0, length - tile, tile - overlap))
    return [*starts, length - tile]


def tile_places(size: tuple[int, int], tiling: Tiling) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of each tile of a photo of ``size``, in reading order."""
    height, width = tiling.tile
    for top in tile_starts(size[0], height, tiling.overlap):
        for left in tile_starts(size[1], width, tiling.overlap):
            yield slice(top, top + height), slice(left, left + width)


def weighted_places(size: tuple[int, int], tiling: Tiling) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield rows, columns and weight of each tile of a photo of ``size``, in reading order.

    The weights of all tiles at one pixel sum to 1, so a photo is the sum of its weighted tiles.
    Where the network reaches no further than the margin, the sum is what one piece would give, up
    to rounding.

    Yields:
        Two slices and float32 (h, w) in [0, 1].
    """
    rows, columns = (_weights(*axis, tiling) for axis in zip(size, tiling.tile, strict=True))
    for row_place, row_weight in rows:
        for column_place, column_weight in columns:
            yield row_place, column_place, row_weight[:, None] * column_weight


def _weights(length: int, tile: int, tiling: Tiling) -> list[tuple[slice, Tensor]]:
    """Return place and weight, (tile), of each tile along one axis."""
    places = [slice(s, min(s + tile, length)) for s in tile_starts(length, tile, tiling.overlap)]
    weights = [_weight(place, length, tiling) for place in places]
    total = torch.zeros(length)
    for place, weight in zip(places, weights, strict=True):
        total[place] += weight  # more than 1 where the last tile overlaps its neighbour further
    return [(place, weight / total[place]) for place, weight in zip(places, weights, strict=True)]


def _weight(place: slice, length: int, tiling: Tiling) -> Tensor:
    """Return the weight of each row of a tile: 0, a ramp, 1; full up to the photo's own border."""
    position = torch.arange(place.start, place.stop) + 0.5
    weight = torch.ones_like(position)
    if place.start > 0:
        weight *= ((position - place.start - tiling.margin) / tiling.ramp).clamp(0, 1)
    if place.stop < length:
        weight *= ((place.stop - tiling.margin - position) / tiling.ramp).clamp(0, 1)
    return weight
