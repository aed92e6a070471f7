"""The gate: its measures on pictures whose values are known, and photos that pass or do not."""

import cv2
import numpy as np
import pytest
from PIL import Image

from oldphoto.degradations import degrade
from oldphoto.images.files import read_photo
from oldphoto.inference.batch import restore_one
from oldphoto.inference.gate import blockiness, grain, needs_nothing, sharpness
from oldphoto.inference.jobs import Job
from oldphoto.samples import sample_path, sample_photo

RAMP = np.linspace(40, 200, 160, dtype=np.float32)[None].repeat(128, 0)


@pytest.mark.parametrize("sigma", [0.5, 3.0])
def test_grain_is_the_standard_deviation_of_the_noise(sigma):
    noise = np.random.default_rng(0).normal(0, sigma, RAMP.shape).astype(np.float32)
    assert grain(RAMP) == pytest.approx(0, abs=1e-4)
    assert grain(RAMP + noise) == pytest.approx(sigma, rel=0.15)


def test_sharpness_of_an_edge_before_and_after_a_blur():
    bars = np.where(np.arange(160) % 20 < 10, 60, 180).astype(np.float32)[None].repeat(128, 0)
    assert sharpness(bars) == pytest.approx(1)
    assert sharpness(cv2.GaussianBlur(bars, (0, 0), 2)) < 0.7


def test_blockiness_is_the_ratio_of_the_steps():
    assert blockiness(RAMP) == pytest.approx(1, abs=0.01)
    columns = np.arange(160)
    blocks = (columns + columns // 8).astype(np.float32)[None].repeat(128, 0)  # steps 1, 2 at 8
    assert blockiness(blocks) == pytest.approx(2)
    assert blockiness(blocks.T) == pytest.approx(2)


def test_a_sound_photo_passes_and_degraded_or_grey_ones_do_not():
    photo = sample_photo("rooster")
    assert needs_nothing(photo)
    assert not needs_nothing(photo[..., 1:2].repeat(3, 2))
    for recipe in ("paper", "released", "light"):
        assert not needs_nothing(degrade(photo, seed=1, recipe=recipe)[0])
    assert not needs_nothing(sample_photo("taped_postcard"))


def restored(photo, output, mask=None):
    outcome = restore_one(
        Job(photo, output), lambda pixels, _mask: 255 - pixels, lambda *_: mask, gate=needs_nothing
    )
    return outcome.needed_nothing


def test_what_needs_nothing_is_copied_unless_damage_is_marked(tmp_path):
    photo, pixels = sample_path("rooster"), sample_photo("rooster")
    assert restored(photo, tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == photo.read_bytes()
    assert restored(photo, tmp_path / "a.png", np.zeros(pixels.shape[:2], bool))
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, pixels)
    mask = np.zeros(pixels.shape[:2], bool)
    mask[4] = True
    assert not restored(photo, tmp_path / "b.png", mask)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), 255 - pixels)
