"""Fine-tune on a few photos of your own, and measure the gain on them and on others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from IPython.utils.capture import capture_output
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate

from oldphoto import losses
from oldphoto.checks import require_positive
from oldphoto.config import PRESETS, LossWeights
from oldphoto.course.figures import STYLE
from oldphoto.data import DegradedPairs
from oldphoto.evaluation.test_photos import TestPhoto, make_test_photos
from oldphoto.inference.restorer import Restorer
from oldphoto.metrics.fidelity import psnr
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.system.devices import choose_device, is_fast_at_bf16
from oldphoto.training.plan import Plan
from oldphoto.training.settings import LoopSettings
from oldphoto.training.stages import train_stage
from oldphoto.weights.source import WeightsSource
from oldphoto.weights.store import load_weights


@dataclass(frozen=True)
class Round:
    """Scores after a number of fine-tuning steps: PSNR of each photo, in dB."""

    step: int
    trained_on: list[float]
    rest: list[float]


def fine_tune(
    album: Sequence[Path],
    rest: Sequence[Path],
    folder: Path,
    learning_rate: float,
    num_rounds: int = 1,
    steps: int = 20,
    weights: str = "small",
    recipe: str = "light",
    seed: int = 0,
    device: str = "cpu",
) -> list[Round]:
    """Train the mapping further on a few photos, and measure it on them and on others.

    Each round starts from the weights of the last one, so that the progress can be measured. The
    VAEs are not changed.

    Args:
        album: clean photos to train on.
        rest: clean photos that are not used in training.
        folder: for the runs.
        learning_rate: at the start of each round.
        steps: of a round; a step sees 4 crops of 64 px.
        weights: to start from, by name or folder; not the authors'.
        recipe: recipe that degrades the photos for training and measuring; holes are added.

    Returns:
        The scores before the first round and after each.

    Raises:
        InputError: if there are fewer photos than one batch, or no such weights.
    """
    require_positive(num_rounds=num_rounds, steps=steps)
    measured = [list(make_test_photos(paths, recipe, seed + 1)) for paths in (album, rest)]

    def scores(step: int, source: str | Path) -> Round:
        restorer = Restorer.from_pretrained(source, "scratch", device=device)
        both = [restored_scores(restorer, photos) for photos in measured]
        return Round(step, *both)

    precision = "bf16" if is_fast_at_bf16(choose_device(device)) else "fp32"
    settings = LoopSettings(device=device, precision=precision, log_every=steps)
    rounds = [scores(0, weights)]
    for number in range(1, num_rounds + 1):
        plan = _plan(album, folder / str(number), str(weights), learning_rate, steps, recipe)
        # Another seed for each round gives other crops and other damage.
        plan = replace(plan, seed=seed + 100 * number)
        with capture_output():  # a progress bar for each round would fill the page
            train_stage(plan, "mapping", settings)
        weights = str(plan.run)
        rounds.append(scores(number * steps, weights))
    return rounds


def _plan(
    album: Sequence[Path], run: Path, start: str, rate: float, steps: int, recipe: str
) -> Plan:
    """Return the plan of a short stage: the loss of preset small without the perceptual term."""
    batch = min(4, len(album))
    changes = dict(
        batch=batch,
        crop=64,
        num_photos=batch * steps,
        learning_rate=rate,
        ema_decay=0.9,
        recipe=recipe,
        weights=LossWeights(
            latent_l1_weight=0.5,
            adversarial_weight=0.02,
            feature_matching_weight=0.1,
            perceptual_weight=0.0,
        ),
    )
    preset = PRESETS["small"].with_stages("mapping", **changes)
    return Plan(preset, album, album, run, start_from=WeightsSource.parse(start))


def learn_by_heart(
    album: Sequence[Path],
    rest: Sequence[Path],
    steps: int = 24,
    every: int = 8,
    learning_rate: float = 1e-4,
    weights: str = "small",
    seed: int = 0,
) -> list[Round]:
    """Overfit the mapping: train on one crop of each photo, always with the same damage.

    All that protects from overfitting is left out: other crops, other damage, the discriminator.
    The loss is the L1 distance of the restored photo.

    Returns:
        The scores of the crops, of ``album`` and of ``rest``, at the start and every few steps.
    """
    network = load_weights(weights, "scratch")
    batches = [_crops(paths, seed) for paths in (album, rest)]
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.Adam(network.mapping.requires_grad_(True).parameters(), learning_rate)
    rounds = [Round(0, *(_crop_scores(network, batch) for batch in batches))]
    for step in range(1, steps + 1):
        batch = batches[0]
        restored = network(batch["degraded"], batch["scratch_mask"])
        optimizer.zero_grad()
        losses.l1_loss(restored, batch["clean"]).backward()
        optimizer.step()
        if step % every == 0:
            rounds.append(Round(step, *(_crop_scores(network, batch) for batch in batches)))
    return rounds


def _crops(paths: Sequence[Path], seed: int) -> dict[str, Tensor]:
    pairs = DegradedPairs(paths, crop=64, seed=seed, recipe="released")
    return default_collate([pairs[position] for position in range(len(paths))])


@torch.no_grad()
def _crop_scores(network: RestorationNetwork, batch: dict[str, Tensor]) -> list[float]:
    restored = network(batch["degraded"], batch["scratch_mask"])
    squares = ((restored - batch["clean"]) / 2).square().flatten(1).mean(dim=1)
    return (-10 * squares.log10()).tolist()


def restored_scores(
    restore: Callable[..., Image.Image], photos: Sequence[TestPhoto]
) -> list[float]:
    """Return the PSNR in dB of each photo, restored with its exact mask."""
    return [psnr(np.asarray(restore(p.degraded, p.scratch_mask)), p.clean) for p in photos]


def gains(rounds: Sequence[Round]) -> tuple[float, float]:
    """Return the gain of the last round over the start in dB: on the trained photos and the rest.

    Example:
        >>> gains([Round(0, [20.0], [20.0]), Round(8, [22.5], [19.5])])
        (2.5, -0.5)
    """
    first, last = rounds[0], rounds[-1]
    return (
        float(np.mean(last.trained_on) - np.mean(first.trained_on)),
        float(np.mean(last.rest) - np.mean(first.rest)),
    )


def gain_words(rounds: Sequence[Round], certain: float = 0.1) -> str:
    """Return the gains as a sentence; differences below ``certain`` dB count as no change."""
    album, rest = gains(rounds)

    def words(gain: float) -> str:
        if abs(gain) < certain:
            return f"no change worth a word ({gain:+.2f} dB)"
        return f"{'better' if gain > 0 else 'WORSE'} by {abs(gain):.1f} dB"

    return f"photos trained on: {words(album)}; the rest of the album: {words(rest)}"


def draw_rounds(runs: Mapping[str, Sequence[Round]]) -> Figure:
    """Draw the change since the start over the steps, one panel per run."""
    with pyplot.rc_context(STYLE):
        fig, axes = pyplot.subplots(
            1, len(runs), figsize=(4.6 * len(runs), 3.4), sharey=True, squeeze=False
        )
        for axis, (name, rounds) in zip(axes.flat, runs.items(), strict=True):
            steps = [r.step for r in rounds]
            for label, key, marks in (
                ("trained on", "trained_on", "o-"),
                ("the rest", "rest", "s--"),
            ):
                means = np.array([np.mean(getattr(r, key)) for r in rounds])
                axis.plot(steps, means - means[0], marks, label=label)
            axis.axhline(0, color="black", linewidth=1, linestyle=":")
            axis.set(title=name, xlabel="step", xticks=steps)
        axes.flat[0].set_ylabel("change of PSNR, dB")
        axes.flat[0].legend(fontsize=11)
    return fig
