"""Pictures of autoencoders: bounds, curves of training, noise, tones, weights, and a walk."""

from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal

from oldphoto.course.common import enlarged
from oldphoto.course.figures import COLOURS, photo_html
from oldphoto.course.lessons.vae.measures import (
    VAERun,
    channel_kl,
    noisy_psnr,
    practised_noise,
    smoothed,
    walk,
)
from oldphoto.course.widgets import picture_view, slider
from oldphoto.networks.vae import VAE

_FRACTIONS = (0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)  # size of the noise, in the latent's own spread
_NAMES = {"unit": ("variance 1", "o-"), "learned": ("textbook", "s--")}


def draw_bounds(
    elbo: Callable[[Normal], Tensor], posterior: Normal, log_evidence: Tensor
) -> tuple[Figure, str]:
    """Draw the bound over the mean of q, for three variances of q.

    Args:
        elbo: the bound of a model of one number, given q.
        posterior: the q at which it is an equality.
        log_evidence: what it bounds, a scalar.

    Returns:
        The figure, and how far below the evidence each curve has its top, in words.
    """
    means = posterior.mean + torch.linspace(-1.5, 1.5, 61, dtype=log_evidence.dtype)
    fig, axis = pyplot.subplots(figsize=(7, 4))
    words = []
    for factor, style in ((1.0, "-"), (0.2, "--"), (4.0, "-.")):
        bounds = [float(elbo(Normal(m, factor**0.5 * posterior.stddev))) for m in means]
        axis.plot(means, bounds, style, label=f"variance {factor:g} times the true one")
        words.append(f"{float(log_evidence) - max(bounds):.2f} below it at {factor:g} times")
    axis.axhline(float(log_evidence), color="black", linestyle=":", label="log p(x)")
    top = float(log_evidence)
    axis.set(xlabel="mean of q", ylabel="ELBO", ylim=(top - 5, top + 0.5))
    axis.legend(loc="lower center")
    return fig, f"The tops: {', '.join(words)} the true variance."


def draw_runs(runs: Mapping[str, VAERun]) -> tuple[Figure, str]:
    """Draw the L1 term and the KL term of some runs over the steps, smoothed over ten steps.

    Returns:
        The figure, and its words: where each term of each run begins and ends.
    """
    fig, axes = pyplot.subplots(1, 2, figsize=(10, 4))
    words = []
    for number, (name, run) in enumerate(runs.items()):
        marker = "os^Dv"[number % 5]  # at the end of a curve, which may be short and hidden
        curves = [smoothed(run.l1), smoothed(run.kl)]
        for axis, curve in zip(axes, curves, strict=True):
            axis.plot(np.arange(len(curve)) + 1, curve, marker=marker, markevery=[-1], label=name)
        l1, kl = ([curve[0], curve[-1]] for curve in curves)
        words.append(
            f"{name}: {len(run.l1)} steps, L1 {l1[0]:.2f} to {l1[1]:.2f}, "
            f"KL {kl[0]:.2f} to {kl[1]:.2f}."
        )
    axes[0].set(xlabel="step", ylabel="L1 term")
    axes[1].set(xlabel="step", ylabel="KL term, nats")
    axes[1].legend()
    return fig, " ".join(words)


def draw_disturbed(runs: Mapping[str, VAERun], held_out: Tensor) -> tuple[Figure, str]:
    """Draw the PSNR of some runs over their steps, and over noise on the latents.

    Args:
        runs: name to training.
        held_out: (N, 3, H, W) in [-1, 1], to disturb the latents of.

    Returns:
        The figure, and for each run its PSNR without noise and with noise as large as the latent,
        and the noise of its training.
    """
    fig, axes = pyplot.subplots(1, 2, figsize=(11, 4))
    words = []
    for (name, run), marker in zip(runs.items(), "os^Dv", strict=False):
        disturbed = [noisy_psnr(run.vae, held_out, fraction) for fraction in _FRACTIONS]
        axes[0].plot(*zip(*run.psnr, strict=True), marker=marker, label=name)
        axes[1].plot(_FRACTIONS, disturbed, marker=marker, label=name)
        words.append(
            f"{name}: {disturbed[0]:.1f} dB undisturbed, {disturbed[-1]:.1f} dB disturbed; "
            f"noise in training {100 * practised_noise(run, held_out):.0f} % of its spread."
        )
    axes[0].set(xlabel="step", ylabel="PSNR of held-out photos, dB")
    axes[1].set(xlabel="noise, as a fraction of the latent's spread", ylabel="PSNR, dB")
    axes[1].legend()
    return fig, " ".join(words)


def draw_tones(scores: Mapping[str, tuple[float, float]]) -> tuple[Figure, str]:
    """Draw PSNR as bars, whose hatched ends are what the right tone would add.

    Args:
        scores: name to what ``tone_scores`` returned: PSNR as it is, and with the tone given.

    Returns:
        The figure, and its numbers in words.
    """
    fig, axis = pyplot.subplots(figsize=(9, 3.6))
    for row, (raw, matched) in enumerate(scores.values()):
        axis.barh(row, matched, 0.7, color="white", edgecolor="black", hatch="///")
        axis.barh(row, raw, 0.7, color=COLOURS["sky"], edgecolor="black")
        text = f"{raw:.1f}, tone given {matched:.1f}"
        axis.text(max(raw, matched) + 0.1, row, text, va="center")
    axis.set_yticks(range(len(scores)), scores)
    axis.invert_yaxis()
    axis.set(xlabel="PSNR of held-out photos, dB", xlim=(10, 29))
    words = (f"{n} {r:.1f} dB, tone given {m:.1f} dB" for n, (r, m) in scores.items())
    return fig, "; ".join(words) + "."


def draw_weights(
    weights: Sequence[float], swept: Mapping[str, Sequence[VAERun]], held_out: Tensor
) -> tuple[Figure, str]:
    """Draw PSNR and KL over the KL weight.

    Args:
        weights: of the KL term, rising.
        swept: kind of noise, "unit" or "learned", to its run for each weight.
        held_out: (N, 3, H, W) in [-1, 1], to measure the KL on.

    Returns:
        The figure, and the numbers of each kind in words.
    """
    fig, axes = pyplot.subplots(1, 2, figsize=(11, 4))
    words = []
    for noise, runs in swept.items():
        name, style = _NAMES[noise]
        psnr = [run.final_psnr for run in runs]
        nats = [float(channel_kl(run.vae, held_out).mean()) for run in runs]
        axes[0].semilogx(weights, psnr, style, label=name)
        axes[1].semilogx(weights, nats, style, label=name)
        numbers = zip(weights, psnr, nats, strict=True)
        told = "; ".join(f"{w:g}: {p:.1f} dB, {n:.2f} nats" for w, p, n in numbers)
        words.append(f"{name}, KL weight {told}.")
    axes[0].set(xlabel="KL weight", ylabel="PSNR of held-out photos, dB")
    axes[1].set(xlabel="KL weight", ylabel="mean KL, nats")
    axes[0].legend()
    return fig, " ".join(words)


def walk_words(fraction: float, noise: float) -> str:
    """Say in words what a setting of the walk shows."""
    return (
        f"{100 * (1 - fraction):.0f} % of the first latent, {100 * fraction:.0f} % of the second; "
        f"noise of standard deviation {noise:.1f} on the latent."
    )


def walk_view(vae: VAE, first: Tensor, second: Tensor) -> ipywidgets.Widget:
    """Return two sliders, way and noise, and the decoded photo between two photos."""
    way = slider("way from the first to the second photo, in %", 50, 0, 100, step=5)
    noise = slider("noise on the latent, in tenths", 0, 0, 60, step=2)

    def html() -> str:
        words = walk_words(way.value / 100, noise.value / 10)
        photo = walk(vae, first, second, way.value / 100, noise.value / 10)
        return f"{photo_html(enlarged(photo, 3), words)}<p>{words}</p>"

    return picture_view([way, noise], html)
