"""The partial non-local block: damaged positions are rebuilt from sound ones, wherever they lie.

A plain implementation compares every position with every other and holds a table of HW x HW
numbers, several times over. This one never does: keys are the sound positions alone, queries go
through in chunks, and in training each chunk is computed again in the backward pass instead of
being kept. Memory grows with HW, not with its square; ``predict_memory`` gives both figures.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from oldphoto.checks import InputError, require_features, require_positive
from oldphoto.networks.layers import residual_blocks

MAX_SCORES = 2**24
"""Scores (query x key) of one chunk. It bounds memory where PyTorch has no fused kernel."""

_MIN_CHUNK = 64  # queries; fewer would keep a processor waiting, and this is linear in HW too
_FLOOR = 1e-12  # the authors' ``F.normalize`` never divides by less
_ROUND_TO = 128  # queries and keys, in half precision on a CPU
_ALIGNMENT = 8  # fused kernels on a GPU want the channels in a multiple of this


def keep_at_latent(scratch_mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Reduce a scratch mask to the latent and turn it round: 1 = sound, 0 = damaged.

    A position is sound if the mask, reduced bilinearly, is exactly 0 there, and the nearest pixel
    is sound too. So the hole grows a little. At a reduction by 4 the two look at three of the four
    pixels along each axis: a scratch one pixel wide that lies on the fourth goes unseen.

    Args:
        scratch_mask: (B, 1, H, W) in [0, 1], 1 = damaged, at any size.
        size: (h, w) of the latent.

    Returns:
        keep: (B, 1, h, w) in [0, 1]; only 0 and 1 if the mask has only these.

    Raises:
        InputError: if the mask is not (B, 1, H, W).

    Source:
        ``NonLocalBlock2D_with_mask_Res.forward`` of the authors' code.
    """
    require_features(scratch_mask, 1)
    touched = F.interpolate(scratch_mask, size, mode="bilinear", align_corners=False) > 0
    sound = F.interpolate(1 - scratch_mask, size, mode="nearest")
    return sound.masked_fill(touched, 0.0)


def sound_share_at_latent(scratch_mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Reduce a scratch mask to the latent as shares: 1 = sound, 0 = damaged, between = in part.

    No damaged pixel goes unseen, and no sound one is given up for its neighbour's sake.

    Args:
        scratch_mask: (B, 1, H, W) in [0, 1], 1 = damaged, at any size.
        size: (h, w) of the latent.

    Returns:
        keep: (B, 1, h, w) in [0, 1], the share of each position's pixels that is sound.

    Raises:
        InputError: if the mask is not (B, 1, H, W).
    """
    require_features(scratch_mask, 1)
    return F.adaptive_avg_pool2d(1 - scratch_mask, size)


class PartialNonlocal(nn.Module):
    """The global branch: attention from every position to the sound ones, then residual blocks.

    With F_i the features of position i and keep_j = 1 - m_j::

        f_ij = exp(query(F_i) . key(F_j))
        s_ij = keep_j f_ij / sum_k keep_k f_ik
        O_i  = project(sum_j s_ij value(F_j))

    The scores are not divided by sqrt(channels). If nothing is sound, the sum over j is 0 and O_i
    is the bias of ``project``. The caller fuses: keep * local + (1 - keep) * this.

    Args:
        channels: channels C of the features.
        attention_channels: channels of query, key and value; None = C.
        num_blocks: residual blocks after the attention.
        norm: instance norm in the residual blocks.
        authors_softmax: True repeats the authors' arithmetic: softmax over ALL positions, times
            keep, divided by max(sum, 1e-12). It is the same until damaged keys win over sound
            ones by more than exp(27); then their sum fades to 0. For their checkpoints.

    Shape:
        features and result: (B, C, H, W); keep: (B, 1, H, W) in [0, 1].

    Raises:
        InputError: if the shapes are others, or H or W is less than 2.

    Source:
        The paper, section 3.2 (equations 8 to 10), with 2 residual blocks; the authors' code has 3.
        It holds four (HW x HW) arrays, this holds none.
    """

    def __init__(
        self,
        channels: int,
        attention_channels: int | None = None,
        num_blocks: int = 2,
        norm: bool = True,
        authors_softmax: bool = False,
    ) -> None:
        super().__init__()
        inner = channels if attention_channels is None else attention_channels
        require_positive(channels=channels, attention_channels=inner)
        self.channels = channels
        self.norm = norm
        self.authors_softmax = authors_softmax
        self.query = nn.Conv2d(channels, inner, kernel_size=1)  # theta
        self.key = nn.Conv2d(channels, inner, kernel_size=1)  # phi
        self.value = nn.Conv2d(channels, inner, kernel_size=1)  # mu
        self.project = nn.Conv2d(inner, channels, kernel_size=1)  # nu
        self.blocks = residual_blocks(num_blocks, channels, norm)

    def forward(self, features: Tensor, keep: Tensor) -> Tensor:
        """Return the global branch, exact wherever keep < 1; the rest is fused away."""
        return self.blocks(self.attend(features, keep, self.needed(keep)))

    def needed(self, keep: Tensor) -> Tensor:
        """Return, as bool (B, 1, H, W), the positions whose O_i can reach a damaged position.

        Each 3x3 convolution of the residual blocks carries a value one position further. An
        instance norm carries it everywhere, so with norm it is all or, without damage, nothing.
        """
        damaged = (keep < 1).float()
        if self.norm and len(self.blocks):
            return damaged.amax(dim=(2, 3), keepdim=True).expand_as(keep) > 0
        reach = 2 * len(self.blocks)
        return F.max_pool2d(damaged, 2 * reach + 1, stride=1, padding=reach) > 0

    def attend(self, features: Tensor, keep: Tensor, needed: Tensor | None = None) -> Tensor:
        """Return O (B, C, H, W) of the equations above.

        Args:
            features: (B, C, H, W).
            keep: (B, 1, H, W) in [0, 1], 1 = sound.
            needed: bool (B, 1, H, W); elsewhere O is the bias of ``project``. None = everywhere.
        """
        self._check(features, keep)
        if needed is None:
            needed = torch.ones_like(keep, dtype=torch.bool)
        # One sample at a time: each has its own number of sound positions.
        sums = [self._attend_sample(*sample) for sample in zip(features, keep, needed, strict=True)]
        return self.project(torch.stack(sums))

    def attention_row(
        self, features: Tensor, keep: Tensor, position: tuple[int, int], sample: int = 0
    ) -> Tensor:
        """Return s_ij of one chosen position i for all j: where does it borrow from?

        Args:
            features: (B, C, H, W).
            keep: (B, 1, H, W) in [0, 1], 1 = sound.
            position: (row, column) of i, in latent positions.
            sample: which one of the batch.

        Returns:
            (H, W), not negative, 0 where keep is 0, sum 1 (0 if nothing is sound).

        Raises:
            InputError: if the position or the sample does not exist.
        """
        self._check(features, keep)
        batch, _, height, width = features.shape
        row, column = position
        if not (0 <= row < height and 0 <= column < width and 0 <= sample < batch):
            raise InputError(
                f"expected a position inside {(height, width)} of one of {batch} samples, "
                f"got position {position} of sample {sample}"
            )
        x, weights = features[sample : sample + 1], keep[sample].flatten()
        query = self.query(x[:, :, row : row + 1, column : column + 1]).flatten()
        scores = (query.float() @ self.key(x).flatten(2)[0].float()).to(weights.dtype)
        if not self.authors_softmax:
            scores = scores.masked_fill(weights == 0, -torch.inf)
        share = torch.softmax(scores, dim=0) * weights
        share = share.nan_to_num(0.0)  # softmax of nothing but -inf: no position is sound
        return (share / share.sum().clamp(min=_FLOOR)).view(height, width)

    def _check(self, features: Tensor, keep: Tensor) -> None:
        require_features(features, self.channels, min_size=2)
        expected = (features.shape[0], 1, *features.shape[-2:])
        if tuple(keep.shape) != expected:
            raise InputError(f"expected keep of shape {expected}, got {tuple(keep.shape)}")

    def _attend_sample(self, features: Tensor, keep: Tensor, needed: Tensor) -> Tensor:
        """Return sum_j s_ij value(F_j) of one sample: (C, H, W) and two (1, H, W) to (c, H, W)."""
        queries_at = needed.flatten().nonzero()[:, 0]
        everywhere = self.authors_softmax and bool((keep > 0).any())
        keys_at = (torch.ones_like(keep) if everywhere else keep > 0).flatten().nonzero()[:, 0]
        q = _rows(self.query(features[None]), queries_at)
        k = _rows(self.key(features[None]), keys_at)
        v = _rows(self.value(features[None]), keys_at)
        weights = keep.flatten()[keys_at, None].to(v.dtype)  # (K, 1)
        # A softmax over sound keys only is the answer. Any other weight needs the second division.
        weighted = bool((weights != 1).any())
        sums = _weighted_attention(q, k, v, weights) if weighted else _attention(q, k, v)
        empty = sums.new_zeros(v.shape[1], keep.numel())
        return empty.index_copy(1, queries_at, sums.T).view(-1, *keep.shape[-2:])


def _rows(maps: Tensor, positions: Tensor) -> Tensor:
    """Pick positions out of (1, C, H, W): the result is (positions, C), contiguous."""
    return maps.flatten(2)[0].T.index_select(0, positions)


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return softmax(q k^T) v for q (Q, c), k and v (K, c), chunk by chunk."""
    if q.shape[0] == 0 or k.shape[0] == 0:
        return torch.softmax(q @ k.T, dim=1) @ v  # no numbers inside: a sum over nothing is 0
    chunks = q.split(max(MAX_SCORES // k.shape[0], _MIN_CHUNK))
    if torch.is_grad_enabled() and len(chunks) > 1:
        # Without a fused kernel each chunk would keep its scores for the backward pass, and all
        # chunks together are the square again. So: forget them, and compute them twice.
        options = dict(use_reentrant=False, preserve_rng_state=False)
        return torch.cat([checkpoint(_attention_chunk, c, k, v, **options) for c in chunks])
    return torch.cat([_attention_chunk(c, k, v) for c in chunks])


def _attention_chunk(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    # The fused kernels take the softmax in float32, whatever the type of q, k and v is.
    if q.device.type == "cpu" and q.element_size() < 4:
        return _rounded_attention(q, k, v)
    batched = (part[None, None] for part in (q, k, v))
    return F.scaled_dot_product_attention(*batched, scale=1.0)[0, 0]


def _rounded_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return softmax(q k^T) v with the numbers of queries and keys rounded up.

    In half precision PyTorch's kernel for processors makes a program for each new pair of these
    numbers and never lets go of it, and every mask has numbers of its own: a long run would fill
    the memory. The added keys are masked, the rows of the added queries dropped.
    """
    num_queries, num_keys = q.shape[0], k.shape[0]
    q, k, v = (F.pad(part, (0, 0, 0, -part.shape[0] % _ROUND_TO)) for part in (q, k, v))
    mask = q.new_zeros(1, k.shape[0])
    mask[:, num_keys:] = -torch.inf
    batched = (part[None, None] for part in (q, k, v))
    attended = F.scaled_dot_product_attention(*batched, attn_mask=mask[None, None], scale=1.0)
    return attended[0, 0, :num_queries]


def _weighted_attention(q: Tensor, k: Tensor, v: Tensor, weights: Tensor) -> Tensor:
    """Return sum_j w_j p_ij v_j / max(sum_j w_j p_ij, 1e-12) with p = softmax over all keys.

    The divisor comes out of the same pass: it is the attention to the weights themselves, so
    they travel as one more channel of v.
    """
    spare = -(v.shape[1] + 1) % _ALIGNMENT
    v = F.pad(torch.cat([v * weights, weights], dim=1), (0, spare))
    q, k = (F.pad(part, (0, spare + 1)) for part in (q, k))  # zeros change no score
    sums = _attention(q, k, v)
    channels = sums.shape[1] - spare - 1
    divisor = sums[:, channels : channels + 1]
    if divisor.dtype == torch.float16:
        divisor = divisor.float()  # in float16 the floor would be 0
    return (sums[:, :channels] / divisor.clamp(min=_FLOOR)).to(v.dtype)


@dataclass(frozen=True)
class MemoryPrediction:
    """Bytes that the attention needs beside the features and the weights, without gradients.

    Attributes:
        naive_bytes: the four (HW x HW) arrays of the authors' code.
        actual_bytes: the largest sum of temporaries of ``PartialNonlocal.attend`` where keep is 0
            or 1; shares between them take one more copy of queries, keys and values.
    """

    naive_bytes: int
    actual_bytes: int


def predict_memory(
    height: int,
    width: int,
    channels: int = 512,
    batch: int = 1,
    damaged_share: float = 0.1,
    bytes_per_value: int = 4,
    reduction: int = 4,
) -> MemoryPrediction:
    """Predict the memory of the attention for a photo, the naive way and ours.

    Args:
        height: of the photo, in PIXELS; the latent has height / reduction rows.
        width: of the photo, in pixels.
        channels: channels of features and attention.
        batch: photos at a time.
        damaged_share: share of damaged positions, in [0, 1]; they are queries, never keys.
        bytes_per_value: 4 = float32, 2 = float16 or bfloat16.
        reduction: pixels per latent position along each axis.

    Raises:
        InputError: if a number is out of its range.
    """
    require_positive(
        height=height, width=width, channels=channels, batch=batch, reduction=reduction
    )
    if not 0 <= damaged_share <= 1:
        raise InputError(f"damaged_share must lie in [0, 1], got {damaged_share}")
    positions = max(height // reduction, 1) * max(width // reduction, 1)
    keys = round(positions * (1 - damaged_share))
    naive = 4 * batch * positions**2
    # Queries, the sums in chunks and joined, or joined and laid out: 3; keys and values: 2;
    # the sums of all samples, and at last stacked and projected: 2 more of the whole batch.
    largest_sample = 3 * positions + 2 * keys + (batch - 1) * positions
    actual = channels * max(largest_sample, 3 * batch * positions)
    return MemoryPrediction(naive * bytes_per_value, actual * bytes_per_value)
