"""Pad photos to the size a network needs, and crop its output back."""

import torch.nn.functional as F
from torch import Tensor

from oldphoto.checks import require_positive


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Extend right and bottom until both sides are multiples of ``multiple``.

    The padding mirrors the photo (reflection). If the photo is too small for that, its last row or
    column is repeated.

    Args:
        x: (B, C, H, W).
        multiple: product of the network's strides.

    Returns:
        (B, C, H', W'); ``crop_to_size`` undoes it.

    Example:
        >>> import torch
        >>> pad_to_multiple(torch.zeros(1, 3, 18, 20), 4).shape
        torch.Size([1, 3, 20, 20])
    """
    require_positive(multiple=multiple)
    height, width = x.shape[-2:]
    x = _pad(x, 0, -height % multiple)
    return _pad(x, -width % multiple, 0)


def crop_to_size(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the top left (H, W) of x, as it was before ``pad_to_multiple``."""
    return x[..., : size[0], : size[1]]


def _pad(x: Tensor, right: int, bottom: int) -> Tensor:
    if right == bottom == 0:
        return x
    mirrors = right < x.shape[-1] and bottom < x.shape[-2]
    return F.pad(x, (0, right, 0, bottom), mode="reflect" if mirrors else "replicate")
