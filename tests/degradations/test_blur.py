"""Blurs against values worked out by hand."""

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations import (
    BoxBlur,
    GaussianBlur,
    MotionBlur,
    apply_box_blur,
    apply_gaussian_blur,
    apply_motion_blur,
    sample_box_blur,
    sample_gaussian_blur,
    sample_motion_blur,
)
from oldphoto.degradations.blur import motion_kernel


def impulse(level: int = 250) -> np.ndarray:
    photo = np.zeros((15, 15, 3), np.uint8)
    photo[7, 7] = level
    return photo


@pytest.mark.parametrize(("kernel_size", "sigma"), [(3, 1.0), (5, 2.0), (7, 5.0)])
def test_gaussian_blur_of_an_impulse_is_the_gaussian(kernel_size, sigma):
    taps = np.exp(-((np.arange(kernel_size) - kernel_size // 2) ** 2) / (2 * sigma**2))
    expected = np.zeros((15, 15))
    half = kernel_size // 2
    expected[7 - half : 8 + half, 7 - half : 8 + half] = 250 * np.outer(taps, taps)
    expected /= taps.sum() ** 2
    blurred = apply_gaussian_blur(impulse(), GaussianBlur(kernel_size, sigma))
    for channel in range(3):
        assert np.abs(blurred[..., channel] - expected).max() <= 1


def test_box_blur_of_a_step_is_a_ramp():
    photo = np.zeros((9, 12, 3), np.uint8)
    photo[:, 6:] = 200
    blurred = apply_box_blur(photo, BoxBlur(5))
    assert blurred[4, :, 0].tolist() == [0, 0, 0, 0, 40, 80, 120, 160, 200, 200, 200, 200]


def test_box_blur_of_an_impulse_is_a_square():
    expected = np.zeros((15, 15), int)
    expected[6:9, 6:9] = 25
    assert np.array_equal(apply_box_blur(impulse(225), BoxBlur(3))[..., 1], expected)


def test_motion_kernel_lies_along_its_direction():
    flat = motion_kernel(MotionBlur(7.0, 0.0))
    middle = flat.shape[0] // 2
    assert flat.sum() == pytest.approx(1, abs=1e-6)
    assert flat[middle].sum() == pytest.approx(1, abs=1e-6)
    assert np.count_nonzero(flat[middle] > 0.01) == pytest.approx(7, abs=1)
    assert np.allclose(motion_kernel(MotionBlur(7.0, 90.0)), flat.T, atol=1e-6)
    diagonal = motion_kernel(MotionBlur(9.0, 45.0))
    assert np.trace(diagonal) > 0.5 > np.trace(diagonal[::-1])


def test_motion_blur_of_length_one_changes_nothing(photo):
    assert np.array_equal(apply_motion_blur(photo, MotionBlur(1.0, 30.0)), photo)


@pytest.mark.parametrize(
    ("apply", "parameters"),
    [
        (apply_gaussian_blur, GaussianBlur(7, 5.0)),
        (apply_box_blur, BoxBlur(7)),
        (apply_motion_blur, MotionBlur(10.9, 77.0)),
    ],
)
def test_the_margin_is_enough(photo, apply, parameters):
    """Cut with the margin, blur, trim: the same as blur, then cut."""
    m = parameters.margin
    whole = apply(photo, parameters)[30:60, 40:90]
    cut = apply(photo[30 - m : 60 + m, 40 - m : 90 + m].copy(), parameters)
    assert np.abs(cut[m : m + 30, m : m + 50].astype(int) - whole).max() <= 1


def test_samples_stay_in_the_published_ranges():
    rng = np.random.default_rng(0)
    gaussians = [sample_gaussian_blur(rng) for _ in range(300)]
    assert {g.kernel_size for g in gaussians} == {3, 5, 7}
    assert all(1 <= g.sigma <= 5 for g in gaussians)
    assert {sample_box_blur(rng).kernel_size for _ in range(100)} == {3, 5, 7}
    assert all(3 <= sample_motion_blur(rng).length <= 11 for _ in range(100))


def test_refuses_even_kernels_and_long_motion(photo):
    with pytest.raises(InputError, match="odd number of pixels >= 1, got 4"):
        apply_gaussian_blur(photo, GaussianBlur(4, 1.0))
    with pytest.raises(InputError, match="odd number of pixels >= 1, got -1"):
        apply_box_blur(photo, BoxBlur(-1))
    with pytest.raises(InputError, match="length of a motion blur must be within"):
        apply_motion_blur(photo, MotionBlur(500.0, 0.0))
