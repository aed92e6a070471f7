"""The table Top 1 to Top 5 of a set of rankings, with intervals, and the agreement of raters."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from oldphoto.checks import InputError
from oldphoto.course.study.study import Ranking

MAX_COLUMNS = 5
NUM_RESAMPLES = 10_000
PAPER_PERCENTAGES: dict[str, tuple[float, ...]] = {
    "DIP": (2.75, 6.99, 12.92, 32.63, 69.70),
    "CycleGAN": (3.39, 8.26, 15.68, 24.79, 52.12),
    "Sequential": (3.60, 20.97, 51.48, 83.47, 93.64),
    "Attention": (11.22, 28.18, 56.99, 75.85, 89.19),
    "Pix2Pix": (14.19, 54.24, 72.25, 86.86, 96.61),
    "new model": (64.83, 81.35, 90.68, 96.40, 98.72),
}
"""The user study of Wan et al. 2020: percent of rankings in which a method is among the
best 1, 2 ... 5 of six; 22 users, old photos."""


@dataclass(frozen=True)
class TopTable:
    """Percent of rankings in which each method is among the best k.

    Attributes:
        methods: rows, the least often first method on top, as in the paper's table.
        percentages: (M, K) in percent; column k - 1 belongs to "Top k". The last place is left
            out: all methods are among the best M.
        low, high: (M, K), ends of the intervals, or None where the single answers are not known.
        confidence: of the intervals.
        num_raters, num_rankings: number behind the percentages; 0 where not known.
    """

    methods: tuple[str, ...]
    percentages: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    confidence: float = 0.95
    num_raters: int = 0
    num_rankings: int = 0

    @property
    def columns(self) -> list[str]:
        """The headings Top 1, Top 2 ..."""
        return [f"Top {k}" for k in range(1, self.percentages.shape[1] + 1)]

    def row(self, method: str) -> np.ndarray:
        """Return the percentages of one method, (K,)."""
        return self.percentages[self.methods.index(method)]

    def markdown(self, intervals: bool = False) -> str:
        """Return the table, with two decimals as in the paper, or rounded and with intervals."""
        rows = self.cells(intervals)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append(f"| {' | '.join(cells)} |")
        rule = [":" + "-" * (widths[0] + 1), *("-" * (width + 1) + ":" for width in widths[1:])]
        return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])

    def cells(self, intervals: bool = False) -> list[list[str]]:
        """Return the texts of the table, row by row, the headings first."""
        columns = range(self.percentages.shape[1])
        return [["method", *self.columns]] + [
            [method.replace("|", "/"), *(self._cell(row, column, intervals) for column in columns)]
            for row, method in enumerate(self.methods)
        ]

    def as_csv(self) -> str:
        """Return one line for each method and k: value, low and high in percent."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["method", "top", "share", "low", "high"])
        for (row, column), percent in np.ndenumerate(self.percentages):
            ends = [table[row, column] for table in (self.low, self.high) if table is not None]
            numbers = [f"{value:.2f}" for value in (percent, *ends)]
            writer.writerow([self.methods[row], column + 1, *numbers])
        return text.getvalue()

    def _cell(self, row: int, column: int, intervals: bool) -> str:
        percent = self.percentages[row, column]
        if not intervals or self.low is None or self.high is None:
            return f"{percent:.2f}"
        return f"{percent:.0f} [{self.low[row, column]:.0f}, {self.high[row, column]:.0f}]"


def paper_table() -> TopTable:
    """Return the paper's own table, without intervals: only the percentages are known."""
    return TopTable(tuple(PAPER_PERCENTAGES), np.array(list(PAPER_PERCENTAGES.values())))


def top_table(
    rankings: Sequence[Ranking],
    methods: Sequence[str] | None = None,
    confidence: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> TopTable:
    """Count how often each method is among the best k, with bootstrap intervals over raters.

    Args:
        rankings: of all raters; each must hold the same methods.
        methods: names; None takes them from the rankings.
        confidence: of the percentile intervals, within 0 and 1.
        num_resamples: number of bootstrap samples.
        seed: of the drawing.

    Raises:
        InputError: if there are no rankings, or they do not hold the same methods.

    Source:
        The form of the table: Wan et al. 2020, user study. The intervals: Efron and Tibshirani
        1993, chapter 13, with raters as the units, since the answers of one rater are alike.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be between 0 and 1, got {confidence}")
    places, names = places_of(rankings, methods)
    raters = [ranking.rater for ranking in rankings]
    percentages = top_percentages(places)
    draws = bootstrap_percentages(places, raters, num_resamples, seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, (tail, 1 - tail), axis=0)
    order = sorted(range(len(names)), key=lambda row: (tuple(percentages[row]), names[row]))
    return TopTable(
        tuple(names[row] for row in order),
        percentages[order],
        low[order],
        high[order],
        confidence,
        len(set(raters)),
        len(rankings),
    )


def places_of(
    rankings: Sequence[Ranking], methods: Sequence[str] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the place of each method in each ranking, and the methods.

    Shape:
        (N, M), whole numbers from 1 (best) to M.

    Raises:
        InputError: if there are no rankings, or they do not hold the same methods.
    """
    if not rankings:
        raise InputError("expected at least one ranking, got none")
    names = tuple(sorted(rankings[0].methods) if methods is None else methods)
    for ranking in rankings:
        if sorted(ranking.methods) != sorted(names):
            raise InputError(
                f"expected rankings of {', '.join(names)}, got one of {', '.join(ranking.methods)}"
            )
    places = [[ranking.methods.index(name) + 1 for name in names] for ranking in rankings]
    return np.array(places), names


def top_percentages(places: np.ndarray) -> np.ndarray:
    """Return the percent of rankings in which each method is among the best k.

    Args:
        places: (N, M), 1 = best.

    Returns:
        (M, K) with K = M - 1, at most 5; a row never falls, a column sums to 100 k.

    >>> top_percentages(np.array([[1, 2, 3], [2, 1, 3]]))  # two rankings of three methods
    array([[ 50., 100.],
           [ 50., 100.],
           [  0.,   0.]])
    """
    return 100 * _among_best(places).mean(axis=0)


def _among_best(places: np.ndarray) -> np.ndarray:
    """Return whether each ranking has each method among the best k: (N, M, K) of 0 and 1."""
    columns = np.arange(1, min(places.shape[1] - 1, MAX_COLUMNS) + 1)
    return (places[:, :, None] <= columns).astype(float)


def bootstrap_percentages(
    places: np.ndarray,
    units: Sequence[object],
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Return the percentages of ``top_percentages`` from bootstrap samples of units.

    Args:
        places: (N, M), 1 = best.
        units: what is drawn together, one for each ranking: the raters; or N different values,
            to draw single answers.
        num_resamples: how often.
        seed: of the drawing.

    Shape:
        (num_resamples, M, K), in percent.
    """
    known = {unit: index for index, unit in enumerate(dict.fromkeys(units))}
    number = np.array([known[unit] for unit in units])
    best = _among_best(places)
    counts = np.zeros((len(known), *best.shape[1:]))
    np.add.at(counts, number, best)
    sizes = np.bincount(number, minlength=len(known))
    drawn = np.random.default_rng(seed).integers(len(known), size=(num_resamples, len(known)))
    times = np.zeros((num_resamples, len(known)))  # how often each unit was drawn
    np.add.at(times, (np.arange(num_resamples)[:, None], drawn), 1)
    totals = np.tensordot(times, counts, axes=1)
    return 100 * totals / (times @ sizes)[:, None, None]


def kendall_w(places: np.ndarray) -> float:
    """Return Kendall's W of one photo: 1 = all raters agree, 0 = the rankings cancel out.

    W = 12 S / (m^2 (n^3 - n)), where m raters rank n methods and S is the sum of the squared
    differences between the methods' sums of places and their mean.

    Args:
        places: (m, n), one row for each rater, each a permutation of 1 to n.

    Raises:
        InputError: if there are fewer than 2 raters or methods, or a row is no permutation.

    Source:
        Kendall and Babington Smith 1939, without ties.

    >>> kendall_w([[1, 2, 3], [1, 2, 3]]), kendall_w([[1, 2, 3], [3, 2, 1]])
    (1.0, 0.0)
    """
    places = np.asarray(places)
    if places.ndim != 2 or min(places.shape) < 2:
        raise InputError(f"expected at least 2 raters and 2 methods, got shape {places.shape}")
    raters, methods = places.shape
    if not (np.sort(places, axis=1) == np.arange(1, methods + 1)).all():
        raise InputError(f"expected each row to hold the places 1 to {methods}, once each")
    sums = places.sum(axis=0)
    spread = ((sums - sums.mean()) ** 2).sum()
    return float(12 * spread / (raters**2 * (methods**3 - methods)))


@dataclass(frozen=True)
class Agreement:
    """Agreement of raters, photo by photo.

    Attributes:
        per_photo: photo to Kendall's W, for photos that at least 2 raters have ranked.
        mean: of these, or None where there is no such photo.
        by_chance: expected value of ``mean`` if all rank at random: the mean of 1 / m.
    """

    per_photo: Mapping[str, float]
    mean: float | None
    by_chance: float | None

    def words(self) -> str:
        """Return one sentence."""
        if self.mean is None:
            return "Agreement needs a photo that at least 2 raters have ranked."
        return (
            f"Kendall's W is {self.mean:.2f} on average over {len(self.per_photo)} photos "
            f"(1 = all agree; {self.by_chance:.2f} by chance)."
        )


def agreement(rankings: Sequence[Ranking]) -> Agreement:
    """Return Kendall's W of each photo that at least 2 raters have ranked, and the mean."""
    places, _ = places_of(rankings)
    rows: dict[str, list[np.ndarray]] = {}
    for ranking, row in zip(rankings, places, strict=True):
        rows.setdefault(ranking.photo, []).append(row)
    shared = {photo: np.array(found) for photo, found in rows.items() if len(found) > 1}
    if not shared:
        return Agreement({}, None, None)
    per_photo = {photo: kendall_w(found) for photo, found in shared.items()}
    by_chance = float(np.mean([1 / len(found) for found in shared.values()]))
    return Agreement(per_photo, float(np.mean(list(per_photo.values()))), by_chance)
