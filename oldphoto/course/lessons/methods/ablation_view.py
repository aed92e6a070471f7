"""The switchboard of the ablation: photos and bars without a part, and figures of both."""

from collections.abc import Sequence

import ipywidgets
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from oldphoto.course.common import enlarged
from oldphoto.course.figures import COLOURS, STYLE, SteadyFigure, photo_html, pixels_html
from oldphoto.course.lessons.methods.ablation import (
    NOTHING,
    SWITCHES,
    cases,
    column_of,
    interval_of,
    photo_words,
    restored,
    shown_variants,
    variant_of,
    verdict,
)
from oldphoto.course.widgets import Guard, slider
from oldphoto.evaluation.ablation.results import Column, Results
from oldphoto.evaluation.ablation.variants import FULL
from oldphoto.metrics.bootstrap import Interval

_GAP = 4  # white pixels between two photos


def photo_row(name: str, switch: str, seed: int) -> tuple[np.ndarray, str]:
    """Return one picture of a case, and its titles from left to right.

    Returns:
        uint8 (H, W, 3): degraded, restored by the whole method, restored without the part that is
        switched off (if one is), clean; and their titles.
    """
    case = cases()[name]
    parts = {"degraded": case.degraded, "whole method": restored(name, FULL, seed)}
    if switch != NOTHING:
        parts[f"without {switch}"] = restored(name, variant_of(switch), seed)
    parts["clean"] = case.clean
    gap = np.full((case.clean.shape[0], _GAP, 3), 255, np.uint8)
    columns = [piece for photo in parts.values() for piece in (photo, gap)]
    return np.concatenate(columns[:-1], axis=1), " | ".join(parts)


def draw_bars(results: Results, measure: str) -> Figure:
    """Draw a metric of all variants, and its difference from the whole method.

    Args:
        results: of an ablation.
        measure: name of a column.

    Returns:
        Left: bars are means over seeds and photos, dots the seeds, lines the 95 % intervals.
        Right: variant minus whole method, pair by pair; a line that crosses 0 may be chance.
    """
    column = column_of(results, measure)
    rows = [v for v in shown_variants() if results.table(v, measure) is not None]
    with pyplot.rc_context(STYLE):
        fig, (left, right) = pyplot.subplots(
            1, 2, figsize=(11, 0.9 + 0.42 * len(rows)), sharey=True, width_ratios=(3, 2)
        )
        _draw_means(left, results, measure, rows)
        _draw_differences(right, results, measure, rows)
        left.set_yticks(range(len(rows)), rows)
        left.invert_yaxis()
        better = "higher" if column.higher_is_better else "lower"
        left.set_title(f"{_title(column)}: {better} is better")
        right.set_title("minus the whole method")
    return fig


def _draw_means(axis: Axes, results: Results, measure: str, rows: Sequence[str]) -> None:
    intervals = [interval_of(results, variant, measure) for variant in rows]
    numbers = range(len(rows))
    means = [found.mean for found in intervals]
    axis.barh(numbers, means, 0.65, color=COLOURS["sky"], edgecolor="black", linewidth=0.6)
    _draw_intervals(axis, numbers, intervals)
    tables = [results.seed_means(variant, measure) for variant in rows]
    seeds = [table for table in tables if table is not None]
    places = np.repeat(numbers, [len(means) for means in seeds])
    axis.plot(np.concatenate(seeds), places, "o", color=COLOURS["orange"], markersize=5)
    lows, highs = [found.low for found in intervals], [found.high for found in intervals]
    room = 0.15 * (max(highs) - min(lows))
    axis.set_xlim(max(0, min(lows) - room), max(highs) + room)
    axis.locator_params(axis="x", nbins=5)
    if axis.get_xlim()[0] > 0:
        axis.set_xlabel("the axis does not begin at 0")


def _draw_differences(axis: Axes, results: Results, measure: str, rows: Sequence[str]) -> None:
    axis.axvline(0, color="black", linewidth=1)
    axis.locator_params(axis="x", nbins=5)
    numbers = [row for row, variant in enumerate(rows) if variant.startswith("without")]
    found = [results.difference(rows[row], measure) for row in numbers]
    changes = [change for change in found if change is not None]
    _draw_intervals(axis, numbers, changes)
    for is_sure, style, face in ((True, "D", COLOURS["red"]), (False, "o", "white")):
        pairs = zip(changes, numbers, strict=True)
        shown = [(change.mean, row) for change, row in pairs if change.excludes_zero == is_sure]
        places = np.reshape(shown, (-1, 2)).T
        axis.plot(*places, style, color=COLOURS["red"], markerfacecolor=face)


def _draw_intervals(axis: Axes, rows: Sequence[int], found: Sequence[Interval]) -> None:
    """Draw a line for each interval, all at once because that is faster."""
    means, lows, highs = np.array([(i.mean, i.low, i.high) for i in found]).T
    reach = [means - lows, highs - means]
    axis.errorbar(means, rows, xerr=reach, fmt="none", ecolor="black", elinewidth=1.4, capsize=4)


def _title(column: Column) -> str:
    unit = {"PSNR": ", dB", "PSNR in holes": ", dB"}.get(column.name, "")
    return f"{column.name}{unit}"


class MarkedBars:
    """The bars of each metric, drawn once; then a row is highlighted in yellow.

    Drawing the bars again at each switch would be too slow.

    Args:
        results: of an ablation.
    """

    def __init__(self, results: Results) -> None:
        self._drawn: dict[str, tuple[np.ndarray, dict[str, slice]]] = {}
        figure = SteadyFigure()
        for column in results.columns:
            fig = draw_bars(results, column.name)
            pixels = figure.pixels(fig)
            self._drawn[column.name] = pixels, _heights_of_rows(fig, len(pixels))

    def marked(self, measure: str, variant: str) -> np.ndarray:
        """Return the bars of a metric with the row of a variant highlighted, uint8 (H, W, 3)."""
        plain, heights = self._drawn[measure]
        pixels, rows = plain.copy(), heights[variant]
        ink = np.array(to_rgb(COLOURS["yellow"])) * 255
        pixels[rows] = np.minimum(pixels[rows], (ink + 255) / 2)  # half as strong: names stay clear
        return pixels


def _heights_of_rows(fig: Figure, height: int) -> dict[str, slice]:
    """Return for each bar of a drawn figure its name and its rows of pixels, from the top."""
    axis = fig.axes[0]
    to_share = axis.transData + fig.transFigure.inverted()  # from the number of a bar to [0, 1]

    def down(row: float) -> int:
        return round((1 - to_share.transform((0, row))[1]) * height)

    names = [label.get_text() for label in axis.get_yticklabels()]
    return {name: slice(down(row - 0.45), down(row + 0.45)) for row, name in enumerate(names)}


def switchboard(results: Results) -> ipywidgets.Widget:
    """Return the switchboard: one part off, a photo, a seed, a measure; photos and bars.

    One part at a time, because no network was trained without two.

    Args:
        results: of the shipped micro-checkpoints.
    """
    off = ipywidgets.RadioButtons(options=SWITCHES, description="off:")
    photo = ipywidgets.Dropdown(options=list(cases()), description="photo")
    seed = slider("seed", 0, 0, results.num_seeds - 1)
    names = [column.name for column in results.columns]
    measure = ipywidgets.Dropdown(options=names, description="measure")
    picture, bars, guard = ipywidgets.HTML(), ipywidgets.HTML(), Guard()
    drawn = MarkedBars(results)

    @guard
    def draw_photo(_change: object = None) -> None:
        pixels, titles = photo_row(photo.value, off.value, seed.value)
        words = photo_words(photo.value, off.value, seed.value)
        picture.value = f"{photo_html(enlarged(pixels, times=2), words)}<p>{titles}<br>{words}</p>"

    @guard
    def draw_measure(_change: object = None) -> None:
        words = verdict(results, off.value, measure.value)
        pixels = drawn.marked(measure.value, variant_of(off.value))
        bars.value = f"{pixels_html(pixels, words)}<p>{words}</p>"

    for control in (off, photo, seed):
        control.observe(draw_photo, "value")
    for control in (off, measure):
        control.observe(draw_measure, "value")
    draw_photo()
    draw_measure()
    others = ipywidgets.VBox([photo, seed, measure], layout={"flex": "1"})  # room for the slider
    choices = ipywidgets.HBox([off, others])
    return ipywidgets.VBox([choices, picture, bars, guard.log])
