"""Noise: deviations, shares, where grain is strong, and that a seed fixes the bytes."""

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations import (
    FilmGrain,
    GaussianNoise,
    SaltPepper,
    SpeckleNoise,
    apply_film_grain,
    apply_gaussian_noise,
    apply_salt_pepper,
    apply_speckle_noise,
    sample_film_grain,
    sample_gaussian_noise,
    sample_salt_pepper,
    sample_speckle_noise,
)


def even(level: int, side: int = 200) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


@pytest.mark.parametrize("sigma", [5.0, 17.3])
def test_gaussian_noise_has_its_deviation_and_no_bias(sigma):
    noise = apply_gaussian_noise(even(128), GaussianNoise(sigma, 1)).astype(float) - 128
    rounding = 1 / 12
    assert noise.std() == pytest.approx(np.sqrt(sigma**2 + rounding), rel=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.05 * sigma / 5)
    colours = noise.reshape(-1, 3)
    assert np.abs(np.corrcoef(colours.T) - np.eye(3)).max() < 0.02  # channels are independent


def test_gaussian_noise_clips_at_black_and_white():
    black = apply_gaussian_noise(even(0), GaussianNoise(50.0, 1))
    # Half of all values is clipped to 0; the rest is half a normal distribution.
    assert np.mean(black == 0) == pytest.approx(0.5, abs=0.01)
    assert black.mean() == pytest.approx(50 / np.sqrt(2 * np.pi), rel=0.02)
    assert apply_gaussian_noise(even(255), GaussianNoise(50.0, 1)).max() == 255


@pytest.mark.parametrize("level", [50, 100, 200])
def test_speckle_grows_with_brightness(level):
    noise = apply_speckle_noise(even(level), SpeckleNoise(20.0, 2)).astype(float) - level
    expected = np.sqrt((20 * level / 255) ** 2 + 1 / 12)
    assert noise.std() == pytest.approx(expected, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.15)


def test_speckle_leaves_black_alone():
    assert not apply_speckle_noise(even(0), SpeckleNoise(50.0, 2)).any()


@pytest.mark.parametrize(("amount", "salt_share"), [(0.01, 0.3), (0.002, 0.8), (0.3, 0.5)])
def test_salt_and_pepper_counts(amount, salt_share):
    values = apply_salt_pepper(even(128), SaltPepper(amount, salt_share, 3)).ravel()
    lost = values.size * amount
    salt, pepper = np.sum(values == 255), np.sum(values == 0)
    assert salt + pepper == pytest.approx(lost, abs=4 * np.sqrt(lost))
    assert salt == pytest.approx(lost * salt_share, abs=4 * np.sqrt(lost))
    assert np.sum(values == 128) == values.size - salt - pepper


def test_salt_and_pepper_take_everything_if_told():
    assert (apply_salt_pepper(even(128, 9), SaltPepper(1.0, 1.0, 3)) == 255).all()


def test_salt_and_pepper_reach_every_part_of_the_photo():
    rows = np.flatnonzero(
        (apply_salt_pepper(even(128), SaltPepper(0.01, 0.5, 3)) != 128).any((1, 2))
    )
    assert rows.min() < 5 and rows.max() > 194
    assert np.array_equal(apply_salt_pepper(even(9), SaltPepper(0.0, 0.5, 3)), even(9))


def test_grain_is_strongest_at_middle_grey():
    p = FilmGrain(sigma=15.0, grain_size=0.8, colour=0.0, seed=4)
    deviation = {level: apply_film_grain(even(level), p).std() for level in (10, 128, 245)}
    assert deviation[128] == pytest.approx(15, rel=0.05)
    for end in (10, 245):
        tone = end / 255
        expected = 15 * (0.9 * np.sqrt(4 * tone * (1 - tone)) + 0.1)
        # Clipping at 0 and 255 takes some of it.
        assert expected * 0.75 < deviation[end] < expected * 1.05


def test_grain_is_grey_unless_told_and_clumps():
    grey = apply_film_grain(even(128), FilmGrain(15.0, 1.5, 0.0, 5)).astype(float)
    assert np.array_equal(grey[..., 0], grey[..., 1])
    coloured = apply_film_grain(even(128), FilmGrain(15.0, 1.5, 0.6, 5)).astype(float) - 128
    between = np.corrcoef(coloured.reshape(-1, 3).T)[0, 1]
    assert between == pytest.approx(1 - 0.6**2, abs=0.03)
    noise = grey[..., 0] - 128
    neighbours = np.mean(noise[:, 1:] * noise[:, :-1]) / noise.var()
    assert neighbours == pytest.approx(np.exp(-1 / (4 * 1.5**2)), abs=0.05)


@pytest.mark.parametrize(
    ("sample", "apply"),
    [
        (sample_gaussian_noise, apply_gaussian_noise),
        (sample_speckle_noise, apply_speckle_noise),
        (sample_salt_pepper, apply_salt_pepper),
        (sample_film_grain, apply_film_grain),
    ],
)
def test_the_seed_fixes_the_bytes(photo, sample, apply):
    parameters = [sample(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    first, again, other = (apply(photo, p) for p in parameters)
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert first.dtype == np.uint8 and first.shape == photo.shape


def test_samples_stay_in_the_published_ranges():
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert 5 <= sample_gaussian_noise(rng).sigma <= 50
        assert 5 <= sample_speckle_noise(rng).sigma <= 50
        salt = sample_salt_pepper(rng)
        assert 0 <= salt.amount <= 0.01 and 0.3 <= salt.salt_share <= 0.8


def test_refusals(photo):
    with pytest.raises(InputError, match="amount of salt and pepper must be within"):
        apply_salt_pepper(photo, SaltPepper(1.5, 0.5, 0))
    with pytest.raises(InputError, match="dtype uint8"):
        apply_gaussian_noise(photo.astype(np.float32), GaussianNoise(5.0, 0))
    with pytest.raises(InputError, match="grain size"):
        apply_film_grain(photo, FilmGrain(5.0, 0.0, 0.0, 0))
