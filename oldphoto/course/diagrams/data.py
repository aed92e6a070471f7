"""Drawings of the notebooks on data: damage, masks, and the way of a photo into a training."""

from oldphoto.course.diagrams.parts import (
    arrow,
    curve,
    data_box,
    file_box,
    network_box,
    panel,
    svg,
    text,
)
from oldphoto.degradations import RECIPES


def released_recipe() -> str:
    """Draw how recipe ``released`` makes x of y; the probabilities are those of the recipe."""
    (steps,) = RECIPES["released"].groups
    blur, noise, resolution, jpeg = (f"happens to {10 * step.prob:.0f} in 10" for step in steps)
    parts = [
        curve(360, 30, 220, 30, 78, 103, dashed=False),
        curve(360, 30, 500, 30, 642, 103, dashed=False),
        text(360, 22, "how far apart? sections 1 and 2", 14),
        panel(170, 65, 380, 245, "released: section 9; any order: section 7"),
        *_damage(200, 82, ("blur", "Gaussian"), blur, "section 3"),
        *_damage(400, 82, ("noise", "one of three"), noise, "section 4"),
        *_damage(200, 182, ("resolution", "shrink, enlarge"), resolution, "section 5"),
        *_damage(400, 182, ("JPEG", "rounded waves"), jpeg, "section 5"),
        data_box(10, 105, "clean y", "clean"),
        arrow(130, 130, 170, 130),
        arrow(550, 130, 590, 130),
        data_box(590, 105, "degraded x", "degraded"),
        data_box(590, 260, "old photo r", "old"),
        arrow(650, 205, 650, 157),
        arrow(650, 228, 650, 258),
        text(650, 221, "alike? section 10", 14),
    ]
    words = (
        "A clean photo y goes through up to four damages and comes out as the degraded photo x: "
        "blur, noise of one kind of three, low resolution, JPEG. Each happens with its own "
        "probability, and their order is drawn anew for every photo. How far x lies from y, and "
        "how alike x and a real old photo r are, is measured."
    )
    return svg(730, 325, "From a clean photo to a degraded one", words, parts)


def exact_mask() -> str:
    """Draw how one drawing makes both the damage and its mask, and what the mask is used for."""
    parts = [
        network_box(10, 150, "draw", "curves, holes"),
        text(70, 216, "sections 2 and 5", 13),
        arrow(126, 175, 156, 175),
        network_box(150, 150, "bend", "elastic"),
        text(210, 216, "section 6", 13),
        arrow(266, 165, 298, 125),
        arrow(266, 185, 298, 235),
        data_box(300, 90, "layer l", "damage"),
        data_box(300, 220, "coverage c", "damage"),
        data_box(300, 10, "clean y", "clean"),
        arrow(420, 45, 492, 90),
        arrow(420, 115, 490, 115),
        arrow(400, 220, 494, 142),
        network_box(485, 90, "blend", "in four ways"),
        text(540, 82, "section 3", 13),
        arrow(599, 115, 634, 115),
        data_box(636, 90, "degraded x", "degraded"),
        curve(420, 245, 440, 245, 468, 245),
        data_box(470, 220, "mask m", "damage"),
        text(530, 290, "1 where c is not 0: section 4", 13),
        arrow(696, 140, 696, 218),
        curve(590, 245, 610, 245, 640, 245),
        network_box(636, 220, "paint white", "where m is 1"),
        arrow(696, 270, 696, 308),
        data_box(636, 310, "network's x", "degraded"),
        text(731, 293, "section 8", 13),
    ]
    words = (
        "A drawing of curves and holes is bent and gives a layer l with its coverage c. Layer and "
        "clean photo y are blended to the degraded photo x. The mask m is 1 wherever the coverage "
        "is not 0, so it comes from the drawing and not from comparing photos. With it the "
        "damage is painted white before a network sees the photo."
    )
    return svg(766, 370, "One drawing makes damage and mask", words, parts)


def three_sets() -> str:
    """Draw the way of photos from archives into three sets, and which network each set feeds."""
    parts = [
        data_box(10, 12, "archives", "old"),
        data_box(10, 92, "standard sets", "clean"),
        arrow(130, 42, 172, 68),
        arrow(130, 112, 168, 92),
        network_box(165, 55, "collect", "licence first"),
        text(225, 46, "sections 2 to 4", 13),
        arrow(280, 80, 318, 80),
        file_box(320, 55, "catalogue", "a row for each"),
        text(380, 46, "sections 5 and 8", 13),
        arrow(440, 80, 480, 80),
        network_box(475, 55, "clean", "set aside"),
        text(540, 46, "section 6", 13),
        arrow(590, 80, 634, 80),
        network_box(630, 55, "split", "by fingerprint"),
        text(695, 46, "section 7", 13),
        arrow(632, 105, 160, 218),
        arrow(690, 105, 690, 218),
        text(530, 186, "each for training, validation, test", 13),
        data_box(40, 220, "old photo r", "old"),
        text(240, 249, "three sets: section 1", 13),
        data_box(320, 220, "degraded x", "degraded"),
        data_box(630, 220, "clean y", "clean"),
        arrow(630, 245, 592, 245),
        network_box(475, 220, "recipe", "while training"),
        text(535, 211, "section 9", 13),
        arrow(477, 245, 442, 245),
        arrow(110, 270, 200, 338),
        arrow(360, 270, 270, 338),
        arrow(390, 270, 500, 338),
        arrow(670, 270, 575, 338),
        arrow(695, 270, 695, 338),
        text(416, 318, "input", 13),
        text(588, 308, "goal", 13),
        network_box(175, 340, "VAE 1", "stage 1"),
        network_box(475, 340, "mapping T", "stage 3"),
        network_box(630, 340, "VAE 2", "stage 2"),
    ]
    words = (
        "Photos from archives and from standard sets are collected into a folder with a catalogue, "
        "cleaned, and split by the fingerprint of each file. That gives two sets: old photos r "
        "and clean photos y. A recipe makes the third, degraded photos x, of y while training. "
        "VAE 1 is fed with r and x, VAE 2 with y, and the mapping T with x as input and y as goal."
    )
    return svg(762, 402, "Where the three sets come from, and whom they feed", words, parts)


def _damage(x: int, y: int, names: tuple[str, str], how_often: str, section: str) -> list[str]:
    return [
        network_box(x, y, *names),
        text(x + 60, y + 66, how_often, 13),
        text(x + 60, y + 82, section, 13),
    ]
