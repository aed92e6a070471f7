"""The unstructured degradations for whole batches of tensors, on any device, differentiable.

Each photo of a batch has its own parameters: tensors of shape (B,). The results agree with the
``apply_*`` functions for files up to the rounding to 256 levels, and the noise in distribution.
Sigmas and levels count grey levels of 255, as there.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from oldphoto.checks import require_features
from oldphoto.degradations.tone import YELLOW_LOSS

LEVEL = 2 / 255  # one grey level in tensors of [-1, 1]


def _per_photo(values: Tensor) -> Tensor:
    return values[:, None, None, None]  # (B, 1, 1, 1)


def _filter_rows_and_columns(photo: Tensor, kernels: Tensor) -> Tensor:
    """Filter each photo with its own separable kernel (B, K); edges are mirrored."""
    num_photos, channels, height, width = photo.shape
    radius = kernels.shape[1] // 2
    weight = kernels.repeat_interleave(channels, dim=0)[:, None, None]  # (B C, 1, 1, K)
    # All photos and channels become channels of one, each with its own filter.
    padded = pad(photo, (radius,) * 4, mode="reflect").flatten(0, 1)[None]
    groups = num_photos * channels
    rows = conv2d(padded, weight, groups=groups)
    both = conv2d(rows, weight.transpose(2, 3), groups=groups)
    return both.reshape(num_photos, channels, height, width)


def _taps(kernel_size: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distances (K,) from the middle and which of them each kernel uses (B, K)."""
    radius = int(kernel_size.max()) // 2
    taps = torch.arange(-radius, radius + 1, device=kernel_size.device)
    return taps, taps.abs() <= kernel_size[:, None] // 2


def gaussian_blur(photo: Tensor, kernel_size: Tensor, sigma: Tensor) -> Tensor:
    """Blur each photo (B, C, H, W) with its Gaussian: kernel_size (B,) odd, sigma (B,) pixels."""
    taps, used = _taps(kernel_size)
    kernels = torch.exp(-((taps / sigma[:, None]) ** 2) / 2) * used
    return _filter_rows_and_columns(photo, kernels / kernels.sum(1, keepdim=True))


def box_blur(photo: Tensor, kernel_size: Tensor) -> Tensor:
    """Average each photo (B, C, H, W) over its square: kernel_size (B,) odd."""
    _, used = _taps(kernel_size)
    kernels = used.to(photo.dtype)
    return _filter_rows_and_columns(photo, kernels / kernels.sum(1, keepdim=True))


def _noise_like(photo: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(photo.shape, generator=generator, device=photo.device, dtype=photo.dtype)


def gaussian_noise(photo: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Add noise of sigma (B,) grey levels to photos in [-1, 1] and clip."""
    noise = _noise_like(photo, generator) * _per_photo(sigma * LEVEL)
    return (photo + noise).clamp(-1, 1)


def speckle_noise(photo: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Add noise in proportion to the brightness: sigma (B,) grey levels on white."""
    noise = _noise_like(photo, generator) * _per_photo(sigma / 255)
    return (photo + (photo + 1) * noise).clamp(-1, 1)


def salt_pepper(
    photo: Tensor, amount: Tensor, salt_share: Tensor, generator: torch.Generator
) -> Tensor:
    """Set the share amount (B,) of all values to white (salt_share of them) or to black."""
    draws = torch.rand((2, *photo.shape), generator=generator, device=photo.device)
    value = torch.where(draws[1] < _per_photo(salt_share), 1.0, -1.0).to(photo.dtype)
    return torch.where(draws[0] < _per_photo(amount), value, photo)


def film_grain(
    photo: Tensor, sigma: Tensor, grain_size: Tensor, generator: torch.Generator
) -> Tensor:
    """Add grey grain of sigma (B,) levels and grain_size (B,) pixels, strongest at middle grey."""
    radius = 2 * torch.ceil(2 * grain_size).long() + 1
    taps, used = _taps(radius)
    kernels = torch.exp(-((taps / grain_size[:, None]) ** 2) / 2) * used
    # Kernels of unit energy keep the deviation of the noise at 1.
    kernels = kernels / kernels.square().sum(1, keepdim=True).sqrt()
    grain = _filter_rows_and_columns(_noise_like(photo[:, :1], generator), kernels)
    tone = (luminance(photo) + 1) / 2
    # The small number keeps the slope of the root finite at black and white.
    strength = 0.9 * (4 * tone * (1 - tone)).clamp_min(1e-6).sqrt() + 0.1
    return (photo + _per_photo(sigma * LEVEL) * strength * grain).clamp(-1, 1)


def luminance(photo: Tensor) -> Tensor:
    """Return the grey (B, 1, H, W) of colours (B, 3, H, W), with the weights of BT.601."""
    require_features(photo, 3)
    weights = photo.new_tensor((0.299, 0.587, 0.114)).reshape(1, 3, 1, 1)
    return (photo * weights).sum(1, keepdim=True)


def rgb_shift(photo: Tensor, shift: Tensor) -> Tensor:
    """Add shift (B, 3) grey levels to the channels and clip."""
    return (photo + LEVEL * shift[:, :, None, None]).clamp(-1, 1)


def fading(photo: Tensor, black: Tensor, white: Tensor) -> Tensor:
    """Squeeze the tones between the levels black (B,) and white (B,) of 255."""
    low, high = _per_photo(black * LEVEL - 1), _per_photo(white * LEVEL - 1)
    return low + (photo + 1) / 2 * (high - low)


def sepia(photo: Tensor, strength: Tensor, depth: Tensor) -> Tensor:
    """Mix photos with their toned luminance: strength (B,) and depth (B,) in [0, 1]."""
    powers = 1 + _per_photo(depth) * photo.new_tensor((-0.22, 0.08, 0.60)).reshape(1, 3, 1, 1)
    # The floor keeps the slope of the power finite at black.
    tone = ((luminance(photo) + 1) / 2).clamp_min(1e-6)
    return photo + _per_photo(strength) * (2 * tone**powers - 1 - photo)


def yellowing(photo: Tensor, strength: Tensor) -> Tensor:
    """Look at photos through a yellow filter of strength (B,)."""
    loss = torch.as_tensor(YELLOW_LOSS, device=photo.device, dtype=photo.dtype)
    return (photo + 1) * (1 - _per_photo(strength) * loss.reshape(1, 3, 1, 1)) - 1


def vignette(photo: Tensor, strength: Tensor) -> Tensor:
    """Darken from the middle outwards: the corners lose the share strength (B,)."""
    height, width = photo.shape[-2:]
    rows = torch.arange(height, device=photo.device, dtype=photo.dtype) - (height - 1) / 2
    cols = torch.arange(width, device=photo.device, dtype=photo.dtype) - (width - 1) / 2
    distance = rows[:, None] ** 2 + cols**2
    return (photo + 1) * (1 - _per_photo(strength) * distance / distance.max().clamp_min(1)) - 1


def low_resolution(photo: Tensor, scale_y: Tensor, scale_x: Tensor, smooth: Tensor) -> Tensor:
    """Shrink each photo by its own scales (B,) and enlarge it again.

    Both ways are linear, so each axis is one matrix (B, N, N); smooth (B,) bool chooses bilinear
    or nearest on the way up.
    """
    down_up_rows = _there_and_back(photo.shape[-2], scale_y, smooth).to(photo.dtype)
    down_up_cols = _there_and_back(photo.shape[-1], scale_x, smooth).to(photo.dtype)
    rows = torch.einsum("bij,bcjw->bciw", down_up_rows, photo)
    both = torch.einsum("bij,bchj->bchi", down_up_cols, rows)
    return both.clamp(-1, 1)  # the cubic overshoots


def _there_and_back(side: int, scale: Tensor, smooth: Tensor) -> Tensor:
    """Return the matrices (B, side, side) that shrink an axis and enlarge it again."""
    small = torch.round(side * scale).clamp(1, side)[:, None, None]  # (B, 1, 1)
    pixel = torch.arange(side, device=scale.device, dtype=torch.float32)
    # Down: output pixel j sees the inputs around its centre, through a widened cubic.
    step = side / small
    distance = (pixel + 0.5 - (pixel[:, None] + 0.5) * step) / step
    down = cubic(distance)
    down = down / down.sum(2, keepdim=True).clamp_min(1e-6)
    # Up: output pixel i lies at this position among the small pixels.
    position = (pixel[:, None] + 0.5) / step
    middle = torch.minimum((position - 0.5).clamp_min(0), small - 1)
    bilinear = (1 - (middle - pixel).abs()).clamp_min(0)
    nearest = (torch.floor(position) == pixel).float()
    return torch.where(smooth[:, None, None], bilinear, nearest) @ down


def cubic(distance: Tensor) -> Tensor:
    """Return Keys' cubic (a = -1/2), as Pillow uses it, at distances in pixels."""
    x = distance.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
