"""The scratch detector: a U-Net that gives every pixel of a grey photo a score for damage."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.checks import require_features, require_multiple
from oldphoto.config import DetectorConfig
from oldphoto.networks.layers import BlurPool, conv

_SLOPE = 0.2  # of every LeakyReLU


def _conv_norm_leaky(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return convolution 3x3, batch norm, LeakyReLU; H and W are kept."""
    block = nn.Sequential()
    block.add_module("conv", conv(in_channels, out_channels))
    block.add_module("norm", nn.BatchNorm2d(out_channels))
    block.add_module("activation", nn.LeakyReLU(_SLOPE, inplace=True))
    return block


class DownBlock(nn.Module):
    """One level down: halve the sides without aliasing, double the channels.

    Shape:
        (B, in_channels, H, W) to (B, out_channels, H / 2, W / 2).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # A LeakyReLU makes new fine detail, so the blur comes after it.
        self.before_blur = _conv_norm_leaky(in_channels, in_channels)
        self.blur = BlurPool(in_channels)
        self.block1 = _conv_norm_leaky(in_channels, out_channels)
        self.block2 = _conv_norm_leaky(out_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blur(self.before_blur(x))  # (B, in_channels, H / 2, W / 2)
        return self.block2(self.block1(x))


class UpBlock(nn.Module):
    """One level up: double the sides, and join the features that the way down had at this size.

    Shape:
        x (B, in_channels, h, w) and skip (B, out_channels, 2 h, 2 w); out as skip.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = conv(in_channels, out_channels)
        self.block1 = _conv_norm_leaky(2 * out_channels, out_channels)
        self.block2 = _conv_norm_leaky(out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        joined = torch.cat([self.conv(larger), skip], dim=1)  # (B, 2 out_channels, 2 h, 2 w)
        return self.block2(self.block1(joined))


class ScratchUNet(nn.Module):
    """Score every pixel of a grey photo: the sigmoid of the score is its probability of damage.

    Args:
        config: width at full size and number of reductions; the width doubles at each.

    Shape:
        grey (B, 1, H, W) in [-1, 1] to logits (B, 1, H, W), no fixed range. H and W are multiples
        of ``size_multiple`` = 2 ** depth and at least twice that.

    Raises:
        InputError: if grey is of another shape or size.

    Source:
        ``UNet`` of the authors' code (depth 4, first width 64), whose weights fit
        ``DetectorConfig()``: Ronneberger et al. 2015 (arXiv 1505.04597) with blurred downsampling
        (Zhang 2019).

    >>> detector = ScratchUNet(DetectorConfig(width=4, depth=2))
    >>> detector(torch.zeros(1, 1, 16, 24)).shape
    torch.Size([1, 1, 16, 24])
    """

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.size_multiple = 2**config.depth
        widths = [config.width * 2**level for level in range(config.depth + 1)]  # 64 to 1024
        self.stem = conv(1, config.width, kernel_size=7)
        self.down = nn.ModuleList(
            DownBlock(widths[level], widths[level + 1]) for level in range(config.depth)
        )
        self.up = nn.ModuleList(
            UpBlock(widths[level + 1], widths[level]) for level in reversed(range(config.depth))
        )
        self.head = conv(config.width, 1)

    def forward(self, grey: Tensor) -> Tensor:
        # At the bottom 2x2 positions must remain: reflection padding mirrors the second one.
        require_features(grey, channels=1, min_size=2 * self.size_multiple)
        require_multiple(grey, self.size_multiple)
        x = F.leaky_relu(self.stem(grey), _SLOPE)  # (B, width, H, W)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)  # at last (B, 16 width, H / 16, W / 16) with depth 4
        for up in self.up:
            x = up(x, skips.pop())  # at last (B, width, H, W)
        return self.head(x)  # (B, 1, H, W), a logit for each pixel
