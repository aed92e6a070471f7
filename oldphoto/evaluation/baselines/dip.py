"""Deep image prior: a network that is fitted to the photo to restore and to nothing else.

Its input is noise. Its weights are fitted until its output equals the degraded photo outside the
holes. A convolutional network fits smooth shapes and edges long before noise, so the output is the
restored photo if the fit stops in time. The holes come out filled.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.checks import InputError, require_multiple, require_positive
from oldphoto.evaluation.baselines.common import require_photo_and_mask
from oldphoto.evaluation.baselines.fitting import random_seed
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor
from oldphoto.inference.padding import crop_to_size, pad_to_multiple
from oldphoto.system.devices import choose_device


@dataclass(frozen=True)
class DIPConfig:
    """Network and fitting.

    Attributes:
        width: feature channels at each of the scales.
        skip_width: channels of the skip connection at each scale.
        depth: reductions by 2.
        noise_channels: channels of the input.
        noise_sigma: standard deviation of the new noise that is added to the input at every step.
        learning_rate: of Adam.
        num_steps: largest number of steps.
        window: number of outputs for the moving variance.
        patience: the fit stops after this many steps without a new lowest variance.
    """

    width: int = 128
    skip_width: int = 4
    depth: int = 5
    noise_channels: int = 32
    noise_sigma: float = 1 / 30
    learning_rate: float = 0.01
    num_steps: int = 3000
    window: int = 100
    patience: int = 500

    def __post_init__(self) -> None:
        require_positive(
            width=self.width,
            depth=self.depth,
            num_steps=self.num_steps,
            window=self.window - 1,
            patience=self.patience,
        )

    @property
    def multiple(self) -> int:
        """What height and width must be multiples of."""
        return 2**self.depth


PAPER = DIPConfig()
SMALL = DIPConfig(width=48, num_steps=1200, window=50, patience=200)
COURSE = DIPConfig(width=16, depth=4, noise_channels=8, num_steps=100, window=10, patience=40)
TINY = DIPConfig(width=16, depth=4, num_steps=300, window=20, patience=60)


class Hourglass(nn.Module):
    """Encoder and decoder with skip connections, as in the paper's experiments.

    Shape:
        (B, noise_channels, H, W) to (B, 3, H, W) in [0, 1]; H and W multiples of ``2 ** depth``.

    Raises:
        InputError: if height or width is no such multiple.

    Source:
        Ulyanov et al. 2018 (arXiv 1711.10925), "default architecture" of the supplement.
    """

    def __init__(self, config: DIPConfig) -> None:
        super().__init__()
        self.config = config
        width, skip = config.width, config.skip_width
        before = [config.noise_channels, *[width] * (config.depth - 1)]
        self.skips = nn.ModuleList(_conv(channels, skip, 1) for channels in before)
        self.downs = nn.ModuleList(
            nn.Sequential(_conv(channels, width, 3, stride=2), _conv(width, width, 3))
            for channels in before
        )
        self.ups = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(width + skip), _conv(width + skip, width, 3), _conv(width, width, 1)
            )
            for _ in before
        )
        self.last = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        require_multiple(x, self.config.multiple)
        kept = []
        for skip, down in zip(self.skips, self.downs, strict=True):
            kept.append(skip(x))
            x = down(x)
        for up in self.ups:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = up(torch.cat([kept.pop(), x], dim=1))
        return self.last(x).sigmoid()


def _conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            kernel_size // 2,
            padding_mode="reflect" if kernel_size > 1 else "zeros",
        ),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(0.2),
    )


def masked_square_error(output: Tensor, degraded: Tensor, keep: Tensor) -> Tensor:
    r"""Mean square difference over the sound pixels: :math:`\|(x - x_0) \odot m\|^2`.

    Args:
        output, degraded: (B, 3, H, W).
        keep: (B, 1, H, W), 1 = sound, 0 = damaged or padding.

    Source:
        Ulyanov et al. 2018, the energy of the section on inpainting.
    """
    return ((output - degraded).square() * keep).sum() / (3 * keep.sum()).clamp_min(1)


class MovingVariance:
    r"""Early stopping: stop when the last outputs differ least from each other.

    .. math:: VAR_t = \frac1W \sum_{w=t}^{t+W-1} \| x_w - \bar x \|^2

    The variance falls while the output approaches the photo, and rises when it begins to fit the
    noise. The output at the lowest variance is kept.

    Args:
        window: W, the number of outputs that are compared.
        patience: steps to wait for a lower variance.

    Attributes:
        variance: of the last W outputs; infinite before there are W.

    Source:
        Wang et al. 2023, "Early stopping for deep image prior" (arXiv 2112.06074), algorithm 1.
    """

    def __init__(self, window: int, patience: int) -> None:
        self.outputs: deque[Tensor] = deque(maxlen=window)
        self.patience = patience
        self.variance = self.lowest = float("inf")
        self.best: Tensor | None = None
        self.waited = 0
        self.num_seen = 0

    def add(self, output: Tensor) -> bool:
        """Add an output; return whether to stop."""
        self.num_seen += 1
        self.outputs.append(output.detach().clone())
        if len(self.outputs) < (self.outputs.maxlen or 0):
            return False
        stacked = torch.stack(tuple(self.outputs))
        self.variance = float((stacked - stacked.mean(dim=0)).square().mean())
        self.waited += 1
        if self.variance < self.lowest:
            self.lowest, self.best, self.waited = self.variance, self.outputs[0], 0
        return self.waited >= self.patience


class DIP:
    """Deep image prior as a ``Method``. Every photo is a training of its own.

    Args:
        config: network and fitting.
        device: "cuda", "mps" or "cpu"; None chooses.
        seed: of the input and the initial weights.
        report: gets the number of steps for each photo.

    Source:
        Ulyanov et al. 2018; early stopping of Wang et al. 2023.
    """

    def __init__(
        self,
        config: DIPConfig = PAPER,
        device: str | None = None,
        seed: int = 0,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.config, self.seed, self.report = config, seed, report
        self.device = choose_device(device)

    @property
    def num_parameters(self) -> int:
        """Number of parameters that are fitted to each photo."""
        with torch.device("meta"):
            return sum(p.numel() for p in Hourglass(self.config).parameters())

    def __call__(self, photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
        mask = require_photo_and_mask(photo, scratch_mask)
        size = photo.shape[:2]
        # The batch norm of the coarsest scale needs more than one position.
        degraded = pad_to_multiple((to_tensor(photo) + 1) / 2, self.config.multiple)
        if min(degraded.shape[-2:]) < 2 * self.config.multiple:
            raise InputError(f"expected sides above {self.config.multiple} pixels, got {size}")
        keep = torch.zeros_like(degraded[:, :1])
        keep[..., : size[0], : size[1]] = 1 - mask_to_tensor(mask)
        with random_seed(self.seed):
            restored = self.fit(degraded.to(self.device), keep.to(self.device))
        return to_pixels(crop_to_size(2 * restored.cpu() - 1, size))

    def fit(self, degraded: Tensor, keep: Tensor) -> Tensor:
        """Fit a new network to one photo and return the output where early stopping stops.

        Args:
            degraded: (1, 3, H, W) in [0, 1].
            keep: (1, 1, H, W), 1 = sound.
        """
        stopping = MovingVariance(self.config.window, self.config.patience)
        for output, _ in self.outputs(degraded, keep):
            if stopping.add(output):
                break
        if self.report is not None:
            lowest = f"lowest variance {stopping.lowest:.2g}"
            self.report(f"stopped after {stopping.num_seen} steps, {lowest}")
        return output if stopping.best is None else stopping.best

    def outputs(self, degraded: Tensor, keep: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Fit a new network and yield the output and the loss of each step, detached.

        Args:
            degraded, keep: as in ``fit``.
        """
        config = self.config
        network = Hourglass(config).to(self.device)
        noise = 0.1 * torch.rand(1, config.noise_channels, *degraded.shape[-2:]).to(degraded)
        optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
        for _ in range(config.num_steps):
            output = network(noise + config.noise_sigma * torch.randn_like(noise))
            loss = masked_square_error(output, degraded, keep)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            yield output.detach(), loss.detach()
