"""The classical pipeline: what it must keep, what it must fill, and how it is tuned."""

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.evaluation.baselines import classical
from oldphoto.evaluation.baselines.classical import Classical, ClassicalSettings, tune
from oldphoto.evaluation.test_photos import TestPhoto, make_test_photos
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_paths

PLAIN = ClassicalSettings("nlm", 0.0, 0.0)


def ramp(height: int = 48, width: int = 61) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([2 * columns + 40, 3 * rows + 20, rows + columns], axis=-1).astype(np.uint8)


def hole(height: int = 48, width: int = 61) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[15:27, 20:33] = True
    return mask


@pytest.mark.parametrize("filler", classical.FILLERS)
def test_a_hole_in_a_ramp_is_filled_and_nothing_else_changes(filler):
    clean, mask = ramp(), hole()
    filled = Classical(ClassicalSettings("nlm", 0, 0, filler)).fill(
        np.where(mask[..., None], 255, clean).astype(np.uint8), mask
    )
    assert np.array_equal(filled[~mask], clean[~mask])
    error = np.abs(filled[mask].astype(int) - clean[mask])
    # A ramp solves the biharmonic equation exactly; the other two keep its direction in part.
    assert error.max() <= (1 if filler == "biharmonic" else 30)


@pytest.mark.parametrize("denoiser", classical.DENOISERS)
def test_masked_pixels_do_not_influence_the_result(denoiser):
    clean, mask = ramp(), hole()
    method = Classical(ClassicalSettings(denoiser, 1.0, 4.0))
    results = [
        method(np.where(mask[..., None], value, clean).astype(np.uint8), mask) for value in (0, 255)
    ]
    assert np.array_equal(*results)
    assert results[0].shape == clean.shape and results[0].dtype == np.uint8


@pytest.mark.parametrize("settings", [classical.TUNED_NLM, classical.TUNED_BM3D])
def test_white_noise_is_removed(settings):
    clean = ramp()
    noise = np.random.default_rng(1).normal(0, 12, clean.shape)
    noisy = (clean + noise).round().clip(0, 255).astype(np.uint8)
    assert psnr(Classical(settings).denoise(noisy), clean) > psnr(noisy, clean) + 4


def test_beats_the_degraded_photo_by_far():
    photo = next(iter(make_test_photos(sample_paths("clean")[3:4], seed=5)))
    restored = Classical(classical.TUNED_NLM)(photo.degraded, photo.scratch_mask)
    assert psnr(restored, photo.clean) > psnr(photo.degraded, photo.clean) + 5


def test_noise_is_estimated_where_it_is_white():
    flat = np.full((128, 128, 3), 128.0)
    noisy = flat + np.random.default_rng(0).normal(0, 12, flat.shape)
    estimate = classical.noise_level(noisy.clip(0, 255).astype(np.uint8))
    assert estimate == pytest.approx(12, rel=0.1)


def test_without_a_mask_nothing_is_filled():
    photo = ramp()
    assert np.array_equal(
        Classical(PLAIN)(photo), Classical(PLAIN)(photo, np.zeros((48, 61), bool))
    )


def test_tuning_takes_the_best_of_what_it_tried():
    clean, mask = ramp(), hole()
    noise = np.random.default_rng(0).normal(0, 15, clean.shape)
    noisy = (clean + noise).clip(0, 255).astype(np.uint8)
    damaged = np.where(mask[..., None], 255, noisy).astype(np.uint8)
    photos = [TestPhoto("ramp", damaged, clean, mask)]
    told: list[str] = []
    best = tune(photos, denoisers=("nlm",), report=told.append)
    scores = [float(line.split(" dB")[0]) for line in told]
    found = psnr(Classical(best)(damaged, mask), clean)
    assert found == pytest.approx(max(scores), abs=1e-3)
    assert len(told) == 6 + 5 and max(scores) > min(scores)


def test_the_tuned_settings_are_among_those_tried():
    assert classical.TUNED.denoiser in classical.DENOISERS
    assert classical.TUNED_NLM.denoiser == "nlm"
    for settings in (classical.TUNED, classical.TUNED_NLM):
        assert settings in list(classical.candidates())


def test_refusals():
    photo, method = ramp(), Classical(PLAIN)
    with pytest.raises(InputError, match="uint8"):
        method(photo.astype(float))
    with pytest.raises(InputError, match="scratch mask as bool"):
        method(photo, np.zeros((48, 60), bool))
    with pytest.raises(InputError, match="every pixel"):
        method(photo, np.ones((48, 61), bool))
    with pytest.raises(InputError, match="denoiser must be one of"):
        ClassicalSettings("wavelets")
    with pytest.raises(InputError, match="at least one photo"):
        tune([])
