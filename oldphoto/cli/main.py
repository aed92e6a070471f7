"""The command line: ``oldphoto COMMAND``; each command has a module in this folder."""

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
    "baseline": "train one of the methods of the comparison",
    "evaluate": "measure weights or several methods on photos degraded by a recipe",
    "ablation": "train the method without each of its parts, and compare",
    "download": "download the authors' checkpoints and other files",
    "study": "merge and count the answers of a ranking study",
    "course": "run, list and check the notebooks",
    "doctor": "check whether this machine is ready for the course",
}
"""Each command and what it does; ``oldphoto/cli/NAME.py`` holds it."""

WRONG_USE = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser that explains wrong use in one sentence instead of a page of usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(WRONG_USE, f"{self.prog}: {message} (--help tells more)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 partly done, 2 wrong use."""
    given = [_as_path(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    parser = _Parser(prog="oldphoto", description="Restore old photographs, and learn how.")
    parsers = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    # Only the given command is imported, so that help does not wait for torch.
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
        # Raised wherever a path is first looked up.
        if error.errno != errno.ENAMETOOLONG:
            raise
        print(f"oldphoto {command}: no file can have so long a name: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print(f"oldphoto {command}: stopped; what was finished is kept", file=sys.stderr)
        return INTERRUPTED


def _as_path(word: str) -> str:
    """Return ``./-name.jpg`` for a file of that name here, so that it is not taken for an option.

    Shells insert such names for a ``*``, as in ``oldphoto restore *``.
    """
    named_like_an_option = word.startswith("-") and "." in word and len(word) < 256
    return f"./{word}" if named_like_an_option and Path(word).is_file() else word
