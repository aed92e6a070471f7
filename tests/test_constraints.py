"""The versions that CI tries: the lowest that are allowed, and those of Colab."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from oldphoto.course.doctor.checks import TESTED_PYTHONS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = PROJECT["optional-dependencies"]
JOBS = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))["jobs"]


def pins(name: str) -> dict[str, str]:
    """Return the version of each package in a file of constraints."""
    text = (ROOT / ".github/constraints" / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def test_the_lowest_versions_are_the_bounds():
    lines = [*PROJECT["dependencies"], *(line for lines in OPTIONAL.values() for line in lines)]
    # Constraints have no extras, such as that of ray[data].
    bounds = [f"{one.name}{one.specifier}" for one in map(Requirement, lines)]
    pinned = [f"{name}>={version}" for name, version in pins("lowest.txt").items()]
    assert pinned == bounds, "write these into .github/constraints/lowest.txt, with == for >="


@pytest.mark.parametrize("name", ["colab.txt", "lowest.txt"])
def test_the_package_may_be_installed_beside_these_versions(name):
    versions = pins(name)
    for requirement in map(Requirement, PROJECT["dependencies"]):
        version = versions.get(requirement.name)
        assert version is None or requirement.specifier.contains(version), str(requirement)


def test_ci_tries_them_with_the_lowest_python_and_that_of_colab():
    tried = {
        job["constraints"]: job["python"]
        for job in JOBS["versions"]["strategy"]["matrix"]["include"]
    }
    assert tried == {"lowest": "3.11", "colab": "3.13"}


def test_the_pythons_that_doctor_calls_tested_are_those_of_ci():
    pythons = [Version(word).release for word in JOBS["tests"]["strategy"]["matrix"]["python"]]
    assert pythons == list(TESTED_PYTHONS)
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains("3.11")
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    words = [".".join(map(str, python)) for python in TESTED_PYTHONS]
    assert f"Python {', '.join(words[:-1])} or {words[-1]}" in page
