"""The command line: ``oldphoto COMMAND``; each command has a module in this folder."""

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from oldphoto.checks import InputError
from oldphoto.system.interrupt import INTERRUPTED, quiet_interrupt
from oldphoto.system.streams import printable, steady_streams

COMMANDS = {
    "restore": "restore photos or folders of photos",
    "train": "train the networks, stage by stage",
    "baseline": "train one of the methods of the comparison",
    "evaluate": "measure weights or several methods on photos degraded by a recipe",
    "ablation": "train the method without each of its parts, and compare",
    "download": "download the authors' checkpoints and other files",
    "study": "merge and count the answers of a ranking study",
    "course": "run, list and check the notebooks",
    "doctor": "check whether this machine is ready for the course",
}
"""Each command and what it does; ``oldphoto/cli/NAME.py`` holds it."""

PARTLY_DONE = 1
WRONG_USE = 2


class _Parser(argparse.ArgumentParser):
    """A parser that explains wrong use in one sentence instead of a page of usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(WRONG_USE, f"{self.prog}: {printable(message)} (--help tells more)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 partly done, 2 wrong use."""
    with steady_streams() as output:
        code = _run(sys.argv[1:] if arguments is None else arguments)
    # What could not be printed is lost, which a script must know.
    return code or (PARTLY_DONE if output.failed else 0)


def _run(arguments: Sequence[str]) -> int:
    """Run one command; every failure becomes one sentence on stderr."""
    given = [_as_path(word) for word in arguments]
    # Only the given command is imported, so that help does not wait for torch.
    command = given[0] if given and given[0] in COMMANDS else ""
    try:
        with quiet_interrupt():
            module = importlib.import_module(f"oldphoto.cli.{command}") if command else None
        parsed = _parser(command, module).parse_args(given)
        assert module is not None  # without a command the parser ends the process
        return module.run(parsed)
    except InputError as error:
        _say(command, error)
        return WRONG_USE
    except OSError as error:
        _say(command, _system_sentence(error))
        return WRONG_USE
    except KeyboardInterrupt:
        _say(command, "stopped; what was finished is kept")
        return INTERRUPTED


def _parser(command: str, module: ModuleType | None) -> _Parser:
    """Return the parser of all commands, with the options of the given one."""
    parser = _Parser(prog="oldphoto", description="Restore old photographs, and learn how.")
    parsers = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    for name, summary in COMMANDS.items():
        one = parsers.add_parser(name, help=summary, description=summary)
        if module is not None and name == command:
            module.add_arguments(one)
    return parser


def _say(command: str, sentence: object) -> None:
    print(f"oldphoto {command}: {printable(sentence)}", file=sys.stderr)


def _system_sentence(error: OSError) -> str:
    """Return what the system refused: a name too long, a locked folder, a full disk."""
    if error.errno == errno.ENAMETOOLONG:
        return f"no file can have so long a name: {error}"
    if error.errno is None or error.strerror is None:
        raise error  # not of the system
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror}; free or unlock it, or choose another place, and try again"


def _as_path(word: str) -> str:
    """Return ``./-name.jpg`` for a file of that name here, so that it is not taken for an option.

    Shells insert such names for a ``*``, as in ``oldphoto restore *``.
    """
    named_like_an_option = word.startswith("-") and "." in word and len(word) < 256
    return f"./{word}" if named_like_an_option and Path(word).is_file() else word
