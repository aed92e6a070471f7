"""Distance between two sets of latents: real old photos and synthetic damage in one latent space.

Every metric takes two tables with one latent per row. Distances are in the units of the latents.
Bring latents of different networks to one scale first, see ``to_one_scale``.
"""

import torch
from torch import Tensor, nn

from oldphoto.checks import InputError

HIDDEN = 32
"""Units of the domain classifier's one hidden layer."""


def _require_latents(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return both tables as float64, or raise InputError when they cannot be compared."""
    for latents in (first, second):
        if latents.ndim != 2 or len(latents) < 2:
            raise InputError(
                "expected latents as a table (number of latents, channels) with at least 2 rows, "
                f"got shape {tuple(latents.shape)}"
            )
    if first.shape[1] != second.shape[1]:
        raise InputError(
            "expected latents with the same number of channels, "
            f"got {first.shape[1]} and {second.shape[1]}"
        )
    return first.detach().double(), second.detach().double()


def to_one_scale(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Move and scale both sets alike, so that together each channel has mean 0 and std 1.

    An encoder that shrinks all its latents shrinks every distance without mixing the two sets.
    After this step that makes no difference.

    Args:
        first, second: (N, C) and (M, C).

    Raises:
        InputError: if the tables cannot be compared.
    """
    first, second = _require_latents(first, second)
    both = torch.cat([first, second])
    mean, std = both.mean(dim=0), both.std(dim=0).clamp_min(1e-12)
    return (first - mean) / std, (second - mean) / std


def wasserstein_1d(first: Tensor, second: Tensor) -> Tensor:
    r"""Return the Wasserstein-1 distance between two sets of numbers, column by column.

    .. math:: W_1(p, q) = \int_0^1 | F_p^{-1}(t) - F_q^{-1}(t) | \, dt

    It is the least mean distance over which the numbers of one set can be moved onto the other.

    Args:
        first, second: (N, C) and (M, C); N and M may differ.

    Returns:
        (C,) distances in the units of the numbers.

    >>> wasserstein_1d(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [5.0]]))
    tensor([2.], dtype=torch.float64)

    Source:
        Villani 2003, theorem 2.18 (in one dimension, sorted numbers are matched in order).
    """
    first, second = _require_latents(first, second)
    n, m = len(first), len(second)
    # Both quantile functions are step functions. They change at these fractions t and nowhere else.
    ends = torch.cat([torch.arange(1, n + 1) / n, torch.arange(1, m + 1) / m]).double()
    ends = ends.to(first).sort().values
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    middles = (starts + ends) / 2
    rows_first = (middles * n).long().clamp_max(n - 1)
    rows_second = (middles * m).long().clamp_max(m - 1)
    apart = first.sort(dim=0).values[rows_first] - second.sort(dim=0).values[rows_second]
    return ((ends - starts)[:, None] * apart.abs()).sum(dim=0)


def sliced_wasserstein(
    first: Tensor, second: Tensor, num_directions: int = 64, seed: int = 0
) -> float:
    r"""Return the mean Wasserstein-1 distance of the latents projected on random directions.

    .. math:: SW(P, Q) = E_{\|u\| = 1}\, W_1(u^\top P, u^\top Q)

    Args:
        first, second: (N, C) and (M, C).
        num_directions: random directions of length 1; more reduce the variance of the mean.
        seed: of the directions.

    Raises:
        InputError: if the tables cannot be compared.

    Source:
        Rabin et al. 2011; Bonneel et al. 2015 (doi 10.1007/s10851-014-0506-3).
    """
    first, second = _require_latents(first, second)
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(first.shape[1], num_directions, generator=generator).to(first)
    directions = directions / directions.norm(dim=0)
    return float(wasserstein_1d(first @ directions, second @ directions).mean())


def median_bandwidth(first: Tensor, second: Tensor) -> float:
    """Return the median distance between two different latents of both sets together.

    Source: the median heuristic of Gretton et al. 2012, section 8.
    """
    first, second = _require_latents(first, second)
    return float(torch.pdist(torch.cat([first, second])).median().clamp_min(1e-12))


def mmd_squared(first: Tensor, second: Tensor, bandwidth: float | None = None) -> float:
    r"""Return the squared maximum mean discrepancy with a Gaussian kernel, estimated unbiased.

    .. math:: E[k(a, a')] + E[k(b, b')] - 2 E[k(a, b)], \quad
              k(a, b) = \exp(-\|a - b\|^2 / 2 \sigma^2)

    Pairs of a latent with itself are left out. So it is 0 on average for equal distributions, and
    can be a little below 0.

    Args:
        first, second: (N, C) and (M, C).
        bandwidth: sigma; None takes ``median_bandwidth``.

    Raises:
        InputError: if the tables cannot be compared.

    Source:
        Gretton et al. 2012 (A Kernel Two-Sample Test), lemma 6, equation 3.
    """
    first, second = _require_latents(first, second)
    sigma = median_bandwidth(first, second) if bandwidth is None else bandwidth

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (-torch.cdist(a, b).square() / (2 * sigma**2)).exp()

    within = [
        (kernel(latents, latents).sum() - len(latents)) / (len(latents) * (len(latents) - 1))
        for latents in (first, second)
    ]
    return float(sum(within) - 2 * kernel(first, second).mean())


def domain_accuracy(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    num_steps: int = 150,
    seed: int = 0,
) -> float:
    """Return how well a small classifier separates the two kinds of latents: 0.5 is guessing.

    It is trained on one pair of tables and tested on another, because it could learn any training
    set by heart. Both kinds have the same weight, whatever their numbers.

    Args:
        train: latents of the first and of the second kind, (N, C) and (M, C).
        test: other latents of the same kinds, best from other photos.
        num_steps: of Adam, on all latents at once.
        seed: of the initial weights.

    Returns:
        Mean recall of both kinds, in [0, 1].

    Raises:
        InputError: if the tables cannot be compared.

    Source:
        Ben-David et al. 2010: the error of the best classifier bounds the distance of domains.
    """
    seen, unseen = _require_latents(*train), _require_latents(*test)
    _require_latents(seen[0], unseen[0])
    both = torch.cat(seen)
    mean, std = both.mean(dim=0), both.std(dim=0).clamp_min(1e-12)
    first, second, new_first, new_second = (
        ((latents - mean) / std).float() for latents in (*seen, *unseen)
    )
    network = _classifier(both.shape[1], seed).to(first.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02, weight_decay=1e-3)
    for _ in range(num_steps):
        of_first, of_second = network(first), network(second)
        loss = nn.functional.softplus(-of_first).mean() + nn.functional.softplus(of_second).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        correct = (network(new_first) > 0).float().mean() + (
            network(new_second) <= 0
        ).float().mean()
    return float(correct / 2)


def _classifier(channels: int, seed: int) -> nn.Sequential:
    """Return a network with one hidden layer; its initial weights depend on the seed alone."""
    layers = nn.Linear(channels, HIDDEN), nn.Linear(HIDDEN, 1)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in layers:
            scale = layer.in_features**-0.5
            layer.weight.copy_(scale * torch.randn(layer.weight.shape, generator=generator))
            layer.bias.zero_()
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])
