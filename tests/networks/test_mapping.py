"""The three mappings: sizes of the authors' checkpoints, the table's rows, fusion, refusals."""

import dataclasses

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, MappingConfig
from oldphoto.networks.mapping import (
    OFFICIAL_HR,
    OFFICIAL_PLAIN,
    OFFICIAL_SCRATCH,
    PartialNonlocalMapping,
    PatchAttentionMapping,
    PlainMapping,
)
from oldphoto.networks.partial_nonlocal import keep_at_latent, sound_share_at_latent

SMALL = MappingConfig(
    latent_channels=4,
    widths_in=(6, 8),
    widths_out=(6,),
    num_blocks=4,
    num_global_blocks=1,
)
FORMS = [PlainMapping, PartialNonlocalMapping, PatchAttentionMapping]


def make(form, **changes):
    torch.manual_seed(0)
    mapping = form(dataclasses.replace(SMALL, **changes))
    latent = torch.randn(2, 4, 10, 13)
    mask = torch.zeros(2, 1, 40, 52)
    mask[0, :, 8:24, 12:36] = 1
    return mapping, latent, mask


@pytest.mark.parametrize(
    ("form", "config", "num_parameters", "num_tensors"),
    [
        (PlainMapping, OFFICIAL_PLAIN, 36_135_232, 40),
        (PartialNonlocalMapping, OFFICIAL_SCRATCH, 51_344_704, 60),
        (PatchAttentionMapping, OFFICIAL_HR, 73_904_448, 66),
    ],
)
def test_sizes_of_the_authors_checkpoints(form, config, num_parameters, num_tensors):
    with torch.device("meta"):
        state = form(config).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == num_parameters
    assert len(state) == num_tensors


def test_names_can_be_read():
    with torch.device("meta"):
        names = set(PartialNonlocalMapping(OFFICIAL_SCRATCH).state_dict())
        hr_names = set(PatchAttentionMapping(OFFICIAL_HR).state_dict())
    assert names > {
        "widen.0.conv.weight",
        "partial_nonlocal.query.weight",
        "partial_nonlocal.blocks.2.conv1.bias",
        "blocks.5.conv2.weight",
        "narrow.2.conv.bias",
        "to_latent.weight",
    }
    assert hr_names > {"groups.3.1.conv1.weight", "attentions.0.combine.weight"}


def test_preset_paper_is_the_architecture_table():
    with torch.device("meta"):
        mapping = PartialNonlocalMapping(PRESETS["paper"].mapping)
    state = mapping.state_dict()
    rows = [(3, 128), (3, 256), (3, 512)]  # kernel, channels
    shapes = [state[f"widen.{n}.conv.weight"].shape for n in range(3)]
    assert [(shape[2], shape[0]) for shape in shapes] == rows
    assert state["partial_nonlocal.query.weight"].shape == (512, 512, 1, 1)
    assert (len(mapping.partial_nonlocal.blocks), len(mapping.blocks)) == (2, 6)
    shapes = [state[f"narrow.{n}.conv.weight"].shape for n in range(3)]
    shapes.append(state["to_latent.weight"].shape)
    assert [(shape[2], shape[0]) for shape in shapes] == [(3, 256), (3, 128), (3, 64), (3, 64)]
    assert len(mapping.widen) == len(mapping.narrow) == 3
    assert mapping.config.fusion == "parallel"


def slow_fusion(mapping, latent, mask, fusion):
    features = mapping.widen(latent)
    keep = keep_at_latent(mask, (10, 13))
    over_all = mapping.partial_nonlocal.attend(features, keep)
    restored = mapping.partial_nonlocal.blocks(over_all)
    if fusion == "parallel":
        fused = keep * mapping.blocks(features) + (1 - keep) * restored
    else:
        fused = mapping.blocks(keep * features + (1 - keep) * restored)
    return mapping.to_latent(mapping.narrow(fused))


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("fusion", ["parallel", "serial"])
def test_fusion(fusion, norm):
    mapping, latent, mask = make(PartialNonlocalMapping, fusion=fusion, norm=norm)
    expected = slow_fusion(mapping, latent, mask, fusion)
    assert torch.allclose(mapping(latent, mask), expected, atol=1e-5)


@pytest.mark.parametrize("fill_holes", [True, False])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("fusion", ["parallel", "serial"])
def test_fusion_by_shares(fusion, skip, fill_holes):
    options = dict(fusion=fusion, norm=False, skip=skip, soft_mask=True, fill_holes=fill_holes)
    mapping, latent, mask = make(PartialNonlocalMapping, **options)
    mask[0, :, 24, 12:36] = 1  # a quarter of each position below
    features, keep = mapping.widen(latent), sound_share_at_latent(mask, (10, 13))
    assert keep.unique().tolist() == [0, 0.75, 1]
    filled = mapping.partial_nonlocal.blocks(mapping.partial_nonlocal.attend(features, keep))
    believed = 1 if fill_holes else keep
    if fusion == "parallel":
        fused = believed * mapping.blocks(features) + (1 - keep) * filled
    else:
        fused = mapping.blocks(believed * features + (1 - keep) * filled)
    expected = mapping.to_latent(mapping.narrow(fused)) + (latent if skip else 0)
    torch.testing.assert_close(mapping(latent, mask), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mapping.keep(latent, mask), keep)


def test_shares_change_nothing_where_there_is_no_damage():
    hard, latent, mask = make(PartialNonlocalMapping, norm=False, skip=True)
    soft = make(PartialNonlocalMapping, norm=False, skip=True, soft_mask=True)[0]
    soft.load_state_dict(hard.state_dict())
    assert torch.equal(hard(latent), soft(latent))
    mask[0, :, 24, 12:36] = 1  # a quarter of each position below
    assert not torch.allclose(hard(latent, mask)[:1], soft(latent, mask)[:1])


@pytest.mark.parametrize("fill_holes", [True, False])
def test_what_the_latent_of_a_hole_holds_counts_only_where_the_hole_was_filled(fill_holes):
    options = dict(fusion="serial", norm=False, soft_mask=True, fill_holes=fill_holes)
    mapping, latent, mask = make(PartialNonlocalMapping, **options)
    mapping.widen = torch.nn.Conv2d(4, 8, 1)  # sees its own position alone
    torch.nn.init.zeros_(mapping.partial_nonlocal.query.weight)  # a hole asks what its code says
    mask[:, :, 8:24, 12:36] = 1
    other = latent.clone()
    other[:, :, 2:6, 3:9] = 7.0
    # Otherwise not even elsewhere: a damaged position is no key, and the fusion drops its features.
    same = torch.allclose(mapping(latent, mask), mapping(other, mask), atol=1e-6)
    assert same is not fill_holes


@pytest.mark.parametrize("fusion", ["parallel", "serial"])
def test_without_damage_the_global_branch_is_skipped_unless_training(fusion, monkeypatch):
    mapping, latent, _ = make(PartialNonlocalMapping, fusion=fusion)
    expected = mapping(latent).detach()
    monkeypatch.setattr(mapping.partial_nonlocal, "forward", None)  # a call would fail
    with torch.no_grad():
        assert torch.allclose(mapping(latent), expected, atol=1e-6)
    with pytest.raises(TypeError):
        mapping(latent)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("norm", [True, False])
def test_no_mask_is_a_mask_without_damage(form, norm):
    mapping, latent, mask = make(form, norm=norm)
    out = mapping(latent)
    assert out.shape == latent.shape and out.isfinite().all()
    assert torch.equal(out, mapping(latent, torch.zeros_like(mask)))


def test_plain_ignores_the_mask_and_the_others_do_not():
    for form in FORMS:
        mapping, latent, mask = make(form)
        assert torch.equal(mapping(latent), mapping(latent, mask)) == (form is PlainMapping)


@pytest.mark.parametrize("fusion", ["parallel", "serial"])
def test_unmasked_is_an_ordinary_non_local_block_fused_half_and_half(fusion):
    mapping, latent, mask = make(PartialNonlocalMapping, fusion=fusion, norm=False, masked=False)
    features = mapping.widen(latent)
    block = mapping.partial_nonlocal
    q, k, v = (part(features).flatten(2) for part in (block.query, block.key, block.value))
    share = torch.softmax(q.transpose(1, 2) @ k, dim=2)  # every position, damaged or not
    attended = block.project((v @ share.transpose(1, 2)).view_as(features))
    everywhere = block.blocks(attended)
    if fusion == "parallel":
        fused = 0.5 * mapping.blocks(features) + 0.5 * everywhere
    else:
        fused = mapping.blocks(0.5 * features + 0.5 * everywhere)
    expected = mapping.to_latent(mapping.narrow(fused))
    for given in (mask, None):
        torch.testing.assert_close(mapping(latent, given), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_everything_damaged_is_finite(form):
    mapping, latent, mask = make(form)
    assert mapping(latent, torch.ones_like(mask)).isfinite().all()


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_equals_its_samples(form):
    # In float64: in float32 each processor rounds batches of one and of two in ways of its own.
    mapping, latent, mask = (part.double() for part in make(form))
    mask[1, :, 20:36, 4:28] = 1
    alone = torch.cat([mapping(latent[n : n + 1], mask[n : n + 1]) for n in (0, 1)])
    torch.testing.assert_close(mapping(latent, mask), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_every_weight_gets_a_gradient(form):
    mapping, latent, mask = make(form)
    for given in (mask, None):
        mapping.zero_grad()
        mapping(latent, given).sum().backward()
        assert all(weight.grad is not None for weight in mapping.parameters())


@pytest.mark.parametrize("norm", [True, False])
def test_starts_with_an_output_of_ordinary_size(norm):
    torch.manual_seed(0)
    config = dataclasses.replace(PRESETS["tiny"].mapping, norm=norm)
    out = PartialNonlocalMapping(config)(torch.randn(1, config.latent_channels, 16, 16))
    assert 0.02 < out.std() < 5


def test_the_form_without_norm_learns():
    torch.manual_seed(0)
    mapping, latent, mask = make(PartialNonlocalMapping, norm=False, fusion="serial")
    goal = latent.flip(1)
    optimizer = torch.optim.Adam(mapping.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        loss = (mapping(latent, mask) - goal).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize("form", FORMS)
def test_skip_adds_the_input_and_starts_near_it(form):
    mapping, latent, mask = make(form, skip=True, norm=False)
    with_skip = mapping(latent, mask)
    mapping.config = dataclasses.replace(mapping.config, skip=False)
    difference = mapping(latent, mask)
    assert torch.allclose(with_skip, latent + difference, atol=1e-6)
    assert 0 < difference.std() < 0.5 * latent.std()


def test_widths_out_may_be_empty():
    mapping, latent, mask = make(PlainMapping, widths_out=())
    assert mapping.to_latent.in_channels == 8
    assert mapping(latent, mask).shape == latent.shape


@pytest.mark.parametrize("form", FORMS)
def test_refusals(form):
    mapping, latent, mask = make(form)
    with pytest.raises(InputError, match=r"\(B, 4, H, W\)"):
        mapping(latent[:, :3], mask)
    with pytest.raises(InputError, match=r"\(B, 1, H, W\)"):
        mapping(latent, mask.repeat(1, 2, 1, 1))
    with pytest.raises(InputError, match="a scratch mask for each of 2 latents, got 1"):
        mapping(latent, mask[:1])
    with pytest.raises(InputError, match="at least 2"):
        mapping(latent[..., :1], mask)


def test_patch_attention_needs_four_equal_groups():
    with pytest.raises(InputError, match="num_blocks must be a multiple of 4, got 6"):
        make(PatchAttentionMapping, num_blocks=6)


def test_convolutions_pad_with_zeros():
    mapping, latent, _ = make(PlainMapping)
    first = mapping.widen[0]
    outside = torch.nn.functional.pad(latent, (1, 1, 1, 1))
    expected = torch.nn.functional.conv2d(outside, first.conv.weight, first.conv.bias)
    assert torch.allclose(first.conv(latent), expected, atol=1e-6)


def test_patch_attention_counts_any_touched_position_as_damaged():
    mapping, latent, mask = make(PatchAttentionMapping)
    faint = torch.where(mask == 1, 0.1, 0.0)
    assert torch.equal(mapping(latent, faint), mapping(latent, mask))
