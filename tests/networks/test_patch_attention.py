"""Patch attention: copies against a slow search, batches, odd sides, holes everywhere."""

import pytest
import torch
from torch.nn.functional import normalize

from oldphoto.checks import InputError
from oldphoto.networks import patch_attention
from oldphoto.networks.patch_attention import PatchAttention


def slow_compose(x, damaged, size):
    """Copies for one sample (C, H, W) with sides that are multiples of the patch, in loops."""
    _, height, width = x.shape
    corners = [(r, c) for r in range(0, height, size) for c in range(0, width, size)]

    def cut(image, corner):
        return image[:, corner[0] : corner[0] + size, corner[1] : corner[1] + size]

    masked = {corner: cut(damaged, corner).mean() > 0.6 for corner in corners}
    sound = [corner for corner in corners if not masked[corner]]
    result = x.clone()
    for corner in corners:
        if masked[corner] and sound:
            here = normalize(cut(x, corner).flatten(), dim=0)
            likeness = [here @ normalize(cut(x, other).flatten(), dim=0) for other in sound]
            best = sound[max(range(len(sound)), key=lambda n: likeness[n])]
            cut(result, corner).copy_(cut(x, best))
    return result


def make(size, shape, share=0.6):
    torch.manual_seed(0)
    x = torch.randn(shape)
    noise = torch.rand(shape[0], 1, shape[2] // size, shape[3] // size)
    blocks = (noise < share).float().repeat_interleave(size, 2).repeat_interleave(size, 3)
    return PatchAttention(shape[1], size), x, blocks


@pytest.mark.parametrize("size", [8, 4, 2])
def test_equals_the_slow_search_for_every_sample_of_a_batch(size):
    attention, x, damaged = make(size, (3, 4, 16, 24))
    out = attention.compose(x, damaged)
    expected = torch.stack([slow_compose(*pair, size) for pair in zip(x, damaged, strict=False)])
    assert torch.equal(out, expected)
    assert not torch.equal(out, x)


def test_a_patch_is_masked_above_six_tenths():
    attention, x, damaged = make(4, (1, 2, 8, 8), share=0.0)
    damaged[0, 0, :2, :4] = damaged[0, 0, 2, :1] = 1  # 9 of 16 = 0.56
    assert torch.equal(attention.compose(x, damaged), x)
    damaged[0, 0, :2, :4] = damaged[0, 0, 2, :2] = 1  # 10 of 16 = 0.63
    out = attention.compose(x, damaged)
    copied = out[..., :4, :4]
    assert not torch.equal(copied, x[..., :4, :4])
    others = [x[..., :4, 4:], x[..., 4:, :4], x[..., 4:, 4:]]
    assert any(torch.equal(copied, other) for other in others)
    assert torch.equal(out[..., 4:, :], x[..., 4:, :])


def test_copies_the_patch_that_is_alike_but_for_its_length():
    attention, x, damaged = make(2, (1, 3, 4, 6), share=0.0)
    x[..., 0:2, 0:2] = 3 * x[..., 2:4, 4:6]
    damaged[..., 0:2, 0:2] = 1
    assert torch.equal(attention.compose(x, damaged)[..., 0:2, 0:2], x[..., 2:4, 4:6])


def test_a_border_patch_is_judged_by_the_part_that_exists():
    attention, x, _ = make(4, (1, 3, 4, 10))
    damaged = torch.zeros(1, 1, 4, 10)
    damaged[..., :2, 8:] = 1  # 4 of the 8 positions that exist
    assert torch.equal(attention.compose(x, damaged), x)
    damaged[..., 2, 8:] = 1  # 6 of 8
    x[..., 0:2] = 2 * x[..., 8:10]
    out = attention.compose(x, damaged)
    assert torch.equal(out[..., 8:10], x[..., 0:2])
    assert torch.equal(out[..., :8], x[..., :8])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_masked_or_nothing_sound_changes_nothing(value):
    attention, x, _ = make(4, (2, 3, 8, 8))
    assert torch.equal(attention.compose(x, torch.full((2, 1, 8, 8), value)), x)


@pytest.mark.parametrize("shape", [(1, 3, 11, 13), (2, 3, 5, 30), (1, 3, 3, 3)])
def test_sides_that_are_no_multiple_of_the_patch(shape):
    attention, x, _ = make(4, shape)
    damaged = torch.zeros(shape[0], 1, *shape[2:])
    assert torch.equal(attention.compose(x, damaged), x)
    damaged[..., -3:, -3:] = 1
    out = attention.compose(x, damaged)
    assert out.shape == x.shape
    assert out.abs().sum(dim=1).gt(0).all()  # no strip of zeros


def test_a_border_patch_is_filled_but_never_copied():
    attention, x, _ = make(4, (1, 3, 4, 10))
    damaged = torch.zeros(1, 1, 4, 10)
    x[..., :4] = 0.0
    x[..., :2, :2] = x[..., 8:9].mean()  # most alike: the border patch, columns 8 and 9
    x[..., :4] += x[..., 8:9]
    damaged[..., :4] = 1
    out = attention.compose(x, damaged)
    assert torch.equal(out[..., :4], x[..., 4:8])  # the only complete sound one
    damaged[..., :4], damaged[..., 8:] = 0, 1
    assert not torch.equal(attention.compose(x, damaged)[..., 8:], x[..., 8:])


def test_chunks_change_nothing(monkeypatch):
    attention, x, damaged = make(2, (1, 3, 16, 16))
    whole = attention.compose(x, damaged)
    monkeypatch.setattr(patch_attention, "MAX_SCORES", 1)
    assert torch.equal(attention.compose(x, damaged), whole)


def test_forward_combines_features_copies_and_mask():
    attention, x, damaged = make(4, (2, 3, 8, 12))
    copies = attention.compose(attention.block(x), damaged)
    expected = attention.combine(torch.cat([x, copies, damaged], dim=1))
    assert attention.combine.weight.shape == (3, 7, 3, 3)
    assert torch.allclose(attention(x, damaged), expected)


def test_gradient_flows_to_what_was_copied():
    attention, x, damaged = make(4, (1, 2, 4, 8), share=0.0)
    damaged[..., :4] = 1
    x.requires_grad_()
    attention.compose(x, damaged).sum().backward()
    assert x.grad[..., :4].eq(0).all() and x.grad[..., 4:].eq(2).all()


def test_refusals():
    attention, x, damaged = make(4, (1, 3, 8, 8))
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        attention(x[:, :2], damaged)
    with pytest.raises(InputError, match=r"expected a scratch mask of shape \(1, 1, 8, 8\)"):
        attention(x, damaged[..., :4])
    with pytest.raises(InputError, match="patch_size must be greater than 0"):
        PatchAttention(3, 0)
