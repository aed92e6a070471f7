"""Write files completely or not at all, and compute their SHA-256."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

_PARTIAL = ".partial"
_LONGEST_NAME = 255  # bytes of UTF-8, on the usual file systems of Linux and macOS


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it appears under its name complete, or not at all.

    The bytes are written to ``NAME.partial`` in the same folder (a very long NAME is cut) and
    forced to the disk before the file is renamed. If the block raises, for example because the
    disk is full, the partial file is removed and an older file of that name stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(_partial_name(path.name))
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _partial_name(name: str) -> str:
    """Return ``NAME.partial``; a name that is too long is cut."""
    encoded, room = os.fsencode(name), _LONGEST_NAME - len(_PARTIAL)
    short = name if len(encoded) <= room else encoded[:room].decode(errors="ignore")
    return short + _PARTIAL


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write content as indented JSON, completely or not at all."""
    with written_whole(path) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
