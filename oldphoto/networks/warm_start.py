"""Warm start: let one mapping begin as the function of another that is trained already.

All mappings share their convolutions and residual blocks. What a larger one has in addition begins
as a layer that changes nothing, so that training goes on from the trained function instead of from
random weights.
"""

from itertools import chain
from typing import cast

import torch
from torch import Tensor, nn

from oldphoto.checks import InputError
from oldphoto.networks.layers import ResidualBlock
from oldphoto.networks.mapping import (
    LatentMapping,
    PaperMapping,
    PartialNonlocalMapping,
    PatchAttentionMapping,
    PlainMapping,
)
from oldphoto.networks.patch_attention import PatchAttention


def plain_from(trained: PartialNonlocalMapping) -> PlainMapping:
    """Return the plain mapping that computes what a trained one computes for sound photos.

    Raises:
        InputError: if the trained one has the form "paper". In the other forms all features pass
            through the same residual blocks as in the plain mapping.

    >>> from oldphoto.config import TINY
    >>> from oldphoto.networks.mapping import scratch_mapping
    >>> trained, latent = scratch_mapping(TINY.mapping), torch.ones(1, 16, 4, 4)
    >>> torch.equal(plain_from(trained)(latent), trained(latent))
    True
    """
    _require_serial(trained)
    plain = PlainMapping(trained.config)  # the form comes along: it decides about filled holes
    _copy_ends(trained, plain)
    plain.blocks.load_state_dict(trained.blocks.state_dict())
    return plain.eval()


def patch_attention_from(
    trained: PartialNonlocalMapping, grown: PatchAttentionMapping
) -> PatchAttentionMapping:
    """Let a mapping with patch attention begin as a trained one, and return it.

    Residual blocks beyond the trained ones begin as the identity. Each patch attention begins by
    returning its input: the copies have no weight at first.

    Args:
        trained: of any form but "paper".
        grown: of the same widths, with at least as many residual blocks; it is changed in place.

    Raises:
        InputError: if the two do not fit together.

    Source:
        The idea of Chen et al. 2016, "Net2Net" (arXiv 1511.05641): a deeper network begins as the
        function of a shallower one.
    """
    _require_serial(trained)
    groups = cast("list[nn.Sequential]", list(grown.groups))
    blocks = cast("list[ResidualBlock]", list(chain.from_iterable(groups)))
    if len(blocks) < len(trained.blocks):
        raise InputError(
            f"expected at least {len(trained.blocks)} residual blocks, as the trained mapping has, "
            f"got {len(blocks)}"
        )
    _copy_ends(trained, grown)
    # The trained blocks come first, so that the patch attentions lie between them.
    for block, before in zip(blocks, trained.blocks, strict=False):
        block.load_state_dict(before.state_dict())
    for block in blocks[len(trained.blocks) :]:
        _zero(block.conv2)  # y = x + 0
    for attention in cast("list[PatchAttention]", list(grown.attentions)):
        _pass_through(attention)
    return grown.eval()


def _require_serial(trained: PartialNonlocalMapping) -> None:
    if isinstance(trained, PaperMapping):
        raise InputError(
            'another mapping can begin as one of form "serial" or "ours", got "paper": its local '
            "and its global branch run side by side"
        )


def _copy_ends(trained: LatentMapping, begun: LatentMapping) -> None:
    """Copy the convolutions before and after the residual blocks."""
    for name in ("widen", "narrow", "to_latent"):
        try:
            begun.get_submodule(name).load_state_dict(trained.get_submodule(name).state_dict())
        except RuntimeError as error:  # PyTorch lists the misfits over several lines
            reason = " ".join(str(error).split())
            raise InputError(f"the two mappings differ in {name}: {reason}") from error


@torch.no_grad()
def _pass_through(attention: PatchAttention) -> None:
    """Let the last convolution return the features alone, without copies and mask."""
    _zero(attention.combine)
    centre = attention.combine.kernel_size[0] // 2  # a 3x3 kernel with 1 in the middle
    for channel in range(attention.channels):  # the first C of its 2 C + 1 inputs are the features
        attention.combine.weight[channel, channel, centre, centre] = 1


def _zero(conv: nn.Conv2d) -> None:
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(cast(Tensor, conv.bias))
