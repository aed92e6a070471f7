"""Pairs of crops with their latents, and what is measured on a mapping between two VAEs."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from oldphoto import losses
from oldphoto.checks import InputError, require_positive
from oldphoto.config import MappingConfig
from oldphoto.course.common import psnr_of
from oldphoto.data import DegradedPairs
from oldphoto.degradations.named import sample_fading, sample_gaussian_noise
from oldphoto.degradations.recipes import Recipe, Step
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.images.tensors import mask_to_tensor, to_tensor
from oldphoto.networks.mapping import PatchAttentionMapping, PlainMapping, scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths

CROP = 32  # side of the crops, in pixels

FADED = Recipe(
    "faded",
    groups=(
        (
            Step(1.0, (partial(sample_fading, black=(50.0, 80.0), white=(170.0, 200.0)),)),
            Step(1.0, (partial(sample_gaussian_noise, sigma=(10.0, 30.0)),)),
        ),
    ),
    shuffled=(False,),
)
"""Lost contrast and noise, always both: a damage that a tiny mapping learns to undo in seconds."""


@dataclass(frozen=True)
class Pairs:
    """Degraded crops and their clean partners (N, 3, H, W) in [-1, 1], and both latents."""

    degraded: Tensor
    clean: Tensor
    latent_degraded: Tensor
    latent_clean: Tensor

    def __len__(self) -> int:
        return len(self.clean)

    def __getitem__(self, rows: Tensor | slice) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(
            self.degraded[rows],
            self.clean[rows],
            self.latent_degraded[rows],
            self.latent_clean[rows],
        )


@dataclass(frozen=True)
class Quality:
    """How near restored crops are to the clean ones.

    Attributes:
        psnr: mean over the crops, in dB.
        latent_l1: mean absolute difference of the mapped latent from the clean photo's.
        sharpness: of the restored crops, as a fraction of the clean ones'; see ``sharpness``.
    """

    psnr: float
    latent_l1: float
    sharpness: float


@dataclass
class MappingRun:
    """What was measured during one training of a mapping.

    Attributes:
        mapping: the trained network.
        steps: after how many steps it was measured.
        qualities: on the held-out crops, at these steps.
    """

    mapping: nn.Module
    steps: list[int] = field(default_factory=list)
    qualities: list[Quality] = field(default_factory=list)

    def measure(self, step: int, vae_clean: VAE, pairs: Pairs) -> None:
        """Measure the mapping after a step."""
        self.steps.append(step)
        self.qualities.append(measure(self.mapping, vae_clean, pairs))

    @property
    def final(self) -> Quality:
        """The quality after the last step."""
        return self.qualities[-1]


def make_pairs(
    network: RestorationNetwork, kind: str, num: int, side: int = CROP, seed: int = 0
) -> Pairs:
    """Cut crops of the package's photos, damage them by ``FADED``, and encode both partners.

    Args:
        network: its VAEs make the latents.
        kind: of sample photos: "clean" to train on, "held_out" to measure on.
        num: how many crops.
        side: of the crops in pixels.
        seed: of places and damage.
    """
    require_positive(num=num, side=side)
    dataset = DegradedPairs(sample_paths(kind), side, seed, recipe=FADED, hole_prob=0.0)
    batch = default_collate([dataset[position] for position in range(num)])
    degraded, clean = batch["degraded"], batch["clean"]
    with torch.no_grad():
        latents = network.vae_degraded.encode(degraded), network.vae_clean.encode(clean)
    return Pairs(degraded, clean, *latents)


def sharpness(photo: Tensor) -> Tensor:
    r"""Return the mean length of the brightness gradient of each photo, (B,).

    .. math:: \operatorname{mean} \sqrt{(\partial_x p)^2 + (\partial_y p)^2}

    Noise counts like edges: compare it with the clean photo's, not with a degraded one's.

    Args:
        photo: (B, 3, H, W) in [-1, 1].
    """
    grey = photo.mean(dim=1)
    across = grey[:, :-1, 1:] - grey[:, :-1, :-1]
    down = grey[:, 1:, :-1] - grey[:, :-1, :-1]
    return (across.square() + down.square()).sqrt().mean(dim=(1, 2))


def restore(mapping: nn.Module, vae_clean: VAE, latent: Tensor) -> Tensor:
    """Return decode(mapping(latent)) without gradients; ``nn.Identity()`` is no mapping at all."""
    with torch.no_grad():
        return vae_clean.decode(mapping(latent))


def measure(mapping: nn.Module, vae_clean: VAE, pairs: Pairs) -> Quality:
    """Measure a mapping on pairs of crops."""
    restored = restore(mapping, vae_clean, pairs.latent_degraded)
    with torch.no_grad():
        distance = losses.l1_loss(mapping(pairs.latent_degraded), pairs.latent_clean)
    return Quality(
        float(psnr_of(restored, pairs.clean).mean()),
        float(distance),
        float(sharpness(restored).mean() / sharpness(pairs.clean).mean()),
    )


def quality_rows(qualities: Mapping[str, Quality]) -> list[tuple[str, float, float, float]]:
    """Return a row for each mapping: name, PSNR, latent L1, sharpness."""
    return [(name, q.psnr, q.latent_l1, q.sharpness) for name, q in qualities.items()]


def forms(config: MappingConfig) -> dict[str, nn.Module]:
    """Return the three forms of the mapping in one size.

    Raises:
        InputError: if ``num_blocks`` is no multiple of 4, which patch attention needs.
    """
    return {
        "plain": PlainMapping(config).eval(),
        "partial non-local": scratch_mapping(config).eval(),
        "high resolution": PatchAttentionMapping(config).eval(),
    }


def num_parameters(network: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def milliseconds(mapping: nn.Module, latent: Tensor, scratch_mask: Tensor | None = None) -> float:
    """Return the shortest of three times that a mapping takes, in ms."""
    times = []
    with torch.no_grad():
        for _ in range(3):
            start = time.perf_counter()
            mapping(latent, scratch_mask)
            times.append(time.perf_counter() - start)
    return 1000 * min(times)


def reach(mapping: nn.Module, channels: int, side: int = 33) -> int:
    """Return how many positions in a row can change the middle of what a mapping gives.

    The gradient of the middle position is 0 wherever it does not depend on the input.
    """
    latent = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(0))
    latent.requires_grad_(True)
    middle = mapping(latent)[0, :, side // 2, side // 2].sum()
    (gradient,) = torch.autograd.grad(middle, latent)
    columns = gradient[0].abs().sum(dim=(0, 1)).nonzero().flatten()
    return int(columns.max() - columns.min()) + 1


def error_budget(network: RestorationNetwork, photos: Iterable[TestPhoto]) -> dict[str, Tensor]:
    """Return the PSNR of each photo, in dB, on its way through the networks.

    Returns:
        "degraded": before anything; "identity": both VAEs, no mapping; "restored": all three
        networks; "limit": the clean photo through ``vae_clean`` alone. Each (N,).
    """
    found: dict[str, list[Tensor]] = {}
    for photo in photos:
        degraded, clean = to_tensor(photo.degraded), to_tensor(photo.clean)
        with torch.no_grad():
            mask = mask_to_tensor(photo.scratch_mask)
            latent = network.vae_degraded.encode(network.mapping.prepare(degraded, mask))
            mapped = network.mapping(latent, mask)
            latents = {"identity": latent, "restored": mapped}
            latents["limit"] = network.vae_clean.encode(clean)
            outputs = {name: network.vae_clean.decode(z) for name, z in latents.items()}
        for name, output in ({"degraded": degraded} | outputs).items():
            found.setdefault(name, []).append(psnr_of(output, clean))
    if not found:
        raise InputError("expected at least one photo, got none")
    return {name: torch.cat(values) for name, values in found.items()}
