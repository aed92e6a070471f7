"""Between pixels and tensors: uint8 (H, W, 3) and float (1, 3, H, W) in [-1, 1]."""

import numpy as np
import torch
from torch import Tensor

from oldphoto.checks import InputError


def mask_to_tensor(mask: np.ndarray) -> Tensor:
    """Turn a bool mask (H, W) into a float tensor (1, 1, H, W), 1 = damaged."""
    return torch.from_numpy(np.ascontiguousarray(mask)).float()[None, None]


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Turn uint8 (H, W, 3) into float (1, 3, H, W) in [-1, 1]."""
    channels_first = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
    return channels_first.float().contiguous().div_(127.5).sub_(1)


def to_pixels(tensor: Tensor) -> np.ndarray:
    """Turn (3, H, W) or (1, 3, H, W) in [-1, 1] into uint8 (H, W, 3); outside values are cut off.

    The range is fixed: an output is never stretched to its own minimum and maximum.
    """
    photo = tensor[0] if tensor.ndim == 4 else tensor
    if photo.ndim != 3 or photo.shape[0] != 3 or (tensor.ndim == 4 and tensor.shape[0] != 1):
        raise InputError(f"expected one photo (3, H, W) in [-1, 1], got {tuple(tensor.shape)}")
    levels = photo.detach().float().cpu().add(1).mul_(127.5).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
