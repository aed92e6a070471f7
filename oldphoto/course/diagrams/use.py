"""Drawings on using and judging methods: six methods, the user study, doubt, one's own photo."""

from collections.abc import Sequence

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

_PHOTO_COLUMNS = {"old r": (10, "old"), "degraded x": (125, "degraded"), "clean y": (240, "clean")}
_PHOTO_WIDTH = 95  # of the boxes in these columns
_UNTOLD_COLUMNS = (365, 495)
_TOLD_COLUMN = 695

# Question, section, and for each answer the setting that it leads to.
_DECISIONS = [
    (
        "damaged?",
        "section 1",
        [("no", "leave it", "as it is")],
    ),
    (
        "MASK?",
        "section 2",
        [
            ("no holes", '"none"', "nothing marked"),
            ("one photo", "a file", "drawn by hand"),
            ("several", "a folder", "same names"),
            ("many", '"auto"', "check its masks"),
        ],
    ),
    (
        "WEIGHTS?",
        "section 5",
        [
            ("first try", '"small"', "ships with it"),
            ("own training", "a folder", "section 6"),
            ("the authors'", '"official:..."', "to download"),
        ],
    ),
    (
        "VARIANT?",
        "section 5",
        [
            ("no mask", '"quality"', "takes no mask"),
            ("a mask", '"scratch"', "with the block"),
            ("large scan", '"hr"', "copies patches"),
        ],
    ),
]


def six_methods() -> str:
    """Draw the six methods and ours by what each learns from and whether it is told the mask."""
    x, y = "degraded x", "clean y"
    rows = [
        _method_row(0, [], [], ("Classical", "section 2")),
        _method_row(1, [x], [], ("DIP", "section 3")),
        _method_row(2, [y], [], ("Sequential", "section 7")),
        _method_row(3, [x, y], [("Attention", "section 4"), ("Pix2Pix", "section 5")], pairs=True),
        _method_row(4, ["old r", x, y], [("CycleGAN", "section 6")]),
        _method_row(
            5, ["old r", x, y], [("ours", "plain, section 8")], ("ours", "block, section 8"), True
        ),
    ]
    parts = [
        text(172, 24, "learns from", 15, "bold"),
        text(490, 24, "is not told the mask", 15, "bold"),
        text(720, 24, "is told the mask m", 15, "bold"),
        _line(630, 10, 630, 436),
        text(172, 70, "no photo at all", 15),
        text(290, 136, "this photo alone", 14),
        text(180, 202, "holes, cut into", 14),
        text(180, 462, "joined boxes are a pair: one photo, twice", 14),
        *(part for row in rows for part in row),
    ]
    words = (
        "Classical learns from nothing, DIP from the one degraded photo, Sequential from clean "
        "photos with holes; these three are told the mask. Attention and Pix2Pix learn from pairs "
        "of degraded and clean photos, CycleGAN from old, degraded and clean photos that do not "
        "belong together; these three are not told. Ours learns from old photos and from pairs, "
        "and is told the mask where it has the block."
    )
    return svg(830, 475, "Six methods and ours: learned from what, told what", words, parts)


def _method_row(
    row: int,
    photos: Sequence[str],
    untold: Sequence[tuple[str, str]],
    told: tuple[str, str] | None = None,
    pairs: bool = False,
) -> list[str]:
    """Draw one row: photos to learn from, methods not told the mask, a method that is told."""
    top = 40 + 66 * row
    columns = [_PHOTO_COLUMNS[label] for label in photos]
    parts = [
        data_box(x, top, label, domain, _PHOTO_WIDTH)
        for label, (x, domain) in zip(photos, columns, strict=True)
    ]
    if pairs:
        parts.append(_line(125 + _PHOTO_WIDTH, top + 25, 240, top + 25))
    parts += [
        network_box(x, top, *method) for x, method in zip(_UNTOLD_COLUMNS, untold, strict=False)
    ]
    if told:
        parts += [
            text(645, top + 30, "m", 15),
            curve(658, top + 25, 678, top + 25, _TOLD_COLUMN + 4, top + 25),
            network_box(_TOLD_COLUMN, top, *told),
        ]
    return parts


def _line(x1: int, y1: int, x2: int, y2: int) -> str:
    return f"<path d='M{x1} {y1}L{x2} {y2}' stroke='#555555' stroke-width='2'/>"


def user_study() -> str:
    """Draw the study: from photos to the table, and what the rater never sees."""
    parts = [
        panel(5, 10, 625, 185, "hidden from the rater: whose picture is whose, and the masks"),
        data_box(20, 30, "old photos r", "old"),
        data_box(20, 110, "mask m", "damage"),
        network_box(180, 30, "methods", "section 3"),
        data_box(340, 30, "6 x 6 pictures", "clean"),
        network_box(500, 30, "shuffle", "section 2"),
        data_box(680, 30, "A B C D E F", "clean"),
        network_box(680, 110, "a rater", "section 4"),
        data_box(680, 205, "C A B F E D", "number"),
        network_box(500, 205, "simulate", "section 6"),
        network_box(680, 285, "count", "section 5"),
        data_box(500, 285, "Top 1 to 5", "number"),
        network_box(340, 285, "bootstrap", "section 7"),
        data_box(180, 285, "intervals", "number"),
        arrow(140, 55, 184, 55),
        curve(140, 130, 215, 130, 225, 82),
        arrow(296, 55, 340, 55),
        arrow(460, 55, 504, 55),
        arrow(616, 55, 680, 55),
        arrow(740, 80, 740, 110),
        arrow(740, 160, 740, 205),
        arrow(616, 230, 680, 230),
        arrow(740, 255, 740, 285),
        arrow(682, 310, 620, 310),
        arrow(500, 310, 456, 310),
        arrow(342, 310, 300, 310),
        text(690, 358, "here the names come back", 14),
    ]
    words = (
        "Six methods restore six old photos; some are told the mask. The pictures are shuffled "
        "anew for each rater and photo and shown under the letters A to F: names, masks and the "
        "order stay hidden. A rater's ranking, or one made up, is counted, and only there the "
        "names come back. The table Top 1 to Top 5 goes through the bootstrap, which gives "
        "intervals."
    )
    return svg(820, 370, "A blind study, from photos to the table", words, parts)


def sampling_and_record() -> str:
    """Draw how samples of the latent give a spread, and where the record of a photo is written."""
    parts = [
        text(125, 24, "section 3: how sure is it?", 15, "bold"),
        data_box(10, 105, "damaged x", "degraded"),
        network_box(165, 105, "encoder E", "of VAE 1"),
        network_box(490, 105, "mapping T", "adds no noise"),
        network_box(640, 105, "decoder G", "of VAE 2"),
        data_box(490, 205, "mask m", "damage"),
        arrow(130, 130, 169, 130),
        arrow(604, 130, 644, 130),
        curve(550, 205, 550, 180, 550, 157),
    ]
    for top, sample in ((40, "1"), (105, "2"), (170, "S")):
        parts += [
            data_box(325, top, f"E(x) + \u03b5({sample})", "degraded"),
            data_box(800, top, f"\u0177({sample})", "clean", 70),
            arrow(281, 130, 325, top + 25),
            arrow(445, top + 25, 496, 130 + (top - 105) // 5),
            arrow(756, 130, 800, top + 25),
        ]
    parts += [
        network_box(780, 250, "deviation", "pixel by pixel"),
        data_box(625, 250, "spread", "number"),
        arrow(835, 220, 835, 250),
        arrow(782, 275, 745, 275),
        text(370, 280, "as large as the error? only a known y can tell", 14),
        *_record_lane(330),
    ]
    words = (
        "The code of the damaged photo gets other noise for each sample; the mapping, which is "
        "told the mask, and the decoder make a restored photo of each. Their deviation, pixel by "
        "pixel, is the spread. Below: the restored photo and the share of the mask are written "
        "into a file, pixels and record together; a copy made by somebody may have lost it."
    )
    return svg(910, 500, "Sampling the latent, and writing the record", words, parts)


def _record_lane(top: int) -> list[str]:
    return [
        _line(10, top - 10, 900, top - 10),
        text(145, top + 18, "section 4: say what was done", 15, "bold"),
        data_box(10, top + 35, "restored \u0177", "clean"),
        data_box(10, top + 105, "mask m", "damage"),
        network_box(190, top + 35, "write", "section 4"),
        file_box(370, top + 35, "photo.png", "pixels + record"),
        file_box(680, top + 35, "copy.png", "pixels alone"),
        arrow(130, top + 60, 194, top + 60),
        curve(130, top + 130, 235, top + 130, 245, top + 87),
        arrow(306, top + 60, 370, top + 60),
        arrow(490, top + 60, 680, top + 60),
        text(585, top + 50, "copied by somebody", 14),
        text(600, top + 117, "record: software, weights and their SHA-256,", 14),
        text(600, top + 137, "share of the mask, one plain sentence", 14),
    ]


def own_photo() -> str:
    """Draw the decisions on one's own photo: scan, mask, weights, variant."""
    parts = [data_box(15, 10, "your photo r", "old"), arrow(75, 60, 75, 85)]
    parts += [
        text(330, 40, "scanned at 300 to 600 dpi, in colour (section 1)", 14),
        text(95, 168, "yes", 14),
        text(345, 510, "a large scan and little memory: section 3; a whole folder: section 4", 14),
    ]
    for row, (question, section, answers) in enumerate(_DECISIONS):
        parts += _fork(85 + 105 * row, question, section, answers)
        if row:
            parts.append(arrow(75, 30 + 105 * row, 75, 85 + 105 * row))
    words = (
        "Four questions about a photo scanned at 300 to 600 dpi, in colour. Is it damaged? If "
        "not, leave it as it is. Which mask: none without holes, a file for one photo, a folder "
        "for several, auto for many, its masks to be checked. Whose weights: small for a "
        "first try, the folder of your own training, the authors' to download. Which variant: "
        "quality without a mask, scratch with one, hr for large scans."
    )
    return svg(770, 525, "Which mask, weights and variant for your own photo", words, parts)


def _fork(
    y: int, question: str, section: str, answers: Sequence[tuple[str, str, str]]
) -> list[str]:
    """Draw a question, and to its right an answer over each setting that it leads to."""
    right = 255 + 140 * (len(answers) - 1)
    parts = [
        f"<polygon points='5,{y + 25} 20,{y} 135,{y} 150,{y + 25} 135,{y + 50} 20,{y + 50}' "
        "fill='white' stroke='black' stroke-width='2'/>",
        text(77, y + 22, question, 14, "bold"),
        text(77, y + 40, section, 12),
        _line(150, y + 25, right, y + 25),
    ]
    for number, (answer, setting, detail) in enumerate(answers):
        centre = 255 + 140 * number
        parts += [
            text(centre, y + 17, answer, 14),
            arrow(centre, y + 25, centre, y + 42),
            f"<rect x='{centre - 62}' y='{y + 42}' width='124' height='44' fill='#f6f6f6' "
            "stroke='#333333'/>",
            text(centre, y + 61, setting, 14, "bold"),
            text(centre, y + 79, detail, 12),
        ]
    return parts
