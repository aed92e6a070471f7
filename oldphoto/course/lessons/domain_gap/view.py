"""Pictures of codes in one fixed projection, and a slider over the steps of a recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from oldphoto.checks import InputError
from oldphoto.course.figures import COLOURS, STYLE
from oldphoto.course.lessons.domain_gap.training import (
    GapPhotos,
    Recording,
    mean_gap,
    reconstruction_error,
)
from oldphoto.course.widgets import recorded_view

SHOWN = 250  # codes of each kind in a picture; more hide each other


@dataclass(frozen=True)
class Projection:
    """A fixed plane to look at codes from: ``(codes - mean) @ axes`` / ``scale``.

    Attributes:
        mean: (C,), the middle of the picture.
        axes: (C, 2), orthogonal, of length 1.
        scale: (2,), deviation of the codes along both axes.
    """

    mean: Tensor
    axes: Tensor
    scale: Tensor

    def __call__(self, codes: Tensor) -> Tensor:
        """Return the place of each code in the picture: (N, C) to (N, 2)."""
        return (codes - self.mean) @ self.axes / self.scale


def fit_projection(codes: Tensor) -> Projection:
    """Return the plane in which the codes (N, C) vary most (their first two principal axes).

    Raises:
        InputError: if there are fewer than 3 codes or fewer than 2 channels.
    """
    if codes.ndim != 2 or len(codes) < 3 or codes.shape[1] < 2:
        raise InputError(f"expected at least 3 codes of 2 channels, got {tuple(codes.shape)}")
    mean = codes.mean(dim=0)
    axes = torch.linalg.svd(codes - mean, full_matrices=False).Vh[:2].T
    heaviest = axes.abs().argmax(dim=0)
    axes = axes * axes.gather(0, heaviest[None]).sign()  # else the sign is up to the library
    return Projection(mean, axes, ((codes - mean) @ axes).std(dim=0).clamp_min(1e-12))


def projection_of(recordings: Sequence[Recording]) -> Projection:
    """Return one plane for the last looks of several recordings."""
    return fit_projection(torch.cat([codes for r in recordings for codes in r.codes[-1]]))


def draw_codes(axis: Axes, recording: Recording, look: int, projection: Projection) -> None:
    """Draw the codes of one look: old ones as orange rings, degraded ones as blue crosses."""
    kinds = (("old photos", "orange", "o"), ("degraded photos", "blue", "x"))
    for codes, (label, colour, marker) in zip(recording.codes[look], kinds, strict=True):
        places = projection(codes[:: max(1, len(codes) // SHOWN)])
        ring = dict(color=COLOURS[colour], linestyle="", fillstyle="none", markersize=4, alpha=0.7)
        axis.plot(*places.T, marker=marker, label=label, **ring)
        middle = places.mean(dim=0)
        ink = {"color": "black", "fillstyle": "none", "markersize": 13, "markeredgewidth": 2.5}
        axis.plot(*middle, marker=marker, **ink)  # a ring and a cross stay two signs on one place
    axis.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), xlabel="first axis", ylabel="second axis")


def look_words(recording: Recording, look: int) -> str:
    """Say which step a look shows, and the measures of the gap there."""
    return f"{recording.adversary}, step {recording.steps[look]}: {recording.gaps[look].words()}"


def looks_figure(
    recordings: Mapping[str, Recording], look: int, projection: Projection
) -> tuple[Figure, str]:
    """Draw one look of several recordings side by side.

    Returns:
        The figure, and what it shows in words.
    """
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(
            1, len(recordings), figsize=(4 * len(recordings), 4.2), sharey=True, squeeze=False
        )
        for axis, (name, recording) in zip(axes[0], recordings.items(), strict=True):
            draw_codes(axis, recording, look, projection)
            axis.set_title(f"{name}, step {recording.steps[look]}")
        for axis in axes[0, 1:]:
            axis.set_ylabel("")
        axes[0, 0].legend(loc="lower left", fontsize=11)
    return fig, "; ".join(look_words(recording, look) for recording in recordings.values())


def trajectory_view(
    recordings: Mapping[str, Recording], projection: Projection
) -> ipywidgets.Widget:
    """Return a slider over the recorded steps, and the codes at that step."""
    steps = next(iter(recordings.values())).steps
    if any(recording.steps != steps for recording in recordings.values()):
        raise InputError("expected recordings that were looked at after the same steps")
    return recorded_view(
        steps,
        lambda look: looks_figure(recordings, look, projection),
        start=len(steps) - 1,
        about="Codes as points. ",
    )


def gap_curves(recordings: Mapping[str, Recording]) -> tuple[Figure, str]:
    """Draw the three measures over the steps of each recording.

    Returns:
        The figure, and what it shows in words.
    """
    titles = {"wasserstein": "sliced Wasserstein", "mmd": "MMD squared", "accuracy": "classifier"}
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, 3, figsize=(11, 3.6))
        for axis, (measure, title) in zip(axes, titles.items(), strict=True):
            for name, recording in recordings.items():
                axis.plot(
                    recording.steps, [getattr(g, measure) for g in recording.gaps], label=name
                )
            axis.set(title=title, xlabel="step", ylim=(0, None))
        axes[2].axhline(0.5, color="black", linewidth=1)
        axes[2].set(ylim=(0.4, 1.0))
        axes[0].legend(fontsize=11)
    ends = [f"{name}: {recording.gaps[-1].words()}" for name, recording in recordings.items()]
    return fig, "Three measures over the steps. At the end " + "; ".join(ends)


def gap_table(recordings: Mapping[str, Recording], photos: GapPhotos) -> list[tuple]:
    """Return a row for each training: name, the three measures, reconstruction error."""
    rows = []
    for name, recording in recordings.items():
        gap = mean_gap(recording)
        error = reconstruction_error(recording.vae, photos)
        rows.append((name, gap.wasserstein, gap.mmd, gap.accuracy, error))
    return rows
