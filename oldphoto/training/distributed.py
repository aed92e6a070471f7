"""Distributed training: rank, world size, and the collectives we use.

``torchrun`` starts the processes and gives each its rank in the environment. Without it there is
one process, and every function here returns at once.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from oldphoto.system.devices import choose_device


@dataclass(frozen=True)
class Place:
    """The place of this process among those that train together.

    Attributes:
        device: what this process computes on; each has a GPU of its own.
        rank: its number, from 0. Process 0 writes all files and messages.
        world_size: number of processes.
    """

    device: torch.device
    rank: int = 0
    world_size: int = 1


@contextmanager
def joined(device_name: str | None = None) -> Iterator[Place]:
    """Join the process group that torchrun started, and leave it at the end.

    Args:
        device_name: "cpu", "cuda", "mps"; None takes the best one available.

    Raises:
        InputError: if this machine has no such device.
    """
    # torchrun sets both. Other launchers, SLURM for one, may set one of them alone.
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        yield Place(choose_device(device_name))
        return
    device = choose_device(device_name)
    if device.type == "cuda":
        # One GPU per process: LOCAL_RANK counts the processes of this machine.
        device = choose_device(f"cuda:{os.environ.get('LOCAL_RANK', 0)}")
        torch.cuda.set_device(device)
    # Functions of torch.distributed.nn take the group that exists when they are imported as their
    # default. DistributedDataParallel imports them later and they would keep the group alive.
    import_module("torch.distributed.nn")
    # NCCL sends from GPU to GPU; Gloo works on every CPU.
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Place(device, dist.get_rank(), dist.get_world_size())
    finally:
        # After an error, too: otherwise the other processes would wait for this one.
        dist.destroy_process_group()
        # The threads of the group end with the last reference to it. A thread that still held a
        # tensor when Python shuts down would abort the process, after all the work was done.
        gc.collect()


def any_process(*answers: bool, device: torch.device | str = "cpu") -> list[bool]:
    """Return, for each answer, whether it is True in any process.

    >>> any_process(True, False)
    [True, False]
    """
    if not dist.is_initialized():
        return list(answers)
    # Processes that read their clocks alone would stop in different steps and wait for ever.
    votes = torch.tensor(answers, dtype=torch.float32, device=device)
    dist.all_reduce(votes, op=dist.ReduceOp.MAX)  # one True is enough
    return [bool(vote) for vote in votes.tolist()]


def mean_over_processes(value: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes.

    >>> mean_over_processes(torch.tensor(3.0))
    tensor(3.)
    """
    if not dist.is_initialized():
        return value
    value = value.clone()  # all_reduce writes into its argument
    dist.all_reduce(value)
    return value / dist.get_world_size()


def gather_paths(paths: list[Path]) -> list[Path]:
    """Return the paths of all processes, each once."""
    if not dist.is_initialized():
        return paths
    lists: list[list[Path]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(lists, paths)
    # A dictionary drops doubles and, unlike a set, keeps the order: the same in every process.
    return list(dict.fromkeys(path for one in lists for path in one))


def wait_for_all() -> None:
    """Wait until every process has reached this line."""
    if dist.is_initialized():
        dist.barrier()
