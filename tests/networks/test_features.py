"""The feature networks: equal to torchvision's, frozen, and strict about their file."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

import oldphoto.system.torchvision_compat  # noqa: F401
from oldphoto.checks import InputError
from oldphoto.networks.features import (
    SqueezeNetFeatureExtractor,
    VGG19FeatureExtractor,
    load_feature_extractor,
)

# isort: split
from torchvision.models import squeezenet1_1, vgg

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def _photo(side, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, side, side, generator=generator) * 2 - 1


def _named(state, prefix="features."):
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.fixture(scope="module")
def squeezenet():
    torch.manual_seed(0)
    return squeezenet1_1(weights=None).features.eval()


@pytest.fixture(scope="module")
def squeeze_file(squeezenet, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "squeeze.pth"
    torch.save(_named(squeezenet.state_dict()), path)
    return path


@pytest.fixture
def squeeze_tensors(squeeze_file):
    return torch.load(squeeze_file, weights_only=True)


def _slices(layers, x, last_layers):
    """Run a torchvision network up to each of the given layers, from the start every time."""
    for last in last_layers:
        y = x
        for layer in layers[: last + 1]:
            y = layer(y.clone())
        yield y


def test_vgg_equals_torchvision(tmp_path):
    torch.manual_seed(1)
    theirs = vgg.make_layers(vgg.cfgs["E"], batch_norm=False)
    torch.save(_named(theirs.state_dict()), tmp_path / "vgg.pth")  # holds deeper layers too
    extractor = VGG19FeatureExtractor(tmp_path / "vgg.pth")
    photo = _photo(32)
    with torch.no_grad():
        found = extractor(photo)
        # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1; photos in [-1, 1], not normalised
        wanted = list(_slices(theirs, photo, (1, 6, 11, 20, 29)))
    assert [f.shape[1:] for f in found] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)
        assert a.min() >= 0
    assert extractor.layer_weights == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)


def test_squeezenet_equals_torchvision(squeezenet, squeeze_file):
    extractor = SqueezeNetFeatureExtractor(squeeze_file)
    photo = _photo(50)  # odd sizes inside: the rounding of the pooling layers counts
    with torch.no_grad():
        found = extractor(photo)
        normalised = ((photo + 1) / 2 - MEAN) / STD
        wanted = list(_slices(squeezenet, normalised, (1, 4, 7, 9, 10, 11, 12)))
    assert [f.shape[1] for f in found] == [64, 128, 256, 384, 384, 512, 512]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)
    # 7 layers, mean features 14, 24, 16, 20, 8, 8, 1.2: each adds about 1/7
    assert extractor.layer_weights[0] == pytest.approx(1 / 98)
    assert extractor.layer_weights[6] == pytest.approx(1 / 8.4)
    assert len(extractor.layer_weights) == 7


def test_weights_are_frozen_and_the_photo_gets_a_gradient(squeeze_file):
    extractor = SqueezeNetFeatureExtractor(squeeze_file)
    assert not extractor.training
    photo = _photo(32).requires_grad_()
    sum(f.sum() for f in extractor(photo)).backward()
    assert photo.grad.abs().sum() > 0
    assert all(not p.requires_grad and p.grad is None for p in extractor.parameters())


def test_smallest_photo(squeeze_file):
    extractor = SqueezeNetFeatureExtractor(squeeze_file)
    assert len(extractor(_photo(32))) == 7
    with pytest.raises(InputError, match="at least 32"):
        extractor(_photo(31))
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        extractor(torch.zeros(1, 1, 32, 32))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"VGG-19 at .*nowhere\.pth"):
        VGG19FeatureExtractor(tmp_path / "nowhere.pth")


def test_missing_tensor_is_named(tmp_path, squeeze_tensors):
    del squeeze_tensors["features.4.squeeze.bias"]
    torch.save(squeeze_tensors, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"lacks the tensor features\.4\.squeeze\.bias"):
        SqueezeNetFeatureExtractor(tmp_path / "w.pth")


def test_other_shape_is_named(tmp_path, squeeze_tensors):
    squeeze_tensors["features.0.weight"] = torch.zeros(64, 1, 3, 3)
    torch.save(squeeze_tensors, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"features\.0\.weight has shape \(64, 1, 3, 3\)"):
        SqueezeNetFeatureExtractor(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["features.1.weight", "extra.weight", "featuresx"])
def test_surplus_tensor_is_named(tmp_path, squeeze_tensors, name):
    squeeze_tensors[name] = torch.zeros(1)
    torch.save(squeeze_tensors, tmp_path / "w.pth")
    with pytest.raises(InputError, match=f"holds {name}"):
        SqueezeNetFeatureExtractor(tmp_path / "w.pth")


def test_classifier_is_ignored(tmp_path, squeeze_tensors):
    squeeze_tensors["classifier.1.weight"] = torch.zeros(1)
    torch.save(squeeze_tensors, tmp_path / "w.pth")
    SqueezeNetFeatureExtractor(tmp_path / "w.pth")


class _Code:
    def __reduce__(self):
        return (print, ("code from the file ran",))


def test_code_in_a_file_is_not_run(tmp_path, capsys):
    torch.save({"features.0.weight": _Code()}, tmp_path / "code.pth")
    with pytest.raises(InputError, match="cannot be read as PyTorch tensors"):
        SqueezeNetFeatureExtractor(tmp_path / "code.pth")
    assert capsys.readouterr().out == ""


def test_files_of_another_kind_are_refused(tmp_path, squeeze_file):
    contents = {
        "empty.pth": b"",
        "text.pth": b"not weights",
        "cut.pth": squeeze_file.read_bytes()[:100_000],
        "pickle.pth": pickle.dumps({"features.0.weight": 1}, protocol=2),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as PyTorch tensors"):
            SqueezeNetFeatureExtractor(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="no table of tensors"):
        SqueezeNetFeatureExtractor(tmp_path / "list.pth")


def test_a_safetensors_file_gives_the_same_network(squeeze_tensors, squeeze_file, tmp_path):
    save_file(squeeze_tensors, tmp_path / "squeeze.safetensors")
    ours = load_feature_extractor(tmp_path / "squeeze.safetensors")
    theirs = SqueezeNetFeatureExtractor(squeeze_file)
    for a, b in zip(ours(_photo(40)), theirs(_photo(40)), strict=True):
        assert torch.equal(a, b)
    (tmp_path / "text.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_feature_extractor(tmp_path / "text.safetensors")


def test_the_kind_of_network_is_told_from_its_file(squeeze_file, tmp_path):
    assert isinstance(load_feature_extractor(squeeze_file), SqueezeNetFeatureExtractor)
    theirs = vgg.make_layers(vgg.cfgs["E"], batch_norm=False)
    torch.save(_named(theirs.state_dict()), tmp_path / "vgg.pth")
    assert isinstance(load_feature_extractor(tmp_path / "vgg.pth"), VGG19FeatureExtractor)
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"lacks the tensor features\.0\.weight"):
        load_feature_extractor(tmp_path / "other.pth")
