"""Convert pixels, uint8 (H, W, 3), to tensors (1, 3, H, W) in [-1, 1], and back."""

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
    """Turn uint8 (H, W, 3) into float (1, 3, H, W) in [-1, 1].

    Example:
        >>> to_tensor(np.array([[[0, 255, 51]]], np.uint8)).flatten()
        tensor([-1.0000,  1.0000, -0.6000])
    """
    channels_first = _from_numpy(pixels).permute(2, 0, 1)[None]  # (1, 3, H, W)
    return channels_first.float().contiguous().div_(127.5).sub_(1)


def to_pixels(tensor: Tensor) -> np.ndarray:
    """Turn (3, H, W) or (1, 3, H, W) in [-1, 1] into uint8 (H, W, 3); other values are clipped.

    The range is fixed: an output is never stretched to its own minimum and maximum.

    Raises:
        InputError: if the tensor has another shape.

    Example:
        >>> to_pixels(torch.tensor([-1.0, 0.0, 7.0]).reshape(3, 1, 1))
        array([[[  0, 128, 255]]], dtype=uint8)
    """
    return np.rint(to_levels(tensor)).clip(0, 255).astype(np.uint8)


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


def _from_numpy(array: np.ndarray) -> Tensor:
    """Return a tensor that shares the memory of an array, if that is contiguous and writable."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))
