"""The rules that set a photo aside, each a condition on its measurements."""

from dataclasses import dataclass
from math import inf

from data_tools.hashes import require_distance
from data_tools.measures import Measures
from oldphoto.checks import InputError, require_positive

Ranges = dict[str, tuple[float, float]]
"""Smallest and largest value of some fields of ``Measures``."""

# Tuned on 337 old and 785 modern photos and on synthetic and real pages. These values set aside 20
# of 20 text pages, 39 of 40 backs of postcards and 14 of 20 drawings (those with soft shading or
# filled areas pass), none of the old photos and 2 % of the modern ones, mostly a bird or a plane in
# an empty sky. 3 of 337 old photos get the wrong mode; 12 % of the modern ones have so little
# colour that they get L.
LITTLE_COLOUR = 2.5  # colour_spread of photos that are L whatever their tone
TONED = {"across_tone": (0.0, 1.7), "colour_spread": (0.0, 6.0)}
# What a photo must measure, from and to, to be set aside for a reason; the first match counts.
CONTENT_RULES: tuple[tuple[str, Ranges], ...] = (
    # Mostly dark marks of the size of letters on light paper.
    ("text_page", {
        "page_contrast": (70.0, inf), "glyph_fraction": (0.5, 1.0), "num_glyphs": (300.0, inf),
        "paper_fraction": (0.6, 1.0), "solid_fraction": (0.0, 0.35),
    }),
    # Thin strokes on paper: a line drawing, an engraving, a plan.
    ("drawing", {
        "page_contrast": (70.0, inf), "paper_fraction": (0.3, 1.0), "middle_fraction": (0.0, 0.35),
        "solid_fraction": (0.0, 0.12),
    }),
    # Nearly all of it is empty paper or backdrop.
    ("blank", {"paper_fraction": (0.93, 1.0), "middle_fraction": (0.0, 0.05)}),
    # The flattest of 337 old photos spans 92 grey levels, of 785 modern ones 49.
    ("blank", {"tone_range": (0.0, 20.0)}),
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """The limits that the user may set.

    Args:
        min_side: smallest allowed side in pixels; below it a photo is tiny.
        max_border: largest fraction of the area that may be border.
        distance: photos whose perceptual hashes differ in at most this many of 64 bits are
            near-duplicates.
    """

    min_side: int = 256
    max_border: float = 0.2
    distance: int = 4

    def __post_init__(self) -> None:
        require_positive(min_side=self.min_side)
        if not 0 <= self.max_border <= 1:
            raise InputError(f"max_border must be within 0 and 1, got {self.max_border}")
        require_distance(self.distance)


def colour_mode(measures: Measures) -> str:
    """Return ``RGB`` for a colour photo, ``L`` for black-and-white and sepia."""
    is_grey = measures.colour_spread <= LITTLE_COLOUR or _matches(measures, TONED)
    return "L" if is_grey else "RGB"


def judge(size: tuple[int, int], measures: Measures, limits: Limits) -> str:
    """Return why a photo is set aside, or an empty text if it is to be kept.

    Args:
        size: height and width in pixels, after trimming if borders are trimmed.
        measures: measurements of the photo.
        limits: the user's limits.

    Returns:
        The name of the reason, a colon and the measured value. Duplicates are found elsewhere.
    """
    height, width = size
    if min(size) < limits.min_side:
        return f"tiny: {width} x {height} px, at least {limits.min_side} px are needed"
    for name, ranges in CONTENT_RULES:
        if _matches(measures, ranges):
            return f"{name}: {_page_text(measures)}"
    if measures.framed and measures.border_fraction > limits.max_border:
        return f"bordered: {measures.border_fraction:.0%} of the area is border"
    return ""


def _matches(measures: Measures, ranges: Ranges) -> bool:
    """Return whether every named measurement lies within its range."""
    return all(low <= getattr(measures, name) <= high for name, (low, high) in ranges.items())


def _page_text(measures: Measures) -> str:
    """Return the measurements that make a photo look like a page, in words."""
    return (
        f"{measures.paper_fraction:.0%} paper, {measures.solid_fraction:.0%} of the rest solid, "
        f"{measures.num_glyphs:.0f} marks per megapixel"
    )
