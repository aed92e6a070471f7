"""House fronts: equal windows on a floor, another kind on each floor, one of them in a hole."""

import numpy as np
import pytest
import torch
from torch import nn

from oldphoto.course.lessons.nonlocal_block.attention import Scene
from oldphoto.course.lessons.nonlocal_block.facade import TILE, WINDOW, facade, facades, on_twins
from oldphoto.networks.partial_nonlocal import PartialNonlocal


def windows(front: np.ndarray) -> np.ndarray:
    """Cut out all windows: (floors, columns, 16, 16, 3)."""
    floors, columns = front.shape[0] // TILE, front.shape[1] // TILE
    tiles = front.reshape(floors, TILE, columns, TILE, 3).swapaxes(1, 2)
    rim = (TILE - WINDOW) // 2
    return tiles[:, :, rim:-rim, rim:-rim].astype(float)


@pytest.mark.parametrize("seed", range(3))
def test_windows_of_a_floor_are_alike_and_those_of_two_floors_are_not(seed):
    found = windows(facade(floors=4, columns=5, seed=seed))
    assert found.shape == (4, 5, WINDOW, WINDOW, 3)
    of_floors = found.mean(axis=1)
    assert np.abs(found - of_floors[:, None]).mean() < 2  # the grain
    for one in range(4):
        for other in range(one):
            assert np.abs(of_floors[one] - of_floors[other]).mean() > 8


def test_the_same_seed_gives_the_same_front():
    assert np.array_equal(facade(seed=3), facade(seed=3))
    assert not np.array_equal(facade(seed=3), facade(seed=4))


def test_each_front_of_a_batch_is_another_with_one_whole_window_in_its_mask():
    fronts, masks = facades(6, floors=3, columns=4, seed=(1, 2))
    assert fronts.shape == (6, 3, 96, 128) and masks.shape == (6, 1, 96, 128)
    assert fronts.abs().max() <= 1 and not torch.equal(fronts[0], fronts[1])
    assert torch.equal(fronts, facades(6, floors=3, columns=4, seed=(1, 2))[0])
    of_tiles = windows(masks[:, 0, :, :, None].expand(-1, -1, -1, 3).flatten(0, 1).numpy())
    damaged = of_tiles.mean(axis=(2, 3, 4)).reshape(6, 12)
    assert (np.sort(damaged, axis=1) == [0] * 11 + [1]).all()
    assert (masks.sum((1, 2, 3)) == WINDOW**2).all()
    assert len({int(row.argmax()) for row in damaged}) > 1  # not always the same window


def test_a_block_that_looks_everywhere_gives_the_twins_their_number():
    block = PartialNonlocal(2, num_blocks=0)
    for weight in block.parameters():
        nn.init.zeros_(weight)
    validity = torch.ones(1, 1, 16, 24)  # 2 floors of 3 windows
    validity[..., 2:6, 10:14] = 0
    scene = Scene(block, torch.zeros(1, 2, 16, 24), validity, np.zeros((64, 96, 3), np.uint8))
    assert len(scene.hole) == 16 and scene.hole[0] == (2, 10) and scene.hole[-1] == (5, 13)
    assert on_twins(scene) == pytest.approx(2 / (16 * 24 - 16))
