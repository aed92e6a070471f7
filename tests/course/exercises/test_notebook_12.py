"""Exercises of notebook 12: their solutions are what the package computes."""

import inspect

import pytest
import torch

from oldphoto.course.exercises import notebook_12 as exercises
from oldphoto.evaluation.baselines.attention import AttentionConfig, OperationAttention
from oldphoto.evaluation.baselines.cyclegan import CYCLE_WEIGHT, CycleGANObjective
from oldphoto.evaluation.baselines.dip import masked_square_error
from oldphoto.evaluation.baselines.pix2pix import Pix2PixObjective
from oldphoto.evaluation.comparison_table import PAPER


def test_energy_is_that_of_the_deep_image_prior():
    draw = torch.Generator().manual_seed(0)
    output, degraded = torch.rand(2, 2, 3, 7, 9, generator=draw)
    mask = (torch.rand(2, 1, 7, 9, generator=draw) < 0.4).float()
    by_hand = exercises.energy.solution(output, degraded, mask)
    torch.testing.assert_close(by_hand, masked_square_error(output, degraded, 1 - mask))


def test_shares_are_those_of_the_layer():
    torch.manual_seed(0)
    attention, x = (
        OperationAttention(AttentionConfig(num_layers=3, group=3)),
        torch.randn(2, 16, 5, 5),
    )
    scores = attention.second(attention.first(x.mean(dim=(2, 3))).relu()).view(2, 3, 8)
    torch.testing.assert_close(exercises.shares.solution(scores), attention(x))


class _Times(torch.nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([factor]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x


class _Discriminator(torch.nn.Module):
    def forward(self, six: torch.Tensor) -> list[list[torch.Tensor]]:
        return [[exercises._discriminator(six)]]


def test_step_follows_the_gradient_of_the_packages_terms():
    generator, (degraded, clean) = _Times(0.8), torch.rand(2, 2, 3, 4, 4)
    batch = {"degraded": degraded, "clean": clean, "seed": torch.zeros(2, dtype=torch.long)}
    terms, _ = Pix2PixObjective(generator)(batch, torch.nn.ModuleDict({"photo": _Discriminator()}))
    sum(terms.values()).backward()
    mine = _Times(0.8)
    optimizer = torch.optim.SGD(mine.parameters(), lr=1.0)
    exercises.generator_step.solution(mine, exercises._discriminator, optimizer, degraded, clean)
    torch.testing.assert_close(mine.weight, generator.weight - generator.weight.grad)
    assert float(generator.weight.grad) != 0


def test_cycle_is_the_packages_without_its_factor():
    damaged, clean = torch.rand(2, 2, 3, 8, 8)
    restore, damage = _Times(1.5), _Times(0.5)
    discriminators = torch.nn.ModuleDict({"clean": _Mean(), "damaged": _Mean()})
    batch = {"damaged": damaged, "clean": clean, "seed": torch.arange(2)}
    terms, _ = CycleGANObjective(restore, damage)(batch, discriminators)
    by_hand = CYCLE_WEIGHT * exercises.cycle.solution(restore, damage, damaged, clean)
    torch.testing.assert_close(by_hand, terms["cycle"])


class _Mean(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> list[list[torch.Tensor]]:
        return [[x.mean(dim=(1, 2, 3))]]


def test_beaten_rows_counted_by_hand():
    beaten = [
        name
        for name, (psnr, ssim, lpips, fid) in PAPER.items()
        if any(p > psnr and s > ssim and q < lpips and f < fid for p, s, q, f in PAPER.values())
    ]
    assert beaten == ["Input", "DIP", "Sequential", "ours without partial non-local"]
    assert exercises.beaten_everywhere.solution() == len(beaten)


@pytest.mark.parametrize("exercise", exercises.sheet.exercises, ids=lambda e: e.title)
def test_stubs_of_the_notebook_are_told_why(exercise):
    assert len(exercise.hints) == 2 and len(exercise.misconceptions) >= 4
    assert "return" in inspect.getsource(exercise.solution)


def test_the_stub_that_is_to_be_modified_is_told_why():
    def cycle(restore, damage, damaged, clean):
        back = (restore(damaged) - clean).abs().mean()
        return back + (damage(clean) - damaged).abs().mean()

    assert "partner" in exercises.cycle.check(cycle).message
