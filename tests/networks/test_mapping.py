"""The three mappings: sizes of the authors' checkpoints, the table's rows, fusion, refusals."""

import dataclasses

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, MappingConfig
from oldphoto.networks.hole_filling import fill_holes
from oldphoto.networks.mapping import (
    OFFICIAL_HR,
    OFFICIAL_PLAIN,
    OFFICIAL_SCRATCH,
    AuthorsMapping,
    OurMapping,
    PaperMapping,
    PatchAttentionMapping,
    PlainMapping,
    SerialMapping,
    UnmaskedMapping,
    scratch_mapping,
)
from oldphoto.networks.partial_nonlocal import soft_validity_at_latent, validity_at_latent

SMALL = MappingConfig(
    latent_channels=4,
    widths_in=(6, 8),
    widths_out=(6,),
    num_blocks=4,
    num_global_blocks=1,
)
FORMS = [
    PlainMapping,
    PaperMapping,
    SerialMapping,
    AuthorsMapping,
    OurMapping,
    PatchAttentionMapping,
]


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
        (AuthorsMapping, OFFICIAL_SCRATCH, 51_344_704, 60),
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
        names = set(AuthorsMapping(OFFICIAL_SCRATCH).state_dict())
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
        mapping = scratch_mapping(PRESETS["paper"].mapping)
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
    assert type(mapping) is PaperMapping


def slow_fusion(mapping, latent, mask):
    features = mapping.widen(latent)
    validity = validity_at_latent(mask, (10, 13))
    over_all = mapping.partial_nonlocal.attend(features, validity)
    restored = mapping.partial_nonlocal.blocks(over_all)
    if isinstance(mapping, PaperMapping):
        fused = validity * mapping.blocks(features) + (1 - validity) * restored
    else:
        fused = mapping.blocks(validity * features + (1 - validity) * restored)
    return mapping.to_latent(mapping.narrow(fused))


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("form", [PaperMapping, SerialMapping, AuthorsMapping])
def test_fusion(form, norm):
    mapping, latent, mask = make(form, norm=norm)
    expected = slow_fusion(mapping, latent, mask)
    assert torch.allclose(mapping(latent, mask), expected, atol=1e-5)


@pytest.mark.parametrize("skip", [True, False])
def test_fusion_with_a_soft_mask(skip):
    mapping, latent, mask = make(OurMapping, norm=False, skip=skip)
    mask[0, :, 24, 12:36] = 1  # a quarter of each position below
    features, validity = mapping.widen(latent), soft_validity_at_latent(mask, (10, 13))
    assert validity.unique().tolist() == [0, 0.75, 1]
    borrowed = mapping.partial_nonlocal.blocks(mapping.partial_nonlocal.attend(features, validity))
    fused = mapping.blocks(features + (1 - validity) * borrowed)
    expected = mapping.to_latent(mapping.narrow(fused)) + (latent if skip else 0)
    torch.testing.assert_close(mapping(latent, mask), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mapping.validity(latent, mask), validity)


def test_a_soft_mask_changes_nothing_where_there_is_no_damage():
    hard, latent, mask = make(SerialMapping, norm=False, skip=True)
    soft = make(OurMapping, norm=False, skip=True)[0]
    soft.load_state_dict(hard.state_dict())
    assert torch.equal(hard(latent), soft(latent))
    mask[0, :, 24, 12:36] = 1  # a quarter of each position below
    assert not torch.allclose(hard(latent, mask)[:1], soft(latent, mask)[:1])


@pytest.mark.parametrize("form", [OurMapping, SerialMapping])
def test_what_the_latent_of_a_hole_holds_counts_only_where_the_hole_was_filled(form):
    mapping, latent, mask = make(form, norm=False)
    mapping.widen = torch.nn.Conv2d(4, 8, 1)  # sees its own position alone
    torch.nn.init.zeros_(mapping.partial_nonlocal.query.weight)  # all holes ask the same
    mask[:, :, 8:24, 12:36] = 1
    other = latent.clone()
    other[:, :, 2:6, 3:9] = 7.0
    # Otherwise not even elsewhere: a damaged position is no key, and the fusion drops its features.
    same = torch.allclose(mapping(latent, mask), mapping(other, mask), atol=1e-6)
    assert same is (form is SerialMapping)


@pytest.mark.parametrize("form", [PaperMapping, SerialMapping, OurMapping])
def test_without_damage_the_global_branch_is_skipped_unless_training(form, monkeypatch):
    mapping, latent, _ = make(form)
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


def test_unmasked_is_an_ordinary_non_local_block_fused_half_and_half():
    mapping, latent, mask = make(UnmaskedMapping, norm=False)
    features = mapping.widen(latent)
    block = mapping.partial_nonlocal
    q, k, v = (part(features).flatten(2) for part in (block.query, block.key, block.value))
    share = torch.softmax(q.transpose(1, 2) @ k, dim=2)  # every position, damaged or not
    attended = block.project((v @ share.transpose(1, 2)).view_as(features))
    everywhere = block.blocks(attended)
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
    out = scratch_mapping(config)(torch.randn(1, config.latent_channels, 16, 16))
    assert 0.02 < out.std() < 5


def test_the_form_without_norm_learns():
    torch.manual_seed(0)
    mapping, latent, mask = make(SerialMapping, norm=False)
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


@pytest.mark.parametrize("form", ["paper", "serial", "ours", "unmasked"])
def test_the_settings_build_their_form_again(form):
    mapping = scratch_mapping(dataclasses.replace(SMALL, form=form))
    assert mapping.config.form == mapping.form == form
    assert type(scratch_mapping(mapping.config)) is type(mapping)


def test_what_is_trained_from_the_authors_weights_is_saved_as_serial():
    assert make(AuthorsMapping)[0].config.form == "serial"


@pytest.mark.parametrize("variant", [scratch_mapping, PlainMapping, PatchAttentionMapping])
def test_only_our_form_fills_holes_before_the_encoder(variant):
    photo, mask = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    mask[..., 4:9, 4:9] = 1
    serial, ours = (variant(dataclasses.replace(SMALL, form=form)) for form in ("serial", "ours"))
    assert serial.prepare(photo, mask) is photo and ours.prepare(photo, None) is photo
    assert torch.equal(ours.prepare(photo, mask), fill_holes(photo, mask))
