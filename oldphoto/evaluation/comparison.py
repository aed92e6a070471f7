"""Measure several methods on the same photos with all metrics."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from oldphoto.evaluation.baselines.common import Method
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.metrics.bootstrap import Interval, bootstrap, bootstrap_difference
from oldphoto.metrics.fidelity import psnr, ssim
from oldphoto.metrics.files import NotAvailableError, find_metric_file
from oldphoto.metrics.niqe import natural_statistics, niqe
from oldphoto.metrics.perceptual import (
    EFFICIENTNET_LABEL,
    SQUEEZE_LABEL,
    efficientnet_distance,
    lpips_alex,
    lpips_squeeze,
    lpips_vgg,
)
from oldphoto.metrics.realism import brisque, fid, require_piq

PairMeasure = Callable[[np.ndarray, np.ndarray], float]
"""Metric of one restored photo and its clean original."""

SetMeasure = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], float]
"""Metric of all restored and all clean photos together."""


@dataclass(frozen=True)
class Metric:
    """One column of the table.

    Attributes:
        name: title of the column.
        digits: number of decimals.
        higher_is_better: whether a higher value is better.
        of_pair: measures one restored photo against its clean original.
        of_set: measures all restored photos together. Such a column has no interval.
        missing: what a column without either measure needs, and how to get it.
    """

    name: str
    digits: int
    higher_is_better: bool
    of_pair: PairMeasure | None = None
    of_set: SetMeasure | None = None
    missing: str = ""


@dataclass(frozen=True)
class ComparedMethod:
    """A method of the comparison: one row of the table.

    Attributes:
        name: title of the row.
        method: restores a photo; None if it is not available.
        num_parameters: learned parameters, or those fitted to each photo.
        missing: what the method needs and how to get it.
        note: how it was trained. Different training makes rows hard to compare.
    """

    name: str
    method: Method | None
    num_parameters: int = 0
    missing: str = ""
    note: str = ""


@dataclass
class MethodResult:
    """The measured values of a method.

    Attributes:
        compared: the method.
        per_photo: values of each metric, one per photo, in the order of the photos.
        of_set: values of the metrics of all photos together.
        not_measured: metrics that one of the photos does not allow, and why; they have no value.
        seconds: time for each photo.
        restored: uint8 (H, W, 3), one per photo.
    """

    compared: ComparedMethod
    per_photo: dict[str, list[float]] = field(default_factory=dict)
    of_set: dict[str, float] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    restored: list[np.ndarray] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Title of the row."""
        return self.compared.name

    def interval(self, metric: Metric) -> Interval | None:
        """Return the mean over the photos with its bootstrap interval, None without values."""
        values = self.per_photo.get(metric.name)
        return bootstrap(values) if values and np.isfinite(values).all() else None

    def mean(self, metric: Metric) -> float | None:
        """Return the mean over the photos, or the value of the whole set; None without values."""
        values = self.per_photo.get(metric.name)
        return float(np.mean(values)) if values else self.of_set.get(metric.name)


def metrics(folder: Path | None = None) -> list[Metric]:
    """Return the columns of the table, in the order of the paper. Some may be missing.

    Args:
        folder: folder of ``oldphoto download lpips_alex`` (``lpips_vgg``, ``fid``, ``niqe``).
            A second learned distance needs no file, but the extra ``peers``.

    >>> [metric.name for metric in metrics()][:3]
    ['PSNR', 'SSIM', 'LPIPS-squeeze (Caffe)']

    Raises:
        InputError: if a file in the folder is damaged.
    """
    natural = _or_missing("NIQE", 2, lambda: _niqe(folder))
    second = _or_missing(EFFICIENTNET_LABEL, 3, lambda: efficientnet_distance().between)
    return [
        Metric("PSNR", 2, True, of_pair=psnr),
        Metric("SSIM", 3, True, of_pair=ssim),
        Metric(SQUEEZE_LABEL, 3, False, of_pair=lpips_squeeze().between),
        *([] if second.missing else [second]),  # no column of the paper: only where it is installed
        _or_missing("LPIPS (AlexNet)", 3, lambda: lpips_alex(folder).between),
        _or_missing("LPIPS (VGG)", 3, lambda: lpips_vgg(folder).between),
        _fid(folder),
        _or_missing("BRISQUE", 1, _brisque),
        *([] if natural.missing else [natural]),  # as the second distance
    ]


def _or_missing(name: str, digits: int, make: Callable[[], PairMeasure]) -> Metric:
    """Return a column where lower is better; ``missing`` says why it is not available."""
    try:
        return Metric(name, digits, False, of_pair=make())
    except NotAvailableError as error:
        return Metric(name, digits, False, missing=str(error))


def _fid(folder: Path | None) -> Metric:
    try:
        find_metric_file("fid", folder)
    except NotAvailableError as error:
        return Metric("FID", 1, False, missing=str(error))
    return Metric("FID", 1, False, of_set=lambda outputs, cleans: fid(outputs, cleans, folder))


def _brisque() -> PairMeasure:
    require_piq()
    return lambda output, _: brisque(output)


def _niqe(folder: Path | None) -> PairMeasure:
    natural = natural_statistics(folder)
    return lambda output, _: niqe(output, natural)


def measure(
    compared: ComparedMethod, photos: Iterable[TestPhoto], columns: Sequence[Metric]
) -> MethodResult:
    """Restore every photo and measure it with every available metric.

    Args:
        compared: the method. If it is not available, the result is empty.
        photos: degraded photos with their clean originals.
        columns: the metrics.
    """
    row = MethodResult(compared)
    if compared.method is None:
        return row
    cleans = []
    for photo in photos:
        began = time.perf_counter()
        restored = np.asarray(compared.method(photo.degraded, photo.scratch_mask))
        row.seconds.append(time.perf_counter() - began)
        row.restored.append(restored)
        cleans.append(photo.clean)
        for metric in columns:
            if metric.of_pair is None or metric.name in row.not_measured:
                continue
            try:
                value = metric.of_pair(restored, photo.clean)
            except NotAvailableError as error:  # such as a photo that is too small for it
                row.not_measured[metric.name] = f"{photo.name}: {error}"
                row.per_photo.pop(metric.name, None)  # a mean over some photos would mislead
            else:
                row.per_photo.setdefault(metric.name, []).append(value)
    for metric in columns:
        if metric.of_set is not None:
            row.of_set[metric.name] = metric.of_set(row.restored, cleans)
    return row


def best(rows: Sequence[MethodResult], metric: Metric) -> str | None:
    """Return the name of the method with the best mean in a column, None without values."""
    means = {row.name: row.mean(metric) for row in rows}
    known = {name: mean for name, mean in means.items() if mean is not None}
    if not known:
        return None
    return (max if metric.higher_is_better else min)(known, key=lambda name: known[name])


def difference(row: MethodResult, reference: MethodResult, metric: Metric) -> Interval | None:
    """Return ``row - reference``, photo by photo, with its interval; None without values."""
    values, others = row.per_photo.get(metric.name), reference.per_photo.get(metric.name)
    if not values or not others or not np.isfinite([values, others]).all():
        return None
    return bootstrap_difference(values, others)
