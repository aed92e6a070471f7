"""The loss of each training stage: a batch in, named loss terms out; no files and no printing.

Each class holds the networks that its stage trains. The discriminators are handed in, so that
the optimizer of a stage never touches them, and their own loss is a second class. The loop calls
first the one, then the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.config import LossWeights
from oldphoto.networks.vae import VAE

Terms = dict[str, Tensor]
"""Loss terms by name, each already weighted: their sum is what the optimizer lowers."""

Samples = dict[str, Tensor]
"""What a step made, detached: the discriminator trains on it, and the log shows it."""


class FeatureNetwork(Protocol):
    """A fixed, pretrained network whose features measure how alike two photos look."""

    layer_weights: tuple[float, ...]

    def __call__(self, photo: Tensor) -> list[Tensor]: ...


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients pass through the network without collecting any for its weights."""
    flags = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def sample_noise(seeds: Tensor, like: Tensor) -> Tensor:
    """Draw N(0, 1) noise of the shape of ``like``, each sample from its own seed.

    The noise of a sample depends on its seed alone: not on the batch it comes in, the number of
    processes or what was drawn before. Resuming and sharing the work change nothing.

    Args:
        seeds: (B,) whole numbers.
        like: (B, ...) gives shape, type and device.
    """
    rows = []
    for seed in seeds.tolist():
        generator = torch.Generator().manual_seed(seed)
        rows.append(torch.randn(like.shape[1:], generator=generator))
    return torch.stack(rows).to(like)


def photo_terms(
    output: Tensor,
    target: Tensor,
    discriminator: nn.Module | None,
    weights: LossWeights,
    feature_network: FeatureNetwork | None,
    condition: Tensor | None = None,
) -> Terms:
    """Return the terms that compare a generated photo with the real one (equations 2, 5 and 6).

    Args:
        output: (B, 3, H, W), the generated photo.
        target: (B, 3, H, W), what it should be, in [-1, 1].
        discriminator: the photo discriminator; None where no term needs it.
        feature_network: for the perceptual term; None leaves the term out.
        condition: (B, C, H, W) that the discriminator sees beside the photo, as in pix2pix.
    """
    terms = {}
    if weights.l1_weight:
        terms["l1"] = weights.l1_weight * losses.l1_loss(output, target)
    if weights.adversarial_weight or weights.feature_matching_weight:
        with frozen(discriminator):
            fake = discriminator(_beside(condition, output))
            if weights.adversarial_weight:
                terms["adversarial"] = weights.adversarial_weight * losses.lsgan_generator(fake)
            if weights.feature_matching_weight:
                with torch.no_grad():
                    real = discriminator(_beside(condition, target))
                matching = losses.feature_matching(fake, real)
                terms["feature_matching"] = weights.feature_matching_weight * matching
    if weights.perceptual_weight and feature_network is not None:
        terms["perceptual"] = weights.perceptual_weight * losses.perceptual(
            feature_network(output),
            feature_network(target),
            feature_network.layer_weights,
        )
    return terms


def _photo_discriminator(discriminators: nn.ModuleDict) -> nn.Module | None:
    return dict(discriminators).get("photo")  # a ModuleDict has no ``get``


def _beside(condition: Tensor | None, photo: Tensor) -> Tensor:
    return photo if condition is None else torch.cat([condition, photo], dim=1)


class PhotoLoss(nn.Module):
    """What the losses on photos share: factors, and the fixed network of the perceptual term.

    That network is kept out of the module's parts: it is not trained, so checkpoints do without
    its weights, which are many.

    Args:
        weights: factors of the terms.
        feature_network: None goes without the perceptual term.
    """

    def __init__(self, weights: LossWeights, feature_network: FeatureNetwork | None) -> None:
        super().__init__()
        self.weights = weights
        self._outside = (feature_network,)  # a module inside a tuple does not become a part

    @property
    def feature_network(self) -> FeatureNetwork | None:
        """The fixed network of the perceptual term."""
        return self._outside[0]


class VAELoss(PhotoLoss):
    """Stage 1: loss of one VAE on its photos, equation 2, with equation 3 where codes must mix.

    The batch holds ``clean`` for ``vae_clean``. For ``vae_degraded`` it holds as many ``old`` as
    ``degraded`` photos, always both, and the latent discriminator compares their codes.

    Args:
        vae: the network to train.
        weights: factors of the terms.
        feature_network: fixed network of the perceptual term, or None to go without.
        two_sided: let both kinds of code move (the paper), or old ones alone (the released code).
    """

    def __init__(
        self,
        vae: VAE,
        weights: LossWeights,
        feature_network: FeatureNetwork | None = None,
        two_sided: bool = True,
    ) -> None:
        super().__init__(weights, feature_network)
        self.vae = vae
        self.two_sided = two_sided

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Samples]:
        mixed = "old" in batch
        photo = torch.cat([batch["old"], batch["degraded"]]) if mixed else batch["clean"]
        mean, log_var = self.vae.encode_moments(photo)
        seeds = torch.cat([2 * batch["seed"], 2 * batch["seed"] + 1]) if mixed else batch["seed"]
        latent = mean + (0.5 * log_var).exp() * sample_noise(seeds, like=mean)
        recon = self.vae.decode(latent)

        terms = photo_terms(
            recon, photo, _photo_discriminator(discriminators), self.weights, self.feature_network
        )
        if self.weights.kl_weight:
            terms["kl"] = self.weights.kl_weight * self._kl(mean, log_var)
        samples = {"input": photo, "output": recon.detach(), "target": photo}
        if mixed:
            old, degraded = mean.chunk(2)
            if self.weights.latent_adversarial_weight:
                with frozen(discriminators["latent"]):
                    alike = losses.latent_encoder(
                        discriminators["latent"](old),
                        discriminators["latent"](degraded),
                        self.two_sided,
                    )
                terms["latent_adversarial"] = self.weights.latent_adversarial_weight * alike
            samples |= {"latent_old": old.detach(), "latent_degraded": degraded.detach()}
        return terms, samples

    def _kl(self, mean: Tensor, log_var: Tensor) -> Tensor:
        if self.vae.config.noise == "unit":
            return losses.kl_unit_variance(mean)
        return losses.kl_standard_normal(mean, log_var)


class MappingLoss(PhotoLoss):
    """Stage 2: loss of the latent mapping, equations 5 and 6; both VAEs stay as they are.

    The discriminator sees the degraded photo beside the restored one, as in the authors' code.

    Args:
        mapping: the network to train: ``mapping(latent, scratch_mask)``, after ``prepare``.
        vae_degraded, vae_clean: the two trained VAEs.
        weights: factors of the terms.
        feature_network: fixed network of the perceptual term, or None to go without.
    """

    def __init__(
        self,
        mapping: nn.Module,
        vae_degraded: VAE,
        vae_clean: VAE,
        weights: LossWeights,
        feature_network: FeatureNetwork | None = None,
    ) -> None:
        super().__init__(weights, feature_network)
        self.mapping = mapping
        self.vae_degraded = vae_degraded.requires_grad_(False)
        self.vae_clean = vae_clean.requires_grad_(False)

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Samples]:
        degraded, clean = batch["degraded"], batch["clean"]
        with torch.no_grad():
            prepared = self.mapping.prepare(degraded, batch["scratch_mask"])
            latent_degraded = self.vae_degraded.encode(prepared)
            latent_clean = self.vae_clean.encode(clean)
        mapped = self.mapping(latent_degraded, batch["scratch_mask"])
        restored = self.vae_clean.decode(mapped)

        terms = photo_terms(
            restored,
            clean,
            _photo_discriminator(discriminators),
            self.weights,
            self.feature_network,
            degraded,
        )
        if self.weights.latent_l1_weight:
            distance = losses.l1_loss(mapped, latent_clean)
            terms["latent_l1"] = self.weights.latent_l1_weight * distance
        samples = {"input": degraded, "output": restored.detach(), "target": clean}
        return terms, samples | {"condition": degraded}


class DiscriminatorLoss(nn.Module):
    """Loss of the discriminators on what the networks have just made (equations 2, 3 and 5).

    Args:
        discriminators: "photo" scores photos, "latent" tells latents of old and degraded apart.
    """

    def __init__(self, discriminators: nn.ModuleDict) -> None:
        super().__init__()
        self.discriminators = discriminators

    def forward(self, samples: Samples) -> tuple[Terms, Samples]:
        terms = {}
        if "photo" in self.discriminators:
            photo, condition = self.discriminators["photo"], samples.get("condition")
            terms["discriminator"] = losses.lsgan_discriminator(
                real=photo(_beside(condition, samples["target"])),
                fake=photo(_beside(condition, samples["output"])),
            )
        if "latent" in self.discriminators:
            latent = self.discriminators["latent"]
            terms["latent_discriminator"] = losses.latent_discriminator(
                old=latent(samples["latent_old"]), degraded=latent(samples["latent_degraded"])
            )
        return terms, {}


class DetectorLoss(nn.Module):
    """The scratch detector's focal loss on photos whose damage is known (section 3.3).

    Args:
        detector: the network to train, a grey photo in, logits out.
        gamma: focus of the loss, 0 for plain cross entropy.
    """

    def __init__(self, detector: nn.Module, gamma: float = 2.0) -> None:
        super().__init__()
        self.detector = detector
        self.gamma = gamma

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Samples]:
        logits = self.detector(batch["grey"])
        focal = losses.focal_loss(logits, batch["scratch_mask"], self.gamma)
        found = 2 * torch.sigmoid(logits.detach()) - 1
        target = 2 * batch["scratch_mask"] - 1
        return {"focal": focal}, {"input": batch["grey"], "output": found, "target": target}
