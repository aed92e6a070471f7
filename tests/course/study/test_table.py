"""The table Top 1 to Top 5, its intervals, Kendall's W, and raters whose taste is known."""

import itertools
import re

import numpy as np
import pytest
from scipy import stats

from oldphoto.checks import InputError
from oldphoto.course.study import table as st
from oldphoto.course.study.raters import simulate, true_percentages
from oldphoto.course.study.study import Ranking, Study
from oldphoto.metrics.bootstrap import bootstrap

SIX = tuple(st.PAPER_PERCENTAGES)


def rankings_of(*orders, raters=None):
    raters = raters or [f"k{number}" for number in range(len(orders))]
    return [Ranking(rater, "boat", tuple(o)) for rater, o in zip(raters, orders, strict=True)]


def slow_percentages(rankings, methods):
    """Count as one would on paper."""
    columns = min(len(methods) - 1, 5)
    return [
        [
            100 * sum(m in r.methods[:k] for r in rankings) / len(rankings)
            for k in range(1, 1 + columns)
        ]
        for m in methods
    ]


def test_table_by_hand_in_the_form_of_the_paper():
    table = st.top_table(rankings_of("abc", "acb", "bac", "abc"))
    assert table.markdown().splitlines() == [
        "| method | Top 1 |  Top 2 |",
        "|:-------|------:|-------:|",
        "| c      |  0.00 |  25.00 |",
        "| b      | 25.00 |  75.00 |",
        "| a      | 75.00 | 100.00 |",
    ]
    assert (table.num_raters, table.num_rankings) == (4, 4)


def test_the_papers_table_comes_out_in_the_papers_form():
    lines = st.paper_table().markdown().splitlines()
    assert lines[0] == "| method     | Top 1 | Top 2 | Top 3 | Top 4 | Top 5 |"
    assert lines[2] == "| DIP        |  2.75 |  6.99 | 12.92 | 32.63 | 69.70 |"
    assert lines[7] == "| new model  | 64.83 | 81.35 | 90.68 | 96.40 | 98.72 |"
    assert st.paper_table().markdown(intervals=True) == st.paper_table().markdown()
    # Each ranking puts k methods among the best k; rounding to two decimals leaves 0.03.
    sums = st.paper_table().percentages.sum(axis=0)
    assert np.allclose(sums, [100, 200, 300, 400, 500], atol=0.031)


@pytest.mark.parametrize("num_methods", [2, 3, 6, 8])
def test_shares_agree_with_a_slow_count(num_methods):
    methods = tuple("abcdefgh"[:num_methods])
    rng = np.random.default_rng(num_methods)
    found = rankings_of(*("".join(rng.permutation(list(methods))) for _ in range(37)))
    places, names = st.places_of(found)
    percentages = st.top_percentages(places)
    assert names == methods and np.allclose(percentages, slow_percentages(found, methods))
    assert (np.diff(percentages, axis=1) >= 0).all()
    columns = np.arange(1, percentages.shape[1] + 1)
    assert np.allclose(percentages.sum(axis=0), 100 * columns)


def test_rows_are_sorted_as_in_the_paper_and_intervals_go_along():
    study = Study(tuple(f"p{n}" for n in range(9)), SIX)
    weights = dict(zip(SIX, (30, 1, 2, 3, 9, 5), strict=True))
    table = st.top_table(simulate(study, weights, 8, seed=1))
    assert (np.diff(table.percentages[:, 0]) >= 0).all() and table.methods[-1] == "DIP"
    assert (table.low <= table.percentages).all() and (table.percentages <= table.high).all()
    percent, low, high = (array[-1, 0] for array in (table.percentages, table.low, table.high))
    cells = table.cells(intervals=True)
    assert cells[-1][:2] == ["DIP", f"{percent:.0f} [{low:.0f}, {high:.0f}]"]
    assert " | ".join(cells[-1]) in re.sub(" +", " ", table.markdown(intervals=True))
    rows = table.as_csv().splitlines()
    assert rows[0] == "method,top,share,low,high" and len(rows) == 31
    assert f"DIP,1,{percent:.2f},{low:.2f},{high:.2f}" in rows


def test_interval_is_the_packages_own_where_all_rank_equally_many():
    study = Study(tuple(f"p{n}" for n in range(7)), ("a", "b", "c"))
    found = simulate(study, {"a": 3, "b": 2, "c": 1}, 9, taste=1.0, seed=2)
    table = st.top_table(found, confidence=0.9, seed=5)
    names = [f"rater_{n + 1:03}" for n in range(9)]
    own = [[r.methods[0] == "a" for r in found if r.rater == name] for name in names]
    reference = bootstrap([100 * np.mean(values) for values in own], 0.9, seed=5)
    row = table.methods.index("a")
    assert table.percentages[row, 0] == pytest.approx(reference.mean)
    assert table.low[row, 0] == pytest.approx(reference.low)
    assert table.high[row, 0] == pytest.approx(reference.high)


def test_raters_who_did_less_count_less():
    found = rankings_of("ab", "ab", "ab", "ba", raters=["x", "x", "x", "y"])
    places, _ = st.places_of(found)
    draws = st.bootstrap_percentages(places, ["x", "x", "x", "y"], 400, seed=0)[:, 0, 0]
    # Two of two raters: both x, both y, or one of each: 3 of 4 answers are for a.
    assert set(np.round(draws, 9)) == {0.0, 75.0, 100.0}


def test_raters_alike_in_themselves_make_wide_intervals():
    orders = ["ab"] * 50 + ["ba"] * 50
    raters = [f"k{number // 10}" for number in range(100)]  # ten raters, each of one mind
    places, _ = st.places_of(rankings_of(*orders, raters=raters))
    over_raters = st.bootstrap_percentages(places, raters, 4000)[:, 0, 0]
    over_answers = st.bootstrap_percentages(places, range(100), 4000)[:, 0, 0]
    assert over_raters.std() == pytest.approx(100 * np.sqrt(0.25 / 10), rel=0.05)
    assert over_answers.std() == pytest.approx(100 * np.sqrt(0.25 / 100), rel=0.05)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(InputError, match="at least one ranking"):
        st.top_table([])
    with pytest.raises(InputError, match="expected rankings of a, b, c, got one of a, b"):
        st.top_table(rankings_of("abc", "ab"))
    with pytest.raises(InputError, match="confidence must be between 0 and 1"):
        st.top_table(rankings_of("abc"), confidence=95)


# --- agreement ---------------------------------------------------------------------------------


def test_kendall_by_hand():
    # Sums of places 4, 6, 8; mean 6; S = 4 + 0 + 4 = 8; W = 12 * 8 / (9 * 24).
    assert st.kendall_w(np.array([[1, 2, 3], [1, 3, 2], [2, 1, 3]])) == pytest.approx(96 / 216)


def test_all_agree_and_all_contradict():
    assert st.kendall_w(np.array([[2, 1, 3, 4]] * 5)) == 1
    assert st.kendall_w(np.array([[1, 2, 3, 4], [4, 3, 2, 1]])) == 0


@pytest.mark.parametrize("raters", [2, 3, 9])
@pytest.mark.parametrize("methods", [2, 5, 6])
def test_kendall_agrees_with_the_mean_of_all_rank_correlations(raters, methods):
    rng = np.random.default_rng(10 * raters + methods)
    places = np.array([rng.permutation(methods) + 1 for _ in range(raters)])
    pairs = itertools.combinations(places, 2)
    mean = np.mean([stats.spearmanr(first, second).statistic for first, second in pairs])
    assert st.kendall_w(places) == pytest.approx((1 + (raters - 1) * mean) / raters)


def test_chance_is_one_over_the_number_of_raters():
    rng = np.random.default_rng(0)
    found = [
        st.kendall_w(np.array([rng.permutation(6) + 1 for _ in range(4)])) for _ in range(2000)
    ]
    assert np.mean(found) == pytest.approx(1 / 4, abs=4 * np.std(found) / np.sqrt(2000))


def test_agreement_over_photos_leaves_out_what_one_rater_saw():
    found = [
        Ranking("k1", "boat", ("a", "b", "c")),
        Ranking("k2", "boat", ("a", "b", "c")),
        Ranking("k1", "cat", ("a", "b", "c")),
        Ranking("k2", "cat", ("c", "b", "a")),
        Ranking("k1", "door", ("a", "b", "c")),
    ]
    agreed = st.agreement(found)
    assert agreed.per_photo == {"boat": 1.0, "cat": 0.0}
    assert (agreed.mean, agreed.by_chance) == (0.5, 0.5)
    assert "Kendall's W is 0.50 on average over 2 photos" in agreed.words()
    assert st.agreement(found[:1]).words().startswith("Agreement needs a photo")


@pytest.mark.parametrize(
    "places", [[[1, 2, 3]], [[1], [1]], [[1, 2, 2], [1, 2, 3]], [[0, 1], [1, 0]]]
)
def test_what_kendall_cannot_take_is_refused(places):
    with pytest.raises(InputError, match="expected"):
        st.kendall_w(np.array(places))


# --- raters whose taste is known ---------------------------------------------------------------


def test_true_shares_by_hand():
    percentages = true_percentages({"a": 3, "b": 2, "c": 1})
    # c first 1/6; c second: a first 1/2 * 1/3, b first 1/3 * 1/4.
    assert percentages[2] == pytest.approx([100 / 6, 100 * (1 / 6 + 1 / 6 + 1 / 12)])
    assert percentages.sum(axis=0) == pytest.approx([100, 200])


@pytest.mark.parametrize("seed", range(3))
def test_the_analysis_finds_what_was_put_in(seed):
    weights = dict(zip(SIX, (1, 2, 3, 5, 8, 30), strict=True))
    study = Study(tuple(f"p{n}" for n in range(50)), SIX)
    table = st.top_table(simulate(study, weights, 60, seed=seed), methods=SIX)
    truth = true_percentages(weights, 5)
    order = [SIX.index(method) for method in table.methods]
    # 3000 rankings: the standard deviation of a percentage is at most 0.91 percent.
    assert np.abs(table.percentages - truth[order]).max() < 4 * 0.91
    inside = (table.low <= truth[order]) & (truth[order] <= table.high)
    assert inside.mean() > 0.7


def test_taste_makes_raters_differ_and_lowers_agreement():
    weights = {"a": 8, "b": 4, "c": 2, "d": 1}
    study = Study(tuple(f"p{n}" for n in range(20)), tuple(weights))
    alike, apart = (
        st.top_table(simulate(study, weights, 25, taste, seed=0)) for taste in (0.0, 1.5)
    )
    assert (apart.high - apart.low).mean() > 1.5 * (alike.high - alike.low).mean()


def test_impossible_raters_are_refused():
    study = Study(("p",), ("a", "b"))
    with pytest.raises(InputError, match="got none for b"):
        simulate(study, {"a": 1}, 3)
    with pytest.raises(InputError, match="weight of b must be greater than 0"):
        simulate(study, {"a": 1, "b": 0}, 3)
    with pytest.raises(InputError, match="taste must not be negative"):
        simulate(study, {"a": 1, "b": 1}, 3, taste=-1)
    with pytest.raises(InputError, match="at most 7 methods"):
        true_percentages(dict.fromkeys("abcdefgh", 1.0))
