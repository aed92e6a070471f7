"""The command line ``python -m data_tools``: build, clean and describe folders of photos."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from oldphoto.system.commands import require_no_empty_word, run_command
from oldphoto.system.interrupt import quiet_interrupt

COMMANDS = {
    "collect": "download openly licensed photos from a public archive",
    "catalogue": "list the photos of a folder in one table",
    "clean": "make a training set: set aside photos that are unfit for training",
    "split": "assign each photo to training, validation or test",
    "report": "count the photos and their licences, and write the attribution page",
    "standard": "download a well-known set of photos",
}
_FREE_TEXTS = ("--source", "--licence", "--licence-url", "--creator", "--date", "--credit")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments after ``python -m data_tools``; None for those of this process.

    Returns:
        0 on success, 1 if single photos failed, 2 if the command was used wrongly or a folder
        cannot be written, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    stopped = "stopped; the same command starts again safely"
    return run_command("data_tools", lambda: _run(words), stopped)


def _run(words: Sequence[str]) -> int:
    with quiet_interrupt():
        parser = build_parser(words)
    require_no_empty_word(words, free_texts=_FREE_TEXTS)
    args = parser.parse_args(words)
    return int(args.run(args))


def build_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the module of the requested command is imported."""
    parser = argparse.ArgumentParser(prog="python -m data_tools", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary)
        if words and words[0] == name:
            module = importlib.import_module(_module_of(name))
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def _module_of(command: str) -> str:
    """Return the module with ``add_arguments`` and ``run`` of a command."""
    names = {"catalogue": "list_folder", "standard": "standard_sets"}
    return f"data_tools.{names.get(command, command)}"
