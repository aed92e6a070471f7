"""Train in lives that are killed at random moments, and compare with a run that is left alone.

Run as a program by ``test_killed.py``; by itself it tells what a kill costs:
``python tests/killed_run.py FOLDER --kills 20``. Each life is a fork of this process, which has
loaded everything but never computes, so a life starts at once and threads do not matter.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch

from oldphoto.config import PRESETS
from oldphoto.samples import sample_paths
from oldphoto.system.files import sha256_of
from oldphoto.training import checkpoint
from oldphoto.training.plan import Plan
from oldphoto.training.settings import LoopSettings
from oldphoto.training.stages import train_stage

STAGE = "vae-degraded"
SETTINGS = LoopSettings(save_minutes=0.0, log_every=3, sample_every=10, resume=True)


def make_plan(run: Path, num_steps: int) -> Plan:
    """Return the plan of a short training of small photos."""
    tiny = PRESETS["tiny"]
    preset = tiny.with_stages(STAGE, batch=2, crop=32, num_photos=2 * num_steps)
    return Plan(preset, sample_paths("old")[:4], sample_paths("clean")[:4], run)


def start_life(plan: Plan, prepare: Callable[[], None] = lambda: None) -> int:
    """Start a process that trains on from the newest checkpoint; return its number."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
        torch.set_num_threads(1)
        prepare()
        code = 0 if train_stage(plan, STAGE, SETTINGS) else 3
    finally:
        os._exit(code)


def run_to_the_end(plan: Plan) -> float:
    """Train in one life and return the seconds it took."""
    started = time.monotonic()
    _, status = os.waitpid(start_life(plan), 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    return time.monotonic() - started


def die_in_half_a_file() -> None:
    """Let the next checkpoint be cut off in the middle of its bytes."""
    genuine = checkpoint.written_whole

    @contextmanager
    def written_half(path: Path) -> Iterator[BinaryIO]:
        with genuine(path) as file:
            file.write(b"half of a checkpoint")
            file.flush()
            die()
            yield file

    checkpoint.written_whole = written_half


def die_before_the_sum() -> None:
    """Let the next checkpoint be complete but for the file that says so."""
    checkpoint.write_json = die


def die_while_tidying() -> None:
    """Let the process end when it has removed the sum of an old checkpoint, not its state."""
    genuine = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".pt":
            die()
        genuine(path, missing_ok)

    Path.unlink = unlink


def die(*_: object) -> None:
    """End this process as the system would: at once, without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


DEATHS_WHILE_SAVING = (die_in_half_a_file, die_before_the_sum, die_while_tidying)


def newest_step(plan: Plan) -> int:
    """Return the step of the newest checkpoint that has its sum, 0 without any."""
    found = (plan.folder(STAGE) / "checkpoints").glob("*.json")
    return max((int(path.stem.removeprefix("step-")) for path in found), default=0)


def wait_for_a_moment(plan: Plan, moments: random.Random, start: float, step: float) -> None:
    """Let a life that has just begun go on: into its start, or past its first checkpoint.

    The checkpoint is waited for, so that a slow or a fast machine comes as far as any other.

    Args:
        start: seconds from the beginning of a life to its first step.
        step: seconds of a step.
    """
    if moments.random() < 0.5:
        time.sleep(moments.uniform(0, start))
        return
    before, limit = newest_step(plan), time.monotonic() + 60
    num_steps = plan.config(STAGE).num_steps
    while newest_step(plan) == before < num_steps and time.monotonic() < limit:
        time.sleep(0.002)
    time.sleep(moments.uniform(0, step))


def run_with_kills(
    plan: Plan, num_kills: int, start: float, step: float, seed: int
) -> dict[str, int]:
    """Kill a run at random moments and, in between, in each moment of saving; then finish it.

    Args:
        start, step: as in ``wait_for_a_moment``.

    Returns:
        How many lives were killed, how many while a checkpoint was being written, how many ended
        by themselves before their moment came, and the newest checkpoint at the last kill.
    """
    moments = random.Random(seed)
    counts = {"kills": 0, "while_saving": 0, "finished_early": 0, "last_step": 0}
    checkpoints = plan.folder(STAGE) / "checkpoints"
    for prepare in DEATHS_WHILE_SAVING * 2:
        _, status = os.waitpid(start_life(plan, prepare), 0)
        counts["while_saving"] += os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        for _ in range(-(-num_kills // (2 * len(DEATHS_WHILE_SAVING)))):
            if counts["kills"] + counts["finished_early"] == num_kills:
                break
            life = start_life(plan)
            wait_for_a_moment(plan, moments, start, step)
            os.kill(life, signal.SIGKILL)
            _, status = os.waitpid(life, 0)
            was_killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
            counts["kills" if was_killed else "finished_early"] += 1
            counts["while_saving"] += was_killed and any(checkpoints.glob("*.partial"))
        counts["last_step"] = newest_step(plan)
    run_to_the_end(plan)
    return counts


def weights_of(plan: Plan) -> dict[str, str]:
    """Return the checksum of each file of weights."""
    return {path.name: sha256_of(path) for path in plan.weights.glob("*.safetensors")}


def main() -> None:
    """Compare the two runs and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    undisturbed = make_plan(arguments.folder / "undisturbed", arguments.steps)
    killed = make_plan(arguments.folder / "killed", arguments.steps)
    seconds = run_to_the_end(undisturbed)
    start_seconds = run_to_the_end(undisturbed)  # nothing is left to do
    step_seconds = max(0.01, (seconds - start_seconds) / arguments.steps)
    started = time.monotonic()
    counts = run_with_kills(killed, arguments.kills, start_seconds, step_seconds, arguments.seed)
    lost = (time.monotonic() - started - seconds) / (arguments.kills + 2 * len(DEATHS_WHILE_SAVING))
    same = weights_of(killed) == weights_of(undisturbed) != {}
    left = sorted(path.name for path in (killed.folder(STAGE) / "checkpoints").iterdir())
    print(json.dumps(counts | {"same": same, "left": left, "seconds_lost_per_kill": lost}))


if __name__ == "__main__":
    main()
