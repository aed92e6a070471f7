"""The whole network at work: encode a degraded photo, map its latent, decode a clean photo."""

from torch import Tensor, nn

from oldphoto.checks import require_features, require_mask, require_multiple
from oldphoto.networks.mapping import PartialNonlocalMapping
from oldphoto.networks.vae import REDUCTION, VAE


class RestorationNetwork(nn.Module):
    """Restore a degraded photo through the shared latent space.

    ``encode`` of ``vae_degraded``, then the mapping, then ``decode`` of ``vae_clean``. The
    other half of each VAE is not used here, only in training.

    Args:
        vae_degraded: VAE of old and synthetic degraded photos.
        vae_clean: VAE of clean photos.
        mapping: latent to latent, called as ``mapping(latent, scratch_mask)``; its ``prepare``
            says how the encoder is to see holes.

    Shape:
        degraded: (B, 3, H, W) in [-1, 1], H and W multiples of ``size_multiple``. The caller has
            painted damaged pixels white (+1).
        scratch_mask: (B, 1, H, W), 1 = damaged, 0 = sound; or None.
        restored: (B, 3, H, W) in [-1, 1].

    Raises:
        InputError: if a shape differs from that.

    Source:
        Wan et al. 2020 (arXiv 2004.09484), equation 1.
    """

    size_multiple = REDUCTION

    def __init__(self, vae_degraded: VAE, vae_clean: VAE, mapping: nn.Module) -> None:
        super().__init__()
        self.vae_degraded = vae_degraded
        self.vae_clean = vae_clean
        self.mapping = mapping

    def forward(self, degraded: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        require_features(degraded, channels=3)
        require_multiple(degraded, self.size_multiple)
        if scratch_mask is not None:
            require_mask(scratch_mask, degraded)
        latent_degraded = self.vae_degraded.encode(self.mapping.prepare(degraded, scratch_mask))
        latent_clean = self.mapping(latent_degraded, scratch_mask)
        return self.vae_clean.decode(latent_clean)

    @property
    def used(self) -> tuple[nn.Module, ...]:
        """The parts that a photo passes: encoder, mapping, decoder."""
        return self.vae_degraded.encoder, self.mapping, self.vae_clean.decoder

    @property
    def reach(self) -> int | None:
        """Pixels from which one output pixel can be influenced, where nothing is damaged.

        An upper bound: every convolution is counted as if it stood in one row with all others, at
        the coarsest resolution. None where an instance norm, or attention without a mask, makes
        every pixel depend on all.
        """
        steps = 1  # the pixels that one latent position stands for
        for part in self.used:
            for layer in part.modules():
                if isinstance(layer, nn.InstanceNorm2d) or _attends_everywhere(layer):
                    return None
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                    steps += (max(layer.kernel_size) - 1) // 2 * max(layer.dilation)
        return steps * self.size_multiple


def _attends_everywhere(layer: nn.Module) -> bool:
    return isinstance(layer, PartialNonlocalMapping) and not layer.config.masked
