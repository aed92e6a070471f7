"""The laboratory of autoencoders: its photos, its training, its measures, and the walk."""

import math

import ipywidgets
import pytest
import torch
from matplotlib import pyplot
from torch.distributions import Normal, kl_divergence

from oldphoto import losses
from oldphoto.checks import InputError
from oldphoto.config import VAEConfig
from oldphoto.course.common import enlarged, small_photos
from oldphoto.course.lessons.vae import training as lab
from oldphoto.course.lessons.vae import view
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_names

TINY = VAEConfig(stem="unshuffle", width=4, latent_channels=3, num_blocks=1, norm=False)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def photos() -> torch.Tensor:
    return small_photos("held_out", side=32)


@pytest.fixture(scope="module")
def run(photos) -> lab.VAERun:
    return lab.train_vae(TINY, photos, photos[:2], num_steps=30, kl_weight=1e-3)


def test_all_photos_of_a_kind_are_reduced_to_one_side(photos):
    assert photos.shape == (len(sample_names("held_out")), 3, 32, 32)
    assert -1 <= photos.min() < photos.max() <= 1
    with pytest.raises(InputError, match="side"):
        small_photos("clean", side=0)


def test_crops_are_parts_of_photos_and_repeat_with_the_seed():
    numbered = torch.arange(2 * 6 * 6.0).view(2, 1, 6, 6)  # each pixel tells where it comes from
    crops = lab.random_crops(numbered, 20, 3, torch.Generator().manual_seed(1))
    for crop in crops[:, 0].long():
        photo, row, column = crop[0, 0] // 36, crop[0, 0] % 36 // 6, crop[0, 0] % 6
        assert torch.equal(crop, numbered[photo, 0, row : row + 3, column : column + 3].long())
    corners = crops[:, 0, 0, 0].long()
    assert {int(c) // 36 for c in corners} == {0, 1}
    assert {int(c) % 6 for c in corners} == {0, 1, 2, 3}  # the last column of all is reached too
    again = lab.random_crops(numbered, 20, 3, torch.Generator().manual_seed(1))
    assert torch.equal(crops, again)


def test_a_crop_larger_than_the_photos_is_refused(photos):
    with pytest.raises(InputError, match="at most 32 px, got 33"):
        lab.random_crops(photos, 1, 33, torch.Generator())


def test_psnr_has_the_value_computed_by_hand():
    clean = torch.zeros(2, 3, 4, 4)
    output = clean + torch.tensor([0.2, 0.02])[:, None, None, None]
    # 4 / 0.2^2 = 100 is 20 dB; a tenth of the error is 20 dB more.
    torch.testing.assert_close(lab.psnr_of(output, clean), torch.tensor([20.0, 40.0]))


def test_training_learns_and_measures_now_and_then(run):
    assert len(run.l1) == len(run.kl) == 30
    assert [step for step, _ in run.psnr] == [0, 25, 30]
    assert run.final_psnr == run.psnr[-1][1] > run.psnr[0][1] + 1
    assert not run.vae.training


def test_training_repeats_and_leaves_the_random_numbers_alone(run, photos):
    before = torch.get_rng_state()
    again = lab.train_vae(TINY, photos, photos[:2], num_steps=30, kl_weight=1e-3)
    assert again.l1 == run.l1
    assert torch.equal(torch.get_rng_state(), before)
    other = lab.train_vae(TINY, photos, photos[:2], num_steps=1, kl_weight=1e-3, seed=1)
    assert other.l1[0] != run.l1[0]


def test_without_noise_it_is_a_plain_autoencoder(photos):
    plain = lab.train_vae(TINY, photos, photos[:1], num_steps=1, kl_weight=0, noisy=False)
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fresh = VAE(TINY).eval()
    crops = lab.random_crops(photos, lab.BATCH, lab.CROP, generator)
    assert plain.l1[0] == pytest.approx(
        float((fresh(crops)[0] - crops).abs().mean().detach()), rel=1e-4
    )


def test_start_of_the_log_variance_can_be_set(photos):
    learned = VAEConfig("unshuffle", 4, 3, 1, norm=False, noise="learned")
    started = lab.train_vae(learned, photos, photos[:1], 1, kl_weight=0, start_log_var=1.5)
    # One step of Adam moves a weight by its rate, 0.002.
    moved = started.vae.log_var_head.bias.detach() - 1.5
    assert moved.abs().max() < 0.01


def test_kl_is_that_of_the_kind_of_noise():
    mean, log_var = noise(2, 3, 4, 4), noise(2, 3, 4, 4, seed=1)
    assert lab.kl_of(TINY, mean, log_var) == mean.square().mean()
    learned = VAEConfig(noise="learned")
    assert lab.kl_of(learned, mean, log_var) == losses.kl_standard_normal(mean, log_var)


def test_matched_tone_undoes_a_change_of_tone_and_nothing_else():
    clean = 0.5 * noise(2, 3, 8, 8)
    factor = torch.tensor([0.3, 0.6])[:, None, None, None]
    torch.testing.assert_close(lab.tone_matched(factor * clean - 0.2, clean), clean)
    blurred = torch.nn.functional.avg_pool2d(clean, 3, 1, 1)
    assert not torch.allclose(lab.tone_matched(blurred, clean), clean, atol=0.05)


def test_tone_scores_are_before_and_after_matching(run, photos):
    raw, matched = lab.tone_scores(run.vae, photos)
    output = lab.reconstruct(run.vae, photos)
    assert raw == pytest.approx(lab.mean_psnr(run.vae, photos))
    by_hand = [
        float(lab.psnr_of(lab.tone_matched(o[None], p[None]), p[None]))
        for o, p in zip(output, photos, strict=True)
    ]
    assert matched == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-3)


def test_noise_is_a_share_of_the_spread_of_the_code(run, photos):
    scores = [lab.noisy_psnr(run.vae, photos, share) for share in (0, 0.5, 2)]
    assert scores[0] == pytest.approx(lab.mean_psnr(run.vae, photos), abs=1e-4)
    assert scores[0] > scores[1] > scores[2]
    louder = VAE(TINY)
    louder.load_state_dict(run.vae.state_dict())
    with torch.no_grad():  # the same network with a code ten times as large
        louder.encoder.head.weight.mul_(10)
        louder.encoder.head.bias.mul_(10)
        louder.decoder.stem.weight.div_(10)
    assert lab.noisy_psnr(louder, photos, 0.5) == pytest.approx(scores[1], abs=0.01)


def test_practised_noise_is_that_of_the_kind_beside_the_code(run, photos):
    code = run.vae.encode(photos).detach()
    by_hand = (1 / code.std((0, 2, 3))).mean()  # variance 1 beside each channel's spread
    assert lab.practised_noise(run, photos) == pytest.approx(float(by_hand), rel=1e-5)
    plain = lab.VAERun(run.vae, noisy=False)
    assert lab.practised_noise(plain, photos) == 0
    learned = VAE(VAEConfig("unshuffle", 4, 3, 1, norm=False, noise="learned"))
    mean, log_var = (part.detach() for part in learned.encode_moments(photos))
    by_hand = ((0.5 * log_var).exp() / mean.std((0, 2, 3), keepdim=True)).mean()
    assert lab.practised_noise(lab.VAERun(learned), photos) == pytest.approx(float(by_hand))


def test_channel_kl_averages_to_the_kl_term_and_sees_a_dead_channel(photos):
    vae = VAE(TINY)
    mean, log_var = vae.encode_moments(photos)
    of_channels = lab.channel_kl(vae, photos)
    assert of_channels.shape == (3,)
    torch.testing.assert_close(of_channels.mean(), losses.kl_standard_normal(mean, log_var))
    with torch.no_grad():
        vae.encoder.head.weight[1] = 0
        vae.encoder.head.bias[1] = 0
    assert lab.channel_kl(vae, photos)[1] == 0


def test_walk_begins_and_ends_at_the_reconstructions(run, photos):
    first, second = photos[:1], photos[1:2]
    for share, end in ((0, first), (1, second)):
        ends = lab.walk(run.vae, first, second, share)
        torch.testing.assert_close(ends, lab.reconstruct(run.vae, end))
    middle = lab.walk(run.vae, first, second, 0.5)
    code = (run.vae.encode(first) + run.vae.encode(second)) / 2
    torch.testing.assert_close(middle, run.vae.decode(code).detach())
    loud = lab.walk(run.vae, first, second, 0.5, noise=2)
    assert not torch.allclose(loud, middle, atol=0.05)
    assert torch.equal(loud, lab.walk(run.vae, first, second, 0.5, noise=2))


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
        "75 % of the first code, 25 % of the second; noise of standard deviation 1.0 on the code."
    )


def test_smoothing_has_the_values_computed_by_hand():
    assert lab.smoothed([4.0, 0.0, 2.0, 6.0], window=2).tolist() == [2, 1, 4]
    assert lab.smoothed([4.0, 0.0], window=10).tolist() == [2]


def test_curves_of_runs_are_told_in_words():
    runs = {
        "long": lab.VAERun(VAE(TINY), l1=[0.5] * 10 + [0.3] * 10, kl=[2.0] * 10 + [1.0] * 10),
        "short": lab.VAERun(VAE(TINY), l1=[0.4, 0.2], kl=[1.0, 0.0]),
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
    # KL of two normals with one mean: half of (share - 1 - log share).
    gaps = [(share - 1 - math.log(share)) / 2 for share in (1.0, 0.2, 4.0)]
    told = ", ".join(
        f"{g:.2f} below it at {s} times" for g, s in zip(gaps, ("1", "0.2", "4"), strict=True)
    )
    assert words == f"The tops: {told} the true variance."
    (axis,) = fig.axes
    assert len(axis.lines) == 4 and axis.lines[3].get_ydata() == [-3.0, -3.0]
    pyplot.close(fig)


def test_noise_on_codes_is_drawn_and_told(run, photos):
    plain = lab.VAERun(run.vae, psnr=run.psnr, noisy=False)
    fig, words = view.draw_disturbed({"plain": plain, "noisy": run}, photos)
    quiet, loud = (lab.noisy_psnr(run.vae, photos, share) for share in (0, 1))
    told = f"{quiet:.1f} dB undisturbed, {loud:.1f} dB disturbed; noise in training"
    share = 100 * lab.practised_noise(run, photos)
    assert words == (
        f"plain: {told} 0 % of the code's spread. noisy: {told} {share:.0f} % of the code's spread."
    )
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
    nats = float(lab.channel_kl(run.vae, photos).mean())
    each = f"{run.final_psnr:.1f} dB, {nats:.2f} nats"
    assert words == f"variance 1, KL weight 0.1: {each}; 1: {each}."
    assert fig.axes[1].lines[0].get_ydata() == pytest.approx([nats, nats])
    assert fig.axes[0].get_xscale() == fig.axes[1].get_xscale() == "log"
    pyplot.close(fig)


def test_enlarged_pixels_stay_squares(photos):
    image = enlarged(photos[0], times=3)
    assert image.size == (96, 96)
    assert len({image.getpixel((x, y)) for x in (3, 4, 5) for y in (6, 7, 8)}) == 1


def test_no_step_of_a_training_is_taken_on_a_steeper_slope_than_1(monkeypatch):
    norms = []

    def step(self, *args, **kwargs):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.cat([g.flatten() for g in gradients if g is not None]).norm()))

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    photos = small_photos("held_out")
    lab.train_vae(TINY, photos, photos, 3, kl_weight=100.0)
    assert max(norms) == pytest.approx(1, abs=1e-3)  # this KL term alone would make it steeper
