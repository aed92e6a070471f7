"""Photos with hand-drawn scratch masks, to fine-tune the scratch detector."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from oldphoto.checks import InputError, require_folder
from oldphoto.data.datasets import PositionDataset, random_square, to_grey
from oldphoto.data.reading import pad_to
from oldphoto.data.stream import PhotoStream
from oldphoto.images.files import list_photos, load_rgb, read_mask
from oldphoto.images.tensors import mask_to_tensor, to_tensor

_CUT = 2


def labelled_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return pairs of photo and mask files: ``photos/NAME.jpg`` with ``masks/NAME.png``.

    Raises:
        InputError: if a folder or the mask of a photo is missing.
    """
    require_folder(folder, "a folder with photos/ and masks/")
    photos, masks = list_photos(folder / "photos"), list_photos(folder / "masks")
    mask_of = {path.stem: path for path in masks}
    for path in photos:
        if path.stem not in mask_of:
            raise InputError(
                f"expected a mask {folder / 'masks' / path.stem}.png for {path}, none is there"
            )
    return [(path, mask_of[path.stem]) for path in photos]


class LabelledPhotos(PositionDataset):
    """Grey photos with hand-drawn masks; samples as those of ``DetectorPairs``.

    Photos keep their size, because a scratch is one pixel wide. An unreadable pair ends the
    training. Each mask took minutes to draw, so it should be repaired and not left out.

    Args:
        pairs: photo and mask files.
        crop: side of the random squares.
        seed: of the training.
    """

    def __init__(self, pairs: Sequence[tuple[Path, Path]], crop: int, seed: int) -> None:
        super().__init__(PhotoStream([photo for photo, _ in pairs], crop, seed), grey_prob=1.0)
        self.pairs = [(str(photo), str(mask)) for photo, mask in pairs]

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        crop, key = self.streams[0].crop, self.streams[0].key(position)
        photo, mask = self.pairs[key[-1]]
        pixels = load_rgb(photo)
        damaged = read_mask(mask, pixels.shape[:2])
        joined = np.dstack([to_grey(pixels)[..., :1], damaged.astype(np.uint8)])
        square = random_square(pad_to(joined, crop), crop, np.random.default_rng((*key, _CUT)))
        flip, _ = self._look(key)
        square = np.ascontiguousarray(square[:, ::-1] if flip else square)
        return {
            "grey": to_tensor(np.repeat(square[..., :1], 3, axis=2))[0, :1],
            "scratch_mask": mask_to_tensor(square[..., 1] > 0)[0],
        }
