"""Is this machine ready for a lesson? Facts in, findings out; nothing is measured here.

``facts`` looks at the machine. Every check here can be tested with made-up facts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from oldphoto.system.memory import GIB
from oldphoto.system.packages import INSTALL_ALL, missing, too_old

MIN_MEMORY = 2 * GIB  # the largest notebook, its kernel and a browser's tab
MIN_DISK = 1 * GIB
TESTED_PYTHONS = ((3, 11), (3, 12), (3, 13))
# Seconds of ``facts.benchmark_seconds`` on the machine whose times the notebooks store.
REFERENCE_SECONDS = 0.017


@dataclass(frozen=True)
class StoredRun:
    """What a notebook's stored fast run took: seconds, and memory at its peak in bytes."""

    name: str
    seconds: float
    peak_memory: int


@dataclass(frozen=True)
class Facts:
    """Facts about a machine. Sizes are in bytes; an empty text means that nothing is wrong.

    Attributes:
        needs: lowest version of each package.
        versions: version of each package; None where it is missing.
        conflicts: lines of ``pip check``.
        gpu: its name; "" without one that torch can use.
        unused_gpu: whether a graphics card is here that this torch was not built for.
        not_writable: what each folder is for, and the folder, of those that cannot be written.
        torchvision: "ok", "patched" (by ``torchvision_compat``), or what went wrong.
        damaged: shipped files that are missing or not as they were shipped.
        font_error, widget_error: what went wrong when they were tried.
        runs: the stored run of each notebook; empty where there are no notebooks.
        benchmark: seconds of the small measured computation.
    """

    python: tuple[int, ...] = (3, 11, 0)
    needs: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str | None] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    memory: int = 8 * GIB
    free_memory: int = 4 * GIB
    cores: int = 2
    gpu: str = ""
    unused_gpu: bool = False
    not_writable: Mapping[str, str] = field(default_factory=dict)
    free_disk: int = 10 * GIB
    torchvision: str = "ok"
    damaged: tuple[str, ...] = ()
    font_error: str = ""
    widget_error: str = ""
    runs: tuple[StoredRun, ...] = ()
    benchmark: float = REFERENCE_SECONDS


@dataclass(frozen=True)
class Finding:
    """One line of the report; a problem has a remedy."""

    state: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"; remedy: {self.remedy}" if self.remedy else ""
        return f"{self.state:8} {self.text}{remedy}"


def examine(facts: Facts) -> list[Finding]:
    """Return all findings about a machine, in the order of ``LOOKS``."""
    return [finding for look in LOOKS for finding in look(facts)]


def _packages(facts: Facts) -> Iterator[Finding]:
    """Every package that is needed is here, and not too old."""
    needs, versions = facts.needs, facts.versions
    for name in missing(needs, versions):
        yield Finding("problem", f"the package {name} is missing", INSTALL_ALL)
    for name in too_old(needs, versions):
        upgrade = f'python -m pip install --upgrade "{name}>={needs[name]}"'
        text = f"{name} {versions[name]} is older than {needs[name]}"
        yield Finding("problem", text, upgrade)
    here = [name for name in needs if versions.get(name)]
    if not missing(needs, versions) and not too_old(needs, versions):
        shown = ", ".join(f"{name} {versions[name]}" for name in here[:3])
        yield Finding("ok", f"all {len(here)} packages are new enough ({shown} ...)")
    for line in facts.conflicts:
        yield Finding("note", f"pip check: {line}")


def _python(facts: Facts) -> Iterator[Finding]:
    version = ".".join(str(part) for part in facts.python)
    if facts.python[:2] < TESTED_PYTHONS[0]:
        lowest = ".".join(str(part) for part in TESTED_PYTHONS[0])
        text = f"Python {version} is older than {lowest}"
        yield Finding("problem", text, "install Python 3.12 and make a new environment with it")
    elif facts.python[:2] > TESTED_PYTHONS[-1]:
        newest = ".".join(str(part) for part in TESTED_PYTHONS[-1])
        text = f"Python {version} is newer than {newest}, the newest that is tested"
        yield Finding("note", text)
    else:
        yield Finding("ok", f"Python {version}")


def _memory(facts: Facts) -> Iterator[Finding]:
    shown = f"{facts.free_memory / GIB:.1f} of {facts.memory / GIB:.1f} GiB of memory are free"
    largest = max((run.peak_memory for run in facts.runs), default=0)
    if facts.free_memory < max(MIN_MEMORY, largest + GIB // 2):
        wanted = max(MIN_MEMORY, largest + GIB // 2) / GIB
        text = f"only {shown}, the course needs {wanted:.1f} GiB"
        yield Finding("problem", text, "close other programs, and run the course with --jobs 1")
    else:
        yield Finding("ok", shown)


def _cores(facts: Facts) -> Iterator[Finding]:
    cores = "1 CPU core" if facts.cores == 1 else f"{facts.cores} CPU cores"
    yield Finding("ok", cores)
    if facts.gpu:
        yield Finding("ok", f"graphics card: {facts.gpu}")
    elif facts.unused_gpu:
        text = "a graphics card is here, but this torch was built without it"
        remedy = "reinstall torch for CUDA as pytorch.org describes"
        yield Finding("note", text, f"none is needed; to use it, {remedy}")
    else:
        yield Finding("ok", "no graphics card, and none is needed")


def _disk(facts: Facts) -> Iterator[Finding]:
    for purpose, folder in facts.not_writable.items():
        remedy = "work in a folder of your own, or ask for the right to write there"
        if purpose.startswith("cache"):
            remedy = f"set the variable {purpose.split()[-1]} to a folder of your own"
        yield Finding("problem", f"the {purpose} folder {folder} cannot be written", remedy)
    if not facts.not_writable:
        yield Finding("ok", "this folder and the caches can be written")
    if facts.free_disk < MIN_DISK:
        text = f"only {facts.free_disk / GIB:.1f} GiB of disk are free here"
        yield Finding("problem", text, "delete files, or work on another disk")


def _widgets(facts: Facts) -> Iterator[Finding]:
    if facts.widget_error:
        remedy = "python -m pip install --upgrade ipywidgets jupyterlab_widgets, then restart"
        yield Finding("problem", f"sliders would not work: {facts.widget_error}", remedy)
    else:
        yield Finding("ok", f"sliders work (ipywidgets {facts.versions.get('ipywidgets', '?')})")


def _fonts(facts: Facts) -> Iterator[Finding]:
    if facts.font_error:
        remedy = "python -m pip install --force-reinstall --no-deps matplotlib"
        yield Finding("problem", f"figures have no font: {facts.font_error}", remedy)
    else:
        yield Finding("ok", "figures have their font")


def _weights(facts: Facts) -> Iterator[Finding]:
    for name in facts.damaged:
        remedy = "reinstall the package, or `git checkout` the file in a clone"
        yield Finding("problem", f"{name} is missing or damaged", remedy)
    if not facts.damaged:
        yield Finding("ok", "the shipped weights and photos are intact")


def _torchvision(facts: Facts) -> Iterator[Finding]:
    if facts.torchvision == "ok":
        yield Finding("ok", "torchvision loads")
    elif facts.torchvision == "patched":
        text = "torchvision was built for another torch; the package works around it"
        yield Finding("note", text)
    else:
        remedy = "install torch and torchvision together, in versions that belong together"
        yield Finding("problem", f"torchvision does not load: {facts.torchvision}", remedy)


def _notebooks(facts: Facts) -> Iterator[Finding]:
    if not facts.runs:
        text = "no notebooks found here, so no times can be estimated"
        yield Finding("note", text, "run this in their folder, or name it with --notebooks")
        return
    total = 0.0
    for run in facts.runs:
        seconds = expected_seconds(run.seconds, facts.benchmark)
        total += seconds
        yield Finding("ok", f"notebook {run.name}: about {readable_time(seconds)}")
    text = f"all {len(facts.runs)} one after another: about {readable_time(total)}"
    yield Finding("ok", f"{text} (estimated from a small measurement)")


def expected_seconds(stored: float, benchmark: float) -> float:
    """Scale a stored time by how fast this machine is, against the one that stored it.

    Args:
        stored: seconds of the stored run.
        benchmark: seconds of the small computation on this machine.
    """
    return stored * benchmark / REFERENCE_SECONDS


def readable_time(seconds: float) -> str:
    """Return seconds, or minutes where there are more than 90 seconds."""
    return f"{seconds:.0f} s" if seconds <= 90 else f"{seconds / 60:.1f} min"


def exit_code(findings: list[Finding]) -> int:
    """Return 1 when one of the findings is a problem, else 0."""
    return int(any(finding.state == "problem" for finding in findings))


LOOKS = (
    _python,
    _packages,
    _torchvision,
    _memory,
    _cores,
    _disk,
    _widgets,
    _fonts,
    _weights,
    _notebooks,
)
