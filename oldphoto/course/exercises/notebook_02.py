"""Exercises of notebook 02: a curve, blending, an exact mask, a spoilt pair, an own damage."""

from collections.abc import Callable
from typing import Any

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
_photos = (
    _rng.integers(0, 256, (40, 56, 3), dtype=np.uint8),
    _rng.integers(0, 256, (61, 33, 3), dtype=np.uint8),
)


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
        "t**2 and t**3 are powers. Yours are products with 2 and 3.": (
            lambda before, start, end, after, t: (
                0.5
                * (
                    2 * start
                    + (end - before) * t
                    + (2 * before - 5 * start + 4 * end - after) * t * 2
                    + (3 * start - before - 3 * end + after) * t * 3
                )
            )
        ),
        "The last bracket is missing: at t = 1 the curve does not arrive at end.": (
            lambda before, start, end, after, t: (
                0.5
                * (
                    2 * start
                    + (end - before) * t
                    + (2 * before - 5 * start + 4 * end - after) * t**2
                )
            )
        ),
        "The second term has the wrong sign: the curve leaves start in the wrong direction.": (
            lambda before, start, end, after, t: (
                _spline_point(before, start, end, after, t) - (end - before) * t
            )
        ),
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
        "This is the mean of both. Screen multiplies what is missing to white.": (
            lambda photo, layer, coverage: photo + coverage * ((photo + layer) / 2 - photo)
        ),
        "This is the mode darken: the darker of the two.": (
            lambda photo, layer, coverage: photo + coverage * (np.minimum(photo, layer) - photo)
        ),
        "This is the mode add, cut off at white: bright parts lose their drawing.": (
            lambda photo, layer, coverage: photo + coverage * (np.minimum(photo + layer, 1) - photo)
        ),
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
        "Call that blended, and keep the last line as it is.",
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
        "This is inverted, and a pixel that kept one channel is called unchanged.": (
            lambda before, after: (before == after).any(axis=2)
        ),
        "Damage can be lighter than the photo, too.": lambda before, after: (after < before).any(
            axis=2
        ),
        "This compares only the blue channel.": lambda before, after: (
            before[..., 2] != after[..., 2]
        ),
        "A mask is True or False; yours counts the channels that changed.": (
            lambda before, after: (before != after).sum(axis=2)
        ),
        "A mask is True or False; yours is a fraction of the channels.": (
            lambda before, after: (before != after).mean(axis=2)
        ),
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


def _spoilt_line() -> str:
    return "c"


spoilt_line = Exercise(
    title="find the line that spoils the pair",
    level="investigate",
    solution=_spoilt_line,
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


Damage = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def _own_damage(photo: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo with a strip of yellowed adhesive tape on it, and its mask."""
    rng, size = np.random.default_rng(seed), np.array(photo.shape[:2])
    rows, columns = np.indices(photo.shape[:2])
    row, column = rng.uniform(0.3, 0.7, 2) * size
    angle = rng.uniform(0, np.pi)
    across = (rows - row) * np.cos(angle) + (columns - column) * np.sin(angle)
    mask = np.abs(across) < 0.07 * size.min()
    taped = 0.3 * photo + 0.7 * np.array([214, 186, 120])
    return np.where(mask[..., None], np.rint(taped).astype(np.uint8), photo), mask


def _kept_rules(answer: Damage, photo: np.ndarray) -> dict[str, Any] | None:
    """Return in words which rules of a kind of damage an answer keeps."""
    before, photo = photo, photo.copy()  # an answer may paint on the trial itself
    first = answer(photo, 1)
    if first is None or first is ...:
        return None
    damaged, mask = (np.asarray(part) for part in first)
    found: dict[str, Any] = {
        "The photo that you were given": _either(np.array_equal(photo, before), "changed"),
        "The damaged photo": f"{damaged.dtype} {damaged.shape}",
        "The mask": f"{mask.dtype} {mask.shape}",
        "The part of the photo that the mask covers": _covered(float(np.mean(mask > 0))),
    }
    wanted = {"The damaged photo": f"uint8 {photo.shape}", "The mask": f"bool {photo.shape[:2]}"}
    rest = dict.fromkeys(_RULES, "not looked at yet")
    if any(found[name] != words for name, words in wanted.items()):
        return found | rest
    changed = (damaged != before).any(axis=2)
    again, other = answer(before.copy(), 1), answer(before.copy(), 2)
    kept = (
        not changed[~mask].any(),
        bool(changed[mask].sum() > mask.sum() / 2),
        all(np.array_equal(*pair) for pair in zip(first, again, strict=True)),
        not all(np.array_equal(*pair) for pair in zip(first, other, strict=True)),
    )
    return found | {rule: _either(k, "broken") for rule, k in zip(_RULES, kept, strict=True)}


_RULES = (
    "The rule that nothing changes outside the mask",
    "The rule that most of the mask is damaged",
    "The rule that the same seed gives the same damage",
    "The rule that another seed gives another damage",
)


def _covered(share: float) -> str:
    if share < 0.001:
        return "almost nothing"
    return "0.1 to 60 %" if share <= 0.6 else "more than 60 %"


def _either(kept: bool, otherwise: str) -> str:
    return "kept" if kept else otherwise


def _in_place(photo: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    photo[:], mask = _own_damage(photo, seed)
    return photo, mask


def _blurred_after(photo: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    damaged, mask = _own_damage(photo, seed)
    beside = np.roll(damaged, 1, axis=0)
    return (damaged // 2 + beside // 2).astype(np.uint8), mask


def _unseeded(photo: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return _own_damage(photo, int(np.random.default_rng().integers(2**31)))


def _changed(wrong: Callable[[Any], Any], part: int) -> Damage:
    """Return a wrong answer that changes the damaged photo (0) or the mask (1) of the solution."""

    def answer(photo: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        pair = list(_own_damage(photo, seed))
        pair[part] = wrong(pair[part])
        return pair[0], pair[1]

    return answer


own_damage = Exercise(
    title="a damage of your own",
    level="build",
    solution=_own_damage,
    trials=((_photos[0],), (_photos[1],)),
    observe=_kept_rules,
    misconceptions={
        "You paint on the photo that you were given: its clean partner is lost. Copy it first.": (
            _in_place
        ),
        "The damaged photo has numbers of another kind. Round them and make them uint8.": (
            _changed(lambda damaged: damaged.astype(float), 0)
        ),
        "This is a picture of the mask. A mask is bool: True where the photo is damaged.": (
            _changed(lambda mask: 255 * mask.astype(np.uint8), 1)
        ),
        "A mask has one value for each pixel, not for each channel: (H, W).": (
            _changed(lambda mask: np.repeat(mask[..., None], 3, axis=2), 1)
        ),
        "A mask has the two axes (H, W). Drop the third one.": (
            _changed(lambda mask: mask[..., None], 1)
        ),
        "The mask is inverted: True means damaged.": _changed(lambda mask: ~mask, 1),
        "Pixels outside the mask have changed: something spreads the damage beyond it.": (
            _blurred_after
        ),
        "The mask is empty, although the photo has changed.": _changed(np.zeros_like, 1),
        "The mask marks the whole photo. It must say which part is damaged.": (
            _changed(np.ones_like, 1)
        ),
        "The mask is there, but the photo is as before.": (
            lambda photo, seed: (photo.copy(), _own_damage(photo, seed)[1])
        ),
        "The same seed gives another damage each time. Draw all random numbers from "
        "np.random.default_rng(seed).": _unseeded,
        "Every photo would get the same damage: the seed is not used.": (
            lambda photo, seed: _own_damage(photo, 0)
        ),
    },
    hints=(
        "Make the mask first: a condition on rows and columns, from np.indices(photo.shape[:2]).",
        "Draw place and direction from np.random.default_rng(seed). Copy the photo, and change "
        "the copy only where the mask is True.",
    ),
    praise="Photo and mask come from the same drawing, so they always agree.",
)

sheet = Sheet("02", (spline_point, screen, changed_mask, spoilt_line, own_damage))
