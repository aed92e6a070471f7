"""PSNR and SSIM: pixel by pixel, how near a photo is to its clean partner."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from oldphoto.checks import InputError, require_photo


def require_pair(output: np.ndarray, clean: np.ndarray) -> None:
    """Raise InputError unless both are uint8 (H, W, 3) and of one size."""
    for name, photo in (("output", output), ("clean", clean)):
        require_photo(photo, name)
    if output.shape != clean.shape:
        raise InputError(f"expected two photos of one size, got {output.shape} and {clean.shape}")


def psnr(output: np.ndarray, clean: np.ndarray) -> float:
    r"""Peak signal-to-noise ratio in dB, :math:`10 \log_{10}(255^2 / MSE)`; inf for equal photos.

    Args:
        output, clean: (H, W, 3) uint8.

    >>> clean = np.full((16, 16, 3), 100, np.uint8)
    >>> round(psnr(clean + np.uint8(10), clean), 2)
    28.13

    Raises:
        InputError: if the arrays are of another kind or of two sizes.
    """
    require_pair(output, clean)
    if np.array_equal(output, clean):
        return float("inf")  # skimage divides by zero here, with a warning
    return float(peak_signal_noise_ratio(clean, output, data_range=255))


def psnr_within(output: np.ndarray, clean: np.ndarray, where: np.ndarray) -> float:
    """PSNR in dB over the pixels of a bool mask (H, W); photos uint8 (H, W, 3).

    Raises:
        InputError: if the mask is empty, or as ``psnr``.
    """
    if not where.any():
        raise InputError("expected at least one pixel to measure on, got an empty mask")
    return psnr(output[where][None], clean[where][None])


def ssim(output: np.ndarray, clean: np.ndarray) -> float:
    """Structural similarity, at most 1 (equal photos), averaged over the three colours.

    Args:
        output, clean: (H, W, 3) uint8, both sides at least 11.

    >>> clean = np.tile(np.arange(16, dtype=np.uint8) * 10, (16, 1))[..., None].repeat(3, axis=2)
    >>> round(ssim(clean + np.uint8(10), clean), 3)
    0.991

    Raises:
        InputError: if the arrays are of another kind, of two sizes, or too small.

    Source:
        Wang et al. 2004, with its Gaussian window (sigma 1.5, 11 pixels), through scikit-image.
    """
    require_pair(output, clean)
    if min(output.shape[:2]) < 11:
        raise InputError(f"SSIM needs sides of at least 11 pixels, got {output.shape[:2]}")
    return float(
        structural_similarity(
            clean,
            output,
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )
