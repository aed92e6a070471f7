"""Exercises of notebook 11: decibels, SSIM, LPIPS, the Fréchet distance, a coin, the bootstrap."""

import math

import numpy as np
import torch
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Sheet
from oldphoto.course.lessons.metrics.metrics import C1, C2, window_weights

_rng = np.random.default_rng(11)


def _grey_levels(decibels: float) -> float:
    return 255 * 10 ** (-decibels / 20)


grey_levels = Exercise(
    title="from decibels to grey levels",
    level="complete a line",
    solution=_grey_levels,
    trials=((20.0,), (26.5,), (33.0,)),
    misconceptions={
        "This is the square. PSNR with 20 has the error itself.": lambda decibels: (
            255**2 * 10 ** (-decibels / 20)
        ),
        "6 dB are nearly a factor of 2, but not exactly: use base 10.": lambda decibels: (
            255 * 2 ** (-decibels / 6)
        ),
        "256 is the number of levels; the largest one is 255.": lambda decibels: (
            256 * 10 ** (-decibels / 20)
        ),
        "This is a fraction of the range, as for photos in [0, 1]. These go up to 255.": (
            lambda decibels: 10 ** (-decibels / 20)
        ),
        "This is the mean squared error. Return its root, in grey levels.": (
            lambda decibels: 255**2 * 10 ** (-decibels / 10)
        ),
        "Ten decibels are a factor of ten for the SQUARED error. What are they for its root?": (
            lambda decibels: 255 * 10 ** (-decibels / 10)
        ),
        "This is a power of e. Decibels use base 10.": (
            lambda decibels: 255 * math.exp(-decibels / 20)
        ),
        "More decibels mean a smaller error. Check the sign.": (
            lambda decibels: 255 * 10 ** (decibels / 20)
        ),
    },
    hints=(
        "Solve PSNR = 20 log10(255 / error) for the error.",
        "Divide the decibels by 20, raise 10 to minus that power, and scale to the range 0 to 255.",
    ),
    praise="6 dB less is twice the error, 20 dB less is ten times.",
)

_weights = window_weights()
_smooth = 90 + 12 * np.add.outer(np.arange(11), np.arange(11)) / 2
_window = np.clip(_smooth + _rng.normal(0, 14, (11, 11)), 0, 255)
_changed = np.clip(0.6 * _window + 70 + _rng.normal(0, 9, (11, 11)), 0, 255)
_negative = 255 - _window


def _moments(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[float, ...]:
    mean_x, mean_y = (w * x).sum(), (w * y).sum()
    var_x, var_y = (w * (x - mean_x) ** 2).sum(), (w * (y - mean_y) ** 2).sum()
    return mean_x, mean_y, var_x, var_y, (w * (x - mean_x) * (y - mean_y)).sum()


def _terms(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """Return luminance, and contrast times structure."""
    mean_x, mean_y, var_x, var_y, cov = _moments(x, y, w)
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return luminance, (2 * cov + C2) / (var_x + var_y + C2)


def _window_ssim(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    mean_x, mean_y = (w * x).sum(), (w * y).sum()
    var_x = (w * (x - mean_x) ** 2).sum()
    var_y = (w * (y - mean_y) ** 2).sum()
    covariance = (w * (x - mean_x) * (y - mean_y)).sum()
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return luminance * (2 * covariance + C2) / (var_x + var_y + C2)


def _with_roots(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    _, _, var_x, var_y, cov = _moments(x, y, w)
    return _terms(x, y, w)[0] * (2 * cov + C2) / (np.sqrt(var_x) + np.sqrt(var_y) + C2)


def _for_unit_range(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    c1, c2 = C1 / 255**2, C2 / 255**2
    mean_x, mean_y, var_x, var_y, cov = _moments(x, y, w)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance * (2 * cov + c2) / (var_x + var_y + c2)


def _exchanged_constants(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    mean_x, mean_y, var_x, var_y, cov = _moments(x, y, w)
    luminance = (2 * mean_x * mean_y + C2) / (mean_x**2 + mean_y**2 + C2)
    return luminance * (2 * cov + C1) / (var_x + var_y + C1)


def _without_structure(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    _, _, var_x, var_y, _ = _moments(x, y, w)
    return _terms(x, y, w)[0] * (2 * np.sqrt(var_x * var_y) + C2) / (var_x + var_y + C2)


def _uncentred(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    _, _, var_x, var_y, _ = _moments(x, y, w)
    return _terms(x, y, w)[0] * (2 * (w * x * y).sum() + C2) / (var_x + var_y + C2)


window_ssim = Exercise(
    title="SSIM of one window",
    level="complete a line",
    solution=_window_ssim,
    trials=((_changed, _window, _weights), (_negative, _window, _weights)),
    misconceptions={
        "The sign of the covariance is lost: a negative is not similar.": (
            lambda x, y, w: abs(_window_ssim(x, y, w))
        ),
        "The constants are exchanged: C1 belongs to the means.": _exchanged_constants,
        "This is the distance, one minus the similarity.": lambda x, y, w: (
            1 - _window_ssim(x, y, w)
        ),
        "Values below 0 are cut off, but SSIM can be negative.": lambda x, y, w: max(
            0.0, _window_ssim(x, y, w)
        ),
        "This compares the means alone. Contrast and structure are missing.": (
            lambda x, y, w: _terms(x, y, w)[0]
        ),
        "The first term, which compares the means, is missing.": lambda x, y, w: _terms(x, y, w)[1],
        "The terms are multiplied, not averaged: one that is near 0 makes the whole near 0.": (
            lambda x, y, w: sum(_terms(x, y, w)) / 2
        ),
        "The denominator has the variances, not their roots.": _with_roots,
        "The constants are missing or too small: lab.C1 and lab.C2 are for the range 255.": (
            _for_unit_range
        ),
        "You compare brightness and contrast. Structure needs the covariance.": _without_structure,
        "Subtract the means before you average the product of both windows.": _uncentred,
        "All pixels have the same weight here. Use w: the middle of the window counts more.": (
            lambda x, y, w: (
                _terms(x, y, np.full_like(w, 1 / w.size))[0]
                * _terms(x, y, np.full_like(w, 1 / w.size))[1]
            )
        ),
    },
    hints=(
        "A weighted mean is (w * x).sum(), because the weights sum to 1. Start with both means.",
        "Variances and covariance are weighted means as well: of products of differences.",
    ),
    praise="And it can be negative: a window and its negative have opposite structure.",
)

_generator = torch.Generator().manual_seed(11)
_a, _b = torch.rand(2, 1, 5, 4, 6, generator=_generator)
_factors = torch.rand(5, generator=_generator)


def _direction(features: Tensor) -> Tensor:
    return features / features.norm(dim=1, keepdim=True)


def _layer_distance(a: Tensor, b: Tensor, factors: Tensor) -> Tensor:
    a = a / a.norm(dim=1, keepdim=True)
    b = b / b.norm(dim=1, keepdim=True)
    weighted = factors.view(1, -1, 1, 1) * (a - b) ** 2
    return weighted.sum(dim=1).mean()


def _channel(factors: Tensor) -> Tensor:
    return factors.view(1, -1, 1, 1)


layer_distance = Exercise(
    title="the distance of LPIPS in one layer",
    level="modify",
    solution=_layer_distance,
    trials=((_a, _b, _factors), (_b, 3 * _a, _factors)),
    gradients=("a",),
    limits=(0.0, float("inf")),
    misconceptions={
        "Only one of the two has the length 1.": (
            lambda a, b, factors: (_channel(factors) * (_direction(a) - b) ** 2).sum(dim=1).mean()
        ),
        "The factors are squared as well. They multiply the squares.": (
            lambda a, b, factors: (
                (_channel(factors) * (_direction(a) - _direction(b))).square().sum(dim=1).mean()
            )
        ),
        "The length is that of a channel over all positions. Each position has its own.": (
            lambda a, b, factors: (
                (
                    _channel(factors)
                    * (a / a.norm(dim=(2, 3), keepdim=True) - b / b.norm(dim=(2, 3), keepdim=True))
                    ** 2
                )
                .sum(dim=1)
                .mean()
            )
        ),
        "The features still have their lengths: a photo with more contrast would be far away.": (
            lambda a, b, factors: (_channel(factors) * (a - b) ** 2).sum(dim=1).mean()
        ),
        "You divide by one length for the whole map. Each position has its own length.": (
            lambda a, b, factors: (
                (_channel(factors) * (a / a.norm() - b / b.norm()) ** 2).sum(dim=1).mean()
            )
        ),
        "Over the channels it is a sum, only over the positions it is a mean.": (
            lambda a, b, factors: (_channel(factors) * (_direction(a) - _direction(b)) ** 2).mean()
        ),
        "Over the positions it is a mean: a larger photo is not further away.": (
            lambda a, b, factors: (_channel(factors) * (_direction(a) - _direction(b)) ** 2).sum()
        ),
        "These are absolute differences. LPIPS uses squares.": lambda a, b, factors: (
            (_channel(factors) * (_direction(a) - _direction(b)).abs()).sum(dim=1).mean()
        ),
        "The factors, which were learned from human judgements, are not used.": (
            lambda a, b, factors: (_direction(a) - _direction(b)).square().sum(dim=1).mean()
        ),
    },
    hints=(
        "At each position the channels are a vector. Divide it by its length: norm over dim 1.",
        "With keepdim=True you can divide by the lengths directly. Do it for a and b.",
    ),
    praise="Features three times as large have the same direction: distance 0.",
)


def _frechet(mean_1: float, std_1: float, mean_2: float, std_2: float) -> float:
    return (mean_1 - mean_2) ** 2 + (std_1 - std_2) ** 2


frechet = Exercise(
    title="the Fréchet distance of two bell curves",
    level="complete a line",
    solution=_frechet,
    trials=((0.0, 1.0, 3.0, 2.0), (5.0, 0.5, 4.0, 2.5)),
    limits=(0.0, float("inf")),
    misconceptions={
        "Two curves with the same width can still have different means.": lambda m1, s1, m2, s2: (
            (s1 - s2) ** 2
        ),
        "The mixed term has the root of the product of the variances, minus twice.": (
            lambda m1, s1, m2, s2: (m1 - m2) ** 2 + s1**2 + s2**2 - s1 * s2
        ),
        "Squares are added one by one: the square of a sum mixes means and widths.": (
            lambda m1, s1, m2, s2: (m1 - m2 + s1 - s2) ** 2
        ),
        "This is the root of it. FID is the squared distance; no root is taken.": (
            lambda m1, s1, m2, s2: math.hypot(m1 - m2, s1 - s2)
        ),
        "You compare the variances. Compare the standard deviations.": (
            lambda m1, s1, m2, s2: (m1 - m2) ** 2 + (s1**2 - s2**2) ** 2
        ),
        "Equal curves would not be at distance 0: the mixed term, minus twice, is missing.": (
            lambda m1, s1, m2, s2: (m1 - m2) ** 2 + s1**2 + s2**2
        ),
        "You use standard deviations as variances. A variance is their square.": (
            lambda m1, s1, m2, s2: (m1 - m2) ** 2 + s1 + s2 - 2 * math.sqrt(s1 * s2)
        ),
        "Both differences are squared before they are added.": (
            lambda m1, s1, m2, s2: abs(m1 - m2) + abs(s1 - s2)
        ),
        "Two curves with the same mean can still have different widths.": (
            lambda m1, s1, m2, s2: (m1 - m2) ** 2
        ),
    },
    hints=(
        "With one channel, covariances are variances, and the trace does nothing.",
        "The root of a product of variances is the product of the standard deviations.",
    ),
    praise="For normal distributions this is the optimal transport cost (squared distance).",
)

_values = np.array([3.0, 9.0, 14.0, 2.0, 7.0, 30.0, 11.0, 5.0])
_others = np.array([26.1, 24.0, 31.5, 22.2, 27.7, 25.0])


def _interval(values: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    draws = rng.choice(values, size=(4000, len(values)), replace=True)
    return np.quantile(draws.mean(axis=1), [0.025, 0.975])


def _means(values: np.ndarray, seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(values, size=(4000, size)).mean(axis=1)


interval = Exercise(
    title="a bootstrap interval",
    level="modify",
    solution=_interval,
    trials=((_values, 0), (_others, 1)),
    tolerance=0.03,  # whoever draws in another order gets a slightly different interval
    misconceptions={
        "np.percentile takes percent, np.quantile fractions.": (
            lambda values, seed: np.percentile(_means(values, seed, len(values)), [0.025, 0.975])
        ),
        "The two ends are exchanged.": lambda values, seed: _interval(values, seed)[::-1],
        "Without repetition every draw holds the same values, so all means are equal.": (
            lambda values, seed: np.array([values.mean(), values.mean()])
        ),
        "These are quantiles of the values. You need the spread of the MEAN.": (
            lambda values, seed: np.quantile(values, [0.025, 0.975])
        ),
        "Take the mean of each draw first, and then the quantiles of these means.": (
            lambda values, seed: np.quantile(
                np.random.default_rng(seed).choice(values, size=(4000, len(values))),
                [0.025, 0.975],
            )
        ),
        "This contains the middle half. For 95 %, leave out 2.5 % on either side.": (
            lambda values, seed: np.quantile(_means(values, seed, len(values)), [0.25, 0.75])
        ),
        "This leaves out 5 % on either side, so it contains 90 %. What is right for 95 %?": (
            lambda values, seed: np.quantile(_means(values, seed, len(values)), [0.05, 0.95])
        ),
        "Each draw must have as many values as there are photos, or its mean varies too much.": (
            lambda values, seed: np.quantile(_means(values, seed, 2), [0.025, 0.975])
        ),
    },
    hints=(
        "Can one photo occur twice in a draw? What happens to the mean if it cannot?",
        "Look at the argument replace. With True, a photo can occur twice or not at all.",
    ),
    praise="The bootstrap uses your photos as a model of all photos.",
)


def _coin() -> float:
    return (8 + 1) / 2**8


coin = Exercise(
    title="what a coin would say",
    level="investigate",
    solution=_coin,
    tolerance=0.01,  # a rounded probability is right
    misconceptions={
        "This is exactly 7 of 8. At least 7 includes one more case.": 8 / 256,
        "This is all 8 of 8. Add the cases with exactly 7.": 1 / 256,
        "This is at least 6 of 8. Compute at least 7.": 37 / 256,
        "This is the agreement itself. How probable is it by chance?": 7 / 8,
        "This is 7 particular pairs, with any result for the eighth.": 0.5**7,
        "This is in percent. Return a probability between 0 and 1.": 100 * 9 / 256,
    },
    hints=(
        "There are 2**8 equally likely sequences of 8 answers. Count those with at least 7.",
        "In how many sequences is exactly one answer wrong, and in how many none?",
    ),
    praise="So 7 of 8 is unlikely by chance, but 6 of 8 is not.",
)

sheet = Sheet("11", (grey_levels, window_ssim, layer_distance, frechet, coin, interval))
