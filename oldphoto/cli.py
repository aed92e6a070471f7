"""The command line: ``python -m oldphoto COMMAND``; ``commands`` has a module for each."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from oldphoto.checks import InputError

COMMANDS = {
    "restore": "restore photos or folders of photos",
    "train": "train the networks, stage by stage",
    "baseline": "train a method that ours is compared with",
    "evaluate": "measure weights or several methods on photos degraded by a recipe",
    "download": "fetch the authors' checkpoints and other files",
    "study": "merge and count the answers of a ranking study",
    "course": "run, list and check the notebooks",
    "doctor": "tell whether this machine is ready for the course",
}
"""Each command and what it does; ``oldphoto/commands/NAME.py`` holds it."""

WRONG_USE = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser that explains wrong use in one sentence instead of a page of usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(WRONG_USE, f"{self.prog}: {message} (--help tells more)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return the exit code: 0 done, 1 in part, 2 wrong use."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _Parser(prog="oldphoto", description="Restore old photographs, and learn how.")
    parsers = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    # Only the command in use is imported: help and typing errors should not wait for torch.
    command = given[0] if given and given[0] in COMMANDS else None
    for name, summary in COMMANDS.items():
        one = parsers.add_parser(name, help=summary, description=summary)
        if name == command:
            module = importlib.import_module(f"oldphoto.commands.{name}")
            module.add_arguments(one)
    parsed = parser.parse_args(given)
    try:
        return module.run(parsed)
    except InputError as error:
        print(f"oldphoto {command}: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print(f"oldphoto {command}: stopped; what was finished is kept", file=sys.stderr)
        return INTERRUPTED
