"""Measures of what convolutions do to pixels: receptive field, uneven coverage, checkerboard."""

import copy
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.checks import InputError, require_positive

ENLARGEMENT = 4
_MARGIN = 4  # pixels at the border that the spectrum leaves out: padding acts there
_ASIDE = 3  # so many bins beside a frequency lie those that it is compared with


def without_norms(network: nn.Module) -> nn.Module:
    """Return a copy in which each instance norm lets everything pass unchanged."""
    network = copy.deepcopy(network)
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, nn.Identity())
    return network


def listening(discriminator: nn.Module, scale: int, photo: Tensor) -> Tensor:
    """Return how strongly the middle score of a scale depends on each pixel.

    Args:
        discriminator: a patch discriminator; it is computed in float64, so that nothing underflows.
        scale: 0 is the finest.
        photo: (1, C, H, W) in [-1, 1].

    Returns:
        (H, W), the absolute gradient, summed over channels.
    """
    discriminator = copy.deepcopy(discriminator).double().requires_grad_(False)
    photo = photo.double().requires_grad_()
    scores = discriminator(photo)[scale][-1]
    middle = scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2]
    (gradient,) = torch.autograd.grad(middle, photo)  # (1, C, H, W)
    return gradient.abs().sum(dim=1)[0]


def extent(weights: Tensor) -> tuple[int, int]:
    """Return over how many rows and columns the values of a map (H, W) are not 0."""
    rows, columns = (weights != 0).nonzero(as_tuple=True)
    if not len(rows):
        raise InputError("expected a map with at least one value that is not 0")
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


def visits(kernel_size: int, stride: int, side: int = 12) -> Tensor:
    """Return how many kernel taps of a transposed convolution paint each pixel of a row.

    The same numbers say how many scores of a convolution with this kernel and stride hear of each
    pixel: one is the other's gradient. The ends of the row, where the border acts, are cut off.
    """
    require_positive(kernel_size=kernel_size, stride=stride, side=side)
    ones = torch.ones(1, 1, side + 2 * kernel_size)
    painted = F.conv_transpose1d(ones, torch.ones(1, 1, kernel_size), stride=stride)[0, 0]
    start = kernel_size * stride
    return painted[start : start + side]


def stride_peak(photos: Tensor, stride: int) -> float:
    """Measure a pattern that repeats every ``stride`` pixels: power there against power beside it.

    Args:
        photos: (B, C, H, W), square; the side less 8 must be a multiple of ``stride``.
        stride: in pixels.

    Returns:
        1 where the frequencies of the stride are like their neighbours; large for a checkerboard.

    Raises:
        InputError: if the side does not fit the stride.
    """
    grey = photos.mean(dim=1)[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    side = grey.shape[-1]
    if grey.shape[-2] != side or side % stride or side // stride < 2 * _ASIDE + 2:
        raise InputError(f"expected squares of 8 + a multiple of {stride}, got {photos.shape[-2:]}")
    window = torch.hann_window(side)
    flat = (grey - grey.mean(dim=(1, 2), keepdim=True)) * window[:, None] * window
    power = torch.fft.fft2(flat).abs().square().mean(dim=0)
    at, beside = 0.0, 0.0
    for row, column in _stride_bins(side, stride):
        at += float(power[row, column])
        around = [power[(row + a) % side, (column + b) % side] for a, b in _CORNERS]
        beside += float(sum(around)) / len(_CORNERS)
    return at / beside


_CORNERS = tuple((a, b) for a in (-_ASIDE, _ASIDE) for b in (-_ASIDE, _ASIDE))


def _stride_bins(side: int, stride: int) -> list[tuple[int, int]]:
    """Return the bins of all patterns that repeat every ``stride`` pixels, but not the mean."""
    bin_width = side // stride
    pairs = [(a * bin_width, b * bin_width) for a in range(stride) for b in range(stride)]
    return pairs[1:]


@dataclass
class Enlarger:
    """A network that enlarges photos four times, and its training.

    Attributes:
        network: (B, 3, h, w) to (B, 3, 4 h, 4 w).
        steps: when it was looked at.
        pictures: (3, H, W) of one held-out photo, at each look.
        peaks: ``stride_peak`` of all held-out photos, at each look.
        l1: mean absolute difference on them, at each look.
    """

    network: nn.Module
    steps: list[int] = field(default_factory=list)
    pictures: list[Tensor] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    l1: list[float] = field(default_factory=list)

    def look(self, step: int, held_out: Tensor) -> None:
        """Keep what the network does to the reduced held-out photos."""
        with torch.no_grad():
            enlarged = self.network(reduced(held_out))
        self.steps.append(step)
        self.pictures.append(enlarged[0].clamp(-1, 1))
        self.peaks.append(stride_peak(enlarged, ENLARGEMENT))
        self.l1.append(float(losses.l1_loss(enlarged, held_out)))


def contrast_of_neighbours(photos: Tensor) -> float:
    """Return the mean absolute difference of neighbouring pixels: small for soft photos.

    Args:
        photos: (B, C, H, W).

    >>> contrast_of_neighbours(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
    0.5
    """
    across = (photos[..., :, 1:] - photos[..., :, :-1]).abs().mean()
    down = (photos[..., 1:, :] - photos[..., :-1, :]).abs().mean()
    return float(across + down) / 2


def reduced(photos: Tensor) -> Tensor:
    """Return photos of a quarter of the side."""
    return F.avg_pool2d(photos, ENLARGEMENT)
