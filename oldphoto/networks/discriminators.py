"""Patch discriminators: tell real photos or latents from generated ones, patch by patch."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from oldphoto.checks import require_features
from oldphoto.config import DiscriminatorConfig
from oldphoto.networks.layers import init_paper

_MAX_WIDTH = 512


class PatchScale(nn.Module):
    """One discriminator of the pyramid: strided 4x4 convolutions, then one score per patch.

    The width doubles at each layer, up to 512. All layers but the first and the last have an
    instance norm; all but the last a LeakyReLU of slope 0.2.

    Shape:
        x (B, in_channels, H, W) to ``num_layers + 2`` features; the last is (B, 1, h, w), with one
        score per patch. Scores have no fixed range: least squares pulls them to 1 and 0.
    """

    def __init__(self, config: DiscriminatorConfig, in_channels: int) -> None:
        super().__init__()
        # Fewer positions, more channels, as in most classifiers.
        widths = [min(config.width * 2**i, _MAX_WIDTH) for i in range(config.num_layers + 1)]
        channels = [in_channels, *widths, 1]  # the last convolution gives one score per patch
        last = len(channels) - 2
        layers = []
        for i in range(last + 1):
            stride = 2 if i < config.num_layers else 1
            # Padding 2, not 1, is pix2pixHD's: a 4x4 kernel then never shrinks a small input.
            conv = nn.Conv2d(channels[i], channels[i + 1], kernel_size=4, stride=stride, padding=2)
            layers.append(_layer(conv, norm=0 < i < last, activation=i < last))
        self.layers = nn.ModuleList(layers)
        init_paper(self)
        if config.spectral_norm:  # after the init: a parametrised weight cannot be set in place
            for layer in layers:
                spectral_norm(layer.get_submodule("conv"))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for layer in self.layers:
            x = layer(x)  # (B, width 2^i, H / 2^(i + 1), W / 2^(i + 1)), about
            features.append(x)
        return features


def _layer(conv: nn.Conv2d, norm: bool, activation: bool) -> nn.Sequential:
    layer = nn.Sequential()
    layer.add_module("conv", conv)
    if norm:
        layer.add_module("norm", nn.InstanceNorm2d(conv.out_channels))
    if activation:
        # Leaky: a ReLU at 0 would pass no gradient to the generator.
        layer.add_module("activation", nn.LeakyReLU(0.2))
    return layer


class PatchDiscriminator(nn.Module):
    """Score overlapping patches of a photo as real (towards 1) or generated (towards 0).

    ``num_scales`` discriminators see the photo at full size, at half size, and so on: the first
    scores texture, the last larger structures. The features of all layers are returned, because
    the feature matching loss compares them.

    Args:
        config: width, layers, scales, and whether spectral norm bounds the slope of each layer.
        in_channels: 3 for a photo, 6 for a degraded photo beside its restoration, or the
            channels of the latent for the latent discriminator.

    Shape:
        x: (B, in_channels, H, W); photos in [-1, 1]; H and W at least ``min_size``.

    Returns:
        One list for each scale, finest first, with the features of all layers; its last entry is
        the map of scores (B, 1, h, w).

    Raises:
        InputError: if x has other channels or is smaller than ``min_size``.

    Source:
        Wang et al. 2018, pix2pixHD (arXiv 1711.11585), as in the authors' code; there the finest
        scale has the highest number, here it is ``scales.0``.

    >>> import torch
    >>> discriminator = PatchDiscriminator(DiscriminatorConfig(width=4), in_channels=3)
    >>> [features[-1].shape[1:] for features in discriminator(torch.zeros(1, 3, 64, 64))]
    [torch.Size([1, 11, 11]), torch.Size([1, 7, 7])]
    """

    def __init__(self, config: DiscriminatorConfig, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        # At least 2x2 positions remain before the last stride of the coarsest scale. An instance
        # norm takes a mean and a variance over them.
        self.min_size = 2 ** (config.num_layers + config.num_scales - 1)
        self.scales = nn.ModuleList(
            PatchScale(config, in_channels) for _ in range(config.num_scales)
        )
        self.halve = nn.AvgPool2d(kernel_size=3, stride=2, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        require_features(x, self.in_channels, self.min_size)
        results = []
        for number, scale in enumerate(self.scales):
            if number > 0:
                x = self.halve(x)  # (B, in_channels, H / 2, W / 2)
            results.append(scale(x))
        return results
