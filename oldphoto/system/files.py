"""Write files whole or not at all, and name their content by its SHA-256."""

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
    """Open a file for writing that appears under its name complete, or not at all.

    The bytes go into ``NAME.partial`` in the same folder (a very long NAME is cut) and are forced
    to the disk before the file is renamed. When the block raises, for want of space say, the
    partial file is removed and whatever stood under the name before is untouched.
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
    """Return ``NAME.partial``; a name that leaves no room for the ending is cut."""
    encoded, room = os.fsencode(name), _LONGEST_NAME - len(_PARTIAL)
    short = name if len(encoded) <= room else encoded[:room].decode(errors="ignore")
    return short + _PARTIAL


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write content as readable JSON, whole or not at all."""
    with written_whole(path) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
