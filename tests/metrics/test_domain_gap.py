"""Measures of the gap: scipy, slow loops, known values, properties and refusals."""

import math

import pytest
import torch
from scipy.stats import wasserstein_distance

from oldphoto.checks import InputError
from oldphoto.metrics.domain_gap import (
    domain_accuracy,
    median_bandwidth,
    mmd_squared,
    sliced_wasserstein,
    to_one_scale,
    wasserstein_1d,
)


def codes(num: int, channels: int = 3, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(num, channels, generator=torch.Generator().manual_seed(seed)) + shift


@pytest.mark.parametrize("sizes", [(20, 20), (20, 31), (7, 21), (2, 5)])
def test_wasserstein_is_scipys(sizes):
    first, second = codes(sizes[0]), 2 * codes(sizes[1], seed=1) + 0.5
    expected = [wasserstein_distance(first[:, c], second[:, c]) for c in range(3)]
    torch.testing.assert_close(
        wasserstein_1d(first, second), torch.tensor(expected, dtype=torch.float64)
    )


def test_wasserstein_of_a_shift_is_the_shift():
    first = codes(50)
    torch.testing.assert_close(
        wasserstein_1d(first, first + 3), torch.full((3,), 3.0).double(), rtol=1e-5, atol=0
    )


def test_sliced_wasserstein_of_a_shift():
    first = codes(200, channels=2)
    shifted = sliced_wasserstein(first, first + torch.tensor([2.0, 0.0]), num_directions=4000)
    assert shifted == pytest.approx(2 * 2 / math.pi, rel=0.03)  # mean of |cos| is 2 / pi
    assert sliced_wasserstein(first, first[torch.randperm(200)]) == pytest.approx(0, abs=1e-6)


def test_mmd_is_the_slow_loop():
    first, second, sigma = codes(6).double(), codes(5, seed=1, shift=1.0).double(), 1.3

    def kernel(a, b):
        return math.exp(-float((a - b).square().sum()) / (2 * sigma**2))

    within = sum(
        sum(kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j)
        / (len(x) * (len(x) - 1))
        for x in (first, second)
    )
    across = sum(kernel(a, b) for a in first for b in second) / 30
    assert mmd_squared(first, second, sigma) == pytest.approx(within - 2 * across, rel=1e-9)


def test_mmd_is_near_0_for_equal_and_grows_with_the_shift():
    values = [mmd_squared(codes(300), codes(300, seed=1, shift=shift)) for shift in (0, 0.5, 2)]
    assert abs(values[0]) < 0.01
    assert values[0] < values[1] < values[2]


def test_bandwidth_is_the_median_distance():
    first, second = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [7.0]])
    assert median_bandwidth(first, second) == 3.0  # of the distances 1, 2, 3, 4, 6, 7


def test_one_scale_takes_back_what_both_share():
    first, second = codes(40), codes(30, seed=1, shift=0.7)
    before, after = to_one_scale(first, second), to_one_scale(5 * first + 2, 5 * second + 2)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    both = torch.cat(before)
    torch.testing.assert_close(both.mean(dim=0), torch.zeros(3).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(both.std(dim=0), torch.ones(3).double())


def test_classifier_guesses_where_nothing_differs_and_finds_what_does():
    same = domain_accuracy(
        (codes(200), codes(200, seed=1)), (codes(200, seed=2), codes(200, seed=3))
    )
    assert 0.4 < same < 0.6
    ring = [x / x.norm(dim=1, keepdim=True) for x in (codes(200), codes(200, seed=1))]
    inside = domain_accuracy((ring[0], 0.3 * ring[1]), (ring[1], 0.3 * ring[0]))
    assert inside > 0.95  # no straight line tells a ring from what lies inside it


def test_classifier_depends_on_its_seed_alone():
    parts = (codes(30), codes(30, seed=1)), (codes(30, seed=2), codes(30, seed=3))
    first = domain_accuracy(*parts)
    torch.rand(5)
    assert domain_accuracy(*parts) == first


@pytest.mark.parametrize("measure", [wasserstein_1d, sliced_wasserstein, mmd_squared, to_one_scale])
def test_tables_that_cannot_be_compared_are_refused(measure):
    with pytest.raises(InputError, match="at least 2 rows"):
        measure(torch.zeros(4, 8, 8), torch.zeros(4, 3))
    with pytest.raises(InputError, match="same number of channels, got 3 and 4"):
        measure(codes(5), codes(5, channels=4))
