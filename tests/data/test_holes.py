"""Training datasets: which photos get holes, and how large they are."""

import pytest
import torch
from PIL import Image

from oldphoto.data import DegradedPairs, MixedOld
from oldphoto.degradations import Recipe
from oldphoto.samples import sample_paths


def test_share_of_samples_with_holes():
    pairs = DegradedPairs(sample_paths("clean"), 16, 0, hole_prob=0.5)
    holes = sum(bool(pairs[p]["scratch_mask"].any()) for p in range(100))
    assert 35 < holes < 65


@pytest.mark.parametrize("hole_prob", [0.0, 0.5, 1.0])
def test_old_photos_get_white_holes_as_often_as_degraded_ones(tmp_path, hole_prob):
    for number in range(4):
        Image.new("RGB", (80, 80), (50, 60, 70)).save(tmp_path / f"{number}.png")
    flat = sorted(tmp_path.glob("*.png"))
    options = dict(recipe=Recipe("none", (), ()), hole_ratio=(0.2, 0.3))
    mixed = MixedOld(flat, flat, 32, 0, hole_prob=hole_prob, **options)
    for kind in ("old", "degraded"):
        fractions = [float((mixed[p][kind] == 1).all(dim=0).float().mean()) for p in range(100)]
        holed = [fraction for fraction in fractions if fraction > 0]
        assert all(0.19 <= fraction <= 0.31 for fraction in holed)
        assert abs(len(holed) / 100 - hole_prob) < 0.15
    assert torch.equal(mixed[7]["old"], mixed[7]["old"])


def test_holes_of_old_and_of_degraded_photos_are_not_the_same(tmp_path):
    Image.new("RGB", (64, 64), (50, 60, 70)).save(tmp_path / "flat.png")
    flat = [tmp_path / "flat.png"]
    mixed = MixedOld(flat, flat, 64, 0, recipe=Recipe("none", (), ()), hole_prob=1.0)
    sample = mixed[0]
    assert not torch.equal(sample["old"] == 1, sample["degraded"] == 1)


def test_holes_cover_the_share_that_is_asked_for():
    pairs = DegradedPairs(sample_paths("clean"), 64, 0, hole_prob=1.0, hole_ratio=(0.1, 0.15))
    fractions = [float(pairs[p]["scratch_mask"].mean()) for p in range(20)]
    assert min(fractions) > 0.09
    assert max(fractions) < 0.16
