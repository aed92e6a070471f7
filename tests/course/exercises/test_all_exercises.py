"""Exercises: solutions pass, stubs and typical wrong answers get their own message."""

import importlib
import inspect
from pathlib import Path

import pytest

from oldphoto.course.exercises import engine
from oldphoto.course.exercises.engine import NOT_DONE

NAMES = sorted(path.stem for path in Path(engine.__file__).parent.glob("notebook_*.py"))
EXERCISES = {
    f"{name[-2:]}-{exercise.title}": exercise
    for name in NAMES
    for exercise in importlib.import_module(f"oldphoto.course.exercises.{name}").sheet.exercises
}
ALL = [pytest.param(exercise, id=name) for name, exercise in EXERCISES.items()]
WRONG = [
    pytest.param(exercise, message, id=f"{name}-{number}")
    for name, exercise in EXERCISES.items()
    for number, message in enumerate(exercise.misconceptions)
]
# Code that a hint may name: the reader has it already.
GIVEN = ("positions =", "photo + coverage * (blended")


@pytest.mark.parametrize("exercise", ALL)
def test_solution_is_right(exercise):
    computed = callable(exercise.solution) and not exercise.trials[0]
    verdict = exercise.check(exercise.solution() if computed else exercise.solution)
    assert verdict.right and verdict.message == exercise.praise and exercise.solved


@pytest.mark.parametrize("exercise", ALL)
@pytest.mark.parametrize("stub", [None, ..., lambda *args: None, lambda *args: ...])
def test_stub_is_not_done_yet(exercise, stub):
    assert exercise.check(stub).message == NOT_DONE
    assert not exercise.solved


@pytest.mark.parametrize(("exercise", "message"), WRONG)
def test_typical_wrong_answer_gets_its_own_message(exercise, message):
    verdict = exercise.check(exercise.misconceptions[message])
    assert not verdict.right
    assert verdict.message == message


@pytest.mark.parametrize("exercise", [case for case in ALL if callable(case.values[0].solution)])
def test_no_message_contains_the_solution(exercise):
    lines = inspect.getsource(exercise.solution).splitlines()[1:]
    code = [line.strip().removeprefix("return ") for line in lines]
    told = [line for line in code if len(line) > 20 and not line.startswith(GIVEN)]
    for text in (*exercise.hints, *exercise.misconceptions):
        assert not any(line in text for line in told)
