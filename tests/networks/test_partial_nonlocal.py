"""The partial non-local block against a slow reference, its gradient, its memory, its refusals."""

import contextlib
import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from oldphoto.checks import InputError
from oldphoto.networks import partial_nonlocal
from oldphoto.networks.partial_nonlocal import (
    Lenders,
    PartialNonlocal,
    lattice_step,
    lend,
    predict_memory,
    validity_at_latent,
)


def slow_row(block, features, validity, i):
    """s_ij of position i for all j, after the paper, one sample (C, N), with Python's own sums."""
    q, k = (
        (conv.weight[:, :, 0, 0] @ features + conv.bias[:, None]).tolist()
        for conv in (block.query, block.key)
    )
    num = len(k[0])
    scores = [sum(q[c][i] * k[c][j] for c in range(len(q))) for j in range(num)]
    f = [validity[j] * math.exp(scores[j] - max(scores)) for j in range(num)]
    return [value / sum(f) if sum(f) else 0.0 for value in f]


def slow_attend(block, features, validity):
    """O of the paper for a batch, row by row."""
    result = torch.empty_like(features)
    for n, (x, weights) in enumerate(
        zip(features.flatten(2), validity.flatten(1).tolist(), strict=False)
    ):
        rows = [slow_row(block, x, weights, i) for i in range(x.shape[1])]
        values = block.value.weight[:, :, 0, 0] @ x + block.value.bias[:, None]
        sums = values @ torch.tensor(rows, dtype=x.dtype).T
        out = block.project.weight[:, :, 0, 0] @ sums + block.project.bias[:, None]
        result[n] = out.view_as(result[n])
    return result


def make(channels=3, side=(4, 5), batch=2, sharpness=2.0, **options):
    """A block with random weights in float64, and features for it."""
    torch.manual_seed(0)
    block = PartialNonlocal(channels, **options).double()
    for conv in (block.query, block.key, block.value, block.project):
        torch.nn.init.normal_(conv.weight, std=sharpness / math.sqrt(channels))
    return block, torch.randn(batch, channels, *side, dtype=torch.float64)


def make_validity(kind, like):
    """validity (B, 1, H, W) in float64, 1 = sound."""
    shape = (like.shape[0], 1, *like.shape[-2:])
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(shape, generator=generator, dtype=torch.float64)
    if kind == "nothing damaged":
        return torch.ones(shape, dtype=torch.float64)
    if kind == "all damaged":
        return torch.zeros(shape, dtype=torch.float64)
    if kind == "grey":
        return torch.where(noise < 0.3, 0.0, noise)
    validity = (noise > 0.4).double()
    if kind == "one sample each":
        validity[0], validity[1] = 1.0, 0.0
    return validity


KINDS = ["some damaged", "nothing damaged", "all damaged", "one sample each", "grey"]


@pytest.mark.parametrize("authors_softmax", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_slow_reference(kind, authors_softmax):
    block, features = make(authors_softmax=authors_softmax)
    validity = make_validity(kind, features)
    with torch.no_grad():
        assert torch.allclose(
            block.attend(features, validity), slow_attend(block, features, validity)
        )


def test_all_damaged_leaves_the_bias_of_project():
    block, features = make()
    out = block.attend(features, torch.zeros_like(features[:, :1]))
    assert torch.equal(out, block.project.bias[:, None, None].expand_as(out))


def test_fewer_attention_channels():
    block, features = make(attention_channels=2)
    validity = make_validity("some damaged", features)
    assert block.query.weight.shape == (2, 3, 1, 1) and block.project.weight.shape == (3, 2, 1, 1)
    assert torch.allclose(block.attend(features, validity), slow_attend(block, features, validity))


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("kind", ["some damaged", "one sample each", "nothing damaged"])
def test_forward_is_exact_at_every_damaged_position(kind, norm):
    block, features = make(side=(16, 13), norm=norm, num_blocks=1)
    validity = make_validity(kind, features)
    if kind == "some damaged":
        validity[:] = 1
        validity[:, :, 2, 3] = 0  # far from most: what is left out must not be missed
        validity[0, :, 15, 12] = 0
    whole = block.blocks(block.attend(features, validity))
    damaged = (validity < 1).expand_as(whole)
    assert torch.allclose(block(features, validity)[damaged], whole[damaged])


def test_without_norm_only_the_surroundings_of_the_hole_are_computed():
    block, _ = make(norm=False, num_blocks=1)
    validity = torch.ones(1, 1, 9, 9)
    validity[..., 4, 4] = 0
    needed = block.needed(validity)
    assert needed.sum() == 25 and needed[..., 2:7, 2:7].all()  # two 3x3 convolutions: 2 to a side
    with_norm, _ = make(norm=True)
    assert with_norm.needed(validity).all()
    assert not with_norm.needed(torch.ones_like(validity)).any()


@pytest.mark.parametrize("authors_softmax", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_lenders_on_a_lattice_equal_the_slow_reference_with_only_these_keys(kind, authors_softmax):
    block, features = make(side=(5, 6), authors_softmax=authors_softmax)
    validity = make_validity(kind, features)
    on_lattice = torch.zeros_like(validity)
    on_lattice[..., ::2, ::2] = 1
    # In the reference a key that does not lend has the validity 0.
    expected = slow_attend(block, features, validity * on_lattice)
    found = block.attend(features, validity, lenders=lend(features, validity, step=2))
    assert torch.allclose(found, expected)


def test_tiles_lend_together_what_the_photo_lends():
    features, validity = torch.rand(2, 3, 11, 7), torch.rand(2, 1, 11, 7)
    whole = lend(features, validity, step=3)
    # Rows 0 to 4 and 5 to 10: the lattice has rows 0, 3, 6 and 9.
    tiles = [
        lend(features[..., rows, :], validity[..., rows, :], 3, start=(rows.start, 0))
        for rows in (slice(0, 5), slice(5, 11))
    ]
    assert whole.features.shape == (2, 3, 12, 1)
    assert torch.equal(torch.cat([tile.features for tile in tiles], dim=2), whole.features)
    assert torch.equal(torch.cat([tile.validity for tile in tiles], dim=2), whole.validity)


def test_a_key_lent_twice_with_half_its_weight_counts_once():
    block, features = make()
    validity = make_validity("grey", features)
    once = lend(features, validity, step=1)
    twice = Lenders(torch.cat([once.features] * 2, 2), torch.cat([once.validity / 2] * 2, 2))
    expected = block.attend(features, validity)
    assert torch.allclose(block.attend(features, validity, lenders=once), expected)
    assert torch.allclose(block.attend(features, validity, lenders=twice), expected)


@pytest.mark.parametrize("size", [(16, 16), (256, 256), (433, 577), (866, 1000), (2500, 2500)])
def test_the_number_of_lenders_is_bounded_above_and_below(size):
    step = lattice_step(*size)
    num_lenders = math.ceil(size[0] / step) * math.ceil(size[1] / step)
    fewest = partial_nonlocal.FEWEST_KEYS
    assert min(size[0] * size[1], fewest) <= num_lenders < 4.2 * fewest


def authors_reference(block, features, validity):
    """The authors' order: softmax over all, times validity, divided by the L1 norm of the row."""
    q, k, v = (f(features).flatten(2) for f in (block.query, block.key, block.value))
    share = torch.softmax(q.transpose(1, 2) @ k, dim=2) * validity.flatten(2)
    share = torch.nn.functional.normalize(share, p=1, dim=2)
    return block.project((v @ share.transpose(1, 2)).view_as(features))


def test_authors_softmax_fades_where_damaged_keys_win_by_far():
    block, features = make(sharpness=9.0, authors_softmax=True)
    validity = make_validity("some damaged", features)
    with torch.no_grad():
        expected = authors_reference(block, features, validity)
        assert torch.allclose(block.attend(features, validity), expected, atol=1e-9)
        block.authors_softmax = False  # the case is a real one: the paper's formula differs here
        assert (block.attend(features, validity) - expected).abs().max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("authors_softmax", [False, True])
def test_gradient(kind, authors_softmax):
    block, features = make(
        side=(3, 3), num_blocks=1, sharpness=1.0, authors_softmax=authors_softmax
    )
    validity = make_validity(kind, features)
    names, weights = zip(*block.named_parameters(), strict=True)

    def fused(x, *values):
        named = dict(zip(names, values, strict=True))
        out = torch.func.functional_call(block, named, (x, validity))
        return validity * x + (1 - validity) * out

    inputs = (features.requires_grad_(), *weights)
    assert gradcheck(fused, inputs, fast_mode=True, atol=1e-6)


def test_every_weight_gets_a_gradient_even_if_nothing_is_damaged():
    block, features = make()
    validity = torch.ones_like(features[:, :1])
    (validity * features + (1 - validity) * block(features, validity)).sum().backward()
    assert all(weight.grad is not None for weight in block.parameters())
    assert all(weight.grad.eq(0).all() for weight in block.parameters())


def test_what_lies_in_the_hole_is_never_borrowed():
    block, features = make(side=(6, 6))
    validity = torch.ones_like(features[:, :1])
    validity[..., 2:4, 2:5] = 0
    changed = torch.where(validity == 0, features + 100.0, features)
    sound = (validity == 1).expand_as(features)
    before, after = block.attend(features, validity), block.attend(changed, validity)
    assert torch.equal(before[sound], after[sound])


def test_moving_the_positions_moves_the_result():
    block, features = make(side=(5, 4))
    validity = make_validity("some damaged", features)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    moved = [x.flatten(2)[..., order].view_as(x) for x in (features, validity)]
    expected = block.attend(features, validity).flatten(2)[..., order].view_as(features)
    assert torch.allclose(block.attend(*moved), expected)


def test_samples_do_not_see_each_other():
    block, features = make()
    validity = make_validity("some damaged", features)
    alone = torch.cat([block.attend(features[n : n + 1], validity[n : n + 1]) for n in (0, 1)])
    assert torch.allclose(block.attend(features, validity), alone)


@pytest.mark.parametrize("authors_softmax", [False, True])
@pytest.mark.parametrize("kind", ["some damaged", "nothing damaged", "grey"])
def test_attention_row(kind, authors_softmax):
    block, features = make(authors_softmax=authors_softmax)
    validity = make_validity(kind, features)
    row = block.attention_row(features, validity, position=(2, 3), sample=1)
    flat = validity[1].flatten().tolist()
    expected = torch.tensor(slow_row(block, features[1].flatten(1), flat, 2 * 5 + 3)).double()
    assert row.shape == (4, 5)
    assert torch.allclose(row, expected.view(4, 5), atol=1e-7)
    assert row.sum().item() == pytest.approx(1.0)
    assert row[validity[1, 0] == 0].eq(0).all()


def test_attention_row_gives_the_output():
    block, features = make()
    validity = make_validity("some damaged", features)
    row = block.attention_row(features, validity, position=(1, 4))
    summed = (block.value(features)[0] * row).sum(dim=(1, 2))
    out = block.project(summed[None, :, None, None])[0, :, 0, 0]
    assert torch.allclose(out, block.attend(features, validity)[0, :, 1, 4])


def test_attention_row_is_zero_if_nothing_is_sound():
    block, features = make()
    row = block.attention_row(features, torch.zeros_like(features[:, :1]), position=(0, 0))
    assert row.eq(0).all()


class LargestTensor(TorchDispatchMode):
    """Notes the most elements of any tensor that an operation hands back."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.largest = max(self.largest, leaf.untyped_storage().nbytes() // leaf.itemsize)
        return out


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("authors_softmax", [False, True])
def test_no_array_of_positions_squared_forward_or_backward(authors_softmax, fused, monkeypatch):
    monkeypatch.setattr(partial_nonlocal, "MAX_SCORES", 2**16)
    block = PartialNonlocal(8, num_blocks=1, authors_softmax=authors_softmax)
    features = torch.randn(1, 8, 32, 32, requires_grad=True)
    validity = make_validity("some damaged", features).float()
    # MATH is what PyTorch falls back to where it has no fused kernel: it writes the scores out.
    kernel = contextlib.nullcontext() if fused else sdpa_kernel(SDPBackend.MATH)
    with LargestTensor() as watch, kernel:
        block(features, validity).square().sum().backward()
    assert 8 * 32 * 32 <= watch.largest < (32 * 32) ** 2 / 8
    assert features.grad is not None


def test_the_watch_sees_a_naive_block():
    block, features = make(side=(8, 8))
    with LargestTensor() as watch:
        authors_reference(block, features, make_validity("some damaged", features))
    assert watch.largest >= 64**2


def test_without_a_fused_kernel_nothing_quadratic_is_kept_for_the_backward_pass(monkeypatch):
    monkeypatch.setattr(partial_nonlocal, "MAX_SCORES", 2**14)
    block = PartialNonlocal(8, num_blocks=0)
    features = torch.randn(1, 8, 24, 24, requires_grad=True)
    validity = make_validity("some damaged", features).float()
    kept = []
    with (
        torch.autograd.graph.saved_tensors_hooks(
            lambda x: kept.append(x.numel()) or x, lambda x: x
        ),
        sdpa_kernel(SDPBackend.MATH),
    ):
        block(features, validity)
    assert sum(kept) < (24 * 24) ** 2 / 2


def test_chunks_change_nothing(monkeypatch):
    block, features = make(side=(13, 16))
    validity = make_validity("some damaged", features)
    whole = block.attend(features, validity)
    monkeypatch.setattr(partial_nonlocal, "MAX_SCORES", 1)  # the least chunk: 64 of 208 queries
    assert torch.allclose(block.attend(features, validity), whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("authors_softmax", [False, True])
def test_bfloat16_autocast_stays_close(kind, authors_softmax):
    block, features = make(channels=16, side=(8, 8), sharpness=0.7, authors_softmax=authors_softmax)
    block, features = block.float(), features.float()
    validity = make_validity(kind, features).float()
    with torch.no_grad():
        exact = block.attend(features, validity)
        with torch.autocast("cpu", torch.bfloat16):
            rough = block.attend(features, validity)
    assert rough.isfinite().all()
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


def test_half_precision_is_finite_where_the_sum_is_zero():
    block, features = make(channels=8, sharpness=9.0, authors_softmax=True)
    validity = make_validity("one sample each", features)
    validity[0, :, 1:] = 0
    with torch.no_grad():
        out = block.half().attend(features.half(), validity.half())
        assert out.isfinite().all()
        faded = (out - block.project.bias[:, None, None]).abs().amax(dim=1)
    assert (faded[0] == 0).any() and (faded[0] > 0).any()


def test_refusals():
    block, features = make()
    validity = torch.ones_like(features[:, :1])
    with pytest.raises(InputError, match=r"expected a tensor of shape \(B, 3, H, W\)"):
        block(features[:, :2], validity)
    with pytest.raises(InputError, match=r"expected validity of shape \(2, 1, 4, 5\), got"):
        block.attend(features, validity[:, :, :3])
    with pytest.raises(InputError, match="at least 2"):
        block.attend(features[..., :1], validity[..., :1])
    with pytest.raises(InputError, match=r"got position \(4, 0\) of sample 0"):
        block.attention_row(features, validity, position=(4, 0))
    with pytest.raises(InputError, match="of sample 2"):
        block.attention_row(features, validity, position=(0, 0), sample=2)
    with pytest.raises(InputError, match=r"\(B, 1, H, W\)"):
        validity_at_latent(features, (2, 2))
    with pytest.raises(InputError, match="channels must be greater than 0"):
        PartialNonlocal(0)
    with pytest.raises(InputError, match="height must be greater than 0"):
        predict_memory(0, 10)
    with pytest.raises(InputError, match="damaged_share must lie in"):
        predict_memory(10, 10, damaged_share=1.5)


def test_half_precision_on_a_cpu_asks_the_kernel_for_few_sizes(monkeypatch):
    """Its kernel keeps a program for each size it ever saw, and every mask has sizes of its own."""
    seen, attend = set(), torch.nn.functional.scaled_dot_product_attention

    def recording(q, k, v, **options):
        seen.add((q.shape[2], k.shape[2]))
        return attend(q, k, v, **options)

    monkeypatch.setattr(partial_nonlocal.F, "scaled_dot_product_attention", recording)
    block, features = make(side=(13, 16))
    block, features = block.bfloat16(), features.bfloat16()
    for sound in range(1, 208, 9):
        validity = torch.zeros(len(features), 1, 208, dtype=features.dtype)
        validity[..., :sound] = 1
        assert block.attend(features, validity.view(-1, 1, 13, 16)).isfinite().all()
    assert seen == {(256, 128), (256, 256)}
