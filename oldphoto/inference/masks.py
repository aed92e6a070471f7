"""Choose the scratch masks of a batch: from a detector, a file, a folder, or none at all."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from oldphoto.checks import InputError
from oldphoto.images.files import list_photos, read_mask, write_photo
from oldphoto.inference.detector import ScratchDetector
from oldphoto.inference.restorer import Restorer
from oldphoto.networks.mapping import PlainMapping
from oldphoto.system.files import explained_disk_errors
from oldphoto.system.outputs import folded
from oldphoto.weights.source import WeightsSource

MaskSource = Callable[[Path, np.ndarray], np.ndarray | None]
"""Takes a photo's file and pixels; returns bool (H, W), true = damaged, or None: no damage."""


class MaskError(InputError):
    """The mask of a photo cannot be used; the photo itself is fine."""


def choose_masks(
    choice: str | None, restorer: Restorer, source: WeightsSource, photos: list[Path]
) -> tuple[MaskSource, str]:
    """Return the source of masks for an option ``--mask``, and a short description of it.

    Args:
        choice: "auto", "none", a mask file (for one photo) or a folder of masks. None means
            "none", because a false alarm replaces sound pixels. With the authors' networks for
            scratches, which were made for their detector, it means "auto" if the detector is
            there.
        restorer: that will use the masks.
        source: of the restorer's weights; "auto" takes the detector from it.
        photos: all photos of the batch.

    Raises:
        InputError: if the masks cannot belong to these photos, or the network has no use for any.
    """
    fills_holes = not isinstance(restorer.network.mapping, PlainMapping)
    if choice is None:
        is_pair = source.is_official and fills_holes and source.has_detector
        choice = "auto" if is_pair else "none"
    if choice == "none":
        return _no_mask, "no scratch masks"
    if source.is_official and not fills_holes:
        raise InputError(
            "the authors' variant quality does not fill in scratches, so it takes no masks: "
            "choose --variant scratch or hr, or --mask none"
        )
    if choice == "auto":
        detector = ScratchDetector.from_source(source, restorer.device)
        return lambda _photo, pixels: detector(pixels), "scratches found by a detector"
    path = Path(choice)
    if path.is_dir():
        return _from_folder(path, photos), f"scratch masks from {path}"
    if len(photos) > 1:
        raise InputError(
            f"{path} is one mask for {len(photos)} photos: give a folder with a mask of the same "
            "name for each"
        )
    if not path.is_file():
        raise InputError(f"--mask must be auto, none, a file or a folder; {path} is none of these")
    return lambda _photo, pixels: _read(path, pixels), f"scratch mask {path}"


def keep_masks(masks: MaskSource, folder: Path, photos: list[Path]) -> MaskSource:
    """Return the same masks, and write each of them into a folder, as PNG.

    There they can be corrected in a paint program and passed to ``--mask`` again.

    Raises:
        InputError: if there are no masks, the folder is not empty (perhaps it holds corrected
            ones), or two photos of one name would share a mask.
    """
    if masks is _no_mask:
        raise InputError("there are no masks to save: add --mask auto")
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"expected a new or empty folder for the masks, got {folder}")
    names = Counter(folded(photo.stem) for photo in photos)
    name, times = names.most_common(1)[0]
    if times > 1:
        raise InputError(f"{times} photos are called {name}: their masks would share one file")

    def kept(photo: Path, pixels: np.ndarray) -> np.ndarray | None:
        mask = masks(photo, pixels)
        if mask is not None:
            with explained_disk_errors(folder, "choose another folder for the masks"):
                folder.mkdir(parents=True, exist_ok=True)
            levels = np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 255
            path = folder / f"{photo.stem}.png"
            if os.path.lexists(path):  # put there since the batch began
                raise MaskError(f"{path} is there already and is not replaced: move it away")
            write_photo(path, levels)
        return mask

    return kept


def pair_masks(photos: list[Path], folder: Path) -> dict[Path, Path]:
    """Pair photos with the masks of the same name, without suffix; some photos may have none.

    Raises:
        InputError: if two masks have one name, or none belongs to any photo.
    """
    masks: dict[str, Path] = {}
    for mask in list_photos(folder):
        other = masks.setdefault(mask.stem, mask)
        if other != mask:
            raise InputError(f"{other} and {mask} are masks of one name: remove one of them")
    pairs = {photo: masks[photo.stem] for photo in photos if photo.stem in masks}
    if not pairs:
        raise InputError(
            f"no mask in {folder} has the name of a photo: expected for example "
            f"{photos[0].stem}.png"
        )
    return pairs


def _no_mask(_photo: Path, _pixels: np.ndarray) -> None:
    return None


def _from_folder(folder: Path, photos: list[Path]) -> MaskSource:
    pairs = pair_masks(photos, folder)
    return lambda photo, pixels: _read(pairs[photo], pixels) if photo in pairs else None


def _read(mask: Path, pixels: np.ndarray) -> np.ndarray:
    try:
        return read_mask(mask, pixels.shape[:2])
    except InputError as error:
        raise MaskError(str(error)) from error
