"""Figures of discriminators, of GANs on the ring and of enlargers, and a slider over recordings."""

from collections.abc import Mapping, Sequence

import ipywidgets
import numpy as np
import pandas
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from oldphoto.checks import InputError
from oldphoto.course.figures import COLOURS, STYLE, as_pixels
from oldphoto.course.lessons.gan.pixels import Enlarger
from oldphoto.course.lessons.gan.ring import LIMIT, Look, Recording, ring_centres
from oldphoto.course.widgets import recorded_view

Games = Mapping[str, Recording]
Enlargers = Mapping[str, Enlarger]
_SHOWN = 250  # points in a picture; more hide each other


def discriminators_figure(
    p: Tensor, q: Tensor, x: Tensor, discriminators: Mapping[str, Tensor]
) -> Figure:
    """Draw two densities, the best discriminator between them, and learned discriminators.

    Args:
        p, q: densities of real and of generated samples at each place, (N,).
        x: the places, rising.
        discriminators: name to "probably real" at each place, (N,).
    """
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(9, 4))
        hills = (("real, p", p, "//", "blue"), ("generated, q", q, "..", "red"))
        for name, density, hatch, colour in hills:
            edge = COLOURS[colour]
            axis.fill_between(
                x, density, alpha=0.25, label=name, hatch=hatch, facecolor="none", edgecolor=edge
            )
        axis.plot(x, p / (p + q), color="black", label="best discriminator D*")
        for (name, d), style in zip(discriminators.items(), ("--", ":", "-."), strict=False):
            axis.plot(x, d, style, label=f"learned, {name}")
        axis.set(xlim=(-4, 4), ylim=(-0.15, 1.2), xlabel="x", ylabel="density, or score")
        axis.legend(fontsize=11, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig


def field_figure(photo: Tensor, maps: Sequence[Tensor], sides: Sequence[int]) -> Figure:
    """Draw the patches that two scores see, on the photo, and how strongly they see each pixel.

    Args:
        photo: (1, 3, H, W) in [-1, 1].
        maps: ``pixels.listening`` of each scale, (H, W).
        sides: of the patch of each scale, in pixels.
    """
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, 1 + len(maps), figsize=(11, 4))
        axes[0].imshow(as_pixels(photo))
        axes[0].set_title("the patches on a photo")
        looks = (("orange", "-"), ("sky", "--"))
        for scale, (weights, side, look) in enumerate(zip(maps, sides, looks, strict=True)):
            left, top = (length / 2 - side / 2 for length in reversed(weights.shape))
            square = pyplot.Rectangle((left, top), side, side, fill=False, lw=3)
            square.set(edgecolor=COLOURS[look[0]], linestyle=look[1])
            axes[0].add_patch(square)
            axes[scale + 1].imshow((weights / weights.max()).sqrt().numpy())
            axes[scale + 1].set_title(f"scale {scale}: {side} pixels")
        for axis in axes:
            axis.axis("off")
    return fig


def draw_look(axis: Axes, look: Look) -> None:
    """Draw generated points over the discriminator's scores; rings are the real clouds."""
    square = (-LIMIT, LIMIT, -LIMIT, LIMIT)
    axis.imshow(
        look.scores.numpy(),
        extent=square,
        origin="lower",
        cmap="Greys_r",
        alpha=0.6,
        aspect="equal",
    )
    right, up = ring_centres().numpy().T
    orange, blue = COLOURS["orange"], COLOURS["blue"]
    axis.scatter(right, up, s=130, facecolors="none", edgecolors=orange, linewidths=2.5)
    right, up = look.points[:_SHOWN].numpy().T
    axis.scatter(right, up, s=9, color=blue, marker="x", linewidths=1)
    axis.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), xticks=(), yticks=())


def look_words(name: str, look: Look) -> str:
    """Say in words what a look shows."""
    return (
        f"{name}, step {look.step}: {look.coverage.words()}; the discriminator tells "
        f"{100 * look.told:.0f} % right; gradient of the generator {look.gradient:.1e}."
    )


def games_figure(games: Games, numbers: Sequence[int]) -> tuple[Figure, str]:
    """Draw looks of games: one row a game, one column a look.

    Args:
        games: name to recording.
        numbers: which looks, counted from 0; -1 is the last.

    Returns:
        The figure, and what the last of these looks shows in words.
    """
    rows, columns = len(games), len(numbers)
    with pyplot.rc_context(STYLE):
        size = (2.75 * columns, 2.75 * rows + 0.35)
        fig, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
        for row, (name, game) in zip(axes, games.items(), strict=True):
            for axis, number in zip(row, numbers, strict=True):
                draw_look(axis, game.looks[number])
                axis.set_title(f"step {game.looks[number].step}")
            row[0].set_ylabel(name)
    last = (look_words(name, game.looks[numbers[-1]]) for name, game in games.items())
    return fig, " ".join(last)


def pair_figure(games: Games, number: int) -> tuple[Figure, str]:
    """Draw one look of several games side by side, for the slider."""
    with pyplot.rc_context(STYLE | {"figure.constrained_layout.use": False}):
        fig, axes = pyplot.subplots(1, len(games), figsize=(4 * len(games), 4.2), squeeze=False)
        for axis, (name, game) in zip(axes[0], games.items(), strict=True):
            draw_look(axis, game.looks[number])
            axis.set_title(f"{name}, step {game.looks[number].step}")
        fig.subplots_adjust(0.01, 0.01, 0.99, 0.92, wspace=0.03)
    words = " ".join(look_words(name, game.looks[number]) for name, game in games.items())
    return fig, words


def curves_figure(games: Games) -> tuple[Figure, str]:
    """Draw covered clouds, discriminator accuracy and generator gradient over the steps."""
    panels = {
        "covered clouds, of 8": lambda look: look.coverage.modes,
        "told right, %": lambda look: 100 * look.told,
        "gradient of the generator": lambda look: look.gradient,
    }
    markers = "osD^v"
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, 3, figsize=(11, 3.8))
        for axis, (title, measure) in zip(axes, panels.items(), strict=True):
            for marker, (name, game) in zip(markers, games.items(), strict=False):
                values = [measure(look) for look in game.looks]
                axis.plot(game.steps, values, marker=marker, markersize=5, label=name)
            axis.set(title=title, xlabel="step")
        axes[0].set_ylim(-0.3, 8.3)
        axes[1].set_ylim(0, 104)
        axes[2].set_yscale("log")
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    ends = " ".join(look_words(name, game.looks[-1]) for name, game in games.items())
    return fig, f"Three measures over the steps. At the end: {ends}"


def log_table(game: Recording, every: int = 3) -> pandas.DataFrame:
    """Return what a log would tell of a game whose points cannot be looked at."""
    looks = game.looks[::every]
    return pandas.DataFrame(
        {
            "step": [look.step for look in looks],
            "told right, %": [round(100 * look.told) for look in looks],
            "gradient": [f"{look.gradient:.0e}" for look in looks],
            "width of the points": [round(look.coverage.width, 1) for look in looks],
        }
    ).set_index("step")


def enlargers_figure(enlargers: Enlargers, number: int, photo: Tensor) -> tuple[Figure, str]:
    """Draw a part of one held-out photo as each enlarger makes it at one look.

    Args:
        enlargers: name to training.
        number: which look.
        photo: (3, H, W), the true photo.
    """
    steps = _common_steps(enlargers)
    pictures = {name: run.pictures[number] for name, run in enlargers.items()} | {"truth": photo}
    with pyplot.rc_context(STYLE | {"figure.constrained_layout.use": False}):
        fig, axes = pyplot.subplots(1, len(pictures), figsize=(2.9 * len(pictures), 3.3))
        for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
            axis.imshow(detail(picture), interpolation="nearest")
            axis.set_title(name)
            axis.axis("off")
        fig.subplots_adjust(0.01, 0.01, 0.99, 0.88, wspace=0.04)
    words = "; ".join(
        f"{name} {run.peaks[number]:.1f}, L1 {run.l1[number]:.3f}"
        for name, run in enlargers.items()
    )
    return fig, f"Step {steps[number]}, peak at the frequencies of the stride: {words}."


def detail(picture: Tensor) -> np.ndarray:
    """Return the middle of a picture (3, H, W), half as high and wide, as uint8."""
    height, width = picture.shape[-2:]
    return as_pixels(picture)[height // 4 : -height // 4, width // 4 : -width // 4]


def peaks_figure(enlargers: Enlargers, of_photos: float) -> tuple[Figure, str]:
    """Draw the peak at the stride's frequencies over the steps, beside that of true photos."""
    _common_steps(enlargers)
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(7, 4))
        for marker, (name, run) in zip("osD^", enlargers.items(), strict=False):
            axis.plot(run.steps, run.peaks, marker=marker, label=name)
        axis.axhline(of_photos, color="black", linewidth=1, label="true photos")
        axis.set(xlabel="training step", ylabel="power, against its neighbours", yscale="log")
        axis.legend(fontsize=11)
    words = "; ".join(
        f"{name} from {run.peaks[0]:.0f} to {run.peaks[-1]:.1f}" for name, run in enlargers.items()
    )
    return fig, f"Peaks over the training, logarithmic: {words}; true photos {of_photos:.1f}."


def _common_steps(enlargers: Enlargers) -> list[int]:
    steps = [run.steps for run in enlargers.values()]
    if any(other != steps[0] for other in steps):
        raise InputError("expected recordings that were looked at after the same steps")
    return steps[0]


def games_view(games: Games) -> ipywidgets.Widget:
    """Return a slider over the steps of several games, drawn side by side.

    Raises:
        InputError: if they were looked at after different steps.
    """
    steps = [game.steps for game in games.values()]
    if any(other != steps[0] for other in steps):
        raise InputError("expected recordings that were looked at after the same steps")
    middle = len(steps[0]) // 2
    return recorded_view(steps[0], lambda number: pair_figure(games, number), start=middle)


def enlargers_view(enlargers: Enlargers, photo: Tensor) -> ipywidgets.Widget:
    """Return a slider over the steps of several enlargers, beside the true photo."""
    steps = _common_steps(enlargers)
    return recorded_view(
        steps,
        lambda number: enlargers_figure(enlargers, number, photo),
        start=len(steps) // 2,
    )
