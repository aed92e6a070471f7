"""Pix2Pix: a U-Net from degraded to restored photo, and a discriminator that sees both.

Nothing in it knows of masks, latent spaces or real old photos: it learns the synthetic pairs.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.checks import require_features, require_multiple, require_positive
from oldphoto.config import DiscriminatorConfig, StageConfig
from oldphoto.evaluation.baselines.fitting import (
    BaselineRun,
    NetworkMethod,
    random_seed,
    seeded,
    train_and_keep,
)
from oldphoto.networks.discriminators import PatchDiscriminator
from oldphoto.networks.layers import init_paper
from oldphoto.training.loop import Stage
from oldphoto.training.objectives import DiscriminatorObjective, Outputs, Terms, frozen
from oldphoto.weights.store import load_network

NAME = "pix2pix"
L1_WEIGHT = 100.0


@dataclass(frozen=True)
class Pix2PixConfig:
    """Sizes of the U-Net.

    Attributes:
        width: channels after the first convolution; they double three times, up to 8 * width.
        depth: reductions by 2; a photo of 2 ** depth pixels becomes a single position.
        dropout: share of features dropped in the three innermost layers of the decoder that
            have room for it; the only randomness of the method, at work when restoring, too.
    """

    width: int = 64
    depth: int = 8
    dropout: float = 0.5

    def __post_init__(self) -> None:
        require_positive(width=self.width, depth=self.depth - 2)

    @property
    def multiple(self) -> int:
        """What height and width must be multiples of."""
        return 2**self.depth


class UNet(nn.Module):
    """The generator "U-Net 256" of the paper, for any width and depth.

    Encoder: 4x4 convolutions of stride 2, LeakyReLU 0.2. Decoder: transposed ones, ReLU. Each layer
    but the first, the innermost and the last has a batch norm, which takes mean and variance from
    the batch in hand, when restoring as when training. Each encoder layer is handed on to the
    decoder layer of its size.

    Shape:
        (B, 3, H, W) in [-1, 1] to the same; H and W multiples of ``config.multiple``.

    Raises:
        InputError: if x has another shape.

    Source:
        Isola et al. 2017 (arXiv 1611.07004), section 6.1.1.
    """

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * min(2**i, 8) for i in range(config.depth)]
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for number, width in enumerate(widths):
            before = widths[number - 1] if number else 3
            normed = 0 < number < config.depth - 1
            self.downs.append(_Layer(nn.Conv2d, before, width, normed))
        for number in reversed(range(config.depth)):
            before = widths[number] * (1 if number == config.depth - 1 else 2)
            after = widths[number - 1] if number else 3
            drops = 4 <= number < config.depth - 1
            self.ups.append(
                _Layer(nn.ConvTranspose2d, before, after, number > 0, config.dropout * drops)
            )
        init_paper(self)

    def encode(self, x: Tensor) -> list[Tensor]:
        """Return the features of each layer of the encoder, the innermost last."""
        require_features(x, 3, self.config.multiple)
        require_multiple(x, self.config.multiple)
        kept = []
        for number, down in enumerate(self.downs):
            x = down(F.leaky_relu(x, 0.2) if number else x)
            kept.append(x)
        return kept

    def forward(self, x: Tensor) -> Tensor:
        kept = self.encode(x)
        x = kept.pop()  # the innermost goes on as it is
        for up in self.ups:
            x = up(x.relu())
            x = torch.cat([x, kept.pop()], dim=1) if kept else x
        return x.tanh()


class _Layer(nn.Module):
    """A strided 4x4 convolution, up or down, with batch norm and dropout where there are any."""

    def __init__(
        self,
        kind: type[nn.Conv2d] | type[nn.ConvTranspose2d],
        in_channels: int,
        out_channels: int,
        normed: bool,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        is_last = out_channels == 3
        self.conv = kind(in_channels, out_channels, 4, 2, 1, bias=is_last)
        self.norm = nn.BatchNorm2d(out_channels, track_running_stats=False) if normed else None
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x)
        return F.dropout(x, self.dropout) if self.dropout else x  # when restoring, too


class Pix2PixObjective(nn.Module):
    r"""Loss of the generator: :math:`-\log D(x, G(x)) + 100 \, \|y - G(x)\|_1`.

    Source:
        Isola et al. 2017, equation 4, with the non-saturating form of its section 3.3.
    """

    def __init__(self, generator: UNet) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Outputs]:
        degraded, clean = batch["degraded"], batch["clean"]
        with random_seed(int(batch["seed"][0])):  # a run that is resumed drops the same features
            restored = self.generator(degraded)
        with frozen(discriminators["photo"]):
            scores = _scores(discriminators["photo"], degraded, restored)
        terms = {
            "l1": L1_WEIGHT * losses.l1_loss(restored, clean),
            "adversarial": F.softplus(-scores).mean(),
        }
        return terms, {"input": degraded, "output": restored.detach(), "target": clean}


class Pix2PixDiscriminatorObjective(DiscriminatorObjective):
    r"""Loss of the discriminator: :math:`-\tfrac12 (\log D(x, y) + \log(1 - D(x, G(x))))`.

    Source:
        Isola et al. 2017, equation 1; the half is of section 3.3.
    """

    def forward(self, samples: Outputs) -> Terms:
        discriminator = self.discriminators["photo"]
        real = F.softplus(-_scores(discriminator, samples["input"], samples["target"])).mean()
        made = F.softplus(_scores(discriminator, samples["input"], samples["output"])).mean()
        return {"discriminator": (real + made) / 2}


def _scores(discriminator: nn.Module, degraded: Tensor, photo: Tensor) -> Tensor:
    return discriminator(torch.cat([degraded, photo], dim=1))[0][-1].float()


@dataclass(frozen=True)
class Pix2PixPreset:
    """One size: generator, discriminator (a PatchGAN that sees 70 pixels), training."""

    network: Pix2PixConfig
    discriminator: DiscriminatorConfig
    train: StageConfig


# The paper trains with batch 1; the crop is the photo that the U-Net brings down to one position.
PAPER = Pix2PixPreset(
    Pix2PixConfig(),
    DiscriminatorConfig(width=64, num_layers=3, num_scales=1),
    StageConfig(batch=1, crop=256, num_photos=200 * 17_125, ema_decay=0.0),
)
SMALL = Pix2PixPreset(
    Pix2PixConfig(width=32, depth=7),
    DiscriminatorConfig(width=32, num_layers=3, num_scales=1),
    StageConfig(batch=8, crop=128, num_photos=160_000),
)
TINY = Pix2PixPreset(
    Pix2PixConfig(width=6, depth=6),
    DiscriminatorConfig(width=8, num_layers=2, num_scales=1),
    StageConfig(batch=8, crop=64, num_photos=2_400, learning_rate=1e-3, ema_decay=0.98),
)


class Pix2Pix(NetworkMethod):
    """The trained U-Net, as a ``Method``. Dropout is drawn from a fixed seed: same in, same out."""

    def __init__(self, network: UNet, device: str | None = None) -> None:
        super().__init__(network, network.config.multiple, device)

    def restore_tensor(self, degraded: Tensor) -> Tensor:
        with random_seed(0):
            return self.network(degraded)

    @classmethod
    def load(cls, folder: Path, device: str | None = None, name: str = NAME) -> "Pix2Pix":
        """Load what ``fit`` wrote into ``folder / "weights"``, or weights of another name."""
        return cls(load_network(folder, name, lambda c: UNet(Pix2PixConfig(**c))), device)


def baseline_stage(run: BaselineRun, preset: Pix2PixPreset = TINY) -> Stage:
    """Return networks, losses and data, ready for the loop."""
    generator = seeded(run, lambda: UNet(preset.network))
    discriminator = seeded(run, lambda: PatchDiscriminator(preset.discriminator, in_channels=6))
    discriminators = nn.ModuleDict({"photo": discriminator})
    return Stage(
        name=NAME,
        config=preset.train,
        objective=Pix2PixObjective(generator),
        discriminator_objective=Pix2PixDiscriminatorObjective(discriminators),
        trained=nn.ModuleDict({NAME: generator.train()}),
        dataset=run.pairs(preset.train),
    )


def fit(run: BaselineRun, preset: Pix2PixPreset = TINY) -> bool:
    """Train, and write ``pix2pix`` into the run's weights; whether all steps were done."""
    return train_and_keep(run, baseline_stage(run, preset))
