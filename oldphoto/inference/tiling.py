"""Cut a photo too large for the memory into overlapping tiles, and blend the results.

Along each axis neighbours share ``2 * margin + ramp`` pixels. The outer ``margin`` of a tile is
thrown away, because there a network sees the mirrored border instead of the photo; over the
``ramp`` in the middle one tile fades into the other.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from oldphoto.checks import InputError, require_positive


@dataclass(frozen=True)
class Tiling:
    """Size (height, width) of the tiles, and how neighbours share their border, in pixels."""

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

    With as few tiles as ``largest`` allows, the smallest side that still covers all: a photo
    that is a little longer than one tile is cut in halves, not into a large tile and a rest.

    Args:
        length: side of the photo, a multiple of ``multiple``, as are ``largest`` and ``overlap``.
    """
    if length <= largest:
        return length
    if largest < 2 * overlap:
        raise InputError(f"tiles of {largest} pixels are too small for an overlap of {overlap}")
    count = math.ceil((length - overlap) / (largest - overlap))
    side = math.ceil((length + (count - 1) * overlap) / count)
    return min(largest, math.ceil(side / multiple) * multiple)


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return the first pixel of each tile; the last tile ends with the photo."""
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
    for rows, columns in tile_places(photo.shape[-2:], tiling):
        part = (..., rows, columns)
        mask_part = None if scratch_mask is None else scratch_mask[part]
        weight = _weight(rows, photo.shape[-2], tiling, photo.device)[:, None]
        weight = weight * _weight(columns, photo.shape[-1], tiling, photo.device)
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
