"""Write files completely or not at all, and compute their SHA-256."""

import contextlib
import errno
import functools
import hashlib
import json
import os
import platform
import re
import secrets
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from oldphoto.checks import InputError

PARTIAL = ".partial"
"""Ending of a file that is still being written."""
_LONGEST_NAME = 255  # bytes of UTF-8, on the usual file systems of Linux and macOS
_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_OWNER = re.compile(r"\.([0-9a-f]{8})-(\d{1,9})-[0-9a-f]{8}" + re.escape(PARTIAL) + "$")


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it appears under its name complete, or not at all.

    The bytes are written to a file of their own in the same folder, whose name begins with NAME (a
    very long NAME is cut) and ends with ``.partial``, and are forced to the disk before the file is
    renamed. So two processes that write one NAME never mix their bytes: the last one wins. If the
    block raises, for example because the disk is full, the partial file is removed and an older
    file of that name stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers_once(path.parent)
    partial = path.with_name(_partial_name(path.name))
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            sync(file.fileno())
        replace_file(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def replace_file(source: Path, target: Path) -> None:
    """Rename a file, over another one if need be; after it returns, a power cut undoes nothing."""
    source.replace(target)
    sync_folder(target.parent)


def sync(descriptor: int) -> None:
    """Force a file to the disk; a drive that cannot do so, as some network drives, is accepted."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk, on the platforms where a folder can be opened."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder may be written and not read
        return
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove the partial files that processes of this machine left when they were killed."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            owner = _OWNER.search(entry.name)
            if not owner or owner[1] != machine_id() or psutil.pid_exists(int(owner[2])):
                continue
            if entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)


@functools.cache
def _remove_leftovers_once(folder: Path) -> None:
    remove_leftovers(folder)  # once in each process: a look at 100,000 names takes a while


@functools.cache
def machine_id() -> str:
    """Return 8 digits for the machine, or the container: process numbers mean nothing elsewhere."""
    names = [platform.node(), str(uuid.getnode())]
    with contextlib.suppress(OSError):
        names.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115  (no file has this name)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]


def _partial_name(name: str) -> str:
    """Return ``NAME.MACHINE-PROCESS-RANDOM.partial``; a name that is too long is cut."""
    ending = f".{machine_id()}-{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}"
    return shortened(name, len(ending)) + ending


def shortened(name: str, room: int) -> str:
    """Return the name, cut so that ``room`` more bytes fit into a file name."""
    encoded, longest = os.fsencode(name), _LONGEST_NAME - room
    return name if len(encoded) <= longest else encoded[:longest].decode(errors="ignore")


@contextlib.contextmanager
def explained_disk_errors(folder: Path, remedy: str) -> Iterator[None]:
    """Turn the system's errors about writing below a folder into one sentence with a remedy.

    Raises:
        InputError: if the disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            reason = f"the disk of {folder} is full: free some space and repeat the command"
        else:
            reason = f"{folder} cannot be written ({error.strerror or error}): {remedy}"
        raise InputError(reason) from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write content as indented JSON, completely or not at all."""
    with written_whole(path) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
