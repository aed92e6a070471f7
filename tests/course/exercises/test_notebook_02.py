"""Exercises of notebook 02: solutions pass, stubs and typical wrong answers get their message."""

import inspect

import numpy as np
import pytest

from oldphoto.course.exercises import notebook_02 as exercises
from oldphoto.course.exercises.engine import NOT_DONE
from oldphoto.degradations import Scratches, apply_scratches, sample_scratches
from oldphoto.degradations.layers import blend, spline

ALL = [pytest.param(e, id=e.title) for e in exercises.sheet.exercises]
WRONG = [
    pytest.param(exercise, wrong, id=f"{exercise.title}-{number}")
    for exercise in exercises.sheet.exercises
    for number, wrong in enumerate(exercise.misconceptions)
]


@pytest.mark.parametrize("exercise", ALL)
def test_solution_is_right(exercise):
    answer = exercise.solution if exercise.trials[0] else exercise.solution()
    assert exercise.check(answer).message == exercise.praise


@pytest.mark.parametrize("exercise", ALL)
@pytest.mark.parametrize("stub", [None, lambda *args: None])
def test_stub_is_not_done_yet(exercise, stub):
    assert exercise.check(stub).message == NOT_DONE


@pytest.mark.parametrize(("exercise", "wrong"), WRONG)
def test_typical_wrong_answer_gets_its_own_message(exercise, wrong):
    verdict = exercise.check(wrong.answer)
    assert not verdict.right
    assert verdict.message == wrong.message


@pytest.mark.parametrize("exercise", ALL)
def test_no_message_contains_the_solution(exercise):
    code = [line.strip() for line in inspect.getsource(exercise.solution).splitlines()[1:]]
    told = [line.removeprefix("return ") for line in code if len(line) > 20]
    told = [line for line in told if not line.startswith("photo + coverage * (blended")]
    for text in (*exercise.hints, *(wrong.message for wrong in exercise.misconceptions)):
        assert not any(line in text for line in told)


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
