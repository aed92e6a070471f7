"""The mapping's pairs and measures, its figures and its slider."""

import ipywidgets
import numpy as np
import pytest
import torch
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.config import MappingConfig, VAEConfig
from oldphoto.course.lessons.mapping import measures, view
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.networks.mapping import PlainMapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE

TINY = MappingConfig(
    latent_channels=16, widths_in=(24,), widths_out=(), num_blocks=2, norm=False, skip=True
)


@pytest.fixture(scope="module")
def network() -> RestorationNetwork:
    torch.manual_seed(0)
    sizes = VAEConfig(
        stem="unshuffle", width=8, latent_channels=TINY.latent_channels, num_blocks=1, norm=False
    )
    return RestorationNetwork(VAE(sizes), VAE(sizes), PlainMapping(TINY)).eval()


@pytest.fixture(scope="module")
def pairs(network) -> measures.Pairs:
    return measures.make_pairs(network, "clean", num=6)


def test_pairs_have_the_latents_of_their_own_vae(network, pairs):
    assert pairs.degraded.shape == pairs.clean.shape == (6, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            pairs.latent_degraded, network.vae_degraded.encode(pairs.degraded)
        )
        torch.testing.assert_close(pairs.latent_clean, network.vae_clean.encode(pairs.clean))
    again = measures.make_pairs(network, "clean", num=6)
    assert torch.equal(pairs.degraded, again.degraded)
    assert not torch.equal(pairs.clean, measures.make_pairs(network, "clean", num=6, seed=1).clean)


def test_damage_fades(pairs):
    # From 0..255 to at least 50..200, of which noise covers a little: contrast is lost.
    assert pairs.degraded.std() < 0.85 * pairs.clean.std()


def test_some_of_the_pairs(pairs):
    some = pairs[torch.tensor([4, 1])]
    assert len(pairs) == 6 and len(some) == 2
    for name in ("degraded", "clean", "latent_degraded", "latent_clean"):
        assert torch.equal(getattr(some, name), getattr(pairs, name)[[4, 1]])


def test_sharpness_of_a_ramp_is_its_slope():
    column = torch.arange(8.0) * 3
    row = torch.arange(8.0)[:, None] * 4
    ramp = (column + row).expand(1, 3, 8, 8)
    torch.testing.assert_close(measures.sharpness(ramp), torch.tensor([5.0]))  # 3, 4 and 5
    assert measures.sharpness(torch.ones(2, 3, 8, 8)).tolist() == [0, 0]


def test_identity_on_the_latents_of_clean_photos_is_the_limit(network, pairs):
    clean = measures.Pairs(pairs.clean, pairs.clean, pairs.latent_clean, pairs.latent_clean)
    quality = measures.measure(torch.nn.Identity(), network.vae_clean, clean)
    assert quality.latent_l1 == 0
    recon = measures.restore(torch.nn.Identity(), network.vae_clean, pairs.latent_clean)
    error = (recon - pairs.clean).square().mean(dim=(1, 2, 3))
    assert quality.psnr == pytest.approx(float((10 * torch.log10(4 / error)).mean()), rel=1e-5)


def test_a_run_is_measured_at_its_steps(network, pairs):
    run = measures.MappingRun(PlainMapping(TINY).eval())
    for step in (0, 5):
        run.measure(step, network.vae_clean, pairs)
    assert run.steps == [0, 5] and run.qualities[0] == run.final
    assert run.final == measures.measure(run.mapping, network.vae_clean, pairs)
    ((name, *numbers),) = measures.quality_rows({"all": run.final})
    assert name == "all"
    assert numbers == [run.final.psnr, run.final.latent_l1, run.final.sharpness]


def test_reach_is_counted_by_hand():
    # Four convolutions 3x3: one to widen, two in the block, one to the latent: 1 + 2 * 4 = 9.
    config = MappingConfig(3, (4,), (), num_blocks=1, norm=False)
    assert measures.reach(PlainMapping(config), 3) == 9
    assert measures.reach(PlainMapping(TINY), TINY.latent_channels) == 13


def test_three_forms_take_one_call():
    config = MappingConfig(4, (8,), (), num_blocks=4, num_global_blocks=1, norm=False)
    latent, mask = torch.randn(1, 4, 8, 8), torch.zeros(1, 1, 32, 32)
    mask[..., 8:16, 8:16] = 1
    forms = measures.forms(config)
    assert list(forms) == ["plain", "partial non-local", "high resolution"]
    for form in forms.values():
        assert form(latent, mask).shape == latent.shape
        assert measures.milliseconds(form, latent, mask) > 0
    # 3x3 from 4 to 8, eight of 8 to 8, 8 to 4, with biases.
    by_hand = (4 * 9 + 1) * 8 + 8 * (8 * 9 + 1) * 8 + (8 * 9 + 1) * 4
    assert measures.num_parameters(forms["plain"]) == by_hand


def test_budget_of_a_clean_photo(network):
    clean = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    grey = np.full_like(clean, 128)
    mask = np.zeros((32, 32), bool)
    photos = [TestPhoto("a", grey, clean, mask), TestPhoto("b", clean // 2, clean, mask)]
    budget = measures.error_budget(network, photos)
    assert list(budget) == ["degraded", "identity", "restored", "limit"]
    assert all(values.shape == (2,) for values in budget.values())
    error = ((grey.astype(float) - clean) ** 2).mean()
    assert float(budget["degraded"][0]) == pytest.approx(10 * np.log10(255**2 / error), rel=1e-4)
    torch.testing.assert_close(budget["limit"][0], budget["limit"][1])  # the same clean photo
    with pytest.raises(InputError, match="at least one photo"):
        measures.error_budget(network, [])


def test_pictures(network, pairs):
    quality = measures.Quality(20.0, 1.5, 0.8)
    run = measures.MappingRun(network.mapping, [0, 5], [quality, quality])
    fig = view.draw_training(run, {"identity": quality})
    assert [len(axis.lines) for axis in fig.axes] == [2, 2]
    pyplot.close(fig)
    budget = {"degraded": torch.tensor([10.0, 12.0]), "limit": torch.tensor([30.0, 34.0])}
    fig = view.draw_budget(budget)
    assert [bar.get_width() for bar in fig.axes[0].patches] == [11, 32]
    pyplot.close(fig)


def test_blend_goes_from_one_latent_to_the_other_and_beyond():
    start, end = torch.zeros(1, 2, 2, 2), torch.ones(1, 2, 2, 2)
    for fraction in (0.0, 0.25, 1.0, 2.0):
        assert torch.equal(view.blend(start, end, fraction), torch.full_like(start, fraction))


def test_blend_view_is_driven_through_its_range(network, pairs):
    start, end = pairs.latent_degraded[:1], pairs.latent_clean[:1]
    shown = view.blend_view(network.vae_clean, start, end, pairs.clean[:1])
    way, picture, log = shown.children
    assert isinstance(way, ipywidgets.IntSlider) and not way.continuous_update
    seen = set()
    for value in (way.min, 50, 100, way.max):
        way.value = value
        photo = view.decoded_blend(network.vae_clean, start, end, value / 100)
        assert view.blend_words(value / 100, photo, pairs.clean[:1]) in picture.value
        seen.add(picture.value)
    assert len(seen) == 4 and not log.outputs
