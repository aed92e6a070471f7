"""Deep image prior: the mask in its loss, its size, its stopping, and a photo it restores."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.evaluation.baselines import dip
from oldphoto.evaluation.baselines.dip import (
    DIP,
    DIPConfig,
    Hourglass,
    MovingVariance,
    masked_square_error,
)
from oldphoto.metrics.fidelity import psnr

SHORT = DIPConfig(width=8, depth=3, num_steps=4, window=2, patience=50)


def test_masked_pixels_have_no_part_in_the_loss():
    torch.manual_seed(0)
    output, degraded = torch.rand(2, 1, 3, 8, 9)
    keep = torch.ones(1, 1, 8, 9)
    keep[..., 2:5, 3:7] = 0
    output.requires_grad_()
    loss = masked_square_error(output, degraded, keep)
    loss.backward()
    assert (output.grad[..., 2:5, 3:7] == 0).all() and (output.grad[..., 0, :] != 0).all()
    other = torch.where(keep > 0, degraded, 1.0)
    output = output.detach()
    assert float(masked_square_error(output, other, keep)) == float(loss.detach())
    by_hand = (output - degraded).square()[keep.expand_as(output) > 0].mean()
    assert float(loss.detach()) == pytest.approx(float(by_hand))


def test_what_lies_under_the_mask_does_not_reach_the_result(damaged):
    photo, mask = damaged
    white = np.where(mask[..., None], 255, photo).astype(np.uint8)
    method = DIP(SHORT, device="cpu")
    first = method(photo, mask)
    assert np.array_equal(first, method(white, mask))
    assert first.shape == photo.shape and first.dtype == np.uint8
    assert not np.array_equal(first, DIP(SHORT, device="cpu", seed=1)(photo, mask))


def test_the_paper_preset_has_the_size_worked_out_by_hand():
    def conv(before, after, side):  # with the batch norm behind it
        return before * after * side**2 + after + 2 * after

    coarse = conv(128, 4, 1) + 2 * conv(128, 128, 3)
    up = 2 * 132 + conv(132, 128, 3) + conv(128, 128, 1)
    first = conv(32, 4, 1) + conv(32, 128, 3) + conv(128, 128, 3)
    assert DIP(dip.PAPER).num_parameters == first + 4 * coarse + 5 * up + 128 * 3 + 3


def test_stops_after_the_lowest_variance_and_returns_what_was_there():
    # Steps of falling, then of growing length: the outputs differ least around step 20.
    steps = [*np.linspace(1, 0.05, 20), *np.linspace(0.05, 1, 40)]
    places = np.cumsum(steps)
    stopping = MovingVariance(window=5, patience=8)
    for place in places:
        if stopping.add(torch.tensor([place])):
            break
    assert 20 < stopping.num_seen < 40
    assert float(stopping.best) == pytest.approx(places[20 - 2], abs=0.2)


def test_a_steady_fall_never_stops():
    stopping = MovingVariance(window=4, patience=5)
    assert not any(stopping.add(torch.tensor([0.9**n])) for n in range(60))


def test_fills_a_hole_and_removes_noise():
    rows, columns = np.mgrid[:64, :64]
    clean = np.stack([2 * columns + 50, 3 * rows + 20, rows + columns + 60], -1).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    mask = np.zeros((64, 64), bool)
    mask[24:40, 28:44] = True
    degraded = (clean + noise).clip(0, 255).astype(np.uint8)
    degraded[mask] = 255
    said: list[str] = []
    config = replace(dip.TINY, num_steps=150, window=10, patience=40)
    restored = DIP(config, device="cpu", report=said.append)(degraded, mask)
    sound = np.broadcast_to(~mask[..., None], clean.shape)
    before = psnr(np.where(sound, degraded, clean), clean)  # the holes forgiven
    assert psnr(restored, clean) > before + 2
    assert np.abs(restored[mask].astype(int) - clean[mask]).mean() < 20
    assert said and "stopped after" in said[0]


def test_refusals(damaged):
    with pytest.raises(InputError, match="multiples of 8"):
        Hourglass(SHORT)(torch.zeros(1, 32, 20, 24))
    with pytest.raises(InputError, match="above 32 pixels"):
        DIP(dip.PAPER)(damaged[0][:32, :40])
    with pytest.raises(InputError, match="window"):
        DIPConfig(window=1)
