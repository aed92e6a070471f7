"""Columns of a photo with a wire at a row that nobody can know, and measures of made ones."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oldphoto import losses

PIXELS, SKY, WIRE = 16, 0.6, -0.8
WIRE_ROWS = range(4, 12)  # where a wire may run, each with the same probability


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
    """What a generator of columns made.

    Attributes:
        columns: (N, 16), each from other noise.
        truth: (N, 16), the true columns that they were to match.
    """

    columns: Tensor
    truth: Tensor

    @property
    def contrast(self) -> float:
        """Mean contrast of the columns."""
        return float(contrast(self.columns).mean())

    @property
    def one_wire(self) -> float:
        """Fraction of columns with exactly one pixel nearer to the tone of wire than of sky."""
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
