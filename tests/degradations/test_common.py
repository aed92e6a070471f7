"""Random fields: distribution, independence of threads, and what the checks refuse."""

import cv2
import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations.common import (
    fractal_field,
    generator,
    normal_field,
    normal_quantiles,
    random_bits,
    require_photo,
    smooth_field,
)


def test_quantiles_have_the_moments_of_the_normal_distribution():
    z = normal_quantiles().astype(np.float64)
    assert z.size == 65536
    assert (z.mean(), z.std()) == pytest.approx((0, 1), abs=1e-6)
    assert (z**4).mean() == pytest.approx(3, abs=0.01)
    assert np.mean(z < 1.96) == pytest.approx(0.975, abs=2e-4)


def test_noise_is_normal_and_white():
    noise = normal_field(3, (400, 500)).astype(np.float64)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert np.mean(noise[:, 1:] * noise[:, :-1]) == pytest.approx(0, abs=0.01)
    assert np.mean(noise[1:] * noise[:-1]) == pytest.approx(0, abs=0.01)


def test_random_bits_are_these_very_numbers_on_any_machine():
    assert random_bits(0, (5,)).tolist() == [33375, 55746, 60367, 41743, 55073]
    assert random_bits(7, (3, 5, 2)).shape == (3, 5, 2)
    assert np.array_equal(random_bits(7, (4, 4)).ravel(), random_bits(7, (16,)))


@pytest.mark.parametrize("field", [smooth_field, fractal_field])
@pytest.mark.parametrize("cells", [1, 4, 25])
def test_fields_have_deviation_one_over_many_seeds(field, cells):
    values = np.stack([field(seed * 50, (40, 56), cells) for seed in range(150)])
    assert values.shape == (150, 40, 56) and values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=0.1)
    assert values.std() == pytest.approx(1, abs=0.15)


def test_smooth_field_is_smooth_at_the_scale_of_its_cells():
    rough = np.abs(np.diff(smooth_field(1, (200, 200), 40))).mean()
    calm = np.abs(np.diff(smooth_field(1, (200, 200), 4))).mean()
    assert rough / calm == pytest.approx(10, rel=0.35)


def test_fields_do_not_depend_on_threads():
    before = cv2.getNumThreads()
    results = []
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        results.append(fractal_field(5, (300, 400), 3, 6).tobytes())
    cv2.setNumThreads(before)
    assert results[0] == results[1]


@pytest.mark.parametrize("seed", [-1, "a", 1.5, (0, -2)])
def test_refuses_seeds_that_are_not_whole_numbers(seed):
    with pytest.raises(InputError, match="whole number >= 0"):
        generator(seed)


@pytest.mark.parametrize(
    ("photo", "sentence"),
    [
        ([[0]], "numpy array, got list"),
        (np.zeros((4, 4, 3)), "uint8 .* got dtype float64"),
        (np.zeros((4, 4), np.uint8), r"shape \(H, W, 3\), got \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"got \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"got \(0, 4, 3\)"),
    ],
)
def test_refuses_what_is_not_a_photo(photo, sentence):
    with pytest.raises(InputError, match=sentence):
        require_photo(photo)
