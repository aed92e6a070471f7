"""The variational autoencoder: a photo to a latent of a quarter of its size, and back.

The method trains two of them: ``vae_degraded`` for old and synthetic damaged photos together,
``vae_clean`` for clean ones.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

from oldphoto.checks import require_features, require_multiple
from oldphoto.config import VAEConfig
from oldphoto.networks.layers import (
    clamp_keeping_gradient,
    conv,
    conv_norm_relu,
    deconv_norm_relu,
    initialise,
    residual_blocks,
)

REDUCTION = 4
"""One latent position stands for REDUCTION x REDUCTION pixels, with either stem."""

_MIN_SIDE = 2 * REDUCTION  # 2 latent positions a side: reflection padding mirrors the second one.
_START_RATIO = 10.0
"""Standard deviation of the latent over that of its noise at the start of training, about.

Measured with the unshuffle stem: from a ratio of 1, a minute of training goes into making the
latent larger than its noise, and reconstructions stay several dB behind."""

_LOG_VAR_RANGE = (-20.0, 10.0)  # beyond these, exp() is 0 or overflows in half precision


class ConvEncoder(nn.Module):
    """Upper part of the architecture table: convolutions 7x7, 4x4 / 2, 4x4 / 2, residual blocks.

    Shape:
        photo (B, 3, H, W) in [-1, 1] to latent (B, width, H / 4, W / 4).

    >>> ConvEncoder(VAEConfig(width=8, latent_channels=8))(torch.zeros(1, 3, 16, 24)).shape
    torch.Size([1, 8, 4, 6])
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        width, norm = config.width, config.norm
        self.stem = conv_norm_relu(3, width, kernel_size=7, norm=norm)
        # Zeros, not reflection, at the strided convolutions: the checkpoints were trained so.
        self.down1 = conv_norm_relu(width, width, 4, stride=2, norm=norm, padding_mode="zeros")
        self.down2 = conv_norm_relu(width, width, 4, stride=2, norm=norm, padding_mode="zeros")
        self.blocks = residual_blocks(config.num_blocks, width, norm)

    def forward(self, photo: Tensor) -> Tensor:
        x = self.stem(photo)  # (B, 64, H, W)
        x = self.down2(self.down1(x))  # (B, 64, H / 4, W / 4)
        return self.blocks(x)


class ConvDecoder(nn.Module):
    """The encoder mirrored: residual blocks, two transposed convolutions, 7x7, tanh.

    Shape:
        latent (B, width, h, w) to photo (B, 3, 4 h, 4 w) in [-1, 1].

    >>> ConvDecoder(VAEConfig(width=8, latent_channels=8))(torch.zeros(1, 8, 4, 6)).shape
    torch.Size([1, 3, 16, 24])
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        width, norm = config.width, config.norm
        self.blocks = residual_blocks(config.num_blocks, width, norm)
        self.up1 = deconv_norm_relu(width, width, norm)
        self.up2 = deconv_norm_relu(width, width, norm)
        self.head = conv(width, 3, kernel_size=7)  # no norm: it would fix the photo's contrast

    def forward(self, latent: Tensor) -> Tensor:
        x = self.up2(self.up1(self.blocks(latent)))  # (B, 64, 4 h, 4 w)
        return self.head(x).tanh()


class UnshuffleEncoder(nn.Module):
    """A light encoder: 4x4 pixels become 48 channels at once, then everything is small.

    All convolutions work on a sixteenth of the positions, so that it trains on a CPU. Rearranging
    pixels loses nothing.

    Shape:
        photo (B, 3, H, W) in [-1, 1] to latent (B, latent_channels, H / 4, W / 4).

    Source:
        The rearrangement of Shi et al. 2016 (arXiv 1609.05158). Not in the paper.

    >>> config = VAEConfig(stem="unshuffle", width=8, latent_channels=4, norm=False)
    >>> UnshuffleEncoder(config)(torch.zeros(1, 3, 16, 24)).shape
    torch.Size([1, 4, 4, 6])
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.unshuffle = nn.PixelUnshuffle(REDUCTION)
        self.stem = conv(3 * REDUCTION**2, config.width)  # 3x3 latent positions see 12x12 pixels
        self.blocks = residual_blocks(config.num_blocks, config.width, config.norm)
        # No norm and no ReLU: a latent has values of both signs and any size.
        self.head = conv(config.width, config.latent_channels)

    def forward(self, photo: Tensor) -> Tensor:
        x = self.unshuffle(photo)  # (B, 3, H, W) to (B, 48, H / 4, W / 4)
        return self.head(self.blocks(self.stem(x)))


class UnshuffleDecoder(nn.Module):
    """The light encoder mirrored.

    It ends in a clamp that lets the gradient through, not in a tanh: a tanh never quite reaches
    the white and the black of a photo.

    Shape:
        latent (B, latent_channels, h, w) to photo (B, 3, 4 h, 4 w) in [-1, 1].

    >>> config = VAEConfig(stem="unshuffle", width=8, latent_channels=4, norm=False)
    >>> UnshuffleDecoder(config)(torch.zeros(1, 4, 4, 6)).shape
    torch.Size([1, 3, 16, 24])
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.stem = conv(config.latent_channels, config.width)
        self.blocks = residual_blocks(config.num_blocks, config.width, config.norm)
        self.head = conv(config.width, 3 * REDUCTION**2)
        self.shuffle = nn.PixelShuffle(REDUCTION)

    def forward(self, latent: Tensor) -> Tensor:
        x = self.head(self.blocks(self.stem(latent)))  # (B, 48, h, w)
        return clamp_keeping_gradient(self.shuffle(x))  # (B, 3, 4 h, 4 w)


_STEMS = {
    "conv": (ConvEncoder, ConvDecoder),
    "unshuffle": (UnshuffleEncoder, UnshuffleDecoder),
}


class VAE(nn.Module):
    """Encode a photo to a latent, decode a latent to a photo.

    With ``noise="unit"`` the encoder gives the mean alone and training adds noise of variance 1
    to it. The latent must be large against 1 to be told from the noise. Training makes it grow,
    and the KL term, which for a fixed variance is the mean square of the latent, holds it back, so
    a large KL weight costs sharpness. With ``noise="learned"`` the encoder gives a mean and a
    log-variance for every position, as in the textbook.

    Args:
        config: sizes; ``VAEConfig()`` is the architecture table of the paper.

    Shape:
        photo: (B, 3, H, W) in [-1, 1], H and W multiples of 4 and at least 8.
        latent: (B, latent_channels, H / 4, W / 4), no fixed range.

    Raises:
        InputError: if a photo or a latent has another shape than that.

    Source:
        ``GlobalGenerator_DCDCv2`` of the authors' code, whose weights fit ``VAEConfig()``; noise
        as there (the paper speaks of a variational autoencoder in general). The "unshuffle" stem
        and the "learned" variance are ours, for small machines and for teaching.

    >>> vae = VAE(VAEConfig(stem="unshuffle", width=8, latent_channels=4, norm=False))
    >>> latent = vae.encode(torch.zeros(1, 3, 16, 24))
    >>> latent.shape, vae.decode(latent).shape
    (torch.Size([1, 4, 4, 6]), torch.Size([1, 3, 16, 24]))
    """

    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        encoder, decoder = _STEMS[config.stem]
        self.encoder, self.decoder = encoder(config), decoder(config)
        if config.noise == "learned":  # one more 1x1 convolution for each of the two moments
            channels = config.latent_channels
            self.mean_head = nn.Conv2d(channels, channels, kernel_size=1)
            self.log_var_head = nn.Conv2d(channels, channels, kernel_size=1)
        initialise(self, config.norm)
        self._start_with_little_noise()

    @torch.no_grad()
    def _start_with_little_noise(self) -> None:
        """Start with a latent well above its noise: a small variance, or a large latent."""
        encoder, decoder = self.encoder, self.decoder
        if self.config.noise == "learned":
            # sigma = 1 / _START_RATIO everywhere, whatever the photo.
            nn.init.zeros_(self.log_var_head.weight)
            nn.init.constant_(cast(Tensor, self.log_var_head.bias), -2 * math.log(_START_RATIO))
        elif isinstance(encoder, UnshuffleEncoder) and isinstance(decoder, UnshuffleDecoder):
            # The two factors cancel in the reconstruction.
            encoder.head.weight.mul_(_START_RATIO)
            decoder.stem.weight.div_(_START_RATIO)

    def encode(self, photo: Tensor) -> Tensor:
        """Return the latent of a photo, (B, latent_channels, H / 4, W / 4): the mean, no noise."""
        return self.encode_moments(photo)[0]

    def encode_moments(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latent, both (B, latent_channels, H / 4, W / 4).

        With ``noise="unit"`` the log-variance is zero everywhere: the variance is 1.
        """
        require_features(photo, channels=3, min_size=_MIN_SIDE)
        require_multiple(photo, REDUCTION)
        features = self.encoder(photo)  # (B, latent_channels, H / 4, W / 4)
        if self.config.noise == "unit":  # log 1 = 0
            return features, torch.zeros_like(features)
        return self.mean_head(features), self.log_var_head(features).clamp(*_LOG_VAR_RANGE)

    def decode(self, latent: Tensor) -> Tensor:
        """Return the photo of a latent, (B, 3, 4 h, 4 w) in [-1, 1]."""
        require_features(latent, self.config.latent_channels, min_size=2)
        return self.decoder(latent)

    def forward(
        self, photo: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, add noise (in training mode only), decode.

        Args:
            photo: (B, 3, H, W) in [-1, 1].
            generator: source of the noise, on the photo's device; None is PyTorch's global one.

        Returns:
            Reconstruction, mean and log-variance: what the loss of the VAE needs.
        """
        mean, log_var = self.encode_moments(photo)
        latent = mean
        if self.training:  # the mapping and the restoration use the mean itself
            noise = torch.randn(
                mean.shape, generator=generator, device=mean.device, dtype=mean.dtype
            )
            latent = mean + (0.5 * log_var).exp() * noise  # z = mu + sigma * epsilon
        return self.decode(latent), mean, log_var
