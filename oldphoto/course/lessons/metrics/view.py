"""Figures and widgets on metrics: a slider in decibels, the blind test, intervals, ranks."""

import functools
from collections.abc import Callable, Mapping, Sequence
from html import escape

import ipywidgets
import numpy as np
import pandas
from matplotlib import pyplot
from matplotlib.figure import Figure

from oldphoto.checks import InputError
from oldphoto.course.common import beside, exact_html
from oldphoto.course.figures import COLOURS, STYLE
from oldphoto.course.lessons.metrics.blind_test import (
    CHANGES,
    LETTERS,
    BlindTest,
    Judged,
    Pair,
    agreement,
    at_psnr,
)
from oldphoto.course.widgets import Guard, picture_view, slider
from oldphoto.metrics.bootstrap import Interval
from oldphoto.metrics.fidelity import psnr

NO_PREFERENCE = "equal"
_LEVELS = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]  # of an axis
_MARKED = {
    "ours with partial non-local": ("blue", "-", "o"),
    "Attention": ("red", "--", "s"),
    "Pix2Pix": ("orange", ":", "D"),
}


# --- one decibel ---------------------------------------------------------------------------------


def decibel_view(clean: np.ndarray) -> ipywidgets.Widget:
    """Return a slider for the PSNR and a choice of changes, which shows what a PSNR looks like.

    Args:
        clean: uint8 (H, W, 3).
    """
    decibels = slider("PSNR, in dB", 20, 18, 40)
    change = ipywidgets.Dropdown(options=list(CHANGES), value="noise", description="change")

    def html() -> str:
        changed = at_psnr(clean, change.value, decibels.value)
        words = f"{change.value} at {psnr(changed, clean):.1f} dB"
        alt = f"Left: the clean photo. Right: {words}."
        return f"{exact_html(beside(clean, changed), alt)}<p>{escape(alt)}</p>"

    return picture_view([decibels, change], html)


# --- the blind test ------------------------------------------------------------------------------


def verdict_table(
    judged: Sequence[Judged], choices: Mapping[str, str] | None = None
) -> pandas.DataFrame:
    """Return a row for each pair: its versions, what was chosen, and what each metric prefers.

    Args:
        judged: what the metrics say.
        choices: photo to preferred version; None leaves the column out.
    """
    rows = {}
    for pair in judged:
        versions = " / ".join(next(iter(pair.values.values())))
        rows[pair.photo] = {"versions": versions}
        if choices is not None:
            rows[pair.photo]["you"] = choices.get(pair.photo, "")
        for metric, better in pair.prefers.items():
            rows[pair.photo][metric] = better or NO_PREFERENCE
    return pandas.DataFrame(rows).T


def agreement_words(choices: Mapping[str, str], judged: Sequence[Judged]) -> list[str]:
    """Return for each metric how often it agrees with the choices, in words."""
    said = []
    for metric in judged[0].prefers:
        same, decided = agreement(choices, judged, metric)
        said.append(f"{metric} agrees with you in {same} of the {decided} pairs that it decides.")
    return said


class BlindPanel:
    """The controls of the blind test and what they do; ``widget`` is to be displayed.

    Args:
        pairs, judged, seed: as in ``blind_view``.
    """

    def __init__(self, pairs: Sequence[Pair], judged: Sequence[Judged], seed: int = 0) -> None:
        if not judged or {pair.photo for pair in pairs} != {one.photo for one in judged}:
            raise InputError("expected a judgement of the metrics for each of the pairs")
        self.judged = judged
        self.test = BlindTest(pairs, seed)
        self.shown: object = None
        self.places = {name: ipywidgets.HTML() for name in ("original", *LETTERS)}
        self.buttons = {
            letter: ipywidgets.Button(description=f"{letter} is nearer") for letter in LETTERS
        }
        self.undo = ipywidgets.Button(description="Undo")
        self.typed = ipywidgets.Text(
            description="or type A or B",
            placeholder="then Enter",
            style={"description_width": "initial"},
            continuous_update=False,
        )
        self.progress = ipywidgets.IntProgress(max=len(pairs), description="pairs")
        self.status, self.message, self.answer = (ipywidgets.HTML() for _ in range(3))
        self.guard = Guard()
        self._connect()
        self.widget = self._arranged()
        self.guard(self.draw)()

    def _connect(self) -> None:
        self.undo.on_click(self.guard(lambda _button: self.act(BlindTest.undo)))
        for letter, button in self.buttons.items():
            choose = functools.partial(BlindTest.choose, letter=letter)
            button.on_click(self.guard(lambda _button, choose=choose: self.act(choose)))
        self.typed.observe(self.guard(self._was_typed), "value")

    def _arranged(self) -> ipywidgets.Widget:
        cards = [ipywidgets.VBox([self.places["original"]])]
        cards += [ipywidgets.VBox([self.places[x], self.buttons[x]]) for x in LETTERS]
        columns = {"grid_template_columns": "repeat(auto-fill, minmax(17rem, 1fr))"}
        bottom = [self.undo, self.typed, self.progress]
        return ipywidgets.VBox(
            [
                self.status,
                ipywidgets.GridBox(cards, layout=columns),
                ipywidgets.HBox(bottom, layout={"flex_flow": "wrap"}),
                self.message,
                self.answer,
                self.guard.log,
            ]
        )

    def act(self, step: Callable[[BlindTest], None]) -> None:
        """Carry out one action of the test and redraw; show errors of the reader as a message."""
        self.message.value = ""
        try:
            step(self.test)
        except InputError as error:
            self.message.value = f"<p role='alert'>{escape(str(error))}</p>"
        self.draw()

    def _was_typed(self, change: dict[str, str]) -> None:
        if change["new"]:
            self.act(functools.partial(BlindTest.choose, letter=change["new"]))

    def draw(self) -> None:
        """Show the state of the test; pictures change with the pair only."""
        showing = self.test.showing
        if showing is not self.shown:
            self.shown = showing
            self.places["original"].value = (
                exact_html(showing.pair.clean, "The original photo.") if showing else ""
            )
            for letter in LETTERS:
                alt = f"Version {letter} of the photo, what was done to it is hidden."
                self.places[letter].value = (
                    exact_html(showing.picture(letter), alt) if showing else ""
                )
        self.progress.value, self.typed.value = len(self.test.chosen), ""
        self.status.value = f"<p role='status'>{escape(self.test.words())}</p>"
        self.answer.value = "" if self.test.is_open else self._answer_html()

    def _answer_html(self) -> str:
        choices = self.test.choices
        said = "".join(f"<li>{escape(line)}</li>" for line in agreement_words(choices, self.judged))
        return f"{verdict_table(self.judged, choices).to_html()}<ul>{said}</ul>"


def blind_view(pairs: Sequence[Pair], judged: Sequence[Judged], seed: int = 0) -> ipywidgets.Widget:
    """Return the blind test: the original, two versions with a button each, and then the verdicts.

    Every control is a button or a field that the Tab key reaches; none is ever switched off.

    Args:
        pairs: to be judged.
        judged: values of the metrics, shown after the last pair.
        seed: of the order of pairs and letters.

    Raises:
        InputError: if a judgement is missing.
    """
    return BlindPanel(pairs, judged, seed).widget


# --- figures -------------------------------------------------------------------------------------


def draw_ssim_maps(photo: np.ndarray, maps: Mapping[str, np.ndarray]) -> Figure:
    """Draw a photo and maps of its SSIM under some changes.

    Args:
        photo: uint8 (H, W, 3).
        maps: change to its SSIM (H', W', 3), of which the mean over the colours is drawn.
    """
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, 1 + len(maps), figsize=(3.5 * (1 + len(maps)), 3.6))
        axes[0].imshow(photo)
        axes[0].set_title("clean")
        for axis, (change, found) in zip(axes[1:], maps.items(), strict=True):
            drawn = axis.imshow(found.mean(axis=2), vmin=0, vmax=1)
            axis.set_title(f"SSIM under {change}")
        for axis in axes:
            axis.axis("off")
        fig.colorbar(drawn, ax=axes, shrink=0.8)
    return fig


def draw_brightness(photos: Mapping[str, np.ndarray]) -> Figure:
    """Draw the histograms of some photos' normalised brightness, a line each.

    Args:
        photos: name to ``metrics_lab.normalised_brightness``.
    """
    bins = np.linspace(-2.5, 2.5, 51)
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(7, 3.8))
        for name, values in photos.items():
            axis.plot(bins[1:], np.histogram(values, bins, density=True)[0], label=name)
        axis.set(xlabel="normalised brightness", ylabel="fraction of the pixels, density")
        axis.legend()
    return fig


def draw_bias(bias: Mapping[int, Sequence[float]]) -> tuple[Figure, str]:
    """Draw the Fréchet distance of two sets of one distribution over their size.

    Returns:
        The figure, and its words.
    """
    sizes = np.array(list(bias))
    means = np.array([np.mean(values) for values in bias.values()])
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(7, 4))
        for size, values in bias.items():
            axis.loglog([size] * len(values), values, "o", color=COLOURS["sky"], markersize=4)
        axis.loglog(sizes, means, "-", color=COLOURS["blue"], label="measured, mean")
        tail = means[-1] * sizes[-1] / sizes
        axis.loglog(sizes, tail, ":", color="black", label="falling as 1 / number")
        axis.set_xticks(sizes, [str(size) for size in sizes])
        levels = [level for level in _LEVELS if means.min() <= level <= means.max()]
        axis.set_yticks(levels, [f"{level:g}" for level in levels])
        axis.minorticks_off()
        axis.set(xlabel="members of each set", ylabel="Fréchet distance, truly 0")
        axis.legend()
    return fig, (
        f"Distance over the number of members, on logarithmic axes: from {means[0]:.1f} with "
        f"{sizes[0]} members down to {means[-1]:.1f} with {sizes[-1]}; it falls as one over the "
        "number."
    )


def draw_intervals(intervals: Mapping[str, Interval], unit: str, zero: bool = False) -> Figure:
    """Draw each interval as a bar with its mean, one below the other.

    Args:
        intervals: what was measured to its interval.
        unit: label of the axis.
        zero: whether a line stands at 0, as for differences.
    """
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(8, 0.8 + 0.55 * len(intervals)))
        for place, found in enumerate(intervals.values()):
            ends = [[found.mean - found.low], [found.high - found.mean]]
            axis.errorbar(found.mean, place, xerr=ends, fmt="o", color=COLOURS["blue"], capsize=5)
        if zero:
            axis.axvline(0, color="black", linestyle=":", linewidth=1)
        axis.set_yticks(range(len(intervals)), list(intervals))
        axis.set(xlabel=unit, ylim=(len(intervals) - 0.5, -0.5))
    return fig


def draw_ranks(ranks: pandas.DataFrame) -> tuple[Figure, str]:
    """Draw the rank of each method in each column of a table, one line per method.

    Args:
        ranks: methods as rows, metrics as columns, 1 = best.

    Returns:
        The figure, and its words.
    """
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(9, 4.6))
        steps = np.arange(ranks.shape[1])
        for method, places in ranks.iterrows():
            colour, dash, marker = _MARKED.get(method, ("", "-", "."))
            drawn = COLOURS[colour] if colour else "0.6"
            axis.plot(steps, places, dash, marker=marker, color=drawn, linewidth=3 if colour else 1)
            axis.text(steps[-1] + 0.06, places.iloc[-1], method, va="center")
        axis.set_xticks(steps, list(ranks.columns))
        axis.set(ylabel="place", ylim=(len(ranks) + 0.4, 0.6), xlim=(-0.2, steps[-1] + 1.7))
    words = [
        f"{method}: places {', '.join(f'{place:.0f}' for place in ranks.loc[method])}"
        for method in _MARKED
    ]
    return fig, f"A line for each method over {', '.join(ranks.columns)}. {'; '.join(words)}."
