"""Show one paragraph of a function of the package, so that a notebook can explain it."""

import inspect
import textwrap
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from IPython.display import HTML

from oldphoto.checks import InputError


def paragraph_lines(function: Callable[..., Any], start: str) -> tuple[list[str], int]:
    """Return the lines of a function from a comment on, up to the next blank line.

    Args:
        function: of the package.
        start: words of the line that the paragraph begins with.

    Returns:
        The lines without their common indent, and the number of the first one in its file.

    Raises:
        InputError: if no line has these words.
    """
    lines, first = inspect.getsourcelines(function)
    begin = next((at for at, line in enumerate(lines) if start in line), None)
    if begin is None:
        raise InputError(f"expected a line of {function.__qualname__} with {start!r}, found none")
    blank = (at for at in range(begin, len(lines)) if not lines[at].strip())
    end = next(blank, len(lines))
    return textwrap.dedent("".join(lines[begin:end])).splitlines(), first + begin


def paragraph(function: Callable[..., Any], start: str) -> HTML:
    """Return the code of ``paragraph_lines`` with its file and line numbers, to display."""
    lines, first = paragraph_lines(function, start)
    file = Path(inspect.getfile(function)).name
    place = f"{file}, lines {first} to {first + len(lines) - 1}"
    return HTML(f"<pre>{escape(chr(10).join(lines))}</pre><p>{place}</p>")
