"""``oldphoto baseline``: train a baseline of the comparison."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from oldphoto.checks import InputError, require_folder, require_positive
from oldphoto.data import photo_paths
from oldphoto.evaluation.baselines import attention, cyclegan, pix2pix, sequential
from oldphoto.evaluation.baselines.fitting import BaselineRun
from oldphoto.system.devices import choose_device
from oldphoto.system.files import explained_disk_errors
from oldphoto.system.outputs import lock_folder
from oldphoto.training.settings import LoopSettings

SIZES = ("tiny", "course", "small", "paper")


@dataclass(frozen=True)
class LearnedBaseline:
    """A baseline that is trained: its sizes and its training function."""

    presets: dict[str, Any]
    fit: Callable[[BaselineRun, Any], bool]


def _baseline(module: Any) -> LearnedBaseline:
    return LearnedBaseline(
        {
            "tiny": module.TINY,
            "course": module.COURSE,
            "small": module.SMALL,
            "paper": module.PAPER,
        },
        module.fit,
    )


BASELINES = {
    attention.NAME: _baseline(attention),
    pix2pix.NAME: _baseline(pix2pix),
    cyclegan.NAME: _baseline(cyclegan),
    sequential.NAME: _baseline(sequential),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    parser.add_argument("name", choices=tuple(BASELINES))
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument(
        "--data", type=Path, help="folder with old/ and clean/ (default: the shipped photos)"
    )
    parser.add_argument("--run", type=Path, required=True, help="run folder")
    parser.add_argument(
        "--photos", type=int, help="number of training photos (default: from the size)"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run")
    parser.add_argument(
        "--max-minutes", type=float, help="save a checkpoint and stop after this many minutes"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="cuda, mps or cpu (default: the best available)")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare photos")


def run(arguments: argparse.Namespace) -> int:
    """Train; return 0 when all steps are done, 1 after the time limit."""
    if arguments.run.is_file():
        raise InputError(f"expected a folder for --run, got the file {arguments.run}")
    begun = any(arguments.run.glob(f"{arguments.name}*/checkpoints"))
    if begun and not arguments.resume:
        raise InputError(
            f"{arguments.run} holds a run of {arguments.name} already: add --resume, or choose "
            "another folder"
        )
    baseline = BASELINES[arguments.name]
    preset = baseline.presets[arguments.size]
    if arguments.photos is not None:
        require_positive(photos=arguments.photos)
        preset = replace(preset, train=replace(preset.train, num_photos=arguments.photos))
    run = _baseline_run(arguments)
    with explained_disk_errors(run.folder, "choose another --run folder"), lock_folder(run.folder):
        finished = baseline.fit(run, preset)
    where = arguments.run / "weights"
    if finished:
        print(f"done: the weights are in {where}")
        return 0
    print(f"stopped with a checkpoint; the weights so far are in {where}: --resume goes on")
    return 1


def _baseline_run(arguments: argparse.Namespace) -> BaselineRun:
    clean: list[Path] = []
    old: list[Path] = []
    if arguments.data is not None:
        require_folder(arguments.data, "a folder with old/ and clean/")
        old, clean = (photo_paths(arguments.data / name) for name in ("old", "clean"))
    settings = LoopSettings(
        device=str(choose_device(arguments.device)),
        precision=arguments.precision,
        num_workers=arguments.workers,
        resume=arguments.resume,
        max_minutes=arguments.max_minutes,
    )
    return BaselineRun(arguments.run, clean, old, settings, arguments.seed)
