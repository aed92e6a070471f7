"""Find the scratches of a photo; the result is a mask of the same size."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from oldphoto.checks import InputError, require_features, require_multiple
from oldphoto.images.files import PhotoSource, load_rgb
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.system.devices import choose_device
from oldphoto.weights.source import OfficialWeights, WeightsSource

OFFICIAL_THRESHOLD = 0.4
OWN_THRESHOLD = 0.6
"""Best value for the shipped detector: the gain on damaged photos without harm to sound ones."""

LARGEST_SIDE = 640
"""Largest short side at which our own detectors look at a photo. On real damage that was marked by
hand, 640 px gives a quarter to a seventh of the false alarms of 256 px."""

SIDE_MULTIPLE = 16
LONGEST_SIDE = 4096  # of the network's input; only photos more than 16 times as long as wide


class ScratchDetector:
    """Find the scratches of a photo.

    As in the authors' code, every photo is resized so that its short side has 256 pixels. The
    probability is resized back by nearest neighbour, and pixels with 0.4 or more count as damaged.
    Our own networks have another threshold, and look at larger photos in their own size, up to a
    short side of 640 pixels: print and windows are taken for scratches less often, and thin
    scratches stay visible.

    Args:
        network: trained detector; it is moved to the device and set to evaluation.
        threshold: lowest probability of a pixel that counts as damaged.
        working_side: short side of the network's input, in pixels.
        largest_side: a photo whose short side lies between ``working_side`` and this one keeps its
            size; None: every photo gets ``working_side``.
        device: "cuda", "mps" or "cpu"; None chooses.

    Source:
        ``detection.py`` of the authors' code. It first rounds the photo to sides that are
        multiples of 16 and returns the mask at that size; here the mask has the photo's size.

    Example:
        >>> detector = ScratchDetector.from_pretrained("small", device="cpu")
        >>> detector(np.full((40, 60, 3), 128, np.uint8)).shape
        (40, 60)
    """

    def __init__(
        self,
        network: ScratchUNet,
        threshold: float = OFFICIAL_THRESHOLD,
        working_side: int = 256,
        device: str | torch.device | None = None,
        largest_side: int | None = None,
    ) -> None:
        if not 0 < threshold < 1:
            raise InputError(f"threshold must lie between 0 and 1, got {threshold}")
        if working_side < 2 * SIDE_MULTIPLE or working_side % SIDE_MULTIPLE:
            raise InputError(f"working_side must be 32, 48, 64 or so on, got {working_side}")
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        self.threshold = threshold
        self.working_side = working_side
        self.largest_side = largest_side or working_side

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path = "small",
        device: str | torch.device | None = None,
        threshold: float = OWN_THRESHOLD,
    ) -> "ScratchDetector":
        """Load shipped weights by name, or those that training wrote into a folder.

        Raises:
            InputError: if there are none, or they hold no detector.
        """
        return cls.from_source(WeightsSource.parse(name_or_folder), device, threshold)

    @classmethod
    def from_official(
        cls, folder: str | Path, device: str | torch.device | None = None
    ) -> "ScratchDetector":
        """Load the authors' checkpoint from the folder that holds detection/, or its parent."""
        return cls.from_source(OfficialWeights(Path(folder)), device)

    @classmethod
    def from_source(
        cls,
        source: WeightsSource,
        device: str | torch.device | None = None,
        threshold: float | None = None,
    ) -> "ScratchDetector":
        """Load the detector of any source of weights.

        Args:
            threshold: None takes that of the source, ``OFFICIAL_THRESHOLD`` or ``OWN_THRESHOLD``.

        Raises:
            InputError: if the source has no detector.
        """
        if threshold is None:
            threshold = OFFICIAL_THRESHOLD if source.is_official else OWN_THRESHOLD
        largest_side = None if source.is_official else LARGEST_SIDE
        return cls(source.detector(), threshold, device=device, largest_side=largest_side)

    @torch.no_grad()
    def probability(self, grey: Tensor) -> Tensor:
        """Return the probability of damage of each pixel; nothing is resized.

        Args:
            grey: (B, 1, H, W) in [-1, 1]; H and W multiples of 16.

        Returns:
            (B, 1, H, W) in [0, 1], on the device of ``grey``.
        """
        require_features(grey, channels=1)
        require_multiple(grey, SIDE_MULTIPLE)
        return self.network(grey.to(self.device)).sigmoid().to(grey.device)

    def photo_probability(self, photo: PhotoSource) -> np.ndarray:
        """Return the probability of damage as float32 (H, W) in [0, 1], at the photo's size."""
        pixels = load_rgb(photo)
        grey = torch.from_numpy(np.array(Image.fromarray(pixels).convert("L")))[None, None]
        grey = grey.float().div_(127.5).sub_(1)
        height, width = pixels.shape[:2]
        side = max(self.working_side, min(height, width, self.largest_side))
        size = working_size((height, width), side)
        small = F.interpolate(grey, size, mode="bilinear", align_corners=False)
        full = F.interpolate(self.probability(small), (height, width), mode="nearest")
        return full[0, 0].numpy()

    def __call__(self, photo: PhotoSource) -> np.ndarray:
        """Return the scratch mask of a photo: bool (H, W), true where damaged.

        Args:
            photo: path, PIL image of any mode, or uint8 array (H, W, 3).
        """
        return self.photo_probability(photo) >= self.threshold


def working_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size of the network's input: short side ``side``, both multiples of 16.

    Example:
        >>> working_size((600, 900), 256)
        (256, 384)
    """
    short, long = min(size), max(size)
    if long / short * side > LONGEST_SIDE:
        short, side = long, LONGEST_SIDE
    least = 2 * SIDE_MULTIPLE
    height, width = (round(length / short * side / SIDE_MULTIPLE) for length in size)
    return max(height * SIDE_MULTIPLE, least), max(width * SIDE_MULTIPLE, least)
