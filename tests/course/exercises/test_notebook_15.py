"""Exercises of notebook 15: solutions pass, stubs and typical wrong answers get their message."""

import pytest

from oldphoto.course.exercises import notebook_15 as exercises
from oldphoto.course.exercises.engine import NOT_DONE

ALL = [pytest.param(e, id=e.title) for e in exercises.sheet.exercises]
WRONG = [
    pytest.param(exercise, wrong, id=f"{exercise.title}-{number}")
    for exercise in exercises.sheet.exercises
    for number, wrong in enumerate(exercise.misconceptions)
]


@pytest.mark.parametrize("exercise", ALL)
def test_solution_is_right_and_the_stub_is_not_done(exercise):
    assert exercise.check(exercise.solution).message == exercise.praise
    assert exercise.check(lambda *args: None).message == NOT_DONE


@pytest.mark.parametrize(("exercise", "wrong"), WRONG)
def test_typical_wrong_answer_gets_its_own_message(exercise, wrong):
    verdict = exercise.check(wrong.answer)
    assert not verdict.right
    assert verdict.message == wrong.message


def test_masks_are_grown_as_the_package_grows_them():
    from oldphoto.inference.restorer import dilate

    for mask, pixels in exercises.grow.trials:
        assert (exercises.grow.solution(mask, pixels) == dilate(mask, pixels)).all()
