"""A discriminator of numbers on a line, where both densities are known."""

import torch
from torch import Tensor
from torch.distributions import Normal

from oldphoto.checks import require_positive
from oldphoto.course.common import one_thread
from oldphoto.course.lessons.gan.ring import Rules, layers

_BATCH, _RATE = 256, 3e-3


def area(values: Tensor, x: Tensor) -> float:
    """Return the integral of values (N,) at rising places x (N,), by the trapezoidal rule."""
    return float(torch.trapezoid(values, x))


def best_value(p: Tensor, q: Tensor, x: Tensor) -> float:
    """Return the value of the game against the best discriminator, p / (p + q).

    Args:
        p: density of real samples at each place, (N,), above 0.
        q: density of generated samples, the same.
        x: the places, rising.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), equation 1.
    """
    d, other = p / (p + q), q / (p + q)  # other is 1 - d, where that would be rounded to 0
    return area(p * d.log() + q * other.log(), x)


def jensen_shannon(p: Tensor, q: Tensor, x: Tensor) -> float:
    """Return the Jensen-Shannon divergence of two densities in nats: 0 to log 2.

    Args:
        p, q: densities at each place, (N,), above 0.
        x: the places, rising.
    """
    middle = (p + q) / 2
    return 0.5 * area(p * (p / middle).log(), x) + 0.5 * area(q * (q / middle).log(), x)


@one_thread()
def train_discriminator(
    rules: Rules, real: Normal, fake: Normal, x: Tensor, num_steps: int = 400, seed: int = 0
) -> Tensor:
    """Train a small discriminator on samples of two distributions; return its scores at x, (N,).

    Args:
        rules: whose loss of the discriminator is lowered.
        real, fake: where the samples come from.
        x: places (N,), not used in training.
        num_steps: of Adam, each on 256 samples of each kind.
        seed: of the weights and the samples.
    """
    require_positive(num_steps=num_steps)
    with torch.random.fork_rng(devices=[]):  # the notebook's own random numbers stay as they are
        torch.manual_seed(seed)
        discriminator = layers(1, 1, slope=0.2)
        optimizer = torch.optim.Adam(discriminator.parameters(), lr=_RATE)
        for _ in range(num_steps):
            samples = (kind.sample((_BATCH, 1)) for kind in (real, fake))
            optimizer.zero_grad()
            rules.discriminator(*map(discriminator, samples)).backward()
            optimizer.step()
    with torch.no_grad():
        return discriminator(x[:, None].float())[:, 0].to(x)
