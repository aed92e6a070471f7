"""The losses of the stages: which terms, their values, and which weights get a gradient."""

import pytest
import torch
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.config import PRESETS, LossWeights
from oldphoto.networks.discriminators import PatchDiscriminator
from oldphoto.networks.mapping import scratch_mapping
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.vae import VAE
from oldphoto.training import objectives

TINY = PRESETS["tiny"]
WEIGHTS = LossWeights(kl_weight=0.5, latent_l1_weight=3.0, perceptual_weight=2.0)


def photos(num: int = 2, channels: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(num, channels, 32, 32, generator=generator) * 2 - 1


def discriminators(in_channels: int = 3, latent: bool = False) -> nn.ModuleDict:
    torch.manual_seed(1)
    found = {"photo": PatchDiscriminator(TINY.discriminator, in_channels)}
    if latent:
        channels = TINY.vae.latent_channels
        found["latent"] = PatchDiscriminator(TINY.latent_discriminator, channels)
    return nn.ModuleDict(found)


class Brightness:
    """A feature network whose one feature is the photo's mean."""

    layer_weights = (1.0,)

    def __call__(self, photo: Tensor) -> list[Tensor]:
        return [photo.mean(dim=(1, 2, 3))]


def mixed_batch() -> dict[str, Tensor]:
    return {"old": photos(seed=1), "degraded": photos(seed=2), "seed": torch.tensor([5, 6])}


def pair_batch() -> dict[str, Tensor]:
    mask = torch.zeros(2, 1, 32, 32)
    mask[:, :, 8:16, 8:20] = 1
    return {"degraded": photos(seed=3), "clean": photos(seed=4), "scratch_mask": mask}


def test_noise_of_a_sample_depends_on_its_seed_alone():
    like = torch.zeros(3, 2, 4, 4)
    together = objectives.sample_noise(torch.tensor([7, 8, 7]), like)
    torch.manual_seed(123)
    alone = objectives.sample_noise(torch.tensor([8]), like[:1])
    assert torch.equal(together[1], alone[0])
    assert torch.equal(together[0], together[2])
    assert not torch.equal(together[0], together[1])
    many = objectives.sample_noise(torch.arange(200), torch.zeros(200, 64))
    assert abs(many.mean()) < 0.03 and abs(many.std() - 1) < 0.02


def test_frozen_passes_gradients_through_but_collects_none_and_restores_the_flags():
    network = nn.Linear(2, 1)
    network.bias.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    with objectives.frozen(network):
        network(x).sum().backward()
    assert x.grad is not None and network.weight.grad is None
    assert network.weight.requires_grad and not network.bias.requires_grad


def test_vae_loss_equals_equation_2_written_out():
    torch.manual_seed(0)
    vae, discriminator = VAE(TINY.vae), discriminators()
    batch = {"clean": photos(), "seed": torch.tensor([3, 4])}
    terms, samples = objectives.VAEObjective(vae, WEIGHTS, Brightness())(batch, discriminator)

    mean = vae.encode(batch["clean"])
    recon = vae.decode(mean + objectives.sample_noise(batch["seed"], mean))
    fake, real = discriminator["photo"](recon), discriminator["photo"](batch["clean"])
    expected = {
        "l1": 10 * (recon - batch["clean"]).abs().mean(),
        "adversarial": losses.lsgan_generator(fake),
        "feature_matching": 10 * losses.feature_matching(fake, real),
        "perceptual": 2 * (recon.mean((1, 2, 3)) - batch["clean"].mean((1, 2, 3))).abs().mean(),
        "kl": 0.5 * mean.square().mean(),
    }
    assert terms.keys() == expected.keys()
    for name in terms:
        # The spectral norm's power iteration moves a little with every forward.
        tolerance = 0.05 if name in ("adversarial", "feature_matching") else 1e-5
        torch.testing.assert_close(terms[name], expected[name], rtol=tolerance, atol=1e-5)
    assert not samples["output"].requires_grad


def test_vae_loss_brings_both_kinds_of_codes_together():
    vae, discriminator = VAE(TINY.vae), discriminators(latent=True)
    terms, samples = objectives.VAEObjective(vae, WEIGHTS)(mixed_batch(), discriminator)
    assert "latent_adversarial" in terms and "perceptual" not in terms
    assert samples["output"].shape[0] == 4
    assert samples["latent_old"].shape == samples["latent_degraded"].shape == (2, 16, 8, 8)
    torch.testing.assert_close(samples["latent_old"], vae.encode(mixed_batch()["old"]))


def test_the_released_form_moves_old_codes_only():
    vae, discriminator = VAE(TINY.vae), discriminators(latent=True)
    only_latent = LossWeights(0, 0, 0, 1.0, 0, 0, 0)
    for two_sided, expected in ((True, True), (False, False)):
        batch = mixed_batch()
        batch["degraded"].requires_grad_()
        terms, _ = objectives.VAEObjective(vae, only_latent, two_sided=two_sided)(
            batch, discriminator
        )
        assert terms.keys() == {"latent_adversarial"}
        terms["latent_adversarial"].backward()
        gradient = batch["degraded"].grad
        assert (gradient is not None and bool(gradient.abs().sum() > 0)) is expected


def test_the_generator_step_leaves_the_discriminators_without_gradient():
    vae, discriminator = VAE(TINY.vae), discriminators(latent=True)
    terms, _ = objectives.VAEObjective(vae, WEIGHTS)(mixed_batch(), discriminator)
    sum(terms.values()).backward()
    assert all(p.grad is None for p in discriminator.parameters())
    assert all(p.requires_grad for p in discriminator.parameters())
    assert all(p.grad is not None for p in vae.parameters())


def test_mapping_loss_trains_the_mapping_alone():
    torch.manual_seed(0)
    vaes = VAE(TINY.vae), VAE(TINY.vae)
    mapping = scratch_mapping(TINY.mapping)
    loss, discriminator, batch = (
        objectives.MappingObjective(mapping, *vaes, WEIGHTS),
        discriminators(6),
        pair_batch(),
    )
    terms, samples = loss(batch, discriminator)
    with torch.no_grad():
        mapped = mapping(vaes[0].encode(batch["degraded"]), batch["scratch_mask"])
        distance = (mapped - vaes[1].encode(batch["clean"])).abs().mean()
        restored = vaes[1].decode(mapped)
    torch.testing.assert_close(terms["latent_l1"], 3 * distance)
    torch.testing.assert_close(terms["l1"], 10 * (restored - batch["clean"]).abs().mean())
    torch.testing.assert_close(samples["output"], restored)
    sum(terms.values()).backward()
    assert all(p.grad is not None for p in mapping.parameters())
    assert all(p.grad is None for vae in vaes for p in vae.parameters())


def test_discriminator_loss_sees_condition_and_photo_and_trains_the_discriminators_alone():
    discriminator = discriminators(6)
    samples = {
        "condition": photos(seed=1),
        "output": photos(seed=2).requires_grad_(),
        "target": photos(seed=3),
    }
    discriminator.eval()  # keeps the spectral norm still, so that both calls agree
    terms = objectives.DiscriminatorObjective(discriminator)(
        {k: v.detach() for k, v in samples.items()}
    )
    real = discriminator["photo"](torch.cat([samples["condition"], samples["target"]], 1))
    fake = discriminator["photo"](torch.cat([samples["condition"], samples["output"]], 1))
    torch.testing.assert_close(terms["discriminator"], losses.lsgan_discriminator(real, fake))
    terms["discriminator"].backward()
    assert all(p.grad is not None for p in discriminator.parameters())


def test_latent_codes_can_be_judged_without_a_judge_of_photos():
    weights = LossWeights(adversarial_weight=0.0, feature_matching_weight=0.0)
    both = discriminators(latent=True)
    latent_only = nn.ModuleDict({"latent": both["latent"]}).eval()
    terms, samples = objectives.VAEObjective(VAE(TINY.vae), weights)(mixed_batch(), latent_only)
    assert set(terms) == {"l1", "kl", "latent_adversarial"}
    found = objectives.DiscriminatorObjective(latent_only)(samples)
    expected = losses.latent_discriminator(
        old=latent_only["latent"](samples["latent_old"]),
        degraded=latent_only["latent"](samples["latent_degraded"]),
    )
    assert set(found) == {"latent_discriminator"}
    torch.testing.assert_close(found["latent_discriminator"], expected)


def test_detector_loss_is_the_focal_loss():
    detector = ScratchUNet(TINY.detector).eval()
    mask = (photos(channels=1) > 0.8).float()
    batch = {"grey": photos(channels=1), "scratch_mask": mask}
    terms, samples = objectives.DetectorObjective(detector)(batch, nn.ModuleDict())
    torch.testing.assert_close(terms["focal"], losses.focal_loss(detector(batch["grey"]), mask))
    assert samples["output"].min() >= -1 and samples["output"].max() <= 1
    assert samples["target"].unique().tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("name", ["l1_weight", "kl_weight", "adversarial_weight"])
def test_a_term_with_factor_zero_is_not_computed(name):
    weights = LossWeights(**{name: 0.0, "feature_matching_weight": 0.0})
    batch = {"clean": photos(), "seed": torch.tensor([3, 4])}
    terms, _ = objectives.VAEObjective(VAE(TINY.vae), weights)(batch, discriminators())
    assert name.removesuffix("_weight") not in terms


def test_without_adversarial_terms_no_discriminator_is_needed():
    weights = LossWeights(adversarial_weight=0.0, feature_matching_weight=0.0)
    batch = {"clean": photos(), "seed": torch.tensor([3, 4])}
    terms, _ = objectives.VAEObjective(VAE(TINY.vae), weights)(batch, nn.ModuleDict())
    assert set(terms) == {"l1", "kl"}
    mapping = scratch_mapping(TINY.mapping)
    loss = objectives.MappingObjective(mapping, VAE(TINY.vae), VAE(TINY.vae), weights)
    assert set(loss(pair_batch(), nn.ModuleDict())[0]) == {"l1", "latent_l1"}
