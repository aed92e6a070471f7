"""Tone and colour: known values of each change."""

import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.degradations import (
    Fading,
    RgbShift,
    Sepia,
    UnevenFading,
    Vignette,
    Yellowing,
    apply_fading,
    apply_rgb_shift,
    apply_sepia,
    apply_uneven_fading,
    apply_vignette,
    apply_yellowing,
    sample_fading,
    sample_rgb_shift,
    sample_sepia,
    sample_uneven_fading,
    sample_vignette,
    sample_yellowing,
)


def even(*colour: int, size: tuple[int, int] = (21, 31)) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (*size, 3)).copy()


def test_rgb_shift_adds_and_clips():
    assert apply_rgb_shift(even(100, 5, 250), RgbShift(20, -20, 20))[0, 0].tolist() == [120, 0, 255]


def test_fading_maps_black_and_white_to_its_levels():
    tones = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    faded = apply_fading(tones, Fading(40.0, 210.0))
    assert (faded[0, 0, 0], faded[-1, -1, 0]) == (40, 210)
    assert faded[8, 0, 0] == round(40 + 170 * 128 / 255)
    assert np.array_equal(apply_fading(tones, Fading(0.0, 255.0)), tones)


def test_sepia_keeps_black_and_white_and_browns_the_middle():
    for end in (0, 255):
        assert apply_sepia(even(end, end, end), Sepia(1.0, 1.0))[0, 0].tolist() == [end] * 3
    red, green, blue = apply_sepia(even(128, 128, 128), Sepia(1.0, 1.0))[0, 0].astype(int)
    assert red > green > blue
    assert red == round(255 * (128 / 255) ** 0.78)


def test_sepia_without_depth_is_the_luminance():
    grey = apply_sepia(even(200, 100, 50), Sepia(1.0, 0.0))[0, 0]
    assert grey.tolist() == [round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)] * 3
    assert apply_sepia(even(200, 100, 50), Sepia(0.0, 1.0))[0, 0].tolist() == [200, 100, 50]


def test_yellowing_takes_blue_most():
    assert apply_yellowing(even(255, 255, 255), Yellowing(1.0))[0, 0].tolist() == [247, 229, 148]
    assert apply_yellowing(even(9, 99, 199), Yellowing(0.0))[0, 0].tolist() == [9, 99, 199]


def test_vignette_loses_its_share_in_the_corners_and_nothing_in_the_middle():
    dark = apply_vignette(even(200, 200, 200), Vignette(0.4, 0.5, 0.5, False))
    assert dark[10, 15].tolist() == [200] * 3
    for corner in (dark[0, 0], dark[0, -1], dark[-1, 0], dark[-1, -1]):
        assert corner.tolist() == [120] * 3
    assert dark[10, 0, 0] == round(200 * (1 - 0.4 * 15**2 / (15**2 + 10**2)))
    light = apply_vignette(even(0, 0, 0), Vignette(0.5, 0.5, 0.5, True))
    assert light[0, 0].tolist() == [122, 118, 107]


def test_uneven_fading_is_uneven_but_bounded():
    faded = apply_uneven_fading(even(0, 0, 0, size=(90, 120)), UnevenFading(0.6, 3, 1))[..., 0]
    assert faded.max() <= round(0.6 * 244)
    assert faded.max() - faded.min() > 50
    assert np.abs(np.diff(faded.astype(int))).max() <= 8  # smooth


@pytest.mark.parametrize(
    ("sample", "apply"),
    [
        (sample_rgb_shift, apply_rgb_shift),
        (sample_fading, apply_fading),
        (sample_sepia, apply_sepia),
        (sample_yellowing, apply_yellowing),
        (sample_uneven_fading, apply_uneven_fading),
        (sample_vignette, apply_vignette),
    ],
)
def test_each_returns_a_photo_of_the_same_size(photo, sample, apply):
    for seed in range(5):
        result = apply(photo, sample(np.random.default_rng(seed)))
        assert result.shape == photo.shape and result.dtype == np.uint8
        assert not np.array_equal(result, photo)


def test_shifts_stay_in_the_published_range():
    rng = np.random.default_rng(0)
    shifts = [sample_rgb_shift(rng) for _ in range(300)]
    values = {v for s in shifts for v in (s.red, s.green, s.blue)}
    assert (min(values), max(values)) == (-20, 20)


def test_refusals(photo):
    with pytest.raises(InputError, match="faded white level must be within 200"):
        apply_fading(photo, Fading(200.0, 100.0))
    with pytest.raises(InputError, match="strength of sepia must be within"):
        apply_sepia(photo, Sepia(2.0, 0.0))
    with pytest.raises(InputError, match="strength of a vignette"):
        apply_vignette(photo, Vignette(-0.1, 0.5, 0.5, False))
