"""Uncertainty of a restoration: samples of the latent, their spread, and the true error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from oldphoto.checks import InputError, require_positive
from oldphoto.course.figures import COLOURS, STYLE
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.samples import sample_sources

BLOCK = 8  # pixels: spread and error are compared in squares of this side
_STRIPE = 10  # pixels between two stripes of the overlay
INVENTED = (213, 94, 0)  # the palette's red


@torch.no_grad()
def sample_restorations(
    network: RestorationNetwork,
    damaged: np.ndarray,
    mask: np.ndarray | None,
    num_samples: int = 16,
    seed: int = 0,
) -> Tensor:
    """Restore one photo several times, each with other noise on its latent.

    The VAE was trained with noise of variance 1 on its latents, so a latent and the same latent
    plus such noise stand for the same photo. We draw z = E(x) + epsilon, map it and decode it.

    Args:
        network: in evaluation mode, on the CPU.
        damaged: uint8 (H, W, 3), the hole white, sides multiples of 4.
        mask: bool (H, W), or None.

    Returns:
        (num_samples, 3, H, W) in [-1, 1].
    """
    require_positive(num_samples=num_samples)
    scratch_mask = None if mask is None else mask_to_tensor(mask)
    prepared = network.mapping.prepare(to_tensor(damaged), scratch_mask)
    mean, log_var = network.vae_degraded.encode_moments(prepared)
    generator = torch.Generator().manual_seed(seed)
    samples = []
    for _ in range(num_samples):
        noise = torch.randn(mean.shape, generator=generator)
        latent = network.mapping(mean + (0.5 * log_var).exp() * noise, scratch_mask)
        samples.append(network.vae_clean.decode(latent))
    return torch.cat(samples)


def spread_of(samples: Tensor) -> np.ndarray:
    """Return the standard deviation of (N, 3, H, W) over N, as a mean over the colours.

    Returns:
        float (H, W), in levels of 255.
    """
    return (127.5 * samples.std(dim=0).mean(dim=0)).numpy()


def error_of(samples: Tensor, clean: np.ndarray) -> np.ndarray:
    """Return the error of the mean of the samples, float (H, W), in levels of 255."""
    mean = samples.mean(dim=0)
    return (127.5 * (mean - to_tensor(clean)[0]).abs().mean(dim=0)).numpy()


def in_blocks(values: np.ndarray, block: int = BLOCK) -> np.ndarray:
    """Return the mean over squares of ``block`` pixels; incomplete squares are left out.

    Example:
        >>> in_blocks(np.arange(16.0).reshape(4, 4), block=2)
        array([[ 2.5,  4.5],
               [10.5, 12.5]])
    """
    rows, columns = (side // block for side in values.shape)
    cut = values[: rows * block, : columns * block].astype(float)
    return cut.reshape(rows, block, columns, block).mean(axis=(1, 3))


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's correlation of two arrays of one shape: 1 = the same order, 0 = none.

    Raises:
        InputError: if the shapes differ, or one of them is constant.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 100.0]))
        1.0
    """
    if first.shape != second.shape:
        raise InputError(f"expected two arrays of one shape, got {first.shape}, {second.shape}")
    from scipy.stats import rankdata

    ranks = [rankdata(values) - (values.size + 1) / 2 for values in (first.ravel(), second.ravel())]
    scale = np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
    if not scale:
        raise InputError("expected values that differ, got a constant")
    return float((ranks[0] * ranks[1]).sum() / scale)


@dataclass(frozen=True)
class Doubt:
    """Spread of the samples of one photo, compared with the true error.

    Attributes:
        correlation: of spread and error over blocks, ``rank_correlation``.
        spread_inside, spread_outside: mean spread in the hole and elsewhere, grey levels.
        error_inside, error_outside: mean error, grey levels.
        covered_inside, covered_outside: fraction of the true values within two spreads of the mean.
    """

    correlation: float
    spread_inside: float
    spread_outside: float
    error_inside: float
    error_outside: float
    covered_inside: float
    covered_outside: float


def measure_doubt(samples: Tensor, clean: np.ndarray, mask: np.ndarray) -> Doubt:
    """Compare the spread of the samples with their error, inside and outside the mask."""
    spread, error = spread_of(samples), error_of(samples, clean)
    covered = covered_map(samples, clean)
    return Doubt(
        rank_correlation(in_blocks(spread), in_blocks(error)),
        *(float(values[where].mean()) for values in (spread, error) for where in (mask, ~mask)),
        *(float(covered[where].mean()) for where in (mask, ~mask)),
    )


def covered_map(samples: Tensor, clean: np.ndarray, width: float = 2.0) -> np.ndarray:
    """Return the fraction of the colours of each pixel within ``width`` spreads, float (H, W)."""
    mean, std = samples.mean(dim=0), samples.std(dim=0)
    within = (to_tensor(clean)[0] - mean).abs() <= width * std
    return within.float().mean(dim=0).numpy()


def doubt_table(doubts: Mapping[str, Doubt]) -> list[dict[str, str]]:
    """Return one table row per photo, and one for the mean."""
    mean = Doubt(*np.mean([list(vars(d).values()) for d in doubts.values()], axis=0))
    return [
        {
            "photo": name,
            "correlation": f"{d.correlation:.2f}",
            "spread in the hole": f"{d.spread_inside:.1f}",
            "error in the hole": f"{d.error_inside:.1f}",
            "spread elsewhere": f"{d.spread_outside:.1f}",
            "error elsewhere": f"{d.error_outside:.1f}",
            "covered in the hole": f"{100 * d.covered_inside:.0f} %",
            "covered elsewhere": f"{100 * d.covered_outside:.0f} %",
        }
        for name, d in {**doubts, "mean": mean}.items()
    ]


def draw_doubt(samples: Tensor, clean: np.ndarray, mask: np.ndarray) -> Figure:
    """Draw the mean of the samples, their spread and the error, with the outline of the hole."""
    maps = {"spread of the samples": spread_of(samples), "true error": error_of(samples, clean)}
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, 3, figsize=(11, 3.9))
        axes[0].imshow(to_pixels(samples.mean(dim=0)))
        axes[0].set_title("mean of the samples")
        for axis, (title, values) in zip(axes[1:], maps.items(), strict=True):
            image = axis.imshow(values, vmin=0, vmax=np.quantile(values, 0.995))
            axis.set_title(title)
            fig.colorbar(image, ax=axis, label="levels of 255", shrink=0.8)
        for axis in axes:
            axis.contour(mask, levels=[0.5], colors="white", linewidths=1.2)
            axis.axis("off")
    return fig


def draw_scatter(spread: np.ndarray, error: np.ndarray, inside: np.ndarray) -> Figure:
    """Draw error over spread with a mark per block; blocks in the hole have another mark."""
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(6, 4))
        axis.semilogy(spread[~inside], error[~inside], "o", color=COLOURS["sky"], label="elsewhere")
        axis.semilogy(spread[inside], error[inside], "x", color=COLOURS["red"], label="in the hole")
        ends = np.linspace(spread.min(), spread.max(), 50)
        axis.plot(ends, ends, color="black", linestyle="--", label="error = spread")
        axis.set(xlabel="spread, levels of 255", ylabel="error, levels of 255")
        axis.legend(fontsize=11)
    return fig


def invented_overlay(restored: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mark the pixels of a mask with diagonal stripes and an outline, uint8 (H, W, 3).

    Stripes and outline are visible without colours, too.

    Raises:
        InputError: if photo and mask differ in size.
    """
    if restored.shape[:2] != mask.shape:
        raise InputError(f"expected a mask of {restored.shape[:2]}, got {mask.shape}")
    rows, columns = np.indices(mask.shape)
    stripes = (rows + columns) % _STRIPE < 2
    marked = restored.copy()
    marked[mask & stripes | rim_of(mask)] = INVENTED
    return marked


def rim_of(mask: np.ndarray) -> np.ndarray:
    """Return the outline of a mask: its pixels, bool (H, W), with a neighbour outside of it.

    Everything beyond the border of the photo is outside, so every outline is closed.

    Example:
        >>> rim_of(np.ones((3, 3), bool)).astype(int)
        array([[1, 1, 1],
               [1, 0, 1],
               [1, 1, 1]])
    """
    wider = np.pad(mask, 1)
    middle = slice(1, -1)
    beside = wider[:-2, middle], wider[2:, middle], wider[middle, :-2], wider[middle, 2:]
    return mask & ~np.logical_and.reduce(beside)


def draw_line(size: tuple[int, int], points: Sequence[tuple[int, int]], width: int) -> np.ndarray:
    """Return a mask, bool (H, W), with a line of ``width`` pixels through points (x, y)."""
    drawing = Image.new("1", size[::-1])
    ImageDraw.Draw(drawing).line(list(points), fill=1, width=width)
    return np.array(drawing)


def origins(kind: str) -> dict[str, int]:
    """Count the shipped photos of one kind by their source, the largest first."""
    counts: dict[str, int] = {}
    for row in sample_sources():
        if row["file"].startswith(f"{kind}/"):
            place = row["source"].split(",")[0].split(":")[0].split("(")[0].strip()
            counts[place] = counts.get(place, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def count_words(doubts: Sequence[Doubt]) -> str:
    """Return a sentence on the mean correlation and coverage."""
    mean = Doubt(*np.mean([list(vars(d).values()) for d in doubts], axis=0))
    return (
        f"rank correlation of spread and error {mean.correlation:.2f}; of the true values in the "
        f"hole {100 * mean.covered_inside:.0f} % lie within two spreads, elsewhere "
        f"{100 * mean.covered_outside:.0f} %"
    )
