"""The drawn mask: strokes with values counted by hand, and steps that are taken back."""

import io
import itertools
import math

import numpy as np
import pytest
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course.brush.drawn_mask import COLOUR, DrawnMask, mask_of, mask_picture


def rows_and_columns(mask):
    return np.flatnonzero(mask.any(1)).tolist(), np.flatnonzero(mask.any(0)).tolist()


# The pixels whose middle is at most half the width away from the middle of a pixel.
@pytest.mark.parametrize(("width", "num"), [(1, 1), (2, 5), (3, 9), (4, 13), (5, 21)])
def test_a_dot_has_the_width_of_the_brush(width, num):
    drawn = DrawnMask((20, 20))
    drawn.stroke([(10.5, 7.5)], width)
    assert drawn.mask.sum() == num and drawn.mask[7, 10]


def test_a_line_is_as_wide_as_the_brush_and_round_at_its_ends():
    drawn = DrawnMask((20, 40))
    drawn.stroke([(10.5, 10.5), (20.5, 10.5)], width=5)
    assert rows_and_columns(drawn.mask) == ([8, 9, 10, 11, 12], list(range(8, 23)))
    assert drawn.mask.sum() == 21 + 10 * 5  # the dot, drawn out by 10 pixels


def test_a_stroke_is_what_its_definition_says():
    points = np.array([(-8.0, 3.3), (45.2, 20.5), (10.0, 100.3), (166.6, 75.1)])
    drawn = DrawnMask((80, 150))
    drawn.stroke(points, width=7)
    expected = np.zeros((80, 150), bool)
    for row, column in np.ndindex(expected.shape):
        middle = np.array([column + 0.5, row + 0.5])
        for a, b in itertools.pairwise(points):
            t = np.clip((middle - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            expected[row, column] |= math.dist(middle, a + t * (b - a)) <= 3.5
    np.testing.assert_array_equal(drawn.mask, expected)


def test_the_thinnest_brush_leaves_no_gap_between_two_pixels():
    drawn = DrawnMask((10, 10))
    drawn.stroke([(5.0, 5.0)], width=1)  # a corner of four pixels
    assert drawn.mask.sum() == 4


def test_an_eraser_takes_away_and_outside_nothing_happens():
    drawn = DrawnMask((20, 20), np.ones((20, 20), bool))
    drawn.stroke([(10.5, 10.5)], width=3, is_eraser=True)
    assert (~drawn.mask).sum() == 9
    drawn.stroke([(-500.0, 1e9), (-600.0, 40.0)], width=9, is_eraser=True)
    assert (~drawn.mask).sum() == 9


def test_grow_and_shrink():
    start = np.zeros((12, 12), bool)
    start[0:3, 4:8] = True
    drawn = DrawnMask((12, 12), start)
    drawn.grow(2)
    assert rows_and_columns(drawn.mask) == (list(range(5)), list(range(2, 10)))
    drawn.shrink(2)
    np.testing.assert_array_equal(drawn.mask, start)  # at the rim of the photo nothing goes
    drawn.shrink(3)
    assert not drawn.mask.any()


def test_steps_are_taken_back_and_done_again():
    drawn = DrawnMask((20, 30))
    seen = [drawn.mask.copy()]
    for column in (5.5, 15.5, 25.5):
        drawn.stroke([(column, 8.5)], width=3)
        seen.append(drawn.mask.copy())
    assert drawn.can_undo and not drawn.can_redo
    for expected in (*seen[2::-1], seen[0]):  # one more than there are
        drawn.undo()
        np.testing.assert_array_equal(drawn.mask, expected)
    assert not drawn.can_undo and drawn.can_redo
    drawn.redo()
    np.testing.assert_array_equal(drawn.mask, seen[1])
    drawn.replace(None)
    drawn.redo()  # what was taken back is gone
    assert not drawn.mask.any() and not drawn.can_redo
    drawn.undo()
    np.testing.assert_array_equal(drawn.mask, seen[1])


def test_a_step_that_changes_nothing_is_none():
    drawn = DrawnMask((20, 30))
    drawn.replace(None)
    drawn.stroke([(5.5, 5.5)], width=3, is_eraser=True)
    assert not drawn.can_undo


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 8), (300, 201)])
def test_the_picture_keeps_each_pixel(size):
    mask = np.random.default_rng(0).random(size) < 0.3
    picture = mask_picture(mask)
    np.testing.assert_array_equal(mask_of(picture), mask)
    shown = np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))
    np.testing.assert_array_equal(shown[..., 3], np.where(mask, 255, 0))
    assert (shown[mask][:, :3] == COLOUR).all()


@pytest.mark.parametrize("points", [[], [(1.0, 2.0, 3.0)], [(1.0, math.nan)], [1.0, 2.0]])
def test_points_that_are_none_are_refused(points):
    with pytest.raises(InputError, match="expected points as x, y of finite numbers"):
        DrawnMask((20, 20)).stroke(points, width=3)


def test_a_wrong_width_or_mask_is_refused():
    drawn = DrawnMask((20, 20))
    with pytest.raises(InputError, match="width"):
        drawn.stroke([(1.0, 1.0)], width=0)
    with pytest.raises(InputError, match=r"expected a scratch mask as bool \(20, 20\), got uint8"):
        drawn.replace(np.zeros((20, 20), np.uint8))
    with pytest.raises(InputError, match=r"got bool \(20, 21\)"):
        DrawnMask((20, 20), np.zeros((20, 21), bool))
