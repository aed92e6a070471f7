"""Measures on autoencoders, their figures and the walk, and the sunsets."""

import math

import ipywidgets
import pytest
import torch
from matplotlib import pyplot
from torch.distributions import Normal, kl_divergence

from oldphoto import losses
from oldphoto.config import VAEConfig
from oldphoto.course.common import psnr_of, small_photos
from oldphoto.course.lessons.vae import measures, view
from oldphoto.course.lessons.vae.sunsets import SIDE, sunsets
from oldphoto.networks.vae import VAE

TINY = VAEConfig(stem="unshuffle", width=4, latent_channels=3, num_blocks=1, norm=False)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def photos() -> torch.Tensor:
    return small_photos("held_out", side=32)


@pytest.fixture(scope="module")
def run() -> measures.VAERun:
    torch.manual_seed(0)
    made_up = [0.5 - 0.01 * step for step in range(30)]
    psnr = [(0, 7.0), (25, 11.0), (30, 12.0)]
    return measures.VAERun(VAE(TINY).eval(), l1=made_up, kl=made_up, psnr=psnr)


def test_matched_tone_undoes_a_change_of_tone_and_nothing_else():
    clean = 0.5 * noise(2, 3, 8, 8)
    factor = torch.tensor([0.3, 0.6])[:, None, None, None]
    torch.testing.assert_close(measures.tone_matched(factor * clean - 0.2, clean), clean)
    blurred = torch.nn.functional.avg_pool2d(clean, 3, 1, 1)
    assert not torch.allclose(measures.tone_matched(blurred, clean), clean, atol=0.05)


def test_tone_scores_are_before_and_after_matching(run, photos):
    raw, matched = measures.tone_scores(run.vae, photos)
    output = measures.reconstruct(run.vae, photos)
    assert raw == pytest.approx(measures.mean_psnr(run.vae, photos))
    by_hand = [
        float(psnr_of(measures.tone_matched(o[None], p[None]), p[None]))
        for o, p in zip(output, photos, strict=True)
    ]
    assert matched == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-3)


def test_noise_is_a_share_of_the_spread_of_the_code(run, photos):
    scores = [measures.noisy_psnr(run.vae, photos, fraction) for fraction in (0, 0.5, 2)]
    assert scores[0] == pytest.approx(measures.mean_psnr(run.vae, photos), abs=1e-4)
    assert scores[0] > scores[1] > scores[2]
    louder = VAE(TINY)
    louder.load_state_dict(run.vae.state_dict())
    with torch.no_grad():  # the same network with a code ten times as large
        louder.encoder.head.weight.mul_(10)
        louder.encoder.head.bias.mul_(10)
        louder.decoder.stem.weight.div_(10)
    assert measures.noisy_psnr(louder, photos, 0.5) == pytest.approx(scores[1], abs=0.01)


def test_practised_noise_is_that_of_the_kind_beside_the_code(run, photos):
    code = run.vae.encode(photos).detach()
    by_hand = (1 / code.std((0, 2, 3))).mean()  # variance 1 beside each channel's spread
    assert measures.practised_noise(run, photos) == pytest.approx(float(by_hand), rel=1e-5)
    plain = measures.VAERun(run.vae, noisy=False)
    assert measures.practised_noise(plain, photos) == 0
    learned = VAE(VAEConfig("unshuffle", 4, 3, 1, norm=False, noise="learned"))
    mean, log_var = (part.detach() for part in learned.encode_moments(photos))
    by_hand = ((0.5 * log_var).exp() / mean.std((0, 2, 3), keepdim=True)).mean()
    assert measures.practised_noise(measures.VAERun(learned), photos) == pytest.approx(
        float(by_hand)
    )


def test_channel_kl_averages_to_the_kl_term_and_sees_a_dead_channel(photos):
    vae = VAE(TINY)
    mean, log_var = vae.encode_moments(photos)
    of_channels = measures.channel_kl(vae, photos)
    assert of_channels.shape == (3,)
    torch.testing.assert_close(of_channels.mean(), losses.kl_standard_normal(mean, log_var))
    with torch.no_grad():
        vae.encoder.head.weight[1] = 0
        vae.encoder.head.bias[1] = 0
    assert measures.channel_kl(vae, photos)[1] == 0


def test_walk_begins_and_ends_at_the_reconstructions(run, photos):
    first, second = photos[:1], photos[1:2]
    for fraction, end in ((0, first), (1, second)):
        ends = measures.walk(run.vae, first, second, fraction)
        torch.testing.assert_close(ends, measures.reconstruct(run.vae, end))
    middle = measures.walk(run.vae, first, second, 0.5)
    code = (run.vae.encode(first) + run.vae.encode(second)) / 2
    torch.testing.assert_close(middle, run.vae.decode(code).detach())
    loud = measures.walk(run.vae, first, second, 0.5, noise=2)
    assert not torch.allclose(loud, middle, atol=0.05)
    assert torch.equal(loud, measures.walk(run.vae, first, second, 0.5, noise=2))


def test_widget_draws_what_its_sliders_say(run, photos):
    widget = view.walk_view(run.vae, photos[:1], photos[1:2])
    way, loudness, picture, log = widget.children
    assert isinstance(way, ipywidgets.IntSlider) and not way.continuous_update
    seen = set()
    for percent, tenths in ((50, 0), (0, 0), (100, 0), (100, 60)):
        way.value, loudness.value = percent, tenths
        assert view.walk_words(percent / 100, tenths / 10) in picture.value
        seen.add(picture.value.partition("base64,")[2].partition('"')[0])
    assert len(seen) == 4 and not log.outputs


def test_words_of_the_walk():
    assert view.walk_words(0.25, 1.0) == (
        "75 % of the first latent, 25 % of the second; "
        "noise of standard deviation 1.0 on the latent."
    )


def test_smoothing_has_the_values_computed_by_hand():
    assert measures.smoothed([4.0, 0.0, 2.0, 6.0], window=2).tolist() == [2, 1, 4]
    assert measures.smoothed([4.0, 0.0], window=10).tolist() == [2]


def test_curves_of_runs_are_told_in_words():
    runs = {
        "long": measures.VAERun(VAE(TINY), l1=[0.5] * 10 + [0.3] * 10, kl=[2.0] * 10 + [1.0] * 10),
        "short": measures.VAERun(VAE(TINY), l1=[0.4, 0.2], kl=[1.0, 0.0]),
    }
    fig, words = view.draw_runs(runs)
    assert words == (
        "long: 20 steps, L1 0.50 to 0.30, KL 2.00 to 1.00. "
        "short: 2 steps, L1 0.30 to 0.30, KL 0.50 to 0.50."
    )
    assert [len(axis.lines) for axis in fig.axes] == [2, 2]
    assert fig.axes[0].lines[0].get_ydata().shape == (11,)
    pyplot.close(fig)


def test_bound_touches_the_evidence_with_the_true_variance_alone():
    posterior = Normal(torch.tensor(0.5), torch.tensor(2.0))
    evidence = torch.tensor(-3.0)
    fig, words = view.draw_bounds(
        lambda q: evidence - kl_divergence(q, posterior), posterior, evidence
    )
    # KL of two normals with one mean: half of (fraction - 1 - log fraction).
    gaps = [(fraction - 1 - math.log(fraction)) / 2 for fraction in (1.0, 0.2, 4.0)]
    told = ", ".join(
        f"{g:.2f} below it at {s} times" for g, s in zip(gaps, ("1", "0.2", "4"), strict=True)
    )
    assert words == f"The tops: {told} the true variance."
    (axis,) = fig.axes
    assert len(axis.lines) == 4 and axis.lines[3].get_ydata() == [-3.0, -3.0]
    pyplot.close(fig)


def test_noise_on_codes_is_drawn_and_told(run, photos):
    plain = measures.VAERun(run.vae, psnr=run.psnr, noisy=False)
    fig, words = view.draw_disturbed({"plain": plain, "noisy": run}, photos)
    quiet, loud = (measures.noisy_psnr(run.vae, photos, fraction) for fraction in (0, 1))
    told = f"{quiet:.1f} dB undisturbed, {loud:.1f} dB disturbed; noise in training"
    noise = 100 * measures.practised_noise(run, photos)
    assert words == (f"plain: {told} 0 % of its spread. noisy: {told} {noise:.0f} % of its spread.")
    assert [len(axis.lines) for axis in fig.axes] == [2, 2]
    assert fig.axes[0].lines[0].get_xdata().tolist() == [0, 25, 30]
    pyplot.close(fig)


def test_tones_are_bars_with_their_numbers():
    fig, words = view.draw_tones({"erased": (15.0, 19.0), "kept": (21.0, 21.5)})
    assert words == "erased 15.0 dB, tone given 19.0 dB; kept 21.0 dB, tone given 21.5 dB."
    (axis,) = fig.axes
    assert [bar.get_width() for bar in axis.patches] == [19.0, 15.0, 21.5, 21.0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["erased", "kept"]
    pyplot.close(fig)


def test_weights_of_the_kl_are_told_with_their_price(run, photos):
    fig, words = view.draw_weights((0.1, 1.0), {"unit": [run, run]}, photos)
    nats = float(measures.channel_kl(run.vae, photos).mean())
    each = f"{run.final_psnr:.1f} dB, {nats:.2f} nats"
    assert words == f"variance 1, KL weight 0.1: {each}; 1: {each}."
    assert fig.axes[1].lines[0].get_ydata() == pytest.approx([nats, nats])
    assert fig.axes[0].get_xscale() == fig.axes[1].get_xscale() == "log"
    pyplot.close(fig)


def test_final_psnr_is_the_last_one(run):
    assert run.final_psnr == 12.0


def test_sunsets_have_a_sun_above_the_horizon_and_repeat_with_the_seed():
    photos = sunsets(50, torch.Generator().manual_seed(0))
    assert photos.shape == (50, 1, SIDE, SIDE) and photos.min() >= -1 and photos.max() <= 1
    assert photos[:, 0, -1].max() < -0.6  # the lowest row is ground
    rows = photos[:, 0].amax(dim=2).argmax(dim=1)  # the row of the brightest pixel
    ground = (photos[:, 0, :, 0] < -0.5).float().argmax(dim=1)  # the first row of the ground
    assert (rows <= ground).all() and len(ground.unique()) > 5
    columns = photos[:, 0].amax(dim=1).argmax(dim=1)
    assert len(columns.unique()) > 5
    assert torch.equal(photos, sunsets(50, torch.Generator().manual_seed(0)))
