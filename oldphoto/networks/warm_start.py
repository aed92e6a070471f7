"""Let one form of the mapping begin as another that is trained already.

All three forms share their convolutions and residual blocks. What a larger form has beside these
begins as a layer that changes nothing, so at its first step it computes what the trained one does,
and training goes on from there instead of from noise.
"""

import torch
from torch import nn

from oldphoto.checks import InputError
from oldphoto.networks.mapping import PartialNonlocalMapping, PatchAttentionMapping, PlainMapping
from oldphoto.networks.patch_attention import PatchAttention


def plain_from(trained: PartialNonlocalMapping) -> PlainMapping:
    """Return the plain mapping that computes what a trained one computes for sound photos.

    Raises:
        InputError: if the fusion of the trained one is not "serial": only there do all features
            pass through the same residual blocks as in the plain form.
    """
    _require_serial(trained)
    plain = PlainMapping(trained.config)
    _copy_ends(trained, plain)
    plain.blocks.load_state_dict(trained.blocks.state_dict())
    return plain.eval()


def patch_attention_from(
    trained: PartialNonlocalMapping, grown: PatchAttentionMapping
) -> PatchAttentionMapping:
    """Let a mapping with patch attention begin as a trained one, and return it.

    Residual blocks beyond the trained ones begin as the identity, and each patch attention returns
    the features it is given: at first the copies have no weight.

    Args:
        trained: its fusion is "serial".
        grown: of the same widths, with at least as many residual blocks; it is changed in place.

    Raises:
        InputError: if the two do not fit together.

    Source:
        The idea of Chen et al. 2016, "Net2Net" (arXiv 1511.05641): a deeper network begins as the
        function of a shallower one.
    """
    _require_serial(trained)
    blocks = [block for group in grown.groups for block in group]
    if len(blocks) < len(trained.blocks):
        raise InputError(
            f"expected at least {len(trained.blocks)} residual blocks, as the trained mapping has, "
            f"got {len(blocks)}"
        )
    _copy_ends(trained, grown)
    for block, before in zip(blocks, trained.blocks, strict=False):
        block.load_state_dict(before.state_dict())
    for block in blocks[len(trained.blocks) :]:
        nn.init.zeros_(block.conv2.weight)  # y = x + 0
        nn.init.zeros_(block.conv2.bias)
    for attention in grown.attentions:
        _pass_through(attention)
    return grown.eval()


def _require_serial(trained: PartialNonlocalMapping) -> None:
    if trained.config.fusion != "serial":
        raise InputError(
            "another form of the mapping can begin from one whose fusion is serial, got "
            f"{trained.config.fusion}"
        )


def _copy_ends(trained: nn.Module, begun: nn.Module) -> None:
    """Copy the convolutions before and after the residual blocks."""
    for name in ("widen", "narrow", "to_latent"):
        try:
            getattr(begun, name).load_state_dict(getattr(trained, name).state_dict())
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise InputError(f"the two mappings differ in {name}: {reason}") from error


@torch.no_grad()
def _pass_through(attention: PatchAttention) -> None:
    """Let the last convolution return the features alone, without copies and mask."""
    centre = attention.combine.kernel_size[0] // 2
    attention.combine.weight.zero_()
    attention.combine.bias.zero_()
    for channel in range(attention.channels):
        attention.combine.weight[channel, channel, centre, centre] = 1
