"""Multi-scale patch attention: patches of a hole are replaced by the most similar sound patches.

The high-resolution variant uses it instead of the partial non-local block. It compares patches,
not positions, and copies the single best one, so it is cheaper and its output sharper.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.checks import require_mask, require_positive
from oldphoto.networks.layers import ResidualBlock

MASKED_SHARE = 0.6
"""A patch counts as masked if more than this share of its positions is damaged."""

MAX_SCORES = 2**24
"""Similarities (patch x patch) computed at once."""


class PatchAttention(nn.Module):
    """Replace masked patches by copies of the most similar sound patch, then combine by a 3x3.

    1. x = residual block(features)
    2. x is cut into patches of ``patch_size`` x ``patch_size`` without overlap.
    3. Every masked patch becomes a copy of the sound patch of greatest cosine similarity.
    4. The result is a convolution of features, copies and mask, concatenated.

    The choice itself has no gradient; the copied values have. If no patch is sound, or none is
    masked, nothing is copied.

    Args:
        channels: channels C of the features.
        patch_size: side of a patch in latent positions.
        norm: instance norm in the residual block.

    Shape:
        features and result: (B, C, H, W), H and W of any size from 2 on; damaged: (B, 1, H, W) in
        {0, 1}, 1 = damaged.

    Raises:
        InputError: if the shapes are others.

    Source:
        ``Patch_Attention_4`` of the authors' code, in its ``inference_forward``. That takes one
        photo at a time, leaves zeros at the right and lower border where the side is no multiple
        of the patch, and fails if no patch is sound. Here such a border patch is compared by the
        part that exists; it may receive a copy, cropped, but is never copied from.

    >>> attention = PatchAttention(channels=8, patch_size=4)
    >>> attention(torch.zeros(1, 8, 10, 12), torch.zeros(1, 1, 10, 12)).shape
    torch.Size([1, 8, 10, 12])
    """

    def __init__(self, channels: int, patch_size: int, norm: bool = True) -> None:
        super().__init__()
        require_positive(channels=channels, patch_size=patch_size)
        self.channels = channels
        self.patch_size = patch_size
        self.block = ResidualBlock(channels, norm)
        self.combine = nn.Conv2d(2 * channels + 1, channels, kernel_size=3, padding=1)

    def forward(self, features: Tensor, damaged: Tensor) -> Tensor:
        copies = self.compose(self.block(features), damaged)
        # (B, 2 C + 1, H, W): the convolution decides how much of a copy to take.
        return self.combine(torch.cat([features, copies, damaged.to(features.dtype)], dim=1))

    def compose(self, x: Tensor, damaged: Tensor) -> Tensor:
        """Return x (B, C, H, W) with its masked patches replaced: steps 2 and 3."""
        require_mask(damaged, like=x)
        height, width = x.shape[-2:]
        size = self.patch_size
        filled = (0, -width % size, 0, -height % size)
        padded = F.pad(x, filled)
        patches = F.unfold(padded, size, stride=size)  # (B, C * size^2, N) with N patches
        # ``present`` is the part of a border patch inside the photo, so that padding counts neither
        # as sound nor as damaged.
        present = self._patch_means(F.pad(torch.ones_like(damaged).float(), filled))  # (B, N)
        masked = self._patch_means(F.pad(damaged.float(), filled)) / present > MASKED_SHARE
        complete = present == 1
        # One photo at a time: each has its own number of masked patches.
        samples = zip(patches, masked, complete & ~masked, strict=True)
        composed = torch.stack([_copy_most_similar(*sample) for sample in samples])
        folded = F.fold(composed, padded.shape[-2:], size, stride=size)  # (B, C, H, W), padded
        return folded[..., :height, :width]

    def _patch_means(self, mask: Tensor) -> Tensor:
        """Return the mean of each patch: (B, 1, H, W) to (B, patches)."""
        values = F.unfold(mask, self.patch_size, stride=self.patch_size)  # (B, size^2, patches)
        return values.mean(dim=1)


def _copy_most_similar(patches: Tensor, masked: Tensor, sound: Tensor) -> Tensor:
    """Replace the masked columns of patches (values, N) by the sound one most similar to each.

    Similarity is the cosine. The length of the masked patch does not change which sound one is
    best, so only the sound ones are normalised.
    """
    queries_at, keys_at = masked.nonzero()[:, 0], sound.nonzero()[:, 0]  # (Q), (K)
    if not len(queries_at) or not len(keys_at):
        return patches
    with torch.no_grad():  # an argmax has no gradient
        keys = F.normalize(patches[:, keys_at].float(), dim=0)  # (values, K)
        queries = patches[:, queries_at].float().T  # (Q, values)
        chunks = queries.split(max(MAX_SCORES // len(keys_at), 1))
        best = torch.cat([(chunk @ keys).argmax(dim=1) for chunk in chunks])  # (Q)
    return patches.index_copy(1, queries_at, patches[:, keys_at[best]])
