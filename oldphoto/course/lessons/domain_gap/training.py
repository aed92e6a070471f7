"""The gap between old and synthetic photos: small trainings of VAE 1, recorded as they go."""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.checks import require_in, require_positive
from oldphoto.config import LossWeights, VAEConfig
from oldphoto.course.common import one_thread
from oldphoto.data import MixedOld
from oldphoto.metrics.domain_gap import (
    domain_accuracy,
    mmd_squared,
    sliced_wasserstein,
    to_one_scale,
)
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths
from oldphoto.training.objectives import Outputs, Terms, VAEObjective

ADVERSARIES = ("none", "one-sided", "two-sided")
CROP, BATCH, CHANNELS = 32, 8, 8
EVERY = 16  # one position in so many is measured: neighbours are alike anyway
EMA_DECAY = 0.96
DISCRIMINATOR_RATE = 4e-3
BETAS, CLIP_NORM = (0.5, 0.999), 10.0  # of Adam, as in the real training
WEIGHT = 10.0  # of the latent adversary; reconstruction has 10 as well
FIRST_LESSONS = 30  # steps that the discriminator learns before the encoder listens to it
SLOW = 5e-4  # learning rate of the VAE once an adversary works on it
DISCRIMINATOR_STEPS = (
    3  # the discriminator must keep up, or it pushes the codes in yesterday's direction
)
SMALL_VAE = VAEConfig(
    stem="unshuffle", width=24, latent_channels=CHANNELS, num_blocks=1, norm=False
)


@dataclass(frozen=True)
class GapPhotos:
    """Crops (N, 3, 32, 32) in [-1, 1]; the ``test`` ones are of photos that no training sees."""

    old: Tensor
    degraded: Tensor
    test_old: Tensor
    test_degraded: Tensor


@dataclass(frozen=True)
class Gap:
    """Three measures of one gap.

    Attributes:
        wasserstein: sliced, of codes on one scale.
        mmd: squared, unbiased, of codes on one scale.
        accuracy: of a classifier of whole crops, 0.5 = guessing.
    """

    wasserstein: float
    mmd: float
    accuracy: float

    def words(self) -> str:
        """Say the three numbers in one line."""
        return (
            f"sliced Wasserstein {self.wasserstein:.3f}, MMD squared {self.mmd:.4f}, "
            f"classifier {100 * self.accuracy:.0f} % right"
        )


@dataclass
class Recording:
    """A training of VAE 1, looked at every few steps.

    Attributes:
        adversary: one of ``ADVERSARIES``.
        vae: the moving average of the weights at the end.
        steps: when it was looked at.
        codes: for each of these steps the codes (rows) of old and of degraded test photos.
        gaps: the measures at these steps.
        terms: name of a loss term to its value at every training step.
    """

    adversary: str
    vae: VAE
    steps: list[int] = field(default_factory=list)
    codes: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)


class PositionDiscriminator(nn.Module):
    """A latent discriminator that judges each position of a code by itself (1x1 convolutions).

    Args:
        channels: C of the codes.
        width: channels of the two hidden layers.

    Attributes:
        mean, deviation: (1, C, 1, 1), taken off and divided by first; 0 and 1 until ``adapt``.

    Shape:
        latent (B, C, h, w) to one scale whose only feature map is the scores (B, 1, h, w).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("deviation", torch.ones(1, channels, 1, 1))
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 1, 1),
        )

    def forward(self, latent: Tensor) -> list[list[Tensor]]:
        return [[self.layers((latent - self.mean) / self.deviation)]]

    def adapt(self, latent: Tensor) -> None:
        """Bring codes such as these to mean 0 and deviation 1; later codes by the same numbers."""
        self.mean = latent.mean(dim=(0, 2, 3), keepdim=True)
        self.deviation = latent.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-6)


class LatentDiscriminatorObjective(nn.Module):
    """The latent discriminator's side of equation 3, as a loss of its own."""

    def __init__(self, discriminator: PositionDiscriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, samples: Outputs) -> Terms:
        old, degraded = (
            self.discriminator(samples["latent_old"]),
            self.discriminator(samples["latent_degraded"]),
        )
        return {"latent_discriminator": losses.latent_discriminator(old=old, degraded=degraded)}


def gap_photos(num_train: int = 192, num_test: int = 96, seed: int = 0) -> GapPhotos:
    """Cut crops of the package's old photos, and of its clean ones after synthetic damage."""
    require_positive(num_train=num_train, num_test=num_test)
    old = sample_paths("old")
    train = MixedOld([p for i, p in enumerate(old) if i % 3], sample_paths("clean"), CROP, seed)
    test = MixedOld(old[::3], sample_paths("held_out"), CROP, seed + 1)
    parts = []
    for dataset, num in ((train, num_train), (test, num_test)):
        samples = [dataset[position] for position in range(num)]
        parts += [torch.stack([s[name] for s in samples]) for name in ("old", "degraded")]
    return GapPhotos(*parts)


def as_rows(latent: Tensor, every: int = EVERY) -> Tensor:
    """Return codes (B, C, h, w) as a table: a row for each position, one in ``every`` kept."""
    return latent.permute(0, 2, 3, 1).flatten(0, 2)[::every]


def describe_crops(latent: Tensor) -> Tensor:
    """Return mean and deviation of each channel over a crop: (B, 2 C)."""
    return torch.cat([latent.mean(dim=(2, 3)), latent.std(dim=(2, 3))], dim=1)


def measure_gap(vae: VAE, photos: GapPhotos) -> tuple[Gap, tuple[Tensor, Tensor]]:
    """Measure the gap between the codes of test photos.

    Returns:
        The measures, and the tables of codes of old and of degraded photos that they belong to.
    """
    with torch.no_grad():
        old, degraded = vae.encode(photos.test_old), vae.encode(photos.test_degraded)
        lesson = vae.encode(photos.old), vae.encode(photos.degraded)
    rows = as_rows(old), as_rows(degraded)
    one_scale = to_one_scale(*rows)
    accuracy = domain_accuracy(
        (describe_crops(lesson[0]), describe_crops(lesson[1])),
        (describe_crops(old), describe_crops(degraded)),
        num_steps=80,
    )
    return Gap(sliced_wasserstein(*one_scale), mmd_squared(*one_scale), accuracy), rows


def loss_weights(adversary: str, weight: float) -> LossWeights:
    """Return the factors of the terms: reconstruction and KL, and the latent adversary if any."""
    require_in(adversary, ADVERSARIES, "adversary")
    return LossWeights(
        l1_weight=10.0,
        kl_weight=1e-3,
        adversarial_weight=0.0,
        feature_matching_weight=0.0,
        perceptual_weight=0.0,
        latent_adversarial_weight=0.0 if adversary == "none" else weight,
    )


@one_thread()
def train_vae1(
    photos: GapPhotos,
    adversary: str = "none",
    num_steps: int = 80,
    start: VAE | None = None,
    learning_rate: float = 2e-3,
    weight: float = WEIGHT,
    discriminator_steps: int = DISCRIMINATOR_STEPS,
    look_every: int = 20,
    seed: int = 0,
) -> Recording:
    """Train VAE 1 on old and degraded crops, and look at its codes every few steps.

    Args:
        photos: crops to learn from and to measure on.
        adversary: "none" leaves equation 3 out; "one-sided" pushes old codes alone.
        num_steps: of training.
        start: a trained VAE to go on from; it stays as it is. None starts anew.
        learning_rate: of the VAE, constant.
        weight: factor of the latent adversarial term.
        discriminator_steps: of the latent discriminator for each of the VAE; 0: it stops after its
        first
            lessons.
        look_every: steps between two looks; 0 never looks.
        seed: of the first weights and of the order of the crops.

    Returns:
        The recording; its VAE is a moving average, as in the real training.
    """
    torch.manual_seed(seed)
    vae = VAE(SMALL_VAE) if start is None else copy.deepcopy(start)
    recording = Recording(adversary, copy.deepcopy(vae))
    weights = loss_weights(adversary, weight)
    discriminator = PositionDiscriminator(CHANNELS)
    objective = VAEObjective(vae, weights, two_sided=adversary != "one-sided")
    optimizer = torch.optim.Adam(vae.parameters(), lr=learning_rate, betas=BETAS)
    teacher = LatentDiscriminatorObjective(discriminator)
    its_optimizer = torch.optim.Adam(discriminator.parameters(), DISCRIMINATOR_RATE, BETAS)
    discriminators = nn.ModuleDict(
        {"latent": discriminator, "photo": nn.Identity()}
    )  # no loss on photos here
    order = torch.Generator().manual_seed(seed)
    if adversary != "none":
        _first_lessons(teacher, its_optimizer, vae, photos, seed)
    for step in range(num_steps + 1):
        if look_every and step % look_every == 0:
            _look(recording, step, photos)
        if step < num_steps:
            terms, samples = objective(_batch(photos, order, step), discriminators)
            update(optimizer, terms)
            if adversary != "none":
                terms |= _teach_discriminator(teacher, its_optimizer, samples, discriminator_steps)
            _average(recording, vae, terms, first=step < 5 and start is None)
    return recording


def update(optimizer: torch.optim.Optimizer, terms: Terms) -> None:
    """Take one step along the gradient of the sum of the terms."""
    losses.total(terms.values()).backward()
    for group in optimizer.param_groups:
        nn.utils.clip_grad_norm_(group["params"], CLIP_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _batch(photos: GapPhotos, order: torch.Generator, step: int) -> dict[str, Tensor]:
    rows = torch.randint(len(photos.old), (2, BATCH), generator=order)
    seeds = BATCH * step + torch.arange(BATCH)
    return {"old": photos.old[rows[0]], "degraded": photos.degraded[rows[1]], "seed": seeds}


def _first_lessons(
    teacher: LatentDiscriminatorObjective,
    optimizer: torch.optim.Optimizer,
    vae: VAE,
    photos: GapPhotos,
    seed: int,
) -> None:
    """Let the discriminator learn the codes as they are; its order of crops is its own."""
    with torch.no_grad():
        teacher.discriminator.adapt(vae.encode(torch.cat([photos.old, photos.degraded])))
    order = torch.Generator().manual_seed(seed + 1)
    for _ in range(FIRST_LESSONS):
        batch = _batch(photos, order, step=0)
        with torch.no_grad():
            codes = {f"latent_{kind}": vae.encode(batch[kind]) for kind in ("old", "degraded")}
        _teach_discriminator(teacher, optimizer, codes, num_steps=1)


def _teach_discriminator(
    teacher: LatentDiscriminatorObjective,
    optimizer: torch.optim.Optimizer,
    samples: Outputs,
    num_steps: int,
) -> Terms:
    terms: Terms = {}
    for _ in range(num_steps):
        terms = teacher(samples)
        update(optimizer, terms)
    return terms


def _average(recording: Recording, vae: VAE, terms: Terms, first: bool) -> None:
    """Note the terms, and move the averaged weights a little towards those of now."""
    for name, value in terms.items():
        recording.terms.setdefault(name, []).append(float(value.detach()))
    with torch.no_grad():
        for kept, now in zip(recording.vae.parameters(), vae.parameters(), strict=True):
            kept.lerp_(now, 1.0 if first else 1 - EMA_DECAY)


def _look(recording: Recording, step: int, photos: GapPhotos) -> None:
    gap, rows = measure_gap(recording.vae, photos)
    recording.steps.append(step)
    recording.codes.append(rows)
    recording.gaps.append(gap)


def mean_gap(recording: Recording, last: int = 3) -> Gap:
    """Return the mean of the last looks: one look alone may be a lucky one."""
    gaps = recording.gaps[-last:]
    return Gap(
        *(sum(getattr(g, name) for g in gaps) / len(gaps) for name in Gap.__dataclass_fields__)
    )


def copy_error(vae: VAE, photo: Tensor) -> float:
    """Return the mean absolute difference of photos from their reconstruction, in [0, 2]."""
    with torch.no_grad():
        return float(losses.l1_loss(vae.decode(vae.encode(photo)), photo))


def reconstruction_error(vae: VAE, photos: GapPhotos) -> float:
    """Return ``copy_error`` on the test photos of both kinds."""
    return copy_error(vae, torch.cat([photos.test_old, photos.test_degraded]))
