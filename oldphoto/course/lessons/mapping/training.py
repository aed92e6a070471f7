"""A laboratory for stage 3: the mapping learns between two VAEs that stand still."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from oldphoto import losses
from oldphoto.checks import InputError, require_in, require_positive
from oldphoto.config import DiscriminatorConfig, LossWeights, MappingConfig
from oldphoto.course.common import one_thread, psnr_of
from oldphoto.data import DegradedPairs
from oldphoto.degradations.named import sample_fading, sample_gaussian_noise
from oldphoto.degradations.recipes import Recipe, Step
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.images.tensors import mask_to_tensor, to_tensor
from oldphoto.metrics.perceptual import SHIPPED_SQUEEZENET
from oldphoto.networks.discriminators import PatchDiscriminator
from oldphoto.networks.features import load_feature_extractor
from oldphoto.networks.mapping import PatchAttentionMapping, PlainMapping, scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths
from oldphoto.training.objectives import DiscriminatorObjective, MappingObjective
from oldphoto.training.optimizer import linear_decay

CROP, BATCH = 32, 8
RATE = 2e-3  # of mapping and discriminator alike
TINY_MAPPING = MappingConfig(
    latent_channels=32, widths_in=(48,), widths_out=(), num_blocks=2, norm=False, skip=True
)
TINY_DISCRIMINATOR = DiscriminatorConfig(width=8, num_layers=2, num_scales=2)

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

BALANCED = LossWeights(l1_weight=0.0, latent_l1_weight=3.0)
"""Equation 5 with factors that make its terms about equally large for the codes of ``small``."""

TERMS = {
    "latent L1": "latent_l1_weight",
    "adversarial": "adversarial_weight",
    "feature matching": "feature_matching_weight",
    "perceptual": "perceptual_weight",
}
"""The terms of equations 5 and 6, and the factor of each in ``LossWeights``."""


@dataclass(frozen=True)
class Pairs:
    """Degraded crops and their clean partners (N, 3, H, W) in [-1, 1], and the codes of both."""

    degraded: Tensor
    clean: Tensor
    latent_degraded: Tensor
    latent_clean: Tensor

    def batch(self, rows: Tensor) -> dict[str, Tensor]:
        """Return some rows as a batch for ``MappingObjective``; nothing in them is a hole."""
        degraded, clean = self.degraded[rows], self.clean[rows]
        return {
            "degraded": degraded,
            "clean": clean,
            "scratch_mask": torch.zeros_like(clean[:, :1]),
        }


@dataclass(frozen=True)
class Quality:
    """How near restored crops are to the clean ones.

    Attributes:
        psnr: mean over the crops, in dB.
        latent_l1: mean absolute difference of the mapped code from the clean photo's.
        sharpness: of the restored crops, as a share of the clean ones'; see ``sharpness``.
    """

    psnr: float
    latent_l1: float
    sharpness: float


@dataclass
class MappingRun:
    """A training of the mapping.

    Attributes:
        mapping: in evaluation mode.
        steps: when it was measured.
        qualities: on the held-out crops, at these steps.
        terms: name of a loss term, with its factor, to its value at every step.
    """

    mapping: nn.Module
    steps: list[int] = field(default_factory=list)
    qualities: list[Quality] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)

    @property
    def final(self) -> Quality:
        """The quality after the last step."""
        return self.qualities[-1]


def make_pairs(
    network: RestorationNetwork, kind: str, num: int, side: int = CROP, seed: int = 0
) -> Pairs:
    """Cut crops of the package's photos, damage them by ``FADED``, and encode both partners.

    Args:
        network: its VAEs make the codes.
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
        codes = network.vae_degraded.encode(degraded), network.vae_clean.encode(clean)
    return Pairs(degraded, clean, *codes)


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


def without(*terms: str) -> LossWeights:
    """Return ``BALANCED`` with some of ``TERMS`` switched off."""
    for term in terms:
        require_in(term, tuple(TERMS), "term")
    return replace(BALANCED, **{TERMS[term]: 0.0 for term in terms})


def new_mapping(seed: int) -> PlainMapping:
    """Return the tiny mapping with the first weights of a seed."""
    with torch.random.fork_rng(devices=[]):  # the notebook's own random numbers stay as they are
        torch.manual_seed(seed)
        return PlainMapping(TINY_MAPPING)


def new_discriminator(seed: int) -> nn.ModuleDict:
    """Return the discriminator of the photo, which sees the degraded one beside it: 6 channels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.ModuleDict({"photo": PatchDiscriminator(TINY_DISCRIMINATOR, in_channels=6)})


class Update:
    """Adam with the learning rate of the real training: constant, then falling to 0."""

    def __init__(self, network: nn.Module, num_steps: int) -> None:
        self.weights = list(network.parameters())
        self.optimizer = torch.optim.Adam(self.weights, lr=RATE, betas=(0.5, 0.999))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: linear_decay(step, num_steps, decay_from=0.5)
        )

    def step(self, terms: Mapping[str, Tensor]) -> None:
        """Take one step along the gradient of the sum of the terms."""
        losses.total(terms.values()).backward()
        nn.utils.clip_grad_norm_(self.weights, max_norm=10.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)


@one_thread()
def train_mapping(
    network: RestorationNetwork,
    pairs: Pairs,
    held_out: Pairs,
    num_steps: int,
    weights: LossWeights = BALANCED,
    look_every: int = 0,
    seed: int = 0,
) -> MappingRun:
    """Train the tiny mapping between the VAEs of a network, by the package's loss of stage 3.

    Args:
        network: its VAEs are frozen and stay as they are; its own mapping is not used.
        pairs: crops to learn from.
        held_out: crops to measure on.
        num_steps: of the mapping, and of the discriminator where a term needs one.
        weights: factors of the terms.
        look_every: steps between two measurements; 0 measures at both ends alone.
        seed: of the first weights and of the order of the crops.
    """
    require_positive(num_steps=num_steps)
    run, discriminators = MappingRun(new_mapping(seed)), new_discriminator(seed)
    features = load_feature_extractor(SHIPPED_SQUEEZENET)
    vaes = network.vae_degraded, network.vae_clean
    objective = MappingObjective(run.mapping, *vaes, weights, features)
    other_side = DiscriminatorObjective(discriminators)
    updates = [Update(part, num_steps) for part in (run.mapping, discriminators)]
    order = torch.Generator().manual_seed(seed)
    for step in range(num_steps + 1):
        if step in (0, num_steps) or (look_every and step % look_every == 0):
            run.steps.append(step)
            run.qualities.append(measure(run.mapping, network.vae_clean, held_out))
        if step < num_steps:
            rows = torch.randint(len(pairs.clean), (BATCH,), generator=order)
            terms, samples = objective(pairs.batch(rows), discriminators)
            updates[0].step(terms)
            if weights.adversarial_weight or weights.feature_matching_weight:
                scores = other_side(samples)
                updates[1].step(scores)
                terms |= scores
            for name, value in terms.items():
                run.terms.setdefault(name, []).append(float(value.detach()))
    run.mapping.eval()
    return run


def switched_off(
    network: RestorationNetwork, pairs: Pairs, held_out: Pairs, num_steps: int, seed: int = 0
) -> dict[str, MappingRun]:
    """Train without each of ``TERMS`` in turn, with the latent L1 alone, and with another seed.

    The last run has all terms, but other first weights and another order of the crops. It is the
    ruler: what differs less than two runs of the same recipe says nothing.
    """
    train = partial(train_mapping, network, pairs, held_out, num_steps)
    runs = {f"without {term}": train(without(term), seed=seed) for term in TERMS}
    runs["latent L1 alone"] = train(without(*list(TERMS)[1:]), seed=seed)
    return runs | {"all, other seed": train(seed=seed + 1000)}


def quality_rows(qualities: Mapping[str, Quality]) -> list[tuple[str, float, float, float]]:
    """Return a row for each mapping: name, PSNR, latent L1, sharpness."""
    return [(name, q.psnr, q.latent_l1, q.sharpness) for name, q in qualities.items()]


def forms(config: MappingConfig) -> dict[str, nn.Module]:
    """Return the three forms of the mapping in one size.

    Raises:
        InputError: if ``num_blocks`` is no multiple of 4, which patch attention asks for.
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

    The gradient of the middle tells: it is 0 at all positions that it does not depend on.
    """
    latent = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(0))
    latent.requires_grad_(True)
    mapping(latent)[0, :, side // 2, side // 2].sum().backward()
    columns = latent.grad[0].abs().sum(dim=(0, 1)).nonzero().flatten()
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
            codes = {"identity": latent, "restored": mapped}
            codes["limit"] = network.vae_clean.encode(clean)
            outputs = {name: network.vae_clean.decode(code) for name, code in codes.items()}
        for name, output in ({"degraded": degraded} | outputs).items():
            found.setdefault(name, []).append(psnr_of(output, clean))
    if not found:
        raise InputError("expected at least one photo, got none")
    return {name: torch.cat(values) for name, values in found.items()}
