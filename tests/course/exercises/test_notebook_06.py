"""Exercises of notebook 06: solutions pass, stubs and typical wrong answers get their message."""

import pytest
import torch
from scipy.stats import wasserstein_distance

from oldphoto import losses
from oldphoto.course.exercises import notebook_06 as exercises
from oldphoto.course.exercises.engine import NOT_DONE

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


def test_solutions_are_those_of_others():
    first, second = torch.randn(2, 30, generator=torch.Generator().manual_seed(0))
    by_hand = exercises.sorted_distance.solution(first, second).item()
    assert by_hand == pytest.approx(wasserstein_distance(first.numpy(), second.numpy()), rel=1e-5)
    old, degraded = [[first]], [[second]]
    assert exercises.push_both.solution(first, second) == losses.latent_encoder(old, degraded)
