"""Names with wildcards, as Windows' command prompt passes them on."""

import glob
import re
from collections.abc import Iterable
from pathlib import Path


def expand_wildcards(paths: Iterable[Path]) -> list[Path]:
    """Replace each path with ``*``, ``?`` or ``[`` by the files it stands for.

    A path that exists is taken as it is, and so is one that stands for nothing.

    >>> expand_wildcards([Path("nothing-like-it-*.jpg")])[0].name
    'nothing-like-it-*.jpg'
    """
    found: list[Path] = []
    for path in paths:
        is_pattern = re.search(r"[*?\[]", str(path)) and not path.exists()
        # Not Path.glob, which also finds hidden files and refuses patterns such as **.jpg.
        matches = sorted(glob.glob(str(path))) if is_pattern else []  # noqa: PTH207
        found += [Path(match) for match in matches] or [path]
    return found
