"""Restore old photographs by triplet-domain latent translation (Wan et al., CVPR 2020).

The names below are the public ones. Each is loaded when it is first used, so that ``import
oldphoto`` and the command line's help do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oldphoto.degradations import degrade
    from oldphoto.inference.detector import ScratchDetector
    from oldphoto.inference.restorer import Restorer

    __version__: str

__all__ = ["Restorer", "ScratchDetector", "__version__", "degrade"]

_HOME = {
    "Restorer": "oldphoto.inference.restorer",
    "ScratchDetector": "oldphoto.inference.detector",
    "degrade": "oldphoto.degradations",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("oldphoto.system.packages").own_version()
    if name not in _HOME:
        raise AttributeError(f"module 'oldphoto' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
