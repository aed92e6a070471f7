"""Structured damage: exact masks, wanted ratios, blending by hand, and shapes that make sense."""

import dataclasses

import cv2
import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations import DAMAGES, sample_holes, sample_torn_border
from oldphoto.degradations.cracks import Folds, apply_folds
from oldphoto.degradations.layers import Canvas, blend, paint, spline
from oldphoto.degradations.paper import paper_sheet, sample_stains
from oldphoto.degradations.scratches import draw_scratches, sample_scratches

STRUCTURED = {name: damage for name, damage in DAMAGES.items() if damage.structured}
names = pytest.mark.parametrize("damage", STRUCTURED.values(), ids=STRUCTURED)


@names
def test_pixels_outside_the_mask_are_unchanged(photo, damage):
    for seed in range(4):
        damaged, mask = damage.apply(photo, damage.sample(np.random.default_rng(seed)))
        assert damaged.shape == photo.shape and damaged.dtype == np.uint8
        assert mask.shape == photo.shape[:2] and mask.dtype == bool
        assert np.array_equal(damaged[~mask], photo[~mask])


@names
def test_most_of_the_mask_is_changed(damage):
    """A mask that is far too large would pass the test above."""
    changed = masked = 0
    for seed in range(8):
        dark = np.full((120, 150, 3), 60 if seed % 2 else 170, np.uint8)
        damaged, mask = damage.apply(dark, damage.sample(np.random.default_rng(seed)))
        changed += np.sum((damaged != dark).any(axis=2) & mask)
        masked += mask.sum()
    assert masked > 0
    assert changed / masked > 0.8


@names
def test_parameters_fix_the_bytes(photo, damage):
    parameters = [damage.sample(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert parameters[0] == parameters[1] != parameters[2]
    first, again, other = (damage.apply(photo, p)[0].tobytes() for p in parameters)
    assert first == again != other


@names
def test_the_photo_handed_in_is_left_alone(photo, damage):
    before = photo.copy()
    damage.apply(photo, damage.sample(np.random.default_rng(0)))
    assert np.array_equal(photo, before)


@names
@pytest.mark.parametrize("size", [(17, 40), (3, 3), (300, 70)])
def test_small_and_narrow_photos_work(damage, size):
    even = np.full((*size, 3), 128, np.uint8)
    damaged, mask = damage.apply(even, damage.sample(np.random.default_rng(1)))
    assert damaged.shape == even.shape and mask.shape == size


@pytest.mark.parametrize("sample", [sample_holes, sample_torn_border])
@pytest.mark.parametrize("ratio", [0.0, 0.02, 0.15, 0.35, 0.6])
def test_lost_pieces_take_the_wanted_share(photo, sample, ratio):
    parameters = sample(np.random.default_rng(5), ratio=ratio)
    damage = next(d for d in STRUCTURED.values() if d.parameters is type(parameters))
    _, mask = damage.apply(photo, parameters)
    assert mask.mean() == pytest.approx(ratio, abs=0.002)


def test_a_ratio_beyond_the_published_ones_is_refused(photo):
    parameters = sample_holes(np.random.default_rng(0), ratio=0.7)
    with pytest.raises(InputError, match=r"ratio of lost pixels must be within 0\.0 and 0\.6"):
        DAMAGES["holes"].apply(photo, parameters)


def test_torn_borders_touch_the_border_and_holes_need_not(photo):
    for seed in range(5):
        _, mask = DAMAGES["torn_border"].apply(
            photo, sample_torn_border(np.random.default_rng(seed), ratio=0.05)
        )
        num_pieces, pieces = cv2.connectedComponents(mask.astype(np.uint8))
        rim = np.concatenate((pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]))
        loose = sum(np.sum(pieces == p) for p in range(1, num_pieces) if p not in rim)
        assert loose < 0.1 * mask.sum()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("normal", 200), ("add", 255), ("lighten", 200), ("screen", 222), ("multiply", 78)],
)
def test_blending_at_full_coverage(mode, expected):
    photo = np.full((1, 1, 3), 100, np.uint8)
    blended = blend(photo, np.full(3, 200.0), np.ones((1, 1)), mode)
    assert blended[0, 0].tolist() == [expected] * 3


@pytest.mark.parametrize("mode", ["normal", "add", "lighten", "screen", "multiply"])
def test_blending_half_covers_half_and_nothing_covers_nothing(mode):
    photo = np.full((1, 2, 3), 60, np.uint8)
    full, none = blend(photo, np.full(3, 120.0), np.array([[1.0, 0.0]]), mode)[0, :, 0].astype(int)
    half = blend(photo, np.full(3, 120.0), np.full((1, 2), 0.5), mode)[0, 0, 0]
    assert none == 60
    assert half == pytest.approx((full + 60) / 2, abs=1)


def test_lighten_never_darkens():
    photo = np.full((1, 1, 3), 250, np.uint8)
    assert blend(photo, np.full(3, 100.0), np.ones((1, 1)), "lighten")[0, 0, 0] == 250


def test_paint_leaves_faint_coverage_out_of_photo_and_mask():
    photo = np.full((1, 3, 3), 100, np.uint8)
    painted, mask = paint(photo, np.full(3, 200.0), np.array([[0.05, 0.06, 2.0]]))
    assert mask.tolist() == [[False, True, True]]
    assert painted[0, :, 0].tolist() == [100, 106, 200]


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match="mode must be one of normal, add, lighten"):
        blend(np.zeros((1, 1, 3), np.uint8), np.zeros(3), np.ones((1, 1)), "burn")


def test_a_line_covers_its_width():
    canvas = Canvas((40, 60))
    canvas.line(np.array([[-5.0, 20.0], [30.0, 20.0], [65.0, 20.0]]), np.full(3, 5.0), 1.0)
    coverage = canvas.coverage()
    assert coverage.sum(axis=0).mean() == pytest.approx(5, abs=0.7)
    assert coverage[20].min() == 1 and coverage[:15].max() == 0


def test_a_line_changes_its_width_on_the_way():
    canvas = Canvas((40, 60))
    canvas.line(np.array([[0.0, 20.0], [30.0, 20.0], [60.0, 20.0]]), np.array([3.0, 3.0, 9.0]), 0.5)
    widths = canvas.coverage().sum(axis=0)
    assert widths[10] == pytest.approx(1.5, abs=0.4) and widths[50] == pytest.approx(4.5, abs=0.7)


def test_a_spline_goes_through_its_knots_and_is_straight_on_a_straight_line():
    knots = np.array([[0.0, 0.0], [1.0, 2.0], [4.0, 1.0], [5.0, 5.0]])
    points = spline(knots, 31)
    assert np.allclose(points[::10], knots)
    straight = spline(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), 21)
    assert np.allclose(straight[:, 0], straight[:, 1]) and np.allclose(
        straight[:, 0], np.linspace(0, 2, 21)
    )


def test_a_spline_needs_two_knots():
    with pytest.raises(InputError, match="at least 2 knots, got 1"):
        spline(np.zeros((1, 2)), 5)


def test_scratches_run_in_their_direction():
    base = sample_scratches(np.random.default_rng(0))
    upright = dataclasses.replace(
        base, num=15, angle=90.0, spread=2.0, bend=0.0, length=(0.3, 0.5), broken=0.0, warp=0.0
    )
    coverage = draw_scratches((200, 200), upright)
    along, across = np.abs(np.diff(coverage, axis=0)).sum(), np.abs(np.diff(coverage, axis=1)).sum()
    assert across > 4 * along
    lying = draw_scratches((200, 200), dataclasses.replace(upright, angle=0.0))
    assert np.abs(np.diff(lying, axis=0)).sum() > 4 * np.abs(np.diff(lying, axis=1)).sum()


def test_broken_scratches_lose_about_their_share():
    base = dataclasses.replace(sample_scratches(np.random.default_rng(0)), num=40, warp=0.0)
    whole = draw_scratches((200, 200), dataclasses.replace(base, broken=0.0)).sum()
    half = draw_scratches((200, 200), dataclasses.replace(base, broken=0.5)).sum()
    assert half / whole == pytest.approx(0.5, abs=0.15)


def test_a_fold_crosses_the_whole_photo():
    even = np.full((100, 140, 3), 128, np.uint8)
    _, mask = apply_folds(even, Folds(1, 0.0, 0.015, 0.9, 0.3, 3))
    assert mask.any(axis=0).all() and mask.mean() < 0.2


def test_stains_shine_through_and_hide_nothing():
    assert not sample_stains(np.random.default_rng(0)).hides
    assert sample_holes(np.random.default_rng(0)).hides


def test_the_shore_of_a_stain_alone_is_in_its_mask(photo):
    shore = dataclasses.replace(sample_stains(np.random.default_rng(0)), strength=0.0, ring=0.9)
    damaged, mask = DAMAGES["stains"].apply(photo, shore)
    assert mask.any() and np.array_equal(damaged[~mask], photo[~mask])


def test_paper_has_its_colour_and_wears():
    fresh = paper_sheet(1, (80, 100), (220.0, 200.0, 160.0), wear=0.0)
    worn = paper_sheet(1, (80, 100), (220.0, 200.0, 160.0), wear=1.0)
    assert fresh.shape == (80, 100, 3) and fresh.min() >= 0 and worn.max() <= 255
    assert np.allclose(fresh.mean((0, 1)), (220, 200, 160), rtol=0.02)
    assert worn[..., 0].std() > 1.5 * fresh[..., 0].std()
