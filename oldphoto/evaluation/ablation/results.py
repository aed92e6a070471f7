"""Measure the variants of an ablation, with confidence intervals of the differences.

Every variant is measured on the same held-out photos, with the same damage and holes, for every
seed of its training. ``results.json`` keeps the single values. Means, intervals and differences
are computed from them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from oldphoto.checks import InputError, require_file
from oldphoto.degradations import degrade
from oldphoto.evaluation.ablation.variants import FULL, VARIANTS, load_micro
from oldphoto.evaluation.comparison import ComparedMethod, Metric, measure, metrics
from oldphoto.evaluation.comparison_table import csv_text, markdown_table
from oldphoto.evaluation.test_photos import TestPhoto, make_test_photos
from oldphoto.images.files import load_rgb
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor
from oldphoto.metrics.bootstrap import Interval, bootstrap_crossed
from oldphoto.metrics.domain_gap import sliced_wasserstein, to_one_scale
from oldphoto.metrics.fidelity import psnr_within
from oldphoto.metrics.perceptual import SQUEEZE_LABEL
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.samples import sample_paths
from oldphoto.system.files import written_whole
from oldphoto.system.outputs import OutputFolder
from oldphoto.weights.store import RESULTS_FILE

FILES = (RESULTS_FILE, "table.csv", "table.md")
_SOURCE = "ablation"  # of these files in the record of their folder
INPUT = "degraded input"
HOLES = "PSNR in holes"
GAP = "Wasserstein"
MEASURED = ("PSNR", "SSIM", SQUEEZE_LABEL, "BRISQUE")
"""Columns of ``comparison.metrics`` in the table of an ablation."""

EVERY = 16
"""Every 16th latent counts for the Wasserstein distance, because neighbours are alike."""

_ROUNDS = 3  # how often each of the few held-out photos is degraded for the distance


@dataclass(frozen=True)
class Column:
    """One column of the table: its name, number of decimals, and which direction is better."""

    name: str
    digits: int
    higher_is_better: bool


@dataclass(frozen=True)
class Results:
    """All single values of an ablation.

    Attributes:
        columns: what was measured.
        photos: names of the photos.
        values: variant -> column -> (seeds, photos). The distance of latents is one number for all
            photos, (seeds, 1). The input is not trained and has one row.
        missing: a sentence for each column that could not be measured.
    """

    columns: tuple[Column, ...]
    photos: tuple[str, ...]
    values: Mapping[str, Mapping[str, list[list[float]]]]
    missing: tuple[str, ...] = ()

    @property
    def num_seeds(self) -> int:
        """Number of trainings of each variant."""
        return max(len(rows) for found in self.values.values() for rows in found.values())

    def table(self, variant: str, column: str) -> np.ndarray | None:
        """Return the values (seeds, photos), None if the variant has none in this column.

        Raises:
            InputError: if there is no such variant or column.
        """
        if variant not in self.values or column not in {c.name for c in self.columns}:
            raise InputError(f"the results hold no {column!r} of {variant!r}")
        found = self.values[variant].get(column)
        return None if found is None else np.array(found, dtype=float)

    def interval(self, variant: str, column: str) -> Interval | None:
        """Return the mean over seeds and photos with its interval, None without values."""
        table = self.table(variant, column)
        return None if table is None else bootstrap_crossed(table)

    def difference(self, variant: str, column: str) -> Interval | None:
        """Return ``variant - full``, seed by seed and photo by photo, with its interval."""
        table, full = self.table(variant, column), self.table(FULL, column)
        return None if table is None or full is None else bootstrap_crossed(table - full)

    def seed_means(self, variant: str, column: str) -> np.ndarray | None:
        """Return the mean over the photos for each seed, (seeds,)."""
        table = self.table(variant, column)
        return None if table is None else table.mean(axis=1)


def as_method(network: RestorationNetwork) -> Callable[..., np.ndarray]:
    """Return the method of a network, for photos whose sides are multiples of 4."""

    def restore(photo: np.ndarray, scratch_mask: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return to_pixels(network(to_tensor(photo), mask_to_tensor(scratch_mask)))

    return restore


def gap_photos() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the old photos of the package, and its held-out ones degraded without holes.

    The recipe is that of the training, ``released``, with other seeds.
    """
    degraded = [
        degrade(load_rgb(path), seed=(turn, index), recipe="released")[0]
        for turn in range(_ROUNDS)
        for index, path in enumerate(sample_paths("held_out"))
    ]
    return [load_rgb(path) for path in sample_paths("old")], degraded


def latent_gap(
    encode: Callable[[Tensor], Tensor],
    old: Sequence[np.ndarray],
    degraded: Sequence[np.ndarray],
    every: int = EVERY,
) -> float:
    """Return the sliced Wasserstein distance between the latents of old and of degraded photos.

    Latents are brought to one scale first, so that their size makes no difference.

    Args:
        encode: a photo (1, 3, H, W) in [-1, 1] to its latent (1, C, h, w).
        old, degraded: uint8 (H, W, 3), with sides that the encoder accepts.
        every: step between the positions that count.
    """
    tables = [_latents(encode, photos)[::every] for photos in (old, degraded)]
    return sliced_wasserstein(*to_one_scale(*tables))


def _latents(encode: Callable[[Tensor], Tensor], photos: Sequence[np.ndarray]) -> Tensor:
    """Return the latents of all photos, one row for each position."""
    with torch.no_grad():
        latents = [encode(to_tensor(photo)) for photo in photos]
    return torch.cat([z.permute(0, 2, 3, 1).flatten(0, 2) for z in latents])  # (N h w, C)


def measure_variant(
    name: str,
    method: Callable[..., np.ndarray],
    photos: Sequence[TestPhoto],
    columns: Sequence[Metric],
) -> dict[str, list[float]]:
    """Return the values of each column, one per photo, and the PSNR inside the holes."""
    row = measure(ComparedMethod(name, method), photos, columns)
    pairs = zip(row.restored, photos, strict=True)
    inside = [psnr_within(restored, p.clean, p.scratch_mask) for restored, p in pairs]
    return row.per_photo | {HOLES: inside}


def measure_checkpoint(
    folder: Path,
    variant: str,
    seed: int,
    photos: Sequence[TestPhoto],
    gap: tuple[Sequence[np.ndarray], Sequence[np.ndarray]],
    columns: Sequence[Metric],
) -> dict[str, list[float]]:
    """Return the values of one micro-checkpoint, and the distance of the latents of ``gap``."""
    network = load_micro(folder, variant, seed)
    row = measure_variant(variant, as_method(network), photos, columns)
    return row | {GAP: [latent_gap(network.vae_degraded.encode, *gap)]}


def over_seeds(
    measure_seed: Callable[[int], dict[str, list[float]]], num_seeds: int
) -> dict[str, list[list[float]]]:
    """Measure every seed of a variant; return column -> (seeds, photos)."""
    rows = [measure_seed(seed) for seed in range(num_seeds)]
    return {name: [row[name] for row in rows] for name in rows[0]}


def measure_all(
    folder: Path,
    num_seeds: int,
    report: Callable[[str], None] = print,
) -> Results:
    """Measure all micro-checkpoints of a folder on the held-out photos of the package.

    Args:
        folder: holds the micro-checkpoints.
        num_seeds: of each variant.
        report: gets a line for each variant.

    Raises:
        InputError: if a checkpoint is missing or damaged.
    """
    found = [metric for metric in metrics() if metric.name in MEASURED]
    photos, gap = list(make_test_photos(sample_paths("held_out"))), gap_photos()
    given = measure_variant(INPUT, lambda photo, scratch_mask: photo, photos, found)
    values = {INPUT: {name: [row] for name, row in given.items()}}
    for variant in VARIANTS:
        report(f"measuring {variant}")
        measure_seed = partial(
            measure_checkpoint, folder, variant, photos=photos, gap=gap, columns=found
        )
        values[variant] = over_seeds(measure_seed, num_seeds)
    columns = [Column(m.name, m.digits, m.higher_is_better) for m in found if not m.missing]
    columns[1:1] = [Column(HOLES, 2, True)]
    columns.append(Column(GAP, 3, False))
    missing = tuple(f"{m.name} is not available: {m.missing}" for m in found if m.missing)
    return Results(tuple(columns), tuple(photo.name for photo in photos), values, missing)


def write_results(folder: Path, results: Results) -> None:
    """Write ``results.json`` with all values, and the tables ``table.csv`` and ``table.md``.

    Raises:
        InputError: if the folder holds other files of these names.
    """
    values = json.dumps(asdict(results), indent=2) + "\n"
    texts = dict(zip(FILES, (values, as_csv(results), as_markdown(results)), strict=True))
    with OutputFolder(folder) as outputs:
        for name, text in texts.items():
            with outputs.writing(name, _SOURCE) as path, written_whole(path) as file:
                file.write(text.encode())


def require_own_results(folder: Path) -> None:
    """Raise InputError if ``write_results`` would replace a file of another origin."""
    for name in FILES:
        if not OutputFolder(folder).may_write(name, _SOURCE):
            raise InputError(
                f"{folder / name} is not a file that this command wrote, so it is left as it is: "
                "move it away, or choose another --run folder"
            )


def read_results(folder: Path) -> Results:
    """Read what ``write_results`` wrote.

    Raises:
        InputError: if the file is missing or damaged.
    """
    path = require_file(folder / RESULTS_FILE, "the results of `oldphoto ablation`")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        columns = tuple(Column(**column) for column in found["columns"])
        missing = tuple(found["missing"])
        return Results(columns, tuple(found["photos"]), found["values"], missing)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} holds no results of an ablation: {error}") from error


def as_csv(results: Results) -> str:
    """Return means and differences to the whole method, with their intervals, as CSV."""
    ends = ("", " low", " high", " minus full", " minus full low", " minus full high")
    rows = [["variant", *(f"{c.name}{end}" for c in results.columns for end in ends)]]
    for variant in results.values:
        rows.append([variant])
        for column in results.columns:
            found = results.interval(variant, column.name), _against(results, variant, column)
            for i in found:
                rows[-1] += [f"{x:.6g}" for x in (i.mean, i.low, i.high)] if i else [""] * 3
    return csv_text(rows)


def as_markdown(results: Results) -> str:
    """Return means with intervals, then the differences to the whole method, as Markdown."""
    columns = results.columns
    titles = ["", *(f"{c.name} {'↑' if c.higher_is_better else '↓'}" for c in columns)]
    means = [
        [variant, *(_cell(results.interval(variant, c.name), c) for c in columns)]
        for variant in results.values
    ]
    differences = [
        [variant, *(_cell(results.difference(variant, c.name), c, "+") for c in columns)]
        for variant in VARIANTS[1:]
    ]
    legend = (
        f"Means over {results.num_seeds} seeds and {len(results.photos)} photos; in brackets the "
        "95 % bootstrap interval over both. Minus the whole method, pair by pair (* does not "
        "include 0):"
    )
    lines = [*markdown_table(titles, means), "", legend, "", *markdown_table(titles, differences)]
    return "\n".join([*lines, "", *results.missing]).rstrip() + "\n"


def _against(results: Results, variant: str, column: Column) -> Interval | None:
    return None if variant in (INPUT, FULL) else results.difference(variant, column.name)


def _cell(interval: Interval | None, column: Column, sign: str = "") -> str:
    if interval is None:
        return ""
    shape = f"{sign}.{column.digits}f"
    star = " *" if sign and interval.excludes_zero else ""
    return f"{interval.mean:{shape}} [{interval.low:{shape}}, {interval.high:{shape}}]{star}"
