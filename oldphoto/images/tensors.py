"""Convert pixels, uint8 or uint16 (H, W, 3), to tensors (1, 3, H, W) in [-1, 1], and back."""

import numpy as np
import torch
from torch import Tensor

from oldphoto.checks import InputError


def mask_to_tensor(mask: np.ndarray) -> Tensor:
    """Turn a bool mask (H, W) into a float tensor (1, 1, H, W), 1 = damaged.

    Example:
        >>> mask_to_tensor(np.array([[True, False]]))
        tensor([[[[1., 0.]]]])
    """
    return _from_numpy(mask).float()[None, None]


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Turn uint8 or uint16 (H, W, 3) into float (1, 3, H, W) in [-1, 1].

    Example:
        >>> to_tensor(np.array([[[0, 255, 51]]], np.uint8)).flatten()
        tensor([-1.0000,  1.0000, -0.6000])
    """
    channels_first = _from_numpy(pixels).permute(2, 0, 1)[None]  # (1, 3, H, W)
    half = float(np.iinfo(pixels.dtype).max) / 2
    return channels_first.float().contiguous().div_(half).sub_(1)


def to_pixels(tensor: Tensor, deep: bool = False) -> np.ndarray:
    """Turn (3, H, W) or (1, 3, H, W) in [-1, 1] into uint8 (H, W, 3); other values are clipped.

    The range is fixed: an output is never stretched to its own minimum and maximum.

    Args:
        deep: return uint16, from 0 to 65535.

    Raises:
        InputError: if the tensor has another shape.

    Example:
        >>> to_pixels(torch.tensor([-1.0, 0.0, 7.0]).reshape(3, 1, 1))
        array([[[  0, 128, 255]]], dtype=uint8)
    """
    return from_levels(to_levels(tensor), deep)


def to_levels(tensor: Tensor) -> np.ndarray:
    """Turn (3, H, W) or (1, 3, H, W) in [-1, 1] into float32 (H, W, 3), 0 to 255, not rounded.

    Raises:
        InputError: if the tensor has another shape.
    """
    photo = tensor[0] if tensor.ndim == 4 else tensor
    if photo.ndim != 3 or photo.shape[0] != 3 or (tensor.ndim == 4 and tensor.shape[0] != 1):
        raise InputError(f"expected one photo (3, H, W) in [-1, 1], got {tuple(tensor.shape)}")
    levels = photo.detach().float().cpu().add(1).mul_(127.5)
    return levels.permute(1, 2, 0).contiguous().numpy()  # (H, W, 3)


def from_levels(levels: np.ndarray, deep: bool = False) -> np.ndarray:
    """Round float levels, 0 to 255, to uint8, or with ``deep`` to uint16; others are clipped.

    >>> from_levels(np.array([-3.0, 0.5, 1.6, 300.0])), from_levels(np.array([0.5]), deep=True)
    (array([  0,   0,   2, 255], dtype=uint8), array([128], dtype=uint16))
    """
    if deep:
        return np.rint(levels * 257).clip(0, 65535).astype(np.uint16)
    return np.rint(levels).clip(0, 255).astype(np.uint8)


def _from_numpy(array: np.ndarray) -> Tensor:
    """Return a tensor that shares the memory of an array, if that is contiguous and writable."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))
