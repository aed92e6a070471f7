"""JPEG for whole batches of tensors: the transform and the rounding, without the file."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from oldphoto.checks import require_features

# Annex K of the JPEG standard (ITU-T T.81): luminance and colour at quality 50.
LUMINANCE_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
COLOUR_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# Red, green and blue to luminance and two colour differences (JFIF 1.02).
TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


def _cosines(device: torch.device) -> Tensor:
    """Return the 8 x 8 matrix of the cosine transform: row k is the k-th wave."""
    place = (2 * torch.arange(8, device=device) + 1) * torch.pi / 16
    waves = torch.cos(torch.arange(8, device=device)[:, None] * place) / 2
    waves[0] /= 2**0.5
    return waves


def quality_tables(table: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """Return the steps (B, 8, 8) at each quality (B,) 1 to 100, by the rule of libjpeg."""
    scale = torch.where(quality < 50, torch.floor(5000 / quality), 200 - 2 * quality)
    base = torch.tensor(table, device=quality.device, dtype=torch.float32)
    return torch.floor((base * scale[:, None, None] + 50) / 100).clamp(1, 255)


def _round_coefficients(plane: Tensor, steps: Tensor) -> Tensor:
    """Round the waves of each 8 x 8 block of planes (B, C, H, W) to multiples of the steps."""
    num_photos, channels, height, width = plane.shape
    blocks = plane.reshape(num_photos, channels, height // 8, 8, width // 8, 8)
    waves = _cosines(plane.device)
    coefficients = torch.einsum("ki,bcyixj,lj->bcykxl", waves, blocks, waves)
    steps = steps[:, None, None, :, None, :]
    exact = coefficients / steps
    # The rounding itself has slope 0 everywhere: the gradient passes as if there were none.
    rounded = exact + (exact.round() - exact).detach()
    blocks = torch.einsum("ki,bcykxl,lj->bcyixj", waves, rounded * steps, waves)
    return blocks.reshape(plane.shape)


def jpeg(photo: Tensor, quality: Tensor) -> Tensor:
    """Compress each photo at its own quality and decompress it; colour is halved (4:2:0).

    Args:
        photo: (B, 3, H, W) in [-1, 1].
        quality: (B,), 1 to 100.

    Returns:
        (B, 3, H, W) in [-1, 1], within some grey levels of what libjpeg makes.
    """
    require_features(photo, 3)
    height, width = photo.shape[-2:]
    padded = pad(photo, (0, -width % 16, 0, -height % 16), mode="replicate")
    to_ycc = torch.tensor(TO_YCC, device=photo.device, dtype=photo.dtype)
    # Levels of 255 around 0: the coder subtracts 128 before the transform.
    ycc = torch.einsum("rc,bchw->brhw", to_ycc, (padded + 1) * 127.5)
    quality = quality.to(torch.float32)
    luma = _round_coefficients(ycc[:, :1] - 128, quality_tables(LUMINANCE_TABLE, quality)) + 128
    chroma = avg_pool2d(ycc[:, 1:], 2)
    chroma = _round_coefficients(chroma, quality_tables(COLOUR_TABLE, quality))
    chroma = interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    whole = torch.cat((luma, chroma), 1)[..., :height, :width]
    rgb = torch.einsum("rc,bchw->brhw", torch.linalg.inv(to_ycc), whole)
    return (rgb / 127.5 - 1).clamp(-1, 1)
