"""The command line: ``oldphoto COMMAND``; each command has a module in this folder."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from oldphoto.system.commands import WRONG_USE, require_no_empty_word, run_command
from oldphoto.system.interrupt import quiet_interrupt
from oldphoto.system.streams import printable

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


class _Parser(argparse.ArgumentParser):
    """A parser that explains wrong use in one sentence instead of a page of usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(WRONG_USE, f"{self.prog}: {printable(message)} (--help tells more)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 partly done, 2 wrong use."""
    given = [_as_path(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    command = given[0] if given and given[0] in COMMANDS else ""
    stopped = "stopped; what was finished is kept"
    return run_command(f"oldphoto {command}", lambda: _run(command, given), stopped)


def _run(command: str, given: Sequence[str]) -> int:
    # Only the given command is imported, so that help does not wait for torch.
    with quiet_interrupt():
        module = importlib.import_module(f"oldphoto.cli.{command}") if command else None
    require_no_empty_word(given, free_texts=("-p",))
    parsed = _parser(command, module).parse_args(given)
    assert module is not None  # without a command the parser ends the process
    return int(module.run(parsed))


def _parser(command: str, module: ModuleType | None) -> _Parser:
    """Return the parser of all commands, with the options of the given one."""
    parser = _Parser(prog="oldphoto", description="Restore old photographs, and learn how.")
    parsers = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    for name, summary in COMMANDS.items():
        one = parsers.add_parser(name, help=summary, description=summary)
        if module is not None and name == command:
            module.add_arguments(one)
    return parser


def _as_path(word: str) -> str:
    """Return ``./-name.jpg`` for a file of that name here, so that it is not taken for an option.

    Shells insert such names for a ``*``, as in ``oldphoto restore *``.
    """
    named_like_an_option = word.startswith("-") and "." in word and len(word) < 256
    return f"./{word}" if named_like_an_option and Path(word).is_file() else word
