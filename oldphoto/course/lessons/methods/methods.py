"""The lesson on methods: train each for seconds on the same photos, and inspect it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from IPython.utils.capture import capture_output

from oldphoto.checks import InputError, require_in, require_positive
from oldphoto.config import PRESETS
from oldphoto.course.common import Log, fall, one_thread, psnr_of, read_log, shortened, small_photos
from oldphoto.degradations import paint_white
from oldphoto.evaluation.baselines import attention, cyclegan, dip, pix2pix, sequential
from oldphoto.evaluation.baselines.attention import AttentionConfig
from oldphoto.evaluation.baselines.fitting import BaselineRun, random_seed
from oldphoto.evaluation.baselines.pix2pix import Pix2PixConfig
from oldphoto.evaluation.comparison import ComparedMethod
from oldphoto.evaluation.methods import Sources, compared_methods
from oldphoto.evaluation.test_photos import TestPhoto, make_test_photo
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor
from oldphoto.samples import sample_names, sample_paths
from oldphoto.training.plan import Plan
from oldphoto.training.settings import LoopSettings
from oldphoto.training.stages import train_stage

SIDE, CROP = 96, 32  # of test photos and of crops to learn from, in pixels
OURS = "ours"
AS_SHIPPED = "ours, as shipped"
STAGES_OF_OURS = (
    ("vae-degraded", "scratch"),
    ("vae-clean", "scratch"),
    ("mapping", "quality"),
    ("mapping", "scratch"),
)
"""Stage and form of the mapping, in the order of training: first without the block, then with."""

PRESETS_OF: dict[str, Any] = {
    attention.NAME: replace(
        attention.TINY,
        network=AttentionConfig(width=8, num_blocks=1, num_layers=4, group=2),
    ),
    pix2pix.NAME: replace(pix2pix.TINY, network=Pix2PixConfig(width=8, depth=5)),
    cyclegan.NAME: cyclegan.TINY,
    sequential.NAME: sequential.TINY,
}
"""The tiny sizes; attention and Pix2Pix smaller still, to fit crops of ``CROP`` pixels."""

MODULES = {module.NAME: module for module in (attention, pix2pix, cyclegan, sequential)}

BUDGET = {
    attention.NAME: 192,
    pix2pix.NAME: 512,
    cyclegan.NAME: 140,
    sequential.NAME: 160,
    OURS: 120,
}
"""Number of training crops of each network: what one core processes in four to six seconds.

A dear network sees fewer crops than a cheap one. The two networks of Sequential and the three of
ours share the time of their method. Numbers of crops, not seconds, are fixed, so that a run can be
repeated on any machine.
"""

DIP_LESSON = dip.DIPConfig(
    width=16, depth=3, noise_channels=8, num_steps=80, window=10, patience=40
)
"""Settings for the table: a small network, because the photos are small."""

DIP_SIDE = 64
DIP_FIT = dip.DIPConfig(
    width=32, depth=3, noise_channels=8, noise_sigma=0.0, num_steps=150, window=10
)
"""To watch a fit rise and fall: wider, and without fresh noise on the input, which would only
put off the fall. For photos of ``DIP_SIDE`` pixels."""


@dataclass(frozen=True)
class Lesson:
    """The result of training a method for a few seconds.

    Attributes:
        num_crops: shown to each of its networks.
        seconds: in all.
        logs: stage of training to its log.
    """

    num_crops: int
    seconds: float
    logs: dict[str, Log]

    def fall(self, stage: str, term: str) -> tuple[float, float]:
        """Return the mean of a loss term over the first and over the last rows of its log."""
        require_in(stage, tuple(self.logs), "stage")
        return fall(self.logs[stage], term)


def held_out_photos(num: int, seed: int = 0) -> list[TestPhoto]:
    """Return held-out photos, reduced to ``SIDE`` pixels and damaged as those of the evaluation.

    Args:
        num: how many, from the first.
        seed: of the damage.
    """
    names, small = sample_names("held_out"), small_photos("held_out", SIDE)
    if not 0 < num <= len(names):
        raise InputError(f"expected 1 to {len(names)} photos, got {num}")
    return [
        make_test_photo(name, to_pixels(photo), (seed, number))
        for number, (name, photo) in enumerate(zip(names[:num], small[:num], strict=True))
    ]


def noisy_photo(name: str, sigma: float = 38.0, side: int = DIP_SIDE, seed: int = 0) -> TestPhoto:
    """Return a held-out photo, reduced, with strong noise and a white hole in it.

    Args:
        sigma: standard deviation of the noise, in levels of 255.
    """
    clean = to_pixels(small_photos("held_out", side)[sample_names("held_out").index(name)])
    noise = np.random.default_rng(seed).normal(0, sigma, clean.shape)
    mask = np.zeros((side, side), bool)
    mask[side // 2 : side // 2 + side // 8, side // 4 : side // 2] = True
    noisy = (clean + noise).round().clip(0, 255).astype(np.uint8)
    return TestPhoto(name, paint_white(noisy, mask), clean, mask)


def answer_to(method: Callable[..., np.ndarray], photo: np.ndarray, mask: np.ndarray | None) -> str:
    """Return the result of a call in words: shape of the output, or the error.

    Args:
        method: called with photo and mask.
        photo: uint8 (H, W, 3).
        mask: any array, to test the checks.
    """
    try:
        restored = method(photo, mask)
    except InputError as error:
        return str(error)
    return f"served, {restored.dtype} {restored.shape}"


def lesson_preset(name: str, times: int = 1) -> Any:
    """Return the preset of a baseline for a few seconds; ``times`` multiplies the budget."""
    require_in(name, tuple(PRESETS_OF), "method that learns")
    preset = PRESETS_OF[name]
    train = replace(preset.train, crop=CROP, num_photos=times * BUDGET[name])
    return replace(preset, train=train)


def teach(name: str, folder: Path, times: int = 1, seed: int = 0) -> Lesson:
    """Train a baseline on the embedded photos, with the package's training loop.

    Args:
        name: attention, pix2pix, cyclegan or sequential.
        folder: of the run; ``weights/`` in it gets the networks.
        times: how many budgets.
        seed: of the initial weights, the crops and their damage.
    """
    require_positive(times=times)
    preset = lesson_preset(name, times)
    run = BaselineRun(folder, settings=_settings(preset.train.num_steps), seed=seed)
    with quiet(seed) as clock:
        MODULES[name].fit(run, preset)
    logs = {path.parent.name: read_log(path.parent) for path in folder.glob(f"{name}*/log.csv")}
    return Lesson(preset.train.num_photos, clock[0], logs)


def teach_ours(folder: Path, times: int = 1, seed: int = 0) -> Lesson:
    """Train both VAEs, then the mapping with and without the partial non-local block.

    Args:
        folder, times, seed: as in ``teach``.
    """
    require_positive(times=times)
    num = times * BUDGET[OURS]
    preset = shortened(
        PRESETS["tiny"], dict.fromkeys(("vae-degraded", "vae-clean", "mapping"), num)
    )
    preset = preset.with_stages("vae-degraded", "vae-clean", "mapping", crop=CROP, batch=4)
    run = folder / OURS
    plan = Plan(preset, sample_paths("old"), sample_paths("clean"), run, seed=seed)
    settings = _settings(preset.stages["mapping"].num_steps)
    with quiet(seed) as clock:
        for stage, variant in STAGES_OF_OURS:
            train_stage(replace(plan, variant=variant), stage, settings)
    logs = {path.parent.name: read_log(path.parent) for path in run.glob("*/log.csv")}
    return Lesson(num, clock[0], logs)


def _settings(num_steps: int) -> LoopSettings:
    """Ten rows in the log."""
    return LoopSettings(log_every=max(1, num_steps // 10))


@contextmanager
def quiet(seed: int) -> Iterator[list[float]]:
    """Hide progress bars, which would fill the page; the list gets the seconds that passed.

    The notebook's own random numbers stay as they are.
    """
    clock: list[float] = []
    start = time.perf_counter()
    with one_thread(), capture_output(), random_seed(seed):
        yield clock
    clock.append(time.perf_counter() - start)


def rows_of_table(folder: Path, weights: str = "small") -> list[ComparedMethod]:
    """Return all rows of the comparison, in the order of the slides; the last is ours as shipped.

    Args:
        folder: that ``teach`` and ``teach_ours`` filled.
        weights: those of the last row.
    """
    ours = compared_methods(["ours-plain", "ours"], Sources(weights=str(folder / OURS)))
    others = compared_methods(["input", "classical", *PRESETS_OF], Sources(baselines=folder))
    method = dip.DIP(DIP_LESSON, device="cpu")
    others.insert(3, ComparedMethod("DIP", method, method.num_parameters))
    shipped = compared_methods(["ours"], Sources(weights=weights))[0]
    return [*others, *ours, replace(shipped, name=AS_SHIPPED)]


# --- inside the methods --------------------------------------------------------------------------


@dataclass
class Fit:
    """The history of fitting a deep image prior.

    Attributes:
        loss: after each step, over the sound pixels of the degraded photo.
        psnr: of each output against the clean photo, in dB, which the method does not know.
        variance: of the outputs in the window that ends at each step; infinite at first.
        outputs: step to output, uint8 (H, W, 3), for some steps.
        window: how many outputs are compared.
    """

    window: int
    loss: list[float] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    variance: list[float] = field(default_factory=list)
    outputs: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def stop(self) -> int:
        """The step that early stopping keeps: the start of the window of least variance."""
        return int(np.argmin(self.variance)) - self.window + 1

    @property
    def best(self) -> int:
        """The step with the highest PSNR."""
        return int(np.argmax(self.psnr))


def trace_dip(
    photo: TestPhoto, config: dip.DIPConfig, shown: Sequence[int] = (), seed: int = 0
) -> Fit:
    """Fit a deep image prior to a photo for all its steps, and record the history.

    Args:
        photo: sides multiples of ``config.multiple``.
        config: network and fitting; the patience is not used.
        shown: steps whose outputs are kept; the last one and those of ``Fit`` are too.
        seed: of the input and the first weights.
    """
    degraded, clean = ((to_tensor(p) + 1) / 2 for p in (photo.degraded, photo.clean))
    keep = 1 - mask_to_tensor(photo.scratch_mask)
    stopping = dip.MovingVariance(config.window, patience=config.num_steps)
    fit, outputs = Fit(config.window), []
    with one_thread(), random_seed(seed):
        for output, loss in dip.DIP(config, device="cpu").outputs(degraded, keep):
            stopping.add(output)
            fit.loss.append(float(loss))
            fit.psnr.append(float(psnr_of(2 * output - 1, 2 * clean - 1)))
            fit.variance.append(stopping.variance)
            outputs.append(to_pixels(2 * output - 1))
    kept = {*shown, fit.stop, fit.best, config.num_steps - 1}
    fit.outputs = {step: outputs[step] for step in sorted(kept)}
    return fit
