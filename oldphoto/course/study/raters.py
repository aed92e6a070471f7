"""Simulated raters with known preferences, to check the analysis of a user study.

The model is that of Plackett and Luce: each method has a weight, the first place goes to a method
with probability weight / sum of weights, the second to one of the rest in the same way, and so on.
A rater may have individual preferences, which are the same on every photo.
"""

import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from oldphoto.checks import InputError, require_positive
from oldphoto.course.study.study import Ranking, Study


def simulate(
    study: Study, weights: Mapping[str, float], num_raters: int, taste: float = 0.0, seed: int = 0
) -> list[Ranking]:
    """Simulate raters and return their rankings of all photos of the study.

    Args:
        study: what they rank.
        weights: method to its weight, greater than 0.
        num_raters: how many.
        taste: standard deviation of the logarithm of each rater's factors; 0 = all equal.
        seed: of the drawing.

    Raises:
        InputError: if a method has no weight, a weight is not positive, or taste is negative.

    Source:
        Plackett 1975; Luce 1959. Sorting log weights plus Gumbel noise draws from this model.
    """
    log_weights = np.log(_ordered(weights, study.methods))
    require_positive(num_raters=num_raters)
    if taste < 0:
        raise InputError(f"taste must not be negative, got {taste}")
    rng = np.random.default_rng(seed)
    own = log_weights + taste * rng.normal(size=(num_raters, 1, len(log_weights)))
    scores = own + rng.gumbel(size=(num_raters, len(study.photos), len(log_weights)))
    return [
        Ranking(
            f"rater_{rater + 1:03}",
            study.photos[photo],
            tuple(study.methods[index] for index in np.argsort(-scores[rater, photo])),
        )
        for rater in range(num_raters)
        for photo in range(len(study.photos))
    ]


def true_percentages(weights: Mapping[str, float], num_columns: int | None = None) -> np.ndarray:
    """Return the expected table for raters without individual preferences.

    The sum runs over all orders, so there may be at most 7 methods.

    Args:
        weights: method to weight.
        num_columns: Top 1 to Top num_columns; None: one less than there are methods.

    Returns:
        (M, K) in percent, methods in the order of ``weights``.

    Raises:
        InputError: if there are more than 7 methods, or a weight is not positive.

    >>> true_percentages({"a": 1, "b": 3})
    array([[25.],
           [75.]])
    """
    values = _ordered(weights, tuple(weights))
    if len(values) > 7:
        raise InputError(f"expected at most 7 methods, got {len(values)}")
    columns = len(values) - 1 if num_columns is None else num_columns
    percentages = np.zeros((len(values), columns))
    for order, probability in _orders(values):
        for k in range(columns):
            percentages[list(order[: k + 1]), k] += probability
    return 100 * percentages


def _orders(weights: np.ndarray) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield each order with its probability."""
    for order in itertools.permutations(range(len(weights))):
        left, probability = float(weights.sum()), 1.0
        for index in order:
            probability *= weights[index] / left
            left -= weights[index]
            left = max(left, math.ulp(0.0))  # the last method has probability 1
        yield order, probability


def _ordered(weights: Mapping[str, float], methods: tuple[str, ...]) -> np.ndarray:
    missing = [method for method in methods if method not in weights]
    if missing:
        raise InputError(f"expected a weight for each method, got none for {missing[0]}")
    require_positive(**{f"weight of {method}": weights[method] for method in methods})
    return np.array([weights[method] for method in methods], dtype=float)
