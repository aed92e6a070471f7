"""Exercises of notebook 10: their solutions are what the package computes."""

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from oldphoto.course.exercises import notebook_10 as exercises
from oldphoto.data.loading import PositionSampler
from oldphoto.training.optimizer import linear_decay


def test_rate_is_the_packages():
    for step in range(31):
        by_hand = exercises.rate_factor.solution(step, 30)
        assert by_hand == pytest.approx(linear_decay(step, 30, 0.5))


def test_average_is_the_one_of_the_loop():
    layer = torch.nn.Linear(2, 2)
    averaged = AveragedModel(layer, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(layer)
    before = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.add_(1)
    averaged.update_parameters(layer)
    by_hand = exercises.moving_average.solution(before, layer.weight.detach(), 0.9)
    torch.testing.assert_close(averaged.module.weight.detach(), by_hand)


def test_positions_are_those_of_the_sampler():
    for rank in range(3):
        served = list(PositionSampler(0, 24, rank, 3))
        mine = [int(p) for s in range(4) for p in exercises.positions.solution(s, 6, rank, 3)]
        assert served == mine
