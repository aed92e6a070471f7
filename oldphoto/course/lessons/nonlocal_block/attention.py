"""Looking into the partial non-local block: where a position borrows from, and what it costs."""

from dataclasses import dataclass

import ipywidgets
import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image
from torch import Tensor

from oldphoto.checks import InputError
from oldphoto.course.diagrams.memory_chart import memory_chart
from oldphoto.course.figures import as_pixels, photo_html
from oldphoto.course.widgets import picture_view, slider
from oldphoto.networks.mapping import PartialNonlocalMapping
from oldphoto.networks.partial_nonlocal import PartialNonlocal
from oldphoto.networks.restoration import RestorationNetwork

HEAT = colormaps["cividis"]
HOLE = np.array([204, 121, 167], dtype=np.uint8)  # the palette's pink
CROSS = np.array([213, 94, 0], dtype=np.uint8)  # the palette's red


@dataclass(frozen=True)
class Scene:
    """What an X-ray needs: a block, the features it looks at, and the photo they belong to.

    Attributes:
        block: the partial non-local block.
        features: (1, C, h, w).
        validity: (1, 1, h, w) in [0, 1], 1 = sound, 0 = damaged.
        photo: uint8 (H, W, 3), to draw on.
    """

    block: PartialNonlocal
    features: Tensor
    validity: Tensor
    photo: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the latent."""
        return self.validity.shape[-2], self.validity.shape[-1]

    def row(self, position: tuple[int, int]) -> np.ndarray:
        """Return the attention of one position, float (h, w), which sums to 1."""
        with torch.no_grad():
            return self.block.attention_row(self.features, self.validity, position).numpy()

    @property
    def hole(self) -> list[tuple[int, int]]:
        """All positions (row, column) that are not sound, row by row."""
        rows, columns = np.nonzero(self.validity[0, 0].numpy() < 1)
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    def is_damaged(self, position: tuple[int, int]) -> bool:
        """Whether a latent position lies in the hole."""
        return bool(self.validity[0, 0, position[0], position[1]] < 1)


def scene_of(network: RestorationNetwork, degraded: Tensor, scratch_mask: Tensor) -> Scene:
    """Return the scene of a photo inside a whole network.

    Args:
        degraded: (1, 3, H, W) in [-1, 1], damaged pixels white.
        scratch_mask: (1, 1, H, W), 1 = damaged.

    Raises:
        InputError: if the network's mapping has no partial non-local block.
    """
    mapping = network.mapping
    if not isinstance(mapping, PartialNonlocalMapping):
        raise InputError(
            "expected a network with the partial non-local block (variant scratch), "
            f"got one with {type(mapping).__name__}"
        )
    with torch.no_grad():
        latent = network.vae_degraded.encode(mapping.prepare(degraded, scratch_mask))
        features = mapping.widen(latent)
    validity = mapping.validity(latent, scratch_mask)
    return Scene(mapping.partial_nonlocal, features, validity, as_pixels(degraded))


def xray(scene: Scene, position: tuple[int, int]) -> np.ndarray:
    """Draw where one position borrows from.

    Brightness is the weight, with its square root taken so that small weights are seen as well;
    the hole is pink, the chosen position carries a red cross.

    Returns:
        uint8 (H, W, 3), of the photo's size.
    """
    weight = scene.row(position)
    strength = np.sqrt(weight / max(weight.max(), 1e-12))
    height, width = scene.photo.shape[:2]
    strength = _enlarged(strength, (height, width))[..., None]
    grey = scene.photo.mean(axis=2, keepdims=True).repeat(3, axis=2)
    heat = HEAT(strength[..., 0])[..., :3] * 255
    drawn = (0.45 * grey) * (1 - strength) + heat * strength
    damaged = _enlarged(1 - scene.validity[0, 0].numpy(), (height, width)) > 0.5
    drawn[damaged] = 0.35 * drawn[damaged] + 0.65 * HOLE
    return _with_cross(drawn.astype(np.uint8), position, scene.size)


def xray_words(scene: Scene, position: tuple[int, int]) -> str:
    """Say in words what ``xray`` shows."""
    weight = scene.row(position)
    row, column = position
    if not scene.is_damaged(position):
        return (
            f"Position ({row}, {column}) is sound. It keeps its own features; "
            "this row is computed, but the fusion multiplies it by 0."
        )
    best_row, best_column = np.unravel_index(weight.argmax(), weight.shape)
    sorted_weight = np.sort(weight.ravel())[::-1]
    half = int(np.searchsorted(sorted_weight.cumsum(), 0.5)) + 1
    inside = weight[scene.validity[0, 0].numpy() < 1].sum()
    return (
        f"Position ({row}, {column}) is damaged. It borrows most from ({best_row}, {best_column}):"
        f" {100 * weight.max():.1f} %. Half of what it borrows comes from {half} of"
        f" {weight.size} positions. From inside the hole: {100 * inside:.1f} %."
    )


def xray_view(scene: Scene, position: tuple[int, int]) -> ipywidgets.Widget:
    """Return two sliders that choose the position, and the X-ray of it."""
    height, width = scene.size
    row = slider("row", position[0], 0, height - 1)
    column = slider("column", position[1], 0, width - 1)
    return picture_view([row, column], lambda: _xray_html(scene, (row.value, column.value)))


def _xray_html(scene: Scene, position: tuple[int, int]) -> str:
    words = xray_words(scene, position)
    enlarged = Image.fromarray(xray(scene, position))
    enlarged = enlarged.resize((enlarged.width * 3 // 2, enlarged.height * 3 // 2))
    return f"{photo_html(enlarged, words)}<p>{words}</p>"


def memory_view() -> ipywidgets.Widget:
    """Return two sliders, size of the photo and damaged fraction, and the memory it will take."""
    side = slider("longer side in pixels (4:3)", 1024, 128, 4096, step=64)
    damaged = slider("damaged, in %", 10, 0, 100, step=5)

    def html() -> str:
        chart, words = memory_chart((side.value * 3 // 4, side.value), damaged.value / 100)
        return f'<div role="img" aria-label="{words}">{chart}</div><p>{words}</p>'

    return picture_view([side, damaged], html)


def _enlarged(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge float (h, w) to (H, W) without smoothing: one block for each position."""
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.NEAREST))


def _with_cross(
    pixels: np.ndarray, position: tuple[int, int], latent_size: tuple[int, int]
) -> np.ndarray:
    """Draw a cross through the middle of a latent position."""
    height, width = pixels.shape[:2]
    row = int((position[0] + 0.5) * height / latent_size[0])
    column = int((position[1] + 0.5) * width / latent_size[1])
    arm, thick = max(8, height // 24), max(1, height // 160)
    above, left = max(row - arm, 0), max(column - arm, 0)
    pixels[above : row + arm + 1, max(column - thick, 0) : column + thick + 1] = CROSS
    pixels[max(row - thick, 0) : row + thick + 1, left : column + arm + 1] = CROSS
    return pixels
