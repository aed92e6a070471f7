"""Pictures of sunsets with two degrees of freedom, for a VAE with a latent of two numbers."""

import torch
from torch import Tensor

SIDE = 24
_RADIUS, _SHARPNESS = 0.2, 36.0  # of the sun in picture sides; of edges, per picture side
_SKY, _SUN, _GROUND = 0.1, 0.9, -0.7


def sunsets(count: int, generator: torch.Generator) -> Tensor:
    """Draw sunsets: where the sun stands and how high the horizon lies are random.

    Shape:
        (count, 1, 24, 24) in [-1, 1].

    >>> sunsets(5, torch.Generator().manual_seed(0)).shape
    torch.Size([5, 1, 24, 24])
    """
    place = (torch.arange(SIDE) + 0.5) / SIDE
    rows, columns = place[:, None], place[None, :]
    sun_column = 0.15 + 0.7 * torch.rand(count, 1, 1, 1, generator=generator)
    horizon = 0.25 + 0.5 * torch.rand(count, 1, 1, 1, generator=generator)
    distance = ((columns - sun_column) ** 2 + (rows - horizon + 0.08) ** 2).sqrt()
    sun = torch.sigmoid((_RADIUS - distance) * _SHARPNESS)
    ground = torch.sigmoid((rows - horizon) * _SHARPNESS)
    sky = _SKY + (_SUN - _SKY) * sun
    return sky * (1 - ground) + _GROUND * ground
