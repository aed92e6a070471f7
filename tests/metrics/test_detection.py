"""Precision, recall and their curve: values by hand, a slow reference, properties, refusals."""

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.metrics.detection import (
    Confusion,
    confusion,
    grown,
    precision_recall_curve,
    tolerant,
    tolerant_confusion,
)


def mask(*rows: str) -> np.ndarray:
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def test_values_computed_by_hand():
    found = mask("##..", "#...", "....")
    truth = mask("##..", ".#..", ".#..")
    counts = confusion(found, truth)
    assert counts == Confusion(2, 1, 2, 7)
    assert counts.precision == pytest.approx(2 / 3)
    assert counts.recall == 1 / 2
    assert counts.f1 == pytest.approx(4 / 7)
    assert counts.iou == 2 / 5
    assert counts.accuracy == 9 / 12
    assert counts.f1 == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))


def test_saying_sound_everywhere_is_accurate_and_useless():
    truth = np.zeros((10, 10), bool)
    truth[0, :5] = True
    nothing = confusion(np.zeros_like(truth), truth)
    assert nothing.accuracy == 0.95
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.iou) == (1, 0, 0, 0)
    sound = confusion(np.zeros_like(truth), np.zeros_like(truth))
    assert (sound.precision, sound.recall, sound.f1, sound.iou, sound.accuracy) == (1, 1, 1, 1, 1)


def test_counts_of_photos_add_up_to_those_of_all_pixels():
    rng = np.random.default_rng(0)
    found, truth = rng.random((2, 3, 8, 9)) < 0.3
    parts = [confusion(f, t) for f, t in zip(found, truth, strict=True)]
    assert parts[0] + parts[1] + parts[2] == confusion(found, truth)


def test_curve_has_the_values_computed_by_hand():
    probability = np.array([0.9, 0.8, 0.8, 0.3, 0.1])
    truth = np.array([True, False, True, True, False])
    curve = precision_recall_curve(probability, truth)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.3, 0.1]
    np.testing.assert_allclose(curve.precision, [1, 2 / 3, 3 / 4, 3 / 5])
    np.testing.assert_allclose(curve.recall, [1 / 3, 2 / 3, 1, 1])
    # 1/3 * 1 + 1/3 * 2/3 + 1/3 * 3/4
    assert curve.average_precision == pytest.approx(29 / 36)
    threshold, f1 = curve.best
    assert threshold == 0.3 and f1 == pytest.approx(6 / 7)


def slow_curve(probability: np.ndarray, truth: np.ndarray) -> list[tuple[float, float, float]]:
    """One pass over all pixels for each threshold."""
    points = []
    for threshold in sorted(set(probability.ravel().tolist()), reverse=True):
        hits = alarms = 0
        for value, damaged in zip(probability.flat, truth.flat, strict=True):
            alarms += value >= threshold
            hits += value >= threshold and bool(damaged)
        points.append((threshold, hits / alarms, hits / truth.sum()))
    return points


@pytest.mark.parametrize("steps", [5, 1000])
def test_curve_is_that_of_a_slow_reference(steps):
    rng = np.random.default_rng(steps)
    truth = rng.random((9, 11)) < 0.2
    probability = (rng.integers(0, steps, truth.shape) / steps + 0.3 * truth).astype(np.float32)
    curve, slow = precision_recall_curve(probability, truth), slow_curve(probability, truth)
    np.testing.assert_allclose(curve.threshold, [point[0] for point in slow])
    np.testing.assert_allclose(curve.precision, [point[1] for point in slow])
    np.testing.assert_allclose(curve.recall, [point[2] for point in slow])
    area, before = 0.0, 0.0
    for _, precision, recall in slow:
        area, before = area + (recall - before) * precision, recall
    assert curve.average_precision == pytest.approx(area)


def test_each_point_of_the_curve_is_the_confusion_at_its_threshold():
    rng = np.random.default_rng(3)
    truth, probability = rng.random((6, 7)) < 0.4, rng.integers(0, 9, (6, 7)) / 9
    curve = precision_recall_curve(probability, truth)
    for threshold, precision, recall in zip(
        curve.threshold, curve.precision, curve.recall, strict=True
    ):
        counts = confusion(probability >= threshold, truth)
        assert (counts.precision, counts.recall) == pytest.approx((precision, recall))


def test_average_precision_is_1_when_perfect_and_the_share_when_guessing():
    rng = np.random.default_rng(1)
    truth = rng.random(40_000) < 0.1
    assert precision_recall_curve(truth.astype(float), truth).average_precision == 1
    guessing = precision_recall_curve(rng.random(40_000), truth).average_precision
    assert guessing == pytest.approx(truth.mean(), abs=0.01)
    same = precision_recall_curve(np.full(40_000, 0.5), truth)
    assert same.average_precision == pytest.approx(truth.mean())


def test_only_the_order_of_the_probabilities_matters():
    rng = np.random.default_rng(2)
    truth, logits = rng.random(500) < 0.3, rng.normal(size=500)
    curve = precision_recall_curve(logits, truth)
    squeezed = precision_recall_curve(1 / (1 + np.exp(-logits)), truth)
    assert curve.average_precision == squeezed.average_precision
    places = rng.permutation(500)
    mixed = precision_recall_curve(logits[places], truth[places])
    assert mixed.average_precision == pytest.approx(curve.average_precision)


def test_a_line_beside_the_scratch_is_a_hit_with_tolerance():
    truth = np.zeros((20, 20), bool)
    truth[:, 10] = True
    found = np.roll(truth, 2, axis=1)
    found[0, 0] = True
    assert tolerant(found, truth, 0) == tolerant(found, truth, 1) == (0, 0)
    assert tolerant(found, truth, 2) == (20 / 21, 1)
    assert tolerant(found, truth, 0) == (
        confusion(found, truth).precision,
        confusion(found, truth).recall,
    )
    found[:10] = False  # half a line finds half of the scratch, and two pixels round the corner
    assert tolerant(found, truth, 2) == (1, 12 / 20)


def test_grown_reaches_as_far_as_it_says():
    spot = np.zeros((9, 9), bool)
    spot[4, 4] = True
    assert grown(spot, 0).sum() == 1
    assert grown(spot, 2).sum() == 25 and grown(spot, 2)[2, 2] and not grown(spot, 2)[1, 4]
    corner = np.zeros((4, 4), bool)
    corner[0, 0] = True
    assert grown(corner, 1).sum() == 4  # nothing comes in from beyond the rim


def test_wrong_use_is_refused():
    truth = np.zeros((4, 4), bool)
    with pytest.raises(InputError, match="one shape"):
        confusion(truth[:2], truth)
    with pytest.raises(InputError, match="bool"):
        confusion(truth.astype(np.uint8), truth)
    with pytest.raises(InputError, match="one shape"):
        precision_recall_curve(np.zeros(3), truth)
    with pytest.raises(InputError, match="no recall"):
        precision_recall_curve(np.zeros((4, 4)), truth)
    with pytest.raises(InputError, match="NaN"):
        precision_recall_curve(np.full((4, 4), np.nan), ~truth)
    with pytest.raises(InputError, match="0 or more"):
        tolerant(truth, truth, -1)
    with pytest.raises(InputError, match=r"\(H, W\)"):
        grown(truth[0], 1)


def test_tolerant_counts_forgive_near_misses_and_leave_out_what_is_not_known():
    found = mask("#...#.", "......", "......")
    truth = mask(".#....", "......", "...#..")
    assert tolerant_confusion(found, truth, 0) == confusion(found, truth)
    # (0, 1) is met by (0, 0); (2, 3) is missed; (0, 4) is two rows from it: a false alarm.
    assert tolerant_confusion(found, truth, 1) == Confusion(1, 1, 1, 15)
    ignored = mask("....##", "......", "...#..")  # damage counts even where it is not known
    assert tolerant_confusion(found, truth, 1, ignored) == Confusion(1, 0, 1, 14)
    with pytest.raises(InputError, match="one shape"):
        tolerant_confusion(found, truth, 1, ignored[:2])
