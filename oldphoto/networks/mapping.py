"""The mapping T: from the latent of a degraded photo to the latent of its clean version.

Three forms with one call, ``mapping(latent, scratch_mask)``: plain (ignores the mask), with the
partial non-local block, and with multi-scale patch attention for high resolution.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.checks import InputError, require_features
from oldphoto.config import MappingConfig
from oldphoto.networks.hole_filling import fill_holes
from oldphoto.networks.layers import conv_norm_relu, init_paper, init_plain, residual_blocks
from oldphoto.networks.partial_nonlocal import (
    PartialNonlocal,
    keep_at_latent,
    sound_share_at_latent,
)
from oldphoto.networks.patch_attention import PatchAttention

_OFFICIAL_WIDTHS = dict(widths_in=(128, 256, 512, 512), widths_out=(512, 256, 128))

OFFICIAL_PLAIN = MappingConfig(**_OFFICIAL_WIDTHS, num_blocks=6, fusion="serial")
"""The authors' "quality" checkpoint: ``PlainMapping(OFFICIAL_PLAIN)``."""

OFFICIAL_SCRATCH = MappingConfig(
    **_OFFICIAL_WIDTHS, num_blocks=6, num_global_blocks=3, fusion="serial"
)
"""Their "scratch" one: ``PartialNonlocalMapping(OFFICIAL_SCRATCH, authors_softmax=True)``."""

OFFICIAL_HR = MappingConfig(**_OFFICIAL_WIDTHS, num_blocks=8, fusion="serial")
"""Their high-resolution one: ``PatchAttentionMapping(OFFICIAL_HR)``."""

_FIRST_DIFFERENCE = 0.1  # what a mapping with ``skip`` adds at first, beside a start without it

PATCH_SIZES = (8, 4, 2)
"""Sides of the patches in ``PatchAttentionMapping``, in latent positions."""


def with_equal_groups(config: MappingConfig) -> MappingConfig:
    """Return the settings with ``num_blocks`` rounded up, for ``PatchAttentionMapping``."""
    num_groups = len(PATCH_SIZES) + 1
    return replace(config, num_blocks=-(-config.num_blocks // num_groups) * num_groups)


class _Mapping(nn.Module):
    """What the three forms share: convolutions that widen, and ones that narrow to the latent."""

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
            The photo itself, or with ``config.fill_holes`` one whose holes are filled smoothly.
        """
        if scratch_mask is None or not self.config.fill_holes:
            return degraded
        return fill_holes(degraded, scratch_mask)

    def _initialise(self) -> None:
        if self.config.norm:
            init_paper(self)
        else:
            init_plain(self)
        if self.config.skip:
            with torch.no_grad():
                self.to_latent.weight.mul_(_FIRST_DIFFERENCE)

    def _finish(self, features: Tensor, latent: Tensor) -> Tensor:
        """Return the latent of the clean photo, or with ``skip`` what is added to get there."""
        result = self.to_latent(self.narrow(features))
        return latent + result if self.config.skip else result

    def _check(self, latent: Tensor, scratch_mask: Tensor | None) -> Tensor:
        """Return the mask, or one without damage, after checks."""
        require_features(latent, self.config.latent_channels, min_size=2)
        if scratch_mask is None:
            return latent.new_zeros(latent.shape[0], 1, *latent.shape[-2:])
        require_features(scratch_mask, 1)
        if scratch_mask.shape[0] != latent.shape[0]:
            raise InputError(
                f"expected a scratch mask for each of {latent.shape[0]} latents, "
                f"got {scratch_mask.shape[0]}"
            )
        return scratch_mask.to(latent.dtype)


class PlainMapping(_Mapping):
    """Convolutions, residual blocks, convolutions; it knows nothing of holes.

    Args:
        config: ``num_global_blocks``, ``fusion`` and ``masked`` have no meaning here.

    Shape:
        latent and result: (B, latent_channels, h, w), no fixed range. The scratch mask is ignored.

    Raises:
        InputError: if the latent or the mask has another shape.

    Source:
        ``Mapping_Model`` of the authors' code.
    """

    def __init__(self, config: MappingConfig) -> None:
        super().__init__(config)
        self.blocks = residual_blocks(config.num_blocks, config.width, config.norm)
        self._initialise()

    def forward(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return the latent of the clean photo; ``scratch_mask`` is checked, then ignored."""
        self._check(latent, scratch_mask)
        return self._finish(self.blocks(self.widen(latent)), latent)


class PartialNonlocalMapping(_Mapping):
    """The mapping of the paper: a local branch, and a global one for what is damaged.

    "parallel" (equation 10)::

        F = keep * blocks(F) + (1 - keep) * partial_nonlocal(F, keep)

    "serial" (the authors' code)::

        F = blocks(keep * F + (1 - keep) * partial_nonlocal(F, keep))

    ``keep`` is 1 where a position is sound; with ``config.soft_mask`` it is the share of its pixels
    that are. With ``config.fill_holes`` what a hole holds is a guess worth keeping, so the global
    branch is added to the local one: blocks(F) or F stands above without the factor keep.

    With ``config.masked`` False nothing tells sound from damaged: keep is 1/2 everywhere, so that
    the attention believes every position alike and each position gets half of either branch.

    Args:
        config: sizes, the fusion, and whether the mask is used.
        authors_softmax: see ``PartialNonlocal``; True for the authors' checkpoints.

    Shape:
        latent and result: (B, latent_channels, h, w), no fixed range; scratch_mask: (B, 1, H, W)
        in [0, 1] at any size, 1 = damaged; None = no damage.

    Raises:
        InputError: if the latent or the mask has another shape.

    Source:
        The paper's section 3.2 and its architecture table; ``Mapping_Model_with_mask``.
    """

    def __init__(self, config: MappingConfig, authors_softmax: bool = False) -> None:
        super().__init__(config)
        self.partial_nonlocal = PartialNonlocal(
            config.width,
            num_blocks=config.num_global_blocks,
            norm=config.norm,
            authors_softmax=authors_softmax,
        )
        self.blocks = residual_blocks(config.num_blocks, config.width, config.norm)
        self._initialise()

    def forward(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return the latent of the clean photo."""
        keep = self.keep(latent, scratch_mask)
        features = self.widen(latent)
        if self.config.fusion == "parallel":
            fused = self._fuse(self.blocks(features), features, keep)
        elif self.config.fusion == "serial":
            fused = self.blocks(self._fuse(features, features, keep))
        else:
            raise InputError(f"fusion must be parallel or serial, got {self.config.fusion!r}")
        return self._finish(fused, latent)

    def keep(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return how far each position is believed, (B, 1, h, w) in [0, 1].

        Raises:
            InputError: if the latent or the mask has another shape.
        """
        mask, size = self._check(latent, scratch_mask), latent.shape[-2:]
        if not self.config.masked:
            return torch.full_like(latent[:, :1], 0.5)
        return (
            sound_share_at_latent(mask, size)
            if self.config.soft_mask
            else keep_at_latent(mask, size)
        )

    def _fuse(self, local: Tensor, features: Tensor, keep: Tensor) -> Tensor:
        # Without damage the global branch is multiplied by 0. In training it runs all the same:
        # with several processes, every weight must get a gradient, be it 0.
        if not torch.is_grad_enabled() and bool((keep == 1).all()):
            return local
        believed = local if self.config.fill_holes else local * keep
        return believed + self.partial_nonlocal(features, keep) * (1 - keep)


class PatchAttentionMapping(_Mapping):
    """The mapping for high resolution: residual blocks in four groups, patch attention between.

    Args:
        config: ``num_blocks`` is the number in all four groups together; ``num_global_blocks``,
            ``fusion`` and ``masked`` have no meaning here.

    Shape:
        latent and result: (B, latent_channels, h, w), no fixed range; scratch_mask: (B, 1, H, W)
        in [0, 1] at any size, 1 = damaged; None = no damage.

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
        self.groups = nn.ModuleList(
            residual_blocks(in_group, width, norm) for _ in range(num_groups)
        )
        self.attentions = nn.ModuleList(PatchAttention(width, size, norm) for size in PATCH_SIZES)
        self._initialise()

    def forward(self, latent: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Return the latent of the clean photo."""
        mask = self._check(latent, scratch_mask)
        reduced = F.interpolate(mask, latent.shape[-2:], mode="bilinear", align_corners=False)
        damaged = (reduced > 0).to(latent.dtype)
        features = self.groups[0](self.widen(latent))
        for attention, group in zip(self.attentions, self.groups[1:], strict=True):
            features = group(attention(features, damaged))
        return self._finish(features, latent)


def _convolutions(in_channels: int, widths: tuple[int, ...], norm: bool) -> nn.Sequential:
    """Return one convolution 3x3 with norm and ReLU per width."""
    ins = (in_channels, *widths)
    # Zeros, not reflection: the authors' checkpoints were trained so.
    return nn.Sequential(
        *(
            conv_norm_relu(before, after, norm=norm, padding_mode="zeros")
            for before, after in zip(ins, widths, strict=False)
        )
    )
