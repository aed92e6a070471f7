"""Operation-wise attention: weights that add up to 1, a layer by hand, a short training."""

import numpy as np
import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.evaluation.baselines import attention
from oldphoto.evaluation.baselines.attention import (
    Attention,
    AttentionConfig,
    AttentionNetwork,
    OperationAttention,
    OperationLayer,
    attention_stage,
    fit,
)


def test_the_weights_of_each_layer_are_positive_and_add_up_to_one():
    torch.manual_seed(0)
    config = AttentionConfig(group=4)
    weights = OperationAttention(config)(5 * torch.randn(3, 16, 9, 11))
    assert weights.shape == (3, 4, 8)
    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 4))
    assert weights[0].ne(weights[1]).any()  # each photo has its own


def test_the_paper_preset_has_forty_layers_of_eight_operations():
    config = attention.PAPER.network
    network = AttentionNetwork(config)
    assert len(network.groups) == 10 and attention.NUM_OPERATIONS == 8
    # 16 channels: a separable convolution k x k has 16 k^2 + 256 weights; k is 1, 3, 3, 5, 5, 7, 7.
    layer = 16 * (1 + 2 * (9 + 25 + 49)) + 7 * 256 + (8 * 16 * 16 + 16)
    weighing = (16 * 32 + 32) + (32 * 32 + 32)
    ends = (3 * 16 * 9 + 16) + (16 * 3 * 9 + 3)
    blocks = 4 * 2 * (16 * 16 * 9 + 16)
    expected = 40 * layer + 10 * weighing + ends + blocks
    assert sum(p.numel() for p in network.parameters()) == expected


def test_a_layer_is_the_weighted_sum_of_its_operations():
    torch.manual_seed(1)
    layer, x = OperationLayer(4), torch.randn(2, 4, 10, 12)
    weights = torch.rand(2, 8).softmax(dim=-1)
    total = 0
    operations = [*layer.convs, layer.average]
    for number, operation in enumerate(operations):
        part = layer.mix.weight[:, 4 * number : 4 * number + 4, 0, 0]
        result = operation(x) * weights[:, number].view(2, 1, 1, 1)
        total = total + torch.einsum("oc,bchw->bohw", part, result)
    expected = x + (total + layer.mix.bias.view(1, 4, 1, 1)).relu()
    torch.testing.assert_close(layer(x, weights), expected)


def test_an_operation_of_weight_zero_does_not_count():
    torch.manual_seed(2)
    layer, x = OperationLayer(4), torch.randn(1, 4, 10, 12)
    weights = torch.zeros(1, 8)
    weights[0, 1] = 1
    before = layer(x, weights)
    with torch.no_grad():
        layer.convs[3].pointwise.weight.add_(1)
    assert torch.equal(layer(x, weights), before)
    with torch.no_grad():
        layer.convs[1].pointwise.weight.add_(1)
    assert not torch.equal(layer(x, weights), before)


def test_same_size_out_for_odd_sizes(damaged):
    torch.manual_seed(0)
    method = Attention(AttentionNetwork(attention.TINY.network))
    restored = method(*damaged)
    assert restored.shape == damaged[0].shape and restored.dtype == np.uint8
    assert method.num_parameters == sum(p.numel() for p in method.network.parameters())


def test_short_training_lowers_the_loss_and_is_kept(lesson):
    short = lesson(attention.TINY, num_steps=25)
    stage = attention_stage(short.run, short.preset)
    batch = short.batch(stage)

    @torch.no_grad()
    def l1(network):
        return float((network(batch["degraded"]) - batch["clean"]).abs().mean())

    before = l1(stage.trained["attention"])
    assert fit(short.run, short.preset)
    assert l1(Attention.load(short.run.weights).network) < 0.7 * before


def test_refusals():
    with pytest.raises(InputError, match="multiple of group"):
        AttentionConfig(num_layers=5, group=2)
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        AttentionNetwork(attention.TINY.network)(torch.zeros(1, 1, 16, 16))
