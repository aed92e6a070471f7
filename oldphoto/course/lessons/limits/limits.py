"""Experiments on the limits of the method: large holes at borders, complex shading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from oldphoto.checks import InputError, require_in, require_positive
from oldphoto.course.figures import COLOURS, STYLE
from oldphoto.degradations import paint_white
from oldphoto.degradations.common import smooth_field
from oldphoto.inference.batch import Restore
from oldphoto.metrics.bootstrap import Interval, bootstrap, bootstrap_difference
from oldphoto.metrics.fidelity import psnr_within

PLACES = ("middle", "border", "corner")
_LINES = {"middle": "o-", "border": "s--", "corner": "^:", "mean colour": "x-."}
_COLOURS = {"middle": "blue", "border": "orange", "corner": "red", "mean colour": "black"}
SHADINGS = ("soft", "complex")
NOISE = 12.0  # standard deviation in grey levels, well within what training shows


# --- holes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HoleCase:
    """A clean photo with a hole.

    Attributes:
        clean: uint8 (H, W, 3).
        mask: bool (H, W), true in the hole.
    """

    clean: np.ndarray
    mask: np.ndarray

    @property
    def damaged(self) -> np.ndarray:
        """The input of the network: the hole is white."""
        return paint_white(self.clean, self.mask)


def hole_case(photo: np.ndarray, side: int, place: str) -> HoleCase:
    """Cut a square hole of ``side`` pixels into the middle of a photo.

    At every place the same pixels are hidden, but their surroundings differ. For "border" the photo
    is cropped at the left edge of the hole, for "corner" at its upper edge, too. So a difference
    between places comes from the surroundings alone.

    Args:
        photo: uint8 (H, W, 3).
        side: of the hole, smaller than the photo.
        place: "middle", "border" or "corner".

    Raises:
        InputError: if the place is unknown, or the hole does not fit.

    Example:
        >>> case = hole_case(np.zeros((40, 60, 3), np.uint8), side=20, place="corner")
        >>> case.clean.shape, int(case.mask.sum())
        ((30, 40, 3), 400)
    """
    require_in(place, PLACES, "place")
    require_positive(side=side)
    height, width = photo.shape[:2]
    if side >= min(height, width):
        raise InputError(f"expected a hole smaller than the photo, got {side} of {photo.shape[:2]}")
    top, left = (height - side) // 2, (width - side) // 2
    mask = np.zeros((height, width), bool)
    mask[top : top + side, left : left + side] = True
    first_row = top if place == "corner" else 0
    first_column = 0 if place == "middle" else left
    kept = (slice(first_row, None), slice(first_column, None))
    return HoleCase(photo[kept], mask[kept])


def mean_colour_fill(case: HoleCase) -> np.ndarray:
    """Fill the hole with the mean colour of all sound pixels, as a baseline; uint8 (H, W, 3)."""
    filled = case.clean.copy()
    filled[case.mask] = np.rint(case.clean[~case.mask].mean(axis=0))
    return filled


def hole_scores(
    restore: Restore, photos: Sequence[np.ndarray], sides: Sequence[int]
) -> dict[str, dict[int, list[float]]]:
    """Restore all photos with holes of all sizes at all places, and measure inside the hole.

    Returns:
        place -> side -> PSNR in dB inside the hole, for each photo. The place "mean colour" is
        the hole in the middle, filled by ``mean_colour_fill``.
    """
    scores: dict[str, dict[int, list[float]]] = {
        place: {side: [] for side in sides} for place in (*PLACES, "mean colour")
    }
    for side in sides:
        for photo in photos:
            for place in PLACES:
                case = hole_case(photo, side, place)
                restored = np.asarray(restore(case.damaged, case.mask))
                scores[place][side].append(psnr_within(restored, case.clean, case.mask))
            case = hole_case(photo, side, "middle")
            filled = psnr_within(mean_colour_fill(case), case.clean, case.mask)
            scores["mean colour"][side].append(filled)
    return scores


def draw_holes(scores: Mapping[str, Mapping[int, Sequence[float]]]) -> Figure:
    """Draw the mean PSNR over the side of the hole with bootstrap intervals, a line per place."""
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(7.5, 4.2))
        for number, (place, by_side) in enumerate(scores.items()):
            sides = np.array(list(by_side))
            found = [bootstrap(values) for values in by_side.values()]
            means = np.array([interval.mean for interval in found])
            reach = [
                means - [interval.low for interval in found],
                [interval.high for interval in found] - means,
            ]
            # Side by side, so that the intervals do not overlap.
            axis.errorbar(
                sides + 1.5 * (number - 1.5),
                means,
                yerr=reach,
                fmt=_LINES[place],
                color=COLOURS[_COLOURS[place]],
                capsize=4,
                label=place,
            )
        axis.set(xlabel="side of the hole, pixels", ylabel="PSNR inside the hole, dB")
        axis.set_xticks(list(next(iter(scores.values()))))
        axis.legend(fontsize=11)
    return fig


def hole_words(scores: Mapping[str, Mapping[int, Sequence[float]]]) -> str:
    """Return a sentence on the scores of the smallest and the largest hole at each place."""
    parts = []
    for place, by_side in scores.items():
        small, large = min(by_side), max(by_side)
        means = [np.mean(by_side[side]) for side in (small, large)]
        parts.append(f"{place}: {means[0]:.1f} dB at {small} px, {means[1]:.1f} dB at {large} px")
    return "; ".join(parts) + "."


def place_difference(
    scores: Mapping[str, Mapping[int, Sequence[float]]], first: str, second: str
) -> Interval:
    """Return mean and interval of the difference in PSNR between two places.

    The differences are taken photo by photo, of the means over all sizes.
    """
    both = [np.mean(list(scores[place].values()), axis=0) for place in (first, second)]
    return bootstrap_difference(*both)


def interval_words(interval: Interval) -> str:
    """Return a sentence on the interval of a difference in dB, and whether it excludes zero."""
    verdict = "hardly luck" if interval.excludes_zero else "may be luck: 0 lies inside"
    return f"{interval.mean:+.1f} dB (from {interval.low:+.1f} to {interval.high:+.1f}, {verdict})"


# --- shading -----------------------------------------------------------------------------------


def shading_field(size: tuple[int, int], kind: str, seed: int = 0) -> np.ndarray:
    """Return a light field, float (H, W), that a photo is multiplied by: 1 = fully lit.

    Args:
        size: height and width.
        kind: "soft": the light decreases slowly from one side to the other, as on a curved page;
            "complex": with patches of clear edges on top, like the shadow of leaves.
        seed: of the direction and the patches.

    Raises:
        InputError: if the kind is unknown.

    Example:
        >>> light = shading_field((40, 60), "soft")
        >>> float(light.min()), float(light.max())
        (0.5, 1.0)
    """
    require_in(kind, SHADINGS, "kind of shading")
    rng = np.random.default_rng(seed)
    height, width = size
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:height, :width]
    ramp = np.cos(angle) * rows / height + np.sin(angle) * columns / width
    ramp = (ramp - ramp.min()) / np.ptp(ramp)
    light = 1 - 0.5 * ramp
    if kind == "complex":
        patches = smooth_field(int(rng.integers(2**31)), (height, width), cells=9)
        patches = (patches - patches.mean()) / patches.std()
        light = light * (1 - 0.45 / (1 + np.exp(-6 * patches)))
    return light


def damage_photo(clean: np.ndarray, kind: str, seed: int = 0) -> np.ndarray:
    """Degrade a photo with "noise", which is part of the training, or a kind of ``SHADINGS``.

    Shape:
        clean and result: uint8 (H, W, 3).
    """
    if kind == "noise":
        noise = np.random.default_rng(seed).normal(0, NOISE, clean.shape)
        changed = clean + noise
    else:
        changed = clean * shading_field(clean.shape[:2], kind, seed)[..., None]
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def kept_fraction(clean: np.ndarray, damaged: np.ndarray, restored: np.ndarray) -> float:
    """Return the fraction of the damage that restoring has left: 1 = all of it, 0 = nothing.

    The damage is ``damaged - clean``, the remaining error ``restored - clean``. The fraction is the
    factor k for which ``k * damage`` is nearest to the error (least squares).

    Args:
        clean, damaged, restored: uint8 (H, W, 3) of one size.

    Raises:
        InputError: if nothing was damaged.

    Example:
        >>> clean = np.full((2, 2, 3), 100, np.uint8)
        >>> kept_fraction(clean, damaged=clean - 40, restored=clean - 10)
        0.25
    """
    damage = damaged.astype(float) - clean
    if not damage.any():
        raise InputError("expected a damaged photo, but it equals the clean one")
    left = restored.astype(float) - clean
    return float((left * damage).sum() / (damage * damage).sum())


def kept_fractions(
    restore: Restore, photos: Sequence[np.ndarray], kinds: Sequence[str], seed: int = 0
) -> dict[str, list[float]]:
    """Degrade and restore all photos; return the kept fraction of each, by kind of damage."""
    fractions: dict[str, list[float]] = {kind: [] for kind in kinds}
    for kind in kinds:
        for index, clean in enumerate(photos):
            damaged = damage_photo(clean, kind, seed + index)
            fractions[kind].append(
                kept_fraction(clean, damaged, np.asarray(restore(damaged, None)))
            )
    return fractions


def draw_fractions(fractions: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the mean fraction kept of each damage as a bar with its interval; a dot per photo."""
    with pyplot.rc_context(STYLE):
        fig, axis = pyplot.subplots(figsize=(6.5, 3.4))
        for place, values in enumerate(fractions.values()):
            found = bootstrap(values)
            reach = [[found.mean - found.low], [found.high - found.mean]]
            axis.bar(
                place, found.mean, yerr=reach, capsize=6, color=COLOURS["sky"], edgecolor="black"
            )
            axis.plot(place + np.linspace(-0.2, 0.2, len(values)), values, "ko", markersize=4)
        axis.axhline(1, color="black", linestyle=":", linewidth=1)
        axis.set_xticks(range(len(fractions)), list(fractions))
        axis.set(ylabel="fraction of the damage\nthat is still there", ylim=(0, None))
    return fig


def fraction_words(fractions: Mapping[str, Sequence[float]]) -> str:
    """Return a sentence on the kept fractions."""
    parts = []
    for kind, values in fractions.items():
        found = bootstrap(values)
        low, high = 100 * found.low, 100 * found.high
        parts.append(f"{kind}: {100 * found.mean:.0f} % (from {low:.0f} to {high:.0f} %)")
    return "still there after restoring: " + ", ".join(parts)
