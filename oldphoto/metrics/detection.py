"""Metrics of scratch detection: confusion counts, precision, recall and their curve."""

from dataclasses import astuple, dataclass

import cv2
import numpy as np

from oldphoto.checks import InputError


@dataclass(frozen=True)
class Confusion:
    """Numbers of pixels by prediction and truth. Add them for several photos.

    A ratio of 0 to 0 counts as 1: no prediction is no error, and without damage nothing is missed.

    Attributes:
        true_positive: damaged and found.
        false_positive: sound but predicted as damaged, a false alarm.
        false_negative: damaged but missed.
        true_negative: sound and predicted as sound.
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    def __add__(self, other: "Confusion") -> "Confusion":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Confusion(*(mine + theirs for mine, theirs in pairs))

    @property
    def precision(self) -> float:
        """Fraction of the predicted pixels that are damaged: TP / (TP + FP)."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Fraction of the damaged pixels that are predicted: TP / (TP + FN)."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."""
        wrong = self.false_positive + self.false_negative
        return _ratio(2 * self.true_positive, 2 * self.true_positive + wrong)

    @property
    def iou(self) -> float:
        """Intersection over union of prediction and truth: TP / (TP + FP + FN)."""
        wrong = self.false_positive + self.false_negative
        return _ratio(self.true_positive, self.true_positive + wrong)

    @property
    def accuracy(self) -> float:
        """Fraction of all pixels predicted correctly; high even if all are predicted as sound."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every threshold that makes a difference, from strict to lenient.

    Attributes:
        threshold: float (N,), falling; a pixel of this probability or more is predicted.
        precision: float (N,) in [0, 1].
        recall: float (N,) in (0, 1], rising to 1.
    """

    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def average_precision(self) -> float:
        r"""Precision averaged over recall, in [0, 1]: :math:`\sum_n (R_n - R_{n-1}) P_n`.

        Nothing is interpolated. Guessing gives about the fraction of damaged pixels.
        """
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    @property
    def best(self) -> tuple[float, float]:
        """The threshold with the largest F1, and that F1; the strictest of several."""
        total = np.maximum(self.precision + self.recall, np.finfo(float).tiny)
        f1 = 2 * self.precision * self.recall / total
        index = int(f1.argmax())
        return float(self.threshold[index]), float(f1[index])


def confusion(found: np.ndarray, truth: np.ndarray) -> Confusion:
    """Count the pixels of a predicted mask by the true mask.

    Args:
        found: bool, any shape, True = predicted as damaged.
        truth: bool of the same shape, True = damaged.

    >>> counts = confusion(np.array([True, True, False]), np.array([True, False, False]))
    >>> counts.precision, counts.recall
    (0.5, 1.0)

    Raises:
        InputError: if the shapes differ or a mask is not bool.
    """
    _require_masks(found, truth)
    positive = int(np.count_nonzero(found & truth))
    false_positive = int(np.count_nonzero(found)) - positive
    false_negative = int(np.count_nonzero(truth)) - positive
    rest = truth.size - positive - false_positive - false_negative
    return Confusion(positive, false_positive, false_negative, rest)


def precision_recall_curve(probability: np.ndarray, truth: np.ndarray) -> Curve:
    """Return precision and recall for every threshold.

    Args:
        probability: float, any shape; only its order matters.
        truth: bool of the same shape, True = damaged.

    >>> curve = precision_recall_curve(np.array([0.9, 0.6, 0.2]), np.array([True, False, True]))
    >>> curve.recall.tolist(), curve.best[0]
    ([0.5, 0.5, 1.0], 0.2)

    Raises:
        InputError: if the shapes differ, a probability is NaN, or nothing is damaged, so that
            there is no recall.
    """
    if probability.shape != truth.shape or truth.dtype != bool:
        raise InputError(
            "expected probabilities and a bool mask of one shape, got "
            f"{probability.dtype} {probability.shape}, {truth.dtype} {truth.shape}"
        )
    if np.isnan(probability).any():
        raise InputError("expected probabilities, got NaN among them")
    if not truth.any():
        raise InputError("expected at least one damaged pixel: without any there is no recall")
    order = np.argsort(-probability, axis=None, kind="stable")
    scores, hits = probability.ravel()[order], np.cumsum(truth.ravel()[order])
    # Pixels of equal probability are predicted together, so only the last of them is a step.
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True))
    return Curve(scores[last].astype(float), hits[last] / (last + 1), hits[last] / hits[-1])


def tolerant(found: np.ndarray, truth: np.ndarray, pixels: int) -> tuple[float, float]:
    """Return precision and recall where a miss by a few pixels counts as a hit.

    A predicted pixel is right if damage lies at most ``pixels`` away, diagonally too. A damaged
    pixel is found if a predicted one is as near. Without tolerance a line that is drawn one pixel
    beside a scratch would be all wrong.

    Args:
        found: bool (H, W), True = predicted as damaged.
        truth: bool (H, W), True = damaged.
        pixels: tolerance; 0 gives precision and recall of ``confusion``.

    Raises:
        InputError: if the shapes differ, a mask is not bool, or ``pixels`` is negative.
    """
    _require_masks(found, truth)
    right = int(np.count_nonzero(found & grown(truth, pixels)))
    met = int(np.count_nonzero(truth & grown(found, pixels)))
    return _ratio(right, int(found.sum())), _ratio(met, int(truth.sum()))


def tolerant_confusion(
    found: np.ndarray, truth: np.ndarray, pixels: int, ignored: np.ndarray | None = None
) -> Confusion:
    """Count as ``confusion``, but forgive a miss by a few pixels; add the counts of several photos.

    A hit is a damaged pixel with a predicted one near it, so recall is that of ``tolerant``. A
    false alarm is a predicted pixel farther than ``pixels`` from all damage.

    Args:
        found: bool (H, W), True = predicted as damaged.
        truth: bool (H, W), True = damaged.
        pixels: tolerance; 0 gives ``confusion``.
        ignored: bool (H, W), True = not known; such a pixel is no false alarm. None: none is.

    >>> found, truth = np.eye(4, dtype=bool), np.eye(4, k=1, dtype=bool)
    >>> tolerant_confusion(found, truth, 1)
    Confusion(true_positive=3, false_positive=0, false_negative=0, true_negative=13)

    Raises:
        InputError: if the shapes differ, a mask is not bool, or ``pixels`` is negative.
    """
    ignored = np.zeros_like(found) if ignored is None else ignored
    _require_masks(found, truth)
    _require_masks(found, ignored)
    met = int(np.count_nonzero(truth & grown(found, pixels)))
    wrong = int(np.count_nonzero(found & ~grown(truth, pixels) & ~ignored))
    missed = int(np.count_nonzero(truth)) - met
    counted = found.size - int(np.count_nonzero(ignored & ~truth))
    return Confusion(met, wrong, missed, counted - met - wrong - missed)


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Dilate a mask by ``pixels`` in all eight directions.

    Args:
        mask: bool (H, W).
        pixels: 0 or more.

    Raises:
        InputError: if the mask is not bool (H, W) or ``pixels`` is negative.
    """
    if mask.dtype != bool or mask.ndim != 2:
        raise InputError(f"expected a bool mask (H, W), got {mask.dtype} {mask.shape}")
    if pixels < 0:
        raise InputError(f"expected a number of pixels of 0 or more, got {pixels}")
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), square).astype(bool)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _require_masks(found: np.ndarray, truth: np.ndarray) -> None:
    if found.shape != truth.shape or found.dtype != bool or truth.dtype != bool:
        raise InputError(
            "expected two bool masks of one shape, got "
            f"{found.dtype} {found.shape}, {truth.dtype} {truth.shape}"
        )
