"""Exercises: solutions pass, stubs and typical wrong answers get their own message."""

import inspect

import pytest

from oldphoto.course.exercises import (
    notebook_01,
    notebook_02,
    notebook_03,
    notebook_04,
    notebook_05,
    notebook_06,
    notebook_07,
    notebook_08,
    notebook_09,
    notebook_10,
    notebook_11,
    notebook_12,
    notebook_13,
    notebook_16,
)
from oldphoto.course.exercises.engine import NOT_DONE

NOTEBOOKS = (
    notebook_01,
    notebook_02,
    notebook_03,
    notebook_04,
    notebook_05,
    notebook_06,
    notebook_07,
    notebook_08,
    notebook_09,
    notebook_10,
    notebook_11,
    notebook_12,
    notebook_13,
    notebook_16,
)
EXERCISES = [exercise for notebook in NOTEBOOKS for exercise in notebook.sheet.exercises]
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
