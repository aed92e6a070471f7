"""The public door: a photo of any kind and size in, the restored photo of the same size out."""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from oldphoto.checks import InputError, require_features, require_in, require_mask
from oldphoto.images.files import MIN_SIDE, load_photo, mask_from_grey, read_mask
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor
from oldphoto.inference.memory_plan import WorkingMemory, plan_tiling, tiling_note
from oldphoto.inference.padding import crop_to_size, pad_to_multiple
from oldphoto.inference.tiling import Tiling, restore_in_tiles
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.system.devices import choose_device, is_fast_at_bf16
from oldphoto.system.memory import budget_bytes, require_memory_limit
from oldphoto.weights.official import load_official
from oldphoto.weights.store import load_weights

Precision = Literal["auto", "fp32", "bf16"]
Device = str | torch.device | None
OFFICIAL_VARIANTS = ("quality", "scratch", "hr")
OFFICIAL_HR_DILATION = 3

BF16_TOLERANCE = 2 / 255  # mean difference in [-1, 1]: one 8-bit level


class TilingWarning(UserWarning):
    """The photo was restored in tiles, and that changes the result."""


class Restorer:
    """Restore photos with a trained network.

    Args:
        network: trained network; it is moved to the device and set to evaluation.
        mask_dilation: how many times a photo's scratch mask is widened by one pixel all around
            before use (the authors' "hr" variant: 3).
        device: "cuda", "mps" or "cpu"; None chooses.
        precision: "fp32"; "bf16"; or "auto": bfloat16 where the hardware is fast at it and a
            probe photo comes out within one 8-bit level of float32, on average.
        max_memory_gb: most GiB that the process may take on the device; larger photos are cut
            into overlapping tiles. None: what is free.

    Attributes:
        device: torch.device of the network.
        precision: "fp32" or "bf16", as decided.
        memory: predicts the bytes that a photo of a given size takes.
    """

    def __init__(
        self,
        network: RestorationNetwork,
        mask_dilation: int = 0,
        device: Device = None,
        precision: Precision = "auto",
        max_memory_gb: float | None = None,
    ) -> None:
        require_in(precision, ("auto", "fp32", "bf16"), "precision")
        if mask_dilation < 0:
            raise InputError(f"mask_dilation must not be negative, got {mask_dilation}")
        require_memory_limit(max_memory_gb)
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        self.mask_dilation = mask_dilation
        self.max_memory_gb = max_memory_gb
        self.memory = WorkingMemory.measure(self.network)
        self.precision = self._decide(precision)

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path = "small",
        variant: str | None = None,
        device: Device = None,
        precision: Precision = "auto",
        max_memory_gb: float | None = None,
    ) -> "Restorer":
        """Load shipped weights by name, or those that training wrote into a folder."""
        network = load_weights(name_or_folder, variant)
        return cls(network, 0, device, precision, max_memory_gb)

    @classmethod
    def from_official(
        cls,
        folder: str | Path,
        variant: str = "quality",
        device: Device = None,
        precision: Precision = "auto",
        max_memory_gb: float | None = None,
    ) -> "Restorer":
        """Load the authors' checkpoints.

        Args:
            folder: the one that holds restoration/ and detection/, or its parent.
            variant: "quality" (no scratches), "scratch", or "hr" (scratches, high resolution).
        """
        require_in(variant, OFFICIAL_VARIANTS, "variant")
        dilation = OFFICIAL_HR_DILATION if variant == "hr" else 0
        network = load_official(Path(folder), variant)
        return cls(network, dilation, device, precision, max_memory_gb)

    def __call__(
        self,
        photo: str | Path | Image.Image | np.ndarray,
        scratch_mask: str | Path | Image.Image | np.ndarray | None = None,
    ) -> Image.Image:
        """Restore one photo. Damaged pixels are painted white before the network sees them.

        Args:
            photo: path, PIL image of any mode (turned upright by its EXIF data), or uint8 array
                (H, W, 3); at least 16 pixels a side.
            scratch_mask: white (true) where damaged, of the upright photo's size: path, PIL image
                or array (H, W), bool or uint8 with 0 and 255. None: nothing is damaged.

        Returns:
            RGB image of the same size, with the colour profile of the photo in its ``info``. Its
            brightness is the network's; it is never stretched.

        Raises:
            InputError: if photo or mask cannot be used, or the memory does not suffice.

        Warns:
            TilingWarning: if the photo was cut into tiles and that changes the result.
        """
        loaded = load_photo(photo)
        size = loaded.pixels.shape[:2]
        damaged = None if scratch_mask is None else load_mask(scratch_mask, size)
        if damaged is not None and not damaged.any():
            damaged = None  # the same result, with less memory
        # Before the photo is copied into tensors: they count towards the memory, too.
        tiling = self._plan((1, *size), damaged is not None)
        degraded, mask = to_tensor(loaded.pixels), None
        if damaged is not None:
            mask = dilate(mask_to_tensor(damaged), self.mask_dilation)
            degraded = degraded.masked_fill(mask > 0, 1.0)
        restored = Image.fromarray(to_pixels(self._restore(degraded, mask, tiling)))
        if loaded.icc_profile:
            restored.info["icc_profile"] = loaded.icc_profile
        return restored

    def restore_tensor(self, degraded: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Restore a batch as it is: no painting, no dilation; sides are padded and cropped.

        Args:
            degraded: (B, 3, H, W) in [-1, 1], damaged pixels already white.
            scratch_mask: (B, 1, H, W), 1 = damaged, 0 = sound; or None.

        Returns:
            (B, 3, H, W) in [-1, 1], float32, on the device of ``degraded``.
        """
        require_features(degraded, channels=3, min_size=MIN_SIDE)
        if scratch_mask is not None:
            require_mask(scratch_mask, degraded)
            if not ((scratch_mask == 0) | (scratch_mask == 1)).all():
                raise InputError("expected a scratch mask of 0 and 1 only, got values in between")
        batch, _, height, width = degraded.shape
        tiling = self._plan((batch, height, width), scratch_mask is not None)
        return self._restore(degraded, scratch_mask, tiling)

    @torch.no_grad()
    def _restore(self, degraded: Tensor, mask: Tensor | None, tiling: Tiling | None) -> Tensor:
        photo = pad_to_multiple(degraded.to(self.device).float(), self.network.size_multiple)
        if mask is not None:
            mask = pad_to_multiple(mask.to(self.device).float(), self.network.size_multiple)
        if tiling is None:
            restored = self._infer(photo, mask)
        else:
            restored = restore_in_tiles(self._infer, photo, mask, tiling)
        return crop_to_size(restored, degraded.shape[-2:]).to(degraded.device)

    def _infer(self, photo: Tensor, mask: Tensor | None) -> Tensor:
        bf16 = self.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            return self.network(photo, mask).float()

    def _decide(self, precision: Precision) -> Literal["fp32", "bf16"]:
        """Settle "auto" by the hardware and by one probe photo with a scratch."""
        if precision != "auto":
            return precision
        if not is_fast_at_bf16(self.device):
            return "fp32"
        photo, mask = (x.to(self.device) for x in _probe_photo())
        results = []
        for self.precision in ("fp32", "bf16"):
            with torch.no_grad():
                results.append(self._infer(photo, mask))
        difference = (results[0] - results[1]).abs().mean()
        # A comparison with NaN is false: a network that overflows stays in float32.
        return "bf16" if difference <= BF16_TOLERANCE else "fp32"

    def _plan(self, size: tuple[int, int, int], with_mask: bool) -> Tiling | None:
        """Return how to cut (B, H, W), None where it fits in one piece; warn if that matters."""
        multiple = self.network.size_multiple
        batch, height, width = (size[0], *(length + -length % multiple for length in size[1:]))
        budget = budget_bytes(self.device, self.max_memory_gb)
        shape = (batch, 3, height, width)
        tiling = plan_tiling(self.network, self.memory, shape, with_mask, budget)
        note = tiling and tiling_note(self.network, (height, width), tiling, with_mask)
        if note:
            warnings.warn(note, TilingWarning, stacklevel=3)
        return tiling


def load_mask(source: str | Path | Image.Image | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Take a scratch mask in any form that ``Restorer`` accepts; bool (H, W), true = damaged.

    Raises:
        InputError: if it has another size than the photo, or grey values.
    """
    if isinstance(source, (str, Path)):
        return read_mask(source, size)
    if isinstance(source, Image.Image):
        source = np.asarray(source.convert("L"))
    if not isinstance(source, np.ndarray) or source.dtype not in (np.bool_, np.uint8):
        what = source.dtype if isinstance(source, np.ndarray) else type(source).__name__
        raise InputError(f"expected a scratch mask as path, PIL image or bool array, got {what}")
    if source.shape != tuple(size):
        raise InputError(
            f"expected a scratch mask of the photo's height and width {tuple(size)}, "
            f"got {source.shape}"
        )
    return source if source.dtype == np.bool_ else mask_from_grey(source)


def dilate(mask: Tensor, times: int) -> Tensor:
    """Widen the damaged area by one pixel all around, ``times`` times (a 3x3 kernel).

    Args:
        mask: (B, 1, H, W) of 0 and 1.
    """
    return F.max_pool2d(mask, 2 * times + 1, stride=1, padding=times)


def _probe_photo() -> tuple[Tensor, Tensor]:
    """A small photo for comparing precisions: tones, edges, texture, and one scratch."""
    axis = torch.linspace(-1, 1, 64)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    edges = (rows * columns > 0.1).float() * 0.4
    texture = 0.2 * (23 * rows).sin() * (31 * columns).cos()
    photo = torch.stack([0.5 * rows, 0.5 * columns, 0.3 * rows - 0.2]) + edges + texture
    mask = ((rows - columns).abs() < 0.05).float()[None, None]
    return photo[None].clamp(-1, 1).masked_fill(mask > 0, 1.0), mask
