"""Mappings that begin as another form: the same function at first, and what does not fit."""

from dataclasses import replace

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import MappingConfig
from oldphoto.networks.mapping import (
    PaperMapping,
    PatchAttentionMapping,
    SerialMapping,
    with_equal_groups,
)
from oldphoto.networks.warm_start import patch_attention_from, plain_from

CONFIG = MappingConfig(
    latent_channels=4,
    widths_in=(6, 8),
    widths_out=(6,),
    num_blocks=6,
    num_global_blocks=1,
    form="serial",
    norm=False,
    skip=True,
)


@pytest.fixture
def trained() -> SerialMapping:
    torch.manual_seed(1)
    return SerialMapping(CONFIG).eval()


@pytest.fixture
def latent() -> torch.Tensor:
    return torch.randn(2, 4, 16, 20, generator=torch.Generator().manual_seed(2))


def test_a_plain_mapping_begins_as_the_trained_one_without_holes(trained, latent):
    with torch.no_grad():
        assert torch.equal(plain_from(trained)(latent), trained(latent))


def test_patch_attention_begins_as_the_trained_one_for_any_mask(trained, latent):
    grown = patch_attention_from(trained, PatchAttentionMapping(with_equal_groups(CONFIG)))
    mask = (torch.rand(2, 1, 64, 80, generator=torch.Generator().manual_seed(3)) < 0.2).float()
    with torch.no_grad():
        for scratch_mask in (None, mask, torch.ones_like(mask)):
            torch.testing.assert_close(grown(latent, scratch_mask), trained(latent))


def test_everything_that_was_added_can_learn(trained, latent):
    grown = patch_attention_from(trained, PatchAttentionMapping(with_equal_groups(CONFIG)))
    mask = torch.zeros(2, 1, 64, 80)
    mask[:, :, 16:48, 16:48] = 1
    grown(latent, mask).square().sum().backward()
    for attention in grown.attentions:
        copied = attention.combine.weight.grad[:, attention.channels : -1]
        assert copied.abs().max() > 0
    added = grown.groups[-1][-1]
    assert added.conv2.weight.grad.abs().max() > 0


def test_what_does_not_fit_is_refused(trained):
    with pytest.raises(InputError, match='of form "serial" or "ours", got "paper"'):
        plain_from(PaperMapping(CONFIG))
    with pytest.raises(InputError, match="at least 6 residual blocks"):
        patch_attention_from(trained, PatchAttentionMapping(replace(CONFIG, num_blocks=4)))
    wider = with_equal_groups(replace(CONFIG, widths_in=(7, 8)))
    with pytest.raises(InputError, match="the two mappings differ in widen"):
        patch_attention_from(trained, PatchAttentionMapping(wider))


@pytest.mark.parametrize(("given", "expected"), [(1, 4), (4, 4), (6, 8), (8, 8)])
def test_groups_are_of_equal_size(given, expected):
    assert with_equal_groups(replace(CONFIG, num_blocks=given)).num_blocks == expected
