"""BM3D: remove noise by filtering stacks of similar blocks in three dimensions.

The package of the method's authors is for non-commercial use only, so this is an implementation
from the paper. There are two differences. Every stack has the full number of blocks, where the
paper leaves out those that are too different. Both steps use the cosine transform.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import dct
from scipy.linalg import hadamard

from oldphoto.checks import InputError, require_photo

BLOCK = 8
STEP = 3
NUM_BLOCKS = (16, 32)  # in a stack of the first and of the second step
THRESHOLD = 2.7  # of the first step, in standard deviations of the noise
_BAND = 8  # rows of reference blocks that are worked on at once, to bound the memory

# Luminance and two colour differences. Blocks are compared by luminance, which has least noise.
# The rows have length 1, so that the noise of each channel keeps its standard deviation.
_OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
_COSINES = dct(np.eye(BLOCK), axis=0, norm="ortho")
_WINDOW = np.outer(np.kaiser(BLOCK, 2.0), np.kaiser(BLOCK, 2.0)).astype(np.float32)


@dataclass(frozen=True)
class _Stacks:
    """Top left corners of the blocks of some stacks: rows and columns, each (n, blocks)."""

    rows: np.ndarray
    columns: np.ndarray


def bm3d(photo: np.ndarray, sigma: float, search: int = 12) -> np.ndarray:
    """Remove white noise of a known strength.

    Args:
        photo: (H, W, 3) uint8, both sides at least 8.
        sigma: standard deviation of the noise, in levels of 255; 0 returns the photo.
        search: how far similar blocks are searched in each direction, in pixels.

    Returns:
        (H, W, 3) uint8.

    Raises:
        InputError: if the photo is of another kind or too small, or sigma is negative.

    Source:
        Dabov et al. 2007 (doi 10.1109/TIP.2007.901238): figure 3 and table 1, colours as in
        section 5, with blocks compared by luminance alone.
    """
    require_photo(photo)
    if min(photo.shape[:2]) < BLOCK:
        raise InputError(f"BM3D needs sides of at least {BLOCK} pixels, got {photo.shape[:2]}")
    if sigma < 0:
        raise InputError(f"sigma must not be negative, got {sigma}")
    if sigma == 0:
        return photo.copy()
    noisy = np.einsum("oc,hwc->ohw", _OPPONENT, photo.astype(np.float32)).astype(np.float32)
    basic = _denoise(noisy, noisy, sigma, search, NUM_BLOCKS[0], is_first=True)
    final = _denoise(noisy, basic, sigma, search, NUM_BLOCKS[1], is_first=False)
    back = np.einsum("oc,ohw->hwc", _OPPONENT, final)  # the matrix is orthogonal
    return back.round().clip(0, 255).astype(np.uint8)


def _denoise(
    noisy: np.ndarray,
    guide: np.ndarray,
    sigma: float,
    search: int,
    num_blocks: int,
    is_first: bool,
) -> np.ndarray:
    """Filter all stacks and return the weighted mean of the overlapping blocks, (3, H, W)."""
    total = np.zeros_like(noisy, dtype=np.float64)
    weight = np.zeros(noisy.shape, dtype=np.float64)
    for stacks in _matched(guide[0], search, num_blocks):
        spectrum = _to_spectrum(_gather(noisy, stacks))
        if is_first:
            kept = np.abs(spectrum) > THRESHOLD * sigma
            filtered = spectrum * kept
            strength = 1 / np.maximum(kept.sum(axis=(2, 3, 4)), 1)
        else:
            energy = _to_spectrum(_gather(guide, stacks)) ** 2
            wiener = energy / (energy + sigma**2)  # eq. 8
            filtered = spectrum * wiener
            strength = 1 / np.maximum((wiener**2).sum(axis=(2, 3, 4)), 1e-6)
        _lay_back(_from_spectrum(filtered), strength, stacks, total, weight)
    return (total / weight).astype(np.float32)


def _matched(guide: np.ndarray, search: int, num_blocks: int) -> Iterator[_Stacks]:
    """Yield the blocks most similar to each reference block, band by band."""
    last_row, last_column = (side - BLOCK for side in guide.shape)
    all_rows = np.unique(np.append(np.arange(0, last_row + 1, STEP), last_row))
    columns = np.unique(np.append(np.arange(0, last_column + 1, STEP), last_column))
    # In a corner of a small photo few positions are in reach. Stacks stay a power of two.
    positions = min(last_row, search) + 1, min(last_column, search) + 1
    num_blocks = min(num_blocks, 2 ** int(np.log2(positions[0] * positions[1])))
    shifts = [
        (down, right) for down in range(-search, search + 1) for right in range(-search, search + 1)
    ]
    for start in range(0, len(all_rows), _BAND):
        rows = all_rows[start : start + _BAND]
        distances = np.stack(
            [_distances(guide, rows, columns, down, right) for down, right in shifts], axis=-1
        )
        distances[..., shifts.index((0, 0))] = -1  # a block is always in its own stack
        best = np.argpartition(distances, num_blocks - 1, axis=-1)[..., :num_blocks]
        moves = np.array(shifts)[best]
        yield _Stacks(
            (rows[:, None, None] + moves[..., 0]).reshape(-1, num_blocks),
            (columns[None, :, None] + moves[..., 1]).reshape(-1, num_blocks),
        )


def _distances(
    guide: np.ndarray, rows: np.ndarray, columns: np.ndarray, down: int, right: int
) -> np.ndarray:
    """Return the squared distance of each reference block to the block moved by (down, right).

    Returns:
        (len(rows), len(columns)); infinity where the moved block crosses the border.
    """
    found = np.full((len(rows), len(columns)), np.inf, np.float32)
    height, width = guide.shape
    inside_rows = (rows + down >= 0) & (rows + down + BLOCK <= height)
    inside_columns = (columns + right >= 0) & (columns + right + BLOCK <= width)
    if not inside_rows.any() or not inside_columns.any():
        return found
    rows, columns = rows[inside_rows], columns[inside_columns]
    top, bottom = rows[0], rows[-1] + BLOCK
    left, end = columns[0], columns[-1] + BLOCK
    moved = guide[top + down : bottom + down, left + right : end + right]
    square = (guide[top:bottom, left:end] - moved) ** 2
    # Anchor 0 puts the sum over a block at its top left corner.
    sums = cv2.boxFilter(square, -1, (BLOCK, BLOCK), anchor=(0, 0), normalize=False)
    found[np.ix_(inside_rows, inside_columns)] = sums[np.ix_(rows - top, columns - left)]
    return found


def _gather(photo: np.ndarray, stacks: _Stacks) -> np.ndarray:
    """Return the stacks' blocks, (3, n, blocks, 8, 8)."""
    return sliding_window_view(photo, (BLOCK, BLOCK), axis=(1, 2))[:, stacks.rows, stacks.columns]


def _to_spectrum(blocks: np.ndarray) -> np.ndarray:
    """Transform each block by cosines and each stack by Hadamard; both keep lengths."""
    cosines = _COSINES.astype(np.float32)
    return np.einsum(
        "st,cntuv->cnsuv", _hadamard(blocks.shape[2]), cosines @ blocks @ cosines.T, optimize=True
    )


def _from_spectrum(spectrum: np.ndarray) -> np.ndarray:
    cosines = _COSINES.astype(np.float32)
    blocks = np.einsum("st,cnsuv->cntuv", _hadamard(spectrum.shape[2]), spectrum, optimize=True)
    return cosines.T @ blocks @ cosines


def _hadamard(size: int) -> np.ndarray:
    return (hadamard(size) / np.sqrt(size)).astype(np.float32)


def _lay_back(
    blocks: np.ndarray,
    strength: np.ndarray,
    stacks: _Stacks,
    total: np.ndarray,
    weight: np.ndarray,
) -> None:
    """Add the weighted blocks to ``total`` and their weights to ``weight``, in place."""
    _, height, width = total.shape
    corners = stacks.rows * width + stacks.columns
    inside = (np.arange(BLOCK)[:, None] * width + np.arange(BLOCK)).ravel()
    places = (corners[..., None] + inside).ravel()
    for channel in range(len(total)):
        shares = strength[channel][:, None, None, None] * _WINDOW
        shares = np.broadcast_to(shares, blocks[channel].shape)
        for table, values in ((total, shares * blocks[channel]), (weight, shares)):
            sums = np.bincount(places, values.ravel(), height * width)
            table[channel] += sums.reshape(height, width)
