"""The public API: same size out, white holes, dilation, exact tiles, memory limit, precision."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import Tensor, nn

from oldphoto.checks import InputError
from oldphoto.config import PRESETS
from oldphoto.inference import restorer as module
from oldphoto.inference.memory_plan import PHOTO_BYTES
from oldphoto.inference.restorer import Restorer, TilingWarning, dilate, load_mask
from oldphoto.networks import partial_nonlocal
from oldphoto.networks.mapping import PlainMapping, scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.system.memory import GIB
from oldphoto.weights import official
from oldphoto.weights.store import save_network

TINY = PRESETS["tiny"]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def network(norm: bool = False) -> RestorationNetwork:
    torch.manual_seed(0)
    vae = dataclasses.replace(TINY.vae, norm=norm)
    mapping = scratch_mapping(dataclasses.replace(TINY.mapping, norm=norm))
    return RestorationNetwork(VAE(vae), VAE(vae), mapping)


class Recorder(nn.Module):
    """Stands for a network: returns its input and remembers what it was given."""

    size_multiple = 4
    reach = 8

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()
        self.calls: list[tuple[Tensor, Tensor | None]] = []

    @property
    def used(self) -> tuple[nn.Module, ...]:
        return self.inner.used

    def forward(self, photo: Tensor, mask: Tensor | None = None) -> Tensor:
        self.inner(photo)
        self.calls.append((photo, mask))
        return photo


def recording(**options: object) -> tuple[Restorer, list]:
    recorder = Recorder()
    # What happens to a photo before and after the network, without anything that follows.
    restorer = Restorer(recorder, device="cpu", precision="fp32", tone="network", **options)
    assert restorer.memory  # measured with a run of the network
    recorder.calls.clear()
    return restorer, recorder.calls


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, (height, width, 3), np.uint8)


# --- what comes out ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (16, 130), (50, 37)])
def test_same_size_out_for_any_side_from_sixteen(size):
    restored = Restorer(network(), device="cpu")(noise(*size))
    assert isinstance(restored, Image.Image)
    assert (restored.mode, restored.size) == ("RGB", (size[1], size[0]))


def test_the_photo_reaches_the_network_unchanged_and_comes_back_unstretched():
    restorer, calls = recording()
    photo = noise(18, 22) // 2 + 40
    assert np.array_equal(np.asarray(restorer(photo)), photo)
    assert calls[0][0].shape == (1, 3, 20, 24)
    assert calls[0][1] is None


def test_sixteen_bits_go_through_the_network_unreduced():
    restorer, _ = recording()
    photo = np.random.default_rng(0).integers(0, 65536, (18, 22, 3), np.uint16)
    restored = restorer.restore_pixels(photo)
    assert restored.dtype == np.uint16
    assert np.array_equal(restored, photo)


def test_path_pil_and_array_give_the_same(tmp_path):
    restorer = Restorer(network(), device="cpu")
    Image.fromarray(noise(20, 24)).save(tmp_path / "a.png")
    results = [
        np.asarray(restorer(source))
        for source in (
            noise(20, 24),
            Image.fromarray(noise(20, 24)),
            tmp_path / "a.png",
            str(tmp_path / "a.png"),
        )
    ]
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_upright_and_with_the_colour_profile(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(20, 36)).save(tmp_path / "a.png", exif=exif, icc_profile=SRGB)
    restorer, _ = recording()
    restored = restorer(tmp_path / "a.png")
    assert np.array_equal(np.asarray(restored), np.rot90(noise(20, 36), -1))
    restored.save(tmp_path / "b.png")
    assert Image.open(tmp_path / "b.png").info["icc_profile"] == SRGB


def test_bad_photos_are_refused(tmp_path):
    restorer, _ = recording()
    with pytest.raises(InputError, match="at least 16 pixels"):
        restorer(Image.new("RGB", (1, 1)))
    with pytest.raises(InputError, match="no such file"):
        restorer(tmp_path / "none.png")


# --- masks -------------------------------------------------------------------------------------


def one_dot(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[10, 12] = True
    return mask


@pytest.mark.parametrize(("dilation", "side"), [(0, 1), (1, 3), (3, 7)])
def test_damage_is_dilated_then_painted_white(dilation, side):
    restorer, calls = recording(mask_dilation=dilation)
    result = np.asarray(restorer(noise(24, 24), one_dot(24, 24)))
    half = side // 2
    hole = (slice(10 - half, 11 + half), slice(12 - half, 13 + half))
    expected = noise(24, 24)
    expected[hole] = 255
    assert np.array_equal(result, expected)
    mask = calls[0][1][0, 0].numpy()
    assert mask.sum() == side**2
    assert mask[hole].all()


def test_a_mask_without_damage_is_no_mask():
    restorer, calls = recording(mask_dilation=3)
    assert np.array_equal(
        np.asarray(restorer(noise(20, 20), np.zeros((20, 20), bool))), noise(20, 20)
    )
    assert calls[0][1] is None


def test_dilating_three_times_is_what_a_3x3_kernel_does_three_times():
    mask = (torch.rand(1, 1, 40, 40) < 0.02).float()
    thrice = mask
    for _ in range(3):
        thrice = torch.nn.functional.max_pool2d(thrice, 3, stride=1, padding=1)
    assert torch.equal(dilate(mask, 3), thrice)
    assert torch.equal(dilate(mask, 0), mask)


def test_masks_in_every_form_are_the_same(tmp_path):
    mask = one_dot(24, 20)
    image = Image.fromarray(mask)
    image.save(tmp_path / "m.png")
    for source in (mask, mask * np.uint8(255), image, image.convert("RGB"), tmp_path / "m.png"):
        assert np.array_equal(load_mask(source, (24, 20)), mask)


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (np.zeros((20, 24), bool), r"height and width \(24, 20\), got \(20, 24\)"),
        (np.full((24, 20), 90, np.uint8), "grey values .for example 90"),
        (np.zeros((24, 20), np.float32), "expected a scratch mask as path.* got float32"),
        ([[0, 1]], "got list"),
    ],
)
def test_bad_masks_are_refused(mask, sentence):
    restorer, _ = recording()
    with pytest.raises(InputError, match=sentence):
        restorer(noise(24, 20), mask)


# --- arrays ------------------------------------------------------------------------------------


def test_restore_pixels_gives_what_a_call_gives_as_an_array():
    restorer = Restorer(network(), mask_dilation=1, device="cpu", precision="fp32")
    photo, mask = noise(24, 20), one_dot(24, 20)
    photo.flags.writeable = False  # as np.asarray of a PIL image is
    for given in (None, mask, np.zeros_like(mask)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            restored = restorer.restore_pixels(photo, given)
        assert restored.dtype == np.uint8 and restored.flags.c_contiguous
        assert np.array_equal(restored, np.asarray(restorer(photo, given)))


@pytest.mark.parametrize(
    ("photo", "mask", "sentence"),
    [
        (noise(24, 20)[..., 0], None, r"expected a photo of shape \(H, W, 3\), got \(24, 20\)"),
        (noise(24, 20) / 255, None, "expected a photo of dtype uint8"),
        (noise(24, 15), None, "at least 16 pixels a side"),
        (
            noise(24, 20),
            np.zeros((24, 20), np.uint8),
            r"mask as bool \(24, 20\), got uint8",
        ),
        (
            noise(24, 20),
            np.zeros((20, 24), bool),
            r"mask as bool \(24, 20\), got bool \(20",
        ),
    ],
)
def test_restore_pixels_takes_one_form_only(photo, mask, sentence):
    restorer, _ = recording()
    with pytest.raises(InputError, match=sentence):
        restorer.restore_pixels(photo, mask)


# --- tensors -----------------------------------------------------------------------------------


@torch.no_grad()
def test_restore_tensor_is_the_network_and_neither_paints_nor_dilates():
    net = network()
    restorer = Restorer(net, mask_dilation=3, device="cpu", precision="fp32")
    photo = torch.rand(2, 3, 32, 24) * 2 - 1
    mask = torch.zeros(2, 1, 32, 24)
    mask[:, :, 8:20, 4:12] = 1
    assert torch.equal(restorer.restore_tensor(photo, mask), net(photo, mask))
    odd = restorer.restore_tensor(photo[..., :21])
    assert odd.shape == (2, 3, 32, 21)
    assert not odd.requires_grad


def test_restore_tensor_refuses_other_shapes_and_values():
    restorer, _ = recording()
    photo = torch.zeros(1, 3, 16, 16)
    with pytest.raises(InputError, match="at least 16, got"):
        restorer.restore_tensor(photo[..., :15])
    with pytest.raises(InputError, match="expected a scratch mask of shape"):
        restorer.restore_tensor(photo, torch.zeros(1, 1, 16, 12))
    with pytest.raises(InputError, match="0 and 1 only"):
        restorer.restore_tensor(photo, torch.full((1, 1, 16, 16), 0.5))


# --- memory ------------------------------------------------------------------------------------


def limit(
    monkeypatch: pytest.MonkeyPatch, restorer: Restorer, side: int, with_mask: bool = False
) -> None:
    """Leave memory for a tile of ``side`` pixels beside the photo of 600 x 500."""
    memory = restorer.memory
    too_much = memory.bytes_per_pixel(with_mask) * (600 * 500 - side**2)
    left = memory.predict_bytes(600, 500, with_mask) - too_much
    monkeypatch.setattr(module, "budget_bytes", lambda *_: left)


def test_sound_photos_in_tiles_are_exact_without_norms_and_without_a_warning(monkeypatch):
    restorer = Restorer(network(), device="cpu", precision="fp32")
    photo = torch.rand(1, 3, 600, 500) * 2 - 1
    whole = restorer.restore_tensor(photo)
    limit(monkeypatch, restorer, 440)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiled = restorer.restore_tensor(photo)
    assert not torch.equal(tiled, whole)  # it was cut
    assert torch.allclose(tiled, whole, atol=1e-5)


def test_damage_in_tiles_borrows_from_the_whole_photo_with_fast_attention(monkeypatch):
    restorer = Restorer(network(), device="cpu", precision="fp32")
    photo = torch.rand(1, 3, 600, 500) * 2 - 1
    mask = torch.zeros(1, 1, 600, 500)
    mask[..., 100:104, 90:400] = mask[..., 50:550, 200:204] = 1
    whole = restorer.restore_tensor(photo, mask)
    limit(monkeypatch, restorer, 440, with_mask=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiled = restorer.restore_tensor(photo, mask)
    restorer.attention = "exact"
    with pytest.warns(TilingWarning, match="borrow only from their own tile"):
        alone = restorer.restore_tensor(photo, mask)
    assert not torch.equal(tiled, whole)  # it was cut
    assert torch.allclose(tiled, whole, atol=1e-4)
    assert (alone - whole).abs().max() > 1e-3


def test_damage_and_norms_are_told_apart_when_tiled(monkeypatch):
    photo, mask = torch.zeros(1, 3, 600, 500), torch.zeros(1, 1, 600, 500)
    restorer = Restorer(network(), device="cpu", precision="fp32", attention="exact")
    mask[..., 300:304, 200:204] = 1
    limit(monkeypatch, restorer, 440, with_mask=True)
    with pytest.warns(
        TilingWarning, match=r"500 x 600 .* in \d overlapping tiles.*borrow only from their own"
    ):
        restorer.restore_tensor(photo, mask)
    restorer = Restorer(network(norm=True), device="cpu", precision="fp32")
    with pytest.warns(TilingWarning, match=r"norms see one tile at a time"):
        assert restorer(noise(600, 500), mask[0, 0].numpy() > 0).size == (500, 600)


def test_where_not_one_tile_fits_the_photo_is_refused(monkeypatch):
    restorer = Restorer(network(), device="cpu", precision="fp32")
    limit(monkeypatch, restorer, 300)  # below the least tile of this network, 312
    with pytest.raises(InputError, match=r"500 x 600 pixels needs 0.\d\d GiB even in tiles"):
        restorer(noise(600, 500))


def test_the_limit_of_the_process_is_asked(monkeypatch):
    restorer = Restorer(network(), device="cpu", max_memory_gb=1e-6)
    with pytest.raises(InputError, match=r"only 0.00 GiB are left"):
        restorer(noise(16, 16))


def test_prediction_grows_with_the_pixels():
    memory = Restorer(network(), device="cpu").memory
    # Tiny: its widest layer has 48 channels at a sixteenth of the positions.
    assert (memory.vae_features, memory.mapping_features) == (3.0, 3.0)
    large, small = memory.predict_bytes(2000, 1000), memory.predict_bytes(1000, 1000)
    assert large - small == 1000 * 1000 * (PHOTO_BYTES + memory.bytes_per_pixel(False))
    assert memory.predict_bytes(500, 500, with_mask=True) > memory.predict_bytes(500, 500)
    assert memory.predict_bytes(1000, 1000) < GIB


# --- precision and device ----------------------------------------------------------------------


def test_creating_a_restorer_does_not_run_the_network(monkeypatch):
    monkeypatch.setattr(module, "is_fast_at_bf16", lambda _: True)
    recorder = Recorder()
    runs = []
    recorder.register_forward_pre_hook(lambda *_: runs.append(1))
    restorer = Restorer(recorder, device="cpu")
    assert runs == []
    assert restorer.precision == "bf16" and len(runs) == 2  # float32 and bfloat16
    assert restorer.memory is restorer.memory and len(runs) == 3
    assert restorer.precision == "bf16" and len(runs) == 3  # decided once


def test_auto_takes_bf16_where_it_is_fast_and_near(monkeypatch):
    monkeypatch.setattr(module, "is_fast_at_bf16", lambda _: True)
    restorer = Restorer(network(), device="cpu")
    assert restorer.precision == "bf16"
    exact = Restorer(network(), device="cpu", precision="fp32")
    photo = torch.rand(1, 3, 32, 32) * 2 - 1
    near, right = restorer.restore_tensor(photo), exact.restore_tensor(photo)
    assert near.dtype == torch.float32
    assert 0 < (near - right).abs().mean() <= 2 / 255


def test_sixteen_bits_are_restored_in_float32_unless_bf16_is_asked_for(monkeypatch):
    monkeypatch.setattr(module, "is_fast_at_bf16", lambda _: True)
    photo = noise(16, 16).astype(np.uint16) * 257
    exact, auto, fast = (
        Restorer(network(), device="cpu", precision=precision).restore_pixels(photo)
        for precision in ("fp32", "auto", "bf16")
    )
    assert np.array_equal(auto, exact)
    assert not np.array_equal(fast, exact)


def test_auto_falls_back_where_bf16_is_too_far_or_slow(monkeypatch):
    monkeypatch.setattr(module, "is_fast_at_bf16", lambda _: True)
    far = network()
    with torch.no_grad():
        far.mapping.to_latent.weight.mul_(600)  # a network that needs its digits
        far.vae_clean.decoder.head.weight.mul_(60)
    assert Restorer(far, device="cpu").precision == "fp32"
    monkeypatch.setattr(module, "is_fast_at_bf16", lambda _: False)
    assert Restorer(network(), device="cpu").precision == "fp32"


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="precision must be one of auto, fp32, bf16; got 'fp8'"):
        Restorer(network(), precision="fp8")
    with pytest.raises(InputError, match="device must be cuda, mps or cpu; got 'toaster'"):
        Restorer(network(), device="toaster")
    with pytest.raises(InputError, match="mask_dilation must not be negative"):
        Restorer(network(), mask_dilation=-1)
    with pytest.raises(InputError, match="memory limit must be greater than 0"):
        Restorer(network(), device="cpu", max_memory_gb=-1)


# --- weights -----------------------------------------------------------------------------------


def write_weights(folder: Path) -> RestorationNetwork:
    net = network()
    save_network(folder, "vae_degraded", net.vae_degraded, TINY.vae, {})
    save_network(folder, "vae_clean", net.vae_clean, TINY.vae, {})
    save_network(folder, "mapping_quality", PlainMapping(TINY.mapping), TINY.mapping, {})
    save_network(folder, "mapping_scratch", net.mapping, TINY.mapping, {})
    return net


def test_from_pretrained_reads_what_training_wrote(tmp_path):
    net = write_weights(tmp_path)
    loaded = Restorer.from_pretrained(tmp_path, device="cpu", precision="fp32")
    photo = torch.rand(1, 3, 16, 16)
    assert torch.allclose(
        loaded.restore_tensor(photo),
        Restorer(net, precision="fp32").restore_tensor(photo),
        atol=0.02,
    )
    assert loaded.mask_dilation == 0
    quality = Restorer.from_pretrained(tmp_path, "quality", device="cpu")
    assert isinstance(quality.network.mapping, PlainMapping)
    with pytest.raises(InputError, match="variant must be one of"):
        Restorer.from_pretrained(tmp_path, "nonsense")


@pytest.mark.parametrize(("variant", "dilation"), [("quality", 0), ("scratch", 0), ("hr", 3)])
def test_from_official_dilates_for_hr_alone(monkeypatch, variant, dilation):
    asked = []

    def load(folder: Path, variant: str) -> RestorationNetwork:
        asked.append((folder, variant))
        return network()

    monkeypatch.setattr(official, "load_official", load)
    restorer = Restorer.from_official("some/folder", variant=variant, device="cpu")
    assert restorer.mask_dilation == dilation
    assert asked == [(Path("some/folder"), variant)]


def test_from_official_refuses_unknown_variants_before_reading():
    with pytest.raises(InputError, match="variant must be one of quality, scratch, hr; got 'best'"):
        Restorer.from_official("nowhere", variant="best")


# --- attention ---------------------------------------------------------------------------------


def test_fast_attention_leaves_small_photos_as_they_are_and_large_ones_near(monkeypatch):
    photo = torch.rand(1, 3, 300, 80) * 2 - 1
    mask = torch.zeros(1, 1, 300, 80)
    mask[..., 8:20, 8:60] = 1
    fast = Restorer(network(), device="cpu", precision="fp32")
    exact = Restorer(network(), device="cpu", precision="fp32", attention="exact")
    expected = exact.restore_tensor(photo, mask)
    assert torch.equal(fast.restore_tensor(photo, mask), expected)
    monkeypatch.setattr(partial_nonlocal, "FEWEST_KEYS", 160)  # of 1500: a lattice of step 3
    changed = (fast.restore_tensor(photo, mask) - expected).abs() > 1e-5
    assert changed[..., 8:20, 8:60].any()
    assert not changed[..., 20 + fast.network.reach :, :].any()  # only near the hole
    with pytest.raises(InputError, match="attention"):
        Restorer(network(), attention="nearest")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_result_without_numbers_is_no_black_photo(monkeypatch, value):
    restorer, _ = recording()
    monkeypatch.setattr(Recorder, "forward", lambda self, photo, mask=None: photo * value)
    with pytest.raises(InputError, match="gives no finite numbers"):
        restorer.restore_pixels(np.full((40, 60, 3), 200, np.uint8))
    with pytest.raises(InputError, match="gives no finite numbers"):
        restorer.restore_tensor(torch.ones(1, 3, 40, 60))
