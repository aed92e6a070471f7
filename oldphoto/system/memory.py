"""Free memory of the machine, the container and the device."""

import math
from pathlib import Path

import psutil
import torch

from oldphoto.checks import GIB as GIB
from oldphoto.checks import InputError

_SHARE = 0.85  # of the free memory; the rest is a margin for other programs and for the prediction
# Containers (Docker, a batch system) are killed at their own limit, below that of the machine.
# (limit, use) of control groups version 2, then version 1; outside Linux neither is there.
_CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def available_bytes(device: torch.device) -> int:
    """Return how many bytes a computation on the device may take without running out of memory."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # PyTorch keeps freed memory in a cache, which we can use, too.
        reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(_SHARE * (free + reserve))
    return int(_SHARE * min([psutil.virtual_memory().available, *_container_rooms()]))


def budget_bytes(device: torch.device, max_memory_gb: float | None) -> int:
    """Return the bytes that a computation may add to what is in use now.

    Args:
        max_memory_gb: most GiB that the whole process may take on the device, including what it
            takes already; None: the free memory.

    Returns:
        At most ``available_bytes``; never negative.
    """
    free = available_bytes(device)
    if max_memory_gb is None:
        return free
    require_memory_limit(max_memory_gb)
    left = int(max_memory_gb * GIB) - used_bytes(device)
    return max(0, min(free, left))


def require_memory_limit(max_memory_gb: float | None) -> None:
    """Raise InputError if there is a limit and it is not a finite number greater than zero."""
    if max_memory_gb is not None and not 0 < max_memory_gb < math.inf:
        raise InputError(
            f"the memory limit must be greater than 0 GiB and finite, got {max_memory_gb}"
        )


def used_bytes(device: torch.device) -> int:
    """Return the bytes that this process holds on the device now."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return psutil.Process().memory_info().rss


def _container_rooms() -> list[int]:
    """Return the free bytes below the memory limit of each control group that has one."""
    rooms = []
    for limit_file, use_file in _CGROUPS:
        if limit_file.is_file() and use_file.is_file():
            limit = limit_file.read_text(encoding="ascii").strip()
            if limit.isdigit():  # "max" is no limit
                rooms.append(max(0, int(limit) - int(use_file.read_text(encoding="ascii"))))
    return rooms
