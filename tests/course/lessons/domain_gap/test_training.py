"""The laboratory of the domain gap: its measures, its training, its pictures and its slider."""

import ipywidgets
import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.course.lessons.domain_gap import training as gap_lab
from oldphoto.course.lessons.domain_gap import view as gap_lab_view
from oldphoto.networks.vae import VAE


def random_photos() -> gap_lab.GapPhotos:
    parts = torch.rand(4, 24, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return gap_lab.GapPhotos(parts[0], parts[1] / 2, parts[2], parts[3] / 2)


@pytest.fixture(scope="module")
def recordings() -> dict[str, gap_lab.Recording]:
    return {
        name: gap_lab.train_vae1(random_photos(), name, num_steps=4, look_every=2)
        for name in gap_lab.ADVERSARIES
    }


def test_photos_of_the_test_are_not_those_of_the_training():
    photos = gap_lab.gap_photos(num_train=4, num_test=3)
    assert photos.old.shape == (4, 3, 32, 32) and photos.test_degraded.shape == (3, 3, 32, 32)
    again = gap_lab.gap_photos(num_train=4, num_test=3)
    assert torch.equal(photos.degraded, again.degraded)


def test_rows_are_positions():
    latent = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    rows = gap_lab.as_rows(latent, every=1)
    assert rows.shape == (32, 3)
    assert torch.equal(rows[5], latent[0, :, 1, 1])


def test_recordings_look_at_the_same_steps(recordings):
    for recording in recordings.values():
        assert recording.steps == [0, 2, 4]
        assert len(recording.codes) == len(recording.gaps) == 3
        assert len(recording.terms["l1"]) == 4
    assert "latent_adversarial" not in recordings["none"].terms
    assert "latent_discriminator" in recordings["two-sided"].terms


def test_start_stays_as_it_is():
    start = VAE(gap_lab.SMALL_VAE)
    before = [p.clone() for p in start.parameters()]
    gap_lab.train_vae1(random_photos(), "two-sided", 2, start=start, look_every=0)
    assert all(torch.equal(a, b) for a, b in zip(before, start.parameters(), strict=True))


def test_discriminator_learns_at_its_full_rate_to_the_end(monkeypatch):
    """It takes more steps than the VAE, so its schedule must be longer."""
    rates = []

    genuine = gap_lab.update

    def watched(optimizer, terms):
        name = "discriminator" if "latent_discriminator" in terms else "networks"
        rates.append((name, optimizer.param_groups[0]["lr"]))
        genuine(optimizer, terms)

    monkeypatch.setattr(gap_lab, "update", watched)
    gap_lab.train_vae1(random_photos(), "two-sided", 3, discriminator_steps=2, look_every=0)
    of_discriminator = [rate for name, rate in rates if name == "discriminator"]
    assert of_discriminator == [gap_lab.DISCRIMINATOR_RATE] * (gap_lab.FIRST_LESSONS + 6)
    assert [rate for name, rate in rates if name == "networks"] == [2e-3] * 3


def test_discriminator_brings_codes_to_one_scale():
    discriminator = gap_lab.PositionDiscriminator(3)
    codes = 5 * torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)) + 2
    before = discriminator.layers(codes)
    assert torch.equal(discriminator(codes)[0][-1], before)
    discriminator.adapt(codes)
    scaled = discriminator(codes)
    by_hand = (codes - codes.mean((0, 2, 3), keepdim=True)) / codes.std((0, 2, 3), keepdim=True)
    torch.testing.assert_close(scaled[0][-1], discriminator.layers(by_hand))


def test_discriminator_that_stops_learns_its_first_lessons_alone():
    recording = gap_lab.train_vae1(
        random_photos(), "two-sided", 2, discriminator_steps=0, look_every=0
    )
    assert "latent_discriminator" not in recording.terms
    assert len(recording.terms["latent_adversarial"]) == 2


def test_unknown_adversary_is_refused():
    with pytest.raises(InputError, match="adversary must be one of"):
        gap_lab.loss_weights("three-sided", 1.0)


def test_mean_gap_is_the_mean(recordings):
    recording = recordings["none"]
    mean = sum(gap.wasserstein for gap in recording.gaps[-2:]) / 2
    assert gap_lab.mean_gap(recording, last=2).wasserstein == pytest.approx(mean)


def test_projection_finds_the_axes_of_most_variance():
    codes = torch.randn(500, 4, generator=torch.Generator().manual_seed(1))
    codes = codes * torch.tensor([0.1, 5.0, 0.2, 2.0]) + 3
    projection = gap_lab_view.fit_projection(codes)
    assert projection.axes.abs().argmax(dim=0).tolist() == [1, 3]
    torch.testing.assert_close(projection(codes).std(dim=0), torch.ones(2))
    with pytest.raises(InputError, match="at least 3 codes"):
        gap_lab_view.fit_projection(codes[:2])


def test_slider_goes_through_all_steps(recordings):
    shown = {name: recordings[name] for name in ("none", "two-sided")}
    projection = gap_lab_view.projection_of(list(shown.values()))
    view = gap_lab_view.trajectory_view(shown, projection)
    choice, picture, log = view.children
    assert isinstance(choice, ipywidgets.SelectionSlider) and not choice.continuous_update
    seen = set()
    for look, step in enumerate(recordings["none"].steps):
        choice.value = look
        seen.add(picture.value)
        assert f"two-sided, step {step}: sliced Wasserstein" in picture.value
    assert len(seen) == 3 and not log.outputs


def test_curves_are_told_in_words(recordings):
    _, words = gap_lab_view.gap_curves(recordings)
    assert all(f"{name}: sliced Wasserstein" in words for name in recordings)


def test_slider_refuses_recordings_of_different_steps(recordings):
    other = gap_lab.train_vae1(random_photos(), "none", num_steps=2, look_every=1)
    pair = {"none": recordings["none"], "other": other}
    with pytest.raises(InputError, match="after the same steps"):
        gap_lab_view.trajectory_view(pair, gap_lab_view.projection_of(list(pair.values())))


def test_table_has_a_row_for_each_training(recordings):
    photos = random_photos()
    rows = gap_lab_view.gap_table(recordings, photos)
    assert [row[0] for row in rows] == list(recordings)
    gap = gap_lab.mean_gap(recordings["none"])
    error = gap_lab.reconstruction_error(recordings["none"].vae, photos)
    assert rows[0][1:] == (gap.wasserstein, gap.mmd, gap.accuracy, error)
