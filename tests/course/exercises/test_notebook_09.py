"""Exercises of notebook 09: their solutions are what the package computes."""

import numpy as np
import pytest
import torch

from oldphoto import losses
from oldphoto.course.exercises import notebook_09 as exercises
from oldphoto.metrics.detection import confusion, grown, precision_recall_curve


def test_stubs_of_the_notebook_that_are_to_be_modified_are_told_why():
    assert "many thresholds" in exercises.area.check(lambda p, r: p.mean()).message
    one = exercises.grow.check(lambda m, p: torch.nn.functional.max_pool2d(m, 3, 1, 1))
    assert "by one pixel" in one.message


def test_precision_and_area_are_the_packages():
    rng = np.random.default_rng(0)
    found, truth = rng.random((2, 9, 9)) < 0.3
    assert exercises.precision.solution(found, truth) == confusion(found, truth).precision
    curve = precision_recall_curve(rng.random((9, 9)), truth)
    area = exercises.area.solution(curve.precision, curve.recall)
    assert area == pytest.approx(curve.average_precision)


def test_focal_loss_of_the_exercise_is_the_packages():
    logits = torch.randn(1, 1, 5, 6, generator=torch.Generator().manual_seed(0))
    mask = (logits > 0.3).float()
    p_true = torch.where(mask > 0, logits.sigmoid(), 1 - logits.sigmoid())
    by_hand = 0.5 * exercises.focal.solution(p_true, 2.0).mean()  # alpha 0.5 on both sides
    torch.testing.assert_close(by_hand, losses.focal_loss(logits, mask, 2.0, alpha=0.5))


def test_wider_masks_of_the_exercise_are_the_packages():
    mask = np.random.default_rng(1).random((12, 15)) < 0.1
    as_tensor = torch.from_numpy(mask)[None, None].float()
    for pixels in (1, 2, 4):
        wide = exercises.grow.solution(as_tensor, pixels)
        assert np.array_equal(wide[0, 0].numpy() > 0, grown(mask, pixels))


def test_strictest_threshold_finds_enough_and_a_stricter_one_does_not():
    threshold = exercises.strictest.solution()
    scores, damaged = exercises.SCORES, exercises.DAMAGED
    assert confusion(scores >= threshold, damaged).recall >= 0.8
    assert confusion(scores > threshold, damaged).recall < 0.8
