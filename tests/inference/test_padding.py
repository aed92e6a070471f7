"""Padding to a multiple mirrors the photo to the right and below, and cropping undoes it."""

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.inference.padding import crop_to_size, pad_to_multiple


def test_mirrors_without_repeating_the_border():
    x = torch.arange(6.0).view(1, 1, 1, 6).expand(1, 1, 6, 6)
    padded = pad_to_multiple(x, 4)
    assert padded.shape == (1, 1, 8, 8)
    assert padded[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3]
    assert pad_to_multiple(x.mT, 4)[0, 0, :, 0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3]


def test_repeats_the_border_where_it_cannot_mirror():
    x = torch.tensor([[[[1.0, 2.0]]]])
    assert pad_to_multiple(x, 4)[0, 0].tolist() == [[1, 2, 2, 2]] * 4


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (5, 64), (1, 1)])
def test_cropping_undoes_padding(size):
    x = torch.rand(2, 3, *size)
    padded = pad_to_multiple(x, 16)
    assert all(side % 16 == 0 for side in padded.shape[-2:])
    assert torch.equal(crop_to_size(padded, size), x)


def test_multiples_pass_untouched():
    x = torch.rand(1, 3, 32, 16)
    assert pad_to_multiple(x, 16) is x
    with pytest.raises(InputError, match="multiple must be greater than 0"):
        pad_to_multiple(x, 0)
