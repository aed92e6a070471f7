"""A photo that is larger than its detail is restored at half its size; others are not."""

import cv2
import numpy as np
import pytest

from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.inference.enlarged import halved, is_enlarged, with_change
from oldphoto.inference.restorer import Restorer
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_names, sample_paths, sample_photo


def enlarged(photo: np.ndarray, times: float, quality: int = 60) -> np.ndarray:
    """Return a photo as it is often found on the web: enlarged, and compressed afterwards."""
    large = cv2.resize(photo, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    _, data = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer.from_pretrained("small", device="cpu", precision="fp32")


def test_only_enlarged_photos_are_found():
    clean = [sample_photo(name) for name in [*sample_names("held_out"), *sample_names("old")]]
    assert not any(is_enlarged(photo, None) for photo in clean)
    for seed in (0, 1):
        blurred = make_test_photos(sample_paths("held_out"), "released", seed)
        assert not any(is_enlarged(photo.degraded, photo.scratch_mask) for photo in blurred)
    large = [enlarged(sample_photo(name), 4) for name in sample_names("held_out")]
    assert sum(is_enlarged(photo, None) for photo in large) >= 6


def test_nothing_is_said_of_photos_without_edges_and_of_small_ones():
    assert not is_enlarged(np.full((300, 300, 3), 90, np.uint8), None)
    assert not is_enlarged(enlarged(sample_photo("cat"), 4)[:100, :100], None)
    photo = sample_photo("cat")
    assert not is_enlarged(photo, np.ones(photo.shape[:2], bool))


def test_scratches_do_not_make_a_photo_sharp():
    photo = enlarged(sample_photo("cat"), 4)
    mask = np.zeros(photo.shape[:2], bool)
    mask[::60, :] = True
    photo[mask] = 255
    assert is_enlarged(photo, mask) and not is_enlarged(photo, None)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_photo_that_does_not_change_stays(dtype):
    photo = enlarged(sample_photo("cat"), 2.5)[:301, :299].astype(dtype)
    if dtype == np.uint16:
        photo *= 257
    half, hole = halved(photo, None)
    assert hole is None and half.dtype == dtype
    np.testing.assert_array_equal(with_change(photo, half, half, None), photo)


def test_holes_are_filled_and_do_not_change_what_is_around_them():
    photo = enlarged(sample_photo("cat"), 2)
    mask = np.zeros(photo.shape[:2], bool)
    mask[101:140, 91:131] = True
    for paint in (0, 255):
        photo[mask] = paint
        half, hole = halved(photo, mask)
        assert hole is not None and hole[50, 45] and hole.sum() < mask.sum() / 3
        restored = half.copy()
        restored[hole] = 77
        result = with_change(photo, half, restored, hole)
        assert (result[mask] == 77).mean() > 0.75
        np.testing.assert_array_equal(result[:100], photo[:100])
        np.testing.assert_array_equal(result[:, 133:], photo[:, 133:])


def test_an_enlarged_photo_becomes_better(restorer, monkeypatch):
    photo = sample_photo("cat")
    large = enlarged(photo, 4)
    truth = cv2.resize(photo, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    at_half = psnr(restorer.restore_pixels(large), truth)
    monkeypatch.setattr("oldphoto.inference.restorer.is_enlarged", lambda *_: False)
    assert at_half > psnr(restorer.restore_pixels(large), truth) + 0.5


def test_a_grey_photo_stays_grey(restorer):
    grey = enlarged(cv2.cvtColor(sample_photo("cat"), cv2.COLOR_RGB2GRAY), 4)[..., :1]
    photo = np.repeat(grey, 3, axis=2)
    assert is_enlarged(photo, None)
    restored = restorer.restore_pixels(photo)
    assert (restored == restored[..., :1]).all()
