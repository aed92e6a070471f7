"""Limits as experiments: the same pixels are hidden at every place, fractions have known values."""

import numpy as np
import pytest
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.course.lessons.limits import limits as lab
from oldphoto.samples import sample_photo

PHOTO = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)


def keep(pixels, _mask):
    return pixels


def test_every_place_hides_the_same_pixels_and_differs_in_what_is_left():
    cases = {place: lab.hole_case(PHOTO, 16, place) for place in lab.PLACES}
    hidden = [case.clean[case.mask] for case in cases.values()]
    assert all(len(pixels) == 16 * 16 for pixels in hidden)
    np.testing.assert_array_equal(hidden[0], hidden[1])
    np.testing.assert_array_equal(hidden[0], hidden[2])
    assert [case.clean.shape[:2] for case in cases.values()] == [(64, 80), (64, 48), (40, 48)]
    assert not cases["middle"].mask[:, 0].any() and not cases["middle"].mask[0].any()
    assert cases["border"].mask[:, 0].any() and not cases["border"].mask[0].any()
    assert cases["corner"].mask[0, 0]


def test_the_network_sees_a_white_hole_and_nothing_else_changed():
    case = lab.hole_case(PHOTO, 16, "middle")
    assert (case.damaged[case.mask] == 255).all()
    np.testing.assert_array_equal(case.damaged[~case.mask], case.clean[~case.mask])


def test_a_hole_must_fit_and_have_a_known_place():
    with pytest.raises(InputError, match="smaller than the photo"):
        lab.hole_case(PHOTO, 64, "middle")
    with pytest.raises(InputError, match="place"):
        lab.hole_case(PHOTO, 16, "left")


def test_the_mean_colour_is_that_of_the_sound_pixels():
    photo = np.full((32, 32, 3), 40, np.uint8)
    photo[12:20, 12:20] = 200  # just what will be hidden
    filled = lab.mean_colour_fill(lab.hole_case(photo, 8, "middle"))
    assert (filled == 40).all()


def test_scores_are_measured_inside_the_hole():
    def half_right(pixels, mask):
        return np.where(mask[..., None], pixels.dtype.type(90), 0 * pixels)

    photo = np.full((32, 32, 3), 90, np.uint8)
    scores = lab.hole_scores(half_right, [photo, photo], (8,))
    assert scores["corner"][8] == [float("inf")] * 2  # wrong outside, right inside
    assert set(scores) == {*lab.PLACES, "mean colour"}


def test_differences_are_taken_photo_by_photo():
    scores = {"middle": {8: [20.0, 30.0], 16: [10.0, 20.0]}, "corner": {8: [19, 29], 16: [8, 18]}}
    found = lab.place_difference(scores, "corner", "middle")
    assert found.mean == found.low == found.high == -1.5
    assert lab.interval_words(found) == "-1.5 dB (from -1.5 to -1.5, hardly luck)"
    words = lab.hole_words(scores)
    assert words.startswith("middle: 25.0 dB at 8 px, 15.0 dB at 16 px; corner: 24.0 dB at 8 px")


def test_light_is_soft_or_complex_and_never_brighter_than_the_lamp():
    soft, again = (lab.shading_field((64, 96), "soft", seed=3) for _ in range(2))
    hard = lab.shading_field((64, 96), "complex", seed=3)
    np.testing.assert_array_equal(soft, again)
    assert soft.shape == hard.shape == (64, 96)
    for light in (soft, hard):
        assert light.min() > 0 and light.max() <= 1
    steepest = [np.abs(np.diff(light, axis=1)).max() for light in (soft, hard)]
    assert steepest[1] > 4 * steepest[0]
    with pytest.raises(InputError, match="shading"):
        lab.shading_field((64, 96), "deep")


def test_kept_fraction_is_one_for_nothing_done_and_zero_for_all():
    clean = sample_photo("lighthouse")[:64, :64]
    damaged = lab.damage_photo(clean, "complex", seed=1)
    assert lab.kept_fraction(clean, damaged, damaged) == 1
    assert lab.kept_fraction(clean, damaged, clean) == 0
    half = np.rint((clean.astype(float) + damaged) / 2).astype(np.uint8)
    assert lab.kept_fraction(clean, damaged, half) == pytest.approx(0.5, abs=0.02)
    with pytest.raises(InputError, match="equals the clean one"):
        lab.kept_fraction(clean, clean, clean)


def test_all_kinds_of_damage_are_measured_on_all_photos():
    photos = [sample_photo("lighthouse")[:32, :32], sample_photo("pier")[:32, :32]]
    fractions = lab.kept_fractions(keep, photos, ("noise", "soft"))
    assert fractions == {"noise": [1, 1], "soft": [1, 1]}
    assert lab.fraction_words({"noise": [0.25]}).endswith("noise: 25 % (from 25 to 25 %)")


def test_figures_have_a_line_for_each_place_and_a_bar_for_each_damage():
    scores = {p: {8: [20.0, 30.0], 16: [10.0, 20.0]} for p in (*lab.PLACES, "mean colour")}
    fig = lab.draw_holes(scores)
    assert len(fig.axes[0].get_legend().get_texts()) == 4
    bars = lab.draw_fractions({"noise": [0.2, 0.4], "soft": [1.0, 1.0]})
    assert [patch.get_height() for patch in bars.axes[0].patches] == pytest.approx([0.3, 1.0])
    pyplot.close("all")
