"""A wire at a row that nobody can know: what L1 loses and a discriminator keeps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oldphoto import losses
from oldphoto.checks import require_positive
from oldphoto.course.common import one_thread
from oldphoto.course.lessons.gan.ring import LSGAN, SHOWN, layers

PIXELS, SKY, WIRE = 16, 0.6, -0.8
WIRE_ROWS = range(4, 12)  # where a wire may run, each with the same probability
_BATCH, _NOISE_CHANNELS, _RATE = 64, 4, 2e-3


def wires(count: int, generator: torch.Generator) -> Tensor:
    """Draw columns of a photo, (count, 16) in [-1, 1]: sky, and a dark wire at a random row."""
    rows = torch.randint(WIRE_ROWS.start, WIRE_ROWS.stop, (count,), generator=generator)
    columns = torch.full((count, PIXELS), SKY)
    columns[torch.arange(count), rows] = WIRE
    return columns


def contrast(columns: Tensor) -> Tensor:
    """Return how dark the darkest pixel is against rows without wires, (N,); 1 = truth."""
    outside = torch.cat([columns[:, : WIRE_ROWS.start], columns[:, WIRE_ROWS.stop :]], dim=1)
    darker = outside.mean(dim=1) - columns.min(dim=1).values
    return darker.clamp(min=0) / (SKY - WIRE)  # below 0 only by rounding


@dataclass(frozen=True)
class WireRun:
    """What a generator of columns came to.

    Attributes:
        columns: (500, 16), each from other noise.
        truth: (500, 16), the true columns that they were to match.
    """

    columns: Tensor
    truth: Tensor

    @property
    def contrast(self) -> float:
        """Mean contrast of the columns."""
        return float(contrast(self.columns).mean())

    @property
    def one_wire(self) -> float:
        """Share of columns with exactly one pixel nearer to the wire's tone than to the sky's."""
        dark = (self.columns < (SKY + WIRE) / 2).sum(dim=1)
        return float((dark == 1).float().mean())

    @property
    def rows(self) -> int:
        """Number of rows that hold the one wire of at least 2 % of the columns."""
        dark = self.columns < (SKY + WIRE) / 2
        counts = dark[dark.sum(dim=1) == 1].sum(dim=0)
        return int((counts >= 0.02 * len(self.columns)).sum())

    @property
    def l1(self) -> float:
        """Mean absolute difference from the true columns."""
        return float(losses.l1_loss(self.columns, self.truth))


@one_thread()
def train_wires(
    l1_weight: float, adversarial_weight: float, num_steps: int = 600, seed: int = 0
) -> WireRun:
    """Train a generator of columns whose wire nobody can predict, with L1, LSGAN, or both.

    Args:
        l1_weight: factor of the mean absolute difference; lambda of pix2pix.
        adversarial_weight: factor of the generator's side of LSGAN; 0 goes without a discriminator.
        num_steps: batches of 64 columns.
        seed: of the weights and of all that is drawn.

    Source: Isola et al. 2017 (arXiv 1611.07004), equation 4, with the least-squares discriminator.
    """
    require_positive(num_steps=num_steps)
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator, discriminator = layers(_NOISE_CHANNELS, PIXELS), layers(PIXELS, 1, slope=0.2)
    step_of, step_of_discriminator = (
        torch.optim.Adam(network.parameters(), lr=_RATE, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    )
    for _ in range(num_steps):
        clean = wires(_BATCH, random)
        restored = generator(torch.randn(_BATCH, _NOISE_CHANNELS, generator=random))
        if adversarial_weight:
            step_of_discriminator.zero_grad()
            LSGAN.discriminator(discriminator(clean), discriminator(restored.detach())).backward()
            step_of_discriminator.step()
        loss = l1_weight * losses.l1_loss(restored, clean)
        if adversarial_weight:
            loss = loss + adversarial_weight * LSGAN.generator(discriminator(restored))
        step_of.zero_grad()
        loss.backward()
        step_of.step()
    with torch.no_grad():
        columns = generator(torch.randn(SHOWN, _NOISE_CHANNELS, generator=random))
    return WireRun(columns, wires(SHOWN, random))
