"""Restore a photo of any kind and size; the result has the same size."""

import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from oldphoto.checks import (
    InputError,
    require_features,
    require_in,
    require_mask,
    require_photo,
    require_photo_mask,
    require_range,
)
from oldphoto.images.files import (
    MIN_SIDE,
    PhotoSource,
    load_photo,
    mask_from_grey,
    read_mask,
    require_min_side,
)
from oldphoto.images.tensors import from_levels, mask_to_tensor, to_levels, to_tensor
from oldphoto.inference.enlarged import halved, is_enlarged, with_change
from oldphoto.inference.fidelity import (
    TONE_REACH,
    blended,
    find_toning,
    in_levels,
    keep_tone,
    luminance,
)
from oldphoto.inference.memory_plan import (
    FIXED_BYTES,
    PHOTO_BYTES,
    TILE_BYTES,
    WorkingMemory,
    plan_tiling,
    tiling_note,
)
from oldphoto.inference.padding import crop_to_size, pad_to_multiple
from oldphoto.inference.screens import SCREEN_STEP, find_screen, hold_screen_back
from oldphoto.inference.texture import DETAIL_REACH, keep_detail, measure_loss
from oldphoto.inference.tiling import Tiling, weighted_places
from oldphoto.networks.partial_nonlocal import Lenders, lattice_step, lend
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.tone import ToneMapping
from oldphoto.system.devices import choose_device, is_fast_at_bf16
from oldphoto.system.memory import budget_bytes, require_memory_limit
from oldphoto.weights.source import OfficialWeights, WeightsSource

Precision = Literal["auto", "fp32", "bf16"]
Tone = Literal["keep", "restore", "network"]
Attention = Literal["fast", "exact"]
Device = str | torch.device | None

_STRIP_PIXELS = 2**21  # of a photo at a time, in which the tone is looked at
BF16_TOLERANCE = 2 / 255  # mean difference in [-1, 1]: one 8-bit level


class TilingWarning(UserWarning):
    """The photo was restored in tiles, and that changes the result."""


class Restorer:
    """Restore photos with a trained network.

    There are three ways to call it: with a photo in any form, ``restorer(photo)``; with arrays,
    ``restore_pixels``; and with tensors, ``restore_tensor``. Creating a restorer does not run the
    network: ``memory`` and ``precision`` are measured when they are first needed.

    Args:
        network: trained network; it is moved to the device and set to evaluation.
        mask_dilation: how many times a photo's scratch mask is widened by one pixel all around
            before use (the authors' "hr" variant: 3).
        device: "cuda", "mps" or "cpu"; None chooses.
        precision: "fp32"; "bf16"; or "auto": bfloat16 where the hardware is fast at it and a
            test photo comes out within one 8-bit level of float32, on average.
        max_memory_gb: most GiB that the process may take on the device; larger photos are cut
            into overlapping tiles. None: what is free.
        tone: "keep" leaves the tone of each area within 3 grey levels of the original's, a
            black-and-white photo, brown or not, without any new colour, the dots of a printed
            picture no stronger than they were, and a sharp photo with its fine texture. "restore"
            goes on from there: brown becomes grey, and ``tone_mapping`` brings back what has
            faded. "network" takes what the network gives, as ``restore_tensor`` always does.
        strength: 1 is the restored photo, 0 the original; between them both are mixed.
        tone_mapping: the network that ``tone="restore"`` needs.
        attention: "fast": in a photo of more than 65,536 latent positions (a megapixel), damaged
            positions borrow from a lattice over the sound ones of the whole photo, see ``lend``.
            "exact": always from all of them, as in the paper; time grows with the square of the
            photo, and a photo in tiles borrows within each tile.

    Attributes:
        device: torch.device of the network.
        precision: "fp32" or "bf16"; "auto" is decided on first access.
        max_seconds: longest time for one photo; infinite unless it is set. It is looked at between
            two tiles, so the tile that is being worked on is finished first.
        memory: predicts the bytes that restoring a photo of a given size takes.

    Example:
        >>> import oldphoto
        >>> restorer = oldphoto.Restorer.from_pretrained("small", device="cpu")
        >>> restorer(np.zeros((40, 60, 3), np.uint8)).size
        (60, 40)
    """

    def __init__(
        self,
        network: RestorationNetwork,
        mask_dilation: int = 0,
        device: Device = None,
        precision: Precision = "auto",
        max_memory_gb: float | None = None,
        tone: Tone = "keep",
        strength: float = 1.0,
        tone_mapping: ToneMapping | None = None,
        attention: Attention = "fast",
    ) -> None:
        require_in(attention, get_args(Attention), "attention")
        require_in(precision, ("auto", "fp32", "bf16"), "precision")
        require_in(tone, get_args(Tone), "tone")
        require_range(strength, (0.0, 1.0), "strength")
        if mask_dilation < 0:
            raise InputError(f"mask_dilation must not be negative, got {mask_dilation}")
        require_memory_limit(max_memory_gb)
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        if self.device.type == "cpu":
            # The convolutions take this order of the numbers as it is; from the other one they make
            # a copy of their input and of their output. It is a quarter of the memory.
            convert_conv2d_weight_memory_format(self.network, torch.channels_last)
        self.mask_dilation = mask_dilation
        self.max_memory_gb = max_memory_gb
        self.max_seconds = float("inf")
        self.tone: Tone = tone
        self.strength = strength
        self.tone_mapping = tone_mapping.to(self.device) if tone_mapping else None
        self.attention: Attention = attention
        self._requested_precision: Precision = precision

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path = "small",
        variant: str | None = None,
        device: Device = None,
        precision: Precision = "auto",
        max_memory_gb: float | None = None,
        tone: Tone = "keep",
        strength: float = 1.0,
        attention: Attention = "fast",
    ) -> "Restorer":
        """Load shipped weights by name, or those that training wrote into a folder."""
        source = WeightsSource.parse(name_or_folder)
        return cls.from_source(
            source, variant, device, precision, max_memory_gb, tone, strength, attention
        )

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
        source = OfficialWeights(Path(folder))
        return cls.from_source(source, variant, device, precision, max_memory_gb)

    @classmethod
    def from_source(
        cls,
        source: WeightsSource,
        variant: str | None = None,
        device: Device = None,
        precision: Precision = "auto",
        max_memory_gb: float | None = None,
        tone: Tone | None = None,
        strength: float = 1.0,
        attention: Attention | None = None,
    ) -> "Restorer":
        """Load a variant from any source of weights.

        Args:
            variant, tone, attention: None takes the source's default. With the authors' networks
                this is the tone "network" and the attention "exact", so that their results are the
                authors'.
        """
        tone = tone or ("network" if source.is_official else "keep")
        attention = attention or ("exact" if source.is_official else "fast")
        return cls(
            source.network(variant),
            source.mask_dilation(variant),
            device,
            precision,
            max_memory_gb,
            tone,
            strength,
            source.tone() if tone == "restore" else None,
            attention,
        )

    @cached_property
    def memory(self) -> WorkingMemory:
        """Memory prediction, measured once by one small run of the network."""
        return WorkingMemory.measure(self.network)

    @cached_property
    def precision(self) -> Literal["fp32", "bf16"]:
        """Precision in use; "auto" compares both once, on one test photo with a scratch."""
        if self._requested_precision != "auto":
            return self._requested_precision
        if not is_fast_at_bf16(self.device):
            return "fp32"
        photo, mask = (x.to(self.device) for x in _test_photo())
        with torch.no_grad():
            exact = self._infer(photo, mask, bf16=False)
            fast = self._infer(photo, mask, bf16=True)
        # A comparison with NaN is false: a network that overflows stays in float32.
        return "bf16" if (exact - fast).abs().mean() <= BF16_TOLERANCE else "fp32"

    def __call__(
        self,
        photo: PhotoSource,
        scratch_mask: PhotoSource | None = None,
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
            InputError: if photo or mask cannot be used, or the photo does not fit into memory.

        Warns:
            TilingWarning: if the photo was cut into tiles and that changes the result.
        """
        loaded = load_photo(photo)
        height, width = loaded.pixels.shape[:2]
        mask = None if scratch_mask is None else load_mask(scratch_mask, (height, width))
        restored = Image.fromarray(self._restore_pixels(loaded.pixels, mask))
        if loaded.icc_profile:
            restored.info["icc_profile"] = loaded.icc_profile
        return restored

    def restore_pixels(
        self, pixels: np.ndarray, scratch_mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Restore one photo given as an array, for programs that read and write files themselves.

        Args:
            pixels: uint8 or uint16 (H, W, 3), upright RGB, at least 16 pixels a side. With uint16,
                precision "auto" means "fp32", because bfloat16 has 8 bits.
            scratch_mask: bool (H, W), true where damaged; None: nothing is damaged.

        Returns:
            (H, W, 3), of the same type.

        Raises:
            InputError: if an array has another type or shape, or the photo does not fit into
                memory.

        Warns:
            TilingWarning: as ``__call__``.

        Example:
            >>> restorer = Restorer.from_pretrained("small", device="cpu")
            >>> restored = restorer.restore_pixels(np.zeros((40, 60, 3), np.uint8))
            >>> restored.shape, restored.dtype
            ((40, 60, 3), dtype('uint8'))
        """
        require_photo(pixels, allow_deep=True)
        require_min_side(pixels, "the photo")
        if scratch_mask is not None:
            require_photo_mask(scratch_mask, pixels)
        return self._restore_pixels(pixels, scratch_mask)

    def _restore_pixels(self, pixels: np.ndarray, damaged: np.ndarray | None) -> np.ndarray:
        if damaged is not None and not damaged.any():
            damaged = None  # the same result, with less memory
        if self.tone != "network" and is_enlarged(pixels, damaged):
            half, hole = halved(pixels, damaged)
            return with_change(pixels, half, self._restore_pixels(half, hole), hole)
        height, width = pixels.shape[:2]
        tiling = self._plan((1, height, width), damaged is not None, stacklevel=4)
        toning = None if self.tone == "network" else find_toning(pixels)
        if damaged is not None and self.mask_dilation:
            damaged = dilate(mask_to_tensor(damaged), self.mask_dilation)[0, 0].numpy() > 0
        restored = self._restored_levels(pixels, damaged, toning is not None, tiling)
        loss = None
        if self.tone != "network" and not _hold_screen_back(pixels, restored):
            loss = measure_loss(pixels, restored, damaged)  # dots of a print are no texture
        reach = TONE_REACH + DETAIL_REACH

        def toned(rows: slice) -> np.ndarray:
            """Return some rows of the restored photo in the tone of the original."""
            if self.tone == "network":
                return restored[rows]
            near = slice(max(0, rows.start - reach), min(height, rows.stop + reach))
            levels, hole = restored[near], None if damaged is None else damaged[near]
            levels = keep_detail(pixels[near], levels, hole, loss)
            if toning is None:
                levels = levels.copy()
            else:
                levels = toning.print(luminance(levels), near.start, height)
            levels = keep_tone(in_levels(pixels[near]), levels, hole)
            return levels[rows.start - near.start :][: rows.stop - rows.start]

        def finish(rows: slice) -> None:
            levels = toned(rows) if new is None else new[rows]
            levels = blended(in_levels(pixels[rows]), levels, self.strength)
            result[rows] = from_levels(levels, deep=pixels.dtype == np.uint16)

        step = max(reach, _STRIP_PIXELS // width)
        strips = [slice(top, min(top + step, height)) for top in range(0, height, step)]
        new: np.ndarray | None = None
        result = np.empty_like(pixels)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            if self.tone == "restore":
                kept = np.concatenate(list(pool.map(toned, strips)))
                new = self._with_new_tone(kept, is_black_and_white=toning is not None)
            list(pool.map(finish, strips))
        return result

    def _restored_levels(
        self, pixels: np.ndarray, damaged: np.ndarray | None, as_grey: bool, tiling: Tiling | None
    ) -> np.ndarray:
        """Return what the network makes of a photo, float32 (H, W, 3), 0 to 255."""
        multiple = self.network.size_multiple
        height, width = pixels.shape[:2]
        restored = np.zeros(pixels.shape, np.float32)

        def cut(rows: slice, columns: slice) -> tuple[Tensor, Tensor | None]:
            seen, mask = pixels[rows, columns], None
            if as_grey:  # so that coloured noise is no longer there
                seen = cv2.cvtColor(luminance(seen), cv2.COLOR_GRAY2RGB)
            photo = to_tensor(seen)
            if damaged is not None:
                mask = mask_to_tensor(damaged[rows, columns])
                photo.masked_fill_(mask > 0, 1.0)
                mask = pad_to_multiple(mask, multiple)
            return pad_to_multiple(photo, multiple), mask

        exactly = pixels.dtype == np.uint16
        tiles = self._tiles(cut, (height, width), tiling, damaged is not None, exactly)
        for rows, columns, weight, tile in tiles:
            part = restored[rows, columns]
            levels = to_levels(crop_to_size(tile, part.shape[:2]))
            part += levels if tiling is None else levels * weight.numpy()[..., None]
        return restored

    @torch.no_grad()
    def _with_new_tone(self, levels: np.ndarray, is_black_and_white: bool) -> np.ndarray:
        """Bring the tone of a restored photo back, float32 (H, W, 3) in [0, 255]."""
        if self.tone_mapping is None:
            raise InputError(
                "this restorer has no network for the tone: load it with tone='restore', as in "
                "Restorer.from_pretrained('small', tone='restore')"
            )
        if is_black_and_white:
            levels = cv2.cvtColor(luminance(levels), cv2.COLOR_GRAY2RGB)
        photo = torch.from_numpy(levels).permute(2, 0, 1)[None].to(self.device)  # (1, 3, H, W)
        toned = to_levels(self.tone_mapping(photo / 127.5 - 1))
        if is_black_and_white:  # no cast is left of a network that was nearly sure
            toned = cv2.cvtColor(luminance(toned), cv2.COLOR_GRAY2RGB)
        return toned

    def restore_tensor(self, degraded: Tensor, scratch_mask: Tensor | None = None) -> Tensor:
        """Restore a batch of tensors as it is; holes are not painted, masks not widened.

        Sides that are no multiple of what the network needs are padded, and cropped afterwards.

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
        tiling = self._plan((batch, height, width), scratch_mask is not None, stacklevel=3)
        return self._restore(degraded, scratch_mask, tiling)

    def _restore(self, degraded: Tensor, mask: Tensor | None, tiling: Tiling | None) -> Tensor:
        multiple = self.network.size_multiple
        height, width = degraded.shape[-2:]
        restored = torch.zeros_like(degraded, dtype=torch.float32)

        def cut(rows: slice, columns: slice) -> tuple[Tensor, Tensor | None]:
            photo = pad_to_multiple(degraded[..., rows, columns].float(), multiple)
            if mask is None:
                return photo, None
            return photo, pad_to_multiple(mask[..., rows, columns].float(), multiple)

        for rows, columns, weight, tile in self._tiles(
            cut, (height, width), tiling, mask is not None
        ):
            part = restored[..., rows, columns]
            tile = crop_to_size(tile, (part.shape[-2], part.shape[-1])).to(part.device)
            part += tile if tiling is None else tile * weight.to(part.device)
        return restored

    def _tiles(
        self,
        cut: Callable[[slice, slice], tuple[Tensor, Tensor | None]],
        size: tuple[int, int],
        tiling: Tiling | None,
        with_mask: bool,
        exactly: bool = False,
    ) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
        """Restore tile after tile; yield rows, columns, weight (h, w) and the restored tile.

        Args:
            cut: returns photo and mask of a place, padded to what the network needs.
            size: height and width of the photo.
            tiling: None: one tile is the whole photo.
            exactly: precision "auto" means float32.

        Raises:
            InputError: if the network gives values that are not finite.
        """
        deadline = time.monotonic() + self.max_seconds
        precision = self.precision
        if exactly and self._requested_precision == "auto":
            precision = "fp32"
        bf16 = precision == "bf16"
        places = list(weighted_places(size, tiling or Tiling(size, margin=0, ramp=1)))
        lenders = None
        if with_mask and self.attention == "fast":
            lenders = self._lenders(cut, size, places, bf16, deadline)
        for rows, columns, weight in places:
            photo, mask = cut(rows, columns)
            tile = self._infer(photo, mask, bf16, deadline, lenders)
            if not tile.isfinite().all():  # rounded to whole levels, it would be black
                raise InputError(
                    "the network gives no finite numbers for it: try --precision fp32, or other "
                    "weights"
                )
            yield rows, columns, weight, tile

    @torch.no_grad()
    def _lenders(
        self,
        cut: Callable[[slice, slice], tuple[Tensor, Tensor | None]],
        size: tuple[int, int],
        places: list[tuple[slice, slice, Tensor]],
        bf16: bool,
        deadline: float,
    ) -> Lenders | None:
        """Return what damaged positions borrow from; None: from the photo itself, all of it."""
        multiple = self.network.size_multiple
        step = lattice_step(size[0] // multiple, size[1] // multiple)
        if step == 1 and len(places) == 1:
            return None
        parts = []
        for rows, columns, weight in places:
            self._require_time(deadline)
            photo, mask = (part.to(self.device) for part in cut(rows, columns) if part is not None)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
                part = self.network.lenders(photo, mask, step, (rows.start, columns.start))
            if part is None:
                return None
            # A position in two tiles lends in both, each time with the weight of the tile.
            weights = pad_to_multiple(weight[None, None].to(self.device), multiple)
            weights = weights[..., ::multiple, ::multiple]
            start = (rows.start // multiple, columns.start // multiple)
            lent = lend(weights, weights, step, start).validity
            parts.append(Lenders(part.features, part.validity * lent))
        features, validity = zip(*((part.features, part.validity) for part in parts), strict=True)
        return Lenders(torch.cat(features, dim=2), torch.cat(validity, dim=2))

    @torch.no_grad()
    def _infer(
        self,
        photo: Tensor,
        mask: Tensor | None,
        bf16: bool,
        deadline: float = float("inf"),
        lenders: Lenders | None = None,
    ) -> Tensor:
        self._require_time(deadline)
        photo = photo.to(self.device)
        mask = None if mask is None else mask.to(self.device)
        given = () if lenders is None else (lenders,)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            return self.network(photo, mask, *given).float()

    def _require_time(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise InputError(
                f"restoring took longer than {self.max_seconds:g} seconds: allow more with "
                "--max-seconds, or reduce the photo"
            )

    def _plan(self, size: tuple[int, int, int], with_mask: bool, stacklevel: int) -> Tiling | None:
        """Return how to cut (B, H, W), None if it fits in one piece; warn if tiles change it."""
        multiple = self.network.size_multiple
        batch, height, width = (size[0], *(length + -length % multiple for length in size[1:]))
        memory = self.memory  # before the budget: a first measurement takes memory itself
        budget = budget_bytes(self.device, self.max_memory_gb)
        shape = (batch, 3, height, width)
        borrows_in_tile = with_mask and self.attention == "exact"
        if self.device.type == "cpu" and self.network.reach is not None and not borrows_in_tile:
            budget = min(budget, FIXED_BYTES + batch * PHOTO_BYTES * height * width + TILE_BYTES)
        tiling = plan_tiling(self.network, memory, shape, with_mask, budget)
        note = tiling and tiling_note(self.network, (height, width), tiling, borrows_in_tile)
        if note:
            warnings.warn(note, TilingWarning, stacklevel=stacklevel)
        return tiling


def load_mask(source: PhotoSource, size: tuple[int, int]) -> np.ndarray:
    """Return a scratch mask, given in any form that ``Restorer`` accepts, as bool (H, W).

    Args:
        source: white (true) where damaged; path, PIL image or array (H, W), bool or uint8.
        size: height and width of the photo.

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

    Example:
        >>> mask = torch.zeros(1, 1, 5, 5)
        >>> mask[..., 2, 2] = 1
        >>> int(dilate(mask, 1).sum())
        9
    """
    return F.max_pool2d(mask, 2 * times + 1, stride=1, padding=times)


def _hold_screen_back(pixels: np.ndarray, restored: np.ndarray) -> bool:
    """Change the restored photo, float32 (H, W, 3), so that it shows no dots more than before.

    Returns:
        Whether the photo is printed in dots.
    """
    screen = find_screen(luminance(pixels))
    if screen is None:
        return False
    moire = find_screen(luminance(restored))  # new dots, between those of the photo
    screen = screen if moire is None else screen | moire
    height, width = pixels.shape[:2]
    step = max(1, _STRIP_PIXELS // width // SCREEN_STEP) * SCREEN_STEP
    changed = []
    for top in range(0, height, step):
        near = slice(max(0, top - 2 * SCREEN_STEP), top + step + 2 * SCREEN_STEP)
        original = in_levels(luminance(pixels[near])).astype(np.float32)
        grey = luminance(restored[near])
        change = hold_screen_back(original, grey, screen) - grey
        changed.append(change[top - near.start :][:step])
    restored += np.concatenate(changed)[..., None]
    return True


def _test_photo() -> tuple[Tensor, Tensor]:
    """Return a small photo with tones, edges, texture and one scratch, and the scratch's mask."""
    axis = torch.linspace(-1, 1, 64)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    edges = (rows * columns > 0.1).float() * 0.4
    texture = 0.2 * (23 * rows).sin() * (31 * columns).cos()
    photo = torch.stack([0.5 * rows, 0.5 * columns, 0.3 * rows - 0.2]) + edges + texture
    mask = ((rows - columns).abs() < 0.05).float()[None, None]
    return photo[None].clamp(-1, 1).masked_fill(mask > 0, 1.0), mask
