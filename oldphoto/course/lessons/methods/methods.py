"""The lesson on methods: checkpoints of one budget, Pix2Pix trained live, and a look inside."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from IPython.utils.capture import capture_output

from oldphoto.checks import InputError, require_positive
from oldphoto.course.common import Log, fall, one_thread, psnr_of, read_log, small_photos
from oldphoto.degradations import paint_white
from oldphoto.evaluation.baselines import dip, pix2pix
from oldphoto.evaluation.baselines.fitting import BaselinePreset, BaselineRun, random_seed
from oldphoto.evaluation.comparison import ComparedMethod
from oldphoto.evaluation.methods import (
    BASELINES,
    METHODS,
    OURS_OF_BASELINES,
    Sources,
    compared_methods,
)
from oldphoto.evaluation.test_photos import TestPhoto, make_test_photo
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor
from oldphoto.samples import sample_names
from oldphoto.training.settings import LoopSettings
from oldphoto.weights.store import read_card

SIDE = 128
"""Side of the test photos, in pixels."""

AS_SHIPPED = "ours, as shipped"
LIVE_CROPS = 320
"""Crops that Pix2Pix sees live; not a number of seconds, so that a run can be repeated."""

DIP_SIDE = 64
DIP_FIT = dip.DIPConfig(
    width=32, depth=3, noise_channels=8, noise_sigma=0.0, num_steps=150, window=10
)
"""To watch a fit rise and fall: wider, and without fresh noise on the input, which would only
put off the fall. For photos of ``DIP_SIDE`` pixels."""


@dataclass(frozen=True)
class Lesson:
    """The result of training Pix2Pix for a few seconds.

    Attributes:
        num_crops: shown to the network.
        seconds: in all.
        log: of the training.
    """

    num_crops: int
    seconds: float
    log: Log

    def fall(self, term: str) -> tuple[float, float]:
        """Return the mean of a loss term over the first and over the last rows of the log."""
        return fall(self.log, term)


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


def live_preset(times: int = 1) -> BaselinePreset[pix2pix.Pix2PixConfig]:
    """Return the settings of the checkpoint of Pix2Pix, with fewer crops.

    Args:
        times: multiplies ``LIVE_CROPS``.
    """
    require_positive(times=times)
    return replace(
        pix2pix.COURSE, train=replace(pix2pix.COURSE.train, num_photos=times * LIVE_CROPS)
    )


def teach_pix2pix(folder: Path, times: int = 1, seed: int = 0) -> Lesson:
    """Train Pix2Pix on the embedded photos, with the package's training loop.

    Args:
        folder: of the run; ``weights/`` in it gets the network.
        times: as in ``live_preset``.
        seed: of the initial weights, the crops and their damage.
    """
    preset = live_preset(times)
    log_every = max(1, preset.train.num_steps // 20)
    run = BaselineRun(folder, settings=LoopSettings(log_every=log_every), seed=seed)
    with quiet(seed) as clock:
        pix2pix.fit(run, preset)
    return Lesson(preset.train.num_photos, clock[0], read_log(folder / pix2pix.NAME))


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


def all_methods(weights: str = "small") -> dict[str, ComparedMethod]:
    """Return all rows of the comparison by name, in the order of the slides.

    The learned ones are the checkpoints of one budget; the last is ours as shipped.

    Args:
        weights: those of the last row.
    """
    budgeted = Sources(weights=OURS_OF_BASELINES, dip_size="course")
    rows = compared_methods(list(METHODS), budgeted)
    shipped = compared_methods(["ours"], Sources(weights=weights))[0]
    return {row.name: row for row in [*rows, replace(shipped, name=AS_SHIPPED)]}


def budgets() -> list[tuple[str, int, float]]:
    """Return rows (network, crops that it saw, kilobytes) of the checkpoints of one budget."""
    rows = []
    for path in sorted(BASELINES.rglob("*.json")):
        name = path.relative_to(BASELINES).with_suffix("")
        stage = read_card(path)["training"]["stage"]
        size = path.with_suffix(".safetensors").stat().st_size / 1000
        rows.append((name.as_posix(), stage["num_photos"], size))
    return rows


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
