"""The patch discriminators: pix2pixHD's counts and sizes, the pyramid, spectral norm, refusals."""

import pytest
import torch
import torch.nn.functional as F

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, DiscriminatorConfig
from oldphoto.networks.discriminators import PatchDiscriminator

SMALL = DiscriminatorConfig(width=4, num_layers=2, num_scales=2)


@pytest.mark.parametrize(
    ("in_channels", "num_scales", "tensors", "parameters"),
    [(3, 2, 20, 5_529_474), (6, 2, 20, 5_535_618), (64, 1, 10, 2_827_201)],
)
def test_counts_of_the_authors_discriminators(in_channels, num_scales, tensors, parameters):
    net = PatchDiscriminator(DiscriminatorConfig(num_scales=num_scales), in_channels)
    assert len(net.state_dict()) == tensors
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_feature_sizes():
    net = PatchDiscriminator(DiscriminatorConfig(width=8), in_channels=3)
    fine, coarse = net(torch.zeros(1, 3, 256, 256))
    sizes = [tuple(feature.shape[1:]) for feature in fine]
    assert sizes == [(8, 129, 129), (16, 65, 65), (32, 33, 33), (64, 34, 34), (1, 35, 35)]
    assert [f.shape[-1] for f in coarse] == [65, 33, 17, 18, 19]


def test_width_stops_at_512():
    net = PatchDiscriminator(DiscriminatorConfig(width=256, num_layers=2, num_scales=1), 1)
    assert [layer.conv.out_channels for layer in net.scales[0].layers] == [256, 512, 512, 1]


def test_one_scale_is_the_written_out_formula():
    torch.manual_seed(0)
    net = PatchDiscriminator(DiscriminatorConfig(width=4, num_layers=2, num_scales=1), 3).double()
    x = torch.randn(2, 3, 16, 12, dtype=torch.float64)
    weights = net.state_dict()
    expected, y = [], x
    for number in range(4):
        name = f"scales.0.layers.{number}.conv"
        stride = 2 if number < 2 else 1
        y = F.conv2d(y, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, padding=2)
        if number in (1, 2):
            y = F.instance_norm(y)
        if number < 3:
            y = torch.where(y > 0, y, 0.2 * y)
        expected.append(y)
    for found, wanted in zip(net(x)[0], expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def test_second_scale_sees_the_photo_at_half_its_size():
    torch.manual_seed(1)
    net = PatchDiscriminator(SMALL, 3)
    x = torch.randn(1, 3, 32, 32)
    halved = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
    found = net(x)[1]
    for feature, wanted in zip(found, net.scales[1](halved), strict=True):
        assert torch.equal(feature, wanted)
    assert torch.equal(net.halve(torch.ones(1, 3, 8, 8)), torch.ones(1, 3, 4, 4))


def test_features_are_not_overwritten_by_later_layers():
    torch.manual_seed(2)
    net = PatchDiscriminator(SMALL, 3)
    features = net(torch.randn(1, 3, 32, 32))[0]
    again = net.scales[0].layers[1](features[0])
    torch.testing.assert_close(again, features[1])


def test_spectral_norm_bounds_the_slope_of_each_layer():
    torch.manual_seed(3)
    config = DiscriminatorConfig(width=8, num_layers=2, num_scales=1, spectral_norm=True)
    net = PatchDiscriminator(config, 3).train()
    for _ in range(30):  # each training forward refines the estimate of the largest value
        net(torch.randn(1, 3, 16, 16))
    for layer in net.scales[0].layers:
        largest = torch.linalg.matrix_norm(layer.conv.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1.0, abs=0.05)


def test_latents_and_small_crops_fit():
    for preset in PRESETS.values():
        photo_net = PatchDiscriminator(preset.discriminator, 3)
        latent_net = PatchDiscriminator(preset.latent_discriminator, preset.vae.latent_channels)
        assert photo_net(torch.randn(1, 3, 64, 64))[-1][-1].isfinite().all()
        latent = torch.randn(1, preset.vae.latent_channels, 16, 16)
        assert latent_net(latent)[0][-1].isfinite().all()


def test_smallest_size_works_and_one_less_is_refused():
    net = PatchDiscriminator(SMALL, 3).train()
    size = net.min_size
    assert size == 8
    assert len(net(torch.randn(1, 3, size, size))) == 2
    with pytest.raises(InputError, match="at least 8"):
        net(torch.randn(1, 3, size - 1, size))
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        net(torch.randn(1, 6, 32, 32))
