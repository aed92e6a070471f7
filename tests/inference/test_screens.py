"""Printing screens: found in what is printed, held back to what they were, and nothing else."""

import numpy as np
import pytest

from oldphoto.degradations.resample import Halftone, Rosette, apply_halftone, apply_rosette
from oldphoto.inference.fidelity import luminance
from oldphoto.inference.restorer import Restorer
from oldphoto.inference.restorer import _hold_screen_back as hold_back
from oldphoto.inference.screens import SIDE, find_screen, hold_screen_back
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_names, sample_photo


def grey_of(pixels: np.ndarray) -> np.ndarray:
    return luminance(pixels).astype(np.float32)


def amplitudes(grey: np.ndarray, screen: np.ndarray) -> np.ndarray:
    """Return the amplitudes of a photo of one window at the frequencies of a screen."""
    return np.abs(np.fft.rfft2(grey[:SIDE, :SIDE] - grey.mean()))[screen]


@pytest.mark.parametrize("pitch", [2.6, 4.0, 5.5, 8.0])
@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0])
def test_dots_are_found_at_any_pitch_and_angle(pitch, angle):
    photo = sample_photo("cat")
    assert find_screen(grey_of(photo)) is None
    for printed in (
        apply_halftone(photo, Halftone(pitch, angle, 0.4)),
        apply_rosette(photo, Rosette(pitch, angle, 0.6)),
    ):
        assert find_screen(grey_of(printed)) is not None


def test_few_photos_of_things_look_printed():
    names = [*sample_names("clean"), *sample_names("held_out")]
    found = [name for name in names if find_screen(grey_of(sample_photo(name))) is not None]
    assert len(found) <= len(names) / 20, found


def test_a_photo_smaller_than_a_window_has_no_screen():
    assert find_screen(np.zeros((SIDE - 1, 300), np.float32)) is None


def test_stronger_dots_are_cut_down_and_all_else_stays():
    rows, columns = np.mgrid[:300, :260].astype(np.float32)
    things = 100 + 40 * np.sin(rows / 30) + 30 * np.cos(columns / 25)
    dots = 10 * np.cos(2 * np.pi * columns / 4) * np.cos(2 * np.pi * rows / 4)
    texture = 8 * np.cos(2 * np.pi * (rows + columns) / 7)
    original, restored = things + dots, things + texture + 3 * dots
    screen = find_screen(original)
    held = hold_screen_back(original, restored, screen)
    inside = np.s_[SIDE // 2 : -SIDE // 2, SIDE // 2 : -SIDE // 2]
    assert np.abs(held - (things + texture + dots))[inside].max() < 1.0
    assert np.abs(restored - (things + texture + dots))[inside].max() > 15


def test_weaker_dots_and_an_equal_photo_are_left_as_they_are():
    original = grey_of(apply_halftone(sample_photo("cat"), Halftone(4.0, 15.0, 0.5)))
    screen = find_screen(original)
    np.testing.assert_array_equal(hold_screen_back(original, original, screen), original)
    smooth = np.full_like(original, 90)
    np.testing.assert_allclose(hold_screen_back(original, smooth, screen), smooth, atol=0.01)


def test_strips_give_what_the_whole_photo_gives(monkeypatch):
    photo = np.tile(sample_photo("cat"), (3, 1, 1))
    printed = apply_halftone(photo, Halftone(4.0, 15.0, 0.5))
    restored = np.repeat((3 * grey_of(printed) - 256)[..., None], 3, axis=2)
    whole, strips = restored.copy(), restored.copy()
    hold_back(printed, whole)
    monkeypatch.setattr("oldphoto.inference.restorer._STRIP_PIXELS", 1)
    hold_back(printed, strips)
    np.testing.assert_allclose(strips, whole, atol=0.01)
    assert np.abs(whole - restored).max() > 10


def test_a_restorer_lets_no_dots_grow(monkeypatch):
    printed = apply_halftone(sample_photo("cat"), Halftone(4.0, 15.0, 0.4))
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")

    def stronger(pixels, *_):
        grey = grey_of(pixels)
        return np.repeat(((grey - 128) * 2 + 128)[..., None], 3, axis=2)

    monkeypatch.setattr(restorer, "_restored_levels", stronger)
    screen = find_screen(grey_of(printed))
    before = amplitudes(grey_of(printed), screen)
    after = amplitudes(grey_of(restorer.restore_pixels(printed)), screen)
    assert np.sqrt(np.square(after).sum() / np.square(before).sum()) < 1.15
    restorer.tone = "network"
    raw = amplitudes(grey_of(restorer.restore_pixels(printed)), screen)
    assert np.sqrt(np.square(raw).sum() / np.square(before).sum()) > 1.5


def test_the_shipped_weights_remove_dots():
    photo = sample_photo("cat")[:160, :160]
    printed = apply_halftone(photo, Halftone(4.0, 15.0, 0.5))
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    restored = restorer.restore_pixels(printed)
    assert psnr(restored, photo) > psnr(printed, photo) + 6
    screen = find_screen(grey_of(printed))
    before, after = (amplitudes(grey_of(one), screen) for one in (printed, restored))
    assert np.square(after).sum() < 0.05 * np.square(before).sum()
