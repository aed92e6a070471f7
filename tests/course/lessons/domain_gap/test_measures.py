"""The gap's crops, metrics and records, its figures and its slider."""

import ipywidgets
import numpy as np
import pytest
import torch
from matplotlib import pyplot

from oldphoto import losses
from oldphoto.checks import InputError
from oldphoto.config import VAEConfig
from oldphoto.course.lessons.domain_gap import measures, view
from oldphoto.networks.vae import VAE

SIZES = VAEConfig(stem="unshuffle", width=8, latent_channels=4, num_blocks=1, norm=False)


def random_photos() -> measures.GapPhotos:
    parts = torch.rand(4, 24, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return measures.GapPhotos(parts[0], parts[1] / 2, parts[2], parts[3] / 2)


@pytest.fixture(scope="module")
def recordings() -> dict[str, measures.Recording]:
    recordings = {}
    for seed, name in enumerate(("none", "two-sided")):
        recordings[name] = measures.Recording(name)
        for step in (0, 2, 4):
            torch.manual_seed(10 * seed + step)
            recordings[name].measure(step, VAE(SIZES), random_photos())
    return recordings


def test_photos_of_the_test_are_not_those_of_the_training():
    photos = measures.gap_photos(num_train=4, num_test=3)
    assert photos.old.shape == (4, 3, 32, 32) and photos.test_degraded.shape == (3, 3, 32, 32)
    again = measures.gap_photos(num_train=4, num_test=3)
    assert torch.equal(photos.degraded, again.degraded)
    large = measures.gap_photos(num_train=1, num_test=1, side=128)
    assert large.old.shape == large.test_degraded.shape == (1, 3, 128, 128)


def test_rows_are_positions():
    latent = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    rows = measures.as_rows(latent, every=1)
    assert rows.shape == (32, 3)
    assert torch.equal(rows[5], latent[0, :, 1, 1])


def test_a_crop_is_described_by_mean_and_standard_deviation():
    latent = torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]])
    torch.testing.assert_close(
        measures.describe_crops(latent), torch.tensor([[2.0, 2.0, 2.0**0.5, 0.0]])
    )


def test_a_record_has_steps_latents_and_gaps(recordings):
    for recording in recordings.values():
        assert recording.steps == [0, 2, 4]
        assert len(recording.latents) == len(recording.gaps) == 3
        old, degraded = recording.latents[-1]
        assert old.shape == degraded.shape == (24 * 8 * 8 / measures.EVERY, 4)
        again, _ = measures.measure_gap(recording.vae, random_photos())
        assert again == recording.gaps[-1]


def test_mean_gap_is_the_mean(recordings):
    recording = recordings["none"]
    mean = sum(gap.wasserstein for gap in recording.gaps[-2:]) / 2
    assert measures.mean_gap(recording, last=2).wasserstein == pytest.approx(mean)


def test_reconstruction_error_is_that_of_both_kinds(recordings):
    vae, photos = recordings["none"].vae, random_photos()
    both = torch.cat([photos.test_old, photos.test_degraded])
    with torch.no_grad():
        expected = losses.l1_loss(vae.decode(vae.encode(both)), both)
    assert measures.reconstruction_error(vae, photos) == pytest.approx(float(expected))


def test_first_axis_separates_the_kinds_and_the_second_has_the_most_variance():
    generator = torch.Generator().manual_seed(1)
    spread = torch.tensor([0.1, 5.0, 0.2, 2.0])
    old, degraded = torch.randn(2, 500, 4, generator=generator) * spread + 3
    degraded[:, 2] += 1  # five standard deviations, in a channel of small variance
    mean, axes = view.fit_projection(old, degraded)
    assert axes[:, 0].abs().mul(spread).argmax() == 2 and axes[:, 1].abs().argmax() == 1
    places = (torch.cat([old, degraded]) - mean) @ axes
    torch.testing.assert_close(places.std(dim=0), torch.ones(2))
    torch.testing.assert_close((axes[:, 0] * axes[:, 1]).sum(), torch.zeros(()), atol=1e-5, rtol=0)
    assert view.separation(places[:500, 0], places[500:, 0]) > 4
    with pytest.raises(InputError, match="at least 3 latents"):
        view.fit_projection(old[:2], degraded)


def test_nothing_is_cut_off(recordings):
    projection = view.projection_of(list(recordings.values()))
    (low_x, high_x), (low_y, high_y) = projection.limits.tolist()
    for recording in recordings.values():
        for pair in recording.latents:
            x, y = projection(torch.cat(pair)).T
            assert low_x < x.min() and x.max() < high_x
            assert low_y < y.min() and y.max() < high_y


def test_slider_goes_through_all_steps(recordings):
    projection = view.projection_of(list(recordings.values()))
    shown = view.trajectory_view(recordings, projection)
    choice, picture, log = shown.children
    assert isinstance(choice, ipywidgets.SelectionSlider) and not choice.continuous_update
    seen = set()
    for index, step in enumerate(recordings["none"].steps):
        choice.value = index
        seen.add(picture.value)
        assert f"two-sided, step {step}: sliced Wasserstein" in picture.value
    assert len(seen) == 3 and not log.outputs


def test_slider_refuses_recordings_of_different_steps(recordings):
    other = measures.Recording("other")
    other.measure(1, recordings["none"].vae, random_photos())
    pair = {"none": recordings["none"], "other": other}
    with pytest.raises(InputError, match="after the same steps"):
        view.trajectory_view(pair, view.projection_of(list(pair.values())))


def test_curves_are_described(recordings):
    fig, words = view.gap_curves(recordings)
    pyplot.close(fig)
    assert all(f"{name}: sliced Wasserstein" in words for name in recordings)


def test_separation_is_counted_in_standard_deviations():
    scores = torch.tensor([0.0, 2.0, 4.0])  # variance 4
    assert view.separation(scores + 3, scores) == pytest.approx(1.5)


def test_histograms_have_one_panel_for_each_training():
    scores = torch.randn(2, 200, generator=torch.Generator().manual_seed(2))
    pairs = {"none": (scores[0] + 2, scores[1]), "two-sided": (scores[0], scores[1])}
    fig, words = view.score_histograms(pairs)
    assert [axis.get_title().split(":")[0] for axis in fig.axes] == list(pairs)
    assert f"none {view.separation(*pairs['none']):.2f}" in words
    areas = [np.ptp(axis.patches[0].get_xy()[:, 0]) for axis in fig.axes]
    assert areas[0] == areas[1] > 3  # the same bins in both panels
    pyplot.close(fig)


def test_table_has_a_row_for_each_training(recordings):
    photos = random_photos()
    rows = view.gap_table(recordings, photos)
    assert [row[0] for row in rows] == list(recordings)
    gap = measures.mean_gap(recordings["none"])
    error = measures.reconstruction_error(recordings["none"].vae, photos)
    assert rows[0][1:] == (gap.wasserstein, gap.mmd, gap.accuracy, error)
    with pytest.raises(InputError, match="was not"):
        view.gap_table({"none": measures.Recording("none")}, photos)
