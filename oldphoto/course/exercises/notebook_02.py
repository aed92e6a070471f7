"""Exercises of notebook 02: a point on a curve, blending, an exact mask, a spoilt pair."""

import numpy as np

from oldphoto.course.exercises.engine import Exercise, Sheet

_rng = np.random.default_rng(2)
_knots = tuple(_rng.normal(0, 10, (4, 2)))
_photo = _rng.uniform(0.1, 0.9, (5, 6, 3))
_layer = _rng.uniform(0.1, 0.9, (5, 6, 3))
_coverage = _rng.uniform(0.1, 0.9, (5, 6, 1))
_before = _rng.integers(0, 250, (6, 8, 3), dtype=np.uint8)
_after = _before.copy()
_after[1:3, 2:5] += 5  # all channels lighter
_after[4, 1:4, 2] += 3  # only blue
_after[0, 6, 0] += 3  # only red
_after[4, 6] += np.array([3, 254, 255], dtype=np.uint8)  # red lighter, the others darker: 0 in sum
_after[5, 5:7] -= np.minimum(_after[5, 5:7], 9)  # darker


def _spline_point(
    before: np.ndarray, start: np.ndarray, end: np.ndarray, after: np.ndarray, t: float
) -> np.ndarray:
    constant = 2 * start
    linear = end - before
    square = 2 * before - 5 * start + 4 * end - after
    cube = 3 * start - before - 3 * end + after
    return 0.5 * (constant + linear * t + square * t**2 + cube * t**3)


spline_point = Exercise(
    title="a point on the curve",
    level="complete a line",
    solution=_spline_point,
    trials=((*_knots, 0.0), (*_knots, 0.3), (*_knots, 0.5), (*_knots, 1.0)),
    misconceptions={
        "This is the straight line from start to end. The neighbours bend it.": (
            lambda before, start, end, after, t: (1 - t) * start + t * end
        ),
        "At t = 0 this gives twice the starting point. Which factor is missing?": (
            lambda before, start, end, after, t: (
                2 * start
                + (end - before) * t
                + (2 * before - 5 * start + 4 * end - after) * t**2
                + (3 * start - before - 3 * end + after) * t**3
            )
        ),
        "The start is right, but the factor 1/2 applies to all four terms, not to the first.": (
            lambda before, start, end, after, t: (
                0.5 * 2 * start
                + (end - before) * t
                + (2 * before - 5 * start + 4 * end - after) * t**2
                + (3 * start - before - 3 * end + after) * t**3
            )
        ),
        "The curve runs backwards: t = 0 must give start, and t = 1 must give end.": (
            lambda before, start, end, after, t: _spline_point(before, start, end, after, 1 - t)
        ),
        "Start and end are right, but not the points between: two brackets are swapped.": (
            lambda before, start, end, after, t: (
                0.5
                * (
                    2 * start
                    + (end - before) * t
                    + (3 * start - before - 3 * end + after) * t**2
                    + (2 * before - 5 * start + 4 * end - after) * t**3
                )
            )
        ),
    },
    hints=(
        "Write the formula above, bracket by bracket: a cubic polynomial in t.",
        "Check both ends: t = 0 must give start, and t = 1 must give end.",
    ),
    praise="The curve passes through its knots, and its slope is continuous.",
)


def _screen(photo: np.ndarray, layer: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    blended = 1 - (1 - photo) * (1 - layer)
    return photo + coverage * (blended - photo)


screen = Exercise(
    title="the blending mode screen",
    level="modify",
    solution=_screen,
    trials=((_photo, _layer, _coverage), (_photo, _layer, np.ones((5, 6, 1)))),
    limits=(0.0, 1.0),
    misconceptions={
        "This is the mode normal: the layer replaces the photo. Change what is blended.": (
            lambda photo, layer, coverage: photo + coverage * (layer - photo)
        ),
        "The whole photo is covered. Where the coverage is 0, the photo must stay.": (
            lambda photo, layer, coverage: 1 - (1 - photo) * (1 - layer)
        ),
        "This multiplies the light, which is the mode multiply; screen multiplies the "
        "darkness.": lambda photo, layer, coverage: photo + coverage * (photo * layer - photo),
        "The product is the combined darkness. Subtract it from 1.": (
            lambda photo, layer, coverage: photo + coverage * ((1 - photo) * (1 - layer) - photo)
        ),
        "This is the mode lighten: the lighter of the two.": (
            lambda photo, layer, coverage: photo + coverage * (np.maximum(photo, layer) - photo)
        ),
        "Where the coverage is 0 the result is black: the photo is missing from the sum.": (
            lambda photo, layer, coverage: coverage * (1 - (1 - photo) * (1 - layer))
        ),
        "This is the mode add, and it leaves [0, 1].": (
            lambda photo, layer, coverage: photo + coverage * layer
        ),
    },
    hints=(
        "1 - photo is the darkness of the photo. Multiply both and subtract from 1.",
        "Call that blended, and keep the last line: photo + coverage * (blended - photo).",
    ),
    praise="Like two projectors on one screen: brighter, but never brighter than white.",
)


def _changed_mask(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


changed_mask = Exercise(
    title="the mask of what changed",
    level="complete a line",
    solution=_changed_mask,
    trials=((_before, _after), (_before, _before)),
    tolerance=1e-9,
    misconceptions={
        "A mask has one value for each pixel, not for each channel: (H, W).": (
            lambda before, after: before != after
        ),
        "A pixel that changed in one channel only is damaged as well.": (
            lambda before, after: (before != after).all(axis=2)
        ),
        "This is inverted: True means damaged.": (
            lambda before, after: (before == after).all(axis=2)
        ),
        "Damage can be darker than the photo, too.": (
            lambda before, after: (after > before).any(axis=2)
        ),
        "More red and less blue can cancel in a sum. Compare each channel separately.": (
            lambda before, after: before.sum(axis=2) != after.sum(axis=2)
        ),
        "This compares only the red channel.": (
            lambda before, after: before[..., 0] != after[..., 0]
        ),
    },
    hints=(
        "before != after compares every channel; its shape is (H, W, 3).",
        "An array of True and False has the methods any and all, which take an axis.",
    ),
    praise="True wherever at least one channel differs.",
)


spoilt_line = Exercise(
    title="find the line that spoils the pair",
    level="investigate",
    solution="c",
    misconceptions={
        "Line a is right: the photo may be soft before it is scratched.": "a",
        "Line b is right: the mask is exact at this moment.": "b",
        "Line d is right: white is what the network expects under the mask.": "d",
    },
    hints=(
        "After which line do pixels outside the mask show something of the scratch?",
        "A blur spreads each pixel to its neighbours. Which of them matter here?",
    ),
    praise="The blur spread the scratch beyond its mask. So recipes blur first.",
)

sheet = Sheet((spline_point, screen, changed_mask, spoilt_line))
