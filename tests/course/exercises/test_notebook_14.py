"""Exercises of notebook 14: solutions pass, stubs and typical wrong answers get their message."""

import numpy as np
import pytest

from oldphoto.course.exercises import notebook_14 as exercises
from oldphoto.course.exercises.engine import NOT_DONE
from oldphoto.course.lessons.limits.limits import kept_share

ALL = [pytest.param(e, id=e.title) for e in exercises.sheet.exercises]
WRONG = [
    pytest.param(exercise, wrong, id=f"{exercise.title}-{number}")
    for exercise in exercises.sheet.exercises
    for number, wrong in enumerate(exercise.misconceptions)
]


@pytest.mark.parametrize("exercise", ALL)
def test_solution_is_right_and_the_stub_is_not_done(exercise):
    answer = exercise.solution if exercise.trials[0] else exercise.solution()
    assert exercise.check(answer).message == exercise.praise
    assert exercise.check(lambda *args: None).message == NOT_DONE


@pytest.mark.parametrize(("exercise", "wrong"), WRONG)
def test_typical_wrong_answer_gets_its_own_message(exercise, wrong):
    verdict = exercise.check(wrong.answer)
    assert not verdict.right
    assert verdict.message == wrong.message


def test_shares_are_those_of_the_package():
    clean = np.full((4, 5, 3), 100, np.uint8)
    damaged = clean + np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    restored = clean + np.arange(60, dtype=np.uint8).reshape(4, 5, 3) // 2
    left, damage = restored.astype(float) - clean, damaged.astype(float) - clean
    assert exercises.kept_share.solution(left, damage) == kept_share(clean, damaged, restored)
