"""The authors' checkpoints: a round trip through small ones, and every bad file refused."""

import io
import math
import os
import pickle
from dataclasses import replace

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import DetectorConfig, MappingConfig, VAEConfig
from oldphoto.networks.mapping import AuthorsMapping, PatchAttentionMapping, PlainMapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.vae import VAE
from oldphoto.weights import official
from oldphoto.weights.official_names import official_name

# The authors' layouts at a width that is written and read in no time.
NARROW = dict(latent_channels=4, widths_in=(6, 8, 8, 8), widths_out=(8, 8, 6), form="serial")
SMALL = {
    "vae": lambda: VAE(VAEConfig(width=4, latent_channels=4)),
    "quality": lambda: PlainMapping(MappingConfig(**NARROW)),
    "scratch": lambda: AuthorsMapping(MappingConfig(**NARROW, num_global_blocks=3)),
    "hr": lambda: PatchAttentionMapping(MappingConfig(**NARROW, num_blocks=8)),
    "detector": lambda: ScratchUNet(DetectorConfig(width=4)),
}


@pytest.fixture
def small(monkeypatch):
    """Make the reader expect networks of small width, and return its files by name."""
    vae = SMALL["vae"]
    files = {
        variant: (replace(vae_clean, build=vae), replace(mapping, build=SMALL[variant]))
        for variant, (vae_clean, mapping) in official.VAE_CLEAN_AND_MAPPING.items()
    }
    detector = replace(official.DETECTOR, build=SMALL["detector"])
    monkeypatch.setattr(official, "VAE_DEGRADED", replace(official.VAE_DEGRADED, build=vae))
    monkeypatch.setattr(official, "VAE_CLEAN_AND_MAPPING", files)
    monkeypatch.setattr(official, "DETECTOR", detector)
    return files


def write(root, file, network, legacy=True, **changes):
    """Write a network's weights as the authors would; a change to None leaves a tensor out."""
    state = {
        official_name(ours, file.modules): tensor for ours, tensor in network.state_dict().items()
    }
    state = {key: value for key, value in (state | changes).items() if value is not None}
    path = root / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"epoch": 3, file.entry: state} if file.entry else state
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def write_all(root, variant, legacy=True):
    torch.manual_seed(0)
    vae_clean, mapping = official.VAE_CLEAN_AND_MAPPING[variant]
    files = (official.VAE_DEGRADED, vae_clean, mapping)
    networks = [file.build() for file in files]
    for file, network in zip(files, networks, strict=True):
        for parameter in network.parameters():  # biases too, which start at 0 or are lost in norms
            torch.nn.init.normal_(parameter, std=0.3)
        write(root, file, network, legacy)
    return RestorationNetwork(*networks).eval()


def photo_and_mask():
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(1, 1, 64, 96)
    mask[..., 20:40, 30:70] = 1
    photo = torch.rand(1, 3, 64, 96, generator=generator) * 2 - 1
    return torch.where(mask > 0, 1.0, photo), mask


@pytest.mark.parametrize("legacy", [True, False], ids=["torch < 1.6", "zip"])
@pytest.mark.parametrize("variant", official.VARIANTS)
def test_what_is_written_is_what_is_read(small, tmp_path, variant, legacy):
    written = write_all(tmp_path, variant, legacy)
    read = official.load_official(tmp_path, variant)
    with torch.no_grad():
        output = read(*photo_and_mask())
        assert torch.equal(output, written(*photo_and_mask()))
    assert output.std() > 0.05 and not read.training
    assert all(p.device.type == "cpu" and p.requires_grad for p in read.parameters())


def test_the_detector_is_read_from_its_entry(small, tmp_path):
    written = SMALL["detector"]()
    for tensor in written.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 0.3)
    write(tmp_path, official.DETECTOR, written)
    grey = torch.linspace(-1, 1, 32 * 48).view(1, 1, 32, 48)
    with torch.no_grad():
        assert torch.equal(official.load_official_detector(tmp_path)(grey), written.eval()(grey))


@pytest.mark.parametrize("place", [".", "checkpoints", "Global/checkpoints", "any name"])
def test_the_folder_is_found_from_its_parents(small, tmp_path, place):
    write_all(tmp_path / place, "quality")
    assert official.load_official(tmp_path, "quality")


def test_reading_leaves_the_caller_s_seed_alone(small, tmp_path):
    write_all(tmp_path, "quality")
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    official.load_official(tmp_path, "quality")
    assert torch.equal(torch.rand(4), expected)


def test_half_precision_copies_are_widened(small, tmp_path):
    write_all(tmp_path, "quality")
    path = tmp_path / official.VAE_DEGRADED.path
    tensors = torch.load(path, weights_only=True)
    torch.save({key: value.half() for key, value in tensors.items()}, path)
    network = official.load_official(tmp_path, "quality")
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_each_variant_needs_its_own_files_only(small, tmp_path):
    write_all(tmp_path, "scratch")
    assert official.load_official(tmp_path, "scratch")
    with pytest.raises(InputError, match=r"VAE_B_quality.*none is there; get .*download official"):
        official.load_official(tmp_path, "quality")
    with pytest.raises(InputError, match=r"mapping_Patch_Attention.latest_net_mapping_net\.pth"):
        official.load_official(tmp_path, "hr")
    with pytest.raises(InputError, match=r"FT_Epoch_latest\.pt, none is there"):
        official.load_official_detector(tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"encoder.4.bias": None}, r"tensor encoder\.4\.bias is missing \(1 of 44 are\)"),
        (
            {"encoder.99.bias": torch.zeros(1)},
            r"no place for the tensor encoder\.99\.bias \(1 such\)",
        ),
        ({"decoder.11.bias": torch.zeros(4)}, r"decoder\.11\.bias of shape \(3,\).* got \(4,\)"),
        ({"decoder.11.bias": torch.tensor([1, math.nan, 1])}, "not finite numbers"),
        ({"decoder.11.bias": torch.tensor([1, 2, 3])}, r"expected .*float32 .* got torch\.int64"),
        ({"decoder.11.bias": "text"}, "nothing but named tensors"),
    ],
    ids=["missing", "extra", "shape", "not a number", "integers", "not a tensor"],
)
def test_a_tensor_that_does_not_fit_is_named(small, tmp_path, changes, sentence):
    path = write(tmp_path, official.VAE_DEGRADED, SMALL["vae"](), **changes)
    with pytest.raises(InputError, match=sentence) as caught:
        official.load_official(tmp_path, "quality")
    assert str(path) in str(caught.value) and "download official" in str(caught.value)


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ("code_ran",)


@pytest.mark.parametrize("legacy", [True, False])
def test_code_in_a_file_is_not_run_but_named(small, tmp_path, monkeypatch, legacy):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / official.VAE_DEGRADED.path
    path.parent.mkdir(parents=True)
    content = {"encoder.1.weight": torch.zeros(1), "more": RunsCode()}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match=r"asks to run \w+\.mkdir, .* delete the file"):
        official.load_official(tmp_path, "quality")
    assert not (tmp_path / "code_ran").exists()


def saved(legacy):
    buffer = io.BytesIO()
    torch.save(
        {"encoder.1.bias": torch.zeros(64)}, buffer, _use_new_zipfile_serialization=not legacy
    )
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"<!DOCTYPE html><p>Not found",
        b"PK\x03\x04" + bytes(60),
        *(saved(legacy=True)[:length] for length in (1, 2, 30, 100, -1)),
        *(saved(legacy=False)[:length] for length in (4, 100, -30)),
        pickle.dumps({"a": [1, 2]}, protocol=4),
    ],
    ids=["empty", "photo", "page", "zip head", *map(str, range(9))],
)
def test_files_that_are_no_checkpoints_are_refused(small, tmp_path, content):
    path = tmp_path / official.VAE_DEGRADED.path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"damaged, cut short, or not a file of weights|nothing but"
    ):
        official.load_official(tmp_path, "quality")


def test_other_files_of_theirs_under_that_name_are_refused(small, tmp_path):
    path = tmp_path / official.VAE_DEGRADED.path
    path.parent.mkdir(parents=True)
    torch.save({"state": {0: {"step": 1}}, "param_groups": [{"lr": 0.1}]}, path)
    with pytest.raises(InputError, match="optimizer state, perhaps"):
        official.load_official(tmp_path, "quality")
    detector = write(tmp_path, replace(official.DETECTOR, entry=""), SMALL["detector"]())
    with pytest.raises(InputError, match=r"expected the entry model_state in .*FT_Epoch_latest"):
        official.load_official_detector(detector.parents[1])


def test_wrong_folders_and_variants_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        official.load_official(tmp_path / "nowhere", "quality")
    with pytest.raises(InputError, match=r"folders restoration and detection in .*neither"):
        official.load_official(tmp_path, "quality")
    with pytest.raises(InputError, match="variant must be one of quality, scratch, hr; got 'HR'"):
        official.load_official(tmp_path, "HR")
