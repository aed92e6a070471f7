"""The command line ``python -m data_tools``: build, clean and describe folders of photos."""

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence

from oldphoto.checks import InputError

COMMANDS = {
    "collect": "download openly licensed photos from a public archive",
    "catalogue": "list the photos of a folder in one table",
    "clean": "make a training set: set aside photos that are unfit for training",
    "split": "assign each photo to training, validation or test",
    "report": "count the photos and their licences, and write the attribution page",
    "standard": "download a well-known set of photos",
}

_FULL, _RIGHTS = "free some space and repeat the command", "check the rights of the folder"
_EXPLAINED = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: "choose a folder on another disk",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENAMETOOLONG: "choose a shorter name",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments after ``python -m data_tools``; None for those of this process.

    Returns:
        0 on success, 1 if single photos failed, 2 if the command was used wrongly or a folder
        cannot be written, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    args = build_parser(words).parse_args(words)
    try:
        return args.run(args)
    except InputError as error:
        print(f"data_tools: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _EXPLAINED:
            raise
        print(f"data_tools: {error}: {_EXPLAINED[error.errno]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("data_tools: stopped; the same command starts again safely", file=sys.stderr)
        return 130


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
