"""Set up the machine in the first cell of each notebook, and print its versions and device.

Only the standard library is imported at the top, because on Colab and Kaggle this module runs
before the package's small dependencies are there.
"""

import gc
import importlib.metadata
import platform
import random
import re
import subprocess
import sys

from oldphoto.system.packages import is_hosted

# Colab and Kaggle come with these, matched to its GPU and to each other: never install them.
COLAB_OWNS = frozenset({"torch", "torchvision", "numpy", "opencv-python", "matplotlib", "pillow"})
# Used by the notebooks in addition to the package's requirements; ipywidgets is part of Colab.
NOTEBOOK_NEEDS = frozenset({"ipywidgets", "anywidget", "psygnal"})  # anywidget needs psygnal


def setup(seed: int = 0, device: str = "auto") -> str:
    """Set up the machine, set all seeds, and print versions, device and seed. May run twice.

    Nothing is installed but on Colab and Kaggle; there, only small packages that are missing.

    Args:
        seed: for Python's, numpy's and torch's random numbers.
        device: "auto" chooses; or "cuda", "mps" or "cpu".

    Returns:
        The name of the device to compute on.

    Raises:
        InputError: if this machine does not have the device.
    """
    if is_hosted():
        install_missing()
    import numpy
    import torch

    from oldphoto.course.figures import use_style
    from oldphoto.system.devices import choose_device

    chosen = str(choose_device(None if device == "auto" else device))
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    use_style()
    # What is loaded by now stays. Else the garbage collector looks through all of it again and
    # again, half a second each time, and often just when a slider was moved.
    gc.collect()
    gc.freeze()
    print(
        f"oldphoto {_version('oldphoto')}, Python {platform.python_version()}, "
        f"torch {torch.__version__}, numpy {numpy.__version__}, "
        f"ipywidgets {_version('ipywidgets')}"
    )
    print(f"device {chosen}, seed {seed}")
    return chosen


def missing_packages() -> list[str]:
    """Return the small packages that the notebooks need and that are not installed."""
    needed = {name for name in _requirements() if name not in COLAB_OWNS} | NOTEBOOK_NEEDS
    return sorted(name for name in needed if not _is_installed(name))


def install_missing() -> None:
    """Install the missing small packages, without their own dependencies.

    Raises:
        subprocess.CalledProcessError: if pip fails; its message is printed above.
    """
    missing = missing_packages()
    if missing:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *missing]
        subprocess.run(command, check=True)


def _requirements() -> list[str]:
    """Return the names of the package's dependencies, without the optional ones."""
    try:
        lines = importlib.metadata.requires("oldphoto") or []
    except importlib.metadata.PackageNotFoundError:  # it lies in the folder, not installed
        return []
    needed = [line for line in lines if "extra ==" not in line]
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in needed]


def _is_installed(name: str) -> bool:
    return _version(name) != "missing"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
