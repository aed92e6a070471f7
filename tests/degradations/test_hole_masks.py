"""Hole masks cover the share that was asked for, whatever the size."""

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations import paint_white, sample_hole_mask
from oldphoto.degradations.hole_masks import trim_to_ratio


@pytest.mark.parametrize("size", [(64, 64), (100, 180), (256, 256)])
@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.1, 0.25, 0.4, 0.6])
def test_the_ratio_is_met(size, ratio):
    for seed in range(3):
        mask = sample_hole_mask(np.random.default_rng(seed), size, ratio)
        assert mask.shape == size and mask.dtype == bool
        assert mask.mean() == pytest.approx(ratio, abs=0.002)


def test_a_range_of_ratios_is_covered():
    rng = np.random.default_rng(0)
    ratios = [sample_hole_mask(rng, (64, 64), (0.1, 0.3)).mean() for _ in range(80)]
    assert 0.098 < min(ratios) < 0.13 and 0.27 < max(ratios) < 0.302


def test_masks_differ_by_seed_and_repeat_by_seed():
    first, again, other = (
        sample_hole_mask(np.random.default_rng(s), (64, 64), 0.2) for s in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_place_is_hit_about_equally():
    rng = np.random.default_rng(3)
    mean = np.mean([sample_hole_mask(rng, (64, 64), 0.3) for _ in range(150)], axis=0)
    assert mean[16:48, 16:48].mean() == pytest.approx(0.33, abs=0.06)
    assert mean[:8].mean() > 0.12 and mean[:, -8:].mean() > 0.12


def test_odd_sizes_work():
    for size in ((1, 1), (1, 40), (3, 200)):
        mask = sample_hole_mask(np.random.default_rng(0), size, 0.5)
        assert abs(mask.mean() - 0.5) <= 0.5 / mask.size + 0.02


@pytest.mark.parametrize("ratio", [0.1, 0.45, 0.6])
def test_a_sliver_that_strokes_keep_missing_meets_the_ratio(ratio):
    mask = sample_hole_mask(np.random.default_rng(0), (31, 500), ratio)
    assert mask.mean() == pytest.approx(ratio, abs=0.002)


def test_a_mask_of_everything_shrinks_from_the_edge_of_the_photo():
    kept = trim_to_ratio(np.ones((20, 30), np.uint8), 18 * 28 / 600, seed=0)
    assert kept.sum() == 18 * 28 and kept[1:-1, 1:-1].all()


def test_trimming_takes_the_rim_first():
    square = np.zeros((20, 20), np.uint8)
    square[5:15, 5:15] = 1
    kept = trim_to_ratio(square, 64 / 400, seed=0)
    assert kept.sum() == 64 and kept[6:14, 6:14].all()


def test_paint_white_touches_the_mask_only(photo):
    mask = sample_hole_mask(np.random.default_rng(0), photo.shape[:2], 0.2)
    painted = paint_white(photo, mask)
    assert (painted[mask] == 255).all()
    assert np.array_equal(painted[~mask], photo[~mask])


def test_refusals(photo):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"within 0 and 0.6, got 0.7"):
        sample_hole_mask(rng, (64, 64), 0.7)
    with pytest.raises(InputError, match=r"within 0 and 0.6, got \(0.5, 0.1\)"):
        sample_hole_mask(rng, (64, 64), (0.5, 0.1))
    with pytest.raises(InputError, match="each at least 1"):
        sample_hole_mask(rng, (0, 64), 0.1)
    with pytest.raises(InputError, match="expected a bool mask"):
        paint_white(photo, np.zeros((4, 4), bool))
    with pytest.raises(InputError, match="got uint8"):
        paint_white(photo, np.zeros(photo.shape[:2], np.uint8))
