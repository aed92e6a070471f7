"""Figures of the gap: latents in one fixed plane, scores as histograms, metrics over the steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from oldphoto.checks import InputError
from oldphoto.course.figures import COLOURS, STYLE
from oldphoto.course.lessons.domain_gap.measures import (
    Gap,
    GapPhotos,
    Recording,
    mean_gap,
    reconstruction_error,
)
from oldphoto.course.widgets import recorded_view

SHOWN = 250  # latents of each kind in a figure; more hide each other
KINDS = (("old photos", "orange", "o"), ("degraded photos", "blue", "x"))


@dataclass(frozen=True)
class Projection:
    """A fixed plane to look at latents from: ``(latents - mean) @ axes``.

    Attributes:
        mean: (C,), the middle of the plane.
        axes: (C, 2), orthogonal, scaled so that both coordinates have standard deviation 1.
        limits: (2, 2), least and greatest coordinate on each axis of all latents to be shown.
    """

    mean: Tensor
    axes: Tensor
    limits: Tensor

    def __call__(self, latents: Tensor) -> Tensor:
        """Return the place of each latent in the plane: (N, C) to (N, 2)."""
        return (latents - self.mean) @ self.axes


def fit_projection(old: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
    """Return middle and axes of the plane in which two sets of latents are easiest to tell apart.

    The first axis is Fisher's linear discriminant: the direction in which the means of both sets
    lie furthest apart, measured in standard deviations within the sets. The second axis is the
    direction of largest variance among those orthogonal to the first.

    Args:
        old, degraded: (N, C) and (M, C).

    Returns:
        Middle (C,) and axes (C, 2); along both axes, all latents have standard deviation 1.

    Raises:
        InputError: if there are fewer than 3 latents of a kind or fewer than 2 channels.
    """
    if min(len(old), len(degraded)) < 3 or old.shape[1] < 2:
        raise InputError(
            "expected at least 3 latents of 2 channels of each kind, "
            f"got {tuple(old.shape)} and {tuple(degraded.shape)}"
        )
    both = torch.cat([old, degraded])
    mean = both.mean(dim=0)
    within = torch.cov(old.T) + torch.cov(degraded.T)
    # A small fraction of the mean variance keeps the system solvable where a channel is constant.
    within = within + 1e-3 * within.diagonal().mean() * torch.eye(len(within))
    first = torch.linalg.solve(within, old.mean(dim=0) - degraded.mean(dim=0))
    first = first / first.norm()
    centred = both - mean
    rest = centred - (centred @ first)[:, None] * first
    second = torch.linalg.svd(rest, full_matrices=False).Vh[0]
    second = second * second[second.abs().argmax()].sign()  # else the sign is up to the library
    axes = torch.stack([first, second], dim=1)  # (C, 2)
    return mean, axes / (centred @ axes).std(dim=0).clamp_min(1e-12)


def projection_of(recordings: Sequence[Recording]) -> Projection:
    """Return one plane for all measurements of several recordings.

    It is fitted to the last latents of the first recording. The limits hold all points, so that
    nothing is cut off.
    """
    mean, axes = fit_projection(*recordings[0].latents[-1])
    everything = torch.cat([part for r in recordings for pair in r.latents for part in pair])
    places = (everything - mean) @ axes
    low, high = places.min(dim=0).values, places.max(dim=0).values
    margin = 0.05 * (high - low)
    return Projection(mean, axes, torch.stack([low - margin, high + margin], dim=1))


def draw_latents(axis: Axes, recording: Recording, index: int, projection: Projection) -> None:
    """Draw the latents of one measurement: old ones as orange rings, degraded as blue crosses."""
    for latents, (label, colour, marker) in zip(recording.latents[index], KINDS, strict=True):
        places = projection(latents[:: max(1, len(latents) // SHOWN)])
        axis.plot(
            *places.T,
            marker=marker,
            color=COLOURS[colour],
            linestyle="",
            fillstyle="none",
            markersize=4,
            alpha=0.7,
            label=label,
        )
        middle = projection(latents).mean(dim=0)
        axis.plot(
            *middle,
            marker=marker,
            color="black",
            fillstyle="none",
            markersize=13,
            markeredgewidth=2.5,
        )
    x_limits, y_limits = projection.limits.tolist()
    axis.set(xlim=x_limits, ylim=y_limits, xlabel="discriminant axis", ylabel="largest variance")


def measurement_words(recording: Recording, index: int) -> str:
    """Return the step of a measurement and the metrics of the gap there."""
    return f"{recording.name}, step {recording.steps[index]}: {recording.gaps[index].words()}"


def latents_figure(
    recordings: Mapping[str, Recording], index: int, projection: Projection
) -> tuple[Figure, str]:
    """Draw one measurement of several recordings side by side.

    Returns:
        The figure, and what it shows in words.
    """
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(
            1, len(recordings), figsize=(4.6 * len(recordings), 4.6), sharey=True, squeeze=False
        )
        for axis, (name, recording) in zip(axes[0], recordings.items(), strict=True):
            draw_latents(axis, recording, index, projection)
            axis.set_title(f"{name}, step {recording.steps[index]}")
        for axis in axes[0, 1:]:
            axis.set_ylabel("")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=11)
    return fig, "; ".join(measurement_words(r, index) for r in recordings.values())


def trajectory_view(
    recordings: Mapping[str, Recording], projection: Projection
) -> ipywidgets.Widget:
    """Return a slider over the recorded steps, and the latents at that step."""
    steps = next(iter(recordings.values())).steps
    if any(recording.steps != steps for recording in recordings.values()):
        raise InputError("expected recordings that were measured after the same steps")
    return recorded_view(
        steps,
        lambda index: latents_figure(recordings, index, projection),
        start=len(steps) - 1,
        about="Latents as points. ",
    )


def separation(old: Tensor, degraded: Tensor) -> float:
    """Return how far the means of two sets of scores lie apart, in standard deviations.

    >>> round(separation(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 1.0])), 3)
    1.414
    """
    spread = ((old.var() + degraded.var()) / 2).sqrt()
    return float((old.mean() - degraded.mean()) / spread)


def score_histograms(scores: Mapping[str, tuple[Tensor, Tensor]]) -> tuple[Figure, str]:
    """Draw for each training the scores of old and of degraded latents as two histograms.

    Args:
        scores: name to the scores of old and of degraded latents, tensors of any shape.

    Returns:
        The figure, and what it shows in words.
    """
    everything = torch.cat([part.flatten() for pair in scores.values() for part in pair])
    low, high = everything.quantile(0.002).item(), everything.quantile(0.998).item()
    bins = torch.linspace(low, high, 41).numpy()
    apart = {name: separation(*pair) for name, pair in scores.items()}
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(
            1, len(scores), figsize=(3.7 * len(scores), 4.2), sharey=True, squeeze=False
        )
        for axis, (name, pair) in zip(axes[0], scores.items(), strict=True):
            for values, (label, colour, _) in zip(pair, KINDS, strict=True):
                ink = COLOURS[colour]
                axis.hist(
                    values.flatten().clamp(low, high).numpy(),
                    bins,
                    density=True,
                    histtype="stepfilled",
                    facecolor=(*to_rgb(ink), 0.3),
                    edgecolor=ink,
                    linewidth=2,
                    label=label,
                )
                axis.axvline(values.mean().item(), color=ink, linestyle="--")
            axis.set(title=f"{name}: {apart[name]:.2f} apart", xlabel="score of a latent position")
        axes[0, 0].set_ylabel("density")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=11)
    ends = [f"{name} {value:.2f}" for name, value in apart.items()]
    return fig, (
        "Histograms of scores of old and of degraded latents. Distance of their means in standard "
        f"deviations: {', '.join(ends)}."
    )


def gap_curves(recordings: Mapping[str, Recording]) -> tuple[Figure, str]:
    """Draw the three metrics over the steps of each recording.

    Returns:
        The figure, and what it shows in words.
    """
    titles = {"wasserstein": "sliced Wasserstein", "mmd": "MMD squared", "accuracy": "classifier"}
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, 3, figsize=(11, 3.6))
        for axis, (metric, title) in zip(axes, titles.items(), strict=True):
            for name, recording in recordings.items():
                axis.plot(recording.steps, [getattr(g, metric) for g in recording.gaps], label=name)
            axis.set(title=title, xlabel="step", ylim=(0, None))
        axes[2].axhline(0.5, color="black", linewidth=1)
        axes[2].set(ylim=(0.4, 1.0))
        axes[0].legend(fontsize=11)
    ends = [f"{name}: {recording.gaps[-1].words()}" for name, recording in recordings.items()]
    return fig, "Three metrics over the steps. At the end " + "; ".join(ends)


def gap_table(
    recordings: Mapping[str, Recording], photos: GapPhotos
) -> list[tuple[str, float, float, float, float]]:
    """Return a row for each training: name, the three metrics, reconstruction error."""
    rows = []
    for name, recording in recordings.items():
        if recording.vae is None:
            raise InputError(f"expected a training that was measured, {name} was not")
        gap: Gap = mean_gap(recording)
        error = reconstruction_error(recording.vae, photos)
        rows.append((name, gap.wasserstein, gap.mmd, gap.accuracy, error))
    return rows
