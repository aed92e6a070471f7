"""The global branch of the restoration: bring the tone of a faded photo back.

The mapping sees a window of a photo, and whether a photo has faded is seen only from the whole. So
the tone has a branch of its own: it looks at a reduced photo and answers with a few numbers.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldphoto.checks import require_features
from oldphoto.config import ToneConfig
from oldphoto.networks.layers import conv_norm_relu, initialise

VIEW = 64
"""Side in pixels of the reduced photo that the network looks at."""

GRID = 4
"""The change of tone is given at GRID x GRID places and is smooth between them."""

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Where black and white lie in the whole photo: the first thing that fading moves."""

NUM_FEATURES = 7  # red, green, blue, their squares, and a constant


class ToneMapping(nn.Module):
    """Change the tone of a photo smoothly, as the whole photo asks for.

    Each new channel is a sum of the three old ones, their squares and a constant. That is enough
    to stretch a faded contrast, to bend the middle tones and to take out a colour cast. The factors
    differ between the corners of the photo, because light and damp bleach unevenly.

    Args:
        config: its width.

    Shape:
        photo (B, 3, H, W) in [-1, 1] to the same.

    Source:
        Not in the paper. Factors on a coarse grid, predicted from a reduced photo: Gharbi et al.
        2017 (arXiv 1707.02880), here without the grid's third axis.

    >>> ToneMapping(ToneConfig(width=4))(torch.zeros(1, 3, 40, 56)).abs().max().item()
    0.0
    """

    def __init__(self, config: ToneConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.look = nn.Sequential(  # (B, 3, 64, 64) to (B, 4 width, 8, 8)
            conv_norm_relu(5, width, 4, stride=2, norm=False),
            conv_norm_relu(width, 2 * width, 4, stride=2, norm=False),
            conv_norm_relu(2 * width, 4 * width, 4, stride=2, norm=False),
            conv_norm_relu(4 * width, 4 * width, norm=False),
        )
        # Each place sees its own features beside those of the whole photo.
        self.answer = nn.Sequential(
            nn.Conv2d(8 * width + 6 + 3 * len(QUANTILES), 8 * width, 1),
            nn.ReLU(),
            nn.Conv2d(8 * width, 4 * width, 1),
            nn.ReLU(),
            nn.Conv2d(4 * width, 3 * NUM_FEATURES, 1),
        )
        initialise(self, norm=False)
        last = self.answer[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)  # at first the photo stays as it is
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def factors(self, photo: Tensor) -> Tensor:
        """Return how the tone has to change, (B, 3, 7, 4, 4): what is added to each channel."""
        require_features(photo, channels=3, min_size=1)
        view = F.interpolate(photo, (VIEW, VIEW), mode="area")  # (B, 3, 64, 64)
        # Where it is, a place cannot tell from the photo, but rims fade first.
        axis = torch.linspace(-1, 1, VIEW, device=photo.device, dtype=photo.dtype)
        places = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))
        places = places.expand(photo.shape[0], -1, -1, -1)  # (B, 2, 64, 64)
        local = self.look(torch.cat([view, places], dim=1))  # (B, 4 width, 8, 8)
        local = F.adaptive_avg_pool2d(local, GRID)  # (B, 4 width, 4, 4)
        lightest = F.adaptive_max_pool2d(view, GRID)  # (B, 3, 4, 4)
        darkest = -F.adaptive_max_pool2d(-view, GRID)
        whole = [local.mean(dim=(2, 3)), _quantiles(view)]  # (B, 4 width) and (B, 27)
        everywhere = torch.cat(whole, dim=1)[..., None, None].expand(-1, -1, GRID, GRID)
        answer = self.answer(torch.cat([local, lightest, darkest, everywhere], dim=1))
        return answer.unflatten(1, (3, NUM_FEATURES))  # (B, 3, 7, 4, 4)

    def forward(self, photo: Tensor) -> Tensor:
        """Return the photo in the tone it had when it was new, (B, 3, H, W) in [-1, 1]."""
        factors = self.factors(photo)
        rows, columns = (_between_places(photo, side) for side in photo.shape[-2:])
        change = torch.zeros_like(photo)
        # One factor after the other: all 21 at full size would be seven times the photo.
        for number, feature in enumerate(_features(photo)):
            grid = factors[:, :, number]  # (B, 3, 4, 4)
            smooth = rows @ grid @ columns.T  # (H, 4) (B, 3, 4, 4) (4, W) to (B, 3, H, W)
            change = change + smooth * feature
        return (photo + change).clamp(-1, 1)


def _quantiles(view: Tensor) -> Tensor:
    """Return the quantiles of each channel, (B, 3, h, w) to (B, 27)."""
    levels = torch.tensor(QUANTILES, device=view.device)
    values = view.float().flatten(2).quantile(levels, dim=2)  # (9, B, 3)
    return values.permute(1, 2, 0).flatten(1).to(view.dtype)


def _between_places(like: Tensor, length: int) -> Tensor:
    """Return how much each of the GRID places counts at each pixel of a side, (length, GRID)."""
    places = torch.eye(GRID, device=like.device, dtype=like.dtype)[None, None]
    return F.interpolate(places, (length, GRID), mode="bicubic", align_corners=True)[0, 0]


def _features(photo: Tensor) -> list[Tensor]:
    """Return what the new channels are made of: seven times (B, 1, H, W)."""
    channels = list(photo.split(1, dim=1))
    return [*channels, *(channel.square() for channel in channels), torch.ones_like(channels[0])]
