"""Count what this process does to the files of a folder, and kill it, or fill the disk, there.

A command that is killed at a random time is nearly always killed while it computes. Here it is
killed at the n-th moment that can matter: when it opens a file for writing, in the middle of a
write, at a flush to the disk, a rename, a deletion, or a new folder. Bytes that libraries in C
write without Python are not seen.
"""

import errno
import io
import mmap
import os
import signal
import sys
from pathlib import Path
from typing import Any

_NEED_SPACE = ("open", "write", "flush", "os.mkdir")
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class FileOperations:
    """Counts the file operations of a process that is forked later.

    Args:
        folder: only operations below it count.
        moment: number of the operation, from 1, at which it happens; 0: never.
        is_disk_full: from then on nothing can be written; else the process is killed.
    """

    def __init__(self, folder: Path, moment: int = 0, is_disk_full: bool = False) -> None:
        self.folder, self.moment, self.is_disk_full = str(folder), moment, is_disk_full
        self._count = mmap.mmap(-1, 8)  # shared with the process to come

    @property
    def count(self) -> int:
        """How many operations there were."""
        return int.from_bytes(self._count[:8], "little")

    def watch(self) -> None:
        """Begin, in the process that is watched, and go on until it ends."""
        plain_open, plain_fsync = io.open, os.fsync

        def audited(event: str, args: tuple[Any, ...]) -> None:
            is_open = event == "open" and bool(args[2] & _FOR_WRITING)
            if (is_open or event in _CHANGES) and self._is_inside(args[0]):
                self.happens(event)

        def opened(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            is_ours = self._is_inside(file) and not args and not options.get("opener")
            if not set(mode) & set("wax+") or not is_ours:
                return plain_open(file, mode, *args, **options)
            raw = _File(file, mode.replace("b", "").replace("t", ""))
            raw.operations = self
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            if "b" in mode:
                return buffered
            return io.TextIOWrapper(buffered, options.get("encoding"), None, options.get("newline"))

        def flushed(descriptor: int) -> None:
            self.happens("flush")
            plain_fsync(descriptor)

        io.open, os.fsync = opened, flushed  # type: ignore[assignment]
        sys.addaudithook(audited)

    def _is_inside(self, path: Any) -> bool:
        return isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(self.folder)

    def is_now(self) -> bool:
        """Return whether the next operation is the one, or one after it on a full disk."""
        number = self.count + 1
        return number == self.moment or (self.is_disk_full and 0 < self.moment <= number)

    def happens(self, what: str) -> None:
        """Count an operation; kill the process or raise OSError if it is time."""
        is_now = self.is_now()
        self._count[:8] = (self.count + 1).to_bytes(8, "little")
        if is_now and not self.is_disk_full:
            os.kill(os.getpid(), signal.SIGKILL)
        if is_now and what in _NEED_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _File(io.FileIO):
    """A file that can be cut short in the middle of a write."""

    operations: FileOperations

    def write(self, data: Any) -> int:
        content = memoryview(data).cast("B")
        if self.operations.is_now():
            super().write(content[: len(content) // 2])
        self.operations.happens("write")
        return super().write(content)
