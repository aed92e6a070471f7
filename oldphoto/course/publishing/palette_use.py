"""Colours named in code that are not of the course's palette, found without running the code."""

import ast
import re
from collections.abc import Iterator

from IPython.core.inputtransformer2 import TransformerManager

from oldphoto.course.figures import COLOURS

WORDS = {"color", "colors", "c", "facecolor", "edgecolor", "ecolor", "markerfacecolor"}
DRAWS_LINES = {"plot", "loglog", "semilogx", "semilogy", "step", "errorbar"}
# C0 to C4 are the five of the style's cycle; greys differ from each other in lightness alone.
ALLOWED = re.compile(r"black|white|none|grey|gray|k|w|C[0-4]|0?\.\d+|", re.IGNORECASE)
# "r--": the first letters of matplotlib's own colours, with or without dashes and markers.
LETTER = re.compile(r"[bgrcmy](?=[-.:,ov^<>spP*hH+xXDd|_1234]*$)|(?<=[-.:ov^sx*+D])[bgrcmy]$")


def foreign_colours(source: str) -> list[str]:
    """Return the colours that code names and that are neither black, grey, white nor of COLOURS.

    Args:
        source: Python, or a notebook's cell with its magic commands.

    Raises:
        SyntaxError: if it is not Python.
    """
    tree = ast.parse(TransformerManager().transform_cell(source))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [colour for call in calls for colour in (*_named(call), *_formats(call))]


def _named(call: ast.Call) -> Iterator[str]:
    """Yield the texts given to a colour's keyword that are no colour of the palette."""
    safe = {code.lower() for code in COLOURS.values()}
    for keyword in call.keywords:
        if keyword.arg in WORDS:
            for node in _colour_nodes(keyword.value):
                if not ALLOWED.fullmatch(node.value) and node.value.lower() not in safe:
                    yield node.value


def _colour_nodes(value: ast.expr) -> Iterator[ast.Constant]:
    """Yield the text itself, or those of a list; the key in ``COLOURS["red"]`` is none."""
    parts = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    if isinstance(value, ast.IfExp):
        parts = [value.body, value.orelse]
    yield from (p for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str))


def _formats(call: ast.Call) -> Iterator[str]:
    """Yield the formats, as "r--", of lines in a colour that is not of the palette."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in DRAWS_LINES:
        texts = [n.value for n in call.args if isinstance(n, ast.Constant)]
        yield from (t for t in texts if isinstance(t, str) and len(t) <= 4 and LETTER.search(t))
