"""Figures of the laboratory of measures: they show the numbers that they are given."""

import numpy as np
import pandas
import pytest
from matplotlib import pyplot

from oldphoto.course.lessons.metrics import metrics as lab
from oldphoto.course.lessons.metrics import view
from oldphoto.evaluation.comparison_table import PAPER, PAPER_COLUMNS
from oldphoto.metrics.bootstrap import bootstrap

PHOTO = np.random.default_rng(0).integers(30, 220, (40, 48, 3), dtype=np.uint8)


def test_figures_tell_their_numbers():
    fig, words = view.draw_bias({10: [4.0, 6.0], 40: [1.0, 1.5]})
    assert "from 5.0 with 10 members down to 1.2 with 40" in words
    pyplot.close(fig)
    fig = view.draw_intervals({"one": bootstrap([1, 2, 3]), "two": bootstrap([2, 2])}, "dB", True)
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["one", "two"]
    pyplot.close(fig)
    table = pandas.DataFrame(PAPER, index=PAPER_COLUMNS).T
    ranks = table.rank(ascending=True).assign(
        **{n: table[n].rank(ascending=False) for n in ("PSNR", "SSIM")}
    )
    fig, words = view.draw_ranks(ranks)
    assert "ours with partial non-local: places 2, 2, 2, 1" in words
    assert "Attention: places 1, 1, 4, 6" in words
    pyplot.close(fig)


def test_maps_of_ssim_are_drawn_on_one_scale_beside_the_photo():
    maps = {"noise": np.tile([0.1, 0.2, 0.6], (30, 38, 1)), "blur": np.ones((30, 38, 3))}
    fig = view.draw_ssim_maps(PHOTO, maps)
    photo, noise, blur = (axis.images[0] for axis in fig.axes[:3])
    assert np.array_equal(photo.get_array(), PHOTO)
    np.testing.assert_allclose(noise.get_array(), np.full((30, 38), 0.3))
    assert noise.get_clim() == blur.get_clim() == (0, 1)
    titles = [axis.get_title() for axis in fig.axes[:3]]
    assert titles == ["clean", "SSIM under noise", "SSIM under blur"]
    pyplot.close(fig)


def test_histograms_of_brightness_are_densities():
    grey = PHOTO[..., 0]
    values = {"clean": lab.normalised_brightness(grey), "flat": np.full((9, 9), 0.05)}
    fig = view.draw_brightness(values)
    clean, flat = fig.axes[0].lines
    assert [line.get_label() for line in (clean, flat)] == ["clean", "flat"]
    assert 0.1 * clean.get_ydata().sum() == pytest.approx(1)
    assert flat.get_ydata().max() == pytest.approx(10) and np.count_nonzero(flat.get_ydata()) == 1
    pyplot.close(fig)
