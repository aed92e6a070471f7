"""Drawings of the course: SVG files with a title and a description.

Rounded boxes are data, slanted ones are networks, pages are files. Orange is old, sky blue is
synthetic degraded, green is clean, pink is damage, yellow is numbers, grey is a network.
"""

import re
from html import unescape
from pathlib import Path

from oldphoto.checks import InputError

FOLDER = Path(__file__).parent


def diagram(name: str) -> tuple[str, str]:
    """Return a drawing and its description, for ``show_svg(*diagram(name))``.

    Args:
        name: file name without its ending, as "pipeline".

    Returns:
        SVG text, and the drawing in words for a reader who cannot see it.

    Raises:
        InputError: if there is no such drawing.

    >>> svg, words = diagram("variational_autoencoder")
    >>> words.split(".")[0]
    'The encoder makes a mean and a log-variance of the photo'
    """
    path = FOLDER / f"{name}.svg"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in FOLDER.glob("*.svg")))
        raise InputError(f"there is no drawing {name!r}; there are {names}")
    svg = path.read_text(encoding="utf-8")
    description = re.search(r"<desc>(.*?)</desc>", svg, re.DOTALL)
    return svg, unescape(description.group(1)) if description else name
