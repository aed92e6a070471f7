"""The mask at the latent, and the prediction of memory: known values."""

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.networks.partial_nonlocal import (
    predict_memory,
    soft_validity_at_latent,
    validity_at_latent,
)


def test_validity_at_latent_grows_the_hole():
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 5, 6] = 1  # row 5 is one of the two that bilinear reduction by 4 looks at
    validity = validity_at_latent(mask, (4, 4))
    expected = torch.ones(4, 4)
    expected[1, 1] = 0
    assert torch.equal(validity[0, 0], expected)


def test_validity_at_latent_looks_at_three_of_four_rows():
    unseen = []
    for row in range(4, 8):
        mask = torch.zeros(1, 1, 16, 16)
        mask[:, :, row] = 1
        if validity_at_latent(mask, (4, 4)).eq(1).all():
            unseen.append(row - 4)
    assert unseen == [3]


def test_validity_at_latent_of_a_grey_mask():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 0, 0] = 0.25  # seen by the nearest pixel alone
    assert validity_at_latent(mask, (2, 2)).flatten().tolist() == [0.75, 1, 1, 1]


def test_soft_validity_counts_every_pixel_of_a_position():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 3, 3] = 1  # the corner that the authors' reduction does not look at
    mask[..., 4:, 4:] = 1
    mask[..., :2, 4:] = 1
    assert torch.equal(
        mask.new_tensor([[15 / 16, 0.5], [1, 0]]), soft_validity_at_latent(mask, (2, 2))[0, 0]
    )


@pytest.mark.parametrize("size", [(40, 52), (37, 50), (3, 5)])
def test_without_damage_all_is_sound_to_the_last_bit(size):
    assert soft_validity_at_latent(torch.zeros(2, 1, *size), (10, 13)).eq(1).all()
    assert soft_validity_at_latent(torch.ones(2, 1, *size), (10, 13)).eq(0).all()


def test_whatever_the_authors_reduction_calls_sound_is_nearly_so():
    generator = torch.Generator().manual_seed(0)
    mask = (torch.rand(1, 1, 64, 64, generator=generator) > 0.97).float()
    share = soft_validity_at_latent(mask, (16, 16))
    assert share[validity_at_latent(mask, (16, 16)) == 1].min() >= 9 / 16  # 7 pixels go unseen
    assert share.mean() == pytest.approx(float(1 - mask.mean()), abs=1e-6)


def test_soft_validity_refuses_a_mask_without_batch():
    with pytest.raises(InputError, match="expected"):
        soft_validity_at_latent(torch.zeros(8, 8), (2, 2))


def test_predict_memory_of_the_known_complaint():
    # 1992 x 1480 is rounded to 1984 x 1472; users were told "tried to allocate 124.12 GiB".
    prediction = predict_memory(1472, 1984)
    assert prediction.naive_bytes / 4 / 2**30 == pytest.approx(124.11, abs=0.01)
    assert prediction.actual_bytes < 2.5 * 2**30


def test_predict_memory_grows_with_the_square_and_in_line():
    small, large = predict_memory(256, 256), predict_memory(512, 512)
    assert large.naive_bytes == 16 * small.naive_bytes
    assert large.actual_bytes == pytest.approx(4 * small.actual_bytes, rel=1e-3)
    assert predict_memory(256, 256, batch=3).naive_bytes == 3 * small.naive_bytes
    assert predict_memory(256, 256, bytes_per_value=2).naive_bytes == small.naive_bytes // 2
