"""Exercises of notebook 04: their solutions are what the package computes."""

import torch

from oldphoto import losses
from oldphoto.course.exercises import notebook_04 as exercises


def test_stubs_of_the_notebook_that_are_to_be_modified_are_told_why():
    verdict = exercises.bits.check(lambda spread: spread)
    assert "logarithm" in verdict.message
    stub = exercises.instance_norm.check(lambda x: (x - x.mean()) / x.std(correction=0))
    assert "whole batch" in stub.message


def test_kl_and_instance_norm_of_the_exercises_are_the_packages_and_pytorchs():
    mean, log_var = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    by_hand = exercises.kl.solution(mean, log_var)
    torch.testing.assert_close(by_hand, losses.kl_standard_normal(mean, log_var))
    torch.testing.assert_close(
        exercises.instance_norm.solution(mean),
        torch.nn.InstanceNorm2d(3)(mean),
        atol=1e-5,
        rtol=1e-4,
    )
