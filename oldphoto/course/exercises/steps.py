"""What the exercises about a training step share."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


def in_a_row(parts: Iterable[Tensor]) -> Tensor:
    """Return the numbers of several tensors in one row.

    >>> in_a_row([torch.ones(2, 1), torch.zeros(1)])
    tensor([1., 1., 0.])
    """
    return torch.cat([part.detach().flatten() for part in parts])


def with_weights(network: nn.Module, seed: int = 0, std: float = 1.0) -> nn.Module:
    """Return a network with normal weights that depend on the seed alone."""
    draw = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        nn.init.normal_(weight, std=std, generator=draw)
    return network


def watched_sgd(network: nn.Module) -> tuple[torch.optim.SGD, Callable[[], Tensor]]:
    """Return an optimizer, and a function that returns the gradient which its last step used.

    An answer may set the gradient to zero after the step as well as before it.
    """
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    used: list[Tensor] = []

    def gradient() -> Tensor:
        return in_a_row(
            torch.zeros_like(w) if w.grad is None else w.grad for w in network.parameters()
        )

    optimizer.register_step_pre_hook(lambda *_: used.append(gradient()))
    return optimizer, lambda: used[-1] if used else gradient()
