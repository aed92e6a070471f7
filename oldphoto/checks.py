"""Checks of arguments: each raises InputError with one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line needs these checks, but should not wait for torch
    import numpy as np
    from torch import Size, Tensor


GIB = 1024**3  # bytes


class InputError(ValueError):
    """An argument, a file or a folder cannot be used; the message is one sentence for the user.

    The command line prints the message without a traceback and ends with exit code 2.
    """


def require_photo(photo: Any, name: str = "a photo", allow_deep: bool = False) -> None:
    """Raise InputError unless photo is a uint8 array of shape (H, W, 3) that is not empty.

    Args:
        photo: any object.
        name: of the argument, for the sentence.
        allow_deep: take a uint16 array as well.

    Example:
        >>> import numpy as np
        >>> require_photo(np.zeros((8, 8, 3), np.uint8))
        >>> require_photo(np.zeros((8, 8), np.uint8))
        Traceback (most recent call last):
        oldphoto.checks.InputError: expected a photo of shape (H, W, 3), got (8, 8)
    """
    dtype: object = getattr(photo, "dtype", None)
    shape: tuple[int, ...] = getattr(photo, "shape", ())
    if dtype is None:
        raise InputError(f"expected {name} as a numpy array, got {type(photo).__name__}")
    if dtype != "uint8" and not (allow_deep and dtype == "uint16"):
        raise InputError(f"expected {name} of dtype uint8 in [0, 255], got dtype {dtype}")
    if len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise InputError(f"expected {name} of shape (H, W, 3), got {tuple(shape)}")


def require_photo_mask(scratch_mask: np.ndarray, photo: np.ndarray) -> None:
    """Raise InputError unless scratch_mask is bool (H, W) for a photo of (H, W, 3)."""
    if scratch_mask.dtype != "bool" or scratch_mask.shape != photo.shape[:2]:
        raise InputError(
            f"expected a scratch mask as bool {photo.shape[:2]}, "
            f"got {scratch_mask.dtype} {scratch_mask.shape}"
        )


def require_features(x: Tensor, channels: int, min_size: int = 1) -> None:
    """Raise InputError unless x is (B, channels, H, W) with H and W at least min_size."""
    if x.ndim != 4 or x.shape[1] != channels:
        raise InputError(f"expected a tensor of shape (B, {channels}, H, W), got {tuple(x.shape)}")
    if min(x.shape[-2:]) < min_size:
        raise InputError(f"height and width must be at least {min_size}, got {tuple(x.shape[-2:])}")


def require_multiple(x: Tensor, multiple: int) -> None:
    """Raise InputError unless height and width of x are multiples of ``multiple``."""
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise InputError(f"height and width must be multiples of {multiple}, got {(height, width)}")


def require_mask(scratch_mask: Tensor, like: Tensor) -> None:
    """Raise InputError unless scratch_mask is (B, 1, H, W) for a ``like`` of (B, C, H, W)."""
    expected = (like.shape[0], 1, *like.shape[-2:])
    if tuple(scratch_mask.shape) != expected:
        raise InputError(
            f"expected a scratch mask of shape {expected}, got {tuple(scratch_mask.shape)}"
        )


def require_file(path: Path, what: str) -> Path:
    """Return path if it is a file, else raise InputError saying ``what`` was expected."""
    if not path.is_file():
        raise InputError(f"expected {what} at {path}, but no such file is there")
    return path


def require_folder(path: Path, what: str) -> Path:
    """Return path if it is a folder, else raise InputError saying ``what`` was expected."""
    if not path.is_dir():
        raise InputError(f"expected {what} at {path}, but no such folder is there")
    return path


def require_positive(**values: float) -> None:
    """Raise InputError naming the first value that is not greater than zero.

    Example:
        >>> require_positive(batch=4, crop=0)
        Traceback (most recent call last):
        oldphoto.checks.InputError: crop must be greater than 0, got 0
    """
    for name, value in values.items():
        if not value > 0:
            raise InputError(f"{name} must be greater than 0, got {value}")


def require_range(value: float, limits: tuple[float, float], name: str) -> None:
    """Raise InputError unless limits[0] <= value <= limits[1].

    Example:
        >>> require_range(1.5, (0.0, 1.0), "strength")
        Traceback (most recent call last):
        oldphoto.checks.InputError: strength must be within 0.0 and 1.0, got 1.5
    """
    if not limits[0] <= value <= limits[1]:
        raise InputError(f"{name} must be within {limits[0]} and {limits[1]}, got {value}")


def require_in(value: object, choices: tuple[object, ...], name: str) -> None:
    """Raise InputError unless value is one of the choices.

    Example:
        >>> require_in("fp8", ("fp32", "bf16"), "precision")
        Traceback (most recent call last):
        oldphoto.checks.InputError: precision must be one of fp32, bf16; got 'fp8'
    """
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise InputError(f"{name} must be one of {listed}; got {value!r}")


def first_misfit(wanted: Mapping[str, Size], tensors: Mapping[str, Tensor]) -> str:
    """Return the first difference between tensors and the wanted shapes; "" if they fit.

    Args:
        wanted: the shape that each tensor should have, by name.
        tensors: the tensors, by name.
    """
    missing = [name for name in wanted if name not in tensors]
    if missing:
        return f"the tensor {missing[0]} is missing ({len(missing)} of {len(wanted)} are)"
    extra = [name for name in tensors if name not in wanted]
    if extra:
        return f"there is no place for the tensor {extra[0]} ({len(extra)} such)"
    for name, shape in wanted.items():
        if tensors[name].shape != shape:
            return f"expected {name} of shape {tuple(shape)}, got {tuple(tensors[name].shape)}"
    return ""
