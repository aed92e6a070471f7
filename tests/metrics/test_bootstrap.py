"""The bootstrap: all resamples of a small set by hand, known coverage, paired differences."""

from itertools import product

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.metrics.bootstrap import bootstrap, bootstrap_crossed, bootstrap_difference


def test_equals_the_quantiles_of_all_possible_resamples():
    values = [1.0, 2.5, 6.2, 7.9]
    means = [np.mean(draw) for draw in product(values, repeat=4)]  # all 256 of them
    found = bootstrap(values, confidence=0.8, num_resamples=40_000)
    assert found.mean == pytest.approx(4.4) and found.num_photos == 4
    assert found.low == pytest.approx(np.quantile(means, 0.1), abs=0.1)
    assert found.high == pytest.approx(np.quantile(means, 0.9), abs=0.1)
    assert np.quantile(means, 0.2) > found.low + 0.3  # another tail would be noticed


def test_covers_the_true_mean_as_often_as_it_says():
    # Normal values: the interval is the normal one, shortened by sqrt((n - 1) / n) and by the
    # difference of normal and Student; for n = 40 and 90 % it covers 88.6 %.
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(1000):
        found = bootstrap(rng.normal(3.0, 2.0, 40), 0.9, num_resamples=400, seed=trial)
        hits += found.low <= 3.0 <= found.high
    assert 0.86 < hits / 1000 < 0.92


def test_width_is_that_of_the_standard_error():
    values = np.random.default_rng(1).normal(0.0, 1.0, 400)
    found = bootstrap(values)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)


def test_same_seed_same_interval_and_one_photo_has_no_width():
    assert bootstrap([1, 5, 9], seed=2) == bootstrap([1, 5, 9], seed=2)
    one = bootstrap([4.0])
    assert (one.low, one.mean, one.high) == (4.0, 4.0, 4.0)


def test_pairs_cancel_what_both_methods_share():
    rng = np.random.default_rng(3)
    hard = rng.normal(25, 5, 30)  # photos differ by 5 dB, the methods by half of one
    first, second = hard + 0.5 + rng.normal(0, 0.1, 30), hard
    paired = bootstrap_difference(first, second)
    assert paired.excludes_zero and paired.mean == pytest.approx(np.mean(first - second))
    assert paired.high - paired.low < 0.1
    alone = [bootstrap(values) for values in (first, second)]
    assert alone[0].low < alone[1].high  # each by itself: the intervals overlap
    assert not bootstrap_difference(hard, hard).excludes_zero


def test_crossed_draws_trainings_and_photos_each_by_themselves():
    table = np.array([[1.0, 4.0], [2.0, 9.0]])
    draws = [
        table[np.ix_(rows, columns)].mean()
        for rows in product((0, 1), repeat=2)
        for columns in product((0, 1), repeat=2)
    ]  # all 16 of them
    found = bootstrap_crossed(table, confidence=0.5, num_resamples=40_000)
    assert found.mean == pytest.approx(4.0) and found.num_photos == 2
    assert found.low == pytest.approx(np.quantile(draws, 0.25), abs=0.3)
    assert found.high == pytest.approx(np.quantile(draws, 0.75), abs=0.3)


def test_crossed_is_wider_than_taking_all_values_for_independent():
    rng = np.random.default_rng(5)
    table = rng.normal(0, 1, (6, 1)) + rng.normal(0, 1, 20) + rng.normal(0, 0.1, (6, 20))
    crossed, naive = bootstrap_crossed(table), bootstrap(table.ravel())
    assert crossed.high - crossed.low > 2 * (naive.high - naive.low)
    assert bootstrap_crossed(table[:1]) == bootstrap(table[0])  # one training: photos alone move
    with pytest.raises(InputError, match=r"table \(trainings, photos\)"):
        bootstrap_crossed(np.zeros((2, 0)))
    with pytest.raises(InputError, match="finite"):
        bootstrap_crossed(np.array([[1.0, np.nan]]))


def test_refusals():
    with pytest.raises(InputError, match="at least one"):
        bootstrap([])
    with pytest.raises(InputError, match="finite"):
        bootstrap([1.0, float("inf")])
    with pytest.raises(InputError, match="confidence"):
        bootstrap([1.0], confidence=1.0)
    with pytest.raises(InputError, match="same photos, got 1 and 2"):
        bootstrap_difference([1.0], [1.0, 2.0])
