"""Elastic distortion moves photo and mask alike, smoothly, by about its amplitude."""

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations import Elastic, apply_elastic, sample_elastic
from oldphoto.degradations.elastic import displacement


def test_photo_and_mask_move_together():
    mask = np.zeros((100, 120), bool)
    mask[30:60, 40:90] = True
    photo = np.where(mask[..., None], 200, 50).astype(np.uint8).repeat(3, axis=2)
    p = Elastic(0.03, 4, 7)
    moved, moved_mask = apply_elastic(photo, p), apply_elastic(mask, p)
    assert moved_mask.dtype == bool and not np.array_equal(moved_mask, mask)
    assert np.mean((moved[..., 0] > 125) == moved_mask) > 0.99


def test_the_displacement_has_the_amplitude():
    shifts = np.stack([displacement((60, 80), Elastic(0.05, 4, seed * 9)) for seed in range(60)])
    assert shifts.std() == pytest.approx(0.05 * 60, rel=0.15)


def test_no_amplitude_is_the_identity(photo):
    assert np.array_equal(apply_elastic(photo, Elastic(0.0, 4, 1)), photo)


def test_a_shift_by_hand(photo, monkeypatch):
    fixed = (np.full((120, 150), 3, np.float32), np.full((120, 150), -2, np.float32))
    monkeypatch.setattr("oldphoto.degradations.elastic.displacement", lambda size, p: fixed)
    moved = apply_elastic(photo, Elastic(0.1, 1, 0))
    assert np.array_equal(moved[2:, :-3], photo[:-2, 3:])


def test_samples_and_refusals(photo):
    assert 0.005 <= sample_elastic(np.random.default_rng(0)).amplitude <= 0.02
    with pytest.raises(InputError, match="expected uint8, float32 or bool to distort, got int64"):
        apply_elastic(photo.astype(np.int64), Elastic(0.01, 4, 0))
    with pytest.raises(InputError, match="amplitude of an elastic distortion"):
        apply_elastic(photo, Elastic(0.9, 4, 0))
