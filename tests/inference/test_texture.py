"""Fine texture of sharp photos comes back; noise, holes and blurred photos are left alone."""

import cv2
import numpy as np
import pytest

from oldphoto.degradations.resample import Halftone, apply_halftone
from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.inference import restorer as restorer_module
from oldphoto.inference.fidelity import luminance
from oldphoto.inference.gate import sharpness
from oldphoto.inference.restorer import Restorer
from oldphoto.inference.texture import MAX_GROWTH, Loss, keep_detail, measure_loss
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_names, sample_paths, sample_photo


def half_textured(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo with stripes on its left half and noise everywhere, and what it shows."""
    rows = np.arange(200)[:, None]
    things = np.full((200, 200), 128.0)
    things[:, :100] += 30 * np.sign(np.sin(rows * np.pi / 2 + 0.5))
    noisy = things + np.random.default_rng(0).normal(0, noise, things.shape)
    as_rgb = [np.repeat(one[..., None], 3, axis=2) for one in (noisy, things)]
    return as_rgb[0].clip(0, 255).astype(np.uint8), as_rgb[1].astype(np.float32)


def test_texture_comes_back_and_noise_does_not():
    original, things = half_textured(noise=4)
    flat = np.full_like(things, 128)
    loss = measure_loss(original, flat, None)
    assert loss is not None and 8 < loss.noise < 20  # 4 squared, less what is coarser
    kept = keep_detail(original, flat, None, loss)
    left, right = np.s_[20:-20, 20:70], np.s_[20:-20, 130:180]
    assert np.abs(kept - things)[left].mean() < 6 < np.abs(flat - things)[left].mean()
    assert np.abs(kept - 128)[right].mean() < 0.3


@pytest.mark.parametrize(("made", "kept"), [(1.3, 1.3), (2.5, MAX_GROWTH)])
def test_detail_may_become_sharper_up_to_a_limit(made, kept):
    original, things = half_textured(noise=0)
    sharper = 128 + made * (things - 128)
    for loss in (measure_loss(original, sharper, None), None):
        levels = keep_detail(original, sharper, None, loss)
        middle = np.s_[20:-20, 20:70]
        growth = (levels - 128)[middle] / (things - 128)[middle]
        np.testing.assert_allclose(growth, kept, rtol=0.02)


def test_a_filled_hole_is_not_held_back():
    photo = np.full((100, 100, 3), 128, np.uint8)
    hole = np.zeros((100, 100), bool)
    hole[40:60, 40:60] = True
    filled = photo.astype(np.float32)
    filled[40:60:2, 40:60] = 255
    levels = keep_detail(photo, filled, hole, None)
    np.testing.assert_allclose(levels[hole], filled[hole], atol=0.5)


def test_a_hole_and_its_rim_are_left_to_the_network():
    original, things = half_textured(noise=0)
    hole = np.zeros((200, 200), bool)
    hole[80:120, 30:60] = True
    original[hole] = 255
    flat = np.full_like(things, 128)
    loss = measure_loss(original, flat, hole)
    assert loss is not None
    kept = keep_detail(original, flat, hole, loss)
    np.testing.assert_allclose(kept[hole], 128, atol=1e-3)
    assert np.abs(kept[85:115, 70:90] - things[85:115, 70:90]).mean() < 6


def test_what_lies_in_a_hole_changes_nothing_around_it():
    photo = sample_photo("astronaut")
    hole = np.zeros(photo.shape[:2], bool)
    hole[74:91, 120:146] = True
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    results = []
    for level in (0, 90, 255):
        other = photo.copy()
        other[hole] = level
        results.append(restorer.restore_pixels(other, hole))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_a_blurred_photo_gets_nothing_back():
    photo = sample_photo("cat")
    blurred = cv2.GaussianBlur(photo, (0, 0), 2)
    loss = measure_loss(blurred, np.full(photo.shape, 128, np.float32), None)
    assert loss is not None and loss.share == 0
    everything = np.ones(photo.shape[:2], bool)
    assert measure_loss(photo, photo.astype(np.float32), everything) is None


def test_sharpness_looks_at_sound_pixels_alone():
    blurred = cv2.GaussianBlur(luminance(sample_photo("cat")), (0, 0), 2).astype(np.float32)
    sound = np.ones(blurred.shape, bool)
    assert sharpness(blurred, sound) == sharpness(blurred)
    painted = blurred.copy()
    painted[40:120:6, 40:120] = 255
    sound[39:121, 39:121] = False
    assert sharpness(painted) > 0.9 > 0.7 > sharpness(painted, sound)
    assert sharpness(painted, np.zeros_like(sound)) == 0


def test_strips_and_a_large_photo_give_nearly_the_same(monkeypatch):
    original, things = half_textured(noise=4)
    original, flat = (np.tile(one, (3, 1, 1)) for one in (original, np.full_like(things, 128)))
    whole = measure_loss(original, flat, None)
    monkeypatch.setattr("oldphoto.inference.texture._MEASURED_PIXELS", 200 * 256)
    part = measure_loss(original, flat, None)
    assert whole is not None and part is not None
    assert part.noise == pytest.approx(whole.noise, rel=0.1)
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    expected = restorer.restore_pixels(original)
    monkeypatch.setattr(restorer_module, "_STRIP_PIXELS", 1)
    assert np.abs(restorer.restore_pixels(original).astype(int) - expected).max() <= 1


def test_a_sound_photo_loses_less(monkeypatch):
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    photos = [sample_photo(name) for name in sample_names("held_out")[:3]]
    kept = [psnr(restorer.restore_pixels(photo), photo) for photo in photos]
    monkeypatch.setattr(restorer_module, "measure_loss", lambda *_: None)
    without = [psnr(restorer.restore_pixels(photo), photo) for photo in photos]
    assert min(kept) > 32 and np.mean(kept) > np.mean(without) + 2


def test_damaged_photos_lose_little_of_their_restoration(monkeypatch):
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    photos = list(make_test_photos(sample_paths("held_out")))

    def quality() -> float:
        pairs = [(restorer.restore_pixels(p.degraded, p.scratch_mask), p.clean) for p in photos]
        return float(np.mean([psnr(*pair) for pair in pairs]))

    kept = quality()
    monkeypatch.setattr(restorer_module, "measure_loss", lambda *_: None)
    assert kept > quality() - 0.15


def test_dots_of_a_print_are_no_texture(monkeypatch):
    printed = apply_halftone(sample_photo("cat"), Halftone(4.0, 15.0, 0.5))
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    expected = restorer.restore_pixels(printed)
    monkeypatch.setattr(restorer_module, "measure_loss", lambda *_: Loss(0.1, 1.0, np.ones(16)))
    np.testing.assert_array_equal(restorer.restore_pixels(printed), expected)
