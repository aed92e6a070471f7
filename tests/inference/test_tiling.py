"""Tiles cover the photo on the network's grid, and blending them is exact where it can be."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from oldphoto.checks import InputError
from oldphoto.inference.tiling import Tiling, even_tile, tile_places, tile_starts, weighted_places


def test_known_starts():
    assert tile_starts(100, 100, 20) == [0]
    assert tile_starts(100, 60, 20) == [0, 40]
    assert tile_starts(104, 60, 20) == [0, 40, 44]
    assert tile_starts(16, 60, 20) == [0]


def test_known_sides():
    assert even_tile(100, 100, 20, 4) == 100
    assert even_tile(104, 100, 20, 4) == 64  # two tiles: (104 + 20) / 2 = 62, rounded up to 64
    assert even_tile(1000, 300, 100, 4) == 280  # five tiles: (1000 + 4 * 100) / 5


@pytest.mark.parametrize("length", range(64, 1200, 52))
def test_tiles_cover_all_on_the_grid_and_share_the_overlap(length):
    tile = even_tile(length, 240, 96, 4)
    starts = tile_starts(length, tile, 96)
    assert tile <= 240
    assert starts[0] == 0
    assert starts[-1] + tile == length
    assert all(start % 4 == 0 for start in starts)
    assert all(b - a <= tile - 96 for a, b in itertools.pairwise(starts))


def test_tiles_smaller_than_two_overlaps_are_refused():
    with pytest.raises(InputError, match="tiles of 100 pixels are too small for an overlap of 60"):
        even_tile(500, 100, 60, 4)
    with pytest.raises(InputError, match="ramp must be greater than 0"):
        Tiling((64, 64), margin=4, ramp=0)


def restore_in_tiles(restore, photo: Tensor, mask: Tensor | None, tiling: Tiling) -> Tensor:
    """The sum of the weighted tiles."""
    total = torch.zeros_like(photo)
    for rows, columns, weight in weighted_places((photo.shape[-2], photo.shape[-1]), tiling):
        part = (..., rows, columns)
        total[part] += weight * restore(photo[part], None if mask is None else mask[part])
    return total


def blur(photo: Tensor, mask: Tensor | None) -> Tensor:
    """A network that reaches 8 pixels far, mirrors its border, and uses the mask."""
    photo = photo if mask is None else photo * (1 - mask)
    kernel = torch.ones(3, 1, 17, 17) / 289
    return F.conv2d(F.pad(photo, (8, 8, 8, 8), mode="reflect"), kernel, groups=3)


@pytest.mark.parametrize("size", [(64, 64), (200, 64), (148, 260)])
@pytest.mark.parametrize("masked", [False, True])
def test_exact_where_the_margin_is_as_wide_as_the_reach(size, masked):
    photo = torch.rand(2, 3, *size)
    mask = (torch.rand(2, 1, *size) < 0.1).float() if masked else None
    tiling = Tiling(tuple(even_tile(side, 100, 32, 4) for side in size), margin=8, ramp=16)
    whole = blur(photo, mask)
    assert torch.allclose(restore_in_tiles(blur, photo, mask, tiling), whole, atol=1e-6)


def test_a_margin_that_is_too_narrow_is_not_exact():
    photo = torch.rand(1, 3, 200, 200)
    tiling = Tiling((100, 100), margin=0, ramp=16)
    difference = restore_in_tiles(blur, photo, None, tiling) - blur(photo, None)
    assert difference.abs().max() > 1e-4


def test_tiles_of_different_tones_fade_into_each_other():
    tones = iter(torch.linspace(0, 1, 3))
    photo = torch.zeros(1, 3, 64, 160)
    tiling = Tiling((64, 80), margin=4, ramp=32)
    places = list(tile_places((64, 160), tiling))
    result = restore_in_tiles(
        lambda part, _: torch.full_like(part, next(tones).item()), photo, None, tiling
    )
    steps = result[0, 0, 0].diff()
    assert len(places) == 3
    assert steps.min() >= -1e-6
    assert steps.max() < 0.05  # no seam: the two steps of 0.5 are spread over the ramps
    assert (result[..., 0], result[..., -1]) == (pytest.approx(0), pytest.approx(1))
