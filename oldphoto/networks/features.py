"""Fixed, pretrained feature networks for the perceptual loss: VGG-19, or SqueezeNet 1.1.

Both compare photos by the features of a network that was trained on a million photos. The paper
uses VGG-19, whose file has 575 MB and must be downloaded once. SqueezeNet 1.1 has 3 MB and is many
times faster; numbers measured with the two cannot be compared. Both need a file of weights:
features of random weights would look right and mean nothing.
"""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from oldphoto.checks import InputError, require_features, require_file

_SQUEEZE_SIZES = (14.0, 24.0, 16.0, 20.0, 8.0, 8.0, 1.2)
"""Mean feature of each SqueezeNet layer, over the package's clean sample photos (128 px corners),
with the original Caffe weights. Divided by these, all layers weigh about the same."""

# What reading a damaged file can end in: torch.load has no error of its own.
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
    SafetensorError,
)


class FeatureExtractor(nn.Module):
    """A frozen network that returns the features of several of its layers.

    The weights get no gradient, the photo does. Use with ``losses.perceptual(extractor(a),
    extractor(b), extractor.layer_weights)``.

    Args:
        layers: the layers, named 0, 1, ...; from the first to the last that is returned.
        stops: numbers of the layers whose output is returned.
        layer_weights: factor of each returned layer in the perceptual loss.
        min_size: least height and width of a photo.

    Raises:
        InputError: if a photo is not (B, 3, H, W) or is smaller than ``min_size``.
    """

    def __init__(
        self,
        layers: nn.Sequential,
        stops: tuple[int, ...],
        layer_weights: tuple[float, ...],
        min_size: int,
    ) -> None:
        super().__init__()
        self.layers = layers
        self.stops = frozenset(stops)
        self.layer_weights = layer_weights
        self.min_size = min_size
        self.requires_grad_(False)  # the weights are fixed; gradients still reach the photo
        self.eval()

    def forward(self, photo: Tensor) -> list[Tensor]:
        """Return the features of a photo, from the first layer (fine) to the last (coarse).

        Args:
            photo: (B, 3, H, W) in [-1, 1].
        """
        require_features(photo, channels=3, min_size=self.min_size)
        x = self._prepare(photo)  # (B, 3, H, W)
        features = []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in self.stops:  # (B, C, H / 2^k, W / 2^k) after k poolings
                features.append(x)
        return features

    def _prepare(self, photo: Tensor) -> Tensor:
        return photo


class VGG19FeatureExtractor(FeatureExtractor):
    """VGG-19 at relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1.

    Photos go in as they are, in [-1, 1]. The network was trained on photos normalised with
    ImageNet's mean and spread; the authors' code leaves that out, and so do we.

    Args:
        path: torchvision's file ``vgg19-dcbb9e9d.pth``; its classifier is not used.

    Raises:
        InputError: if there is no such file, it cannot be read, or a tensor is missing, too many,
            or of another shape.

    Source:
        ``VGG19_torch`` of the authors' code; Simonyan and Zisserman 2015 (arXiv 1409.1556).
    """

    def __init__(self, path: Path) -> None:
        layers = _vgg19_layers()
        load_layers(path, layers, "the weights of VGG-19")
        # relu1_1 to relu5_1. The deeper a layer, the fewer its positions and the more it weighs.
        stops, weights = (1, 6, 11, 20, 29), (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
        super().__init__(layers, stops, weights, min_size=16)  # four poolings leave one position


class SqueezeNetFeatureExtractor(FeatureExtractor):
    """SqueezeNet 1.1 after its first convolution and six of its fire modules: seven layers.

    Photos are normalised with ImageNet's mean and spread, as its training was.

    Args:
        path: file with tensors ``features.0.weight`` and so on, as torchvision names them.

    Raises:
        InputError: as for VGG-19.

    Source:
        Iandola et al. 2016 (arXiv 1602.07360); layers as in LPIPS (Zhang et al. 2018). The
        factors are ours: they give each layer the same share and a loss of the order of 1.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, path: Path) -> None:
        layers = _squeezenet_layers()
        load_layers(path, layers, "the weights of SqueezeNet 1.1")
        stops = (1, 4, 7, 9, 10, 11, 12)
        weights = tuple(1 / (len(stops) * size) for size in _SQUEEZE_SIZES)
        super().__init__(layers, stops, weights, min_size=32)
        mean, spread = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        # Not persistent: the file of weights has neither.
        self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", spread.view(1, 3, 1, 1), persistent=False)

    def _prepare(self, photo: Tensor) -> Tensor:
        return ((photo + 1) / 2 - self.mean) / self.spread  # [-1, 1] to [0, 1] to normalised


def load_feature_extractor(path: Path) -> FeatureExtractor:
    """Return the feature network that a file of weights belongs to: VGG-19 or SqueezeNet 1.1.

    Raises:
        InputError: if there is no such file, or it is the file of neither.
    """
    what = "the weights of VGG-19 or SqueezeNet 1.1"
    tensors = _read_tensors(require_file(path, what), what)
    # Both call their tensors features.N; only SqueezeNet's layers have parts called squeeze.
    has_fire_modules = any(".squeeze." in name for name in tensors)
    return SqueezeNetFeatureExtractor(path) if has_fire_modules else VGG19FeatureExtractor(path)


class Fire(nn.Module):
    """Squeeze the channels with a 1x1 convolution, then expand with 1x1 and 3x3 side by side.

    Shape:
        (B, in_channels, H, W) to (B, 2 * expand, H, W), values >= 0.

    Source:
        Iandola et al. 2016, figure 2; tensor names as in torchvision.

    >>> Fire(8, squeeze=2, expand=6)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 12, 4, 4])
    """

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, kernel_size=1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, kernel_size=1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()  # (B, squeeze, H, W)
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()  # (B, 2 expand, ...)


def _vgg19_layers() -> nn.Sequential:
    """Return VGG-19 up to relu5_1; layer numbers are torchvision's."""
    layers: list[nn.Module] = []
    channels = 3
    for widths in ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,)):
        if layers:
            layers.append(nn.MaxPool2d(kernel_size=2))  # halves the sides between two groups
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
    return nn.Sequential(*layers)


def _squeezenet_layers() -> nn.Sequential:
    """Return SqueezeNet 1.1 without its classifier; layer numbers are torchvision's."""
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=3, stride=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )


def load_layers(path: Path, layers: nn.Sequential, what: str) -> None:
    """Fill the layers with the tensors ``features.*`` of the file, each of them exactly.

    Args:
        path: a PyTorch or a safetensors file.
        layers: filled in place.
        what: for messages: "the weights of VGG-19".

    Raises:
        InputError: if there is no such file, it cannot be read, or a tensor is missing, too many,
            or of another shape.
    """
    tensors = _read_tensors(require_file(path, what), what)
    used: dict[str, Tensor] = {}
    for name, own in layers.state_dict().items():
        found = tensors.pop(f"features.{name}", None)  # what is left at the end was not wanted
        if found is None:
            raise InputError(f"{path} lacks the tensor features.{name}; expected {what}")
        if found.shape != own.shape:
            raise InputError(
                f"{path}: features.{name} has shape {tuple(found.shape)}, "
                f"but {what} have {tuple(own.shape)} there"
            )
        used[name] = found
    # Files of whole networks have more layers and a classifier: these may be left over.
    surplus = [name for name in tensors if not _is_deeper(name, len(layers))]
    if surplus:
        raise InputError(f"{path} holds {surplus[0]}, which is not among {what}")
    layers.load_state_dict(used)


def _is_deeper(name: str, num_layers: int) -> bool:
    """Return whether a tensor belongs to the layers after the last one that is used."""
    first, _, rest = name.partition(".")
    number = rest.partition(".")[0]
    return first == "classifier" or (
        first == "features" and number.isdigit() and int(number) >= num_layers
    )


def _read_tensors(path: Path, what: str) -> dict[str, Tensor]:
    """Return the tensors of a PyTorch or safetensors file by name; no code from it is run."""
    is_plain = path.suffix == ".safetensors"
    try:
        # weights_only: a file of weights runs no code.
        content: object = (
            load_file(path) if is_plain else torch.load(path, map_location="cpu", weights_only=True)
        )
    except _DAMAGE as error:
        kind = "safetensors" if is_plain else "PyTorch tensors"
        raise InputError(
            f"{path} cannot be read as {kind} (cut short, or another kind of file); "
            f"expected {what}: download it again"
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(tensor, Tensor) for tensor in content.values()
    ):
        raise InputError(f"{path} holds no table of tensors; expected {what}")
    return dict(content)
