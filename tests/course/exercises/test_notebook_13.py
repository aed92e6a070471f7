"""Exercises of notebook 13: their solutions are what the package computes."""

import numpy as np
import pytest

from oldphoto.course.exercises import notebook_13 as exercises
from oldphoto.course.study import table as study_table
from oldphoto.course.study.simulation import misfit

PLACES = np.array([np.random.default_rng(n).permutation(5) + 1 for n in range(9)])


def test_top_share_and_kendall_are_the_packages():
    percentages = study_table.top_percentages(PLACES)
    for k in range(1, 5):
        assert exercises.top_percentage.solution(PLACES, k) == pytest.approx(percentages[:, k - 1])
    assert exercises.kendall.solution(PLACES) == pytest.approx(study_table.kendall_w(PLACES))


def test_resampled_rows_give_the_packages_bootstrap():
    raters = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    drawn = np.random.default_rng(4).integers(3, size=(1, 3))  # as bootstrap_percentages draws
    rows = exercises.resampled.solution(raters, drawn[0])
    by_hand = study_table.top_percentages(PLACES[rows])
    assert by_hand == pytest.approx(study_table.bootstrap_percentages(PLACES, raters, 1, seed=4)[0])


def test_tied_sum_by_counting():
    first = np.zeros((100, 6), bool)
    first[:, 0] = True
    first[:10, 1] = True  # ten rankings with two methods at place 1
    assert exercises.tied_sum.solution == pytest.approx(100 * first.mean(axis=0).sum())


def test_number_of_rankings_is_the_only_one_that_fits():
    percentages = study_table.paper_table().percentages
    fitting = [n for n in range(2, 601) if misfit(percentages, n) < 0.01]
    assert fitting == [exercises.num_rankings.solution]
