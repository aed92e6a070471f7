"""What all baselines share: the checks on what they are given."""

from typing import Protocol

import numpy as np

from oldphoto.checks import InputError, require_photo, require_photo_mask


class Method(Protocol):
    """A way to restore a photo."""

    def __call__(self, photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
        """Return the restored photo.

        Args:
            photo: (H, W, 3) uint8; damaged pixels may hold anything.
            scratch_mask: (H, W) bool, True where damaged; None: nowhere.

        Returns:
            (H, W, 3) uint8.

        Raises:
            InputError: if photo or mask are of another kind or shape.
        """


def require_job(
    photo: np.ndarray, scratch_mask: np.ndarray | None, min_side: int = 16
) -> np.ndarray:
    """Return the mask (all False where there is none), or raise InputError."""
    require_photo(photo)
    if min(photo.shape[:2]) < min_side:
        raise InputError(f"expected sides of at least {min_side} pixels, got {photo.shape[:2]}")
    if scratch_mask is None:
        return np.zeros(photo.shape[:2], bool)
    require_photo_mask(scratch_mask, photo)
    if scratch_mask.all():
        raise InputError("the scratch mask marks every pixel: nothing is left to restore from")
    return scratch_mask
