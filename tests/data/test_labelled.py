"""Labelled photos for the detector: pairs by name, cut alike, strict about what is missing."""

import numpy as np
import pytest
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.data import LabelledPhotos, labelled_pairs


def write_pairs(folder, num=3, side=48):
    """Write photos that are white exactly where their mask is, on a dark ground."""
    rng = np.random.default_rng(0)
    for name in ("photos", "masks"):
        (folder / name).mkdir()
    for number in range(num):
        mask = rng.random((side, side)) < 0.1
        photo = np.where(mask, 255, 10 + number).astype(np.uint8)
        Image.fromarray(photo).save(folder / "photos" / f"{number}.png")
        Image.fromarray((mask * 255).astype(np.uint8)).save(folder / "masks" / f"{number}.png")
    return folder


def test_photo_and_mask_are_cut_and_mirrored_alike(tmp_path):
    dataset = LabelledPhotos(labelled_pairs(write_pairs(tmp_path)), crop=32, seed=0)
    for position in range(12):
        sample = dataset[position]
        assert sample["grey"].shape == sample["scratch_mask"].shape == (1, 32, 32)
        assert torch.equal((sample["grey"] > 0).float(), sample["scratch_mask"])
        assert torch.equal(dataset[position]["grey"], sample["grey"])
    assert not torch.equal(dataset[0]["grey"], dataset[3]["grey"])  # another epoch, another cut


def test_each_epoch_shows_every_pair_once(tmp_path):
    dataset = LabelledPhotos(labelled_pairs(write_pairs(tmp_path)), crop=32, seed=0)
    darkest = [dataset[position]["grey"].min().item() for position in range(6)]
    assert len(set(darkest[:3])) == len(set(darkest[3:])) == 3


def test_a_photo_without_mask_is_named(tmp_path):
    write_pairs(tmp_path)
    (tmp_path / "masks" / "1.png").unlink()
    with pytest.raises(InputError, match=r"expected a mask .*1.png for .*photos/1.png"):
        labelled_pairs(tmp_path)


def test_a_pair_that_cannot_be_read_ends_it(tmp_path):
    write_pairs(tmp_path, num=1)
    (tmp_path / "masks" / "0.png").write_bytes(b"no mask")
    with pytest.raises(InputError, match=r"0.png"):
        LabelledPhotos(labelled_pairs(tmp_path), crop=32, seed=0)[0]
