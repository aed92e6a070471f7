"""Save and load the whole state of a training run, so that it resumes bit for bit.

A checkpoint is two files: ``step-00000120.pt`` with the state and ``step-00000120.json`` with its
SHA-256. The second is written last. A checkpoint without it, or with another SHA-256, was cut
short; the one before it is used instead.
"""

import json
import pickle
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
import torch

from oldphoto.checks import InputError
from oldphoto.system.files import sha256_of, write_json, written_whole
from oldphoto.training import old_runs

NUM_KEPT = 2
"""Checkpoints kept on disk: the newest, and the one before it in case the newest is damaged."""

_UNFIT = (RuntimeError, ValueError, LookupError, TypeError, AttributeError)
"""What PyTorch raises for the state of something else."""


class Stateful(Protocol):
    """Anything with a state dict: networks, optimizers, schedules, scalers, averages."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


def random_states() -> dict[str, Any]:
    """Return the state of every random number generator that a training step may use."""
    numpy_state = cast(tuple[str, np.ndarray, int, int, float], np.random.get_state())
    name, keys, position, has_gauss, cached = numpy_state
    state: dict[str, Any] = {
        "python": random.getstate(),
        # As a tensor: ``weights_only`` loading refuses numpy arrays.
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        # Of all GPUs: dropout and noise may be drawn on any of them.
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_random_states(state: Mapping[str, Any]) -> None:
    """Set every generator back to a state returned by ``random_states``."""
    random.setstate(state["python"])
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())  # ``map_location`` may have moved it to the GPU
    # A run may move from a GPU to a machine without one; it then resumes, but not bit for bit.
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])


def checkpoint_path(folder: Path, step: int) -> Path:
    """Return where the state after ``step`` steps is kept."""
    return folder / f"step-{step:08d}.pt"


def _steps(folder: Path) -> list[int]:
    """Steps of all complete checkpoints in the folder, newest first."""
    numbers = [path.stem.removeprefix("step-") for path in folder.glob("step-*.json")]
    found = [int(number) for number in numbers if number.isascii() and number.isdigit()]
    return sorted(found, reverse=True)  # by number, so that the clock does not matter


def save_checkpoint(
    folder: Path, step: int, parts: Mapping[str, Stateful], extra: Mapping[str, Any] | None = None
) -> Path:
    """Write step, random states and the state of each part, whole or not at all.

    Older checkpoints beyond ``NUM_KEPT`` are removed afterwards.

    Args:
        folder: where the run keeps its checkpoints; created if missing.
        step: number of steps done.
        parts: name to object with a ``state_dict``.
        extra: further plain numbers, strings and tensors to keep.

    Returns:
        The path of the state file.

    Raises:
        OSError: if the disk is full or cannot be written; earlier checkpoints stay usable.
    """
    payload = {
        "format": 1,
        "step": step,
        "random": random_states(),
        "parts": {name: part.state_dict() for name, part in parts.items()},
        "extra": dict(extra or {}),
    }
    path = checkpoint_path(folder, step)
    # Written aside, forced to the disk, renamed: the name never points to half a file.
    with written_whole(path) as file:
        _write_state(payload, file)
    # Last, and read back from the disk: from here on the checkpoint counts.
    write_json(path.with_suffix(".json"), {"step": step, "sha256": sha256_of(path)})
    # Only now: a full disk must not cost the checkpoint that is there.
    _remove_all_but(folder, _steps(folder)[:NUM_KEPT])
    return path


def _write_state(payload: Mapping[str, Any], file: BinaryIO) -> None:
    """Write tensors; raise the system's own error where PyTorch hides it behind another."""
    try:
        torch.save(payload, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # the disk is full
            raise error.__context__ from None
        raise


def _remove_all_but(folder: Path, kept: list[int]) -> None:
    """Remove older checkpoints, and what a killed run left of its last one."""
    stems = {checkpoint_path(folder, step).stem for step in kept}
    # The SHA-256 goes first: from then on the pair no longer counts as a checkpoint.
    for pattern in ("step-*.json", "step-*.pt", "step-*.partial"):
        for path in folder.glob(pattern):
            if path.name.partition(".")[0] not in stems:
                path.unlink(missing_ok=True)


def load_newest(
    folder: Path,
    parts: Mapping[str, Stateful],
    device: torch.device | str = "cpu",
    report: Callable[[str], None] = print,
) -> tuple[int, dict[str, Any]] | None:
    """Load parts and random states from the newest checkpoint that is whole.

    What a killed run left of a checkpoint it was writing is removed.

    Args:
        folder: where the run keeps its checkpoints.
        parts: the same names and shapes that were saved.
        device: where the tensors go.
        report: gets one sentence about each damaged checkpoint that is skipped.

    Returns:
        The number of steps done and the extra values, or None when nothing was saved yet.

    Raises:
        InputError: if there are checkpoints but none is whole, or one has another configuration.
    """
    steps = _steps(folder)
    for step in steps:
        path = checkpoint_path(folder, step)
        if _is_whole(path):
            found = _restore(path, parts, device)
            _remove_all_but(folder, steps[:NUM_KEPT])
            return found
        report(f"{path} is damaged (its checksum differs); looking for the checkpoint before it")
    # Starting again from random weights, in silence, would overwrite hours of work.
    if steps:
        raise InputError(
            f"expected a whole checkpoint in {folder}, but all of them are damaged: remove "
            f"{folder.parent} to begin this stage anew"
        )
    return None


def _is_whole(path: Path) -> bool:
    """Return whether a state has the SHA-256 that was written beside it."""
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return path.is_file() and sha256_of(path) == card["sha256"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return False  # the file with the SHA-256 is the damaged one


def _restore(
    path: Path, parts: Mapping[str, Stateful], device: torch.device | str
) -> tuple[int, dict[str, Any]]:
    payload = _read_payload(path, device)
    saved = old_runs.checkpoint_parts(payload["parts"])
    # Nothing is filled up with random weights: a missing or an extra part is an error.
    if saved.keys() != parts.keys():
        raise InputError(f"{path} holds {sorted(saved)}, but this run needs {sorted(parts)}")
    for name, part in parts.items():
        try:
            part.load_state_dict(saved[name])
        except _UNFIT as error:
            # PyTorch lists every tensor that differs; the first one is enough to act on.
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{path}: {name} is of another configuration: {first_line}") from error
    # After the parts, because building and loading them may draw random numbers.
    try:
        restore_random_states(payload["random"])
    except _UNFIT as error:
        raise InputError(f"{path} holds no state of the random numbers: {error}") from error
    return payload["step"], payload["extra"]


def _read_payload(path: Path, device: torch.device | str) -> dict[str, Any]:
    """Read a state without running code from the file; refuse one of another program."""
    reason = "it holds something else"
    try:
        payload = torch.load(path, map_location=device, weights_only=True)
        if {"step", "random", "parts", "extra"} <= payload.keys() and payload["parts"].keys():
            return payload
    except torch.OutOfMemoryError:
        raise
    except (*_UNFIT, pickle.UnpicklingError, EOFError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
    raise InputError(f"{path} is no checkpoint of a training run: {reason}")
