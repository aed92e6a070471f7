"""The gap between old and synthetic photos: crops, metrics, and a record of a training."""

from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from oldphoto import losses
from oldphoto.checks import require_positive
from oldphoto.data import MixedOld
from oldphoto.metrics.domain_gap import (
    domain_accuracy,
    mmd_squared,
    sliced_wasserstein,
    to_one_scale,
)
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths

CROP = 32  # side of the crops, in pixels
EVERY = 16  # one latent position in so many is measured, because neighbours are alike


@dataclass(frozen=True)
class GapPhotos:
    """Crops (N, 3, H, W) in [-1, 1]; the ``test`` ones are of photos that no training sees."""

    old: Tensor
    degraded: Tensor
    test_old: Tensor
    test_degraded: Tensor


@dataclass(frozen=True)
class Gap:
    """Three metrics of one gap.

    Attributes:
        wasserstein: sliced Wasserstein distance, of latents on one scale.
        mmd: squared, unbiased, of latents on one scale.
        accuracy: of a classifier of whole crops, 0.5 = guessing.
    """

    wasserstein: float
    mmd: float
    accuracy: float

    def words(self) -> str:
        """Return the three numbers as one line.

        >>> Gap(0.25, 0.01, 0.7).words()
        'sliced Wasserstein 0.250, MMD squared 0.0100, classifier 70 % right'
        """
        return (
            f"sliced Wasserstein {self.wasserstein:.3f}, MMD squared {self.mmd:.4f}, "
            f"classifier {100 * self.accuracy:.0f} % right"
        )


@dataclass
class Recording:
    """What was measured during one training of VAE 1.

    Attributes:
        name: of the training, as it is shown in figures.
        vae: the network at the last measurement; None before the first.
        steps: after how many steps it was measured.
        latents: for each of these steps the latents (rows) of old and of degraded test photos.
        gaps: the metrics at these steps.
        encoder_losses: the encoder's weighted term of equation 3 at every step.
    """

    name: str
    vae: VAE | None = None
    steps: list[int] = field(default_factory=list)
    latents: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    encoder_losses: list[float] = field(default_factory=list)

    def measure(self, step: int, vae: VAE, photos: GapPhotos) -> None:
        """Measure the gap after a step, and keep the latents that it was measured on."""
        gap, rows = measure_gap(vae, photos)
        self.vae = vae
        self.steps.append(step)
        self.latents.append(rows)
        self.gaps.append(gap)


def gap_photos(
    num_train: int = 192, num_test: int = 96, seed: int = 0, side: int = CROP
) -> GapPhotos:
    """Cut crops of the package's old photos, and of its clean ones after synthetic damage.

    Args:
        num_train, num_test: how many crops of each kind.
        seed: of places and damage.
        side: of the crops in pixels, at most 256.
    """
    require_positive(num_train=num_train, num_test=num_test, side=side)
    old = sample_paths("old")
    train = MixedOld([p for i, p in enumerate(old) if i % 3], sample_paths("clean"), side, seed)
    test = MixedOld(old[::3], sample_paths("held_out"), side, seed + 1)
    parts = []
    for dataset, num in ((train, num_train), (test, num_test)):
        samples = [dataset[position] for position in range(num)]
        parts += [torch.stack([s[name] for s in samples]) for name in ("old", "degraded")]
    return GapPhotos(*parts)


def as_rows(latent: Tensor, every: int = EVERY) -> Tensor:
    """Return a latent (B, C, h, w) as a table with one row per position.

    Args:
        latent: (B, C, h, w).
        every: one row in so many is kept.

    >>> as_rows(torch.zeros(2, 8, 4, 4), every=4).shape
    torch.Size([8, 8])
    """
    return latent.permute(0, 2, 3, 1).flatten(0, 2)[::every]  # (B h w / every, C)


def describe_crops(latent: Tensor) -> Tensor:
    """Return the mean and the standard deviation of each channel over a crop: (B, 2 C)."""
    return torch.cat([latent.mean(dim=(2, 3)), latent.std(dim=(2, 3))], dim=1)


def measure_gap(vae: VAE, photos: GapPhotos) -> tuple[Gap, tuple[Tensor, Tensor]]:
    """Measure the gap between the latents of test photos.

    Returns:
        The metrics, and the tables of latents of old and of degraded photos that they belong to.
    """
    with torch.no_grad():
        old, degraded = vae.encode(photos.test_old), vae.encode(photos.test_degraded)
        train = vae.encode(photos.old), vae.encode(photos.degraded)
    rows = as_rows(old), as_rows(degraded)
    one_scale = to_one_scale(*rows)
    accuracy = domain_accuracy(
        (describe_crops(train[0]), describe_crops(train[1])),
        (describe_crops(old), describe_crops(degraded)),
        num_steps=80,
    )
    return Gap(sliced_wasserstein(*one_scale), mmd_squared(*one_scale), accuracy), rows


def mean_gap(recording: Recording, last: int = 3) -> Gap:
    """Return the mean of the last measurements: a single one may be small by chance."""
    gaps = recording.gaps[-last:]
    return Gap(*(sum(getattr(g, f.name) for g in gaps) / len(gaps) for f in fields(Gap)))


def reconstruction_error(vae: VAE, photos: GapPhotos) -> float:
    """Return the mean absolute error of reconstructed test photos of both kinds, in [0, 2]."""
    photo = torch.cat([photos.test_old, photos.test_degraded])
    with torch.no_grad():
        return float(losses.l1_loss(vae.decode(vae.encode(photo)), photo))
