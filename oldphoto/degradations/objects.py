"""What a scratch detector must leave alone: twigs, wires and glints of the scene, print on a card.

They look like damage, but belong to the picture. A recipe applies them before lens, grain and
press, so that they are as soft and as rough as the photo; damage lies on top of all this.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.checks import require_in
from oldphoto.degradations.common import (
    Parameters,
    Range,
    draw,
    draw_int,
    draw_seed,
    generator,
    require_photo,
    require_range,
    smooth_field,
)
from oldphoto.degradations.cracks import Cracks
from oldphoto.degradations.layers import OVERSAMPLING, Canvas, blend
from oldphoto.degradations.specks import Dust

_LETTERS = np.array(list("etaoinshrdlucmfwygpbvk"))
_FONTS = (*range(8), 16 + 2, 16 + 3, 16 + 4)  # of OpenCV; 16 makes them italic


@dataclass(frozen=True)
class Twigs(Cracks):
    """Twigs, wires and masts: drawn as cracks are, but part of the scene, so in no mask."""

    hides = False


def sample_twigs(
    rng: np.random.Generator,
    num: tuple[int, int] = (1, 8),
    length: Range = (0.15, 1.2),
    width: Range = (0.006, 0.04),
) -> Twigs:
    """Draw lines of a scene: straight, or growing like twigs."""
    level = draw(rng, (0, 80) if rng.random() < 0.6 else (80, 255))
    return Twigs(
        num=draw_int(rng, num),
        length=draw(rng, length),
        width=draw(rng, width),
        jag=0.0 if rng.random() < 0.4 else draw(rng, (1.0, 12.0)),
        branch_prob=0.0 if rng.random() < 0.5 else draw(rng, (0.02, 0.15)),
        opacity=draw(rng, (0.5, 1.0)),
        colour=(level, level, level),
        seed=draw_seed(rng),
    )


@dataclass(frozen=True)
class Glints(Dust):
    """Catchlights and pale flowers: drawn as dust is, but part of the scene, so in no mask."""

    hides = False


def sample_glints(
    rng: np.random.Generator, num: tuple[int, int] = (2, 30), radius: Range = (0.006, 0.03)
) -> Glints:
    """Draw glints."""
    level = draw(rng, (200, 255))
    return Glints(
        draw_int(rng, num), radius, draw(rng, (0, 0.9)), (level, level, level), draw_seed(rng)
    )


@dataclass(frozen=True)
class Captions(Parameters):
    """``num`` lines of print on a side of a card, most often on a border of bare paper.

    Attributes:
        turn: quarter turns, 0 to 3: the side with the border.
        border: depth of the border, as a share of the photo; 0: the print is on the picture.
        edge: how far the card ends before the photo does, as a share of the border; beyond it
            the lid of the scanner shows.
        paper, lid, ink: grey levels.
        height: of the letters, as a share of the short side.
        font: number of the font.
        ruled: whether a line frames the picture.
    """

    num: int
    turn: int
    border: float
    edge: float
    paper: float
    lid: float
    ink: float
    height: float
    font: int
    ruled: bool
    seed: int


def sample_captions(
    rng: np.random.Generator, num: tuple[int, int] = (1, 4), height: Range = (0.035, 0.16)
) -> Captions:
    """Draw the print of a card."""
    border = draw(rng, (0.1, 0.6)) if rng.random() < 0.75 else 0.0
    paper = draw(rng, (190, 252))
    is_dark = border > 0 or rng.random() < 0.4
    return Captions(
        num=draw_int(rng, num),
        turn=int(rng.choice((0, 0, 0, 1, 2, 3))),
        border=border,
        edge=draw(rng, (0.1, 0.6)) if rng.random() < 0.4 else 0.0,
        paper=paper,
        lid=draw(rng, (225, 255) if rng.random() < 0.8 else (0, 40)),
        ink=draw(rng, (10, 120) if is_dark else (190, 255)),
        height=draw(rng, height),
        font=int(rng.choice(_FONTS)),
        ruled=bool(rng.random() < 0.4),
        seed=draw_seed(rng),
    )


def apply_captions(photo: np.ndarray, parameters: Captions) -> np.ndarray:
    """Print on a card, uint8 (H, W, 3).

    >>> photo = np.full((64, 64, 3), 100, np.uint8)
    >>> printed = apply_captions(photo, sample_captions(generator(0)))
    >>> printed.shape, bool((printed != 100).any())
    ((64, 64, 3), True)
    """
    require_photo(photo)
    require_in(parameters.font, _FONTS, "the font of captions")
    require_range(parameters.height, (0.0, 1.0), "the height of letters")
    turned = np.rot90(photo, parameters.turn).copy()
    rng = generator(parameters.seed)
    height, width = turned.shape[:2]
    side = min(height, width)
    top = height - round(np.clip(parameters.border, 0, 1) * height)  # first row of the border
    end = height - round(np.clip(parameters.edge, 0, 1) * (height - top))  # the card ends here
    fibres = 3 * smooth_field(parameters.seed, (height, width), 40)[..., None]
    turned[top:] = np.clip(parameters.paper + fibres[top:], 0, 255).astype(np.uint8)
    away = np.arange(height - end, dtype=np.float32)[:, None, None] / max(0.015 * side, 1)
    turned[end:] = np.clip(parameters.lid * (1 - 0.35 * np.exp(-away)), 0, 255).astype(np.uint8)
    canvas = Canvas((height, width))
    first = top if top < height else height - 2 * parameters.num * parameters.height * side
    _write(canvas, rng, parameters, max(first, 0), side)
    if parameters.ruled:
        gap, thick = rng.uniform(0.01, 0.06) * side, max(rng.uniform(0.004, 0.012) * side, 0.4)
        rule = np.array([[-9.0, top - gap], [width + 9.0, top - gap]])
        canvas.line(rule, np.full(2, thick), 1.0)
    coverage = canvas.coverage()
    coverage[end:] = 0
    printed = blend(turned, np.full(3, parameters.ink), coverage, "normal")
    return np.ascontiguousarray(np.rot90(printed, -parameters.turn))


def _write(
    canvas: Canvas, rng: np.random.Generator, parameters: Captions, top: float, side: int
) -> None:
    """Write lines of invented words below the row ``top``."""
    size = parameters.height * side * OVERSAMPLING
    for line in range(parameters.num):
        words = ["".join(rng.choice(_LETTERS, rng.integers(1, 9))) for _ in range(8)]
        text = " ".join(word.title() if rng.random() < 0.4 else word for word in words)
        text = text.upper() if rng.random() < 0.2 else text
        text = text[: int(rng.integers(3, 40))]
        row = top * OVERSAMPLING + (line + 1) * 1.7 * size + rng.normal(0, 0.2 * size)
        column = rng.uniform(-0.2, 0.7) * canvas.board.shape[1]
        thick = max(1, round(size * rng.uniform(0.06, 0.14)))
        scale = size / 22  # letters of the fonts are 22 pixels high
        place = int(column), int(row)
        cv2.putText(canvas.board, text, place, parameters.font, scale, 255, thick, cv2.LINE_AA)
