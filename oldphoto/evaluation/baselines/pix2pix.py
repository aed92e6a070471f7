"""Pix2Pix: a U-Net from degraded to restored photo, and a discriminator that sees both.

It learns from synthetic pairs alone, without masks, latent space or real old photos.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.checks import require_features, require_multiple, require_positive
from oldphoto.config import COURSE_STAGE, TINY_STAGE, StageConfig
from oldphoto.evaluation.baselines.common import GANDiscriminatorObjective, gan_generator
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
from oldphoto.networks.layers import init_paper
from oldphoto.training.loop import Stage
from oldphoto.training.objectives import Outputs, Terms, frozen
from oldphoto.weights.store import load_network

NAME = "pix2pix"
L1_WEIGHT = 100.0


@dataclass(frozen=True)
class Pix2PixConfig:
    """Sizes of the U-Net.

    Attributes:
        width: channels after the first convolution; they double three times, up to 8 * width.
        depth: reductions by 2. A photo of 2 ** depth pixels becomes a single position.
        dropout: fraction of features dropped in up to three inner layers of the decoder. It is the
            only randomness of the method, and is active when restoring, too.
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

    Encoder: 4x4 convolutions of stride 2, LeakyReLU 0.2. Decoder: transposed ones, ReLU. All layers
    but the first, the innermost and the last have a batch norm, which uses mean and variance of
    the current batch, when restoring, too. Skip connections join layers of equal size.

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
        x = kept.pop()  # the innermost layer has no skip connection
        for up in self.ups:
            x = up(x.relu())
            x = torch.cat([x, kept.pop()], dim=1) if kept else x
        return x.tanh()


class _Layer(nn.Module):
    """A strided 4x4 convolution, up or down, with optional batch norm and dropout."""

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
        return F.dropout(x, self.dropout) if self.dropout else x  # active when restoring, too


class Pix2PixObjective(nn.Module):
    r"""Loss of the generator: :math:`-\log D(x, G(x)) + 100 \, \|y - G(x)\|_1`.

    The discriminator's loss is :math:`-\tfrac12 (\log D(x, y) + \log(1 - D(x, G(x))))`.

    Source:
        Isola et al. 2017, eq. 4, with the non-saturating form and the half of its section 3.3.
    """

    def __init__(self, generator: UNet) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Outputs]:
        degraded, clean = batch["degraded"], batch["clean"]
        with random_seed(int(batch["seed"][0])):  # a resumed run drops the same features
            restored = self.generator(degraded)
        fake = torch.cat([degraded, restored], dim=1)  # (B, 6, H, W)
        with frozen(discriminators["photo"]):
            scores = discriminators["photo"](fake)[0][-1]
        terms = {
            "l1": L1_WEIGHT * losses.l1_loss(restored, clean),
            "adversarial": gan_generator(scores),
        }
        samples = {"input": degraded, "output": restored.detach(), "target": clean}
        return terms, samples | {"real": torch.cat([degraded, clean], 1), "fake": fake.detach()}


# The paper trains with batch 1 and crops that the U-Net reduces to a single position.
PAPER = BaselinePreset(
    Pix2PixConfig(),
    StageConfig(batch=1, crop=256, num_photos=200 * 17_125, ema_decay=0.0),
    PAPER_PATCHGAN,
)
SMALL = BaselinePreset(
    Pix2PixConfig(width=32, depth=7),
    StageConfig(batch=8, crop=128, num_photos=160_000),
    replace(PAPER_PATCHGAN, width=32),
)
COURSE = BaselinePreset(
    Pix2PixConfig(width=10, depth=5), COURSE_STAGE, replace(TINY_PATCHGAN, width=16)
)
TINY = BaselinePreset(
    Pix2PixConfig(width=6, depth=6),
    replace(TINY_STAGE, learning_rate=1e-3),
    TINY_PATCHGAN,
)


class Pix2Pix(NetworkMethod):
    """The trained U-Net as a ``Method``. Dropout has a fixed seed, so results are repeatable."""

    network: UNet

    def __init__(self, network: UNet, device: str | None = None) -> None:
        super().__init__(network, network.config.multiple, device)

    def restore_tensor(self, degraded: Tensor) -> Tensor:
        with random_seed(0):
            return self.network(degraded)

    @classmethod
    def load(cls, folder: Path, device: str | None = None, name: str = NAME) -> "Pix2Pix":
        """Load what ``fit`` wrote into ``folder / "weights"``, or weights of another name."""
        return cls(load_network(folder, name, lambda c: UNet(Pix2PixConfig(**c))), device)


def pix2pix_stage(run: BaselineRun, preset: BaselinePreset[Pix2PixConfig] = TINY) -> Stage:
    """Return networks, losses and data for the loop."""
    with random_seed(run.seed):
        generator = UNet(preset.network)
    with random_seed(run.seed):
        discriminator = PatchDiscriminator(preset.discriminator, in_channels=6)
    return Stage(
        name=NAME,
        config=preset.train,
        objective=Pix2PixObjective(generator),
        discriminator_objective=GANDiscriminatorObjective(nn.ModuleDict({"photo": discriminator})),
        trained=nn.ModuleDict({NAME: generator.train()}),
        dataset=run.pairs(preset.train),
    )


def fit(run: BaselineRun, preset: BaselinePreset[Pix2PixConfig] = TINY) -> bool:
    """Train and save ``pix2pix`` in the run's weights; return whether all steps are done."""
    return train_and_keep(run, pix2pix_stage(run, preset))
