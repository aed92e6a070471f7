"""The whole network is encoder, mapping and decoder in a row, and knows how far it reaches."""

import dataclasses

import pytest
import torch
from torch import nn

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, MappingConfig, VAEConfig
from oldphoto.networks.mapping import (
    PatchAttentionMapping,
    PlainMapping,
    UnmaskedMapping,
    scratch_mapping,
)
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE

TINY = PRESETS["tiny"]
FORMS = {
    "quality": PlainMapping,
    "scratch": scratch_mapping,
    "hr": lambda config: PatchAttentionMapping(dataclasses.replace(config, num_blocks=4)),
}


def build(form: str = "scratch") -> RestorationNetwork:
    torch.manual_seed(0)
    return RestorationNetwork(VAE(TINY.vae), VAE(TINY.vae), FORMS[form](TINY.mapping)).eval()


def build_conv(norm: bool) -> RestorationNetwork:
    torch.manual_seed(0)
    vae = VAEConfig(width=4, latent_channels=4, num_blocks=1, norm=norm)
    mapping = MappingConfig(4, (6,), (4,), num_blocks=1, norm=norm)
    return RestorationNetwork(VAE(vae), VAE(vae), PlainMapping(mapping)).eval()


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_is_encode_map_decode(form):
    network = build(form)
    photo = torch.rand(2, 3, 24, 36) * 2 - 1
    mask = torch.zeros(2, 1, 24, 36)
    mask[..., 8:16, 8:16] = 1
    latent = network.mapping(network.vae_degraded.encode(photo), mask)
    assert torch.equal(network(photo, mask), network.vae_clean.decode(latent))
    assert network(photo).shape == photo.shape


@torch.no_grad()
def test_the_two_vaes_are_not_swapped():
    network = build()
    photo = torch.rand(1, 3, 16, 16)
    before = network(photo)
    nn.init.zeros_(network.vae_degraded.decoder.head.weight)
    nn.init.zeros_(network.vae_clean.encoder.head.weight)
    assert torch.equal(network(photo), before)
    nn.init.zeros_(network.vae_clean.decoder.head.weight)
    assert not torch.equal(network(photo), before)


def test_refuses_other_shapes():
    network = build()
    with pytest.raises(InputError, match="multiples of 4, got"):
        network(torch.zeros(1, 3, 18, 16))
    with pytest.raises(InputError, match=r"expected a tensor of shape \(B, 3, H, W\)"):
        network(torch.zeros(1, 1, 16, 16))
    with pytest.raises(InputError, match=r"scratch mask of shape \(1, 1, 16, 16\)"):
        network(torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("build_one", [build, lambda: build("hr"), lambda: build_conv(False)])
@torch.no_grad()
def test_nothing_beyond_the_reach_changes_an_output_pixel(build_one):
    network = build_one()
    reach = network.reach
    photo = torch.rand(1, 3, 16, 4 * reach) * 2 - 1
    changed = photo.clone()
    changed[..., 2 * reach] *= -1
    difference = (network(photo) - network(changed)).abs().amax(dim=(0, 1, 2))
    touched = difference.nonzero()[:, 0]
    assert difference.max() > 0
    assert 2 * reach - reach <= touched.min()
    assert touched.max() <= 2 * reach + reach
    # An upper bound, but not a wild one.
    assert touched.max() - touched.min() > 2 * reach / 3


def test_attention_without_a_mask_reaches_everywhere():
    network = build()
    network.mapping = UnmaskedMapping(TINY.mapping)
    assert network.reach is None


def test_instance_norm_reaches_everywhere():
    assert build_conv(norm=True).reach is None
    # Tiny: 4 convolutions in each VAE half, 11 in the mapping with 2 in its global branch, and 1.
    assert build().reach == 4 * (4 + 4 + 2 + 2 + 4 + 1 + 1 + 1)
