"""How well damage was found: counts of pixels, precision, recall, and the curve of the two."""

from dataclasses import dataclass

import cv2
import numpy as np

from oldphoto.checks import InputError


@dataclass(frozen=True)
class Confusion:
    """Numbers of pixels by what was said of them and what is true; of several photos: add them.

    A ratio without pixels to divide by is 1: who says nothing has said nothing wrong, and where
    nothing is damaged, nothing was missed.

    Attributes:
        true_positive: damaged, and found.
        false_positive: sound, and called damaged: a false alarm.
        false_negative: damaged, and missed.
        true_negative: sound, and left alone.
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def precision(self) -> float:
        """Share of the pixels called damaged that are damaged."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the damaged pixels that were found."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."""
        wrong = self.false_positive + self.false_negative
        return _ratio(2 * self.true_positive, 2 * self.true_positive + wrong)

    @property
    def iou(self) -> float:
        """Intersection over union of what was found and what is damaged: TP / (TP + FP + FN)."""
        wrong = self.false_positive + self.false_negative
        return _ratio(self.true_positive, self.true_positive + wrong)

    @property
    def accuracy(self) -> float:
        """Share of all pixels that were judged rightly; high for whoever says "sound"."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)


@dataclass(frozen=True)
class Curve:
    """Precision and recall of every threshold that makes a difference, from strict to lenient.

    Attributes:
        threshold: float (N,), falling; damaged is what has this probability or more.
        precision: float (N,) in [0, 1].
        recall: float (N,) in (0, 1], rising to 1.
    """

    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def average_precision(self) -> float:
        r"""Precision averaged over recall, in [0, 1]: :math:`\sum_n (R_n - R_{n-1}) P_n`.

        Nothing is interpolated. Guessing gives about the share of damaged pixels.
        """
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    @property
    def best(self) -> tuple[float, float]:
        """Threshold with the largest F1, and this F1; of several, the strictest."""
        total = np.maximum(self.precision + self.recall, np.finfo(float).tiny)
        f1 = 2 * self.precision * self.recall / total
        index = int(f1.argmax())
        return float(self.threshold[index]), float(f1[index])


def confusion(found: np.ndarray, truth: np.ndarray) -> Confusion:
    """Count the pixels of a mask by what is true.

    Args:
        found: bool, any shape, true = called damaged.
        truth: bool of the same shape, true = damaged.

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
        truth: bool of the same shape, true = damaged.

    Raises:
        InputError: if the shapes differ, a probability is NaN, or nothing is damaged: then there
            is no recall.
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
    # Pixels of one probability stand or fall together: only the last of them ends a step.
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True))
    return Curve(scores[last].astype(float), hits[last] / (last + 1), hits[last] / hits[-1])


def tolerant(found: np.ndarray, truth: np.ndarray, pixels: int) -> tuple[float, float]:
    """Return precision and recall where a miss by a few pixels counts as a hit.

    A pixel called damaged is right if damage lies at most ``pixels`` away (sideways, up, down or
    diagonally); a damaged one is found if an alarm lies as near. A line that was drawn one pixel
    beside a scratch would count as all wrong otherwise.

    Args:
        found: bool (H, W), true = called damaged.
        truth: bool (H, W), true = damaged.
        pixels: 0 gives precision and recall of ``confusion``.

    Raises:
        InputError: if the shapes differ, a mask is not bool, or ``pixels`` is negative.
    """
    _require_masks(found, truth)
    right = np.count_nonzero(found & grown(truth, pixels))
    met = np.count_nonzero(truth & grown(found, pixels))
    return _ratio(right, np.count_nonzero(found)), _ratio(met, np.count_nonzero(truth))


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Return a mask that reaches ``pixels`` further in all eight directions.

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
