"""Exercises of notebook 02: their solutions agree with the package."""

import numpy as np

from oldphoto.course.exercises import notebook_02 as exercises
from oldphoto.degradations import Scratches, apply_scratches, sample_scratches
from oldphoto.degradations.layers import blend, spline


def test_points_on_the_curve_are_the_packages():
    knots = np.array([(0, 0), (3, 1), (4, 6), (9, 7)], float)
    curve = spline(knots, 4 * 3 - 3 + 1)  # a knot every 3 points
    for part, t in enumerate((0, 1 / 3, 2 / 3, 1)):
        by_hand = exercises.spline_point.solution(*knots, t)
        np.testing.assert_allclose(curve[3 + part], by_hand, atol=1e-12)


def test_screen_is_the_packages():
    rng = np.random.default_rng(0)
    photo, layer = rng.integers(0, 256, (2, 6, 7, 3), dtype=np.uint8)
    coverage = rng.random((6, 7))
    by_hand = exercises.screen.solution(photo / 255, layer / 255, coverage[..., None]) * 255
    assert np.abs(blend(photo, layer, coverage, "screen") - by_hand).max() <= 0.5 + 1e-3


def test_mask_of_what_changed_lies_inside_the_mask_of_the_scratch():
    photo = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    scratches = sample_scratches(np.random.default_rng(4))
    assert isinstance(scratches, Scratches)
    scratched, mask = apply_scratches(photo, scratches)
    changed = exercises.changed_mask.solution(photo, scratched)
    assert changed.any() and not changed[~mask].any()


def test_a_damage_with_a_fixed_size_is_refused():
    def of_one_size(photo, seed):
        mask = np.zeros((256, 256), bool)
        mask[100:120, seed : seed + 90] = True
        damaged = photo.copy()
        damaged[mask] = 255
        return damaged, mask

    verdict = exercises.own_damage.check(of_one_size)
    assert not verdict.right and verdict.message.startswith("It stops with IndexError")


def test_scratches_of_the_package_keep_the_rules_of_a_damage():
    def scratched(photo, seed):
        return apply_scratches(photo, sample_scratches(np.random.default_rng(seed), num=(5, 9)))

    assert exercises.own_damage.check(scratched).right
