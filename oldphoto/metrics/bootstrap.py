"""Confidence intervals of a mean over a few photos: percentile bootstrap over the photos.

Drawing n of the n values many times, with replacement, shows how much the mean would have moved
with other photos. Two methods on the same photos are compared by their differences, because the
difficulty of each photo then cancels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oldphoto.checks import InputError

NUM_RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A mean and the interval around it, in the unit of the values.

    Attributes:
        mean: of the values.
        low, high: ends of the interval.
        confidence: nominal fraction of such intervals that hold the true mean. With fewer than
            about 20 photos the intervals are too short, and the fraction is lower.
        num_photos: number of values.
    """

    mean: float
    low: float
    high: float
    confidence: float
    num_photos: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0, so that chance hardly explains it."""
        return self.low > 0 or self.high < 0


def bootstrap(
    values: Sequence[float],
    confidence: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the mean of the values and its bootstrap interval.

    Args:
        values: one per photo, finite.
        confidence: between 0 and 1.
        num_resamples: how often n values are drawn.
        seed: of the random draws. The same seed gives the same interval.

    >>> bootstrap([20.0, 22.0, 27.0])
    Interval(mean=23.0, low=20.0, high=27.0, confidence=0.95, num_photos=3)

    Raises:
        InputError: if there are no values, one is not finite, or the confidence is out of range.

    Source:
        Efron and Tibshirani 1993, chapter 13 (percentile interval).
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 1 or not len(table):
        raise InputError(f"expected one value a photo, at least one, got shape {table.shape}")
    return bootstrap_crossed(table[None], confidence, num_resamples, seed)


def bootstrap_crossed(
    table: np.ndarray,
    confidence: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return mean and interval of values that depend on two things, the training and the photo.

    Rows and columns are resampled separately. A hard photo is hard in all trainings and a lucky
    training is lucky on all photos, so the values of a table are not independent.

    Args:
        table: (trainings, photos), finite.
        confidence, num_resamples, seed: as in ``bootstrap``.

    Raises:
        InputError: if the table has another form or holds no value, or as in ``bootstrap``.

    Source:
        Owen 2007, "The pigeonhole bootstrap" (doi 10.1214/07-AOAS122).
    """
    values = np.asarray(table, dtype=float)
    if values.ndim != 2 or not values.size:
        raise InputError(f"expected a table (trainings, photos) of values, got {values.shape}")
    if not np.isfinite(values).all():
        raise InputError("expected finite values, got one that is infinite or not a number")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be between 0 and 1, got {confidence}")
    rng = np.random.default_rng(seed)
    columns, rows = (rng.integers(n, size=(num_resamples, n)) for n in values.shape[::-1])
    means = values[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2))
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(float(values.mean()), float(low), float(high), confidence, values.shape[1])


def bootstrap_difference(
    first: Sequence[float],
    second: Sequence[float],
    confidence: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return mean and interval of ``first - second``, photo by photo.

    >>> bootstrap_difference([20.0, 22.0, 27.0], [19.0, 21.5, 25.0]).excludes_zero
    True

    Args:
        first, second: values of two methods on the same photos, in the same order.
        confidence, num_resamples, seed: as in ``bootstrap``.

    Raises:
        InputError: if they are not as many, or as in ``bootstrap``.
    """
    if len(first) != len(second):
        raise InputError(
            f"expected both methods on the same photos, got {len(first)} and {len(second)} values"
        )
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    return bootstrap(differences, confidence, num_resamples, seed)
