"""Choose the device to compute on, and tell whether it is fast at bfloat16."""

import torch

from oldphoto.checks import InputError


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """Return the named device, or the best one available: CUDA, then MPS (Apple), then the CPU.

    Raises:
        InputError: if the device is unknown or not available.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if name is None:
        name = next(kind for kind in ("cuda", "mps", "cpu") if _is_here(kind))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device must be cuda, mps or cpu; got {name!r}") from error
    too_high = device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    if not _is_here(device.type) or too_high:
        raise InputError(f"device {name} is not available on this machine: leave --device out")
    return device


def is_fast_at_bf16(device: torch.device) -> bool:
    """Return whether the hardware multiplies bfloat16 faster than float32.

    True for NVIDIA GPUs since Ampere (compute capability 8.0) and for CPUs with AMX or AVX512-BF16,
    where the convolutions of this method were measured to be 1.5 to 2.4 times as fast.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # PyTorch has no public functions for this; if one of them is gone, the answer is no.
        questions = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, question, bool)() for question in questions)
    return False


def require_compiler(device: torch.device) -> None:
    """Raise InputError unless torch.compile works for a device.

    It needs a C++ compiler for the CPU or Triton for a GPU; one small function is compiled.
    """
    try:
        torch.compile(torch.sin)(torch.ones(4, device=device))
    except Exception as error:  # each backend has exceptions of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"torch.compile does not work here ({reason}): leave out --compile, or install what "
            "it lacks"
        ) from error


def _is_here(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return kind == "cpu"
