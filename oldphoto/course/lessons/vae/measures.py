"""What is measured on a trained autoencoder, and the record of its training."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from oldphoto.course.common import psnr_of
from oldphoto.networks.vae import VAE

_NOISE_SEED = 4  # the widget shows the same noise at each redraw, only louder or softer


@dataclass
class VAERun:
    """A trained VAE and how it went.

    Attributes:
        vae: the network, in evaluation mode.
        l1: mean absolute difference of each training step.
        kl: KL term of each training step, before its weight.
        psnr: (step, mean PSNR in dB on the held-out photos), measured now and then.
        noisy: False if the decoder was trained on latents without noise.
    """

    vae: VAE
    l1: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    psnr: list[tuple[int, float]] = field(default_factory=list)
    noisy: bool = True

    @property
    def final_psnr(self) -> float:
        """PSNR on the held-out photos after the last step, in dB."""
        return self.psnr[-1][1]


def reconstruct(vae: VAE, photos: Tensor) -> Tensor:
    """Return decode(encode(photos)) without noise and without gradients."""
    vae.eval()
    with torch.no_grad():
        return vae.decode(vae.encode(photos))


def mean_psnr(vae: VAE, photos: Tensor) -> float:
    """Return the mean PSNR of the reconstructions in dB."""
    return float(psnr_of(reconstruct(vae, photos), photos).mean())


def tone_matched(output: Tensor, clean: Tensor) -> Tensor:
    """Give each channel of ``output`` the mean and the spread that it has in ``clean``.

    What this gains is what was lost in brightness and contrast alone.
    """
    scale = clean.std((2, 3), keepdim=True) / output.std((2, 3), keepdim=True).clamp(min=1e-6)
    moved = (output - output.mean((2, 3), keepdim=True)) * scale
    return (moved + clean.mean((2, 3), keepdim=True)).clamp(-1, 1)


def tone_scores(vae: VAE, photos: Tensor) -> tuple[float, float]:
    """Return the mean PSNR of the reconstructions, and the same after ``tone_matched``, in dB."""
    output = reconstruct(vae, photos)
    matched = tone_matched(output, photos)
    return float(psnr_of(output, photos).mean()), float(psnr_of(matched, photos).mean())


def noisy_psnr(vae: VAE, photos: Tensor, fraction: float) -> float:
    """Return the mean PSNR in dB when noise is added to the latents before the decoder.

    Args:
        vae: a trained VAE.
        photos: (N, 3, H, W) in [-1, 1].
        fraction: size of the noise over each channel's own spread, so that large latents and
            small ones are disturbed alike.
    """
    generator = torch.Generator().manual_seed(_NOISE_SEED)
    with torch.no_grad():
        latent = vae.eval().encode(photos)
        spread = latent.std((0, 2, 3), keepdim=True)
        noise = fraction * spread * torch.randn(latent.shape, generator=generator)
        output = vae.decode(latent + noise)
    return float(psnr_of(output, photos).mean())


def practised_noise(run: VAERun, photos: Tensor) -> float:
    """Return the size of the noise that the decoder was trained with.

    Args:
        run: a training.
        photos: (N, 3, H, W) in [-1, 1], whose latents are measured.

    Returns:
        Standard deviation of the noise over each channel's own spread, averaged: what
        ``noisy_psnr`` calls ``fraction``. 0 for a plain autoencoder.
    """
    if not run.noisy:
        return 0.0
    with torch.no_grad():
        mean, log_var = run.vae.eval().encode_moments(photos)
    return float(((0.5 * log_var).exp() / mean.std((0, 2, 3), keepdim=True)).mean())


def channel_kl(vae: VAE, photos: Tensor) -> Tensor:
    """Return the mean KL of each latent channel from N(0, 1), in nats: shape (channels,).

    A channel near 0 carries nothing: its latent is the same noise for every photo.
    """
    with torch.no_grad():
        mean, log_var = vae.eval().encode_moments(photos)
    kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var)
    return kl.mean((0, 2, 3))


def walk(vae: VAE, first: Tensor, second: Tensor, fraction: float, noise: float = 0.0) -> Tensor:
    """Decode a point on the straight line between the latents of two photos, with noise.

    Args:
        vae: a trained VAE.
        first: (1, 3, H, W) in [-1, 1].
        second: the same shape.
        fraction: 0 is the first photo, 1 the second.
        noise: standard deviation of what is added to the latent; 1 is what training adds.

    Returns:
        (1, 3, H, W) in [-1, 1].
    """
    generator = torch.Generator().manual_seed(_NOISE_SEED)
    with torch.no_grad():
        one, other = vae.eval().encode(first), vae.encode(second)
        latent = (1 - fraction) * one + fraction * other
        return vae.decode(latent + noise * torch.randn(latent.shape, generator=generator))


def smoothed(values: list[float], window: int = 10) -> np.ndarray:
    """Return each mean of ``window`` values in a row; fewer values give their one mean."""
    window = min(window, len(values))
    return np.convolve(values, np.ones(window) / window, mode="valid")
