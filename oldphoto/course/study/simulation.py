"""Photos, six methods, figures and repeated studies for the notebook on user studies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from oldphoto.checks import InputError, require_positive
from oldphoto.course.common import one_thread
from oldphoto.course.figures import COLOURS, STYLE
from oldphoto.course.study.raters import simulate
from oldphoto.course.study.study import Study
from oldphoto.course.study.table import TopTable, bootstrap_percentages, places_of, top_percentages
from oldphoto.degradations import paint_white, sample_hole_mask
from oldphoto.evaluation.comparison import ComparedMethod
from oldphoto.evaluation.methods import OURS_OF_BASELINES, Sources, compared_methods
from oldphoto.samples import sample_photo

CUTS = {
    "builders": ("builders", 150, 60),
    "porch": ("builders", 130, 330),
    "auditorium": ("taped_postcard", 112, 40),
    "postcard": ("taped_postcard", 90, 340),
    "grandfather": ("three_generations", 90, 40),
    "family": ("three_generations", 110, 240),
}
"""Photo of the study: sample photo, and top and left of the square crop of ``CUT`` pixels."""

CUT = 256

HOLES = (0.03, 0.07)  # fraction of a photo that is hidden
Job = tuple[np.ndarray, np.ndarray]
"""A photo, uint8 (H, W, 3), and its scratch mask, bool (H, W)."""

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]
_LINES = (
    ("black", ":", "x"),
    ("pink", "-.", "^"),
    ("orange", "--", "s"),
    ("green", "-.", "v"),
    ("red", "--", "D"),
    ("blue", "-", "o"),
)


def study_photos(names: Sequence[str], side: int = 128, seed: int = 0) -> dict[str, Job]:
    """Return crops of real old photos not used to train a mapping, with holes and their masks.

    Wear, fading and blur are real; the white holes are made, so that every method may be told
    where they are.

    Args:
        names: of ``CUTS``.
        side: of the squares, to which the crops are reduced.
        seed: of the holes.

    Raises:
        InputError: if a name is not known.
    """
    unknown = [name for name in names if name not in CUTS]
    if unknown:
        raise InputError(f"expected photos out of {', '.join(CUTS)}, got {unknown[0]!r}")
    jobs = {}
    for name in names:
        sample, top, left = CUTS[name]
        photo = sample_photo(sample)[top : top + CUT, left : left + CUT]
        photo = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
        rng = np.random.default_rng((seed, list(CUTS).index(name)))
        mask = sample_hole_mask(rng, photo.shape[:2], HOLES)
        jobs[name] = (paint_white(photo, mask), mask)
    return jobs


def six_methods(weights: str = OURS_OF_BASELINES) -> dict[str, Method]:
    """Return the six methods of the paper's study by name, those that learn with one budget.

    Each takes a photo, uint8 (H, W, 3), and its scratch mask, bool (H, W), and returns a photo of
    the same size.

    Args:
        weights: of our method.
    """
    sources = Sources(weights=weights, dip_size="course")
    names = ("attention", "dip", "pix2pix", "sequential", "cyclegan", "ours")
    rows = compared_methods(names, sources)
    return {row.name.partition(" ")[0]: _required(row) for row in rows}


def _required(row: ComparedMethod) -> Method:
    if row.method is None:
        raise InputError(f"{row.name} is not there: {row.missing}")
    return row.method


def restore_all(
    photos: Mapping[str, Job], methods: Mapping[str, Method]
) -> dict[str, dict[str, np.ndarray]]:
    """Return photo to method to picture."""
    with one_thread():  # photos and networks are small
        return {
            photo: {name: method(*job) for name, method in methods.items()}
            for photo, job in photos.items()
        }


def misfit(percentages: np.ndarray, num_rankings: int) -> float:
    """Return the largest distance of percentages from whole numbers of rankings, in percent.

    Args:
        percentages: in percent, of any shape.
        num_rankings: how many they may have been counted from.

    >>> round(misfit(np.array([33.33, 50.0]), 3), 2)  # 50 % of 3 rankings is not possible
    16.67
    """
    counts = np.round(percentages * num_rankings / 100)
    return float(np.abs(100 * counts / num_rankings - percentages).max())


def tables_html(tables: Mapping[str, TopTable], intervals: bool = False) -> str:
    """Return tables side by side as HTML, each under its title."""
    parts = []
    for title, table in tables.items():
        head, *body = table.cells(intervals)
        rows = [_row(head, "th")] + [_row(cells, "td") for cells in body]
        caption = f"<caption><strong>{escape(title)}</strong></caption>"
        parts.append(f"<table>{caption}{''.join(rows)}</table>")
    return f"<div style='display: flex; flex-wrap: wrap; gap: 2rem'>{''.join(parts)}</div>"


def _row(cells: Sequence[str], kind: str) -> str:
    first = f"<{kind} style='text-align: left'>{escape(cells[0])}</{kind}>"
    return f"<tr>{first}{''.join(f'<{kind}>{escape(cell)}</{kind}>' for cell in cells[1:])}</tr>"


def draw_tops(tables: Mapping[str, TopTable]) -> tuple[Figure, str]:
    """Draw the percentages over k, a panel for each table.

    Returns:
        The figure, and what it shows in words.
    """
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, len(tables), figsize=(11, 6), sharey=True, squeeze=False)
        for axis, (title, table) in zip(axes[0], tables.items(), strict=True):
            steps = np.arange(1, table.percentages.shape[1] + 1)
            for row, method in enumerate(table.methods):
                colour, dash, marker = _LINES[(row - len(table.methods)) % len(_LINES)]
                axis.plot(
                    steps,
                    table.percentages[row],
                    dash,
                    color=COLOURS[colour],
                    marker=marker,
                    label=method,
                )
                if table.low is not None and table.high is not None:
                    ends = table.low[row], table.high[row]
                    axis.fill_between(steps, *ends, color=COLOURS[colour], alpha=0.15)
            axis.set(title=title, xlabel="k", xticks=steps, ylim=(0, 101))
            axis.legend(fontsize=11, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
        axes[0, 0].set_ylabel("among the best k, percent")
    return fig, " ".join(top_words(title, table) for title, table in tables.items())


def top_words(title: str, table: TopTable) -> str:
    """Return a sentence on which method was first most often, and which least often."""
    best, worst = table.methods[-1], table.methods[0]
    return (
        f"{title}: {best} is first in {table.percentages[-1, 0]:.0f} percent of the rankings, "
        f"{worst} in {table.percentages[0, 0]:.0f} percent; all lines rise."
    )


@dataclass(frozen=True)
class Repeated:
    """The same study repeated with new raters each time.

    Attributes:
        percentages: Top-1 percentage of one method in each study, (S,).
        intervals: unit of the bootstrap ("raters", "answers") to the ends of the intervals, (2, S).
    """

    percentages: np.ndarray
    intervals: dict[str, np.ndarray]

    @property
    def truth(self) -> float:
        """The mean of all studies, close to the expected value."""
        return float(self.percentages.mean())

    def covers(self, unit: str) -> np.ndarray:
        """Return which intervals contain the true value, bool (S,)."""
        low, high = self.intervals[unit]
        return (low <= self.truth) & (self.truth <= high)

    def words(self) -> str:
        """Return a sentence on the coverage of both intervals."""
        parts = [f"over {u}: {100 * self.covers(u).mean():.0f} percent" for u in self.intervals]
        return (
            f"Intervals of {len(self.percentages)} studies that hold the truth, "
            f"bootstrap {'; '.join(parts)}."
        )


def repeat_study(
    study: Study,
    weights: Mapping[str, float],
    num_raters: int,
    taste: float,
    num_studies: int,
    seed: int = 0,
    num_resamples: int = 400,
) -> Repeated:
    """Simulate a study many times, with two kinds of 95 % intervals each time.

    Args:
        study, weights, num_raters, taste: as in ``simulate``.
        num_studies: how often.
        seed: of everything.
        num_resamples: of each bootstrap.

    Returns:
        Results for the Top-1 percentage of the last method of the study.
    """
    require_positive(num_studies=num_studies)
    percentages = []
    ends: dict[str, list[tuple[float, float]]] = {"raters": [], "answers": []}
    for number in range(num_studies):
        found = simulate(study, weights, num_raters, taste, seed=10_000 * (seed + 1) + number)
        places, _ = places_of(found, study.methods)
        percentages.append(top_percentages(places)[-1, 0])
        for unit, values in ends.items():
            units = [r.rater for r in found] if unit == "raters" else range(len(found))
            draws = bootstrap_percentages(places, units, num_resamples, seed)[:, -1, 0]
            values.append(np.quantile(draws, (0.025, 0.975)))
    return Repeated(np.array(percentages), {unit: np.array(v).T for unit, v in ends.items()})


def draw_repeated(repeated: Repeated, shown: int = 40) -> tuple[Figure, str]:
    """Draw the intervals of the first studies, and the true value as a line.

    Returns:
        The figure, and what it shows in words.
    """
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, len(repeated.intervals), figsize=(11, 4.2), sharey=True)
        for axis, (unit, ends) in zip(axes, repeated.intervals.items(), strict=True):
            for hit, colour, dash in ((True, "blue", "-"), (False, "red", "--")):
                these = np.flatnonzero(repeated.covers(unit)[:shown] == hit)
                axis.vlines(these, *ends[:, these], color=COLOURS[colour], linestyle=dash)
            axis.plot(repeated.percentages[:shown], "o", color="black", markersize=4)
            axis.axhline(repeated.truth, color="black", linewidth=1)
            missed = int((~repeated.covers(unit)[:shown]).sum())
            first = len(repeated.percentages[:shown])
            title = f"bootstrap over {unit}: {missed} of the first {first} miss"
            axis.set(title=title, xlabel="study")
        axes[0].set_ylabel("Top 1, percent")
    return fig, (
        "Two rows of upright intervals, one a study, and a level line for the truth; those that "
        f"miss it are dashed and red. {repeated.words()}"
    )
