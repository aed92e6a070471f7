"""``oldphoto ablation``: train the method and variants without one part, and compare them."""

import argparse
import time
from pathlib import Path

from tqdm.auto import tqdm

from oldphoto.checks import InputError, require_folder, require_positive
from oldphoto.config import Preset
from oldphoto.data import photo_paths
from oldphoto.evaluation.ablation.joint_training import STEPS, measure_steps, train_steps
from oldphoto.evaluation.ablation.results import (
    as_markdown,
    measure_all,
    require_own_results,
    write_results,
)
from oldphoto.evaluation.ablation.variants import MICRO, TRAINED, VARIANTS, AblationRun, train_all
from oldphoto.samples import sample_paths
from oldphoto.system.devices import choose_device
from oldphoto.system.files import explained_disk_errors
from oldphoto.system.outputs import lock_folder
from oldphoto.training.settings import LoopSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    parser.epilog = f"Variants: {', '.join((*VARIANTS, *STEPS))}."
    parser.add_argument("--run", type=Path, required=True, help="run folder")
    parser.add_argument("--seeds", type=int, default=3, help="number of trainings of each variant")
    parser.add_argument(
        "--data", type=Path, help="folder with old/ and clean/ (default: the shipped photos)"
    )
    parser.add_argument(
        "--max-minutes", type=float, help="save a checkpoint and stop after this many minutes"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run")
    parser.add_argument(
        "--photos", type=int, help="number of training photos per stage (default: from the preset)"
    )
    parser.add_argument("--device", help="cuda, mps or cpu (default: the best available)")


def run(arguments: argparse.Namespace) -> int:
    """Train and measure; return 0 when all is done, 1 after the time limit."""
    if arguments.run.is_file():
        raise InputError(f"expected a folder for --run, got the file {arguments.run}")
    run = _ablation_run(arguments)
    if not arguments.resume and any(arguments.run.glob("seed-*")):
        raise InputError(
            f"{arguments.run} holds a run already: add --resume, or choose another folder"
        )
    say = tqdm.write
    rows = len(VARIANTS) + len(STEPS)
    say(f"{rows} variants x {run.num_seeds} seeds, run folder {run.folder}")
    require_own_results(run.weights)  # refused now rather than after the work
    begun = time.monotonic()
    with explained_disk_errors(run.folder, "choose another --run folder"), lock_folder(run.folder):
        if not (train_all(run, say) and train_steps(run, say, begun)):
            say(
                f"stopped with a checkpoint: the same command with --resume goes on in {run.folder}"
            )
            return 1
        results = measure_steps(run.weights, measure_all(run.weights, run.num_seeds, say), say)
        write_results(run.weights, results)
    print(as_markdown(results))
    print(f"done: micro-checkpoints, results.json and table.csv are in {run.weights}")
    return 0


def _ablation_run(arguments: argparse.Namespace) -> AblationRun:
    if arguments.data is None:
        old, clean = sample_paths("old"), sample_paths("clean")
    else:
        require_folder(arguments.data, "a folder with old/ and clean/")
        old, clean = (photo_paths(arguments.data / name) for name in ("old", "clean"))
    settings = LoopSettings(
        device=str(choose_device(arguments.device)), max_minutes=arguments.max_minutes
    )
    return AblationRun(
        folder=arguments.run,
        old=old,
        clean=clean,
        num_seeds=arguments.seeds,
        preset=_preset(arguments.photos),
        settings=settings,
        command=vars(arguments),
    )


def _preset(photos: int | None) -> Preset:
    if photos is None:
        return MICRO
    require_positive(photos=photos)
    return MICRO.with_stages(*TRAINED, num_photos=photos)
