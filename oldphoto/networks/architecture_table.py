"""The architecture table: the output of each layer of a preset, taken from a real run.

Nothing is computed from the settings: the networks are built, hooks are put on their layers, and
one photo goes through. So the table always agrees with the networks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import cast

import torch
from torch import Tensor, nn

from oldphoto.config import Preset
from oldphoto.networks.layers import ResidualBlock
from oldphoto.networks.mapping import scratch_mapping
from oldphoto.networks.partial_nonlocal import PartialNonlocal
from oldphoto.networks.vae import VAE

_NAMES: dict[type[nn.Module], str] = {
    nn.Conv2d: "Conv",
    nn.ConvTranspose2d: "Deconv",
    nn.PixelUnshuffle: "Unshuffle",
    nn.PixelShuffle: "Shuffle",
    ResidualBlock: "ResBlock",
}
_MAPPING_PARTS = ("widen", "partial_nonlocal", "blocks", "narrow", "to_latent")


@dataclass(frozen=True)
class Row:
    """One line of the table: a layer, or several equal ones in a row.

    Attributes:
        module: "Encoder E", "Generator G" or "Mapping T".
        layer: such as "Conv", "Deconv", "ResBlock x 4".
        kernel: side of the kernel, or of the square of pixels that is rearranged.
        stride: step in pixels; 2 halves the sides, or doubles them for a Deconv.
        height: of the output.
        width: of the output.
        channels: of the output.
    """

    module: str
    layer: str
    kernel: int
    stride: int
    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class _Step:
    """One layer that ran: its path in the network and its row."""

    path: str
    row: Row


def architecture_table(preset: Preset, size: tuple[int, int] = (256, 256)) -> list[Row]:
    """Run encoder, generator and mapping of a preset on a grey photo and list their layers.

    The mapping is the one for scratched photos. Its branches are listed in the order of the paper,
    the global branch first.

    Args:
        preset: sizes of the networks.
        size: (H, W) of the photo, multiples of 4.

    Raises:
        InputError: if the preset's VAE cannot take a photo of this size.

    >>> from oldphoto.config import TINY
    >>> architecture_table(TINY, size=(32, 32))[0]
    Row(module='Encoder E', layer='Unshuffle', kernel=4, stride=4, height=8, width=8, channels=48)
    """
    with torch.random.fork_rng(devices=[]):  # showing a table must not change a later result
        vae = VAE(preset.vae).eval()
        mapping = scratch_mapping(preset.mapping).eval()
    photo = torch.zeros(1, 3, *size)
    scratch_mask = torch.zeros(1, 1, *size)  # (1, 1, H, W)
    # Without damage the global branch would not run.
    scratch_mask[:, :, : size[0] // 4, : size[1] // 4] = 1
    # One recorder for each module, so that the rows know whose they are.
    with torch.inference_mode(), _Recorder(vae.encoder) as encoder:
        latent = vae.encode(photo)
    with torch.inference_mode(), _Recorder(vae.decoder) as decoder:
        vae.decode(latent)
    with torch.inference_mode(), _Recorder(mapping) as translation:
        mapping(latent, scratch_mask)
    return [
        *_rows("Encoder E", encoder.steps),
        *_rows("Generator G", decoder.steps),
        *_rows("Mapping T", _in_order_of_the_paper(translation.steps)),
    ]


class _Recorder:
    """Record the outputs of a network's layers, in the order in which they run."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.steps: list[_Step] = []
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> "_Recorder":
        for path, module, layer in _layers(self.network):
            self._handles.append(module.register_forward_hook(self._note(path, layer)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:  # hooks left behind would record every later run
            handle.remove()

    def _note(self, path: str, layer: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, _: object, output: Tensor) -> None:
            kernel, stride = _kernel_and_stride(module)
            # (B, C, H, W): the batch is no part of the table.
            channels, height, width = output.shape[1:]
            # The name of the module comes later: a layer does not know it.
            row = Row("", layer, kernel, stride, height, width, channels)
            self.steps.append(_Step(path, row))

        return hook


def _layers(network: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module, str]]:
    """Yield path, module and name of each layer of the table, without looking inside a block."""
    for name, module in network.named_children():
        inner = f"{path}.{name}" if path else name
        if isinstance(module, PartialNonlocal):
            # Its last 1x1 convolution stands for the block; the residual blocks are rows of their
            # own, as in the paper's table.
            yield f"{inner}.project", module.project, "Partial non-local"
            yield from _layers(module.blocks, f"{inner}.blocks")
        elif name_of_type := _NAMES.get(type(module)):
            yield inner, module, name_of_type
        else:
            yield from _layers(module, inner)


def _kernel_and_stride(module: nn.Module) -> tuple[int, int]:
    if isinstance(module, nn.PixelUnshuffle):
        return module.downscale_factor, module.downscale_factor
    if isinstance(module, nn.PixelShuffle):
        return module.upscale_factor, module.upscale_factor
    # Both convolutions of a residual block are alike.
    conv = cast(nn.Conv2d, module.conv1 if isinstance(module, ResidualBlock) else module)
    return conv.kernel_size[0], conv.stride[0]


def _in_order_of_the_paper(steps: list[_Step]) -> list[_Step]:
    """Sort the steps of a mapping; of its two branches the local one may have run first."""
    return sorted(steps, key=lambda step: _MAPPING_PARTS.index(step.path.partition(".")[0]))


def _rows(module: str, steps: list[_Step]) -> list[Row]:
    """Return the rows of one module; the residual blocks of one branch share a row."""
    rows = []
    for _, group in groupby(steps, key=_branch):  # neighbours of one key
        same = list(group)
        row, layer = same[0].row, same[0].row.layer
        if layer == _NAMES[ResidualBlock]:
            layer = f"{layer} x {len(same)}"
        rows.append(replace(row, module=module, layer=layer))
    return rows


def _branch(step: _Step) -> str:
    """Return a key that the residual blocks of one branch share, and no other layers."""
    is_block = step.row.layer == _NAMES[ResidualBlock]
    return step.path.rpartition(".")[0] + ".*" if is_block else step.path


def format_table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table; a module is named on its first line only.

    >>> print(format_table([Row("Encoder E", "Conv", 7, 1, 256, 256, 64)]).splitlines()[-1])
    | Encoder E | Conv | 7x7 / 1 | 256 x 256 x 64 |
    """
    lines = [
        "| module | layer | kernel / stride | output H x W x C |",
        "|---|---|---|---|",
    ]
    named = ""
    for row in rows:
        module = "" if row.module == named else f" {row.module}"
        named = row.module
        kernel = f"{row.kernel}x{row.kernel} / {row.stride}"
        output = f"{row.height} x {row.width} x {row.channels}"
        lines.append(f"|{module} | {row.layer} | {kernel} | {output} |")
    return "\n".join(lines)
