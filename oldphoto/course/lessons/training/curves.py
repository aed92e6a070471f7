"""What notebook 10 shows of training runs: logs as curves, kills, checkpoints, memory."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ipywidgets
import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from oldphoto.checks import InputError, require_positive
from oldphoto.config import Preset
from oldphoto.course.common import Log, fall, output_folder
from oldphoto.course.figures import COLOURS, STYLE, SteadyFigure, figure_as_html
from oldphoto.course.widgets import Guard, picture_view, slider
from oldphoto.networks.mapping import scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.system.files import sha256_of
from oldphoto.system.memory import GIB
from oldphoto.system.outputs import OutputFolder
from oldphoto.training.checkpoint import checkpoint_path
from oldphoto.training.memory_estimate import StepCost

NOT_TERMS = ("step", "photos_per_second", "rate")
_LOOK_EVERY = 0.02  # seconds between two looks at the folder of a run that is to be killed


def untrained(preset: Preset, seed: int = 0) -> RestorationNetwork:
    """Return the three networks of a preset with their first, random weights."""
    with torch.random.fork_rng(devices=[]):  # the notebook's own random numbers stay as they are
        torch.manual_seed(seed)
        vaes = VAE(preset.vae), VAE(preset.vae)
        return RestorationNetwork(*vaes, scratch_mapping(preset.mapping)).eval()


def fresh_folder(path: str | Path) -> Path:
    """Return an empty folder; one of that name that holds files is renamed, and that is printed."""
    folder = output_folder(Path(path).parent) / Path(path).name
    with OutputFolder(folder.parent) as outputs:
        moved = outputs.fresh_folder(folder.name)
    if moved:
        print(f"{folder} held files: they are now in {moved}")
    return folder


def smoothed(values: np.ndarray, fraction: float) -> np.ndarray:
    """Return a running mean: each value is ``fraction`` of the one before, the rest is new.

    Args:
        values: (N,).
        fraction: 0 leaves the values as they are; must be below 1.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"fraction must be at least 0 and below 1, got {fraction}")
    result = np.array(values, dtype=float)
    for index in range(1, len(result)):
        result[index] = fraction * result[index - 1] + (1 - fraction) * result[index]
    return result


def draw_curves(logs: Mapping[str, Log], terms: Sequence[str], fraction: float = 0.0) -> Figure:
    """Draw terms over steps, one panel for each; a panel has one line for each log.

    Args:
        logs: name to log.
        terms: columns to draw; a log without the column is left out of its panel.
        fraction: of the smoothing, see ``smoothed``; the raw values stay visible behind.
    """
    with pyplot.rc_context(STYLE):
        width = 4.2 * len(terms)
        fig, axes = pyplot.subplots(1, len(terms), figsize=(width, 3.2), squeeze=False)
        for axis, term in zip(axes.flat, terms, strict=True):
            for name, log in logs.items():
                if term not in log:
                    continue
                line = axis.plot(log["step"], smoothed(log[term], fraction), label=name)[0]
                if fraction:
                    axis.plot(log["step"], log[term], color=line.get_color(), alpha=0.25, lw=1)
            axis.set(title=term, xlabel="step")
            shown = np.concatenate([log[term] for log in logs.values() if term in log])
            if shown.max() > 1e4:
                axis.set_yscale("log")
                if shown.max() > 100 * abs(shown).min():
                    axis.minorticks_off()  # powers of ten are enough, and soon drawn
        if len(logs) > 1:
            axes.flat[0].legend(fontsize=11)
    return fig


def curve_words(log: Log, term: str) -> str:
    """Say in words how a term went."""
    first, last = fall(log, term)
    way = "falls" if last < first else "rises"
    steps = int(log["step"][-1])
    return f"{term} {way} from {first:.3g} to {last:.3g} in {steps} steps."


def curves_view(logs: Mapping[str, Log]) -> ipywidgets.Widget:
    """Return a choice of stage and term, with smoothing, and the curve."""
    stage = ipywidgets.Dropdown(options=list(logs), description="stage")
    term = ipywidgets.Dropdown(options=_terms(logs[stage.value]), description="term")
    fraction = slider("smoothing, in %", 0, 0, 95, step=5)
    picture, guard = ipywidgets.HTML(), Guard()

    @guard
    def draw(_change: object = None) -> None:
        log = logs[stage.value]
        words = curve_words(log, term.value)
        fig = draw_curves({stage.value: log}, [term.value], fraction.value / 100)
        picture.value = f"{figure_as_html(fig, words)}<p>{stage.value}: {words}</p>"

    @guard
    def change_stage(_change: object = None) -> None:
        term.unobserve(draw, "value")  # the new terms would draw as well, and a reader waits
        term.options = _terms(logs[stage.value])
        term.observe(draw, "value")
        draw()

    for control in (term, fraction):
        control.observe(draw, "value")
    stage.observe(change_stage, "value")
    draw()
    return ipywidgets.VBox([ipywidgets.HBox([stage, term]), fraction, picture, guard.log])


def _terms(log: Log) -> list[str]:
    return [name for name in log if name not in NOT_TERMS]


def kill_after(
    folder: Path, words: Sequence[str], stage: Path, step: int, limit: float = 1800.0
) -> int:
    """Start ``python -m WORDS``, and kill it when it has saved a checkpoint of some step.

    The process gets no warning and no chance to tidy up, as when the power fails.

    Args:
        folder: where the command runs.
        words: module and arguments.
        stage: folder of the stage whose checkpoints are watched.
        step: of the checkpoint to wait for.
        limit: seconds to wait at most.

    Returns:
        The step of the newest checkpoint that was complete when the process was gone.

    Raises:
        InputError: if the process ended by itself before.
    """
    with (folder / "killed.log").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
            stdout=said,
            stderr=said,
        )
        try:
            give_up = time.monotonic() + limit
            while max(saved_steps(stage), default=0) < step:
                if process.poll() is not None or time.monotonic() > give_up:
                    raise InputError(f"no checkpoint of step {step} came: see killed.log")
                time.sleep(_LOOK_EVERY)
        finally:
            process.kill()
            process.wait()
    return max(saved_steps(stage))


def saved_steps(stage: Path) -> list[int]:
    """Return the steps of all complete checkpoints of a stage, oldest first."""
    found = (stage / "checkpoints").glob("step-*.json")
    return sorted(int(path.stem.removeprefix("step-")) for path in found)


def damage(stage: Path) -> Path:
    """Change one byte in the middle of the newest checkpoint of a stage; return its path."""
    path = checkpoint_path(stage / "checkpoints", saved_steps(stage)[-1])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


@dataclass(frozen=True)
class Part:
    """One part of a checkpoint: its name, how many tensors it holds, and their bytes."""

    name: str
    num_tensors: int
    num_bytes: int


def checkpoint_parts(stage: Path) -> list[Part]:
    """Return the parts of the newest checkpoint of a stage, the largest first."""
    path = checkpoint_path(stage / "checkpoints", saved_steps(stage)[-1])
    payload = torch.load(path, weights_only=True, map_location="cpu")
    parts = payload["parts"] | {"random": payload["random"]}
    found = []
    for name, part in parts.items():
        tensors = _tensors(part)
        found.append(Part(name, len(tensors), sum(t.numel() * t.element_size() for t in tensors)))
    return sorted(found, key=lambda part: -part.num_bytes)


def _tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    inside = value.values() if isinstance(value, Mapping) else value
    if isinstance(inside, str) or not hasattr(inside, "__iter__"):
        return []
    return [tensor for part in inside for tensor in _tensors(part)]


def weight_sums(run: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of weights of a run: equal sums are equal bits."""
    return {path.stem: sha256_of(path) for path in sorted((run / "weights").glob("*.safetensors"))}


def memory_words(name: str, cost: StepCost, photos: int) -> str:
    """Say in words what a step with so many photos takes."""
    fixed = (cost.weights + cost.constant) / GIB
    return (
        f"{name}, {_counted(photos)} at once: {fixed:.2f} GiB whatever the batch, and "
        f"{photos * cost.per_photo / GIB:.2f} GiB for the photos: "
        f"{cost.peak_bytes(photos) / GIB:.2f} GiB."
    )


def draw_memory(costs: Mapping[str, StepCost], photos: int) -> Figure:
    """Draw the memory of a step as two stacked bars for each preset, on one scale.

    Args:
        costs: name to cost.
        photos: in the networks at once.
    """
    require_positive(photos=photos)
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(8, 0.9 + 0.6 * len(costs)))
        names = list(costs)
        fixed = [(costs[n].weights + costs[n].constant) / GIB for n in names]
        growing = [photos * costs[n].per_photo / GIB for n in names]
        axis.barh(names, fixed, color=COLOURS["blue"], label="weights, gradients, averages")
        axis.barh(
            names,
            growing,
            left=fixed,
            color=COLOURS["orange"],
            hatch="//",
            edgecolor="white",
            label="activations of the photos",
        )
        for row, name in enumerate(names):
            total = costs[name].peak_bytes(photos) / GIB
            axis.annotate(f" {total:.2f} GiB", (total, row), va="center")
        axis.margins(x=0.15)
        axis.invert_yaxis()
        axis.set_xlabel(f"GiB with {_counted(photos)} at once")
        axis.legend(fontsize=11, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return fig


def _counted(photos: int) -> str:
    return "1 photo" if photos == 1 else f"{photos} photos"


def memory_view(costs: Mapping[str, StepCost]) -> ipywidgets.Widget:
    """Return a slider of the photos at once, and the memory that a step takes with them."""
    photos = slider("photos in the networks at once", 8, 1, 64)
    figure = SteadyFigure()

    def html() -> str:
        words = " ".join(memory_words(name, cost, photos.value) for name, cost in costs.items())
        drawn = figure.html(draw_memory(costs, photos.value), words)
        return f"{drawn}<p>{words}</p>"

    return picture_view([photos], html)
