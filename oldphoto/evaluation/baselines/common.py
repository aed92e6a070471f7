"""What all baselines share: their interface, the check of their arguments, the loss of a GAN."""

from typing import Protocol

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from oldphoto.checks import InputError, require_photo, require_photo_mask
from oldphoto.training.objectives import DiscriminatorObjective, Outputs, Terms


def gan_generator(scores: Tensor) -> Tensor:
    r"""Return the non-saturating loss of a generator, :math:`-\log D(fake)`.

    Args:
        scores: of generated photos, any shape, before the sigmoid.
    """
    return F.softplus(-scores.float()).mean()


def gan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    r"""Return :math:`-\tfrac12 (\log D(real) + \log(1 - D(fake)))` from scores before the sigmoid.

    >>> import torch
    >>> round(float(gan_discriminator(real=torch.zeros(2), fake=torch.zeros(2))), 4)  # log 2
    0.6931
    """
    return (F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()) / 2


class GANDiscriminatorObjective(DiscriminatorObjective):
    """Loss of a discriminator on the ``real`` and ``fake`` input that a generator's loss returns.

    Args:
        discriminators: holds one discriminator, "photo".
    """

    def forward(self, samples: Outputs) -> Terms:
        discriminator = self.discriminators["photo"]
        real, fake = (discriminator(samples[name])[0][-1] for name in ("real", "fake"))
        return {"discriminator": gan_discriminator(real, fake)}


class Method(Protocol):
    """A way to restore a photo."""

    def __call__(self, photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
        """Return the restored photo.

        Args:
            photo: (H, W, 3) uint8; damaged pixels may hold anything.
            scratch_mask: (H, W) bool, True where damaged; None if nothing is.

        Returns:
            (H, W, 3) uint8.

        Raises:
            InputError: if photo or mask have another dtype or shape.
        """


def require_photo_and_mask(
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
