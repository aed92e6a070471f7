"""Exercises of notebook 04: autoencoders and VAEs."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.course.exercises.engine import Exercise, Sheet
from oldphoto.course.exercises.steps import in_a_row, watched_sgd, with_weights

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
    gradients=("mean", "log_var"),
    misconceptions={
        "This is log_var where the formula has the variance, exp(log_var).": (
            lambda mean, log_var: 0.5 * (mean**2 + log_var - 1 - log_var.log()).mean()
        ),
        "The logarithm is subtracted, not added: a small variance must cost something.": (
            lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - 1 + log_var).mean()
        ),
        "The mean is not in it: all photos could sit anywhere.": (
            lambda mean, log_var: 0.5 * (log_var.exp() - 1 - log_var).mean()
        ),
        "For mean 0 and variance 1 this is not 0: the -1 is missing.": (
            lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - log_var).mean()
        ),
        "The logarithm of the variance is missing: the variance would shrink to 0.": (
            lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - 1).mean()
        ),
        "This is a sum for each photo, and a mean over photos only: it grows with the crop.": (
            lambda mean, log_var: (
                0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum((1, 2, 3)).mean()
            )
        ),
        "The square is taken of the mean of all means, in which both signs cancel.": (
            lambda mean, log_var: 0.5 * (mean.mean() ** 2 + (log_var.exp() - 1 - log_var).mean())
        ),
        "The half belongs to all four terms; yours is in front of one. Use a bracket.": (
            lambda mean, log_var: (0.5 * mean**2 + log_var.exp() - 1 - log_var).mean()
        ),
        "This is the sum over all elements: it grows with the crop. The package takes a mean.": (
            lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum()
        ),
        "The sign is the wrong way round: training would push the latent away from N(0, 1).": (
            lambda mean, log_var: -0.5 * (mean**2 + log_var.exp() - 1 - log_var).mean()
        ),
        "One factor of the closed form is missing: yours is twice too large.": (
            lambda mean, log_var: (mean**2 + log_var.exp() - 1 - log_var).mean()
        ),
        "You put in the standard deviation where the formula has the variance.": (
            lambda mean, log_var: 0.5 * (mean**2 + (log_var / 2).exp() - 1 - log_var).mean()
        ),
        "log_var is the logarithm of the variance already; where it is negative, it has no "
        "logarithm of its own.": (
            lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - 1 - log_var.log()).mean()
        ),
        "The mean enters squared, not as its absolute value.": (
            lambda mean, log_var: 0.5 * (mean.abs() + log_var.exp() - 1 - log_var).mean()
        ),
    },
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
    gradients=("mean", "log_var"),
    misconceptions={
        "The mean is missing: this is noise of the right size around 0.": (
            lambda mean, log_var, noise: (0.5 * log_var).exp() * noise
        ),
        "The half belongs into the exponent: a square root halves the exponent.": (
            lambda mean, log_var, noise: mean + 0.5 * log_var.exp() * noise
        ),
        "Only half of log_var, not its exponential: this size can be negative.": (
            lambda mean, log_var, noise: mean + 0.5 * log_var * noise
        ),
        "The noise is in the exponent. It multiplies the standard deviation.": (
            lambda mean, log_var, noise: mean + (0.5 * log_var * noise).exp()
        ),
        "The noise is added to the standard deviation. It multiplies it.": (
            lambda mean, log_var, noise: mean + (0.5 * log_var).exp() + noise
        ),
        "The mean is multiplied. It shifts the noise; it does not scale it.": (
            lambda mean, log_var, noise: mean * (0.5 * log_var).exp() * noise
        ),
        "exp(-log_var / 2) is one over the standard deviation.": (
            lambda mean, log_var, noise: mean + (-0.5 * log_var).exp() * noise
        ),
        "The noise is subtracted. That is as random, but it is not the sum that was asked for.": (
            lambda mean, log_var, noise: mean - (0.5 * log_var).exp() * noise
        ),
        "torch.normal draws the sample itself, and its gradient is 0, as the cell above has "
        "shown. Use the noise that is given.": (
            lambda mean, log_var, noise: torch.normal(mean, (0.5 * log_var).exp())
        ),
        "This draws noise of its own. Use the noise that is given.": (
            lambda mean, log_var, noise: mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        ),
        "exp(log_var) is the variance. Noise is multiplied by the standard deviation.": (
            lambda mean, log_var, noise: mean + log_var.exp() * noise
        ),
        "The logarithm itself is used as a size, so the size can be negative.": (
            lambda mean, log_var, noise: mean + log_var * noise
        ),
        "The noise is forgotten: this is a plain autoencoder, without the V.": (
            lambda mean, log_var, noise: mean
        ),
        "The size of the noise is ignored: this is the unit variance of section 5.": (
            lambda mean, log_var, noise: mean + noise
        ),
        "The roles are exchanged: the noise belongs to the standard deviation.": (
            lambda mean, log_var, noise: (0.5 * log_var).exp() + mean * noise
        ),
        "The square root of the variance is needed, not its square.": (
            lambda mean, log_var, noise: mean + (2 * log_var).exp() * noise
        ),
        "log_var can be negative and has no root then: it is the logarithm of the variance.": (
            lambda mean, log_var, noise: mean + log_var.sqrt() * noise
        ),
    },
    hints=(
        "If the variance is exp(log_var), what is the standard deviation?",
        "A square root halves the exponent. Then: shift plus scale times noise.",
    ),
    praise="Mean and spread are now ordinary numbers in an ordinary sum: gradients reach both.",
)


class _TinyVAE(nn.Module):
    """A VAE of one convolution each way, with the interface of the package's."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(2, 48, 1)
        with_weights(self, seed=4, std=0.3)

    def forward(
        self, photo: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_var = self.encoder(photo).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator)
        latent = mean + (0.5 * log_var).exp() * noise
        return F.pixel_shuffle(self.decoder(latent), 4), mean, log_var


_KLTerm = Callable[[Tensor, Tensor], Tensor]
_Optimizer = torch.optim.Optimizer
_Draw = torch.Generator
_clean = 2 * torch.rand(2, 3, 8, 8, generator=_draw) - 1


def _vae_step(
    vae: nn.Module, optimizer: _Optimizer, clean: Tensor, kl_of: _KLTerm, weight: float, draw: _Draw
) -> tuple[float, float]:
    recon, mean, log_var = vae(clean, draw)
    l1 = (recon - clean).abs().mean()
    kl = kl_of(mean, log_var)
    loss = l1 + weight * kl
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(vae.parameters(), max_norm=1.0)
    optimizer.step()
    return l1.item(), kl.item()


def _variant_of_the_step(
    zero: bool = True,
    back: bool = True,
    clip: bool = True,
    step: bool = True,
    loss: str = "sum",
) -> Callable[..., tuple[float, float]]:
    """Return the step with one thing left out or done otherwise."""

    def answer(
        vae: nn.Module,
        optimizer: _Optimizer,
        clean: Tensor,
        kl_of: _KLTerm,
        weight: float,
        draw: _Draw,
    ) -> tuple[float, float]:
        recon, mean, log_var = vae(clean, draw)
        l1, kl = (recon - clean).abs().mean(), kl_of(mean, log_var)
        total = {
            "sum": l1 + weight * kl,
            "l1 alone": l1,
            "without weight": l1 + kl,
            "minus": l1 - weight * kl,
            "detached": (recon.detach() - clean).abs().mean() + weight * kl,
            "squares": (recon - clean).square().mean() + weight * kl,
            "weight on l1": weight * l1 + kl,
            "sum of l1": (recon - clean).abs().sum() + weight * kl,
            "no abs": (recon - clean).mean() + weight * kl,
        }[loss]
        if zero:
            optimizer.zero_grad()
        if back:
            total.backward()
        if clip:
            nn.utils.clip_grad_norm_(vae.parameters(), max_norm=1.0)
        if step:
            optimizer.step()
        return l1.item(), kl.item()

    return answer


def _weights_after_steps(
    answer: Callable[..., Any], photo: Tensor, weight: float
) -> dict[str, Any] | None:
    """Take two steps with an answer; return its losses, the last gradient, and the weights."""
    vae, draw = _TinyVAE(), torch.Generator().manual_seed(0)
    start = in_a_row(vae.parameters())
    optimizer, gradient = watched_sgd(vae)
    results = [answer(vae, optimizer, photo, _kl, weight, draw) for _ in range(2)]
    weights = in_a_row(vae.parameters())
    if torch.equal(start, weights) and (results[-1] is None or results[-1] is ...):
        return None
    if not (isinstance(results[-1], tuple) and len(results[-1]) == 2):
        raise TypeError("return two numbers, the L1 term and the KL term")
    l1, kl_term = (torch.as_tensor(part).item() for part in results[-1])
    return dict(zip(_STEP_PARTS, (gradient(), weights, l1, kl_term), strict=True))


_STEP_PARTS = (
    "The gradient of the second step",
    "The weights after two steps",
    "The L1 term of the second step",
    "The KL term of the second step",
)

vae_step = Exercise(
    title="one training step of a VAE",
    level="build",
    solution=_vae_step,
    trials=((_clean, 5.0), (0.5 * _clean, 0.02)),  # a steep slope, and a gentle one
    observe=_weights_after_steps,
    tolerance=1e-3,
    misconceptions={
        "The weight belongs to the KL term; yours is on the reconstruction.": (
            _variant_of_the_step(loss="weight on l1")
        ),
        "This is a sum over all pixels, so the KL term counts for nothing. Take the mean.": (
            _variant_of_the_step(loss="sum of l1")
        ),
        "Differences of both signs cancel: take absolute ones.": _variant_of_the_step(
            loss="no abs"
        ),
        "The first step is right, the second is not: gradients add up until somebody sets "
        "them to zero.": _variant_of_the_step(zero=False),
        "The gradient is longer than 1: limit it between backward and step.": (
            _variant_of_the_step(clip=False)
        ),
        "The gradient is right, but the weights do not move: who takes the step?": (
            _variant_of_the_step(step=False)
        ),
        "No weight has a gradient: the loss was never sent back.": _variant_of_the_step(back=False),
        "The KL term is computed, but it is not in the loss.": (
            _variant_of_the_step(loss="l1 alone")
        ),
        "The KL term enters with the factor 1 instead of its weight.": (
            _variant_of_the_step(loss="without weight")
        ),
        "The KL term has the wrong sign: this step moves the latent away from the prior.": (
            _variant_of_the_step(loss="minus")
        ),
        "The decoder gets no gradient: the reconstruction is detached.": (
            _variant_of_the_step(loss="detached")
        ),
        "These are squared differences. The reconstruction term is an absolute difference.": (
            _variant_of_the_step(loss="squares")
        ),
    },
    hints=(
        "Two losses with their factor make one number. The last four lines of the loop in "
        "section 1 then follow.",
        "Mean absolute difference plus the weighted kl_of(mean, log_var); then zero_grad of the "
        "optimizer, backward of the loss, clip_grad_norm_, step of the optimizer. Return both "
        "terms as numbers.",
    ),
    praise="Losses, gradients and weights are those of the package's step.",
)


def _bits(spread: float) -> float:
    return 0.5 * math.log2(1 + spread**2)


bits = Exercise(
    title="bits that get through unit noise",
    level="modify",
    solution=_bits,
    trials=((5.0,), (1.0,), (0.2,)),
    misconceptions={
        "Nats, and twice too many. Bits use the logarithm to base 2, with a factor in front.": (
            lambda spread: math.log(1 + spread**2)
        ),
        "Twice too many, and of the standard deviation instead of its square.": (
            lambda spread: math.log2(1 + spread)
        ),
        "This is the ratio of noise to latent. It must be the other way round.": (
            lambda spread: 0.5 * math.log2(1 + 1 / spread**2)
        ),
        "The formula has the ratio of the variances; spread is a standard deviation.": (
            lambda spread: 0.5 * math.log2(1 + spread)
        ),
        "These are nats. Bits use the logarithm to base 2.": (
            lambda spread: 0.5 * math.log(1 + spread**2)
        ),
        "Twice too many: the formula has a factor in front.": (
            lambda spread: math.log2(1 + spread**2)
        ),
        "A latent smaller than the noise would carry a negative number of bits.": (
            lambda spread: 0.5 * math.log2(spread**2)
        ),
        "Twice the spread is not twice the bits: there is a logarithm.": lambda spread: spread,
    },
    hints=(
        "What is the variance of the latent, if its standard deviation is spread?",
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
    misconceptions={
        "Mean and standard deviation run over the channels. Take them over the positions.": (
            lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, correction=0, keepdim=True)
        ),
        "Each row is on its own here. Take mean and standard deviation over height and width.": (
            lambda x: (x - x.mean(3, keepdim=True)) / x.std(3, correction=0, keepdim=True)
        ),
        "The mean is still there: brightness gets through.": (
            lambda x: x / x.std((2, 3), correction=0, keepdim=True)
        ),
        "This is the root of the mean square. The variance measures from the mean.": (
            lambda x: (
                (x - x.mean((2, 3), keepdim=True)) / x.square().mean((2, 3), keepdim=True).sqrt()
            )
        ),
        "The mean runs over the batch as well: this is batch norm. Each photo stands alone.": (
            lambda x: (
                (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), correction=0, keepdim=True)
            )
        ),
        "All channels share one mean here: this is layer norm. Each channel has its own.": (
            lambda x: (
                (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), correction=0, keepdim=True)
            )
        ),
        "The mean is gone, the spread is not: contrast still gets through.": (
            lambda x: x - x.mean((2, 3), keepdim=True)
        ),
        "Divided by the variance; the spread becomes 1 if you divide by its square root.": (
            lambda x: (x - x.mean((2, 3), keepdim=True)) / x.var((2, 3), keepdim=True, correction=0)
        ),
        "One mean for the whole batch. Take one for each photo and each channel.": (
            lambda x: (x - x.mean()) / x.std(correction=0)
        ),
        "Nearly: the variance is a mean over all positions, not a sum divided by one less.": (
            lambda x: (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)
        ),
    },
    hints=(
        "Over which axes of (B, C, H, W) does one photo and one channel extend?",
        "Axes 2 and 3, with keepdim=True; subtract the mean, divide by the standard deviation.",
    ),
    praise="Every channel of every photo now has mean 0 and spread 1, whatever it was before.",
)


collapsed_run = Exercise(
    title="which run has collapsed?",
    level="investigate",
    solution="c",
    misconceptions={
        "Run a has the lowest L1, and its KL is far from 0: its latent carries a lot.": "a",
        "In run b the KL falls, but not to 0: photos still have latents of their own.": "b",
        "Run d has hardly learned anything yet: both of its terms are still falling.": "d",
    },
    hints=(
        "A collapsed latent is the same for all photos. What does this do to the KL term?",
        "Look for a KL term of 0 together with an L1 that has stopped falling.",
    ),
    praise="KL near 0 means: mean 0, variance 1 for every photo. The decoder sees only noise.",
)

sheet = Sheet("04", (kl, reparameterise, bits, vae_step, instance_norm, collapsed_run))
