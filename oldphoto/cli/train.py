"""``oldphoto train``: train one stage or all of them, and resume a run that was stopped."""

import argparse
import errno
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from tqdm.auto import tqdm

from oldphoto.checks import InputError, require_positive
from oldphoto.cli.train_plan import LOSS_WEIGHTS, make_plan
from oldphoto.config import PRESETS, STAGES
from oldphoto.degradations import RECIPES
from oldphoto.system.devices import is_fast_at_bf16, require_compiler
from oldphoto.system.memory import GIB, available_bytes, require_memory_limit
from oldphoto.system.outputs import lock_folder
from oldphoto.system.processes import num_processors
from oldphoto.training.distributed import Place, any_process, joined
from oldphoto.training.loop import Stage
from oldphoto.training.memory_estimate import StepCost, measure_step, settings_that_fit
from oldphoto.training.plan import (
    ALL_STAGES,
    FINE_TUNING,
    Plan,
    describe,
    features_used,
    require_start,
    stages_of,
)
from oldphoto.training.run_record import (
    require_own_weights,
    require_same_run,
    require_same_stage,
    write_run_config,
    write_stage_config,
)
from oldphoto.training.settings import LoopSettings, share_of_batch
from oldphoto.training.stages import train_stage
from oldphoto.weights.store import DETECTOR, MAPPINGS, TONE

SEVERAL_PROCESSES = """\
several GPUs or machines:
  torchrun --nproc-per-node 4 -m -- oldphoto train --preset paper --data DIR --run DIR
trains with 4 processes, each on its own GPU (without GPUs: on the CPU). The processes share each
batch, so the result is the same as with one process. All must see the same --data and --run
folders. Do not leave out the "--": torchrun would take --run for its own option. In a SLURM job
with several nodes:
  srun --ntasks-per-node 1 torchrun --nnodes $SLURM_NNODES --nproc-per-node 4 \\
    --rdzv-id $SLURM_JOB_ID --rdzv-backend c10d \\
    --rdzv-endpoint $(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1):29500 \\
    -m -- oldphoto train --preset paper --data DIR --run DIR --resume --max-minutes 230
Set --max-minutes a little below the time limit of the job (here 4 hours). The run then ends with a
checkpoint, and submitting the same job again resumes it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    parser.epilog = SEVERAL_PROCESSES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add(
        "--stage",
        choices=(*STAGES, "all"),
        default="all",
        help="stage to train (default: all of the paper, which does not have the tone)",
    )
    add("--preset", choices=tuple(PRESETS), default="tiny", help="size (default: tiny)")
    add("--data", type=Path, help="folder with old/ and clean/ (default: the embedded photos)")
    add("--run", type=Path, required=True, help="folder for weights, checkpoints and logs")
    add(
        "--variant",
        choices=tuple(MAPPINGS),
        default="scratch",
        help="variant of the mapping (default: scratch)",
    )
    add(
        "--from",
        dest="start_from",
        metavar="WEIGHTS",
        help="start from these weights: small, a run folder, or official:FOLDER",
    )
    add(
        "--features",
        type=Path,
        help="VGG-19 or SqueezeNet weights for the perceptual loss (default: embedded SqueezeNet)",
    )
    add(
        "--labelled",
        type=Path,
        help="folder with photos/ and masks/ to fine-tune the detector on, after training it on "
        "synthetic damage or, with --from, right away",
    )
    add(
        "--textures",
        type=Path,
        metavar="FOLDER",
        help="folder of pictures of damage, white on black, to train the detector with",
    )
    add("--resume", action="store_true", help="continue from the last checkpoint in --run")
    add("--max-minutes", type=float, help="save a checkpoint and stop after this many minutes")
    add(
        "--save-minutes",
        type=float,
        default=5,
        help="minutes between two checkpoints (default: 5; 0 saves after every step)",
    )
    add("--photos", type=int, help="number of training photos per stage (default: from the preset)")
    add("--batch", type=int, help="photos per optimizer step (default: from the preset)")
    add("--crop", type=int, help="side of the square crops in pixels (default: from the preset)")
    add("--learning-rate", type=float, help="initial learning rate (default: from the preset)")
    for name, what in LOSS_WEIGHTS.items():
        option = "--" + name.replace("_", "-")
        add(option, type=float, help=f"weight of {what}; 0 turns it off")
    add(
        "--recipe",
        choices=tuple(RECIPES),
        help="recipe of the damage in every stage (default: from the preset)",
    )
    add(
        "--hole-prob",
        type=float,
        help="fraction of the photos that get holes (default: from the preset)",
    )
    add(
        "--hole-ratio",
        type=float,
        nargs=2,
        metavar=("MIN", "MAX"),
        help="min and max fraction of the photo covered by holes (default: from the preset)",
    )
    add("--seed", type=int, default=0, help="random seed (default: 0)")
    add("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    add(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="number format of the forward pass (default: auto, the fastest on this device)",
    )
    add(
        "--workers",
        type=int,
        help="processes that load photos (default: 0 on a CPU, up to 8 with a GPU)",
    )
    add(
        "--accumulate",
        type=int,
        default=1,
        help="split each batch into this many parts to save memory (default: 1)",
    )
    add("--fit", action="store_true", help="split each batch until it fits into memory")
    add("--max-memory", type=float, metavar="GiB", help="memory that training may use")
    add("--compile", action="store_true", help="use torch.compile")
    add("--dry-run", action="store_true", help="show the plan and exit")


def run(arguments: argparse.Namespace) -> int:
    """Train; return 0 if all stages are finished, 1 if the run was stopped before."""
    require_memory_limit(arguments.max_memory)
    _require_times(arguments)
    plan = make_plan(arguments)
    stages = stages_of(plan, arguments.stage)
    require_start(plan, stages)
    with joined(None if arguments.device == "auto" else arguments.device) as place:
        say = tqdm.write if place.rank == 0 else _say_nothing
        say(describe(plan, stages, with_files=arguments.dry_run))
        if arguments.dry_run:
            return 0
        require_same_run(plan)
        if not arguments.resume and any((plan.folder(s) / "checkpoints").is_dir() for s in stages):
            raise InputError(
                f"{plan.run} already holds a run: add --resume, or choose another folder"
            )
        for stage in stages:
            name = plan.network_name(stage)
            same = [plan.folder(s) for s in ALL_STAGES if plan.network_name(s) == name]
            require_own_weights(same, plan.weights, [name])
        if arguments.compile:
            say("compiling: the first steps of each stage can take minutes")
            require_compiler(place.device)
        only_one = lock_folder(plan.run) if place.rank == 0 else nullcontext()
        with _plain_warnings(say), _explained_disk_errors(plan.run), only_one:
            if place.rank == 0:
                write_run_config(plan, vars(arguments))
            finished = _train(plan, stages, arguments, place, say)
    if finished:
        say(f"done: the weights are in {plan.weights}")
        return 0
    say(f"stopped with a checkpoint in {plan.run}: repeat the command with --resume to continue")
    return 1


def _require_times(arguments: argparse.Namespace) -> None:
    if arguments.max_minutes is not None:
        require_positive(max_minutes=arguments.max_minutes)
    if not arguments.save_minutes >= 0:
        raise InputError(f"save_minutes must be 0 or more, got {arguments.save_minutes}")


def _train(
    plan: Plan,
    stages: Sequence[str],
    arguments: argparse.Namespace,
    place: Place,
    say: Callable[[str], None],
) -> bool:
    """Train the stages in order; return False if the run was stopped before the last one ended."""
    deadline = time.monotonic() + 60 * (arguments.max_minutes or float("inf"))
    for number, stage in enumerate(stages):
        left = (deadline - time.monotonic()) / 60
        if number > 0 and any_process(left <= 0, device=place.device)[0]:
            return False
        require_same_stage(plan, stage, new_rate=arguments.learning_rate is not None)
        if place.rank == 0:
            write_stage_config(plan, stage)
        _report_features(plan, stage, arguments, say)
        settings = _settings(arguments, place, left)

        def prepare(stage: Stage, settings: LoopSettings) -> LoopSettings:
            return _prepare(stage, settings, arguments, say)

        if not train_stage(plan, stage, settings, prepare, say):
            return False
    return True


def _prepare(
    stage: Stage,
    settings: LoopSettings,
    arguments: argparse.Namespace,
    say: Callable[[str], None],
) -> LoopSettings:
    """Report the memory a stage needs, and split its batch with ``--fit``."""
    stage.dataset.require_batch(share_of_batch(stage.config.batch, settings))
    device = torch.device(settings.device)
    cost = measure_step(stage, settings)
    limit = arguments.max_memory * GIB if arguments.max_memory else available_bytes(device)
    if arguments.fit:
        settings = settings_that_fit(stage, cost, settings, limit)
    photos = share_of_batch(stage.config.batch, settings)
    needed = cost.peak_bytes(photos)
    parts = f"{photos} photos at a time"
    if settings.accumulate > 1:
        parts += f", {settings.accumulate} times a step"
    say(f"{stage.name}: about {needed / GIB:.2f} GiB of memory ({parts})")
    if needed > limit:
        say(
            f"{stage.name}: that is more than the {limit / GIB:.2f} GiB available; "
            "--fit splits the batch into parts that fit"
        )
    if arguments.preset == "paper" and device.type == "cpu":
        say(_slowness(stage, cost, settings))
    return settings


def _slowness(stage: Stage, cost: StepCost, settings: LoopSettings) -> str:
    seconds = cost.seconds * stage.config.num_photos / settings.world_size
    return (
        f"{stage.name}: preset paper is made for a GPU; without one this stage will take about "
        f"{seconds / 86_400:.1f} days ({cost.seconds:.1f} s a photo, from a measured step)"
    )


def _report_features(
    plan: Plan, stage: str, arguments: argparse.Namespace, say: Callable[[str], None]
) -> None:
    """Report where the perceptual term uses another network than the paper's, or none."""
    is_other = stage in (DETECTOR, FINE_TUNING, TONE)
    wanted = not is_other and plan.config(stage).weights.perceptual_weight
    if wanted and arguments.features is None:
        say(
            f"{stage}: the perceptual term uses the shipped SqueezeNet in place of VGG-19; "
            "`oldphoto download vgg` gets the paper's network, --features FILE uses it"
        )
    if arguments.features is not None and not wanted:
        say(f"{stage}: --features is not used ({features_used(plan, stage)})")


def _settings(arguments: argparse.Namespace, place: Place, max_minutes: float) -> LoopSettings:
    return LoopSettings(
        device=str(place.device),
        precision=_precision(arguments.precision, place.device),
        num_workers=_num_workers(arguments.workers, place.device),
        accumulate=arguments.accumulate,
        compile=arguments.compile,
        resume=arguments.resume,
        max_minutes=max_minutes,
        save_minutes=arguments.save_minutes,
        rank=place.rank,
        world_size=place.world_size,
    )


def _num_workers(requested: int | None, device: torch.device) -> int:
    """Return how many processes load photos: a GPU must not wait for them, a CPU is busy."""
    if requested is not None:
        return requested
    return min(8, max(1, num_processors() // 2)) if device.type == "cuda" else 0


def _precision(requested: str, device: torch.device) -> str:
    if requested != "auto":
        return requested
    if is_fast_at_bf16(device):
        return "bf16"
    return "fp16" if device.type == "cuda" else "fp32"


@contextmanager
def _plain_warnings(say: Callable[[str], None]) -> Iterator[None]:
    """Show each warning once and as one sentence, for example about an unreadable photo."""
    said = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in said:
            say(str(message))
        said.add(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def _explained_disk_errors(folder: Path) -> Iterator[None]:
    """Turn the system's error about a full or read-only disk into a sentence with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what, remedy = f"the disk of {folder} is full", "free some space"
        else:
            what, remedy = f"{folder} cannot be written ({error})", "remove the cause"
        raise InputError(
            f"{what}; the last checkpoint, if there is one, is whole: {remedy}, then repeat the "
            "command with --resume to continue"
        ) from error


def _say_nothing(sentence: str) -> None:
    """Report nothing: only the first process reports."""
