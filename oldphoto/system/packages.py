"""Which packages the project needs, and which are installed.

None of them is imported, apart from ``packaging``: this also runs where they are missing.
"""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

INSTALL_ALL = "python -m pip install -r requirements.txt"


def is_hosted() -> bool:
    """Return whether this is Colab or Kaggle: they have a Jupyter and large packages of their own.

    A command that a notebook starts there knows it by its environment alone.
    """
    names = {"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}
    return "google.colab" in sys.modules or not names.isdisjoint(os.environ)


def needed_here() -> dict[str, str]:
    """Return what the course needs on this machine."""
    if is_hosted():
        return needed() | {"ipywidgets": "7", "anywidget": "0.9"}
    return needed("course")


def needed(*extras: str) -> dict[str, str]:
    """Return the lowest version of each package that the project needs.

    Args:
        extras: optional sets that count as well, as "course".
    """
    return lowest_versions(_requirements(), *extras)


def lowest_versions(lines: list[str], *extras: str) -> dict[str, str]:
    """Return ``{name: lowest version}`` of requirements.

    >>> lowest_versions(["torch>=2.4", "scrapy>=2.19; extra == 'data'"])
    {'torch': '2.4'}
    """
    from packaging.requirements import Requirement

    lowest = {}
    for requirement in map(Requirement, lines):
        bounds = [bound.version for bound in requirement.specifier if bound.operator == ">="]
        marker = requirement.marker
        wanted = not marker or any(marker.evaluate({"extra": extra}) for extra in extras)
        if bounds and wanted:
            lowest[requirement.name] = bounds[0]
    return lowest


def _requirements() -> list[str]:
    """Return the requirements of the installed package, or of pyproject.toml beside it."""
    try:
        return importlib.metadata.requires("oldphoto") or []
    except importlib.metadata.PackageNotFoundError:
        path = Path(__file__).resolve().parents[2] / "pyproject.toml"
        if not path.is_file():
            return []
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    optional = project.get("optional-dependencies", {})
    return project["dependencies"] + [
        f"{line}; extra == '{name}'" for name, lines in optional.items() for line in lines
    ]


def own_version() -> str:
    """Return the version of this package, also in a folder that was never installed."""
    path = Path(__file__).resolve().parents[2] / "pyproject.toml"
    installed = version_of("oldphoto")
    if installed or not path.is_file():
        return installed or "(version unknown)"
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"]


def version_of(name: str) -> str | None:
    """Return the version of an installed package; None where it is missing."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def missing(needs: Mapping[str, str], versions: Mapping[str, str | None]) -> list[str]:
    """Return the needed packages that are not installed."""
    return [name for name in needs if versions.get(name) is None]


def too_old(needs: Mapping[str, str], versions: Mapping[str, str | None]) -> list[str]:
    """Return the needed packages that are installed in a version that is too old."""
    from packaging.version import Version

    return [
        name
        for name, bound in needs.items()
        if (version := versions.get(name)) and Version(version) < Version(bound)
    ]


def conflicts() -> list[str]:
    """Return what ``pip check`` finds: installed packages that do not fit together."""
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    lines = done.stdout.splitlines()
    return [line for line in lines if " has requirement " in line or " requires " in line]
