"""Points on a ring of eight clouds, and what is measured and kept of a GAN that learns them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from oldphoto.checks import InputError

NUM_MODES, RADIUS, SPREAD = 8, 2.0, 0.1
SHOWN = 500  # generated points of a look
GRID, LIMIT = 25, 3.2  # the scores are kept at 25 x 25 places, which end at +-LIMIT
_LOOK_SEED = 99  # every look shows the same noise, so that single points can be followed


def ring(count: int, generator: torch.Generator) -> Tensor:
    """Draw points of eight small round clouds on a circle: (count, 2)."""
    mode = torch.randint(NUM_MODES, (count,), generator=generator)
    return ring_centres()[mode] + SPREAD * torch.randn(count, 2, generator=generator)


def ring_centres() -> Tensor:
    """Return the middles of the eight clouds, (8, 2)."""
    angle = 2 * math.pi * torch.arange(NUM_MODES) / NUM_MODES
    return RADIUS * torch.stack([angle.cos(), angle.sin()], dim=1)


@dataclass(frozen=True)
class Coverage:
    """How well points imitate the ring.

    Attributes:
        modes: clouds that get at least 2 % of the points, out of 8.
        good: fraction of the points within three standard deviations of a cloud's middle.
        width: root mean square distance of the points from their own mean; 2 for the ring.
    """

    modes: int
    good: float
    width: float

    def words(self) -> str:
        """Say the numbers in one line."""
        return f"{self.modes} of 8 clouds, {100 * self.good:.0f} % good points"


def coverage(points: Tensor) -> Coverage:
    """Measure points (N, 2) against the ring.

    Raises:
        InputError: if they are no points of the plane.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"expected points (N, 2), got {tuple(points.shape)}")
    distance, nearest = torch.cdist(points, ring_centres()).min(dim=1)
    good = distance < 3 * SPREAD
    counts = torch.bincount(nearest[good], minlength=NUM_MODES)
    width = (points - points.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    modes = int((counts >= 0.02 * len(points)).sum())
    return Coverage(modes, float(good.float().mean()), float(width))


@dataclass(frozen=True)
class Look:
    """What is seen of a game after ``step`` steps.

    Attributes:
        points: (500, 2), always from the same noise.
        scores: (25, 25) of the discriminator over the square that reaches to +-3.2; the first
            index goes up.
        coverage: of the points.
        gradient: length of the gradient of the generator's loss, over all its weights.
        told: fraction of real and generated points that the discriminator puts on the right side.
    """

    step: int
    points: Tensor
    scores: Tensor
    coverage: Coverage
    gradient: float
    told: float


@dataclass
class Recording:
    """The looks that were taken at one game."""

    looks: list[Look] = field(default_factory=list)

    @property
    def steps(self) -> list[int]:
        """After how many steps it was looked at."""
        return [look.step for look in self.looks]


def look(
    step: int,
    generator: nn.Module,
    discriminator: nn.Module,
    generator_loss: Callable[[Tensor], Tensor],
    undecided: float,
) -> Look:
    """Measure both networks, with noise and real points of its own.

    Args:
        step: number of steps that were taken.
        generator: (N, 2) noise to (N, 2) points.
        discriminator: (N, 2) points to (N, 1) scores.
        generator_loss: scores of generated points to the loss of the generator.
        undecided: score of a point that the discriminator takes for neither kind.
    """
    random = torch.Generator().manual_seed(_LOOK_SEED)
    points = generator(torch.randn(SHOWN, 2, generator=random))
    fake = discriminator(points)
    slopes = torch.autograd.grad(generator_loss(fake), list(generator.parameters()))
    with torch.no_grad():
        real = discriminator(ring(SHOWN, random))
        told = 0.5 * ((real > undecided).float().mean() + (fake < undecided).float().mean())
        scores = discriminator(grid_points()).view(GRID, GRID)
    gradient = torch.cat([slope.flatten() for slope in slopes]).norm()
    points = points.detach()
    return Look(step, points, scores, coverage(points), float(gradient), float(told))


def grid_points() -> Tensor:
    """Return the places at which the discriminator's scores are kept, (625, 2): rows go up."""
    line = torch.linspace(-LIMIT, LIMIT, GRID)
    up, right = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([right.flatten(), up.flatten()], dim=1)
