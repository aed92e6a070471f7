"""Samples, spread, coverage: values by hand; the overlay marks the mask and nothing else."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.config import PRESETS
from oldphoto.course import doubt_lab as lab
from oldphoto.course.training_lab import untrained

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
    assert lab.draw_box((10, 20), (5, 2, 9, 6)).sum() > 9
    line = lab.draw_line((10, 20), [(3, -5), (3, 15)], 3)
    assert line.shape == (10, 20) and line[:, 2:5].all() and line.sum() == 30
    pyplot.close("all")
