"""What a training run can tell of itself, for the JSON beside the weights."""

import csv
import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_GIT_SECONDS = 5


def catalogue_hash(photos: Iterable[Path]) -> str:
    """Return a SHA-256 of the names and sizes of photos, the same in any folder and any order.

    A photo that cannot be looked at counts as empty; the loader names it later.
    """
    lines = sorted(f"{photo.name} {_size(photo)}" for photo in photos)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _size(photo: Path) -> int:
    return photo.stat().st_size if photo.is_file() else 0


def commit() -> str | None:
    """Return the commit of the clone that this package runs from; None where there is no clone.

    A package that was installed as a wheel may lie inside a clone of something else, so the file
    has to be one that git knows. A commit with changes on top ends in ``+``.
    """
    folder = Path(__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    name = _git(folder, "rev-parse", "HEAD")
    return f"{name}+" if name and _git(folder, "status", "--porcelain", "--", ".") else name


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def log_facts(log: Path, photos_per_step: int) -> dict[str, Any]:
    """Return steps, hours of training and the last loss terms from a run's ``log.csv``.

    The hours are those of the steps: saving and starting again are not in them. A run that wrote
    no row yet has none of these facts.

    Args:
        photos_per_step: batch of all processes together.
    """
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return {}
    steps = [0, *(int(float(row["step"])) for row in rows)]
    seconds = sum(
        (after - before) * photos_per_step / float(row["photos_per_second"])
        for before, after, row in zip(steps, steps[1:], rows, strict=False)
    )
    terms = {name: float(value) for name, value in list(rows[-1].items())[3:]}
    return {"steps": steps[-1], "hours": round(seconds / 3600, 4), "last_terms": terms}


def run_facts(
    photos: Iterable[Path], log: Path, photos_per_step: int, device: str
) -> dict[str, Any]:
    """Return which photos, which code and which machine a stage was trained with, and its end."""
    facts = {"catalogue_sha256": catalogue_hash(photos), "commit": commit(), "device": device}
    return facts | (log_facts(log, photos_per_step) if log.is_file() else {})
