"""Convolution blocks shared by all networks of the package.

Every convolution keeps its bias, although an instance norm that follows subtracts it again with the
mean. The authors' checkpoints have these biases, and without them a strict load would fail.
"""

import math
from collections import OrderedDict
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.checks import InputError, require_features

Padding = Literal["reflect", "zeros"]


def conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    padding_mode: Padding = "reflect",
) -> nn.Conv2d:
    """Return a convolution that keeps H and W, or divides them by ``stride``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: 3 or 7 at stride 1; 4 at stride 2.
        stride: step in pixels.
        padding_mode: "reflect" mirrors the border, "zeros" draws it in mid-grey.

    >>> conv(3, 8, kernel_size=4, stride=2)(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 8, 8, 8])
    """
    padding = (kernel_size - 1) // 2  # 1 for 3 and for 4 at stride 2, 3 for 7
    return nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, padding, padding_mode=padding_mode
    )


def conv_norm_relu(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    norm: bool = True,
    padding_mode: Padding = "reflect",
) -> nn.Sequential:
    """Return convolution, instance norm (left out when ``norm`` is False), ReLU.

    Tensor names are ``conv.weight`` and ``conv.bias``; the norm has no learned factors.

    Shape:
        (B, in_channels, H, W) to (B, out_channels, H / stride, W / stride), values >= 0.

    >>> conv_norm_relu(3, 8, kernel_size=7)(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 8, 16, 16])
    """
    first = conv(in_channels, out_channels, kernel_size, stride, padding_mode)
    return _with_norm_and_relu(first, norm)


def deconv_norm_relu(in_channels: int, out_channels: int, norm: bool = True) -> nn.Sequential:
    """Return a transposed convolution 4x4 of stride 2, instance norm (if ``norm``), ReLU.

    Shape:
        (B, in_channels, H, W) to (B, out_channels, 2 H, 2 W), values >= 0.

    >>> deconv_norm_relu(8, 4)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 4, 8, 8])
    """
    # Kernel 4 at stride 2: every new pixel sums equally many taps, so no chequered pattern.
    first = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=4, stride=2, padding=1)
    return _with_norm_and_relu(first, norm)


def _with_norm_and_relu(first: nn.Conv2d | nn.ConvTranspose2d, norm: bool) -> nn.Sequential:
    steps: OrderedDict[str, nn.Module] = OrderedDict(conv=first)  # names for the state dict
    if norm:
        steps["norm"] = nn.InstanceNorm2d(first.out_channels)  # no factors, no running means
    steps["relu"] = nn.ReLU(inplace=True)  # in place: at full size a copy would cost 64 channels
    return nn.Sequential(steps)


class ResidualBlock(nn.Module):
    """Add a learned correction to the features: ``y = x + f(x)``.

    ``f`` is: convolution 3x3, instance norm, ReLU, convolution 3x3, instance norm. There is no
    activation after the sum. Reflection padding keeps the size and does not draw grey borders, as
    zeros would.

    Args:
        channels: number of feature channels C, the same in and out.
        norm: False leaves both instance norms out.

    Shape:
        x and y: (B, C, H, W). Features have no unit and no fixed range.

    Raises:
        InputError: if x is not (B, C, H, W), or if H or W is less than 2.

    Source:
        Block "Rk" of Zhu et al. 2017 (arXiv 1703.10593, appendix). ``norm=False`` is ours.

    >>> ResidualBlock(4)(torch.zeros(1, 4, 6, 8)).shape
    torch.Size([1, 4, 6, 8])
    """

    def __init__(self, channels: int, norm: bool = True) -> None:
        super().__init__()
        self.channels = channels
        self.conv1 = conv(channels, channels)
        self.norm1 = nn.InstanceNorm2d(channels) if norm else nn.Identity()
        self.conv2 = conv(channels, channels)
        self.norm2 = nn.InstanceNorm2d(channels) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        require_features(x, self.channels, min_size=2)
        # (B, C, H, W), as everything in this block; in place, because each copy takes memory.
        correction = self.norm1(self.conv1(x)).relu_()
        correction = self.norm2(self.conv2(correction))
        return correction.add_(x)  # no ReLU here, so that the correction may have either sign


def residual_blocks(num_blocks: int, channels: int, norm: bool = True) -> nn.Sequential:
    """Return ``num_blocks`` residual blocks in a row; their tensors are named 0, 1, 2, ...

    >>> len(residual_blocks(3, channels=8))
    3
    """
    return nn.Sequential(*(ResidualBlock(channels, norm) for _ in range(num_blocks)))


class BlurPool(nn.Module):
    """Halve height and width after a small blur, so that the stride does not alias.

    The blur is (1, 2, 1) / 4 along each axis; then every second pixel is kept. A plain stride 2
    folds fine texture into false coarse texture, and the result changes when the photo is moved
    by one pixel.

    Args:
        channels: number of feature channels C; each is blurred alone.

    Shape:
        (B, C, H, W) to (B, C, ceil(H / 2), ceil(W / 2)); the range of the values is kept.

    Raises:
        InputError: if x is not (B, C, H, W), or if H or W is less than 2.

    Source:
        Zhang 2019, "Making convolutional networks shift-invariant again" (arXiv 1904.11486).

    >>> BlurPool(1)(torch.ones(1, 1, 4, 4)).flatten().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        line = torch.tensor([1.0, 2.0, 1.0]) / 4  # sums to 1: a grey area stays as it is
        square = torch.outer(line, line)
        kernel = square.expand(channels, 1, 3, 3).clone()  # (C, 1, 3, 3), one channel at a time
        self.register_buffer("kernel", kernel)

    def forward(self, x: Tensor) -> Tensor:
        require_features(x, self.channels, min_size=2)
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")  # (B, C, H + 2, W + 2)
        return F.conv2d(padded, self.kernel, stride=2, groups=self.channels)


def clamp_keeping_gradient(x: Tensor, low: float = -1.0, high: float = 1.0) -> Tensor:
    """Return x clamped to [low, high]; in the backward pass the gradient goes through unchanged.

    A plain clamp gives a pixel outside of the range the gradient 0, and it would stay there.

    Source:
        The straight-through estimator (Bengio et al. 2013, arXiv 1308.3432).

    >>> clamp_keeping_gradient(torch.tensor([-3.0, 0.5])).tolist()
    [-1.0, 0.5]
    """
    return x + (x.clamp(low, high) - x).detach()  # the value is the clamp's, the gradient is x's


def initialise(module: nn.Module, norm: bool) -> None:
    """Start a network in place: ``init_paper`` if it has norms, ``init_plain`` if not.

    On the device "meta" there are no numbers to draw. PyTorch would load its compiler for that,
    which takes as long as loading PyTorch itself.
    """
    if any(parameter.is_meta for parameter in module.parameters()):
        return
    if norm:
        init_paper(module)
    else:
        init_plain(module)


def init_paper(module: nn.Module, std: float = 0.02) -> None:
    """Draw the weight of every convolution inside ``module`` from N(0, std), in place.

    Biases keep PyTorch's start. The weights of a batch norm are drawn from N(1, std).

    Source:
        ``weights_init`` of the authors' code, which is that of pix2pixHD. It relies on a norm
        behind each convolution: without one, a signal shrinks from layer to layer.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, std)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, std)  # a factor near 1, not a weight near 0
            nn.init.zeros_(part.bias)


def init_plain(module: nn.Module, residual_scale: float = 0.1) -> None:
    """Start a network without norms so that it hands its input on almost unchanged, in place.

    Each convolution keeps the size of its signal (variance 1 / inputs, biases 0), and what a
    residual block adds is small at first, ``residual_scale`` of that.

    Raises:
        InputError: if ``residual_scale`` is negative.

    Source:
        Fan-in scaling of He et al. 2015 (arXiv 1502.01852); small residuals as in Zhang et al.
        2019, "Fixup" (arXiv 1901.09321), simplified.
    """
    if residual_scale < 0:
        raise InputError(f"residual_scale must not be negative, got {residual_scale}")
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            # n inputs of variance 1 with weights of variance 1 / n sum up to variance 1.
            nn.init.normal_(part.weight, 0.0, 1 / math.sqrt(_inputs_per_output(part)))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    # Second pass: a block is visited before its convolutions, which would undo the scaling.
    for part in module.modules():
        if isinstance(part, ResidualBlock):
            with torch.no_grad():
                part.conv2.weight.mul_(residual_scale)  # so that many blocks do not add up


def _inputs_per_output(part: nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Return how many input values are summed into one output value."""
    taps: float = part.kernel_size[0] * part.kernel_size[1]
    if isinstance(part, nn.ConvTranspose2d):
        taps /= part.stride[0] * part.stride[1]  # the taps are shared out among the new pixels
    return part.in_channels / part.groups * taps
