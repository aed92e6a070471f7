"""Pairs of photos on which metrics disagree, and a blind test of these pairs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np

from oldphoto.checks import InputError, require_in
from oldphoto.course.common import draw_box
from oldphoto.degradations import (
    GaussianBlur,
    GaussianNoise,
    Jpeg,
    apply_gaussian_blur,
    apply_gaussian_noise,
    apply_jpeg,
)
from oldphoto.evaluation.comparison import Metric
from oldphoto.metrics.fidelity import psnr, require_pair
from oldphoto.samples import sample_photo

Change = Callable[[np.ndarray], np.ndarray]
"""A clean photo in, a changed one of the same size out, both uint8 (H, W, 3)."""

LETTERS = "AB"
_EYE = (120, 74, 146, 91)  # left, top, right, bottom in the photo of the astronaut
_FURTHER_DOWN = 16  # pixels from the eye to plain skin


# --- changes of a known strength -----------------------------------------------------------------


def _pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _blurred(photo: np.ndarray, sigma: float) -> np.ndarray:
    size = 2 * int(np.ceil(3 * sigma)) + 1
    return apply_gaussian_blur(photo, GaussianBlur(size, sigma))


def _noisy(photo: np.ndarray, sigma: float) -> np.ndarray:
    return apply_gaussian_noise(photo, GaussianNoise(sigma, seed=11))


def _lighter(photo: np.ndarray, levels: float) -> np.ndarray:
    return _pixels(photo + levels)


def _flatter(photo: np.ndarray, fraction: float) -> np.ndarray:
    return _pixels(photo + fraction * (photo.mean() - photo))


def _checkered(photo: np.ndarray, levels: float) -> np.ndarray:
    rows, columns = np.indices(photo.shape[:2])
    signs = np.where((rows + columns) % 2, -1, 1)
    return _pixels(photo + levels * signs[..., None])


CHANGES: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], float]] = {
    "blur": (_blurred, 40.0),
    "noise": (_noisy, 150.0),
    "lighter": (_lighter, 250.0),
    "less contrast": (_flatter, 1.0),
    "checkerboard": (_checkered, 200.0),
}
"""Name to the change and its greatest strength; PSNR falls with the strength."""


def at_psnr(photo: np.ndarray, change: str, decibels: float) -> np.ndarray:
    """Return the photo with a change of the strength that gives a PSNR closest to the target.

    Args:
        photo: uint8 (H, W, 3).
        change: one of ``CHANGES``.
        decibels: target PSNR; some changes, such as a blur, cannot reach very low values.

    Raises:
        InputError: if the change is another word.
    """
    require_in(change, tuple(CHANGES), "change")
    apply, high = CHANGES[change]
    low = high / 1e5
    for _ in range(13):  # halving: the strength is then exact to a part in 8,000
        middle = (low + high) / 2
        if psnr(apply(photo, middle), photo) > decibels:
            low = middle
        else:
            high = middle
    # Changes in whole grey levels jump: the two ends may still differ.
    return min(
        (apply(photo, end) for end in (low, high)),
        key=lambda changed: abs(psnr(changed, photo) - decibels),
    )


def turned(photo: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate a photo a little about its middle; the rim is mirrored."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return _warped(photo, matrix)


def moved(photo: np.ndarray, pixels: float) -> np.ndarray:
    """Move a photo to the right by some pixels, and half as far down; the rim is mirrored."""
    return _warped(photo, np.array([[1.0, 0.0, pixels], [0.0, 1.0, pixels / 2]]))


def _warped(photo: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = photo.shape[1::-1]
    return cv2.warpAffine(
        photo, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )


def without_eye(photo: np.ndarray) -> np.ndarray:
    """Return the photo "astronaut" with plain skin in the place of one eye."""
    changed, eye = photo.copy(), draw_box(photo.shape[:2], _EYE)
    changed[eye] = np.roll(photo, -_FURTHER_DOWN, axis=0)[eye]
    return changed


# --- pairs on which metrics disagree -------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """One photo and two changed versions of it.

    Attributes:
        photo: its name.
        clean: uint8 (H, W, 3).
        versions: what was done to what came out of it, uint8 (H, W, 3); two of them.
    """

    photo: str
    clean: np.ndarray
    versions: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        if len(self.versions) != 2:
            raise InputError(f"expected two versions of {self.photo}, got {len(self.versions)}")
        for version in self.versions.values():
            require_pair(version, self.clean)


def _to(change: str, decibels: float) -> Change:
    return partial(at_psnr, change=change, decibels=decibels)


_PAIRS: dict[str, dict[str, Change]] = {
    "astronaut": {"one eye gone": without_eye, "noise": _to("noise", 29.0)},
    "branches": {"blur": _to("blur", 24.6), "lighter": _to("lighter", 24.6)},
    "canyon": {"JPEG": lambda p: apply_jpeg(p, Jpeg(10)), "turned": lambda p: turned(p, 1.0)},
    "cliffs": {"blur": _to("blur", 27.0), "noise": _to("noise", 27.0)},
    "lighthouse": {"blur": _to("blur", 26.0), "moved": lambda p: moved(p, 2.0)},
    "pier": {"blur": _to("blur", 30.1), "checkerboard": _to("checkerboard", 30.1)},
    "rooster": {
        "JPEG": lambda p: apply_jpeg(p, Jpeg(10)),
        "less contrast": _to("less contrast", 23.0),
    },
    "stairwell": {"blur": _to("blur", 29.5), "noise": _to("noise", 28.0)},
}


def make_pairs() -> list[Pair]:
    """Return the pairs of the blind test: held-out photos, changed in two ways."""
    pairs = []
    for name, changes in _PAIRS.items():
        clean = sample_photo(name)
        pairs.append(Pair(name, clean, {what: change(clean) for what, change in changes.items()}))
    return pairs


@dataclass(frozen=True)
class Judged:
    """The values of the metrics for a pair.

    Attributes:
        photo: name of the pair.
        values: metric to version to its value.
        prefers: metric to the better version, None where both are as good.
    """

    photo: str
    values: dict[str, dict[str, float]]
    prefers: dict[str, str | None]


def judge(pair: Pair, columns: Sequence[Metric]) -> Judged:
    """Return the values of all available metrics for a pair.

    Values that differ by no more than ten units of the metric's last digit count as equal
    (0.1 dB of PSNR, 0.01 of SSIM and LPIPS): nobody would see that.
    """
    values: dict[str, dict[str, float]] = {}
    prefers: dict[str, str | None] = {}
    for metric in columns:
        if metric.of_pair is None:
            continue
        found = {what: metric.of_pair(v, pair.clean) for what, v in pair.versions.items()}
        worse, better = sorted(found, key=lambda what: found[what])
        if not metric.higher_is_better:
            worse, better = better, worse
        equal = abs(found[better] - found[worse]) <= 10 ** (1 - metric.digits)
        values[metric.name], prefers[metric.name] = found, None if equal else better
    return Judged(pair.photo, values, prefers)


def disputed(judged: Sequence[Judged], first: str, second: str) -> list[str]:
    """Return the photos on which two metrics prefer different versions."""
    both = [(j.photo, j.prefers[first], j.prefers[second]) for j in judged]
    return [photo for photo, one, other in both if one and other and one != other]


def agreement(choices: Mapping[str, str], judged: Sequence[Judged], metric: str) -> tuple[int, int]:
    """Return in how many pairs a metric prefers what was chosen, and how many it decides.

    Args:
        choices: photo to the version that somebody preferred; pairs without a choice are left out.
        judged: what the metrics say.
        metric: its name.
    """
    said = [(j.prefers[metric], choices.get(j.photo)) for j in judged]
    decided = [(one, other) for one, other in said if one and other]
    return sum(one == other for one, other in decided), len(decided)


# --- the blind test ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Showing:
    """A pair as it is shown.

    Attributes:
        pair: what is shown.
        order: the versions under A and under B.
    """

    pair: Pair
    order: tuple[str, str]

    def picture(self, letter: str) -> np.ndarray:
        """Return the version under a letter, uint8 (H, W, 3)."""
        return self.pair.versions[self.order[LETTERS.index(letter)]]


@dataclass
class BlindTest:
    """Which of two versions is nearer to the original? Pairs and letters are in random order.

    Attributes:
        pairs: to be judged.
        seed: of the orders.
        chosen: letters so far, one a pair, in the order of the showings.
    """

    pairs: Sequence[Pair]
    seed: int = 0
    chosen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.pairs:
            raise InputError("expected at least one pair to judge, got none")
        rng = np.random.default_rng(self.seed)
        self.showings = []
        for place in rng.permutation(len(self.pairs)):
            pair = self.pairs[place]
            first, second = rng.permutation(list(pair.versions)).tolist()
            self.showings.append(Showing(pair, (first, second)))

    @property
    def showing(self) -> Showing | None:
        """The pair in view, or None when all are judged."""
        return self.showings[len(self.chosen)] if self.is_open else None

    @property
    def is_open(self) -> bool:
        """Whether a pair is left to judge."""
        return len(self.chosen) < len(self.showings)

    @property
    def choices(self) -> dict[str, str]:
        """Photo to the version that was preferred, as far as the test has gone."""
        judged = zip(self.showings, self.chosen, strict=False)
        return {s.pair.photo: s.order[LETTERS.index(letter)] for s, letter in judged}

    def choose(self, letter: str) -> None:
        """Prefer the version under a letter and go on to the next pair.

        Raises:
            InputError: if it is another letter, or nothing is left to judge.
        """
        wanted = letter.strip().upper()
        if wanted not in tuple(LETTERS):
            raise InputError(f"expected A or B, got {letter!r}; there are no ties, so pick one")
        if not self.is_open:
            raise InputError("all pairs are judged; Undo takes back the last answer")
        self.chosen.append(wanted)

    def undo(self) -> None:
        """Take back the last answer.

        Raises:
            InputError: if there is none.
        """
        if not self.chosen:
            raise InputError("there is nothing to take back")
        self.chosen.pop()

    def words(self) -> str:
        """Return the progress of the test in words."""
        if not self.is_open:
            return f"All {len(self.showings)} pairs are judged. Here is what the measures say."
        number = len(self.chosen) + 1
        return f"Pair {number} of {len(self.showings)}. Which is nearer to the original, A or B?"
