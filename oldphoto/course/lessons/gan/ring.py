"""A laboratory for GANs: a game on a ring of eight clouds, recorded as it is played."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.checks import InputError
from oldphoto.course.common import one_thread

NUM_MODES, RADIUS, SPREAD = 8, 2.0, 0.1
NOISE_CHANNELS, WIDTH = 2, 64
BATCH, SHOWN = 128, 500
NUM_LOOKS = 12  # of a recording, after the one before the first step
GRID, LIMIT = (
    25,
    3.2,
)  # places in a row at which the discriminator's scores are kept; they end at +-LIMIT
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
        good: share of the points within three deviations of a cloud's middle.
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
class Rules:
    """The two losses of a game, on scores without bounds.

    Attributes:
        discriminator: scores of real and of generated samples to the loss of the discriminator.
        generator: scores of generated samples to the loss of the generator.
        undecided: score of a sample that the discriminator takes for neither kind.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    undecided: float


def log_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Loss of the discriminator with D = sigmoid(score): -E[log D(real)] - E[log(1 - D(fake))].

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), equation 1, with its sign changed.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def saturating(fake: Tensor) -> Tensor:
    """E[log(1 - D)]: the generator's side of the minimax game as it is written."""
    return -F.softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """-E[log D]: the same aim, but a gradient where the discriminator is sure (Goodfellow, 3)."""
    return F.softplus(-fake).mean()


def _lsgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return losses.lsgan_discriminator(real=[[real]], fake=[[fake]])


def _lsgan_generator(fake: Tensor) -> Tensor:
    return losses.lsgan_generator([[fake]])


SATURATING = Rules(log_discriminator, saturating, undecided=0.0)
NON_SATURATING = Rules(log_discriminator, non_saturating, undecided=0.0)
LSGAN = Rules(_lsgan_discriminator, _lsgan_generator, undecided=0.5)


def learners(loss: Tensor, networks: Mapping[str, nn.Module]) -> list[str]:
    """Return the names of the networks whose weights collect a gradient of a loss."""
    for network in networks.values():
        network.zero_grad(set_to_none=True)
    loss.backward()
    return [
        name
        for name, network in networks.items()
        if any(weight.grad is not None for weight in network.parameters())
    ]


@dataclass(frozen=True)
class Game:
    """How the two play.

    Attributes:
        rules: the losses.
        generator_rate, discriminator_rate: learning rates.
        beta1: of Adam, for both.
        discriminator_steps: steps of the discriminator for one of the generator.
        head_start: steps of the discriminator alone, at the beginning.
        plain: the generator goes down its gradient as it is, without Adam.
    """

    rules: Rules = LSGAN
    generator_rate: float = 2e-3
    discriminator_rate: float = 2e-3
    beta1: float = 0.5
    discriminator_steps: int = 1
    head_start: int = 0
    plain: bool = False


HEALTHY = Game()
FAST_GENERATOR = replace(HEALTHY, generator_rate=10 * HEALTHY.generator_rate)
LONG_MEMORY = replace(HEALTHY, beta1=0.9)
STRONG_DISCRIMINATOR = Game(
    SATURATING, 0.005, 5e-3, discriminator_steps=3, head_start=300, plain=True
)


@dataclass(frozen=True)
class Look:
    """What is seen of a game after ``step`` steps.

    Attributes:
        points: (500, 2), always from the same noise.
        scores: (25, 25) of the discriminator over the square that reaches to +-3.2; first index:
        up. coverage: of the points.
        gradient: length of the gradient of the generator's loss, over all its weights.
        told: share of real and generated points that the discriminator puts on the right side.
    """

    step: int
    points: Tensor
    scores: Tensor
    coverage: Coverage
    gradient: float
    told: float


@dataclass
class Recording:
    """A game and the looks that were taken at it."""

    game: Game
    looks: list[Look] = field(default_factory=list)

    @property
    def steps(self) -> list[int]:
        """When it was looked at."""
        return [look.step for look in self.looks]


def layers(inputs: int, outputs: int, slope: float = 0.0) -> nn.Sequential:
    """Return a small network of two hidden layers; ``slope`` is that below 0 (0: ReLU)."""
    return nn.Sequential(
        nn.Linear(inputs, WIDTH),
        nn.LeakyReLU(slope),
        nn.Linear(WIDTH, WIDTH),
        nn.LeakyReLU(slope),
        nn.Linear(WIDTH, outputs),
    )


class Players:
    """Generator and discriminator of one game, their optimizers and their random numbers."""

    def __init__(self, game: Game, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):  # the notebook's own random numbers stay
            torch.manual_seed(seed)
            self.generator, self.discriminator = layers(NOISE_CHANNELS, 2), layers(2, 1, slope=0.2)
        betas = (game.beta1, 0.999)
        rate, weights = game.generator_rate, self.generator.parameters()
        adam = torch.optim.Adam(
            self.discriminator.parameters(), lr=game.discriminator_rate, betas=betas
        )
        plain = torch.optim.SGD(weights, lr=rate) if game.plain else None
        self.generator_optimizer = plain or torch.optim.Adam(weights, lr=rate, betas=betas)
        self.discriminator_optimizer = adam
        self.rules, self.random = game.rules, torch.Generator().manual_seed(seed)

    def make(self, count: int = BATCH) -> Tensor:
        """Generate points from fresh noise, (count, 2)."""
        return self.generator(torch.randn(count, NOISE_CHANNELS, generator=self.random))

    def discriminator_step(self) -> None:
        """One step of the discriminator on real and generated points."""
        with torch.no_grad():
            fake = self.make()
        loss = self.rules.discriminator(
            self.discriminator(ring(BATCH, self.random)), self.discriminator(fake)
        )
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.discriminator_optimizer.step()

    def generator_step(self) -> None:
        """One step of the generator against the discriminator as it is now."""
        loss = self.rules.generator(self.discriminator(self.make()))
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()

    def look(self, step: int) -> Look:
        """Measure both, with noise and real points of its own."""
        random = torch.Generator().manual_seed(_LOOK_SEED)
        points = self.generator(torch.randn(SHOWN, NOISE_CHANNELS, generator=random))
        fake, weights = self.discriminator(points), list(self.generator.parameters())
        slopes = torch.autograd.grad(self.rules.generator(fake), weights)
        with torch.no_grad():
            real, middle = self.discriminator(ring(SHOWN, random)), self.rules.undecided
            told = 0.5 * ((real > middle).float().mean() + (fake < middle).float().mean())
            scores = self.discriminator(grid_points()).view(GRID, GRID)
        gradient = torch.cat([slope.flatten() for slope in slopes]).norm()
        points = points.detach()
        return Look(step, points, scores, coverage(points), float(gradient), float(told))


def grid_points() -> Tensor:
    """Return the places at which the discriminator's scores are kept, (625, 2): rows go up."""
    line = torch.linspace(-LIMIT, LIMIT, GRID)
    up, right = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([right.flatten(), up.flatten()], dim=1)


@one_thread()
def play(game: Game, num_steps: int, seed: int = 0) -> Recording:
    """Play a game from random weights, and look at it ``NUM_LOOKS`` times.

    Args:
        game: the losses and rates.
        num_steps: including the discriminator's head start.
        seed: of the weights and of all that is drawn.

    Raises:
        InputError: if there is no step left for the generator.
    """
    if num_steps <= game.head_start:
        raise InputError(f"expected more than {game.head_start} steps, got {num_steps}")
    players, recording = Players(game, seed), Recording(game)
    looks = {round(number * num_steps / NUM_LOOKS) for number in range(NUM_LOOKS + 1)}
    for step in range(num_steps + 1):
        if step in looks:
            recording.looks.append(players.look(step))
        waiting = step < game.head_start
        for _ in range(1 if waiting else game.discriminator_steps):
            players.discriminator_step()
        if not waiting:
            players.generator_step()
    return recording
