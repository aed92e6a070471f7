"""Which packages the project needs, and which are here.

Only the standard library is imported: this must also run where the packages are missing.
"""

import importlib.metadata
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

# "opencv-python>=4.8; extra == 'course'": name, lowest version, and whose need it is.
_LINE = re.compile(r"([\w.-]+)(?:\[[^\]]*\])?\s*>=\s*([\w.]+)(?:.*extra\s*==\s*['\"](\w+)['\"])?")


INSTALL_ALL = "python -m pip install -r requirements.txt"


def needed_here() -> dict[str, str]:
    """Return what the course needs on this machine; Colab has a Jupyter of its own."""
    # A command that a Colab notebook starts knows Colab by its environment alone.
    if "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ:
        return needed() | {"ipywidgets": "7"}
    return needed("course")


def needed(*extras: str) -> dict[str, str]:
    """Return the lowest version of each package that the project needs.

    Args:
        extras: optional sets that count as well, as "course".
    """
    return lowest_versions(_lines(), *extras)


def lowest_versions(lines: list[str], *extras: str) -> dict[str, str]:
    """Return ``{name: lowest version}`` of lines like ``torch>=2.4; extra == "train"``."""
    found = [match.groups() for line in lines if (match := _LINE.match(line.strip()))]
    return {name: bound for name, bound, extra in found if not extra or extra in extras}


def _lines() -> list[str]:
    """Return the needs as the installed package tells them, or as pyproject.toml beside it does."""
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


def version_of(name: str) -> str | None:
    """Return the version of an installed package; None where it is missing."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def as_numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version: "2.13.0+cpu" is (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def missing(needs: Mapping[str, str], versions: Mapping[str, str | None]) -> list[str]:
    """Return the needed packages that are not here."""
    return [name for name in needs if versions.get(name) is None]


def too_old(needs: Mapping[str, str], versions: Mapping[str, str | None]) -> list[str]:
    """Return the needed packages that are here in a version that is too old."""
    return [
        name
        for name, bound in needs.items()
        if (version := versions.get(name)) and as_numbers(version) < as_numbers(bound)
    ]
