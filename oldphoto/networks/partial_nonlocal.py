"""The partial non-local block: damaged positions are rebuilt from sound ones, wherever they lie.

A plain implementation compares every position with every other and holds a table of HW x HW
numbers, several times over. This one does not: only sound positions are keys, queries go through in
chunks, and in training each chunk is computed again in the backward pass instead of being stored.
Memory grows with HW, not with its square; ``predict_memory`` gives both figures.

Time still grows with the square. For a large photo ``lend`` takes the keys from a lattice over the
whole photo, every second or third position and so on, so that their number stays the same and time
grows with HW, too.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from oldphoto.checks import InputError, require_features, require_positive
from oldphoto.networks.layers import residual_blocks

MAX_SCORES = 2**24
"""Scores (query x key) of one chunk. It bounds memory where PyTorch has no fused kernel."""

FEWEST_KEYS = 2**14
"""Positions that a lattice over a photo has at least. Below four times as many, 1024 x 1024 pixels,
the lattice is the photo itself: all positions lend."""

_MIN_CHUNK = 64  # queries; fewer would leave a processor idle, and this is linear in HW too
_FLOOR = 1e-12  # the authors' ``F.normalize`` never divides by less
_ROUND_TO = 128  # queries and keys, in half precision on a CPU
_ALIGNMENT = 8  # fused kernels on a GPU want the channels in a multiple of this


def validity_at_latent(scratch_mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the validity weight of each latent position: 1 = sound, 0 = damaged.

    A position is sound if the mask, reduced bilinearly, is exactly 0 there, and the nearest pixel
    is sound too. So the hole grows a little. At a reduction by 4 the two look at three of the four
    pixels along each axis: a scratch one pixel wide that lies on the fourth is missed.

    Args:
        scratch_mask: (B, 1, H, W) in [0, 1], 1 = damaged, at any size.
        size: (h, w) of the latent.

    Returns:
        (B, 1, h, w) in [0, 1]; only 0 and 1 if the mask has only these.

    Raises:
        InputError: if the mask is not (B, 1, H, W).

    Source:
        ``NonLocalBlock2D_with_mask_Res.forward`` of the authors' code.

    >>> mask = torch.zeros(1, 1, 8, 8)
    >>> mask[..., :2, :2] = 1
    >>> validity_at_latent(mask, (2, 2)).flatten().tolist()
    [0.0, 1.0, 1.0, 1.0]
    """
    require_features(scratch_mask, 1)
    touched = F.interpolate(scratch_mask, size, mode="bilinear", align_corners=False) > 0
    sound = F.interpolate(1 - scratch_mask, size, mode="nearest")  # (B, 1, h, w)
    return sound.masked_fill(touched, 0.0)


def soft_validity_at_latent(scratch_mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the share of sound pixels of each latent position: 1 = sound, 0 = damaged.

    Unlike ``validity_at_latent`` it misses no damaged pixel, and gives up no sound one for its
    neighbour.

    Args:
        scratch_mask: (B, 1, H, W) in [0, 1], 1 = damaged, at any size.
        size: (h, w) of the latent.

    Returns:
        (B, 1, h, w) in [0, 1].

    Raises:
        InputError: if the mask is not (B, 1, H, W).

    >>> mask = torch.zeros(1, 1, 8, 8)
    >>> mask[..., :2, :2] = 1
    >>> soft_validity_at_latent(mask, (2, 2)).flatten().tolist()
    [0.75, 1.0, 1.0, 1.0]
    """
    require_features(scratch_mask, 1)
    return F.adaptive_avg_pool2d(1 - scratch_mask, size)


@dataclass(frozen=True)
class Lenders:
    """Positions of a photo that lend, in a form as if they were a photo M high and 1 wide.

    Attributes:
        features: (B, C, M, 1).
        validity: (B, 1, M, 1) in [0, 1], 1 = sound.
    """

    features: Tensor
    validity: Tensor


def lattice_step(height: int, width: int) -> int:
    """Return the step of the lattice over h x w latent positions; 1 = every position lends.

    The step is the largest that leaves at least ``FEWEST_KEYS`` positions.

    >>> [lattice_step(side, side) for side in (64, 255, 256, 866, 1732)]
    [1, 1, 2, 6, 13]
    """
    return max(1, math.isqrt(height * width // FEWEST_KEYS))


def lend(features: Tensor, validity: Tensor, step: int, start: tuple[int, int] = (0, 0)) -> Lenders:
    """Return every ``step``-th position along both axes of a photo, or of a tile of it.

    Args:
        features: (B, C, h, w).
        validity: (B, 1, h, w) in [0, 1].
        step: of the lattice, 1 = all positions.
        start: row and column in the photo at which this tile begins. The lattice is the photo's,
            so tiles lend together what the photo lends.

    >>> lenders = lend(torch.zeros(1, 8, 4, 6), torch.ones(1, 1, 4, 6), step=2)
    >>> lenders.features.shape
    torch.Size([1, 8, 6, 1])
    """
    require_positive(step=step)
    rows, columns = (slice(-first % step, None, step) for first in start)
    lent = (part[..., rows, columns].flatten(2)[..., None] for part in (features, validity))
    return Lenders(*lent)


class PartialNonlocal(nn.Module):
    """The global branch: attention from every position to the sound ones, then residual blocks.

    With F_i the features of position i and validity_j = 1 - m_j::

        s_ij = validity_j f_ij / sum_k validity_k f_ik     equation 7
        f_ij = exp(query(F_i) . key(F_j))                  equation 8
        O_i  = project(sum_j s_ij value(F_j))              equation 9

    The scores are not divided by sqrt(channels). If nothing is sound, the sum over j is 0 and O_i
    is the bias of ``project``. The mapping fuses the result with its local branch (equation 10).

    Args:
        channels: channels C of the features.
        attention_channels: channels of query, key and value; None = C.
        num_blocks: residual blocks after the attention.
        norm: instance norm in the residual blocks.
        authors_softmax: True repeats the authors' arithmetic: softmax over ALL positions, times
            the validity, divided by max(sum, 1e-12). It is the same until damaged keys outweigh
            sound ones by more than exp(27); then the sum fades to 0. For their checkpoints.

    Shape:
        features and result: (B, C, h, w); validity: (B, 1, h, w) in [0, 1].

    Raises:
        InputError: if the shapes are others, or h or w is less than 2.

    Source:
        Wan et al. 2020, section 3.2, equations 7 to 9. The paper has 2 residual blocks after the
        attention, the authors' code 3; that holds four (hw x hw) arrays, this none.

    >>> block = PartialNonlocal(channels=8, num_blocks=1)
    >>> block(torch.zeros(1, 8, 4, 6), torch.ones(1, 1, 4, 6)).shape
    torch.Size([1, 8, 4, 6])
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

    def forward(self, features: Tensor, validity: Tensor, lenders: Lenders | None = None) -> Tensor:
        """Return the global branch, exact wherever validity < 1; the fusion drops the rest."""
        return self.blocks(self.attend(features, validity, self.needed(validity), lenders))

    def needed(self, validity: Tensor) -> Tensor:
        """Return the positions whose O_i can reach a damaged position, as bool (B, 1, h, w).

        Each 3x3 convolution of the residual blocks carries a value one position further. An
        instance norm carries it everywhere, so with norm it is all or, without damage, nothing.
        """
        damaged = (validity < 1).float()  # (B, 1, h, w)
        if self.norm and len(self.blocks):
            return damaged.amax(dim=(2, 3), keepdim=True).expand_as(validity) > 0
        reach = 2 * len(self.blocks)  # two convolutions in each block
        return F.max_pool2d(damaged, 2 * reach + 1, stride=1, padding=reach) > 0

    def attend(
        self,
        features: Tensor,
        validity: Tensor,
        needed: Tensor | None = None,
        lenders: Lenders | None = None,
    ) -> Tensor:
        """Return O of equation 9, (B, C, h, w).

        Args:
            features: (B, C, h, w).
            validity: (B, 1, h, w) in [0, 1], 1 = sound.
            needed: bool (B, 1, h, w); elsewhere O is the bias of ``project``. None = everywhere.
            lenders: the positions j that the sum runs over. None = those of ``features``, as in
                the paper.

        Raises:
            InputError: if the shapes are others.
        """
        self._check(features, validity)
        if needed is None:
            needed = torch.ones_like(validity, dtype=torch.bool)
        # One sample at a time: each has its own number of sound positions.
        lenders = lenders or Lenders(features, validity)
        samples = zip(features, needed, lenders.features, lenders.validity, strict=True)
        sums = torch.stack([self._attend_sample(*sample) for sample in samples])  # (B, c, h, w)
        return self.project(sums)  # eq. 9: O_i = project(sum_j s_ij value(F_j))

    def attention_row(
        self, features: Tensor, validity: Tensor, position: tuple[int, int], sample: int = 0
    ) -> Tensor:
        """Return s_ij of one chosen position i for all j: where does it borrow from?

        Args:
            features: (B, C, h, w).
            validity: (B, 1, h, w) in [0, 1], 1 = sound.
            position: (row, column) of i, in latent positions.
            sample: index in the batch.

        Returns:
            (h, w), not negative, 0 where validity is 0, sum 1 (0 if nothing is sound).

        Raises:
            InputError: if the position or the sample does not exist.
        """
        self._check(features, validity)
        batch, _, height, width = features.shape
        row, column = position
        if not (0 <= row < height and 0 <= column < width and 0 <= sample < batch):
            raise InputError(
                f"expected a position inside {(height, width)} of one of {batch} samples, "
                f"got position {position} of sample {sample}"
            )
        x, weights = features[sample : sample + 1], validity[sample].flatten()  # (1, C, h, w), (hw)
        query = self.query(x[:, :, row : row + 1, column : column + 1]).flatten()  # (c)
        keys = self.key(x).flatten(2)[0]  # (1, c, h, w) to (c, hw)
        scores = (query.float() @ keys.float()).to(weights.dtype)  # (hw), log of eq. 8
        if not self.authors_softmax:
            scores = scores.masked_fill(weights == 0, -torch.inf)
        share = torch.softmax(scores, dim=0) * weights  # softmax takes the exp
        share = share.nan_to_num(0.0)  # softmax of nothing but -inf: no position is sound
        return (share / share.sum().clamp(min=_FLOOR)).view(height, width)  # eq. 7

    def _check(self, features: Tensor, validity: Tensor) -> None:
        require_features(features, self.channels, min_size=2)
        expected = (features.shape[0], 1, *features.shape[-2:])
        if tuple(validity.shape) != expected:
            raise InputError(f"expected validity of shape {expected}, got {tuple(validity.shape)}")

    def _attend_sample(
        self, features: Tensor, needed: Tensor, lent: Tensor, validity: Tensor
    ) -> Tensor:
        """Return sum_j s_ij value(F_j) of one sample, (c, h, w); j runs over the lenders."""
        # Q queries are what the result needs; K keys are what may be borrowed.
        is_key = validity > 0
        if self.authors_softmax and bool(is_key.any()):
            is_key = torch.ones_like(is_key)  # their softmax runs over damaged keys, too
        queries_at = needed.flatten().nonzero()[:, 0]  # (Q)
        keys_at = is_key.flatten().nonzero()[:, 0]  # (K)
        q = _rows(self.query(features[None]), queries_at)  # (C, h, w) to (Q, c)
        k = _rows(self.key(lent[None]), keys_at)  # (K, c)
        v = _rows(self.value(lent[None]), keys_at)  # (K, c)
        weights = validity.flatten()[keys_at, None].to(v.dtype)  # (K, 1)
        # A softmax over sound keys alone is equation 7. Any other weight needs a second division.
        weighted = bool((weights != 1).any())
        sums = _weighted_attention(q, k, v, weights) if weighted else _attention(q, k, v)  # (Q, c)
        empty = sums.new_zeros(v.shape[1], needed.numel())  # (c, hw)
        return empty.index_copy(1, queries_at, sums.T).view(-1, *needed.shape[-2:])  # (c, h, w)


def _rows(maps: Tensor, positions: Tensor) -> Tensor:
    """Pick positions out of (1, c, h, w): the result is (positions, c), contiguous."""
    return maps.flatten(2)[0].T.index_select(0, positions)


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return softmax(q k^T) v for q (Q, c), k and v (K, c), chunk by chunk."""
    if q.shape[0] == 0 or k.shape[0] == 0:
        return torch.softmax(q @ k.T, dim=1) @ v  # no numbers inside: a sum over nothing is 0
    chunks = q.split(max(MAX_SCORES // k.shape[0], _MIN_CHUNK))
    if torch.is_grad_enabled() and len(chunks) > 1:
        # Without a fused kernel each chunk would store its scores for the backward pass, and all
        # chunks together are the square again. So the scores are dropped and computed twice.
        return torch.cat(
            [
                checkpoint(
                    _attention_chunk, chunk, k, v, use_reentrant=False, preserve_rng_state=False
                )
                for chunk in chunks
            ]
        )
    return torch.cat([_attention_chunk(chunk, k, v) for chunk in chunks])


def _attention_chunk(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    # The fused kernels take the softmax in float32, whatever the type of q, k and v is.
    if q.device.type == "cpu" and q.element_size() < 4:
        return _rounded_attention(q, k, v)
    q, k, v = q[None, None], k[None, None], v[None, None]  # (1, 1, Q or K, c)
    # softmax(q k^T) v in one kernel, without a table of all pairs: the sum of equation 9.
    return F.scaled_dot_product_attention(q, k, v, scale=1.0)[0, 0]  # (Q, c), eq. 7 and eq. 8


def _rounded_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return softmax(q k^T) v with the numbers of queries and keys rounded up.

    In half precision PyTorch's CPU kernel compiles a program for each new pair of these numbers and
    caches it for ever, and every mask has its own numbers: a long run would fill the memory. The
    added keys are masked, the rows of the added queries dropped.
    """
    num_queries, num_keys = q.shape[0], k.shape[0]
    q, k, v = (F.pad(part, (0, 0, 0, -part.shape[0] % _ROUND_TO)) for part in (q, k, v))
    mask = q.new_zeros(1, 1, 1, k.shape[0])  # the same for all queries
    mask[..., num_keys:] = -torch.inf
    q, k, v = q[None, None], k[None, None], v[None, None]  # (1, 1, Q or K rounded up, c)
    attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
    return attended[0, 0, :num_queries]  # (Q, c)


def _weighted_attention(q: Tensor, k: Tensor, v: Tensor, weights: Tensor) -> Tensor:
    """Return sum_j w_j p_ij v_j / max(sum_j w_j p_ij, 1e-12) with p = softmax over all keys.

    The divisor comes out of the same pass: it is the attention to the weights themselves, so
    they are one more channel of v.
    """
    spare = -(v.shape[1] + 1) % _ALIGNMENT
    v = F.pad(torch.cat([v * weights, weights], dim=1), (0, spare))  # (K, c + 1 + spare)
    q, k = (F.pad(part, (0, spare + 1)) for part in (q, k))  # zeros change no score
    sums = _attention(q, k, v)
    channels = sums.shape[1] - spare - 1
    divisor = sums[:, channels : channels + 1]
    if divisor.dtype == torch.float16:
        divisor = divisor.float()  # in float16 the floor would be 0
    return (sums[:, :channels] / divisor.clamp(min=_FLOOR)).to(v.dtype)  # eq. 7, soft validity


@dataclass(frozen=True)
class MemoryPrediction:
    """Bytes that the attention needs beside the features and the weights, without gradients.

    Attributes:
        naive_bytes: the four (HW x HW) arrays of the authors' code.
        actual_bytes: the largest sum of temporaries of ``PartialNonlocal.attend`` with a validity
            of 0 or 1; a soft one takes one more copy of queries, keys and values.
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

    >>> memory = predict_memory(256, 256)
    >>> memory.naive_bytes // 2**20, memory.actual_bytes // 2**20
    (256, 38)
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
