"""What a colour-blind reader sees of a figure, and which of its lines would merge.

Source of the matrices: Machado, Oliveira and Fernandes, "A Physiologically-based Model for
Simulation of Color Vision Deficiency", IEEE TVCG 2009, table 1, severity 1.0. They act on linear
RGB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from skimage.color import rgb2lab

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TYPICAL = np.eye(3)
DEUTERANOPIA = np.array(  # no green receptors; about 1 man in 100, the weaker form 5 in 100
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
PROTANOPIA = np.array(  # no red receptors
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)
VISIONS = {"typical": TYPICAL, "deuteranopia": DEUTERANOPIA, "protanopia": PROTANOPIA}

# CIELAB distance of two colours that a thin line still shows apart; 2.3 is "just visible" for
# large patches side by side.
APART = 15.0


@dataclass(frozen=True)
class LineStyle:
    """How a line looks: its colour, its dashes and its markers, as matplotlib names them."""

    colour: str
    dashes: str = "-"
    marker: str = "None"


def simulate(colour: str, vision: np.ndarray) -> np.ndarray:
    """Return the colour as it is seen.

    Args:
        colour: any name or code of matplotlib.
        vision: matrix (3, 3) on linear RGB, as in ``VISIONS``.

    Returns:
        sRGB in [0, 1], shape (3,).
    """
    encoded = np.array(to_rgb(colour))
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(vision @ linear, 0, 1)
    return np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)


def distance(one: str, other: str, vision: np.ndarray = TYPICAL) -> float:
    """Return how far apart two colours are seen, in CIELAB; 100 is black to white."""
    labs = [rgb2lab(simulate(colour, vision)[None, None])[0, 0] for colour in (one, other)]
    return float(np.linalg.norm(labs[0] - labs[1]))


def merging(
    styles: Sequence[LineStyle], least: float = APART
) -> list[tuple[LineStyle, LineStyle, str]]:
    """Return the pairs of lines that somebody could not tell apart, and with which vision.

    Lines of like colours are told apart when their dashes or their markers differ.

    Args:
        least: CIELAB distance below which two colours are alike.
    """
    return [
        (one, other, name)
        for one, other in combinations(styles, 2)
        for name, vision in VISIONS.items()
        if (one.dashes, one.marker) == (other.dashes, other.marker)
        and distance(one.colour, other.colour, vision) < least
    ]


def styles_of(axis: "Axes") -> list[LineStyle]:
    """Return the styles of the lines that an axis names in its legend.

    Lines without a name of their own are a crowd on purpose (the runs of several seeds, say).
    """
    return [
        LineStyle(to_hex(line.get_color()), str(line.get_linestyle()), str(line.get_marker()))
        for line in axis.get_lines()
        if not str(line.get_label()).startswith("_")
    ]
