"""Exercises: solutions pass, stubs and typical wrong answers get their own message."""

import inspect

import pytest

from oldphoto.course.exercises import (
    notebook_01 as exercises_01,
)
from oldphoto.course.exercises import (
    notebook_03 as exercises_03,
)
from oldphoto.course.exercises import (
    notebook_04 as exercises_04,
)
from oldphoto.course.exercises import (
    notebook_05 as exercises_05,
)
from oldphoto.course.exercises import (
    notebook_07 as exercises_07,
)
from oldphoto.course.exercises import (
    notebook_08 as exercises_08,
)
from oldphoto.course.exercises import (
    notebook_09 as exercises_09,
)
from oldphoto.course.exercises import (
    notebook_10 as exercises_10,
)
from oldphoto.course.exercises import (
    notebook_11 as exercises_11,
)
from oldphoto.course.exercises import (
    notebook_12 as exercises_12,
)
from oldphoto.course.exercises import (
    notebook_13 as exercises_13,
)
from oldphoto.course.exercises.engine import NOT_DONE

SHEETS = (
    exercises_01.sheet,
    exercises_03.sheet,
    exercises_04.sheet,
    exercises_05.sheet,
    exercises_07.sheet,
    exercises_08.sheet,
    exercises_09.sheet,
    exercises_10.sheet,
    exercises_11.sheet,
    exercises_12.sheet,
    exercises_13.sheet,
)
EXERCISES = [exercise for sheet in SHEETS for exercise in sheet.exercises]
ALL = [pytest.param(e, id=e.title) for e in EXERCISES]
WRONG = [
    pytest.param(exercise, wrong, id=f"{exercise.title}-{number}")
    for exercise in EXERCISES
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
    for text in (*exercise.hints, *(wrong.message for wrong in exercise.misconceptions)):
        assert not any(line in text for line in told)
