"""Exercises of notebook 04: autoencoders and VAEs."""

import math

import torch
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Misconception, Sheet

_draw = torch.Generator().manual_seed(4)
_mean = 1.5 * torch.randn(2, 3, 4, 5, generator=_draw)
_log_var = torch.randn(2, 3, 4, 5, generator=_draw)
_noise = torch.randn(2, 3, 4, 5, generator=_draw)
_features = 3 * torch.randn(2, 3, 6, 5, generator=_draw)
_features = _features + 2 * torch.randn(2, 3, 1, 1, generator=_draw)


def _kl(mean: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (mean**2 + log_var.exp() - 1 - log_var).mean()


kl = Exercise(
    title="the KL term",
    level="complete a line",
    solution=_kl,
    trials=((_mean, _log_var), (0.1 * _mean, 2 * _log_var)),
    misconceptions=(
        Misconception(
            lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(),
            "This is the sum over all elements: it grows with the crop. The package takes a mean.",
        ),
        Misconception(
            lambda mean, log_var: -0.5 * (mean**2 + log_var.exp() - 1 - log_var).mean(),
            "The sign is the wrong way round: training would push the code away from N(0, 1).",
        ),
        Misconception(
            lambda mean, log_var: (mean**2 + log_var.exp() - 1 - log_var).mean(),
            "One factor of the closed form is missing: yours is twice too large.",
        ),
        Misconception(
            lambda mean, log_var: 0.5 * (mean**2 + (log_var / 2).exp() - 1 - log_var).mean(),
            "You put in the standard deviation where the formula has the variance.",
        ),
        Misconception(
            lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - 1 - log_var.log()).mean(),
            "log_var is the logarithm of the variance already; where it is negative, it has no "
            "logarithm of its own.",
        ),
        Misconception(
            lambda mean, log_var: 0.5 * (mean.abs() + log_var.exp() - 1 - log_var).mean(),
            "The mean enters squared, not as its absolute value.",
        ),
    ),
    hints=(
        "Which function turns log_var into the variance? Which term needs no function at all?",
        "Four terms in a bracket, half of them, and at last .mean() over everything.",
    ),
    praise="It is 0 only for mean 0 and variance 1, and positive otherwise.",
)


def _reparameterise(mean: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    return mean + (0.5 * log_var).exp() * noise


reparameterise = Exercise(
    title="the reparameterised sample",
    level="complete a line",
    solution=_reparameterise,
    trials=((_mean, _log_var, _noise), (_mean, torch.full_like(_log_var, -6.0), _noise)),
    misconceptions=(
        Misconception(
            lambda mean, log_var, noise: mean + log_var.exp() * noise,
            "exp(log_var) is the variance. Noise is multiplied by the standard deviation.",
        ),
        Misconception(
            lambda mean, log_var, noise: mean + log_var * noise,
            "The logarithm itself is used as a size, so the size can be negative.",
        ),
        Misconception(
            lambda mean, log_var, noise: mean,
            "The noise is forgotten: this is a plain autoencoder, without the V.",
        ),
        Misconception(
            lambda mean, log_var, noise: mean + noise,
            "The size of the noise is ignored: this is the unit variance of section 5.",
        ),
        Misconception(
            lambda mean, log_var, noise: (0.5 * log_var).exp() + mean * noise,
            "The roles are exchanged: the noise belongs to the standard deviation.",
        ),
        Misconception(
            lambda mean, log_var, noise: mean + (2 * log_var).exp() * noise,
            "The square root of the variance is needed, not its square.",
        ),
        Misconception(
            lambda mean, log_var, noise: mean + log_var.sqrt() * noise,
            "log_var can be negative and has no root then: it is the logarithm of the variance.",
        ),
    ),
    hints=(
        "If the variance is exp(log_var), what is the standard deviation?",
        "A square root halves the exponent. Then: shift plus scale times noise.",
    ),
    praise="Mean and spread are now ordinary numbers in an ordinary sum: gradients reach both.",
)


def _bits(spread: float) -> float:
    return 0.5 * math.log2(1 + spread**2)


bits = Exercise(
    title="bits that get through unit noise",
    level="modify",
    solution=_bits,
    trials=((5.0,), (1.0,), (0.2,)),
    misconceptions=(
        Misconception(
            lambda spread: 0.5 * math.log2(1 + spread),
            "The formula has the ratio of the variances; spread is a standard deviation.",
        ),
        Misconception(
            lambda spread: 0.5 * math.log(1 + spread**2),
            "These are nats. Bits use the logarithm to base 2.",
        ),
        Misconception(
            lambda spread: math.log2(1 + spread**2),
            "Twice too many: the formula has a factor in front.",
        ),
        Misconception(
            lambda spread: 0.5 * math.log2(spread**2),
            "A code smaller than the noise would carry a negative number of bits.",
        ),
        Misconception(
            lambda spread: spread,
            "Twice the spread is not twice the bits: there is a logarithm.",
        ),
    ),
    hints=(
        "What is the variance of the code, if its standard deviation is spread?",
        "math.log2 takes one plus the ratio of the variances; the noise has variance 1.",
    ),
    praise="A spread of 1 gives half a bit; each doubling of a large spread adds one bit.",
)


def _instance_norm(features: Tensor) -> Tensor:
    mean = features.mean((2, 3), keepdim=True)
    variance = features.var((2, 3), correction=0, keepdim=True)
    return (features - mean) / (variance + 1e-5).sqrt()


instance_norm = Exercise(
    title="instance norm by hand",
    level="modify",
    solution=_instance_norm,
    trials=((_features,), (0.5 * _features + 3,)),
    tolerance=1e-3,
    misconceptions=(
        Misconception(
            lambda x: (
                (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), correction=0, keepdim=True)
            ),
            "The mean runs over the batch as well: this is batch norm. Each photo stands alone.",
        ),
        Misconception(
            lambda x: (
                (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), correction=0, keepdim=True)
            ),
            "All channels share one mean here: this is layer norm. Each channel has its own.",
        ),
        Misconception(
            lambda x: x - x.mean((2, 3), keepdim=True),
            "The mean is gone, the spread is not: contrast still gets through.",
        ),
        Misconception(
            lambda x: (
                (x - x.mean((2, 3), keepdim=True)) / x.var((2, 3), keepdim=True, correction=0)
            ),
            "Divided by the variance; the spread becomes 1 if you divide by its square root.",
        ),
        Misconception(
            lambda x: (x - x.mean()) / x.std(correction=0),
            "One mean for the whole batch. Take one for each photo and each channel.",
        ),
        Misconception(
            lambda x: (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True),
            "Nearly: the variance is a mean over all positions, not a sum divided by one less.",
        ),
    ),
    hints=(
        "Over which axes of (B, C, H, W) does one photo and one channel extend?",
        "Axes 2 and 3, with keepdim=True; subtract the mean, divide by the standard deviation.",
    ),
    praise="Every channel of every photo now has mean 0 and spread 1, whatever it was before.",
)


def _collapsed_run() -> str:
    return "c"


collapsed_run = Exercise(
    title="which run has collapsed?",
    level="investigate",
    solution=_collapsed_run,
    misconceptions=(
        Misconception(
            "a",
            "Run a has the lowest L1, and its KL is far from 0: its code carries a lot.",
        ),
        Misconception(
            "b", "In run b the KL falls, but not to 0: photos still have codes of their own."
        ),
        Misconception(
            "d", "Run d has hardly learned anything yet: both of its terms are still falling."
        ),
    ),
    hints=(
        "A collapsed code is the same for all photos. What does this do to the KL term?",
        "Look for a KL term of 0 together with an L1 that has stopped falling.",
    ),
    praise="KL near 0 means: mean 0, variance 1 for every photo. The decoder sees only noise.",
)

sheet = Sheet((kl, reparameterise, bits, instance_norm, collapsed_run))
