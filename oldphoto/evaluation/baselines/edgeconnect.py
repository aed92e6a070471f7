"""EdgeConnect: draw the edges inside a hole first, then fill it in colour.

The first generator continues the edges of the photo into the hole. The second fills the hole along
these edges. Both are trained on clean photos with holes.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from skimage.feature import canny
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from oldphoto import losses
from oldphoto.checks import require_features, require_multiple, require_positive
from oldphoto.data.datasets import DegradedPairs
from oldphoto.evaluation.baselines.common import gan_generator
from oldphoto.networks.layers import init_paper
from oldphoto.training.objectives import Outputs, Terms, frozen

CANNY_SIGMA = 2.0
EDGE_FEATURE_WEIGHT = 10.0
L1_WEIGHT = 1.0
ADVERSARIAL_WEIGHT = 0.1
GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class EdgeConnectConfig:
    """Sizes of one generator.

    Attributes:
        in_channels: 3 for the edges (grey photo, edges, mask); 4 for the filling (photo, edges).
        out_channels: 1 for edges, 3 for a photo.
        width: channels at full resolution.
        num_blocks: dilated residual blocks at a quarter of the resolution.
        is_spectral: spectral norm on every convolution, as in the edge generator.
    """

    in_channels: int = 3
    out_channels: int = 1
    width: int = 64
    num_blocks: int = 8
    is_spectral: bool = True

    def __post_init__(self) -> None:
        require_positive(width=self.width, num_blocks=self.num_blocks)

    @property
    def filling(self) -> "EdgeConnectConfig":
        """The second generator of the same size."""
        return replace(self, in_channels=4, out_channels=3, is_spectral=False)


class DilatedBlock(nn.Module):
    """Residual block y = x + f(x), whose first convolution has dilation 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, padding_mode="reflect")
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        inner = F.instance_norm(self.conv1(x)).relu()
        return x + F.instance_norm(self.conv2(inner))


class InpaintGenerator(nn.Module):
    """Either generator: two reductions, dilated residual blocks, two enlargements.

    Shape:
        (B, in_channels, H, W) to (B, out_channels, H, W), edges in [0, 1], a photo in [-1, 1]. H
        and W multiples of 4, at least 16.

    Raises:
        InputError: if x has another shape.

    Source:
        Nazeri et al. 2019 (arXiv 1901.00212), section 3 and appendix A.
    """

    def __init__(self, config: EdgeConnectConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.first = nn.Conv2d(config.in_channels, width, 7, padding=3, padding_mode="reflect")
        self.downs = nn.ModuleList(
            nn.Conv2d(width * k, 2 * width * k, 4, stride=2, padding=1) for k in (1, 2)
        )
        self.blocks = nn.Sequential(*(DilatedBlock(4 * width) for _ in range(config.num_blocks)))
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(2 * width * k, width * k, 4, stride=2, padding=1) for k in (2, 1)
        )
        self.last = nn.Conv2d(width, config.out_channels, 7, padding=3, padding_mode="reflect")
        init_paper(self)
        if config.is_spectral:
            for layer in [*self.modules()]:
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer is not self.last:
                    spectral_norm(layer)

    def forward(self, x: Tensor) -> Tensor:
        require_features(x, self.config.in_channels, min_size=16)
        require_multiple(x, 4)
        x = F.instance_norm(self.first(x)).relu()
        for down in self.downs:
            x = F.instance_norm(down(x)).relu()
        x = self.blocks(x)
        for up in self.ups:
            x = F.instance_norm(up(x)).relu()
        x = self.last(x)
        return x.sigmoid() if self.config.out_channels == 1 else x.tanh()


def edge_map(photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
    """Return Canny's edges of uint8 (H, W, 3), bool (H, W), none at or beside masked pixels.

    Source: Canny 1986, sigma 2 as in EdgeConnect, section 4.1.
    """
    grey = photo.astype(np.float64) @ np.array(GREY) / 255
    sound = None if scratch_mask is None else ~scratch_mask
    return canny(grey, sigma=CANNY_SIGMA, mask=sound)


def grey_of(photo: Tensor) -> Tensor:
    """Return the luminance (B, 1, H, W) of a photo (B, 3, H, W), in the same range."""
    return torch.einsum("bchw,c->bhw", photo, photo.new_tensor(GREY))[:, None]


def edge_input(photo: Tensor, edges: Tensor, scratch_mask: Tensor) -> Tensor:
    """Return the input of the edge generator: grey photo and edges outside the hole, and the mask.

    Args:
        photo: (B, 3, H, W) in [-1, 1].
        edges: (B, 1, H, W) in [0, 1].
        scratch_mask: (B, 1, H, W), 1 = hole. There the photo is white and without edges.

    Returns:
        (B, 3, H, W).
    """
    grey = grey_of(photo) * (1 - scratch_mask) + scratch_mask
    return torch.cat([grey, edges * (1 - scratch_mask), scratch_mask], dim=1)


def filling_input(photo: Tensor, edges: Tensor, scratch_mask: Tensor) -> Tensor:
    """Return the input of the filling generator: photo with white hole, and edges, (B, 4, H, W)."""
    return torch.cat([photo * (1 - scratch_mask) + scratch_mask, edges], dim=1)


def composed(made: Tensor, given: Tensor, scratch_mask: Tensor) -> Tensor:
    """Return the generated pixels inside the hole and the given ones outside."""
    return made * scratch_mask + given * (1 - scratch_mask)


class EdgePhotos(DegradedPairs):
    """Clean photos with a hole mask and with the edges of the whole photo.

    A sample holds ``clean``, ``scratch_mask`` and ``edges``, (1, crop, crop) in {0, 1}. The
    arguments are those of ``DegradedPairs``.
    """

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        sample = super().__getitem__(position)
        pixels = sample["clean"].add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
        edges = torch.from_numpy(edge_map(pixels)).float()[None]
        return {
            "clean": sample["clean"],
            "scratch_mask": sample["scratch_mask"],
            "edges": edges,
        }


class EdgeObjective(nn.Module):
    """Loss of the edge generator: adversarial and feature matching.

    Source:
        Nazeri et al. 2019, eq. 2 to 4. The discriminator sees the grey photo beside the edges.
    """

    def __init__(self, generator: InpaintGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Outputs]:
        clean, mask, edges = batch["clean"], batch["scratch_mask"], batch["edges"]
        made = self.generator(edge_input(clean, edges, mask))
        grey = grey_of(clean)
        with frozen(discriminators["photo"]):
            fake = discriminators["photo"](torch.cat([grey, made], dim=1))
            with torch.no_grad():
                real = discriminators["photo"](torch.cat([grey, edges], dim=1))
        terms = {
            "adversarial": gan_generator(fake[0][-1]),
            "feature_matching": EDGE_FEATURE_WEIGHT * losses.feature_matching(fake, real),
        }
        shown = edge_input(clean, edges, mask)[:, :1]
        samples = {"input": shown, "output": 2 * made.detach() - 1, "target": 2 * edges - 1}
        return terms, samples | {"real": torch.cat([grey, edges], 1), "fake": _with(grey, made)}


class FillingObjective(nn.Module):
    """Loss of the filling generator: L1 divided by the size of the hole, and adversarial.

    The paper's two terms on VGG features (perceptual and style) are left out, because VGG may not
    be available. The edges are the true ones, as in the paper's training.

    Source:
        Nazeri et al. 2019, eq. 5, 6 and 9.
    """

    def __init__(self, generator: InpaintGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Outputs]:
        clean, mask, edges = batch["clean"], batch["scratch_mask"], batch["edges"]
        made = self.generator(filling_input(clean, edges, mask))
        with frozen(discriminators["photo"]):
            scores = discriminators["photo"](torch.cat([made, edges], dim=1))[0][-1]
        fraction = mask.mean().clamp_min(1e-2)
        terms = {
            "l1": L1_WEIGHT * losses.l1_loss(made, clean) / fraction,
            "adversarial": ADVERSARIAL_WEIGHT * gan_generator(scores),
        }
        shown = filling_input(clean, edges, mask)[:, :3]
        samples = {"input": shown, "output": composed(made.detach(), clean, mask), "target": clean}
        return terms, samples | {"real": torch.cat([clean, edges], 1), "fake": _with(made, edges)}


def _with(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat([first, second], dim=1).detach()
