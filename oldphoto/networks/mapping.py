"""The mapping T: from the latent of a degraded photo to the latent of its clean version.

All mappings are called alike, ``mapping(latent, scratch_mask)``. They begin with convolutions that
widen the latent to features, end with convolutions that narrow them again, and differ between:

- ``PaperMapping``: a local and a global branch, fused by equation 10.
- ``SerialMapping``: the order of the authors' code, which fuses first. ``AuthorsMapping`` has their
  softmax, too, and takes their checkpoints.
- ``OurMapping``: soft masks and filled holes.
- ``UnmaskedMapping``: an ordinary non-local block, to measure what the mask is worth.
- ``PlainMapping``: no mask at all, for photos without scratches ("quality").
- ``PatchAttentionMapping``: the authors' form for high resolution ("hr").
"""

from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.checks import InputError, require_features
from oldphoto.config import MappingConfig, MappingForm
from oldphoto.networks.hole_filling import fill_holes
from oldphoto.networks.layers import conv_norm_relu, initialise, residual_blocks
from oldphoto.networks.partial_nonlocal import (
    Lenders,
    PartialNonlocal,
    lend,
    soft_validity_at_latent,
    validity_at_latent,
)
from oldphoto.networks.patch_attention import PatchAttention

OFFICIAL_PLAIN = MappingConfig(
    widths_in=(128, 256, 512, 512), widths_out=(512, 256, 128), num_blocks=6, form="serial"
)
"""The authors' "quality" checkpoint: ``PlainMapping(OFFICIAL_PLAIN)``."""

OFFICIAL_SCRATCH = replace(OFFICIAL_PLAIN, num_global_blocks=3)
"""The authors' "scratch" checkpoint: ``AuthorsMapping(OFFICIAL_SCRATCH)``."""

OFFICIAL_HR = replace(OFFICIAL_PLAIN, num_blocks=8)
"""The authors' high-resolution checkpoint: ``PatchAttentionMapping(OFFICIAL_HR)``."""

PATCH_SIZES = (8, 4, 2)
"""Sides of the patches in ``PatchAttentionMapping``, in latent positions."""

_FIRST_DIFFERENCE = 0.1  # with ``skip``, T(z) starts near z: f(z) is scaled by this


class LatentMapping(nn.Module):
    """What all mappings share: the interface, and the convolutions at both ends.

    Args:
        config: sizes, and ``norm`` and ``skip``.

    Shape:
        latent and result: (B, latent_channels, h, w), no fixed range; scratch_mask: (B, 1, H, W)
        in [0, 1] at any size, 1 = damaged, 0 = sound; None = no damage.

    Raises:
        InputError: if the latent or the mask has another shape.
    """

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        self.config = config
        self.widen = _convolutions(config.latent_channels, config.widths_in, config.norm)
        self.narrow = _convolutions(config.width, config.widths_out, config.norm)
        last_width = (config.width, *config.widths_out)[-1]
        # No norm and no ReLU: a latent has values of both signs and any size.
        self.to_latent = nn.Conv2d(last_width, config.latent_channels, kernel_size=3, padding=1)

    def prepare(self, degraded: Tensor, scratch_mask: Tensor | None) -> Tensor:
        """Return the photo as the encoder before this mapping has to see it.

        Args:
            degraded: (B, 3, H, W) in [-1, 1], damaged pixels white.
            scratch_mask: (B, 1, H, W), 1 = damaged, 0 = sound; None = no damage.

        Returns:
            The photo itself, or with form "ours" the photo with its holes filled smoothly.
        """
        if scratch_mask is None or self.config.form != "ours":
            return degraded
        return fill_holes(degraded, scratch_mask)

    def _initialise(self) -> None:
        # Not in __init__: the blocks of the subclass must be there.
        initialise(self, self.config.norm)
        if self.config.skip:
            with torch.no_grad():
                self.to_latent.weight.mul_(_FIRST_DIFFERENCE)

    def _finish(self, features: Tensor, latent: Tensor) -> Tensor:
        """Return T(z) = f(z), or with ``skip`` T(z) = z + f(z)."""
        result = self.to_latent(self.narrow(features))  # (B, latent_channels, h, w)
        return latent + result if self.config.skip else result

    def _checked_mask(self, latent: Tensor, scratch_mask: Tensor | None) -> Tensor:
        """Check both shapes, and return the mask, or for None a mask without damage."""
        require_features(latent, self.config.latent_channels, min_size=2)
        if scratch_mask is None:  # one code path for both, at the cost of a few zeros
            return latent.new_zeros(latent.shape[0], 1, *latent.shape[-2:])
        require_features(scratch_mask, 1)
        if scratch_mask.shape[0] != latent.shape[0]:
            raise InputError(
                f"expected a scratch mask for each of {latent.shape[0]} latents, "
                f"got {scratch_mask.shape[0]}"
            )
        return scratch_mask.to(latent.dtype)  # (B, 1, H, W), any H and W


class PartialNonlocalMapping(LatentMapping):
    """A mapping with the partial non-local block: the base of the forms that follow.

    ``blocks`` is the local branch rho_local. ``partial_nonlocal`` is the global branch, attention
    and rho_global together. A form defines ``forward``, and may define ``validity``.

    Args:
        config: sizes; ``form`` is replaced by the one of the class.
        authors_softmax: see ``PartialNonlocal``.
    """

    form: ClassVar[MappingForm]

    def __init__(self, config: MappingConfig, authors_softmax: bool = False) -> None:
        # The class decides: what is saved as this network's settings then builds this class again.
        super().__init__(replace(config, form=self.form))
        self.partial_nonlocal = PartialNonlocal(
            config.width,
            num_blocks=config.num_global_blocks,
            norm=config.norm,
            authors_softmax=authors_softmax,
        )
        # The order of the layers is part of a seed's result: weights are drawn in this order.
        self.blocks = residual_blocks(config.num_blocks, config.width, config.norm)
        self._initialise()

    def validity(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return the validity of each latent position, 1 - m in the paper.

        Returns:
            (B, 1, h, w) in [0, 1], 1 = sound, 0 = damaged.

        Raises:
            InputError: if the latent or the mask has another shape.
        """
        height, width = latent.shape[-2:]
        return validity_at_latent(self._checked_mask(latent, scratch_mask), (height, width))

    def lenders(
        self,
        latent: Tensor,
        scratch_mask: Tensor | None,
        step: int,
        start: tuple[int, int] = (0, 0),
    ) -> Lenders:
        """Return what a photo, or a tile of it, lends on a lattice: see ``lend``.

        >>> config = MappingConfig(latent_channels=4, widths_in=(8,), widths_out=(), num_blocks=1)
        >>> PaperMapping(config).lenders(torch.zeros(1, 4, 6, 8), None, step=2).features.shape
        torch.Size([1, 8, 12, 1])
        """
        validity = self.validity(latent, scratch_mask)
        return lend(self.widen(latent), validity, step, start)


def _needs_global_branch(validity: Tensor) -> bool:
    # Without damage the global branch is multiplied by 0, so inference saves the time. In training
    # it runs all the same: with several processes, every weight must get a gradient, be it 0.
    return torch.is_grad_enabled() or not bool((validity == 1).all())


class PaperMapping(PartialNonlocalMapping):
    """The mapping of the paper: sound positions pass the local branch, damaged ones the global.

    Source:
        Wan et al. 2020, section 3.2, equation 10, and the architecture table.

    >>> config = MappingConfig(latent_channels=4, widths_in=(8,), widths_out=(), num_blocks=1)
    >>> PaperMapping(config)(torch.zeros(1, 4, 6, 8)).shape
    torch.Size([1, 4, 6, 8])
    """

    form = "paper"

    def forward(
        self,
        latent: Tensor,
        scratch_mask: Tensor | None = None,
        lenders: Lenders | None = None,
    ) -> Tensor:
        """Return the latent of the clean photo; ``lenders`` are those of ``attend``."""
        validity = self.validity(latent, scratch_mask)  # (B, 1, h, w), 1 - m
        features = self.widen(latent)  # (B, 512, h, w), F
        local = self.blocks(features)  # (B, 512, h, w), rho_local(F): sees no mask
        if not _needs_global_branch(validity):
            return self._finish(local, latent)
        borrowed = self.partial_nonlocal(
            features, validity, lenders
        )  # (B, 512, h, w), rho_global(O)
        fused = validity * local + (1 - validity) * borrowed  # eq. 10
        return self._finish(fused, latent)


class SerialMapping(PartialNonlocalMapping):
    """The order of the authors' code: the fusion comes first, the local branch runs on its result.

    So a residual block at the edge of a hole sees what was borrowed, not the hole.

    Source:
        ``Mapping_Model_with_mask`` of the authors' code, with the softmax of the paper.
    """

    form: ClassVar[MappingForm] = "serial"

    def forward(
        self,
        latent: Tensor,
        scratch_mask: Tensor | None = None,
        lenders: Lenders | None = None,
    ) -> Tensor:
        """Return the latent of the clean photo; ``lenders`` are those of ``attend``."""
        validity = self.validity(latent, scratch_mask)  # (B, 1, h, w)
        features = self.widen(latent)  # (B, 512, h, w)
        if _needs_global_branch(validity):
            borrowed = self.partial_nonlocal(features, validity, lenders)  # (B, 512, h, w)
            # As equation 10, but with F in place of rho_local(F). The local branch follows.
            features = validity * features + (1 - validity) * borrowed
        return self._finish(self.blocks(features), latent)


class AuthorsMapping(SerialMapping):
    """The authors' released mapping, for their checkpoints: ``SerialMapping`` with their softmax.

    Source:
        ``Mapping_Model_with_mask`` of the authors' code.
    """

    def __init__(self, config: MappingConfig) -> None:
        super().__init__(config, authors_softmax=True)


class OurMapping(PartialNonlocalMapping):
    """Our mapping: as ``SerialMapping``, but damage is a matter of degree, and holes are filled.

    A position that a hole covers in part has the share of its sound pixels as validity; the
    authors' rule gives up the whole position for one damaged pixel. ``prepare`` fills the holes
    smoothly before the encoder, so the latent of a hole is a guess, no longer the latent of white
    paint. What is borrowed is added to this guess instead of replacing it.

    >>> config = MappingConfig(latent_channels=4, widths_in=(8,), widths_out=(), num_blocks=1)
    >>> mask = torch.zeros(1, 1, 8, 8)
    >>> mask[..., :4, :1] = 1  # one of the four columns of the first position
    >>> OurMapping(config).validity(torch.zeros(1, 4, 2, 2), mask).flatten().tolist()
    [0.75, 1.0, 1.0, 1.0]
    """

    form = "ours"

    def validity(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return the share of sound pixels of each position, (B, 1, h, w) in [0, 1]."""
        height, width = latent.shape[-2:]
        return soft_validity_at_latent(self._checked_mask(latent, scratch_mask), (height, width))

    def forward(
        self,
        latent: Tensor,
        scratch_mask: Tensor | None = None,
        lenders: Lenders | None = None,
    ) -> Tensor:
        """Return the latent of the clean photo; ``lenders`` are those of ``attend``."""
        validity = self.validity(latent, scratch_mask)  # (B, 1, h, w)
        features = self.widen(latent)  # (B, 512, h, w)
        if _needs_global_branch(validity):
            borrowed = self.partial_nonlocal(features, validity, lenders)  # (B, 512, h, w)
            # No factor before ``features``: a filled hole holds a guess, and is not thrown away.
            features = features + (1 - validity) * borrowed
        return self._finish(self.blocks(features), latent)


class UnmaskedMapping(SerialMapping):
    """``SerialMapping`` without the mask, for the ablation: an ordinary non-local block.

    The validity is 1/2 everywhere, so damaged positions lend as much as sound ones, and each
    position gets half of its own features and half of what it borrows.
    """

    form = "unmasked"

    def validity(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return 1/2 everywhere, (B, 1, h, w); the mask is checked, then ignored."""
        self._checked_mask(latent, scratch_mask)
        return torch.full_like(latent[:, :1], 0.5)  # (B, C, h, w) to (B, 1, h, w)


FORMS: dict[str, type[PartialNonlocalMapping]] = {
    form.form: form for form in (PaperMapping, SerialMapping, OurMapping, UnmaskedMapping)
}
"""The class of each ``MappingConfig.form``."""


def scratch_mapping(config: MappingConfig) -> PartialNonlocalMapping:
    """Return the mapping for scratched photos, in the form that the settings name.

    >>> type(scratch_mapping(MappingConfig(widths_in=(8,), form="ours"))).__name__
    'OurMapping'
    """
    return FORMS[config.form](config)


class PlainMapping(LatentMapping):
    """Convolutions, residual blocks, convolutions: for photos without scratches.

    Args:
        config: ``num_global_blocks`` has no meaning here.

    Source:
        ``Mapping_Model`` of the authors' code.
    """

    def __init__(self, config: MappingConfig) -> None:
        super().__init__(config)
        self.blocks = residual_blocks(config.num_blocks, config.width, config.norm)
        self._initialise()

    def forward(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return the latent of the clean photo; ``scratch_mask`` is checked, then ignored."""
        self._checked_mask(latent, scratch_mask)  # a wrong mask is an error in every variant
        return self._finish(self.blocks(self.widen(latent)), latent)


class PatchAttentionMapping(LatentMapping):
    """The mapping for high resolution: residual blocks in four groups, patch attention between.

    Args:
        config: ``num_blocks`` counts all four groups together; ``num_global_blocks`` has no
            meaning here.

    Raises:
        InputError: if num_blocks is no multiple of 4, or the latent or mask has another shape.

    Source:
        ``Mapping_Model_with_mask_2`` of the authors' code, with 2 blocks in each group.
    """

    def __init__(self, config: MappingConfig) -> None:
        super().__init__(config)
        num_groups = len(PATCH_SIZES) + 1
        if config.num_blocks % num_groups:
            raise InputError(
                f"num_blocks must be a multiple of {num_groups}, got {config.num_blocks}"
            )
        width, norm = config.width, config.norm
        in_group = config.num_blocks // num_groups
        # Coarse to fine: each attention is followed by blocks that smooth the seams of its patches.
        self.groups = nn.ModuleList(
            residual_blocks(in_group, width, norm) for _ in range(num_groups)
        )
        self.attentions = nn.ModuleList(PatchAttention(width, size, norm) for size in PATCH_SIZES)
        self._initialise()

    def forward(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return the latent of the clean photo."""
        mask = self._checked_mask(latent, scratch_mask)
        reduced = F.interpolate(mask, latent.shape[-2:], mode="bilinear", align_corners=False)
        damaged = (reduced > 0).to(latent.dtype)  # (B, 1, h, w), one touched pixel is enough
        features = self.groups[0](self.widen(latent))  # (B, 512, h, w)
        for attention, group in zip(self.attentions, self.groups[1:], strict=True):
            features = group(attention(features, damaged))
        return self._finish(features, latent)


def with_equal_groups(config: MappingConfig) -> MappingConfig:
    """Return the settings with ``num_blocks`` rounded up, for ``PatchAttentionMapping``.

    >>> with_equal_groups(MappingConfig(num_blocks=6)).num_blocks
    8
    """
    num_groups = len(PATCH_SIZES) + 1  # one before, between and after the attentions
    return replace(config, num_blocks=-(-config.num_blocks // num_groups) * num_groups)


def _convolutions(in_channels: int, widths: tuple[int, ...], norm: bool) -> nn.Sequential:
    """Return one convolution 3x3 with norm and ReLU per width."""
    ins = (in_channels, *widths)  # each width is the input of the next convolution
    # Zeros, not reflection: the authors' checkpoints were trained so.
    return nn.Sequential(
        *(
            conv_norm_relu(before, after, norm=norm, padding_mode="zeros")
            for before, after in zip(ins, widths, strict=False)
        )
    )
