"""The reasons for which a photo is set aside, each a rule on what was measured."""

from collections.abc import Callable
from dataclasses import dataclass

from data_tools.measures import Measures
from oldphoto.checks import InputError, require_positive

# Found on 337 old and 785 modern photos beside made and real pages. With these values 20 of 20 text
# pages, 39 of 40 backs of postcards and 14 of 20 drawings are set aside (those with soft shading or
# filled areas pass), and of the photos none of the old and 2 % of the modern ones, most of them
# a bird or a plane in an empty sky.
# Of 337 old photos 3 get the wrong mode; of modern ones 12 % have so little colour that they get L.
LITTLE_COLOUR = 2.5
TONED = dict(across_tone=1.7, colour_spread=6.0)
PAGE_CONTRAST = 70.0  # grey levels between ink and paper
TEXT = dict(glyph_share=0.5, num_glyphs=300.0, paper_share=0.6, solid_share=0.35)
DRAWING = dict(paper_share=0.3, middle_share=0.35, solid_share=0.12)
BLANK = dict(paper_share=0.93, middle_share=0.05)
EMPTY_TONE_RANGE = 20.0  # the flattest of 337 old photos spans 92, of 785 modern ones 49


@dataclass(frozen=True)
class Limits:
    """What the user may decide.

    Args:
        min_side: photos with a shorter side in pixels are tiny.
        max_border: share of the area that may be border.
        distance: perceptual hashes that differ in at most so many of 64 bits are near-duplicates.
    """

    min_side: int = 256
    max_border: float = 0.2
    distance: int = 4

    def __post_init__(self) -> None:
        require_positive(min_side=self.min_side)
        if not 0 <= self.max_border <= 1:
            raise InputError(f"max_border must be within 0 and 1, got {self.max_border}")


def colour_mode(measures: Measures) -> str:
    """Return ``RGB`` for a photo that shows colours, ``L`` for black-and-white and sepia."""
    toned = (
        measures.across_tone <= TONED["across_tone"]
        and measures.colour_spread <= TONED["colour_spread"]
    )
    return "L" if toned or measures.colour_spread <= LITTLE_COLOUR else "RGB"


def is_text_page(measures: Measures) -> bool:
    """Whether dark marks of the size of letters on light paper are most of what is there."""
    return (
        measures.page_contrast >= PAGE_CONTRAST
        and measures.glyph_share >= TEXT["glyph_share"]
        and measures.num_glyphs >= TEXT["num_glyphs"]
        and measures.paper_share >= TEXT["paper_share"]
        and measures.solid_share <= TEXT["solid_share"]
    )


def is_drawing(measures: Measures) -> bool:
    """Whether what is not paper consists of thin strokes: line drawings, engravings, plans."""
    return (
        measures.page_contrast >= PAGE_CONTRAST
        and measures.paper_share >= DRAWING["paper_share"]
        and measures.middle_share <= DRAWING["middle_share"]
        and measures.solid_share <= DRAWING["solid_share"]
    )


def is_blank(measures: Measures) -> bool:
    """Whether nearly everything is empty paper or backdrop."""
    mostly_paper = (
        measures.paper_share >= BLANK["paper_share"]
        and measures.middle_share <= BLANK["middle_share"]
    )
    return mostly_paper or measures.tone_range <= EMPTY_TONE_RANGE


CONTENT_RULES: dict[str, Callable[[Measures], bool]] = {
    "text_page": is_text_page,
    "drawing": is_drawing,
    "blank": is_blank,
}


def judge(size: tuple[int, int], measures: Measures, limits: Limits) -> str:
    """Return why a photo is set aside, or an empty text if it is to be kept.

    Args:
        size: height and width in pixels, after trimming where it was asked for.
        measures: of the photo.
        limits: of the user.

    Returns:
        The name of the reason, a colon, and the measured value; duplicates are found elsewhere.
    """
    height, width = size
    if min(size) < limits.min_side:
        return f"tiny: {width} x {height} px, at least {limits.min_side} px are needed"
    for name, rule in CONTENT_RULES.items():
        if rule(measures):
            return f"{name}: {_page_text(measures)}"
    if measures.framed and measures.border_share > limits.max_border:
        return f"bordered: {measures.border_share:.0%} of the area is border"
    return ""


def _page_text(measures: Measures) -> str:
    """Return what was measured on something that looks like a page."""
    return (
        f"{measures.paper_share:.0%} paper, {measures.solid_share:.0%} of the rest solid, "
        f"{measures.num_glyphs:.0f} marks per megapixel"
    )
