"""A smooth first guess for what lies in a hole, from the sound pixels around it."""

import torch.nn.functional as F
from torch import Tensor

from oldphoto.checks import require_features, require_mask


def fill_holes(photo: Tensor, scratch_mask: Tensor) -> Tensor:
    """Fill damaged pixels smoothly; sound pixels stay as they are.

    Pull and push: the photo is halved again and again, each time with the mean of the sound pixels
    alone, down to one pixel. On the way back each hole takes the value of the coarser level. What
    was painted into the hole before has no influence. A photo without any sound pixel becomes 0,
    mid grey.

    Args:
        photo: (B, 3, H, W) in [-1, 1].
        scratch_mask: (B, 1, H, W), 1 = damaged, 0 = sound.

    Returns:
        (B, 3, H, W) in [-1, 1].

    Raises:
        InputError: if a shape differs from that.

    Source:
        Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4.

    >>> import torch
    >>> photo, mask = torch.full((1, 3, 4, 4), 0.5), torch.zeros(1, 1, 4, 4)
    >>> photo[..., 1, 1], mask[..., 1, 1] = 1.0, 1.0
    >>> fill_holes(photo, mask)[0, :, 1, 1].tolist()
    [0.5, 0.5, 0.5]
    """
    require_features(photo, channels=3)
    require_mask(scratch_mask, photo)
    return _pull_and_push(photo, 1 - scratch_mask.to(photo.dtype))


def _pull_and_push(photo: Tensor, sound: Tensor) -> Tensor:
    """Fill where ``sound`` is 0; it is 1 elsewhere."""
    known = photo * sound
    if max(photo.shape[-2:]) == 1:
        return known
    # Pull: dividing by the share of sound pixels makes the mean one of sound pixels alone.
    share = F.avg_pool2d(sound, 2, ceil_mode=True)  # (B, 1, ceil(H / 2), ceil(W / 2))
    half = F.avg_pool2d(known, 2, ceil_mode=True) / share.masked_fill(share == 0, 1)
    guess = _pull_and_push(half, (share > 0).to(photo.dtype))
    # Push: sound pixels stay, holes take the guess. At odd sides the guess is one pixel too long.
    height, width = photo.shape[-2:]
    guess = F.interpolate(guess, scale_factor=2, mode="bilinear", align_corners=False)
    return known + guess[..., :height, :width] * (1 - sound)  # (B, 3, H, W)
