"""Standard streams that never stop the work: missing, closed, full, or of a small alphabet."""

import contextlib
import io
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO, cast

_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, invisible marks, bytes that are no text
_ERRORS = "backslashreplace"


def printable(text: object) -> str:
    r"""Return text with its control characters escaped.

    A file name may hold commands for the terminal, a line break, or bytes that are no text.

    >>> print(printable("a\x1b[2J\nb.jpg"))
    a\x1b[2J\nb.jpg
    """
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _UNSAFE
        else char
        for char in str(text)
    )


def is_text(name: str) -> bool:
    r"""Return whether a file name is UTF-8 text, which tables and databases ask for.

    >>> is_text("Großmutter.jpg"), is_text("M\udcfcller.jpg")  # the second from Latin-1
    (True, False)
    """
    return not any(unicodedata.category(char) == "Cs" for char in name)


class SteadyStream:
    """A text stream that drops what it cannot write.

    Attributes:
        failed: whether anything was dropped, since the reader went away or the disk is full.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failed = False

    def write(self, text: str) -> int:
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (OSError, ValueError):  # ValueError: the stream was closed
            if not self.failed:
                self.failed = True
                _redirect_to_null(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def steady_streams() -> Iterator[SteadyStream]:
    """Make stdout and stderr usable whatever they are, and yield the new stdout.

    A missing stream (``pythonw``, ``2>&-``) becomes the null device. A letter that the encoding
    lacks is escaped. A closed pipe (``| head``) or a full disk raises no error.
    """
    _open_descriptors()
    before = sys.stdout, sys.stderr
    out, err = (SteadyStream(_tolerant(stream)) for stream in before)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def _open_descriptors() -> None:
    """Open the descriptors 0, 1 and 2 on the null device where they are closed.

    Otherwise the next file that is opened gets their number, and with it the messages of libraries.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)


def _tolerant(stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8", errors=_ERRORS)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_ERRORS)
    return stream


def _redirect_to_null(stream: TextIO) -> None:
    """Point a stream at the null device, or Python complains about it again when it ends."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
