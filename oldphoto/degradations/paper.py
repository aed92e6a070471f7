"""Paper: a procedural sheet, blended with the photo as a texture, and the stains on it.

Each ``apply_*`` returns the damaged photo, uint8 (H, W, 3), and a mask, bool (H, W), that is True
on every pixel it touched.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.degradations.common import (
    Parameters,
    Range,
    draw,
    draw_int,
    draw_seed,
    fractal_field,
    generator,
    normal_field,
    require_photo,
    require_range,
    smooth_field,
)
from oldphoto.degradations.elastic import Elastic, apply_elastic
from oldphoto.degradations.layers import Canvas, blend, paint


def creases(seed: int, size: tuple[int, int], num: int) -> np.ndarray:
    """Return the relief of ``num`` creases: a light ridge with a shadow on its lower side.

    Creases are nearly straight, cross each other and fade out at both ends.

    Returns:
        float32 (H, W), about -1 to 1, 0 where the sheet is flat.
    """
    rng = generator(seed)
    canvas, side = Canvas(size), min(size)
    for opacity in np.sort(rng.uniform(0.2, 1, num)):
        turn, length = rng.uniform(0, np.pi), side * rng.uniform(0.15, 0.9)
        reach = np.linspace(-0.5, 0.5, 12)[:, None] * length
        jags = rng.normal(0, 0.008 * side, (12, 2)).cumsum(axis=0)
        points = rng.random(2) * (size[1], size[0]) + reach * (np.cos(turn), np.sin(turn)) + jags
        taper = np.sin(np.linspace(0.1, np.pi - 0.1, 12))
        canvas.line(points, 0.006 * side * taper, opacity)
    ridge = cv2.GaussianBlur(canvas.coverage(), (5, 5), 1.0)
    below = np.pad(ridge, ((1, 0), (1, 0)))[:-1, :-1]
    return 0.6 * ridge + 1.2 * (ridge - below)


def paper_sheet(
    seed: int, size: tuple[int, int], colour: tuple[float, float, float], wear: float
) -> np.ndarray:
    """Return a sheet of old paper.

    Args:
        size: (H, W).
        colour: of the clean sheet, in [0, 255].
        wear: 0 = fresh; 1 = mottled, crumpled and foxed.

    Returns:
        float32 (H, W, 3) in [0, 255].
    """
    height, width = size
    mottle = fractal_field(seed, size, 3, octaves=5)
    tooth = cv2.GaussianBlur(normal_field(seed + 11, size), (3, 3), 0.7)
    light = 1 + 0.035 * wear * mottle + 0.018 * tooth + 0.05 * _fibres(seed + 12, size)
    light += 0.22 * wear * creases(seed + 20, size, 22)
    brown = np.clip(fractal_field(seed + 40, size, 5, octaves=4) - 1.1, 0, 1) * wear
    rim = _rim_distance(height, width) + 0.03 * mottle
    brown += 0.5 * wear * np.exp(-np.maximum(rim, 0) / 0.05)
    sheet = np.array(colour, np.float32) * light[..., None]
    sheet *= 1 - brown[..., None] * np.array((0.18, 0.28, 0.42), np.float32)
    return np.clip(sheet, 0, 255)


def _rim_distance(height: int, width: int) -> np.ndarray:
    """Return the distance of each pixel to the nearest side, as a share of the short side."""
    rows = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    cols = np.minimum(np.arange(width), np.arange(width)[::-1])
    return (np.minimum(rows, cols) / min(height, width)).astype(np.float32)


def _fibres(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Return short curved fibres, lighter (+) and darker (-) than the sheet, (H, W)."""
    rng = generator(seed)
    num, num_points, side = 80, 6, min(size)
    coverages = []
    for _ in range(2):
        turns = rng.uniform(0, 2 * np.pi, (num, 1)) + rng.normal(0, 0.5, (num, num_points)).cumsum(
            1
        )
        moves = side * 0.01 * np.stack((np.cos(turns), np.sin(turns)), axis=2)
        starts = rng.random((num, 1, 2)) * (size[1], size[0])
        canvas = Canvas(size)
        canvas.threads(starts + moves.cumsum(axis=1), 0.0025 * side, 0.5)
        coverages.append(canvas.coverage())
    return coverages[0] - coverages[1]


@dataclass(frozen=True)
class PaperTexture(Parameters):
    """The surface of an old sheet over the photo.

    Attributes:
        mode, opacity: how it is blended: "add", "lighten", "screen" or "multiply".
        colour, wear: of the sheet, see ``paper_sheet``.
        warp: amplitude of the elastic distortion of the sheet.
    """

    mode: str
    opacity: float
    colour: tuple[float, float, float]
    wear: float
    warp: float
    seed: int


def sample_paper_texture(
    rng: np.random.Generator,
    opacity: Range = (0.25, 0.75),
    modes: tuple[str, ...] = ("add", "lighten", "screen", "multiply"),
) -> PaperTexture:
    """Draw a paper texture. The modes are the published ones and multiply, as ink on a sheet."""
    level, warmth = rng.uniform(205, 245), rng.uniform(0.02, 0.28)
    colour = (
        round(level, 1),
        round(level * (1 - 0.35 * warmth), 1),
        round(level * (1 - warmth), 1),
    )
    mode, wear = str(rng.choice(modes)), draw(rng, (0.3, 1.0))
    return PaperTexture(
        mode, draw(rng, opacity), colour, wear, draw(rng, (0.0, 0.012)), draw_seed(rng)
    )


def apply_paper_texture(
    photo: np.ndarray, parameters: PaperTexture
) -> tuple[np.ndarray, np.ndarray]:
    """Blend paper with a photo, uint8 (H, W, 3); also return the mask (H, W) of all changed pixels.

    "add" and "screen" use the relief of the sheet without its colour. The colour of a light sheet
    would only bleach the photo.
    """
    require_photo(photo)
    require_range(parameters.opacity, (0.0, 1.0), "the opacity of a paper texture")
    size = photo.shape[:2]
    sheet = paper_sheet(parameters.seed, size, parameters.colour, parameters.wear)
    if parameters.warp > 0:
        sheet = apply_elastic(sheet, Elastic(parameters.warp, 3, parameters.seed + 1))
    coverage = np.full(size, parameters.opacity, np.float32)
    if parameters.mode in ("add", "screen"):
        relief = (sheet - np.array(parameters.colour, np.float32)) * 6 + 50
        sheet = np.clip(relief, 0, 255)
    elif parameters.mode == "lighten":
        sheet = sheet * 0.45
    elif parameters.mode == "multiply":
        # Ink covers the whole sheet. The opacity is how strongly the relief shows through.
        sheet = np.clip(255 + (sheet - 255) * 1.6, 0, 255)
    blended = blend(photo, sheet, coverage, parameters.mode)
    return blended, (blended != photo).any(axis=2)


@dataclass(frozen=True)
class Stains(Parameters):
    """``num`` dried stains: a tint, and a darker line where the water stopped.

    Attributes:
        radius: shares of the short side.
        tint: colour that the photo is multiplied with, in [0, 255].
        strength, ring: opacity of the area and of its outline.
    """

    num: int
    radius: tuple[float, float]
    tint: tuple[float, float, float]
    strength: float
    ring: float
    seed: int


def sample_stains(
    rng: np.random.Generator,
    num: tuple[int, int] = (1, 3),
    radius: Range = (0.1, 0.4),
    strength: Range = (0.25, 0.65),
) -> Stains:
    """Draw stains of water, tea or glue."""
    warmth = rng.uniform(0.25, 0.75)
    tint = (round(235 - 40 * warmth, 1), round(215 - 80 * warmth, 1), round(185 - 135 * warmth, 1))
    return Stains(
        draw_int(rng, num), radius, tint, draw(rng, strength), draw(rng, (0.3, 0.9)), draw_seed(rng)
    )


def apply_stains(photo: np.ndarray, parameters: Stains) -> tuple[np.ndarray, np.ndarray]:
    """Stain a photo, uint8 (H, W, 3); also return the mask (H, W).

    The picture shows through, so recipes leave this mask out of the scratch mask.
    """
    require_photo(photo)
    rng = generator(parameters.seed)
    size, side = photo.shape[:2], min(photo.shape[:2])
    rows, cols = np.ogrid[: size[0], : size[1]]
    mask = np.zeros(size, bool)
    for index in range(parameters.num):
        centre = rng.random(2) * (size[1], size[0])
        radius = side * rng.uniform(*parameters.radius)
        away = np.hypot(rows - centre[1], cols - centre[0]) / radius
        shore = 1 - away + 0.35 * fractal_field(parameters.seed + 10 * index, size, 5, octaves=4)
        inside = np.clip(shore * 12, 0, 1)
        # Water spreads the dirt evenly and carries some of it to the shore, where it dries.
        area = parameters.strength * inside * (0.55 + 0.45 * np.exp(-np.maximum(shore, 0) / 0.3))
        line = np.exp(-((np.maximum(shore, 0) - 0.06) ** 2) / 0.0012) * inside
        # The line is stronger in some places than in others.
        line *= np.clip(0.55 + 0.35 * smooth_field(parameters.seed + 5 + index, size, 5), 0, 1)
        tint = np.array(parameters.tint)
        photo, stained = paint(photo, tint, area, "multiply")
        photo, lined = paint(photo, tint * tint / 255, parameters.ring * line, "multiply")
        stained |= lined
        mask |= stained
    return photo, mask
