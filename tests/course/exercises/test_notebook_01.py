"""Exercises of notebook 01: their solutions are what the package computes."""

import numpy as np
import pytest

from oldphoto.course.exercises import notebook_01 as exercises
from oldphoto.degradations import GaussianNoise, apply_box_blur, apply_gaussian_noise
from oldphoto.degradations.blur import BoxBlur
from oldphoto.metrics import fidelity


def test_stub_of_the_notebook_gets_the_message_about_uint8():
    verdict = exercises.add_noise.check(lambda photo, noise: photo + noise.astype(np.uint8))
    assert not verdict.right


def test_psnr_of_the_exercise_is_the_packages():
    rng = np.random.default_rng(0)
    clean, output = rng.integers(0, 256, (2, 20, 20, 3), dtype=np.uint8)
    by_hand = exercises.psnr.solution(output, clean)
    assert by_hand == pytest.approx(fidelity.psnr(output, clean), rel=1e-9)
    # A difference of 10 levels everywhere: 20 log10(255 / 10).
    dark, light = np.full((4, 4, 3), 90, np.uint8), np.full((4, 4, 3), 100, np.uint8)
    assert exercises.psnr.solution(light, dark) == pytest.approx(28.1308, abs=1e-4)


def test_noise_left_after_a_box_blur_is_what_the_package_leaves():
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = apply_gaussian_noise(grey, GaussianNoise(30.0, 1))
    left = apply_box_blur(noisy, BoxBlur(5))[5:-5, 5:-5].std()
    assert left == pytest.approx(exercises.left_after_box.solution(30.0, 5), rel=0.03)


def test_smallest_margin_is_the_sum_of_the_packages_margins():
    from oldphoto.degradations import GaussianBlur

    wanted = GaussianBlur(7, 3.0).margin + BoxBlur(5).margin
    assert exercises.smallest_margin.solution == wanted
