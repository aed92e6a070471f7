"""Predict the memory that restoring a photo takes, and cut the photo into tiles that fit."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from oldphoto.checks import GIB, InputError
from oldphoto.inference.tiling import Tiling, even_tile, tile_places, tile_starts
from oldphoto.networks.restoration import RestorationNetwork

# Measured with tests/benchmarks/bench_restore_memory.py on a CPU, rounded up: how many outputs of
# the widest layer are in memory at once, including padded copies and the library's workspace.
VAE_COPIES = 4.2
MAPPING_COPIES = 5.0
ATTENTION_COPIES = 5.5
VALUE_BYTES = 4  # autocast to bfloat16 keeps copies in both types and hardly saves anything
PHOTO_BYTES = 40  # per pixel: the photo, its mask, the result and their copies, whole
TILE_BYTES = 5 << 28  # where tiles change nothing, none takes more, however much memory is free
FIXED_BYTES = 32 << 20  # whatever the size: buffers of the library, one chunk of attention scores

BLEND_RAMP = 64
BLEND_MARGIN = 32  # for networks whose every output depends on every input; no margin is exact
LEAST_TILE = 256


@dataclass(frozen=True)
class WorkingMemory:
    """Memory prediction from the widest layer of each network.

    Attributes:
        vae_features: feature values per photo pixel in the widest layer of the VAEs.
        mapping_features: the same of the mapping.

    Example:
        >>> memory = WorkingMemory(vae_features=4.0, mapping_features=8.0)
        >>> f"{memory.predict_bytes(1000, 1000) / GIB:.2f} GiB"
        '0.22 GiB'
    """

    vae_features: float
    mapping_features: float

    @classmethod
    def measure(cls, network: RestorationNetwork) -> "WorkingMemory":
        """Run the network on one small grey photo and record the sizes of its layers' outputs."""
        side = 16 * network.size_multiple
        encoder, mapping, decoder = network.used
        vae_sizes: list[int] = []
        mapping_sizes: list[int] = []
        handles = [*_watch(encoder, vae_sizes), *_watch(decoder, vae_sizes)]
        handles += _watch(mapping, mapping_sizes)
        first = next(network.parameters())
        try:
            with torch.no_grad():
                network(first.new_zeros(1, 3, side, side))
        finally:
            for handle in handles:
                handle.remove()
        return cls(max(vae_sizes) / side**2, max(mapping_sizes) / side**2)

    def bytes_per_pixel(self, with_mask: bool) -> int:
        """Return the bytes that one pixel of a tile takes during the computation."""
        copies = MAPPING_COPIES + (ATTENTION_COPIES if with_mask else 0)
        values = max(VAE_COPIES * self.vae_features, copies * self.mapping_features)
        return math.ceil(VALUE_BYTES * values)

    def predict_bytes(self, height: int, width: int, with_mask: bool = False) -> int:
        """Return the memory that restoring one photo in one piece adds to the loaded network."""
        return FIXED_BYTES + height * width * (PHOTO_BYTES + self.bytes_per_pixel(with_mask))


def plan_tiling(
    network: RestorationNetwork,
    memory: WorkingMemory,
    shape: tuple[int, ...],
    with_mask: bool,
    budget: int,
) -> Tiling | None:
    """Return how to cut a photo so that the work stays within ``budget`` bytes.

    Args:
        shape: (B, 3, H, W) of the padded photo.
        with_mask: whether a scratch mask comes with it.

    Returns:
        The tiling; None if the photo fits in one piece.

    Raises:
        InputError: if not even the smallest sensible tile fits.
    """
    batch, _, height, width = shape
    if batch * memory.predict_bytes(height, width, with_mask) <= budget:
        return None
    # With a margin as wide as the network's reach, tiles give exactly what one piece gives.
    margin = BLEND_MARGIN if network.reach is None else network.reach
    # Exact tiles are alike where they overlap; only with a mask may they differ there.
    ramp = BLEND_RAMP if with_mask or network.reach is None else network.size_multiple
    overlap = 2 * margin + ramp
    least = max(LEAST_TILE, 2 * overlap)
    per_pixel = batch * memory.bytes_per_pixel(with_mask)
    whole = FIXED_BYTES + batch * PHOTO_BYTES * height * width
    pixels = max(0, budget - whole) // per_pixel
    tile = _best_tile((height, width), pixels, least, overlap, network.size_multiple)
    if tile is None:
        need = whole + per_pixel * min(least, height) * min(least, width)
        raise InputError(
            f"restoring {width} x {height} pixels needs {need / GIB:.2f} GiB even in tiles, but "
            f"only {budget / GIB:.2f} GiB are left for it: allow more memory or reduce the photo"
        )
    return Tiling(tile, margin, ramp)


def tiling_note(
    network: RestorationNetwork, size: tuple[int, int], tiling: Tiling, borrows_in_tile: bool
) -> str | None:
    """Return a sentence that says how tiling changes the result; None where it does not.

    ``borrows_in_tile``: damage is filled from the tile alone, not from the whole photo.
    """
    if network.reach is None:
        change = "the network's norms see one tile at a time, so tones may differ a little"
    elif borrows_in_tile:
        change = "damaged areas borrow only from their own tile; away from them nothing changes"
    else:
        return None
    num_tiles = sum(1 for _ in tile_places(size, tiling))
    return (
        f"{size[1]} x {size[0]} pixels do not fit into the memory at once and were restored in "
        f"{num_tiles} overlapping tiles: {change}"
    )


def _watch(part: nn.Module, sizes: list[int]) -> list[torch.utils.hooks.RemovableHandle]:
    def note(_layer: nn.Module, _inputs: tuple, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel())

    return [layer.register_forward_hook(note) for layer in part.modules()]


def _best_tile(
    size: tuple[int, int], pixels: int, least: int, overlap: int, multiple: int
) -> tuple[int, int] | None:
    """Return the tile of at most ``pixels`` with the least work for all; None if there is none."""
    height, width = size
    found: list[tuple[int, tuple[int, int]]] = []  # pixels of all tiles, and the tile
    most_rows = len(tile_starts(height, least, overlap))
    for num_rows in range(1, most_rows + 1):
        rows = math.ceil((height + (num_rows - 1) * overlap) / num_rows / multiple) * multiple
        longest = min(width, pixels // rows // multiple * multiple)
        if longest < min(least, width):
            continue
        columns = even_tile(width, longest, overlap, multiple)
        num_columns = len(tile_starts(width, columns, overlap))
        found.append((num_rows * rows * num_columns * columns, (rows, columns)))
    return min(found)[1] if found else None
