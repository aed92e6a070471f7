"""Wear of prints: chips can be seen and lie where the mask says, creases have a dark side."""

from dataclasses import replace

import numpy as np
import pytest

from oldphoto.degradations import apply_chips, apply_creases, sample_chips, sample_creases


@pytest.mark.parametrize("level", [0, 20, 128, 235, 255])
def test_chips_can_be_seen_on_any_grey(level):
    photo = np.full((96, 96, 3), level, np.uint8)
    for seed in range(6):
        drawn = replace(sample_chips(np.random.default_rng(seed)), opacity=(1.0, 1.0))
        damaged, mask = apply_chips(photo, drawn)
        change = np.abs(damaged.astype(int) - level).max()
        assert mask.any()
        assert change >= int(drawn.contrast)


def test_a_chip_on_a_rough_ground_is_the_stronger(photo):
    drawn = replace(
        sample_chips(np.random.default_rng(0)),
        num=1,
        length=(0.9, 0.9),
        width=(0.9, 0.9),
        opacity=(1.0, 1.0),
        light_prob=1.0,
    )
    changes = []
    for rough in (0, 60):
        ground = np.full((64, 64, 3), 100, np.uint8)
        ground[::2] += rough // 2
        ground[1::2] -= rough // 2
        damaged, mask = apply_chips(ground, drawn)
        changes.append(damaged[mask].max() - ground.mean())
    assert changes[1] > changes[0] + 10


def test_light_prob_decides_between_light_and_dark_where_there_is_room():
    grey = np.full((96, 96, 3), 128, np.uint8)
    for light_prob, sign in ((1.0, 1), (0.0, -1)):
        drawn = replace(sample_chips(np.random.default_rng(3)), light_prob=light_prob, num=8)
        damaged, mask = apply_chips(grey, replace(drawn, width=(0.01, 0.02)))
        change = damaged.astype(int) - 128
        assert mask.any() and (sign * change[mask] > 0).all()


def test_the_shadow_of_a_crease_lies_away_from_the_light(grey):
    drawn = replace(
        sample_creases(np.random.default_rng(0)),
        num=1,
        length=1.0,
        width=0.02,
        jag=0.0,
        branch_prob=0.0,
        opacity=1.0,
        shade=0.5,
        shade_width=1.5,
    )
    centres = {}
    for light_from in (0.0, 180.0):
        creased, mask = apply_creases(grey, replace(drawn, light_from=light_from))
        assert (creased[mask].mean(axis=1) > 200).any() and (creased[mask].mean(axis=1) < 90).any()
        assert np.array_equal(creased[~mask], grey[~mask])
        light, dark = creased[..., 0] > 150, creased[..., 0] < 110
        centres[light_from] = np.argwhere(dark).mean(axis=0) - np.argwhere(light).mean(axis=0)
    # Light from the right (0 degrees) throws the shadow to the left.
    assert centres[0.0][1] < -1 < 1 < centres[180.0][1]
