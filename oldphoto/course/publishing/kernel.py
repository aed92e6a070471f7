"""The kernel that runs the notebooks: always the interpreter that runs this program.

A notebook names its kernel ``python3``, and Jupyter looks that name up in several folders. A
user's own entry of that name may start another Python, without this package. So a kernel entry
for the running interpreter is written into a folder of its own, which is looked up first.
"""

import os
from pathlib import Path

KERNEL_NAME = "python3"
PACKAGE_PARENT = Path(__file__).resolve().parents[3]


def write_kernel(folder: Path, threads: int | None = None) -> Path:
    """Write a kernel entry for the running interpreter below folder.

    Args:
        threads: how many threads the numeric libraries of the kernel may use; None: their choice.

    Returns:
        The folder to put first into the environment variable JUPYTER_PATH.
    """
    from ipykernel.kernelspec import write_kernel_spec

    variables = {
        "IPYTHONDIR": str(folder / "ipython"),  # no start-up files or history of the user
    }
    if threads:
        variables |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    write_kernel_spec(
        folder / "kernels" / KERNEL_NAME,
        overrides={"display_name": "Python 3", "env": variables},
        # Errors of cells are in the notebook; the kernel itself logs one when it is shut down.
        extra_arguments=["--log-level=CRITICAL"],
    )
    return folder


def kernel_environment(folder: Path) -> dict[str, str]:
    """Return the environment variables with which Jupyter finds the kernel in folder first."""
    return {
        "JUPYTER_PATH": _search_path(str(folder), os.environ.get("JUPYTER_PATH", "")),
        # The package must be importable also where it is not installed but only lies beside.
        "PYTHONPATH": _search_path(str(PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")),
    }


def _search_path(*parts: str) -> str:
    return os.pathsep.join(part for part in parts if part)
