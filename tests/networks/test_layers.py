"""The shared blocks: sizes, the written-out formula in float64, gradients, starts, refusals."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from oldphoto.checks import InputError
from oldphoto.networks.layers import (
    BlurPool,
    ResidualBlock,
    clamp_keeping_gradient,
    conv,
    conv_norm_relu,
    deconv_norm_relu,
    init_paper,
    init_plain,
    residual_blocks,
)


def _normalised(x, eps=1e-5):
    mean = x.mean(dim=(2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=(2, 3), keepdim=True)
    return (x - mean) / (variance + eps).sqrt()


def _mirrored_conv(x, layer, pad=1):
    return F.conv2d(F.pad(x, (pad,) * 4, mode="reflect"), layer.weight, layer.bias)


@pytest.mark.parametrize("norm", [True, False])
def test_residual_block_is_the_written_out_formula(norm):
    torch.manual_seed(0)
    block = ResidualBlock(3, norm).double()
    x = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    scaled = _normalised if norm else (lambda features: features)
    inner = scaled(_mirrored_conv(x, block.conv1)).clamp(min=0)
    expected = x + scaled(_mirrored_conv(inner, block.conv2))
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-10)


def test_residual_block_is_the_identity_when_its_second_convolution_is_zero():
    block = ResidualBlock(4, norm=False)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    x = torch.randn(1, 4, 5, 7)
    assert torch.equal(block(x), x)  # negative values too: no activation after the sum


@pytest.mark.parametrize("norm", [True, False])
def test_residual_block_gradient(norm):
    torch.manual_seed(1)
    block = ResidualBlock(2, norm).double()
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, (x,))


def test_residual_block_leaves_its_input_alone():
    block = ResidualBlock(2, norm=False)
    x = torch.randn(1, 2, 4, 4)
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("shape", [(2, 4, 4), (1, 3, 4, 4), (1, 2, 1, 4)])
def test_residual_block_refuses(shape):
    with pytest.raises(InputError, match=r"shape \(B, 2, H, W\)|at least 2"):
        ResidualBlock(2)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("kernel_size", "stride", "size"), [(3, 1, (8, 12)), (7, 1, (8, 12)), (4, 2, (4, 6))]
)
def test_conv_keeps_or_divides_the_size(kernel_size, stride, size):
    layer = conv(3, 5, kernel_size, stride)
    assert layer(torch.zeros(1, 3, 8, 12)).shape == (1, 5, *size)


def test_conv_mirrors_or_draws_zeros_at_the_border():
    ones = torch.ones(1, 1, 4, 4)
    mirrored, zeros = conv(1, 1), conv(1, 1, padding_mode="zeros")
    for layer in (mirrored, zeros):
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert mirrored(ones).unique().tolist() == [9.0]
    assert zeros(ones)[0, 0, 0].tolist() == [4.0, 6.0, 6.0, 4.0]


def test_conv_norm_relu_normalises_then_cuts_negatives():
    torch.manual_seed(2)
    block = conv_norm_relu(2, 3).double()
    x = torch.randn(2, 2, 5, 6, dtype=torch.float64)
    expected = _normalised(_mirrored_conv(x, block.conv)).clamp(min=0)
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-10)
    without = conv_norm_relu(2, 3, norm=False).double()
    expected = _mirrored_conv(x, without.conv).clamp(min=0)
    torch.testing.assert_close(without(x), expected, rtol=0, atol=1e-10)


def test_tensor_names_are_words_and_biases_are_kept():
    assert list(conv_norm_relu(2, 3).state_dict()) == ["conv.weight", "conv.bias"]
    assert list(deconv_norm_relu(2, 3).state_dict()) == ["conv.weight", "conv.bias"]
    assert list(residual_blocks(1, 2).state_dict()) == [
        "0.conv1.weight",
        "0.conv1.bias",
        "0.conv2.weight",
        "0.conv2.bias",
    ]


def test_deconv_spreads_one_value_over_four_by_four():
    block = deconv_norm_relu(1, 1, norm=False)
    nn.init.ones_(block.conv.weight)
    nn.init.zeros_(block.conv.bias)
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 1.0
    expected = torch.zeros(1, 1, 6, 6)
    expected[0, 0, 1:5, 1:5] = 1.0
    assert torch.equal(block(x), expected)


def test_blur_pool_known_values():
    # (1, 2, 1) / 4 along one axis at positions 0, 2, 4, where 1 is mirrored to the left of 0:
    # (2*0 + 2*1)/4, (1 + 4 + 9 * 1)/4, ...
    row = torch.tensor([0.0, 1.0, 2.0, 9.0, 4.0, 5.0])
    x = row.expand(1, 2, 4, 6).contiguous()
    expected = torch.tensor([0.5, (1 + 4 + 9) / 4, (9 + 8 + 5) / 4])
    result = BlurPool(2)(x)
    assert result.shape == (1, 2, 2, 3)
    torch.testing.assert_close(result, expected.expand(1, 2, 2, 3))
    torch.testing.assert_close(BlurPool(2)(x.mT), expected[:, None].expand(1, 2, 3, 2))


def test_blur_pool_removes_the_finest_checkerboard():
    # Where a plain stride 2 would return a white picture.
    y, x = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    checkerboard = (1.0 - 2.0 * ((x + y) % 2))[None, None]
    torch.testing.assert_close(BlurPool(1)(checkerboard), torch.zeros(1, 1, 4, 4))


def test_blur_pool_kernel_is_saved_but_not_trained():
    pool = BlurPool(3)
    assert pool.state_dict()["kernel"].shape == (3, 1, 3, 3)
    assert list(pool.parameters()) == []
    with pytest.raises(InputError, match="at least 2"):
        pool(torch.zeros(1, 3, 1, 8))


def test_clamp_keeps_the_gradient_of_pixels_outside():
    x = torch.tensor([-3.0, 0.25, 1.5], requires_grad=True)
    y = clamp_keeping_gradient(x)
    assert y.tolist() == [-1.0, 0.25, 1.0]
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


def test_init_paper_draws_weights_and_leaves_biases():
    torch.manual_seed(3)
    net = nn.Sequential(conv(32, 32), nn.ConvTranspose2d(32, 32, 4), nn.BatchNorm2d(512))
    biases = net[0].bias.clone()
    init_paper(net)
    for layer in net[:2]:
        assert abs(layer.weight.mean().item()) < 0.001
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert torch.equal(net[0].bias, biases)
    assert net[2].weight.mean().item() == pytest.approx(1.0, abs=0.005)
    assert net[2].weight.std().item() == pytest.approx(0.02, rel=0.15)


def test_init_plain_keeps_the_size_of_the_signal():
    torch.manual_seed(4)
    net = nn.Sequential(conv(16, 64), residual_blocks(6, 64, norm=False), conv(64, 16))
    init_plain(net)
    x = torch.randn(4, 16, 12, 12)
    assert 0.7 < net(x).std().item() < 1.4
    block = net[1][0]
    added = block(x := net[0](x)) - x
    assert 0.02 < (added.std() / x.std()).item() < 0.2


def test_init_plain_counts_the_taps_of_a_transposed_convolution():
    torch.manual_seed(5)
    layer = nn.ConvTranspose2d(64, 64, kernel_size=4, stride=2, padding=1)
    init_plain(layer)
    inside = layer(torch.randn(2, 64, 12, 12))[..., 1:-1, 1:-1]
    assert inside.std().item() == pytest.approx(1.0, abs=0.1)


def test_init_plain_refuses_a_negative_scale():
    with pytest.raises(InputError, match="residual_scale must not be negative"):
        init_plain(ResidualBlock(2), -0.1)
