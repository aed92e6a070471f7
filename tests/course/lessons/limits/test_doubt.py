"""Samples, spread, coverage: values by hand; overlays mark what they should and nothing else."""

import ipywidgets
import numpy as np
import pytest
import torch
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.config import PRESETS
from oldphoto.course.common import draw_box
from oldphoto.course.lessons.limits import doubt as lab
from oldphoto.course.lessons.limits import doubt_view as view
from oldphoto.course.lessons.training.curves import untrained

CLEAN = np.full((16, 16, 3), 128, np.uint8)
MASK = np.zeros((16, 16), bool)
MASK[:8, :8] = True


def test_samples_differ_by_their_noise_and_come_again_with_their_seed():
    network = untrained(PRESETS["tiny"])
    first, again, other = (
        lab.sample_restorations(network, CLEAN, MASK, num_samples=3, seed=s) for s in (0, 0, 1)
    )
    assert first.shape == (3, 3, 16, 16)
    torch.testing.assert_close(first, again)
    assert (first[0] != first[1]).any() and (first != other).any()


def test_spread_and_error_in_grey_levels_by_hand():
    samples = torch.zeros(2, 3, 16, 16)
    samples[0], samples[1] = -0.2, 0.2  # standard deviation with n - 1: 0.2 * sqrt(2)
    assert lab.spread_of(samples) == pytest.approx(127.5 * 0.2 * 2**0.5, rel=1e-5)
    dark = np.zeros((16, 16, 3), np.uint8)  # -1, and the mean of the samples is 0
    assert lab.error_of(samples, dark) == pytest.approx(127.5, rel=1e-5)


def test_blocks_are_means_and_the_rest_is_cut_off():
    values = np.arange(36.0).reshape(6, 6)
    assert lab.in_blocks(values, 4).tolist() == [[values[:4, :4].mean()]]


def test_ranks_by_hand():
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert lab.rank_correlation(a, a**3) == pytest.approx(1)
    assert lab.rank_correlation(a, -a) == pytest.approx(-1)
    swapped = np.array([[2.0, 1.0], [3.0, 4.0]])  # 1 - 6 * 2 / (4 * 15)
    assert lab.rank_correlation(a, swapped) == pytest.approx(0.8)
    for wrong in (a[:1], np.ones((2, 2))):
        with pytest.raises(InputError):
            lab.rank_correlation(a, wrong)


def test_coverage_of_honest_noise_is_about_95_percent_and_of_a_liar_none():
    generator = torch.Generator().manual_seed(0)
    # Truth and samples from one distribution: 0 is the value of grey level 127.5.
    samples = 0.3 * torch.randn(200, 3, 64, 64, generator=generator)
    truth = 0.3 * torch.randn(3, 64, 64, generator=generator)
    pixels = (127.5 * (truth + 1)).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    assert lab.covered_map(samples, pixels).mean() == pytest.approx(0.95, abs=0.01)
    assert lab.covered_map(samples / 100 + 0.9, pixels).mean() < 0.02


def test_doubt_is_taken_inside_and_outside_of_the_mask():
    generator = torch.Generator().manual_seed(0)
    loud = torch.full((1, 1, 16, 16), 0.01)
    loud[..., torch.from_numpy(MASK)] = 0.1
    samples = loud * torch.randn(400, 3, 16, 16, generator=generator)
    doubt = lab.measure_doubt(samples, CLEAN, MASK)
    assert doubt.spread_inside == pytest.approx(12.75, rel=0.05)
    assert doubt.spread_outside == pytest.approx(1.275, rel=0.05)
    assert doubt.covered_inside == doubt.covered_outside == 1
    rows = lab.doubt_table({"one": doubt})
    assert [row["photo"] for row in rows] == ["one", "mean"]
    assert "lie within two spreads" in lab.count_words([doubt])


def test_overlay_marks_rim_and_stripes_inside_the_mask_alone():
    marked = lab.invented_overlay(CLEAN, MASK)
    changed = (marked != CLEAN).any(axis=2)
    assert not changed[~MASK].any()
    assert changed[:8, 7].all() and changed[7, :8].all()  # the rim towards sound pixels
    assert 0.2 < changed[MASK].mean() < 0.9  # the photo can still be seen between the stripes
    assert not (lab.invented_overlay(CLEAN, MASK & False) != CLEAN).any()
    with pytest.raises(InputError, match="mask of"):
        lab.invented_overlay(CLEAN, MASK[:4])


def test_origins_count_every_photo_once():
    counts = lab.origins("old")
    assert sum(counts.values()) == 19
    assert list(counts.values()) == sorted(counts.values(), reverse=True)


def test_figures():
    samples = 0.1 * torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert len(lab.draw_doubt(samples, CLEAN, MASK).axes) == 5
    values = np.linspace(1, 2, 4)
    fig = lab.draw_scatter(values, values, np.array([True, False, False, False]))
    assert len(fig.axes[0].lines) == 3
    assert draw_box((10, 20), (5, 2, 9, 6)).sum() > 9
    line = lab.draw_line((10, 20), [(3, -5), (3, 15)], 3)
    assert line.shape == (10, 20) and line[:, 2:5].all() and line.sum() == 30
    pyplot.close("all")


def made_up() -> view.Overlays:
    """A hole of 64 pixels of 256: half of it is doubted from 4 levels on, all of it is wrong."""
    spread, error = np.full((16, 16), 2.0), np.full((16, 16), 3.0)
    spread[:4, :8], error[MASK] = 4.0, 20.0
    spread[12:, 8:] = 6.0  # 32 of the 192 other pixels
    return view.Overlays(CLEAN, MASK, spread, error)


def test_rim_is_one_pixel_wide():
    mask = np.zeros((9, 9), bool)
    mask[2:7, 3:8] = True
    inner = np.zeros((9, 9), bool)
    inner[3:6, 4:7] = True
    assert np.array_equal(lab.rim_of(mask), mask & ~inner)
    assert lab.rim_of(MASK).sum() == 28  # at the border of the photo, too


def test_overlays_come_from_the_samples():
    samples = torch.zeros(2, 3, 16, 16)
    samples[0], samples[1] = -0.2, 0.2
    made = view.Overlays.of(samples, CLEAN, MASK)
    assert made.restored.shape == (16, 16, 3) and abs(int(made.restored[0, 0, 0]) - 127) <= 1
    np.testing.assert_array_equal(made.spread, lab.spread_of(samples))
    np.testing.assert_array_equal(made.error, lab.error_of(samples, CLEAN))


def test_fractions_of_doubt_by_hand():
    made = made_up()
    assert view.doubted_fractions(made, 2) == (1, 1, 1)
    assert view.doubted_fractions(made, 4) == (1 / 2, 1 / 6, 1 / 2)
    assert view.doubted_fractions(made, 5) == (0, 1 / 6, 0)
    assert view.doubted_fractions(made, 7) == (0, 0, 0)
    nothing_wrong = view.Overlays(CLEAN, MASK, made.spread, 0 * made.error)
    assert view.doubted_fractions(nothing_wrong, 2) == (1, 1, 0)
    words = view.overlay_words("wall", made, 4)
    assert words.startswith("wall: 25 % of the pixels are invented. With a spread of 4 levels")
    assert "50 % of them and 17 % of the others are doubted." in words
    assert "100 % of the invented pixels and 0 % of the others; 50 % of all the wrong" in words


def test_every_layer_marks_what_it_names():
    made = made_up()
    assert np.array_equal(view.layer_picture(made, "restored", 4), CLEAN)
    invented = view.layer_picture(made, "invented", 4)
    assert np.array_equal(invented, lab.invented_overlay(CLEAN, MASK))
    rim = lab.rim_of(MASK)
    for layer, where in (("doubted", made.spread >= 4), ("wrong", MASK)):
        picture = view.layer_picture(made, layer, 4)
        assert (picture[rim] == 255).all()
        assert np.array_equal(picture[~rim], lab.invented_overlay(CLEAN, where)[~rim])
    grey = view.layer_picture(made, "spread", 4).mean(axis=2)
    assert grey[15, 15] > grey[1, 1] > grey[15, 0]  # spreads of 6, 4 and 2
    assert CLEAN.min() == CLEAN.max() == 128  # the photo itself is not drawn on
    with pytest.raises(InputError, match="layer must be one of restored, invented, spread"):
        view.layer_picture(made, "true", 4)


def test_the_honesty_overlay_answers_every_photo_layer_and_threshold():
    other = view.Overlays(CLEAN // 2, MASK, made_up().spread, made_up().error)
    cases = {"wall": made_up(), "night": other}
    photo, layer, threshold, picture, log = view.honesty_view(cases).children
    assert isinstance(layer, ipywidgets.RadioButtons) and not threshold.continuous_update
    assert (threshold.min, threshold.max) == (0, view.HIGHEST)
    seen = set()
    for photo.value in cases:
        for layer.value in view.LAYERS:
            for threshold.value in range(view.HIGHEST + 1):
                words = view.overlay_words(photo.value, cases[photo.value], threshold.value)
                assert f"<p>{words}</p>" in picture.value
                assert f'alt="Layer {layer.value}. {words}"' in picture.value
            seen.add(picture.value)
    assert len(seen) == len(cases) * len(view.LAYERS)
    for control, value in ((photo, "wall"), (layer, "doubted"), (threshold, 4)):  # each by itself
        before, control.value = picture.value, value
        assert picture.value != before
    assert not log.outputs
