"""Figures of the mapping, and a slider from the latent of a degraded photo to the mapped one."""

from collections.abc import Mapping

import ipywidgets
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor

from oldphoto.course.common import enlarged, psnr_of
from oldphoto.course.figures import COLOURS, STYLE, photo_html
from oldphoto.course.lessons.mapping.measures import MappingRun, Quality
from oldphoto.course.widgets import picture_view, slider
from oldphoto.networks.vae import VAE


def draw_training(run: MappingRun, lines: Mapping[str, Quality]) -> Figure:
    """Draw PSNR and latent L1 over the steps, with a level line for each other mapping."""
    panels = {"psnr": "PSNR on held-out crops, dB", "latent_l1": "latent L1 on held-out crops"}
    dashes = ("--", ":", "-.")
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(1, 2, figsize=(10, 3.6))
        for axis, (name, title) in zip(axes, panels.items(), strict=True):
            values = [getattr(quality, name) for quality in run.qualities]
            axis.plot(run.steps, values, "o-", label="trained mapping")
            for (label, quality), dash in zip(lines.items(), dashes, strict=False):
                axis.axhline(getattr(quality, name), color="black", linestyle=dash, label=label)
            axis.set(title=title, xlabel="step")
        axes[0].legend(fontsize=11)
    return fig


def draw_budget(budget: Mapping[str, Tensor]) -> Figure:
    """Draw the mean PSNR of each stage as a bar, each photo as a dot on it."""
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(8, 0.9 + 0.55 * len(budget)))
        for row, values in enumerate(budget.values()):
            axis.barh(row, float(values.mean()), color=COLOURS["sky"], height=0.6)
            axis.plot(values, [row] * len(values), "o", color=COLOURS["black"], markersize=4)
            axis.annotate(f"{float(values.mean()):.1f} dB ", (2, row), va="center")
        axis.set_yticks(range(len(budget)), list(budget))
        axis.invert_yaxis()
        axis.set_xlabel("PSNR in dB: bars are means, dots are photos")
    return fig


def blend(latent_degraded: Tensor, mapped: Tensor, fraction: float) -> Tensor:
    """Return the latent at a fraction of the straight line from one latent to another.

    Args:
        latent_degraded, mapped: (B, C, h, w).
        fraction: 0 is the latent of the degraded photo, 1 what the mapping makes of it; more than
            1 goes further in the same direction.
    """
    return latent_degraded + fraction * (mapped - latent_degraded)


def decoded_blend(
    vae_clean: VAE, latent_degraded: Tensor, mapped: Tensor, fraction: float
) -> Tensor:
    """Return the photo of a blended latent, (B, 3, H, W) in [-1, 1]."""
    with torch.no_grad():
        return vae_clean.decode(blend(latent_degraded, mapped, fraction))


def blend_words(fraction: float, photo: Tensor, clean: Tensor) -> str:
    """Return how far on the line a photo lies, and its PSNR, in words."""
    return f"{100 * fraction:.0f} % of the way: {float(psnr_of(photo, clean).mean()):.1f} dB."


def blend_view(
    vae_clean: VAE, latent_degraded: Tensor, mapped: Tensor, clean: Tensor
) -> ipywidgets.Widget:
    """Return a slider from no mapping to the whole of it and beyond, with the decoded photo.

    Args:
        vae_clean: decodes.
        latent_degraded, mapped: (1, C, h, w).
        clean: (1, 3, 4 h, 4 w) in [-1, 1], to measure against.
    """
    way = slider("fraction of the mapping, in %", 100, 0, 200, step=10)

    def html() -> str:
        fraction = way.value / 100
        photo = decoded_blend(vae_clean, latent_degraded, mapped, fraction)
        words = blend_words(fraction, photo, clean)
        return f"{photo_html(enlarged(photo, times=2), words)}<p>{words}</p>"

    return picture_view([way], html)
