"""A laboratory for autoencoders: tiny photos, a short live training, and looks into the code."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from oldphoto import losses
from oldphoto.checks import require_positive
from oldphoto.config import VAEConfig
from oldphoto.course.common import psnr_of, random_crops
from oldphoto.networks.vae import VAE

CROP = 32
BATCH = 8
MEASURE_EVERY = 25
_NOISE_SEED = 4  # the widget shows the same noise at each redraw, only louder or softer
_ENLARGED = 5


@dataclass
class VAERun:
    """A trained VAE and how it went.

    Attributes:
        vae: the network, in evaluation mode.
        l1: mean absolute difference of each training step.
        kl: KL term of each training step, before its weight.
        psnr: (step, mean PSNR in dB on the held-out photos), measured now and then.
        noisy: False if the decoder was trained on codes without noise.
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


def train_vae(
    config: VAEConfig,
    photos: Tensor,
    held_out: Tensor,
    num_steps: int,
    kl_weight: float,
    seed: int = 0,
    noisy: bool = True,
    start_log_var: float | None = None,
) -> VAERun:
    """Train one VAE from scratch on crops, with the first and last term of equation 2 alone.

    Args:
        config: sizes of the network.
        photos: (N, 3, H, W) in [-1, 1], to cut the crops from.
        held_out: (N, 3, H, W), to measure on.
        num_steps: how many batches of ``BATCH`` crops.
        kl_weight: factor of the KL term beside the L1 term.
        seed: of the weights, the crops and the noise.
        noisy: False leaves the noise out: a plain autoencoder.
        start_log_var: where the log-variance starts, for ``noise="learned"``; None is the
            package's start, a small variance.
    """
    require_positive(num_steps=num_steps)
    with torch.random.fork_rng(devices=[]):  # the notebook's own random numbers stay as they are
        torch.manual_seed(seed)
        run = VAERun(VAE(config), noisy=noisy)
    if start_log_var is not None:
        torch.nn.init.constant_(run.vae.log_var_head.bias, start_log_var)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(run.vae.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, 2 * (1 - step / num_steps) + 0.05)
    )
    run.psnr.append((0, mean_psnr(run.vae, held_out)))
    for step in range(1, num_steps + 1):
        run.vae.train(noisy)
        clean = random_crops(photos, BATCH, CROP, generator)
        recon, mean, log_var = run.vae(clean, generator=generator)
        l1, kl = losses.l1_loss(recon, clean), kl_of(config, mean, log_var)
        optimizer.zero_grad()
        (l1 + kl_weight * kl).backward()
        # A code that shouts has steep slopes: without a limit a long training can leap away.
        torch.nn.utils.clip_grad_norm_(run.vae.parameters(), max_norm=1.0)
        optimizer.step()
        schedule.step()
        run.l1.append(l1.item())
        run.kl.append(kl.item())
        if step % MEASURE_EVERY == 0 or step == num_steps:
            run.psnr.append((step, mean_psnr(run.vae, held_out)))
    return run


def kl_of(config: VAEConfig, mean: Tensor, log_var: Tensor) -> Tensor:
    """Return the KL term that belongs to the kind of noise, as in training."""
    if config.noise == "unit":
        return losses.kl_unit_variance(mean)
    return losses.kl_standard_normal(mean, log_var)


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


def noisy_psnr(vae: VAE, photos: Tensor, share: float) -> float:
    """Return the mean PSNR in dB when the codes are disturbed on the way to the decoder.

    Args:
        vae: a trained VAE.
        photos: (N, 3, H, W) in [-1, 1].
        share: size of the noise as a share of each channel's own spread, so that large codes and
            small ones are disturbed alike.
    """
    generator = torch.Generator().manual_seed(_NOISE_SEED)
    with torch.no_grad():
        code = vae.eval().encode(photos)
        spread = code.std((0, 2, 3), keepdim=True)
        output = vae.decode(code + share * spread * torch.randn(code.shape, generator=generator))
    return float(psnr_of(output, photos).mean())


def practised_noise(run: VAERun, photos: Tensor) -> float:
    """Return how loud the noise was that the decoder was trained with.

    Args:
        run: a training.
        photos: (N, 3, H, W) in [-1, 1], whose codes are looked at.

    Returns:
        Standard deviation of the noise as a share of each channel's own spread, averaged; the same
        measure as ``share`` of ``noisy_psnr``. 0 for a plain autoencoder.
    """
    if not run.noisy:
        return 0.0
    with torch.no_grad():
        mean, log_var = run.vae.eval().encode_moments(photos)
    return float(((0.5 * log_var).exp() / mean.std((0, 2, 3), keepdim=True)).mean())


def channel_kl(vae: VAE, photos: Tensor) -> Tensor:
    """Return the mean KL of each latent channel from N(0, 1), in nats: shape (channels,).

    A channel near 0 carries nothing: its code is the same noise for every photo.
    """
    with torch.no_grad():
        mean, log_var = vae.eval().encode_moments(photos)
    kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var)
    return kl.mean((0, 2, 3))


def walk(vae: VAE, first: Tensor, second: Tensor, share: float, noise: float = 0.0) -> Tensor:
    """Decode a point on the straight line between the codes of two photos, with noise.

    Args:
        vae: a trained VAE.
        first: (1, 3, H, W) in [-1, 1].
        second: the same shape.
        share: 0 is the first photo, 1 the second.
        noise: standard deviation of what is added to the code; 1 is what training adds.

    Returns:
        (1, 3, H, W) in [-1, 1].
    """
    generator = torch.Generator().manual_seed(_NOISE_SEED)
    with torch.no_grad():
        one, other = vae.eval().encode(first), vae.encode(second)
        code = (1 - share) * one + share * other
        return vae.decode(code + noise * torch.randn(code.shape, generator=generator))


def smoothed(values: list[float], window: int = 10) -> np.ndarray:
    """Return each mean of ``window`` values in a row; fewer values give their one mean."""
    window = min(window, len(values))
    return np.convolve(values, np.ones(window) / window, mode="valid")
