"""The training objectives: which loss terms each stage sums, and on which networks they act.

An objective is called with a batch and returns its weighted terms and what the networks made. It
holds the networks that its stage trains, and the fixed ones it needs. The discriminators are
handed in: their weights belong to another optimizer, and to ``DiscriminatorObjective``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.config import LossWeights
from oldphoto.networks.vae import VAE

Batch = dict[str, Tensor]
"""Photos (B, 3, H, W) in [-1, 1], masks (B, 1, H, W) and seeds (B,), by name."""

Terms = dict[str, Tensor]
"""Loss terms by name, already weighted: the optimizer lowers their sum."""

Outputs = dict[str, Tensor]
"""What the networks made of a batch, detached: the discriminators learn from it, the log shows
"input", "output" and "target"."""


class FeatureNetwork(Protocol):
    """A fixed, pretrained network whose features measure how alike two photos look."""

    layer_weights: tuple[float, ...]

    def __call__(self, photo: Tensor) -> list[Tensor]: ...


class LatentMapping(Protocol):
    """A mapping from latents of degraded photos to latents of clean ones."""

    def prepare(self, degraded: Tensor, scratch_mask: Tensor | None) -> Tensor: ...

    def __call__(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class PerceptualLoss:
    """The perceptual term as a function of two photos (equation 6, second sum).

    It is a function, not a module, because nothing in it is trained: optimizers, processes and
    checkpoints have no business with the many weights of its network.

    Args:
        network: gives the features, and the weight of each layer.
    """

    network: FeatureNetwork

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        fake, real = self.network(output), self.network(target)
        return losses.perceptual(fake, real, self.network.layer_weights)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients flow through a network without collecting any for its weights.

    >>> network, x = nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    >>> with frozen(network):
    ...     network(x).sum().backward()
    >>> x.grad is not None, network.weight.grad is None, network.weight.requires_grad
    (True, True, True)
    """
    # Flag by flag: the caller may have frozen some of the weights already.
    flags = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def sample_noise(seeds: Tensor, like: Tensor) -> Tensor:
    """Draw N(0, 1) noise, each sample from its own seed.

    The noise of a sample depends on its seed alone: not on the batch it is in, on the number of
    processes, or on what was drawn before. So resuming and sharing the work change nothing.

    Args:
        seeds: (B,) whole numbers.
        like: (B, ...) gives shape, type and device.

    >>> like = torch.zeros(1, 2, 4, 4)
    >>> together = sample_noise(torch.tensor([7, 8]), like.expand(2, -1, -1, -1))
    >>> torch.equal(together[1:], sample_noise(torch.tensor([8]), like))
    True
    """
    rows = []
    for seed in seeds.tolist():
        generator = torch.Generator().manual_seed(seed)  # on the CPU: the same on every device
        rows.append(torch.randn(like.shape[1:], generator=generator))
    return torch.stack(rows).to(like)  # (B, C, h, w), on the device only now


def photo_terms(
    output: Tensor,
    target: Tensor,
    discriminators: nn.ModuleDict,
    weights: LossWeights,
    perceptual: PerceptualLoss | None = None,
    condition: Tensor | None = None,
) -> Terms:
    """Return the terms that compare a generated photo with the real one (equations 2, 5 and 6).

    Args:
        output: (B, 3, H, W), the generated photo.
        target: (B, 3, H, W) in [-1, 1], the photo it should be.
        discriminators: its "photo" is used if a term needs it, and must be there then.
        weights: weights of the terms.
        perceptual: None leaves the perceptual term out.
        condition: (B, C, H, W) that the discriminator sees beside the photo, as in pix2pix.
    """
    terms = {}
    if weights.l1_weight:
        terms["l1"] = weights.l1_weight * losses.l1_loss(output, target)  # eq. 2, reconstruction
    if weights.adversarial_weight or weights.feature_matching_weight:
        discriminator = discriminators["photo"]
        with frozen(discriminator):
            # Once for both terms: scores and features come from the same pass.
            fake = discriminator(_beside(condition, output))
            if weights.adversarial_weight:
                # eq. 2 (VAEs) and eq. 5 (mapping), LSGAN
                terms["adversarial"] = weights.adversarial_weight * losses.lsgan_generator(fake)
            if weights.feature_matching_weight:
                with torch.no_grad():  # only the generated photo has to move
                    real = discriminator(_beside(condition, target))
                matching = losses.feature_matching(fake, real)  # eq. 6, discriminator
                terms["feature_matching"] = weights.feature_matching_weight * matching
    if weights.perceptual_weight and perceptual is not None:
        # eq. 6, VGG
        terms["perceptual"] = weights.perceptual_weight * perceptual(output, target)
    return terms


def _beside(condition: Tensor | None, photo: Tensor) -> Tensor:
    # Beside its condition: a restored photo must look real and fit the degraded one.
    if condition is None:
        return photo
    return torch.cat([condition, photo], dim=1)  # (B, C + 3, H, W)


class PhotoObjective(nn.Module):
    """What the objectives on photos share: the weights of the terms, and the perceptual term.

    Args:
        weights: weights of the terms.
        feature_network: fixed network of the perceptual term; None leaves the term out.
    """

    def __init__(self, weights: LossWeights, feature_network: FeatureNetwork | None = None) -> None:
        super().__init__()
        self.weights = weights
        self.perceptual = None if feature_network is None else PerceptualLoss(feature_network)


class VAEObjective(PhotoObjective):
    """Stage 1: equation 2 for one VAE, and equation 3 where two kinds of photo must mix.

    The batch of ``vae-clean`` holds ``clean``. That of ``vae-degraded`` holds as many ``old`` as
    ``degraded`` photos, and the latent discriminator compares their latents.

    Args:
        vae: the network to train.
        weights: weights of the terms.
        feature_network: fixed network of the perceptual term; None leaves the term out.
        two_sided: move both kinds of latents (the paper), or those of old photos alone (the
            released code).
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

    def forward(self, batch: Batch, discriminators: nn.ModuleDict) -> tuple[Terms, Outputs]:
        weights, mixed = self.weights, "old" in batch
        # One pass for both kinds: (2B, 3, H, W), old photos first.
        photo = torch.cat([batch["old"], batch["degraded"]]) if mixed else batch["clean"]
        mean, log_var = self.vae.encode_moments(photo)  # each (2B, C, H/4, W/4)
        # An old photo and a degraded one share a seed; they must not share their noise.
        seeds = torch.cat([2 * batch["seed"], 2 * batch["seed"] + 1]) if mixed else batch["seed"]
        # Sampled in this form, the gradient reaches mean and variance through the noise.
        latent = mean + (0.5 * log_var).exp() * sample_noise(seeds, like=mean)
        recon = self.vae.decode(latent)  # (2B, 3, H, W)

        terms = photo_terms(recon, photo, discriminators, weights, self.perceptual)
        if weights.kl_weight:
            terms["kl"] = weights.kl_weight * self._kl(mean, log_var)  # eq. 2, KL
        outputs = {"input": photo, "output": recon.detach(), "target": photo}
        if mixed:
            old, degraded = mean.chunk(2)  # each (B, C, H/4, W/4)
            if weights.latent_adversarial_weight:
                discriminator = discriminators["latent"]
                with frozen(discriminator):
                    scores = discriminator(old), discriminator(degraded)
                    mixing = losses.latent_encoder(*scores, self.two_sided)  # eq. 3, encoder
                terms["latent_adversarial"] = weights.latent_adversarial_weight * mixing
            outputs |= {"latent_old": old.detach(), "latent_degraded": degraded.detach()}
        return terms, outputs  # eq. 4: the loop minimises the sum of the terms

    def _kl(self, mean: Tensor, log_var: Tensor) -> Tensor:
        # With noise of fixed size there is no variance to learn, and its term of the KL drops out.
        if self.vae.config.noise == "unit":
            return losses.kl_unit_variance(mean)
        return losses.kl_standard_normal(mean, log_var)


class MappingObjective(PhotoObjective):
    """Stage 2: equation 5 with equation 6 for the latent mapping; both VAEs are frozen.

    The discriminator sees the degraded photo beside the restored one, as in the authors' code.

    Args:
        mapping: the network to train: ``mapping(latent, scratch_mask)``, after ``prepare``.
        vae_degraded, vae_clean: the two trained VAEs.
        weights: weights of the terms.
        feature_network: fixed network of the perceptual term; None leaves the term out.
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
        self.mapping = cast(LatentMapping, mapping)  # for the type checker
        self.vae_degraded = vae_degraded.requires_grad_(False)
        self.vae_clean = vae_clean.requires_grad_(False)

    def forward(self, batch: Batch, discriminators: nn.ModuleDict) -> tuple[Terms, Outputs]:
        degraded, clean, mask = batch["degraded"], batch["clean"], batch["scratch_mask"]
        with torch.no_grad():  # the VAEs are fixed, so no gradient is needed before the mapping
            prepared = self.mapping.prepare(degraded, mask)
            latent_degraded = self.vae_degraded.encode(prepared)  # z_x (B, C, H/4, W/4)
            latent_clean = self.vae_clean.encode(clean)  # z_y (B, C, H/4, W/4)
        mapped = self.mapping(latent_degraded, mask)  # T(z_x) (B, C, H/4, W/4)
        restored = self.vae_clean.decode(mapped)  # (B, 3, H, W); gradients pass the frozen decoder

        # The LSGAN term of eq. 5 and, behind its lambda2, eq. 6.
        terms = photo_terms(
            restored, clean, discriminators, self.weights, self.perceptual, condition=degraded
        )
        if self.weights.latent_l1_weight:
            distance = losses.l1_loss(mapped, latent_clean)  # eq. 5, L1 between latents
            terms["latent_l1"] = self.weights.latent_l1_weight * distance
        outputs = {"input": degraded, "output": restored.detach(), "target": clean}
        return terms, outputs | {"condition": degraded}


class DetectorObjective(nn.Module):
    """Scratch detector: the focal loss on photos whose damage is known (section 3.3).

    Args:
        detector: the network to train, a grey photo in, logits out.
        gamma: focus of the loss; 0 is plain cross entropy.
    """

    def __init__(self, detector: nn.Module, gamma: float = 2.0) -> None:
        super().__init__()
        self.detector = detector
        self.gamma = gamma

    def forward(self, batch: Batch, discriminators: nn.ModuleDict) -> tuple[Terms, Outputs]:
        logits = self.detector(batch["grey"])  # (B, 1, H, W)
        focal = losses.focal_loss(logits, batch["scratch_mask"], self.gamma)
        # The log shows photos in [-1, 1], so mask and probability are moved there.
        found = 2 * torch.sigmoid(logits.detach()) - 1
        target = 2 * batch["scratch_mask"] - 1
        return {"focal": focal}, {"input": batch["grey"], "output": found, "target": target}


class ToneObjective(nn.Module):
    """The global branch: L1 between the toned and the clean photo.

    Args:
        tone: the network to train, a photo in, a photo out.
        l1_weight: weight of the only term.
    """

    def __init__(self, tone: nn.Module, l1_weight: float) -> None:
        super().__init__()
        self.tone = tone
        self.l1_weight = l1_weight

    def forward(self, batch: Batch, discriminators: nn.ModuleDict) -> tuple[Terms, Outputs]:
        toned = self.tone(batch["degraded"])  # (B, 3, H, W)
        terms = {"l1": self.l1_weight * losses.l1_loss(toned, batch["clean"])}
        photos = {"input": batch["degraded"], "output": toned.detach(), "target": batch["clean"]}
        return terms, photos


class DiscriminatorObjective(nn.Module):
    """The other side of equations 2, 3 and 5: tell real from generated, and old from degraded.

    Args:
        discriminators: "photo" scores photos, "latent" scores latents; either may be missing.
    """

    def __init__(self, discriminators: nn.ModuleDict) -> None:
        super().__init__()
        self.discriminators = discriminators

    def forward(self, outputs: Outputs) -> Terms:
        terms = {}
        if "photo" in self.discriminators:
            photo, condition = self.discriminators["photo"], outputs.get("condition")
            terms["discriminator"] = losses.lsgan_discriminator(  # eq. 2 and eq. 5, LSGAN
                real=photo(_beside(condition, outputs["target"])),
                fake=photo(_beside(condition, outputs["output"])),
            )
        if "latent" in self.discriminators:
            latent = self.discriminators["latent"]
            terms["latent_discriminator"] = losses.latent_discriminator(  # eq. 3, discriminator
                old=latent(outputs["latent_old"]), degraded=latent(outputs["latent_degraded"])
            )
        return terms
