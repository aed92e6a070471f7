"""The whole network at work: encode a degraded photo, map its latent, decode a clean photo."""

from torch import Tensor, nn

from oldphoto.checks import require_features, require_mask, require_multiple
from oldphoto.networks.mapping import LatentMapping, PartialNonlocalMapping, UnmaskedMapping
from oldphoto.networks.partial_nonlocal import Lenders
from oldphoto.networks.vae import REDUCTION, VAE


class RestorationNetwork(nn.Module):
    """Restore a degraded photo through the shared latent space.

    ``encode`` of ``vae_degraded``, then the mapping, then ``decode`` of ``vae_clean``. The
    other half of each VAE is needed in training alone.

    Args:
        vae_degraded: VAE of old and synthetic degraded photos.
        vae_clean: VAE of clean photos.
        mapping: latent to latent, called as ``mapping(latent, scratch_mask)``; its ``prepare``
            makes the photo that the encoder sees.

    Shape:
        degraded: (B, 3, H, W) in [-1, 1], H and W multiples of ``size_multiple``. The caller has
            painted damaged pixels white (+1).
        scratch_mask: (B, 1, H, W), 1 = damaged, 0 = sound; or None.
        restored: (B, 3, H, W) in [-1, 1].

    Raises:
        InputError: if a shape differs from that.

    Source:
        Wan et al. 2020 (arXiv 2004.09484), equation 1.

    >>> import torch
    >>> from oldphoto.config import TINY
    >>> from oldphoto.networks.mapping import scratch_mapping
    >>> mapping = scratch_mapping(TINY.mapping)
    >>> network = RestorationNetwork(VAE(TINY.vae), VAE(TINY.vae), mapping)
    >>> network(torch.zeros(1, 3, 32, 48)).shape
    torch.Size([1, 3, 32, 48])
    """

    size_multiple = REDUCTION

    def __init__(self, vae_degraded: VAE, vae_clean: VAE, mapping: LatentMapping) -> None:
        super().__init__()
        self.vae_degraded = vae_degraded
        self.vae_clean = vae_clean
        self.mapping = mapping

    def forward(
        self,
        degraded: Tensor,
        scratch_mask: Tensor | None = None,
        lenders: Lenders | None = None,
    ) -> Tensor:
        """Return the restored photo; without ``lenders`` damaged positions borrow from it alone."""
        latent_degraded = self._encode(degraded, scratch_mask)  # (B, 64, H / 4, W / 4), E_R(r)
        given = {} if lenders is None else {"lenders": lenders}
        latent_clean = self.mapping(latent_degraded, scratch_mask, **given)  # T(E_R(r)), same shape
        return self.vae_clean.decode(latent_clean)  # (B, 3, H, W), eq. 1: G_Y(T(E_R(r)))

    def lenders(
        self, degraded: Tensor, scratch_mask: Tensor, step: int, start: tuple[int, int]
    ) -> Lenders | None:
        """Return what a tile of a photo lends to all others; None without the attention.

        Args:
            degraded, scratch_mask: of the tile, as for ``forward``.
            step: of the lattice, in latent positions.
            start: row and column of the photo, in pixels, at which the tile begins.
        """
        if not isinstance(self.mapping, PartialNonlocalMapping):
            return None
        row, column = (first // self.size_multiple for first in start)
        latent = self._encode(degraded, scratch_mask)
        return self.mapping.lenders(latent, scratch_mask, step, (row, column))

    def _encode(self, degraded: Tensor, scratch_mask: Tensor | None) -> Tensor:
        require_features(degraded, channels=3)
        require_multiple(degraded, self.size_multiple)
        if scratch_mask is not None:
            require_mask(scratch_mask, degraded)
        return self.vae_degraded.encode(self.mapping.prepare(degraded, scratch_mask))

    @property
    def used(self) -> tuple[nn.Module, ...]:
        """The parts that a photo passes through: encoder, mapping, decoder."""
        return self.vae_degraded.encoder, self.mapping, self.vae_clean.decoder

    @property
    def reach(self) -> int | None:
        """Pixels from which one output pixel can be influenced, where nothing is damaged.

        An upper bound: all convolutions are counted as if they followed one another at the
        coarsest resolution. None where an instance norm, or attention without a mask, makes every
        pixel depend on all.
        """
        steps = 1  # in latent positions; one of them stands for 4x4 pixels
        for part in self.used:
            for layer in part.modules():
                if isinstance(layer, nn.InstanceNorm2d | UnmaskedMapping):
                    return None
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):  # a 3x3 reaches one further
                    steps += (max(layer.kernel_size) - 1) // 2 * max(layer.dilation)
        return steps * self.size_multiple
