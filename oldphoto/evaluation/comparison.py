"""Measure several methods on the same photos: what each metric says of each of them."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from oldphoto.evaluation.baselines.common import Method
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.metrics.bootstrap import Interval, bootstrap, bootstrap_difference
from oldphoto.metrics.fidelity import psnr, ssim
from oldphoto.metrics.files import NotAvailableError, find_metric_file
from oldphoto.metrics.perceptual import SQUEEZE_LABEL, lpips_alex, lpips_squeeze, lpips_vgg
from oldphoto.metrics.realism import brisque, fid, require_piq

PairMeasure = Callable[[np.ndarray, np.ndarray], float]
"""Restored and clean photo in, a number out."""

SetMeasure = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], float]
"""All restored and all clean photos in, one number out."""


@dataclass(frozen=True)
class Metric:
    """One column of the table.

    Attributes:
        name: title of the column.
        digits: behind the point.
        higher_is_better: or the lower.
        of_pair: measures one restored photo against its clean one.
        of_set: measures all restored photos together; such a column has no interval.
        missing: what the column needs and how to get it; then both measures are None.
    """

    name: str
    digits: int
    higher_is_better: bool
    of_pair: PairMeasure | None = None
    of_set: SetMeasure | None = None
    missing: str = ""


@dataclass(frozen=True)
class ComparedMethod:
    """One row of the table before it is measured.

    Attributes:
        name: title of the row.
        method: restores a photo; None where it cannot be had here.
        num_parameters: numbers it has learned, or fits to each photo.
        missing: what the row needs and how to get it.
        note: how it was trained; rows of unlike training say little about the methods.
    """

    name: str
    method: Method | None
    num_parameters: int = 0
    missing: str = ""
    note: str = ""


@dataclass
class MethodResult:
    """A measured compared.

    Attributes:
        compared: what was measured.
        per_photo: values of each metric, one a photo, in the order of the photos.
        of_set: values of the metrics that look at all photos together.
        seconds: that each photo took.
        restored: uint8 (H, W, 3), one a photo.
    """

    compared: ComparedMethod
    per_photo: dict[str, list[float]] = field(default_factory=dict)
    of_set: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    restored: list[np.ndarray] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Title of the row."""
        return self.compared.name

    def interval(self, metric: Metric) -> Interval | None:
        """Return the mean over the photos with its bootstrap interval, where there are values."""
        values = self.per_photo.get(metric.name)
        return bootstrap(values) if values and np.isfinite(values).all() else None

    def mean(self, metric: Metric) -> float | None:
        """Return the number that stands for this row in a column, None where there is none."""
        values = self.per_photo.get(metric.name)
        return float(np.mean(values)) if values else self.of_set.get(metric.name)


def metrics(folder: Path | None = None) -> list[Metric]:
    """Return the columns of the table, in the order of the paper; some may be missing.

    Args:
        folder: that ``oldphoto download lpips_alex`` (``lpips_vgg``, ``fid``) filled.

    Raises:
        InputError: if a file in the folder is damaged.
    """
    return [
        Metric("PSNR", 2, True, of_pair=psnr),
        Metric("SSIM", 3, True, of_pair=ssim),
        Metric(SQUEEZE_LABEL, 3, False, of_pair=lpips_squeeze().between),
        _or_missing("LPIPS (AlexNet)", 3, lambda: {"of_pair": lpips_alex(folder).between}),
        _or_missing("LPIPS (VGG)", 3, lambda: {"of_pair": lpips_vgg(folder).between}),
        _or_missing("FID", 1, lambda: _fid(folder)),
        _or_missing("BRISQUE", 1, _brisque),
    ]


def _or_missing(name: str, digits: int, make: Callable[[], Mapping[str, Callable]]) -> Metric:
    """Return a column where lower is better, or say why it is missing."""
    try:
        return Metric(name, digits, False, **make())
    except NotAvailableError as error:
        return Metric(name, digits, False, missing=str(error))


def _fid(folder: Path | None) -> dict[str, SetMeasure]:
    find_metric_file("fid", folder)
    return {"of_set": lambda outputs, cleans: fid(outputs, cleans, folder)}


def _brisque() -> dict[str, PairMeasure]:
    require_piq()
    return {"of_pair": lambda output, _: brisque(output)}


def measure(
    compared: ComparedMethod, photos: Iterable[TestPhoto], columns: Sequence[Metric]
) -> MethodResult:
    """Restore every photo and fill in every column that can be filled.

    Args:
        compared: without a method it gets an empty row.
        photos: with their clean originals.
        columns: of the table.
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
            if metric.of_pair is not None:
                value = metric.of_pair(restored, photo.clean)
                row.per_photo.setdefault(metric.name, []).append(value)
    for metric in columns:
        if metric.of_set is not None:
            row.of_set[metric.name] = metric.of_set(row.restored, cleans)
    return row


def best(rows: Sequence[MethodResult], metric: Metric) -> str | None:
    """Return the name of the row that is best in a column, None where nothing was measured."""
    means = {row.name: row.mean(metric) for row in rows}
    known = {name: mean for name, mean in means.items() if mean is not None}
    if not known:
        return None
    return (max if metric.higher_is_better else min)(known, key=lambda name: known[name])


def difference(row: MethodResult, reference: MethodResult, metric: Metric) -> Interval | None:
    """Return ``row - reference``, photo by photo, with its interval; None without values."""
    values = [r.per_photo.get(metric.name) for r in (row, reference)]
    if not all(values) or not np.isfinite(values).all():
        return None
    return bootstrap_difference(*values)
