"""Figures of several methods: training curves, and a slider of results."""

from collections.abc import Mapping, Sequence

import ipywidgets
import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from oldphoto.course.figures import COLOURS, STYLE, photo_html
from oldphoto.course.lessons.methods.methods import Fit, Lesson
from oldphoto.course.widgets import Guard
from oldphoto.evaluation.comparison import MethodResult
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.metrics.fidelity import psnr

CLEAN = "clean"


def draw_fit(fit: Fit) -> Figure:
    """Draw loss and variance of a deep image prior, and its PSNR, unknown to the method."""
    steps = np.arange(len(fit.loss))
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, 2, figsize=(10, 3.6))
        axes[0].semilogy(steps, fit.loss, label="loss")
        axes[0].semilogy(steps, np.where(np.isfinite(fit.variance), fit.variance, np.nan))
        axes[0].lines[1].set_label("moving variance")
        axes[0].set(title="what the method sees", xlabel="step")
        axes[1].plot(steps, fit.psnr, label="PSNR against the clean photo")
        axes[1].set(title="what only we see", xlabel="step", ylabel="dB")
        for axis in axes:
            axis.axvline(fit.stop, color="black", linestyle=":", label="early stopping")
            axis.legend(fontsize=11)
    return fig


def fit_words(fit: Fit) -> str:
    """Return the history of a fit in words."""
    end = len(fit.psnr) - 1
    return (
        f"PSNR rises to {fit.psnr[fit.best]:.1f} dB at step {fit.best} and is {fit.psnr[end]:.1f} "
        f"dB at step {end}; early stopping keeps step {fit.stop}, {fit.psnr[fit.stop]:.1f} dB. "
        f"The loss falls to {fit.loss[end]:.4f}."
    )


def draw_lesson(lesson: Lesson, term: str) -> Figure:
    """Draw one term of a lesson's log over the steps."""
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(5, 3.2))
        axis.plot(lesson.log["step"], lesson.log[term], "o-")
        axis.set(title=term, xlabel="step")
    return fig


def results_of(
    rows: Sequence[MethodResult], photo: TestPhoto, number: int
) -> dict[str, np.ndarray]:
    """Return the results of all rows on one photo by name, and the clean photo last.

    Args:
        photo: the one with this number among those that the rows were measured on.
    """
    shown = {row.name: row.restored[number] for row in rows if len(row.restored) > number}
    return shown | {CLEAN: photo.clean}


def result_words(name: str, restored: np.ndarray, clean: np.ndarray) -> str:
    """Return the name of a picture and its PSNR, in words."""
    if name == CLEAN:
        return "The clean photo, which no method has seen."
    return f"{name}: {psnr(restored, clean):.1f} dB."


def methods_view(rows: Sequence[MethodResult], photos: Sequence[TestPhoto]) -> ipywidgets.Widget:
    """Return a choice of photo and a slider that flips through the results of all methods."""
    photo = ipywidgets.Dropdown(options=[p.name for p in photos], description="photo")
    names = list(results_of(rows, photos[0], 0))
    method = ipywidgets.SelectionSlider(
        options=names,
        description="method",
        continuous_update=False,
        layout={"width": "min(100%, 36rem)"},
    )
    picture, guard = ipywidgets.HTML(), Guard()

    @guard
    def draw(_change: object = None) -> None:
        chosen = photos[photo.index]
        restored = results_of(rows, chosen, photo.index)[method.value]
        words = f"{chosen.name}, {result_words(method.value, restored, chosen.clean)}"
        picture.value = f"{photo_html(enlarged(restored), words)}<p>{words}</p>"

    for control in (photo, method):
        control.observe(draw, "value")
    draw()
    return ipywidgets.VBox([photo, method, picture, guard.log])


def enlarged(pixels: np.ndarray, times: int = 3) -> Image.Image:
    """Return a small photo enlarged, smoothly: squares would make the stored pictures large."""
    image = Image.fromarray(pixels)
    size = (times * image.width, times * image.height)
    return image.resize(size, Image.Resampling.BICUBIC)


def beside(photo: TestPhoto, results: Mapping[str, np.ndarray]) -> dict[str, Image.Image]:
    """Return the degraded photo, its results and the clean photo, enlarged, each with its PSNR."""
    shown = {"degraded": photo.degraded} | dict(results)
    titles = {
        f"{name}, {psnr(pixels, photo.clean):.1f} dB": pixels for name, pixels in shown.items()
    }
    return {title: enlarged(pixels, 2) for title, pixels in (titles | {CLEAN: photo.clean}).items()}


def with_clean(photos: Sequence[TestPhoto]) -> dict[str, Image.Image]:
    """Return the degraded photos by name, followed by the clean ones, all enlarged."""
    pictures = {photo.name: enlarged(photo.degraded, 2) for photo in photos}
    return pictures | {f"{photo.name}, {CLEAN}": enlarged(photo.clean, 2) for photo in photos}


def draw_differences(rows: Sequence[tuple[str, float, float, float]], reference: str) -> Figure:
    """Draw differences to one method with their intervals, a line each.

    Args:
        rows: method, mean, low and high end, in dB.
        reference: the method that all are compared with.
    """
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(8, 0.9 + 0.42 * len(rows)))
        for place, (_, mean, low, high) in enumerate(rows):
            axis.plot([low, high], [place, place], color=COLOURS["blue"], linestyle="-")
            axis.plot(mean, place, "o", color=COLOURS["blue"])
        axis.axvline(0, color="black", linestyle=":")
        axis.set_yticks(range(len(rows)), [row[0] for row in rows])
        axis.invert_yaxis()
        axis.set_xlabel(f"PSNR minus that of {reference}, dB, with 95 % intervals")
    return fig
