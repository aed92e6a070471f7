"""Cut a photo that is too large for the memory into overlapping tiles, and blend the results.

Along each axis neighbours share ``2 * margin + ramp`` pixels. The outer ``margin`` of a tile is
discarded, because there a network sees the mirrored border instead of the photo. Over the ``ramp``
in the middle one tile is blended linearly into the other.
"""

import math
from collections.abc import Callable, Iterator
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


def restore_in_tiles(
    restore: Callable[[Tensor, Tensor | None], Tensor],
    photo: Tensor,
    scratch_mask: Tensor | None,
    tiling: Tiling,
) -> Tensor:
    """Apply ``restore`` to overlapping tiles and blend them into one photo.

    Args:
        restore: takes and returns (B, 3, h, w), with the mask (B, 1, h, w) of the same place.
        photo: (B, 3, H, W); H and W are multiples of what the network needs.
        scratch_mask: (B, 1, H, W) or None.
        tiling: where the network reaches no further than its margin, the result equals that of
            the whole photo up to rounding.

    Returns:
        (B, 3, H, W) on the device of ``photo``.
    """
    total = torch.zeros_like(photo)
    weights = photo.new_zeros(1, 1, *photo.shape[-2:])
    height, width = photo.shape[-2:]
    for rows, columns in tile_places((height, width), tiling):
        part = (..., rows, columns)
        mask_part = None if scratch_mask is None else scratch_mask[part]
        weight = _weight(rows, height, tiling, photo.device)[:, None]
        weight = weight * _weight(columns, width, tiling, photo.device)
        total[part] += restore(photo[part], mask_part).to(total) * weight
        weights[part] += weight
    return total.div_(weights)


def tile_places(size: tuple[int, int], tiling: Tiling) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of each tile of a photo of ``size``, in reading order."""
    height, width = tiling.tile
    for top in tile_starts(size[0], height, tiling.overlap):
        for left in tile_starts(size[1], width, tiling.overlap):
            yield slice(top, top + height), slice(left, left + width)


def _weight(place: slice, length: int, tiling: Tiling, device: torch.device) -> Tensor:
    """Return the weight of each row of a tile: 0, a ramp, 1; full up to the photo's own border."""
    position = torch.arange(place.start, min(place.stop, length), device=device) + 0.5
    weight = torch.ones_like(position)
    if place.start > 0:
        weight *= ((position - place.start - tiling.margin) / tiling.ramp).clamp(0, 1)
    if place.stop < length:
        weight *= ((place.stop - tiling.margin - position) / tiling.ramp).clamp(0, 1)
    return weight
