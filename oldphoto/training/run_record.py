"""Save a run's configuration, refuse to resume it with a different one, and write its card.

``config.json`` in the run folder holds the whole plan, ``config.json`` in a stage's folder what
decides the outcome of that stage. The card is the JSON beside the weights of a stage.
"""

import csv
import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from oldphoto.checks import InputError
from oldphoto.system.files import write_json
from oldphoto.training import old_runs
from oldphoto.training.plan import Plan, stage_facts

_NAME = "config.json"
# Settings of the preset that all stages of a run must share; the rest belongs to single stages.
_SHARED = (
    "name",
    "vae",
    "mapping",
    "discriminator",
    "latent_discriminator",
    "detector",
    "spectral_norm_variants",
)
_TABLES = ("preset", "command")  # in the record of a run; a stage's names its preset
_GIT_SECONDS = 5


def write_run_config(plan: Plan, command: Mapping[str, Any]) -> None:
    """Write the plan of a run, and the command and versions it was started with."""
    content = {
        # As text: paths are no JSON.
        "command": {name: str(value) for name, value in command.items()},
        "preset": asdict(plan.preset),
        "seed": plan.seed,
        "old": [str(path) for path in plan.old],
        "clean": [str(path) for path in plan.clean],
        "features": plan.features_name or "none: no file of a feature network was given",
        # Another version may round in another way: a run then resumes, but not bit for bit.
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    write_json(plan.run / _NAME, content)


def write_stage_config(plan: Plan, stage: str) -> None:
    """Write what decides the outcome of one stage."""
    write_json(plan.folder(stage) / _NAME, stage_facts(plan, stage))


def require_same_run(plan: Plan) -> None:
    """Raise InputError if the run folder holds a run with other networks or another seed.

    Photos and length may differ between the stages of one run: see ``require_same_stage``.
    """
    if not (plan.weights.is_dir() or any(plan.run.glob("*/checkpoints"))):
        found = _read(plan.run / _NAME, _TABLES)
        if found is not None and "preset" not in found:  # else a run that was killed at its start
            raise InputError(
                f"{plan.run / _NAME} was not written by training and would be replaced: choose "
                "another --run folder"
            )
        return  # nothing was trained yet
    before = _read(plan.run / _NAME, _TABLES)
    # A folder with weights alone, copied from elsewhere, has no record to compare with.
    if before is None or "preset" not in before:
        return
    now = _as_json(asdict(plan.preset))
    _require_same(plan.run, before["preset"], {name: now[name] for name in _SHARED}, "preset ")
    seed = before.get("seed", before.get("command", {}).get("seed"))
    # Early runs had the seed among the options alone.
    if seed is not None and str(seed) != str(plan.seed):
        raise _differs(plan.run, "seed", seed, plan.seed)


def require_same_stage(plan: Plan, stage: str, new_rate: bool = False) -> None:
    """Raise InputError if a stage was started with a different configuration.

    Args:
        new_rate: allow another learning rate, to resume after training diverged.
    """
    folder = plan.folder(stage)
    before = _read(folder / _NAME)
    if before is not None and (folder / "checkpoints").is_dir():
        now = _as_json(stage_facts(plan, stage))
        settings = now.pop("stage")  # compared first, for the more precise message
        if new_rate:  # the loop overrides the checkpoint's rate
            del settings["learning_rate"]
        earlier = before.pop("stage", {})
        _require_same(folder, earlier if isinstance(earlier, dict) else {}, settings)
        _require_same(folder, before, now)


def require_own_weights(stages: Iterable[Path], weights: Path, names: Iterable[str]) -> None:
    """Raise InputError if a stage that begins would write over weights of another origin.

    Args:
        stages: folders of the stages that train the networks; one with checkpoints has begun.
        weights: folder of the run's weights.
        names: of the networks.
    """
    if any((folder / "checkpoints").is_dir() for folder in stages):
        return
    for path in (weights / f"{name}{end}" for name in names for end in (".safetensors", ".json")):
        if path.exists():
            raise InputError(
                f"{path} was not trained in this run and would be replaced: choose another --run "
                "folder"
            )


def _require_same(folder: Path, before: dict, now: dict, prefix: str = "") -> None:
    """Compare setting by setting. One that the run did not know yet must not refuse it."""
    # Inside nested settings too, so that the message names the one that differs.
    for name, value in now.items():
        old = before.get(name, value)  # an unknown setting had the effect of its default
        if isinstance(value, dict) and isinstance(old, dict):
            _require_same(folder, old, value, f"{prefix}{name} ")
        elif old != value:
            raise _differs(folder, prefix + name, old, value)


def _differs(folder: Path, what: str, before: object, now: object) -> InputError:
    return InputError(
        f"{folder} was trained with {what} {before}, but now {what} is {now}: use the same "
        "options again, or choose another --run folder (--from starts from its weights)"
    )


def _as_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content as read from a JSON file: lists in place of tuples."""
    return json.loads(json.dumps(content))


def _read(path: Path, tables: Sequence[str] = ()) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        found = old_runs.run_config(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is not a JSON file: remove it, or choose another --run"
        ) from error
    is_table = isinstance(found, dict)
    if not (is_table and all(isinstance(found.get(name, {}), dict) for name in tables)):
        raise InputError(f"{path} holds no settings of a run: remove it, or choose another --run")
    return found


def catalogue_hash(photos: Iterable[Path]) -> str:
    """Return a SHA-256 of the names and sizes of photos, the same in any folder and order.

    A file that is missing counts as empty; the loader reports it later.

    >>> catalogue_hash([]) == hashlib.sha256(b"").hexdigest()
    True
    """
    # Names and sizes, not contents: reading 17,000 photos would take minutes.
    lines = sorted(f"{photo.name} {_size(photo)}" for photo in photos)
    return hashlib.sha256("\n".join(lines).encode(errors="backslashreplace")).hexdigest()


def _size(photo: Path) -> int:
    return photo.stat().st_size if photo.is_file() else 0


def commit() -> str | None:
    """Return the git commit that this package runs from, or None outside a clone.

    With uncommitted changes it ends in ``+``. An installed package may lie inside a clone of
    something else, so git must know this file.
    """
    folder = Path(__file__).parent
    # A commit of somebody else's repository would be worse than none.
    if _git(folder, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    name = _git(folder, "rev-parse", "HEAD")
    # Changes elsewhere in the clone, in a notebook say, do not change what was trained.
    return f"{name}+" if name and _git(folder, "status", "--porcelain", "--", ".") else name


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,  # a network drive may hang, and training must not
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def log_facts(log: Path, photos_per_step: int) -> dict[str, Any]:
    """Return steps, hours of training and the last loss terms from a run's ``log.csv``.

    The hours count the steps alone, without saving and restarting. The result is empty if there
    is no row yet, or the log is damaged: a table must not cost the weights at the end.

    Args:
        photos_per_step: batch of all processes together.
    """
    try:
        with log.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return _totals(rows, photos_per_step) if rows else {}
    except (ValueError, TypeError, LookupError, ArithmeticError, csv.Error):
        return {}


def _totals(rows: list[dict[str, str]], photos_per_step: int) -> dict[str, Any]:
    # A row covers the steps since the row before it, at its own speed.
    steps = [0, *(int(float(row["step"])) for row in rows)]
    seconds = sum(
        (after - before) * photos_per_step / float(row["photos_per_second"])
        for before, after, row in zip(steps, steps[1:], rows, strict=False)
    )
    # The first three columns are step, speed and learning rate.
    terms = {name: float(value) for name, value in list(rows[-1].items())[3:]}
    return {"steps": steps[-1], "hours": round(seconds / 3600, 4), "last_terms": terms}


def run_facts(
    photos: Iterable[Path], log: Path, photos_per_step: int, device: str
) -> dict[str, Any]:
    """Return photos, code, device and final losses of a stage, for its card."""
    facts = {"catalogue_sha256": catalogue_hash(photos), "commit": commit(), "device": device}
    return facts | (log_facts(log, photos_per_step) if log.is_file() else {})
