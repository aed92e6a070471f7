"""What a run folder says of itself: its configuration, kept so that nobody goes on with another."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from oldphoto.checks import InputError
from oldphoto.system.files import write_json
from oldphoto.training.stages import Plan, stage_facts

_NAME = "config.json"
_NETWORKS = ("name", "vae", "mapping", "discriminator", "latent_discriminator", "detector")


def write_run_config(plan: Plan, command: Mapping[str, Any]) -> None:
    """Write what is trained, on what, and by which command and versions."""
    content = {
        "command": {name: str(value) for name, value in command.items()},
        "preset": asdict(plan.preset),
        "seed": plan.seed,
        "old": [str(path) for path in plan.old],
        "clean": [str(path) for path in plan.clean],
        "features": plan.features_name or "none: no file of a feature network was given",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    write_json(plan.run / _NAME, content)


def write_stage_config(plan: Plan, stage: str) -> None:
    """Write what decides the outcome of one stage."""
    write_json(plan.folder(stage) / _NAME, stage_facts(plan, stage))


def require_same_run(plan: Plan) -> None:
    """Raise InputError if the run folder holds a training of other networks or another seed.

    The length of a stage and its photos may differ between stages of one run, so they are no
    matter here: see ``require_same_stage``.
    """
    if not (plan.weights.is_dir() or any(plan.run.glob("*/checkpoints"))):
        return  # nothing was trained yet
    before = _read(plan.run / _NAME)
    if before is None or "preset" not in before:
        return
    now = _as_json(asdict(plan.preset))
    _require_same(plan.run, before["preset"], {name: now[name] for name in _NETWORKS}, "preset ")
    seed = before.get("seed", before.get("command", {}).get("seed"))
    if seed is not None and int(seed) != plan.seed:
        raise _differs(plan.run, "seed", int(seed), plan.seed)


def require_same_stage(plan: Plan, stage: str, new_rate: bool = False) -> None:
    """Raise InputError if a stage was begun with another configuration than it shall go on with.

    Args:
        new_rate: the learning rate may be another one: how to go on after a divergence.
    """
    folder = plan.folder(stage)
    before = _read(folder / _NAME)
    if before is not None and (folder / "checkpoints").is_dir():
        now = _as_json(stage_facts(plan, stage))
        settings = now.pop("stage")
        if new_rate:
            del settings["learning_rate"]
        _require_same(folder, before.pop("stage", {}), settings)
        _require_same(folder, before, now)


def _require_same(folder: Path, before: dict, now: dict, prefix: str = "") -> None:
    """Compare setting by setting; one that is newer than the run has its old effect."""
    for name, value in now.items():
        old = before.get(name, value)
        if isinstance(value, dict) and isinstance(old, dict):
            _require_same(folder, old, value, f"{prefix}{name} ")
        elif old != value:
            raise _differs(folder, prefix + name, old, value)


def _differs(folder: Path, what: str, before: object, now: object) -> InputError:
    return InputError(
        f"{folder} holds a training with {what} {before}, but now {what} is {now}: repeat the "
        "options it was begun with, or choose another --run folder (--from starts from its weights)"
    )


def _as_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content as it comes back from a JSON file: lists for tuples."""
    return json.loads(json.dumps(content))


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        # Version 0.1 said critic for discriminator.
        text = path.read_text(encoding="utf-8").replace("critic_", "discriminator_")
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{path} is no JSON file: remove it, or choose another --run") from error
