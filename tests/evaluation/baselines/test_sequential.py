"""Sequential: EdgeConnect's size, what its generators see, its losses, and a short training."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from oldphoto.checks import InputError
from oldphoto.evaluation.baselines import edgeconnect, sequential
from oldphoto.evaluation.baselines.common import GANDiscriminatorObjective
from oldphoto.evaluation.baselines.edgeconnect import (
    EdgeConnectConfig,
    InpaintGenerator,
    composed,
    edge_input,
    edge_map,
    filling_input,
)
from oldphoto.evaluation.baselines.sequential import EDGES, FILLING, Sequential, sequential_stages
from oldphoto.training import loop

TINY = sequential.TINY.network


def _generators() -> tuple[InpaintGenerator, InpaintGenerator]:
    torch.manual_seed(0)
    return InpaintGenerator(TINY), InpaintGenerator(TINY.filling)


def test_the_paper_preset_has_the_size_worked_out_by_hand():
    def conv(before, after, side):
        return before * after * side**2 + after

    body = conv(64, 128, 4) + conv(128, 256, 4) + 8 * 2 * conv(256, 256, 3)
    body += conv(256, 128, 4) + conv(128, 64, 4)
    config = sequential.PAPER.network
    filling = InpaintGenerator(config.filling)
    edges = InpaintGenerator(EdgeConnectConfig(is_spectral=False))
    assert sum(p.numel() for p in filling.parameters()) == conv(4, 64, 7) + body + conv(64, 3, 7)
    assert sum(p.numel() for p in edges.parameters()) == conv(3, 64, 7) + body + conv(64, 1, 7)
    assert config.is_spectral and not config.filling.is_spectral
    assert filling.blocks[0].conv1.dilation == (2, 2) and len(filling.blocks) == 8


def test_spectral_norm_bounds_the_slope_of_the_edge_generator():
    edges, filling = _generators()
    edges.train()
    for _ in range(30):  # each pass improves the estimate of the largest factor
        edges(torch.zeros(1, 3, 16, 16))
    weight = edges.blocks[0].conv1.weight.detach()
    assert torch.linalg.matrix_norm(weight.flatten(1), 2) == pytest.approx(1, rel=0.05)
    plain = filling.blocks[0].conv1.weight.detach()
    assert torch.linalg.matrix_norm(plain.flatten(1), 2) != pytest.approx(1, rel=0.05)


def test_nothing_inside_the_hole_is_seen():
    torch.manual_seed(1)
    clean, edges = torch.rand(1, 3, 16, 16) * 2 - 1, (torch.rand(1, 1, 16, 16) > 0.5).float()
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:9, 5:11] = 1
    other = torch.where(mask > 0, -clean, clean)
    others = torch.where(mask > 0, 1 - edges, edges)
    assert torch.equal(edge_input(clean, edges, mask), edge_input(other, others, mask))
    assert torch.equal(filling_input(clean, edges, mask), filling_input(other, edges, mask))
    assert (edge_input(clean, edges, mask)[:, 0][mask[:, 0] > 0] == 1).all()  # white
    assert torch.equal(composed(other, clean, mask), other)


def test_edges_are_where_the_brightness_jumps_and_not_in_the_hole():
    photo = np.full((40, 40, 3), 60, np.uint8)
    photo[:, 20:] = 200
    edges = edge_map(photo)
    assert edges[10:30, 19:21].any(axis=1).all() and not edges[:, :15].any()
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    assert not edge_map(photo, mask)[10:30, 10:30].any()
    assert edge_map(photo, mask)[:8, 19:21].any()


class _Mean(nn.Module):
    """A discriminator with one feature map and a score: the mean of the last channel."""

    def forward(self, x):
        return [[x, x[:, -1:].mean(dim=(1, 2, 3))]]


class _Half(nn.Module):
    """A generator that makes 0.5 everywhere."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x):
        return torch.full_like(x[:, : self.channels], 0.5)


def test_losses_by_hand():
    clean = torch.zeros(1, 3, 16, 16)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    batch = {"clean": clean, "scratch_mask": mask, "edges": torch.zeros(1, 1, 16, 16)}
    discriminators = nn.ModuleDict({"photo": _Mean()})
    terms, samples = edgeconnect.EdgeObjective(_Half(1))(batch, discriminators)
    fooled = math.log(1 + math.exp(-0.5))
    assert float(terms["adversarial"]) == pytest.approx(fooled)
    # The features are grey photo and edges: the first is equal, the second 0.5 apart.
    assert float(terms["feature_matching"]) == pytest.approx(10 * 0.25)
    discriminator = GANDiscriminatorObjective(discriminators)(samples)
    by_hand = (math.log(2) + math.log(1 + math.exp(0.5))) / 2
    assert float(discriminator["discriminator"]) == pytest.approx(by_hand, rel=1e-5)
    terms, samples = edgeconnect.FillingObjective(_Half(3))(batch, discriminators)
    assert float(terms["l1"]) == pytest.approx(0.5 / 0.5)  # over the share of the hole
    assert float(terms["adversarial"]) == pytest.approx(0.1 * math.log(2))  # the edges are 0
    assert (samples["output"][..., 8:] == 0).all() and (samples["output"][..., :8] == 0.5).all()


def test_same_size_out_and_sound_pixels_are_those_of_bm3d(damaged):
    photo, mask = damaged
    method = Sequential(*_generators(), device="cpu")
    restored = method(photo, mask)
    assert restored.shape == photo.shape and restored.dtype == np.uint8
    filled = method.denoiser.denoise(sequential.fill_telea(photo, mask))
    assert np.array_equal(restored[~mask], filled[~mask])
    assert not np.array_equal(restored[mask], filled[mask])
    white = np.where(mask[..., None], 255, photo).astype(np.uint8)
    assert np.array_equal(method(white, mask), restored)
    assert np.array_equal(method(photo), method.denoiser.denoise(photo))


def test_training_photos_have_holes_and_the_edges_of_the_whole_photo(lesson):
    short = lesson(sequential.TINY, num_steps=1)
    sample = sequential_stages(short.run, short.preset)[0].dataset[3]
    assert sample["edges"].shape == sample["scratch_mask"].shape == (1, 64, 64)
    assert set(sample["edges"].unique().tolist()) <= {0.0, 1.0}
    assert 0 < float(sample["scratch_mask"].mean()) < 1


@pytest.mark.parametrize(("index", "term"), [(0, "feature_matching"), (1, "l1")])
def test_short_trainings_lower_their_losses(lesson, index, term):
    short = lesson(sequential.TINY, num_steps=20)
    stage = sequential_stages(short.run, short.preset)[index]
    batch = short.batch(stage)

    @torch.no_grad()
    def value(discriminators):
        return float(stage.objective(batch, discriminators)[0][term])

    torch.manual_seed(0)
    fixed = nn.ModuleDict({"photo": _Mean()})  # the trained discriminator's features move
    before = value(fixed)
    assert loop.train(stage, short.run.folder / stage.name, short.run.settings)
    assert value(fixed) < 0.9 * before


def test_both_generators_are_kept_and_loaded(lesson, damaged):
    short = lesson(sequential.TINY, num_steps=1)
    assert sequential.fit(short.run, short.preset)
    method = Sequential.load(short.run.weights, device="cpu")
    assert method.networks[EDGES].config == TINY
    assert method.networks[FILLING].config == TINY.filling
    assert method.num_parameters == sum(p.numel() for g in _generators() for p in g.parameters())
    assert method(*damaged).shape == damaged[0].shape


def test_refusals():
    edges, _ = _generators()
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        edges(torch.zeros(1, 4, 16, 16))
    with pytest.raises(InputError, match="multiples of 4"):
        edges(torch.zeros(1, 3, 18, 18))
