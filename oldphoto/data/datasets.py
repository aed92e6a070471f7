"""The training sets of the three stages and of the detector.

Every dataset is indexed by position: ``dataset[p]`` for any p >= 0, see ``PhotoStream``. All read
lazily, mirror half of the samples and make one in ten grey, as the authors do.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from oldphoto.checks import InputError
from oldphoto.data.reading import PhotoSet
from oldphoto.data.stream import Key, PhotoStream
from oldphoto.degradations import (
    Recipe,
    apply_jpeg,
    degrade_pair,
    paint_white,
    sample_hole_mask,
    sample_jpeg,
)
from oldphoto.degradations.common import Range
from oldphoto.degradations.degrade import find_recipe
from oldphoto.degradations.hole_masks import MAX_RATIO
from oldphoto.degradations.textures import apply_texture_layer, sample_texture_layer
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor

Sample = dict[str, Tensor]

FLIP_PROB = 0.5
GREY_PROB = 0.1
# Keys of the independent random streams of one sample (1 is the scale, in PhotoStream).
_CUT, _LOOK, _DAMAGE, _HOLES, _TEXTURE = 2, 3, 4, 5, 6
TEXTURE_PROB = 0.3
MAX_TEXTURES = 2  # on one photo
TEXTURE_SIDE = 400  # short side in pixels to which larger ones are reduced


class PositionDataset(Dataset):
    """A dataset over one or more photo streams; its length is one epoch of the first.

    Args:
        streams: each gives one photo of every sample.
        grey_prob: fraction of the samples that are turned grey.
    """

    def __init__(self, *streams: PhotoStream, grey_prob: float = GREY_PROB) -> None:
        if not 0 <= grey_prob <= 1:
            raise InputError(f"grey_prob must be within 0 and 1, got {grey_prob}")
        self.streams = streams
        self.grey_prob = grey_prob

    def __len__(self) -> int:
        return len(self.streams[0])

    def __getitem__(self, position: int) -> Any:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        """Yield the samples of the first epoch. Positions themselves never end."""
        return (self[position] for position in range(len(self)))

    def require_batch(self, batch: int) -> None:
        """Raise InputError unless there are photos for one batch and the first can be read."""
        for stream in self.streams:
            if len(stream) < batch:
                raise InputError(
                    f"a batch of {batch} needs at least {batch} photos of each kind, got "
                    f"{len(stream)}; add photos or ask for a batch of at most {len(stream)}"
                )
            stream.photos.read(0)  # fails here, in the main process, if no photo is readable

    def unreadable(self) -> list[Path]:
        """Return the files found unreadable so far, in any worker."""
        return [path for stream in self.streams for path in stream.photos.unreadable()]

    def _look(self, key: Key) -> tuple[bool, bool]:
        """Draw whether a sample is mirrored and whether it is turned grey."""
        draws = np.random.default_rng((*key, _LOOK)).random(2)
        return bool(draws[0] < FLIP_PROB), bool(draws[1] < self.grey_prob)

    def _plain(self, stream: PhotoStream, position: int) -> Tensor:
        """Return a random square of one photo, (3, crop, crop) in [-1, 1]."""
        pixels, key = stream.at(position)
        pixels = random_square(pixels, stream.crop, np.random.default_rng((*key, _CUT)))
        return _photo_tensor(pixels, *self._look(key))


class CleanPhotos(PositionDataset):
    """Clean photos for ``vae-clean``: (3, crop, crop) in [-1, 1].

    >>> from oldphoto.samples import sample_paths
    >>> CleanPhotos(sample_paths("clean"), crop=64, seed=0)[1000].shape
    torch.Size([3, 64, 64])

    Args:
        paths: photo files.
        crop: side of the random squares.
        seed: of the training.
        grey_prob: fraction of grey samples.
        options: ``min_scale``, ``max_short_side`` and ``cache_bytes`` of ``PhotoStream``.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        crop: int,
        seed: int,
        grey_prob: float = GREY_PROB,
        **options: Any,
    ) -> None:
        super().__init__(PhotoStream(paths, crop, seed, **options), grey_prob=grey_prob)

    def __getitem__(self, position: int) -> Tensor:
        return self._plain(self.streams[0], position)


class OldPhotos(CleanPhotos):
    """Real old photos: (3, crop, crop) in [-1, 1]; the arguments of ``CleanPhotos``."""


class DegradedPairs(PositionDataset):
    """Degraded photos with their clean partners, for ``mapping``.

    A sample holds ``degraded`` and ``clean``, (3, crop, crop) in [-1, 1], and ``scratch_mask``,
    (1, crop, crop), 1 = damaged. Damaged pixels of ``degraded`` are white.

    Args:
        paths: clean photo files.
        crop: side of the random squares.
        seed: of the training.
        recipe: of the degradation, a name or a recipe of your own.
        hole_prob: fraction of the samples with an irregular hole mask. The others have only the
            damage of the recipe.
        grey_prob: fraction of grey samples, both partners.
        hole_ratio: limits of the fraction of a sample that its holes cover.
        options: ``min_scale``, ``max_short_side`` and ``cache_bytes`` of ``PhotoStream``.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        crop: int,
        seed: int,
        recipe: str | Recipe = "released",
        hole_prob: float = 0.5,
        grey_prob: float = GREY_PROB,
        hole_ratio: Range = (0.0, MAX_RATIO),
        **options: Any,
    ) -> None:
        super().__init__(PhotoStream(paths, crop, seed, **options), grey_prob=grey_prob)
        if not 0 <= hole_prob <= 1:
            raise InputError(f"hole_prob must be within 0 and 1, got {hole_prob}")
        self.recipe = find_recipe(recipe)
        self.hole_prob = hole_prob
        self.hole_ratio = hole_ratio

    def __getitem__(self, position: int) -> Sample:
        return self._pair(self.streams[0], position, white=True)

    def _pair(self, stream: PhotoStream, position: int, white: bool) -> Sample:
        """Return degraded, clean and mask of one position."""
        pixels, key = stream.at(position)
        degraded, clean, scratch_mask = degrade_pair(
            pixels,
            seed=(*key, _DAMAGE),
            recipe=self.recipe,
            crop=stream.crop,
            hole_prob=self.hole_prob,
            hole_ratio=self.hole_ratio,
        )
        flip, grey = self._look(key)
        # Grey before white: a hole must stay white.
        degraded = to_grey(degraded) if grey else degraded
        if white:
            degraded = paint_white(degraded, scratch_mask)
        mask = scratch_mask[:, ::-1] if flip else scratch_mask
        return {
            "degraded": _photo_tensor(degraded, flip, grey=False),
            "clean": _photo_tensor(clean, flip, grey),
            "scratch_mask": mask_to_tensor(np.ascontiguousarray(mask))[0],
        }


class MixedOld(DegradedPairs):
    """Real old and degraded photos side by side, for ``vae-degraded``.

    A sample holds ``old`` and ``degraded``, (3, crop, crop) in [-1, 1]. The authors choose the kind
    of each photo at random, and a batch of one kind crashes their latent discriminator. Here every
    batch is half old and half degraded.

    Args:
        old_paths: real old photo files. ``alternate(grey_paths, colour_paths)`` gives grey and
            colour equal parts, as the authors do.
        clean_paths: clean photo files, to be degraded. They define the epoch.
        crop: side of the random squares.
        seed: of the training.
        recipe: of the degradation.
        hole_prob: fraction of the photos of either kind with white holes. The authors use none in
            this stage. But a scratched old photo is painted white before it is restored, too.
        grey_prob: fraction of grey samples.
        hole_ratio: limits of the fraction of such a photo that its holes cover.
        options: ``min_scale``, ``max_short_side`` and ``cache_bytes`` of ``PhotoStream``.
    """

    def __init__(
        self,
        old_paths: Sequence[Path],
        clean_paths: Sequence[Path],
        crop: int,
        seed: int,
        recipe: str | Recipe = "released",
        hole_prob: float = 0.0,
        grey_prob: float = GREY_PROB,
        hole_ratio: Range = (0.0, MAX_RATIO),
        **options: Any,
    ) -> None:
        super().__init__(
            clean_paths, crop, seed, recipe, hole_prob, grey_prob, hole_ratio, **options
        )
        self.streams = (*self.streams, PhotoStream(old_paths, crop, seed, stream=1, **options))

    def __getitem__(self, position: int) -> Sample:
        clean, old = self.streams
        degraded = self._pair(clean, position, white=True)["degraded"]
        return {"old": self._with_holes(old, position), "degraded": degraded}

    def _with_holes(self, stream: PhotoStream, position: int) -> Tensor:
        """Return a random square of an old photo, with white holes at the rate ``hole_prob``."""
        photo = self._plain(stream, position)
        rng = np.random.default_rng((*stream.key(position), _HOLES))
        if rng.random() >= self.hole_prob:
            return photo
        hole_mask = sample_hole_mask(rng, (stream.crop, stream.crop), self.hole_ratio)
        return photo.masked_fill(mask_to_tensor(hole_mask)[0] > 0, 1.0)


class AllKinds(MixedOld):
    """Real old photos beside degraded ones with their clean partners and masks.

    A sample holds the entries of ``MixedOld`` and of ``DegradedPairs``. The arguments are those of
    ``MixedOld``.
    """

    def __getitem__(self, position: int) -> Sample:
        clean, old = self.streams
        return {"old": self._with_holes(old, position)} | self._pair(clean, position, white=True)


class DetectorPairs(DegradedPairs):
    """Grey damaged photos with their exact masks, for the scratch detector.

    A sample holds ``grey``, (1, crop, crop) in [-1, 1], and ``scratch_mask``, (1, crop, crop). No
    pixel is painted white, because finding the damage is the task.

    Args:
        paths, crop, seed: as in ``DegradedPairs``.
        recipe: one with structured damage, whose masks are the labels.
        textures: files of pictures of damage, white on black: soft masks of real scratches, say.
            Three in ten samples get one or two of them besides the damage of the recipe.
        options: ``min_scale``, ``max_short_side`` and ``cache_bytes`` of ``PhotoStream``.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        crop: int,
        seed: int,
        recipe: str | Recipe = "paper",
        textures: Sequence[Path] = (),
        **options: Any,
    ) -> None:
        super().__init__(paths, crop, seed, recipe, hole_prob=0.0, grey_prob=1.0, **options)
        # Of any size: a picture of damage is no crop of a photo, and each is small.
        self.textures = PhotoSet(textures, TEXTURE_SIDE) if textures else None

    def __getitem__(self, position: int) -> Sample:
        sample = self._pair(self.streams[0], position, white=False)
        rng = np.random.default_rng((*self.streams[0].key(position), _TEXTURE))
        if self.textures and rng.random() < TEXTURE_PROB:
            return self._textured(sample, rng)
        return {"grey": sample["degraded"][:1].clone(), "scratch_mask": sample["scratch_mask"]}

    def _textured(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Lay textures on a sample, then store it as a JPEG as a scanner does."""
        assert self.textures is not None
        photo = to_pixels(sample["degraded"])
        damaged = sample["scratch_mask"][0].numpy() > 0
        for _ in range(rng.integers(1, MAX_TEXTURES, endpoint=True)):
            texture = self.textures.read(int(rng.integers(len(self.textures))))[..., 0]
            layer = sample_texture_layer(rng)
            photo, mask = apply_texture_layer(photo, np.ascontiguousarray(texture), layer)
            damaged = damaged | mask
        photo = apply_jpeg(photo, sample_jpeg(rng, quality=(60, 100)))
        return {"grey": to_tensor(photo)[0, :1], "scratch_mask": mask_to_tensor(damaged)[0]}

    def unreadable(self) -> list[Path]:
        """Return the files found unreadable so far, textures among them."""
        return super().unreadable() + (self.textures.unreadable() if self.textures else [])


def random_square(pixels: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a square of (H, W, 3) at a random place."""
    top = int(rng.integers(pixels.shape[0] - side, endpoint=True))
    left = int(rng.integers(pixels.shape[1] - side, endpoint=True))
    return pixels[top : top + side, left : left + side]


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Return the luminance of uint8 (H, W, 3) in all three channels."""
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    return np.repeat(grey[..., None], 3, axis=2)


def _photo_tensor(pixels: np.ndarray, flip: bool, grey: bool) -> Tensor:
    """Return (3, H, W) in [-1, 1], optionally mirrored left to right and grey."""
    pixels = to_grey(pixels) if grey else pixels
    return to_tensor(np.ascontiguousarray(pixels[:, ::-1] if flip else pixels))[0]
