"""Operation-wise attention: parallel filters, weighted by a small network.

Every photo with unknown, mixed damage needs other filters. Each layer applies eight operations in
parallel. Their attention weights sum to 1 and are computed from the features.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.checks import InputError, require_features, require_positive
from oldphoto.config import COURSE_STAGE, TINY_STAGE, StageConfig
from oldphoto.evaluation.baselines.fitting import (
    BaselinePreset,
    BaselineRun,
    NetworkMethod,
    random_seed,
    train_and_keep,
)
from oldphoto.networks.layers import ResidualBlock
from oldphoto.training.loop import Stage
from oldphoto.training.objectives import Outputs, Terms
from oldphoto.weights.store import load_network

NAME = "attention"
OPERATIONS = ((1, 1), (3, 1), (5, 1), (7, 1), (3, 2), (5, 2), (7, 2))
"""Kernel size and dilation of the seven convolutions of a layer. The eighth operation is a mean."""

NUM_OPERATIONS = len(OPERATIONS) + 1


@dataclass(frozen=True)
class AttentionConfig:
    """Sizes of the network.

    Attributes:
        width: feature channels throughout.
        num_blocks: residual blocks before the first operation layer.
        num_layers: operation layers; a multiple of ``group``.
        group: consecutive layers that share one attention network.
        hidden: units between the pooled features and the attention.
    """

    width: int = 16
    num_blocks: int = 4
    num_layers: int = 40
    group: int = 4
    hidden: int = 32

    def __post_init__(self) -> None:
        require_positive(
            width=self.width, num_layers=self.num_layers, group=self.group, hidden=self.hidden
        )
        if self.num_layers % self.group:
            raise InputError(f"num_layers must be a multiple of group, got {self}")


class SeparableConv(nn.Module):
    """Depthwise separable convolution and ReLU; the size stays."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self.depthwise = nn.Conv2d(
            channels,
            channels,
            kernel_size,
            padding=padding,
            dilation=dilation,
            groups=channels,
            bias=False,
        )
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x)).relu()


class OperationLayer(nn.Module):
    """Eight weighted operations on the same features, mixed by a 1x1 convolution, and a skip.

    Shape:
        x (B, C, H, W) and weights (B, 8) to (B, C, H, W).

    Source:
        Suganuma et al. 2019, section 3 (operation layer).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(SeparableConv(channels, k, d) for k, d in OPERATIONS)
        self.average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.mix = nn.Conv2d(NUM_OPERATIONS * channels, channels, 1)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        results = torch.stack([*(conv(x) for conv in self.convs), self.average(x)], dim=1)
        weighted = results * weights[:, :, None, None, None]  # (B, 8, C, H, W)
        return x + self.mix(weighted.flatten(1, 2)).relu()


class OperationAttention(nn.Module):
    r"""Attention weights of ``group`` layers, from the features before the first of them.

    .. math:: a = \operatorname{softmax}(W_2 \, \sigma(W_1 z)), \quad z_c = \operatorname{mean}(x_c)

    Shape:
        x (B, C, H, W) to (B, group, 8). The eight weights of a layer are positive and sum to 1.

    Source:
        Suganuma et al. 2019, section 3 (operation-wise attention).
    """

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.group = config.group
        self.first = nn.Linear(config.width, config.hidden)
        self.second = nn.Linear(config.hidden, config.group * NUM_OPERATIONS)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.second(self.first(x.mean(dim=(2, 3))).relu())
        return scores.view(-1, self.group, NUM_OPERATIONS).softmax(dim=-1)


class OperationGroup(nn.Module):
    """Layers that share one attention network."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.attention = OperationAttention(config)
        self.layers = nn.ModuleList(OperationLayer(config.width) for _ in range(config.group))

    def forward(self, x: Tensor) -> Tensor:
        weights = self.attention(x)
        for number, layer in enumerate(self.layers):
            x = layer(x, weights[:, number])
        return x


class AttentionNetwork(nn.Module):
    """First convolution and residual blocks, operation layers, last convolution.

    Shape:
        (B, 3, H, W) in [-1, 1] to the same, any size from 8 pixels.

    Raises:
        InputError: if x has another shape.

    Source:
        Suganuma et al. 2019 (arXiv 1812.00733), section 3.
    """

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv2d(3, config.width, 3, padding=1)
        self.blocks = nn.Sequential(
            *(ResidualBlock(config.width, norm=False) for _ in range(config.num_blocks))
        )
        self.groups = nn.Sequential(
            *(OperationGroup(config) for _ in range(config.num_layers // config.group))
        )
        self.last = nn.Conv2d(config.width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        require_features(x, 3, min_size=8)
        return self.last(self.groups(self.blocks(F.relu(self.first(x)))))


class AttentionObjective(nn.Module):
    """L1 distance between the restored and the clean photo.

    Source:
        Suganuma et al. 2019, section 4.
    """

    def __init__(self, network: AttentionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Outputs]:
        restored = self.network(batch["degraded"])
        terms = {"l1": losses.l1_loss(restored, batch["clean"])}
        samples = {"input": batch["degraded"], "output": restored.detach()}
        return terms, samples | {"target": batch["clean"]}


# The paper: batch 32, patches of 63 pixels, Adam at 0.001 with a cosine schedule. Here the rate
# falls linearly in the second half.
PAPER = BaselinePreset(
    AttentionConfig(),
    StageConfig(
        batch=32, crop=64, num_photos=100 * 230_139, learning_rate=1e-3, betas=(0.9, 0.999)
    ),
)
SMALL = BaselinePreset(
    AttentionConfig(num_layers=16),
    StageConfig(batch=16, crop=64, num_photos=160_000, learning_rate=1e-3, betas=(0.9, 0.999)),
)
COURSE = BaselinePreset(AttentionConfig(num_layers=4), replace(COURSE_STAGE, betas=(0.9, 0.999)))
TINY = BaselinePreset(
    AttentionConfig(num_blocks=2, num_layers=4, group=2),
    replace(TINY_STAGE, betas=(0.9, 0.999)),
)


class Attention(NetworkMethod):
    """The trained network as a ``Method``. It gets white holes and no mask."""

    def __init__(self, network: AttentionNetwork, device: str | None = None) -> None:
        super().__init__(network, multiple=1, device=device)

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Attention":
        """Load what ``fit`` wrote into ``folder / "weights"``."""
        network = load_network(folder, NAME, lambda c: AttentionNetwork(AttentionConfig(**c)))
        return cls(network, device)


def attention_stage(run: BaselineRun, preset: BaselinePreset[AttentionConfig] = TINY) -> Stage:
    """Return network, loss and data for the loop."""
    with random_seed(run.seed):
        network = AttentionNetwork(preset.network)
    # A third faster on a CPU. torch's stubs lack this argument.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Stage(
        name=NAME,
        config=preset.train,
        objective=AttentionObjective(network),
        discriminator_objective=None,
        trained=nn.ModuleDict({NAME: network.train()}),
        dataset=run.pairs(preset.train),
    )


def fit(run: BaselineRun, preset: BaselinePreset[AttentionConfig] = TINY) -> bool:
    """Train and save ``attention`` in the run's weights; return whether all steps are done."""
    return train_and_keep(run, attention_stage(run, preset))
