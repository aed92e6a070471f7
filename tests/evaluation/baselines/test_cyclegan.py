"""CycleGAN: published size, the history of photos, losses by hand, unpaired data, a training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from oldphoto.checks import InputError
from oldphoto.config import DiscriminatorConfig
from oldphoto.evaluation.baselines import cyclegan
from oldphoto.evaluation.baselines.cyclegan import (
    CycleGAN,
    CycleGANObjective,
    Generator,
    History,
    UnpairedPhotos,
    cyclegan_stage,
    fit,
)
from oldphoto.samples import sample_paths
from oldphoto.training import loop

SMALLEST = replace(
    cyclegan.TINY,
    network=cyclegan.CycleGANConfig(width=4, num_blocks=1),
    discriminator=DiscriminatorConfig(width=4, num_layers=2, num_scales=1),
)


def test_the_paper_preset_has_the_published_number_of_weights():
    network = Generator(cyclegan.PAPER.network)
    # 11.378 million, as the authors' PyTorch code prints for its resnet_9blocks.
    assert sum(p.numel() for p in network.parameters()) == 11_378_179


def _numbered(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_the_history_first_fills_and_hands_on_what_came():
    history = History(crop=2, size=5)
    photos = _numbered(0, 5)
    assert torch.equal(history.exchange(photos, torch.arange(5)), photos)
    assert int(history.num_kept) == 5 and torch.equal(history.photos, photos)


def test_then_half_are_exchanged_and_no_photo_is_lost_or_doubled():
    history = History(crop=2, size=5)
    history.exchange(_numbered(0, 5), torch.arange(5))
    handed = history.exchange(_numbered(5, 400), torch.arange(400))
    numbers = handed[:, 0, 0, 0].long().tolist()
    kept = history.photos[:, 0, 0, 0].long().tolist()
    assert sorted(numbers + kept) == list(range(405))  # every photo is in one place
    new = sum(n == i + 5 for i, n in enumerate(numbers))
    assert 160 < new < 240  # half of 400, within four standard deviations


def test_the_same_seeds_exchange_the_same_and_the_history_is_in_the_checkpoint():
    first, second = History(crop=2, size=3), History(crop=2, size=3)
    first.exchange(_numbered(0, 6), torch.arange(6))
    second.load_state_dict(first.state_dict())
    results = [h.exchange(_numbered(10, 8), torch.arange(8)) for h in (first, second)]
    assert torch.equal(*results)


class _Add(nn.Module):
    def __init__(self, amount):
        super().__init__()
        self.amount = amount

    def forward(self, x):
        return x + self.amount


class _Mean(nn.Module):
    def forward(self, x):
        return [[x.mean(dim=(1, 2, 3))]]


def test_losses_by_hand():
    loss = CycleGANObjective(_Add(0.25), _Add(-0.5))
    batch = {
        "damaged": torch.zeros(2, 3, 8, 8),
        "clean": torch.full((2, 3, 8, 8), 0.5),
        "seed": torch.arange(2),
    }
    discriminators = nn.ModuleDict({"clean": _Mean(), "damaged": _Mean()})
    terms, samples = loss(batch, discriminators)
    assert float(terms["cycle"]) == pytest.approx(10 * (0.25 + 0.25))  # both ways end 0.25 off
    assert float(terms["identity"]) == pytest.approx(5 * (0.25 + 0.5))
    # Restored photos are 0.25, worn ones 0; both should be scored 1.
    assert float(terms["adversarial"]) == pytest.approx(0.75**2 + 1)
    discriminator = cyclegan.CycleGANDiscriminatorObjective(discriminators, crop=8)
    terms = discriminator(samples)
    assert float(terms["discriminator_clean"]) == pytest.approx((0.5**2 + 0.25**2) / 2)
    assert float(terms["discriminator_damaged"]) == pytest.approx((1 + 0) / 2)


def test_photos_are_unpaired_and_half_of_the_damaged_ones_are_real():
    paths = sample_paths("clean")[:4]
    photos = UnpairedPhotos(sample_paths("old")[:4], paths, 64, 0, grey_prob=0.0, hole_prob=1.0)
    has_white = [bool((photos[i]["damaged"] == 1).all(dim=0).any()) for i in range(12)]
    assert all(has_white[::2])  # synthetic: with white holes
    real = [photos[i]["damaged"] for i in (1, 3, 5, 7)]
    olds = {tuple(r.flatten()[:9].tolist()) for r in real}
    assert len(olds) == 4
    first = photos[0]
    assert torch.equal(photos[0]["clean"], first["clean"]) and first["clean"].shape == (3, 64, 64)


def test_same_size_out_for_odd_sizes(damaged):
    torch.manual_seed(0)
    restored = CycleGAN(Generator(SMALLEST.network), device="cpu")(*damaged)
    assert restored.shape == damaged[0].shape and restored.dtype == np.uint8


def test_a_short_training_lowers_the_cycle_loss(lesson):
    short = lesson(cyclegan.TINY, num_steps=25, learning_rate=2e-3)
    stage = cyclegan_stage(short.run, short.preset)
    batch = short.batch(stage)

    @torch.no_grad()
    def cycle(stage):
        return float(
            stage.objective(batch, stage.discriminator_objective.discriminators)[0]["cycle"]
        )

    before = cycle(stage)
    assert loop.train(stage, short.run.folder / "run", short.run.settings)
    assert cycle(stage) < 0.8 * before


def test_a_resumed_run_equals_one_without_a_break(lesson, tmp_path, monkeypatch):
    short = lesson(SMALLEST, num_steps=4)

    class Stop:
        requested = True

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    whole, cut = (replace(short.run, folder=tmp_path / name) for name in ("whole", "cut"))
    assert fit(whole, short.preset)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "StopRequest", Stop)
        assert not fit(cut, short.preset)
    assert fit(replace(cut, settings=replace(cut.settings, resume=True)), short.preset)
    files = [run.weights / "cyclegan.safetensors" for run in (whole, cut)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert CycleGAN.load(cut.weights, device="cpu").network.config == SMALLEST.network


def test_refusals():
    with pytest.raises(InputError, match="multiples of 4"):
        Generator(SMALLEST.network)(torch.zeros(1, 3, 16, 18))
