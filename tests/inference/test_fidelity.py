"""What a restored photo keeps of its original: tones, greys, and the share that was asked for."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.images.files import load_photo
from oldphoto.images.tensors import to_pixels, to_tensor
from oldphoto.inference.fidelity import (
    MAX_TONE_SHIFT,
    blended,
    find_toning,
    keep_tone,
    luminance,
)
from oldphoto.inference.restorer import Restorer
from oldphoto.samples import sample_paths


def scene(seed: int = 0, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """Return a grey photo with areas, edges and grain, float32 (H, W) in [0, 255]."""
    rng = np.random.default_rng(seed)
    areas = cv2.resize(rng.uniform(20, 235, (6, 8)).astype(np.float32), size[::-1])
    return np.clip(areas + rng.normal(0, 4, size), 0, 255).astype(np.float32)


def brown(grey: np.ndarray) -> np.ndarray:
    """Print a grey photo in brown on yellowed paper, with a stain in a corner."""
    stain = np.zeros(grey.shape, np.float32)
    stain[:40, :40] = 20
    stain = cv2.GaussianBlur(stain, (0, 0), 16)
    part = grey / 255
    channels = [255 * part**0.8, 245 * part**1.1, 215 * part**1.5 - stain]
    return np.clip(np.stack(channels, axis=2), 0, 255).astype(np.uint8)


# --- black and white -----------------------------------------------------------------------------


def test_a_grey_photo_stays_grey_to_the_last_pixel():
    photo = cv2.cvtColor(scene().astype(np.uint8), cv2.COLOR_GRAY2RGB)
    restored = Restorer.from_pretrained("small", device="cpu").restore_pixels(photo)
    assert (restored == restored[..., :1]).all()


def test_a_brown_photo_comes_back_in_its_own_brown_without_coloured_grain():
    grey = scene(size=(160, 200))
    photo = brown(grey)
    noisy = photo + np.random.default_rng(1).normal(0, 8, photo.shape)  # of a scanner, coloured
    noisy = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    toning = find_toning(noisy)
    assert toning is not None
    again = toning.print(luminance(photo).astype(np.float32))
    assert np.abs(again - photo).mean() < 2.5
    assert np.abs(toning.print(luminance(noisy).astype(np.float32)) - photo).mean() < 6
    # Each channel shows the same grain, so that no pixel is redder than its brown.
    print_of_noise = toning.print(luminance(noisy).astype(np.float32))
    grain = print_of_noise - cv2.GaussianBlur(print_of_noise, (0, 0), 3)
    assert np.corrcoef(grain[..., 0].ravel(), grain[..., 1].ravel())[0, 1] > 0.99


def test_the_greys_of_a_toning_are_its_curve():
    levels = np.repeat(np.arange(256, dtype=np.float32)[None], 64, axis=0)
    photo = np.stack([levels, levels, 0.8 * levels], axis=2).astype(np.uint8)
    toning = find_toning(photo)
    assert toning is not None
    grey = luminance(photo.astype(np.float32))
    assert np.abs(toning.print(grey)[:, 8:-8] - photo[:, 8:-8]).max() < 4


@pytest.mark.parametrize("name", ["astronaut", "rooster", "lighthouse", "canyon"])
def test_photos_in_colour_have_no_toning(name):
    path = next(path for path in sample_paths("held_out") if path.stem == name)
    assert find_toning(load_photo(path).pixels) is None


def test_a_small_red_thing_makes_a_photo_one_in_colour():
    photo = cv2.cvtColor(scene(size=(256, 256)).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    assert find_toning(photo) is not None
    photo[100:132, 100:132] = (220, 40, 50)  # 1.6 % of the pixels
    assert find_toning(photo) is None


def test_red_writing_on_a_brown_photo_stays_red():
    photo = brown(scene(size=(256, 320)))
    photo[200:204, 40:100] = photo[200:204, 40:100] // 2 + np.uint8([70, 0, 0])
    toning = find_toning(photo)
    assert toning is not None  # too little to make it a photo in colour
    again = toning.print(luminance(photo).astype(np.float32))
    redness = again[..., 0] - again[..., 2]
    wanted = photo[..., 0].astype(float) - photo[..., 2]
    assert np.abs(redness - wanted)[201:203, 44:96].mean() < 0.3 * wanted[201:203, 44:96].mean()


# --- tone ----------------------------------------------------------------------------------------


def test_no_area_changes_its_tone_by_more_than_the_limit():
    photo = cv2.cvtColor(scene().astype(np.uint8), cv2.COLOR_GRAY2RGB)
    ghost = np.zeros((96, 128, 3), np.float32)
    ghost[30:70, 40:90] = (25, -10, -30)  # a coloured cloud
    restored = keep_tone(photo, photo + ghost)
    moved = cv2.GaussianBlur(restored - photo, (0, 0), 5)
    # At the rim of the cloud a part of the step is left, which is detail.
    assert np.percentile(np.abs(moved), 99.5) < 1.6 * MAX_TONE_SHIFT
    assert np.abs(moved[48:52, 60:70]).max() < MAX_TONE_SHIFT + 1


def test_small_changes_and_details_are_left_alone():
    photo = np.full((64, 64, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    detail = rng.normal(0, 10, (64, 64, 3)).astype(np.float32)
    assert np.abs(keep_tone(photo, photo + detail) - (photo + detail)).max() < 0.1
    shifted = photo + np.float32(MAX_TONE_SHIFT - 0.5)
    assert np.array_equal(keep_tone(photo, shifted.copy()), shifted)


def test_what_was_filled_is_not_pulled_back_to_the_damage():
    photo = np.full((64, 64, 3), 100, np.uint8)
    damaged = np.zeros((64, 64), bool)
    damaged[28:36, :] = True
    photo[damaged] = 255
    filled = np.full((64, 64, 3), 100, np.float32)
    assert np.abs(keep_tone(photo, filled, damaged) - 100).max() < 0.01


# --- strength and the restorer -------------------------------------------------------------------


def test_strength_goes_from_the_original_to_the_restored_photo():
    photo = load_photo(sample_paths("old")[0]).pixels[:96, :96].copy()
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    whole = restorer.restore_pixels(photo).astype(int)
    restorer.strength = 0.0
    assert np.array_equal(restorer.restore_pixels(photo), photo)
    restorer.strength = 0.5
    half = restorer.restore_pixels(photo)
    assert np.abs(half - (photo + whole) / 2).max() <= 1
    ends = np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 10, np.float32)
    assert blended(*ends, strength=0.25)[0, 0, 0] == 2.5


def test_the_network_alone_is_what_restore_tensor_gives():
    photo = load_photo(sample_paths("old")[0]).pixels[:64, :64].copy()
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    restorer.tone = "network"
    with torch.no_grad():
        expected = to_pixels(restorer.restore_tensor(to_tensor(photo)))
    assert np.array_equal(restorer.restore_pixels(photo), expected)


def test_restoring_the_tone_brings_a_faded_photo_nearer_and_takes_brown_away():
    grey = load_photo(sample_paths("held_out")[0]).pixels
    grey = luminance(grey)
    faded = 70 + grey * (120 / 255)  # black is 70, white is 190
    photo = np.stack([faded, 0.95 * faded, 0.8 * faded], axis=2).astype(np.uint8)
    restorer = Restorer.from_pretrained("small", device="cpu", tone="restore")
    restored = restorer.restore_pixels(photo)
    assert (restored == restored[..., :1]).all()
    before = np.abs(luminance(photo) - grey.astype(float)).mean()
    assert np.abs(restored[..., 0] - grey.astype(float)).mean() < 0.6 * before


def test_a_restorer_without_a_network_for_the_tone_says_what_to_do():
    restorer = Restorer.from_pretrained("small", device="cpu")
    restorer.tone = "restore"
    with pytest.raises(InputError, match="load it with tone='restore'"):
        restorer(Image.new("RGB", (32, 32)))
