"""The global branch: identity at first, smooth, of any size, and its features by hand."""

import torch

from oldphoto.config import ToneConfig
from oldphoto.networks.tone import GRID, NUM_FEATURES, ToneMapping


def network() -> ToneMapping:
    torch.manual_seed(0)
    return ToneMapping(ToneConfig(width=4))


def test_an_untrained_network_leaves_the_photo_alone():
    photo = torch.rand(2, 3, 50, 70) * 2 - 1
    assert torch.equal(network()(photo), photo)


def test_the_change_is_the_sum_of_the_factors_times_the_features():
    tone = network()
    # The same factors everywhere: out = photo + 0.5 red - 0.25 green^2 + 0.1 in the first channel.
    factors = torch.zeros(1, 3, NUM_FEATURES, GRID, GRID)
    factors[0, 0, 0], factors[0, 0, 4], factors[0, 0, 6] = 0.5, -0.25, 0.1
    tone.factors = lambda photo: factors  # type: ignore[method-assign]
    photo = torch.rand(1, 3, 30, 41) - 0.5
    red, green, blue = photo[0]
    expected = torch.stack([red + 0.5 * red - 0.25 * green**2 + 0.1, green, blue])
    torch.testing.assert_close(tone(photo)[0], expected.clamp(-1, 1))


def test_the_change_is_smooth_and_reaches_the_places_of_the_grid():
    tone = network()
    factors = torch.zeros(1, 3, NUM_FEATURES, GRID, GRID)
    factors[0, 1, 6, 0, 0] = 0.5  # a constant in the upper left corner
    tone.factors = lambda photo: factors  # type: ignore[method-assign]
    change = tone(torch.zeros(1, 3, 61, 61))[0, 1]
    assert abs(change[0, 0].item() - 0.5) < 1e-6
    assert change[20, 20].abs() < 1e-6  # the next place
    assert (change[1:] - change[:-1]).abs().max() < 0.05


def test_gradients_reach_every_weight():
    tone = network()
    torch.nn.init.normal_(tone.answer[-1].weight, std=0.1)
    tone(torch.rand(1, 3, 64, 64) - 0.5).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tone.parameters())
