"""CycleGAN: learn to restore from damaged and clean photos without pairs.

Two generators translate in both directions, and a photo translated there and back must equal
itself. As in our method, real old photos are training data. But the way back is the only link
between a restored photo and its content.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.checks import require_features, require_multiple, require_positive
from oldphoto.config import COURSE_STAGE, TINY_STAGE, StageConfig
from oldphoto.data import DegradedPairs
from oldphoto.data.stream import PhotoStream
from oldphoto.evaluation.baselines.fitting import (
    PAPER_PATCHGAN,
    TINY_PATCHGAN,
    BaselinePreset,
    BaselineRun,
    NetworkMethod,
    random_seed,
    train_and_keep,
)
from oldphoto.networks.discriminators import PatchDiscriminator
from oldphoto.networks.layers import conv_norm_relu, init_paper, residual_blocks
from oldphoto.training.loop import Stage
from oldphoto.training.objectives import DiscriminatorObjective, Outputs, Terms, frozen
from oldphoto.training.stages import Numbered
from oldphoto.weights.store import load_network

NAME = "cyclegan"
CYCLE_WEIGHT = 10.0
IDENTITY_WEIGHT = 5.0
HISTORY = 50


@dataclass(frozen=True)
class CycleGANConfig:
    """Sizes of a generator: channels at full resolution, residual blocks."""

    width: int = 64
    num_blocks: int = 9

    def __post_init__(self) -> None:
        require_positive(width=self.width, num_blocks=self.num_blocks)


class Generator(nn.Module):
    """The ResNet generator: c7s1-64, d128, d256, nine R256, u128, u64, c7s1-3.

    Shape:
        (B, 3, H, W) in [-1, 1] to the same; H and W multiples of 4, at least 8.

    Raises:
        InputError: if x has another shape.

    Source:
        Zhu et al. 2017 (arXiv 1703.10593), appendix 7.2.
    """

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.layers = nn.Sequential(
            conv_norm_relu(3, width, 7),
            _halve(width, 2 * width),
            _halve(2 * width, 4 * width),
            residual_blocks(config.num_blocks, 4 * width),
            _double(4 * width, 2 * width),
            _double(2 * width, width),
            nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect"),
            nn.Tanh(),
        )
        init_paper(self)

    def forward(self, x: Tensor) -> Tensor:
        require_features(x, 3, min_size=8)
        require_multiple(x, 4)
        return self.layers(x)


def _halve(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=2, padding=1), nn.InstanceNorm2d(after), nn.ReLU()
    )


def _double(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1),
        nn.InstanceNorm2d(after),
        nn.ReLU(),
    )


class History(nn.Module):
    """Buffer of earlier generated photos, which the discriminator sees beside the newest ones.

    The first ``HISTORY`` photos are stored and returned. After that each photo is returned itself
    with probability one half. Otherwise it replaces a stored photo, which is returned.

    Source:
        Zhu et al. 2017, section 4; Shrivastava et al. 2017 (arXiv 1612.07828), section 2.3.
    """

    photos: Tensor
    num_kept: Tensor

    def __init__(self, crop: int, size: int = HISTORY) -> None:
        super().__init__()
        # Buffers are part of a checkpoint, so a resumed run has the same history.
        self.register_buffer("photos", torch.zeros(size, 3, crop, crop))
        self.register_buffer("num_kept", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def exchange(self, photos: Tensor, seeds: Tensor) -> Tensor:
        """Store new photos and return as many, new or old.

        Args:
            photos: (B, 3, crop, crop).
            seeds: (B,) integers that seed the exchange.
        """
        returned = []
        for photo, seed in zip(photos.float(), seeds.tolist(), strict=True):
            if self.num_kept < len(self.photos):
                self.photos[self.num_kept] = photo
                self.num_kept += 1
                returned.append(photo)
                continue
            generator = torch.Generator().manual_seed(int(seed))
            place = int(torch.randint(2 * len(self.photos), (), generator=generator))
            if place >= len(self.photos):
                returned.append(photo)
            else:
                returned.append(self.photos[place].clone())
                self.photos[place] = photo
        return torch.stack(returned).to(photos)


class CycleGANObjective(nn.Module):
    """Loss of both generators: adversarial (least squares), cycle consistency and identity.

    Source:
        Zhu et al. 2017, eq. 1 to 3 with the least squares of section 4, and the identity term of
        section 5.2 with half of the cycle's weight.
    """

    def __init__(self, restore: Generator, damage: Generator) -> None:
        super().__init__()
        self.restore, self.damage = restore, damage

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Outputs]:
        damaged, clean = batch["damaged"], batch["clean"]
        restored, worn = self.restore(damaged), self.damage(clean)
        back = losses.l1_loss(self.damage(restored), damaged)
        forth = losses.l1_loss(self.restore(worn), clean)
        same = losses.l1_loss(self.restore(clean), clean)
        same = same + losses.l1_loss(self.damage(damaged), damaged)
        with frozen(discriminators):
            fooled = losses.lsgan_generator(discriminators["clean"](restored))
            fooled = fooled + losses.lsgan_generator(discriminators["damaged"](worn))
        terms = {
            "adversarial": fooled,
            "cycle": CYCLE_WEIGHT * (back + forth),
            "identity": IDENTITY_WEIGHT * same,
        }
        samples = {"input": damaged, "output": restored.detach(), "target": clean}
        return terms, samples | {"worn": worn.detach(), "seed": batch["seed"]}


class CycleGANDiscriminatorObjective(DiscriminatorObjective):
    """Least-squares loss of both discriminators on photos from their histories."""

    def __init__(self, discriminators: nn.ModuleDict, crop: int) -> None:
        super().__init__(discriminators)
        self.histories = nn.ModuleDict({name: History(crop) for name in discriminators})

    def forward(self, samples: Outputs) -> Terms:
        made = {"clean": samples["output"], "damaged": samples["worn"]}
        real = {"clean": samples["target"], "damaged": samples["input"]}
        terms = {}
        for name, discriminator in self.discriminators.items():
            history = self.histories[name]
            assert isinstance(history, History)
            fake = history.exchange(made[name], samples["seed"])
            loss = losses.lsgan_discriminator(
                real=discriminator(real[name]), fake=discriminator(fake)
            )
            terms[f"discriminator_{name}"] = loss
        return terms


class UnpairedPhotos(DegradedPairs):
    """Unpaired damaged and clean photos.

    A sample holds ``damaged`` and ``clean``, (3, crop, crop) in [-1, 1]. Every second damaged photo
    is a real old one, the others are synthetic, with white holes.

    Args:
        old_paths: real old photo files.
        clean_paths: clean photo files.
        crop, seed, options: as in ``DegradedPairs``.
    """

    def __init__(
        self,
        old_paths: Sequence[Path],
        clean_paths: Sequence[Path],
        crop: int,
        seed: int,
        **options: Any,
    ) -> None:
        super().__init__(clean_paths, crop, seed, **options)
        others = (PhotoStream(clean_paths, crop, seed, 1), PhotoStream(old_paths, crop, seed, 2))
        self.streams = (*self.streams, *others)

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        clean, to_damage, old = self.streams
        if position % 2:
            damaged = self._plain(old, position // 2)
        else:
            damaged = self._pair(to_damage, position // 2, white=True)["degraded"]
        return {"damaged": damaged, "clean": self._plain(clean, position)}


PAPER = BaselinePreset(
    CycleGANConfig(),
    StageConfig(batch=1, crop=256, num_photos=200 * 17_125, ema_decay=0.0),
    PAPER_PATCHGAN,
)
SMALL = BaselinePreset(
    CycleGANConfig(width=24, num_blocks=6),
    StageConfig(batch=4, crop=128, num_photos=80_000),
    replace(PAPER_PATCHGAN, width=24),
)
COURSE = BaselinePreset(
    CycleGANConfig(width=16, num_blocks=4), COURSE_STAGE, replace(TINY_PATCHGAN, width=16)
)
TINY = BaselinePreset(
    CycleGANConfig(width=8, num_blocks=2),
    replace(TINY_STAGE, batch=4, learning_rate=1e-3),
    TINY_PATCHGAN,
)


class CycleGAN(NetworkMethod):
    """The trained generator from damaged to clean as a ``Method``."""

    def __init__(self, network: Generator, device: str | None = None) -> None:
        super().__init__(network, multiple=4, device=device)

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "CycleGAN":
        """Load what ``fit`` wrote into ``folder / "weights"``."""
        return cls(load_network(folder, NAME, lambda c: Generator(CycleGANConfig(**c))), device)


def cyclegan_stage(run: BaselineRun, preset: BaselinePreset[CycleGANConfig] = TINY) -> Stage:
    """Return networks, losses and data for the loop."""
    with random_seed(run.seed):
        discriminators = nn.ModuleDict(
            {name: PatchDiscriminator(preset.discriminator, 3) for name in ("clean", "damaged")}
        )
        restore, damage = Generator(preset.network), Generator(preset.network)
    config = preset.train
    photos = UnpairedPhotos(
        run.old_paths,
        run.clean_paths,
        config.crop,
        run.seed,
        recipe=config.recipe,
        hole_prob=config.hole_prob,
        hole_ratio=config.hole_ratio,
    )
    return Stage(
        name=NAME,
        config=config,
        objective=CycleGANObjective(restore, damage),
        discriminator_objective=CycleGANDiscriminatorObjective(discriminators, config.crop),
        trained=nn.ModuleDict({NAME: restore.train()}),
        dataset=Numbered(photos, run.seed),
    )


def fit(run: BaselineRun, preset: BaselinePreset[CycleGANConfig] = TINY) -> bool:
    """Train and save ``cyclegan`` in the run's weights; return whether all steps are done."""
    return train_and_keep(run, cyclegan_stage(run, preset))
