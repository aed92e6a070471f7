"""The gap between synthetic and real damage, measured by six simple features."""

from collections.abc import Sequence

import cv2
import numpy as np

from oldphoto.checks import InputError
from oldphoto.degradations.common import generator, require_photo

FEATURES = (
    "black level",
    "white level",
    "contrast",
    "colour spread",
    "fine detail",
    "detail, neighbours alike",
)
MIN_PHOTOS = 4


def photo_features(photo: np.ndarray) -> np.ndarray:
    """Describe a photo, uint8 (H, W, 3), by six numbers, named in ``FEATURES``.

    Returns:
        float64 (6,): the grey levels below which 1 % and 99 % of the pixels lie; the
        standard deviation of the brightness; that between the channels of a pixel, on average;
        the mean size of the finest detail (photo minus its 3 x 3 mean), in grey levels; and how
        alike that detail is in neighbouring pixels (their correlation, -1 to 1): fresh noise
        differs from pixel to pixel, while scanned grain hangs together.
    """
    require_photo(photo)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float64)
    detail = grey - cv2.blur(grey, (3, 3))
    variance = max(float((detail**2).mean()), 1e-9)
    alike = (detail[:, 1:] * detail[:, :-1]).mean() / variance
    return np.array(
        [
            np.quantile(grey, 0.01),
            np.quantile(grey, 0.99),
            grey.std(),
            photo.astype(np.float64).std(axis=2).mean(),
            np.abs(detail).mean(),
            alike,
        ]
    )


def feature_table(photos: Sequence[np.ndarray]) -> np.ndarray:
    """Return the features of photos, float64 (number of photos, 6)."""
    return np.array([photo_features(photo) for photo in photos])


def told_apart(
    first: np.ndarray, second: np.ndarray, seed: int = 0, num_splits: int = 200
) -> float:
    """Return the accuracy of a nearest-mean classifier between two sets of photos.

    Both sets are cut into halves at random, many times. One half gives the means (features
    divided by their standard deviation); each photo of the other half is assigned to the
    nearer mean. Leaving out one photo at a time would not do: a photo moves its own mean away
    as it leaves, and two halves of the same set would come out far below 0.5.

    Args:
        first, second: tables of features (N, F) and (M, F).

    Returns:
        Mean accuracy over both sets: 0.5 is guessing, 1 is always right.

    Raises:
        InputError: if a set has too few photos, or the tables do not fit each other.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(
            f"expected two tables with the same features, got {first.shape} and {second.shape}"
        )
    if min(len(first), len(second)) < MIN_PHOTOS:
        raise InputError(
            f"expected at least {MIN_PHOTOS} photos a set, got {len(first)} and {len(second)}"
        )
    scale = np.maximum(np.vstack((first, second)).std(axis=0), 1e-9)
    rng = generator(seed)
    fractions = [_recognised(first / scale, second / scale, rng) for _ in range(num_splits)]
    return float(np.mean(fractions))


def _recognised(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> float:
    """Return the accuracy of one random split, mean over both sets."""
    halves = [np.array_split(photos[rng.permutation(len(photos))], 2) for photos in (first, second)]
    means = [known.mean(axis=0) for known, _ in halves]
    fractions = []
    for own, (_, unknown) in enumerate(halves):
        away = [np.linalg.norm(unknown - mean, axis=1) for mean in means]
        fractions.append((away[own] < away[1 - own]).mean())
    return float(np.mean(fractions))
