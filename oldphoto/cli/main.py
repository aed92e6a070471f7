"""The command line: ``python -m oldphoto COMMAND``; ``commands`` has a module for each."""

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from oldphoto.checks import InputError

COMMANDS = {
    "restore": "restore photos or folders of photos",
    "train": "train the networks, stage by stage",
    "baseline": "train a method that ours is compared with",
    "evaluate": "measure weights or several methods on photos degraded by a recipe",
    "ablation": "train the method without each of its parts, and say what each is worth",
    "download": "fetch the authors' checkpoints and other files",
    "study": "merge and count the answers of a ranking study",
    "course": "run, list and check the notebooks",
    "doctor": "tell whether this machine is ready for the course",
}
"""Each command and what it does; ``oldphoto/cli/NAME.py`` holds it."""

WRONG_USE = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser that explains wrong use in one sentence instead of a page of usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(WRONG_USE, f"{self.prog}: {message} (--help tells more)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return the exit code: 0 done, 1 in part, 2 wrong use."""
    given = [_as_path(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    parser = _Parser(prog="oldphoto", description="Restore old photographs, and learn how.")
    parsers = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    # Only the command in use is imported: help and typing errors should not wait for torch.
    command = given[0] if given and given[0] in COMMANDS else None
    for name, summary in COMMANDS.items():
        one = parsers.add_parser(name, help=summary, description=summary)
        if name == command:
            module = importlib.import_module(f"oldphoto.cli.{name}")
            module.add_arguments(one)
    parsed = parser.parse_args(given)
    try:
        return module.run(parsed)
    except InputError as error:
        print(f"oldphoto {command}: {error}", file=sys.stderr)
        return WRONG_USE
    except OSError as error:
        # The system says so to whoever first looks whether the path exists, wherever that is.
        if error.errno != errno.ENAMETOOLONG:
            raise
        print(f"oldphoto {command}: no file can have so long a name: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print(f"oldphoto {command}: stopped; what was finished is kept", file=sys.stderr)
        return INTERRUPTED


def _as_path(word: str) -> str:
    """Return ``./-name.jpg`` for a file of that name here, so that it is not taken for an option.

    Shells put such names on the command line by themselves: ``oldphoto restore *``.
    """
    named_like_an_option = word.startswith("-") and "." in word and len(word) < 256
    return f"./{word}" if named_like_an_option and Path(word).is_file() else word
