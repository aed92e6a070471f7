"""What all command lines share: every failure becomes one sentence, and streams never stop them."""

import errno
import locale
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from oldphoto.checks import InputError
from oldphoto.system.interrupt import INTERRUPTED
from oldphoto.system.streams import printable, steady_streams

PARTLY_DONE = 1
WRONG_USE = 2

_FULL, _RIGHTS = "free some space and repeat the command", "check the rights of the folder"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENAMETOOLONG: "no file can have so long a name, choose a shorter one",
    errno.EMFILE: "let this process open more files (ulimit -n)",
}
_REMEDY_ELSE = "free or unlock it, or choose another place, and try again"


def use_utf8_names() -> None:
    """Begin this process anew in Python's UTF-8 mode, if it reads file names as another encoding.

    It does under ``LANG=C PYTHONUTF8=0`` or in a Latin-1 locale. There "Müller.jpg" would go into
    the records as other letters, and the names in a record of yesterday would lead to no file.
    """
    is_utf8 = os.name == "nt" or sys.getfilesystemencoding() == "utf-8"
    if is_utf8 or not sys.executable or os.environ.get("PYTHONUTF8") == "1":
        return
    streams = os.environ.get("PYTHONIOENCODING") or locale.getencoding()  # as the terminal reads
    more = {"PYTHONUTF8": "1", "PYTHONIOENCODING": streams}
    os.execve(sys.executable, sys.orig_argv, os.environ | more)


def run_command(name: str, action: Callable[[], int], stopped: str) -> int:
    """Run a command and return its exit code: 0 done, 1 partly done, 2 wrong use, 130 Ctrl-C.

    Args:
        name: of the command, before each sentence on stderr.
        action: does the work and returns the code.
        stopped: what to say after Ctrl-C.
    """
    with steady_streams() as output:
        code = _code_of(name, action, stopped)
    # What could not be printed is lost, which a script must know.
    return code or (PARTLY_DONE if output.failed else 0)


def _code_of(name: str, action: Callable[[], int], stopped: str) -> int:
    try:
        _require_a_place()
        return action()
    except (InputError, OSError, RuntimeError) as error:
        print(f"{name}: {printable(_sentence(error))}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print(f"{name}: {stopped}", file=sys.stderr)
        return INTERRUPTED


def _require_a_place() -> None:
    """Raise InputError if the folder that one is in is gone: libraries would end the process."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise InputError("the folder that you are in was deleted: change into another") from error


def _sentence(error: Exception) -> str:
    """Return what was wrong, or what the system refused; other errors are raised again."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # of pathlib
        return f"a link leads back to itself ({error}): remove it, or choose another place"
    if not isinstance(error, OSError) or error.errno is None or error.strerror is None:
        raise error  # of the program itself
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror}; {_REMEDIES.get(error.errno, _REMEDY_ELSE)}"


def require_no_empty_word(words: Sequence[str], free_texts: Collection[str] = ()) -> None:
    """Refuse an empty word, as ``"$PHOTOS"`` gives it without a value: as a path it is the folder
    that one is in, whose photos nobody has named.

    Args:
        free_texts: options that may be followed by an empty text.

    Raises:
        InputError: if there is such a word.

    >>> require_no_empty_word(["catalogue", "photos", "--licence", ""], ["--licence"])
    >>> require_no_empty_word(["restore", "", "--output", "out"])
    Traceback (most recent call last):
    oldphoto.checks.InputError: word 2 of the call is empty, perhaps a variable without a value
    """
    for place, word in enumerate(words):
        before = words[max(0, place - 2) : place]
        if not word and not set(before) & set(free_texts):
            raise InputError(
                f"word {place + 1} of the call is empty, perhaps a variable without a value"
            )
