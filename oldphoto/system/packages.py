"""Versions of this package, of the packages it needs, and of those that are installed.

Apart from ``packaging`` only the standard library is imported, and that only where it is needed:
the doctor must also run where packages are missing.
"""

import importlib.metadata
import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

INSTALL_ALL = "python -m pip install -r requirements.txt"
_PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def own_version() -> str:
    """Return the version of this package, also in a folder that was never installed."""
    return version_of("oldphoto") or _project().get("version", "(version unknown)")


def needed_here() -> dict[str, str]:
    """Return what the course needs on this machine; Colab has a Jupyter of its own."""
    if version_of("packaging") is None:
        return {"packaging": "23"}  # without it the list of the others cannot be read
    # In a command that a Colab notebook starts, only the environment says that it is Colab.
    if "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ:
        return needed() | {"ipywidgets": "7"}
    return needed("course")


def needed(*extras: str) -> dict[str, str]:
    """Return the lowest version of each package that the project needs.

    Args:
        extras: optional sets to include, such as "course".
    """
    return lowest_versions(_requirements(), *extras)


def lowest_versions(lines: Iterable[str], *extras: str) -> dict[str, str]:
    """Return ``{name: lowest version}`` of requirements; those without a lower bound are left out.

    Example:
        >>> lowest_versions(["torch>=2.4", "scrapy>=2.19; extra == 'data'"])
        {'torch': '2.4'}
    """
    from packaging.requirements import Requirement

    found = {}
    for line in lines:
        requirement = Requirement(line)
        lowest = [bound.version for bound in requirement.specifier if bound.operator == ">="]
        marker = requirement.marker
        wanted = not marker or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
        if lowest and wanted:
            found[requirement.name] = lowest[0]
    return found


def _requirements() -> list[str]:
    """Return the requirements of the installed package, or those in pyproject.toml beside it."""
    try:
        return importlib.metadata.requires("oldphoto") or []
    except importlib.metadata.PackageNotFoundError:
        project = _project()
    optional = project.get("optional-dependencies", {})
    return project.get("dependencies", []) + [
        f"{line}; extra == '{name}'" for name, lines in optional.items() for line in lines
    ]


def _project() -> dict[str, Any]:
    """Return the table ``project`` of pyproject.toml; empty if there is none."""
    if not _PYPROJECT.is_file():
        return {}
    return tomllib.loads(_PYPROJECT.read_text(encoding="utf-8"))["project"]


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
    """Return the needed packages that are installed in a version that is too old.

    Example:
        >>> too_old({"torch": "2.4", "numpy": "1.26"}, {"torch": "2.10.0+cpu", "numpy": "1.9"})
        ['numpy']
    """
    from packaging.version import Version

    return [
        name
        for name, bound in needs.items()
        if (version := versions.get(name)) and Version(version) < Version(bound)
    ]
