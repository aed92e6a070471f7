"""Pix2Pix: published size, receptive field, losses by hand, a short training."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from oldphoto.checks import InputError
from oldphoto.evaluation.baselines import pix2pix
from oldphoto.evaluation.baselines.common import GANDiscriminatorObjective
from oldphoto.evaluation.baselines.pix2pix import Pix2Pix, Pix2PixConfig, UNet, fit, pix2pix_stage
from oldphoto.networks.discriminators import PatchDiscriminator


def test_the_paper_preset_has_the_published_number_of_weights():
    network = UNet(pix2pix.PAPER.network)
    # 54.414 million, as the authors' PyTorch code prints for its unet_256.
    assert sum(p.numel() for p in network.parameters()) == 54_413_955
    assert len(network.downs) == len(network.ups) == 8
    assert [up.dropout for up in network.ups] == [0, 0.5, 0.5, 0.5, 0, 0, 0, 0]


def test_the_discriminator_sees_70_pixels():
    torch.manual_seed(0)
    config = replace(pix2pix.PAPER.discriminator, width=8)
    photo = torch.zeros(1, 6, 128, 128).requires_grad_()
    # Instance norm would look at the whole photo: what a score sees is counted without.
    discriminator = PatchDiscriminator(config, 6)
    for layer in discriminator.scales[0].layers:
        if hasattr(layer, "norm"):
            layer.norm = nn.Identity()
    scores = discriminator(photo)[0][-1]
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    seen = photo.grad.abs().sum(dim=(0, 1))
    rows = torch.nonzero(seen.sum(dim=1)).flatten()
    assert rows[-1] - rows[0] + 1 == 70


class _Fixed(nn.Module):
    """A discriminator whose score is the mean of the second photo."""

    def forward(self, x):
        return [[x[:, 3:].mean(dim=(1, 2, 3))]]


def test_losses_by_hand():
    generator = lambda x: torch.full_like(x, 0.5)  # noqa: E731
    loss = pix2pix.Pix2PixObjective.__new__(pix2pix.Pix2PixObjective)
    nn.Module.__init__(loss)
    loss.generator = generator
    photo = torch.zeros(1, 3, 16, 16)
    discriminators = nn.ModuleDict({"photo": _Fixed()})
    batch = {"degraded": photo, "clean": photo + 0.25, "seed": torch.zeros(1)}
    terms, samples = loss(batch, discriminators)
    assert float(terms["l1"]) == pytest.approx(100 * 0.25)
    assert float(terms["adversarial"]) == pytest.approx(-math.log(1 / (1 + math.exp(-0.5))))
    terms = GANDiscriminatorObjective(discriminators)(samples)
    real = -math.log(1 / (1 + math.exp(-0.25)))
    made = -math.log(1 - 1 / (1 + math.exp(-0.5)))
    assert float(terms["discriminator"]) == pytest.approx((real + made) / 2, rel=1e-5)


def test_same_size_out_for_odd_sizes_and_the_same_result_twice(damaged):
    torch.manual_seed(0)
    method = Pix2Pix(UNet(Pix2PixConfig(width=4, depth=5)))
    first, second = method(*damaged), method(*damaged)
    assert first.shape == damaged[0].shape and first.dtype == np.uint8
    assert np.array_equal(first, second)  # dropout is at work, from a fixed seed
    photo, mask = damaged
    other = np.where(mask[..., None], 0, photo).astype(np.uint8)
    assert np.array_equal(method(other, mask), first)


def test_dropout_is_at_work_when_restoring():
    torch.manual_seed(0)
    network = UNet(Pix2PixConfig(width=4, depth=6)).eval()
    photo = torch.rand(1, 3, 64, 64)
    assert not torch.equal(network(photo), network(photo))


def test_short_training_lowers_the_loss_and_is_kept(lesson):
    short = lesson(pix2pix.TINY, num_steps=25)
    stage = pix2pix_stage(short.run, short.preset)
    batch = short.batch(stage)

    @torch.no_grad()
    def l1(network):
        torch.manual_seed(0)
        return float((network(batch["degraded"]) - batch["clean"]).abs().mean())

    before = l1(stage.trained["pix2pix"])
    assert fit(short.run, short.preset)
    loaded = Pix2Pix.load(short.run.weights)
    assert l1(loaded.network) < 0.8 * before
    assert loaded.network.config == short.preset.network


def test_refusals():
    with pytest.raises(InputError, match="multiples of 32"):
        UNet(Pix2PixConfig(width=4, depth=5))(torch.zeros(1, 3, 32, 40))
    with pytest.raises(InputError, match="depth"):
        Pix2PixConfig(depth=2)
