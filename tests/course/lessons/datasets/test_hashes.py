"""The hash laboratory: its pure functions, and the view driven through its range."""

import ipywidgets
import numpy as np
import pytest

from data_tools.hashes import perceptual_hash
from oldphoto.checks import InputError
from oldphoto.course.exercises.notebook_03 import distance
from oldphoto.course.lessons.datasets import hashes as hash_lab
from oldphoto.samples import sample_photo

PHOTO = sample_photo("college")


def find(view: ipywidgets.Widget, kind: type) -> list:
    """All widgets of a kind inside a view."""
    inside = [w for child in getattr(view, "children", ()) for w in find(child, kind)]
    return ([view] if isinstance(view, kind) else []) + inside


@pytest.mark.parametrize("kind", hash_lab.CHANGES)
def test_changes_give_photos_and_strength_0_hardly_changes(kind):
    for strength in (0.0, 0.5, 1.0):
        other = hash_lab.changed(PHOTO, kind, strength)
        assert other.dtype == np.uint8 and other.ndim == 3 and min(other.shape[:2]) >= 8
    assert hash_lab.hash_distance(PHOTO, hash_lab.changed(PHOTO, kind, 0), perceptual_hash) <= 2


def test_bits_are_those_of_the_digits():
    bits = hash_lab.hash_bits("80000000000000ff")
    assert bits[0].tolist() == [True] + 7 * [False]
    assert bits[7].all() and bits.sum() == 9


def test_distance_is_that_of_the_exercise():
    other = sample_photo("farms")
    by_hand = distance.solution(perceptual_hash(PHOTO), perceptual_hash(other))
    assert hash_lab.hash_distance(PHOTO, other, perceptual_hash) == by_hand > 10


def test_copies_are_near_and_a_mirrored_photo_is_far():
    near = hash_lab.changed(PHOTO, "smaller", 0.5)
    far = hash_lab.changed(PHOTO, "mirrored", 1)
    assert hash_lab.hash_distance(PHOTO, near, perceptual_hash) <= 4
    assert hash_lab.hash_distance(PHOTO, far, perceptual_hash) > 15


def test_picture_marks_differing_bits_only():
    same = hash_lab.hash_picture(PHOTO, PHOTO, perceptual_hash)
    assert same.shape == (256, 4 * 256 + 3 * 12, 3)
    assert (same[:, 268:524] == same[:, 804:]).all()
    other = hash_lab.hash_picture(PHOTO, sample_photo("farms"), perceptual_hash)
    orange = (other == (213, 94, 0)).all(axis=2)
    assert orange[:, 804:].any() and not orange[:, 268:524].any()


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="kind of change must be one of JPEG"):
        hash_lab.changed(PHOTO, "painted", 0.5)
    with pytest.raises(InputError, match="strength must be within 0 and 1, got 2"):
        hash_lab.changed(PHOTO, "noise", 2)


def test_view_through_its_range():
    photos = {"college": PHOTO, "cat": sample_photo("cat")}
    view = hash_lab.hash_view(photos, perceptual_hash, limit=4)
    photo, kind = find(view, ipywidgets.Dropdown)
    strength = find(view, ipywidgets.IntSlider)[0]
    (picture,) = find(view, ipywidgets.HTML)
    assert strength.continuous_update is False
    for name in photos:
        photo.value = name
        for change in hash_lab.CHANGES:
            kind.value = change
            for value in (0, 100):
                strength.value = value
                assert "of 64 bits differ" in picture.value
                assert f"{change} by {value} %" in picture.value
    assert not [output for log in find(view, ipywidgets.Output) for output in log.outputs]
