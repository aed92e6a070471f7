"""Several processes that train together: find out who we are, and agree with the others.

``torchrun`` starts the processes and tells each its number in the environment. Without it there is
one process, and every function here answers at once.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from oldphoto.system.devices import choose_device


@dataclass(frozen=True)
class Place:
    """The place of this process among those that train together.

    Attributes:
        device: what this process computes on: each has a GPU of its own.
        rank: its number, from 0; number 0 does all the writing.
        world_size: how many there are.
    """

    device: torch.device
    rank: int = 0
    world_size: int = 1


@contextmanager
def joined(device_name: str | None = None) -> Iterator[Place]:
    """Join the processes that torchrun started, and leave them at the end.

    Args:
        device_name: "cpu", "cuda", "mps"; None takes the best one here.

    Raises:
        InputError: if the device is not in this machine.
    """
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        yield Place(choose_device(device_name))
        return
    device = choose_device(device_name)
    if device.type == "cuda":
        device = choose_device(f"cuda:{os.environ.get('LOCAL_RANK', 0)}")
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Place(device, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def any_says_yes(*answers: bool, device: torch.device | str = "cpu") -> list[bool]:
    """Return for each question whether any of the processes says yes; all get the same answers."""
    if not dist.is_initialized():
        return list(answers)
    votes = torch.tensor(answers, dtype=torch.float32, device=device)
    dist.all_reduce(votes, op=dist.ReduceOp.MAX)
    return [bool(vote) for vote in votes.tolist()]


def mean_over_processes(value: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes; all get the same."""
    if not dist.is_initialized():
        return value
    value = value.clone()
    dist.all_reduce(value)
    return value / dist.get_world_size()


def everyones(paths: list[Path]) -> list[Path]:
    """Return the paths that any of the processes names, each once; all get the same."""
    if not dist.is_initialized():
        return paths
    lists: list[list[Path]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(lists, paths)
    return list(dict.fromkeys(path for one in lists for path in one))


def wait_for_all() -> None:
    """Wait until every process has come this far."""
    if dist.is_initialized():
        dist.barrier()
