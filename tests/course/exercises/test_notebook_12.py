"""Exercises of notebook 12: their solutions are what the package computes."""

import inspect

import numpy as np
import pytest
import torch

from oldphoto.course.exercises import notebook_12 as exercises
from oldphoto.evaluation.baselines.attention import AttentionConfig, OperationAttention
from oldphoto.evaluation.baselines.cyclegan import CYCLE_WEIGHT, CycleGANObjective
from oldphoto.evaluation.baselines.dip import MovingVariance, masked_square_error
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


def test_pull_is_the_gradient_of_the_packages_adversarial_term():
    generator, degraded = _Times(0.8), torch.rand(2, 3, 4, 4)
    batch = {"degraded": degraded, "clean": degraded, "seed": torch.zeros(2, dtype=torch.long)}
    terms, _ = Pix2PixObjective(generator)(batch, torch.nn.ModuleDict({"photo": _Discriminator()}))
    terms["adversarial"].backward()
    weight = torch.tensor([0.8], requires_grad=True)
    by_hand = exercises.generator_pull.solution(weight, degraded, exercises._discriminator)
    torch.testing.assert_close(by_hand, generator.weight.grad)
    assert float(by_hand) != 0


def test_pull_is_zero_where_nothing_arrives():
    weight, other = (torch.ones(1, requires_grad=True) for _ in range(2))
    assert float(exercises.pull(2 * other, weight)) == 0
    assert float(exercises.pull(torch.ones(()), weight)) == 0
    assert float(exercises.pull((2 * weight).sum(), weight)) == 2


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


def test_kept_step_is_the_one_that_the_package_keeps():
    """Outputs that move as the curve says: alternating about 0, by the root of the variance."""
    window, num = 4, 30
    size = 1 + (np.arange(num) - 17.0) ** 2
    outputs = torch.from_numpy(size * (-1.0) ** np.arange(num)).view(-1, 1)
    stopping = MovingVariance(window, patience=num)
    variance = []
    for output in outputs:
        stopping.add(output)
        variance.append(stopping.variance)
    assert torch.equal(stopping.best, outputs[int(np.argmin(variance)) - window + 1])
    assert exercises.kept.solution() == np.argmin(exercises.VARIANCE) - exercises.WINDOW + 1
    # The lesson: near the best step, where the loss would have gone on to the end.
    best, kept = np.argmax(exercises.PSNR), exercises.kept.solution()
    assert best < kept < best + 10 and np.argmin(exercises.LOSS) == len(exercises.LOSS) - 1
    assert (
        exercises.PSNR[best] - exercises.PSNR[kept]
        < 0.5
        < exercises.PSNR[best] - exercises.PSNR[-1]
    )


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


def test_stubs_that_are_to_be_modified_are_told_why():
    def pull(weight, degraded, discriminator):
        restored = weight * degraded
        scores = discriminator(torch.cat([degraded, restored.detach()], dim=1))
        return exercises.pull(torch.nn.functional.softplus(scores).mean(), weight)

    assert "detached" in exercises.generator_pull.check(pull).message

    def cycle(restore, damage, damaged, clean):
        back = (restore(damaged) - clean).abs().mean()
        return back + (damage(clean) - damaged).abs().mean()

    assert "partner" in exercises.cycle.check(cycle).message
