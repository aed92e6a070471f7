"""Wear of prints and cards as scans show it: chips of the surface, creases and lifted cracks.

What is damaged must be visible, or its mask would ask a detector to guess: a chip on white paper is
dark, and a faint crease has two slopes. Each ``apply_*`` returns the damaged photo, uint8 (H, W,
3), and a mask, bool (H, W), that is True on every pixel it touched.
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
    generator,
    require_photo,
    require_range,
)
from oldphoto.degradations.cracks import Cracks, draw_cracks
from oldphoto.degradations.layers import LEAST_COVERAGE, OVERSAMPLING, blend, paint

_CORNERS = 14  # of the outline of a chip


@dataclass(frozen=True)
class Chips(Parameters):
    """``num`` chips: flecks and short strokes where the surface has come off or dirt sticks to it.

    Attributes:
        length, width: smallest and largest, as shares of the short side; a chip is never wider
            than long.
        ragged: deviation of the outline, as a share of the width.
        opacity: of the faintest and the strongest chip.
        contrast: least difference between a chip and what was there, in grey levels.
        light_prob: probability that a chip is lighter than the photo, where it can be.
        clustered: share of the chips that lie in one place.
    """

    num: int
    length: tuple[float, float]
    width: tuple[float, float]
    ragged: float
    opacity: tuple[float, float]
    contrast: float
    light_prob: float
    clustered: float
    seed: int
    hides = True


def sample_chips(
    rng: np.random.Generator,
    num: tuple[int, int] = (1, 10),
    length: Range = (0.012, 0.25),
    width: Range = (0.008, 0.05),
    contrast: Range = (18.0, 50.0),
) -> Chips:
    """Draw chips: many small flecks, or fewer and longer strokes."""
    longest = draw(rng, (0.03, length[1])) if rng.random() < 0.5 else 0.06
    return Chips(
        num=draw_int(rng, num),
        length=(length[0], max(longest, length[0])),
        width=(width[0], draw(rng, width)),
        ragged=draw(rng, (0.1, 0.6)),
        opacity=(draw(rng, (0.5, 1.0)), 1.0),
        contrast=draw(rng, contrast),
        light_prob=draw(rng, (0.2, 0.8)),
        clustered=draw(rng, (0.3, 0.9)) if rng.random() < 0.3 else 0.0,
        seed=draw_seed(rng),
    )


def apply_chips(photo: np.ndarray, parameters: Chips) -> tuple[np.ndarray, np.ndarray]:
    """Chip the surface of a photo, uint8 (H, W, 3); also return the mask (H, W).

    >>> photo = np.full((64, 64, 3), 250, np.uint8)
    >>> damaged, mask = apply_chips(photo, sample_chips(generator(0)))
    >>> bool(mask.any()), bool((damaged[mask] < 250).all())  # on white paper all are dark
    (True, True)
    """
    require_photo(photo)
    require_range(parameters.ragged, (0.0, 3.0), "the raggedness of chips")
    photo, rng = photo.copy(), generator(parameters.seed)
    frame = np.array(photo.shape[1::-1])
    mask = np.zeros(photo.shape[:2], bool)
    heap = rng.random(2) * frame
    for _ in range(parameters.num):
        place = rng.random(2) * frame
        if rng.random() < parameters.clustered:
            place = heap + rng.normal(0, 0.1, 2) * frame
        outline = place + _outline(rng, parameters, int(frame.min()))
        opacity, level, is_light = rng.uniform(*parameters.opacity), rng.random(), rng.random()
        first = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
        last = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 3, frame)
        if (first >= last).any():
            continue
        part = slice(first[1], last[1]), slice(first[0], last[0])
        colour = _visible(photo[part], parameters, level, is_light < parameters.light_prob)
        coverage = opacity * _filled(outline - first, photo[part].shape[:2])
        photo[part], chipped = paint(photo[part], colour, coverage)
        mask[part] |= chipped
    return photo, mask


def _outline(rng: np.random.Generator, parameters: Chips, side: int) -> np.ndarray:
    """Return the corners (N, 2) of a ragged, slightly bent chip around the origin, in pixels."""
    length, width = (
        side * np.exp(rng.uniform(*np.log(np.maximum(limits, 1e-4))))
        for limits in (parameters.length, parameters.width)
    )
    width = min(width, length)
    angles = np.arange(_CORNERS) * 2 * np.pi / _CORNERS
    along = 0.5 * length * np.cos(angles)
    across = 0.5 * width * np.sin(angles) * np.exp(rng.normal(0, parameters.ragged, _CORNERS))
    across += rng.normal(0, 0.15) * length * (2 * along / length) ** 2  # the bend
    turn = rng.uniform(0, np.pi)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.stack((along, across), axis=1) @ turned


def _filled(outline: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the coverage of a polygon with soft rims, float32 (H, W) in [0, 1]."""
    board = np.zeros((size[0] * OVERSAMPLING, size[1] * OVERSAMPLING), np.uint8)
    cv2.fillPoly(board, [np.rint(outline * OVERSAMPLING).astype(np.int32)], 255)
    small = cv2.resize(board, size[::-1], interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _visible(part: np.ndarray, parameters: Chips, level: float, is_light: bool) -> np.ndarray:
    """Return a grey that differs from a part of a photo, the more so the rougher the part is."""
    middle, least = float(part.mean()), parameters.contrast + float(part.std())
    room = 255 - middle if is_light else middle
    if room < least:  # no room on this side: a chip on white paper is dark
        is_light, room = not is_light, 255 - room
    change = least + level * max(room - least, 0)
    return np.full(3, np.clip(middle + (change if is_light else -change), 0, 255))


@dataclass(frozen=True)
class Creases(Cracks):
    """Creases and cracks whose rim has lifted: a bared line, and a dark slope on one side of it.

    Attributes:
        shade: how dark the slope is, in [0, 1].
        shade_width: of the slope, as a multiple of the line's width.
        light_from: degrees; the shadow lies on the other side.
    """

    shade: float
    shade_width: float
    light_from: float


def sample_creases(
    rng: np.random.Generator,
    num: tuple[int, int] = (1, 3),
    length: Range = (0.3, 1.6),
    width: Range = (0.005, 0.022),
    opacity: Range = (0.15, 1.0),
) -> Creases:
    """Draw creases, smooth and faint, or cracks, jagged and white."""
    return Creases(
        num=draw_int(rng, num),
        length=draw(rng, length),
        width=width[0] + (width[1] - width[0]) * float(rng.random()) ** 2,
        jag=draw(rng, (1.0, 20.0)),
        branch_prob=draw(rng, (0.0, 0.1)),
        opacity=draw(rng, opacity),
        colour=(248.0, 244.0, 234.0),
        seed=draw_seed(rng),
        shade=draw(rng, (0.15, 0.6)),
        shade_width=draw(rng, (0.3, 1.2)),
        light_from=draw(rng, (0.0, 360.0)),
    )


def apply_creases(photo: np.ndarray, parameters: Creases) -> tuple[np.ndarray, np.ndarray]:
    """Crease a photo, uint8 (H, W, 3); also return the mask (H, W)."""
    require_photo(photo)
    height, width = photo.shape[:2]
    line = draw_cracks((height, width), parameters)
    reach = max(1.0, parameters.width * parameters.shade_width * min(height, width))
    turn = np.deg2rad(parameters.light_from)
    moved = np.array([[1, 0, -reach * np.cos(turn)], [0, 1, -reach * np.sin(turn)]])
    slope = cv2.warpAffine(line / max(parameters.opacity, 1e-3), moved, (width, height))
    slope = parameters.shade * np.clip(slope, 0, 1)
    slope[slope < LEAST_COVERAGE] = 0
    shaded = blend(photo, np.zeros(3), slope, "normal")
    creased, mask = paint(shaded, np.array(parameters.colour), line)
    return creased, mask | (slope > 0)
