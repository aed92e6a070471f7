"""Choose the scratch masks of a batch: from a detector, a file, a folder, or none at all."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oldphoto.checks import InputError
from oldphoto.images.errors import BROKEN
from oldphoto.images.files import read_mask, write_mask
from oldphoto.inference.detector import ScratchDetector
from oldphoto.inference.inputs import SUBFOLDER, left_out_lines, search_photos
from oldphoto.inference.restorer import Restorer
from oldphoto.networks.mapping import PlainMapping
from oldphoto.system.files import explained_disk_errors
from oldphoto.system.outputs import require_writable
from oldphoto.weights.source import WeightsSource

MaskSource = Callable[[Path, np.ndarray], np.ndarray | None]
"""Takes a photo's file and pixels; returns bool (H, W), true = damaged, or None: no damage."""


LARGEST_FRACTION = 0.6
"""Fraction of a photo above which a mask is likely to be wrong: painted the other way round, or
found on a picture of another kind than the detector knows."""
_OTHER_FOLDER = "choose another folder for the masks"


class MaskError(InputError):
    """The mask of a photo cannot be used; the photo itself is fine."""


@dataclass(frozen=True)
class MaskReading:
    """How masks are taken.

    Attributes:
        inverted: in mask files black is damaged and white is sound, as some paint tools write it.
        accept_large: take masks, drawn or found, that cover more than LARGEST_FRACTION of their
            photo.
    """

    inverted: bool = False
    accept_large: bool = False


def choose_masks(
    choice: str | None,
    restorer: Restorer,
    source: WeightsSource,
    photos: list[Path],
    reading: MaskReading = MaskReading(),
    folders: Mapping[Path, Path] | None = None,
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
        reading: how masks are taken.
        folders: of each photo, its folder in the batch; a folder of masks has the same folders.
            None: all photos are in one.

    Raises:
        InputError: if the masks cannot belong to these photos, or the network has no use for any.
    """
    fills_holes = not isinstance(restorer.network.mapping, PlainMapping)
    if choice is None:
        is_pair = source.is_official and fills_holes and source.has_detector
        choice = "auto" if is_pair else "none"
    if choice in ("none", "auto") and reading.inverted:
        raise InputError(f"--inverted is for masks from files, but --mask is {choice}")
    if choice == "none":
        return _no_mask, "no scratch masks"
    require_use_for_masks(restorer, source)
    if choice == "auto":
        detector = ScratchDetector.from_source(source, restorer.device)
        return (
            lambda photo, pixels: _found(detector(pixels), photo, reading),
            "scratches found by a detector",
        )
    path = Path(choice)
    if path.is_dir():
        pairs = pair_masks(photos, path, folders)
        words = f"scratch masks from {path}" + _without_mask(photos, pairs)
        return (
            lambda photo, pixels: (
                read_given(pairs[photo], pixels, reading) if photo in pairs else None
            ),
            words,
        )
    if len(photos) > 1:
        raise InputError(
            f"{path} is one mask for {len(photos)} photos: give a folder with a mask of the same "
            "name for each"
        )
    if not path.is_file():
        raise InputError(f"--mask must be auto, none, a file or a folder; {path} is none of these")
    return lambda _photo, pixels: read_given(path, pixels, reading), f"scratch mask {path}"


def require_use_for_masks(restorer: Restorer, source: WeightsSource) -> None:
    """Raise InputError for the authors' variant "quality", in which masks change nothing."""
    if source.is_official and isinstance(restorer.network.mapping, PlainMapping):
        raise InputError(
            "the authors' variant quality does not fill in scratches, so it takes no masks: "
            "choose --variant scratch or hr, or --mask none"
        )


def keep_masks(
    masks: MaskSource,
    folder: Path,
    photos: list[Path],
    folders: Mapping[Path, Path] | None = None,
) -> MaskSource:
    """Return the same masks, and write each of them into a folder, as PNG.

    There they can be corrected in a paint program and passed to ``--mask`` again. ``folders`` are
    those of ``choose_masks``.

    Raises:
        InputError: if there are no masks, the folder cannot be written or is not empty (perhaps it
            holds corrected ones), or two photos of one name would share a mask.
    """
    if masks is _no_mask:
        raise InputError("there are no masks to save: add --mask auto")
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"expected a new or empty folder for the masks, got {folder}")
    require_writable(folder, _OTHER_FOLDER)
    folders = folders or {}
    names = Counter(_key(folders.get(photo, Path()), photo) for photo in photos)
    (_, name), times = names.most_common(1)[0]
    if times > 1:
        raise InputError(f"{times} photos are called {name}: their masks would share one file")

    def kept(photo: Path, pixels: np.ndarray) -> np.ndarray | None:
        mask = masks(photo, pixels)
        if mask is not None:
            place = folder / folders.get(photo, Path())
            with explained_disk_errors(place, _OTHER_FOLDER):
                place.mkdir(parents=True, exist_ok=True)
            path = place / f"{photo.stem}.png"
            if os.path.lexists(path):  # put there since the batch began
                raise MaskError(f"{path} is there already and is not replaced: move it away")
            write_mask(path, mask)
        return mask

    return kept


def pair_masks(
    photos: list[Path], folder: Path, folders: Mapping[Path, Path] | None = None
) -> dict[Path, Path]:
    """Pair photos with the masks of the same name, without suffix; some photos may have none.

    Names are compared as people read them: "Müller" is one name whether its ü is one letter or two
    (a Mac writes two), and IMG_2 is img_2. ``folders`` are those of ``choose_masks``.

    Raises:
        InputError: if two masks have one name, a mask belongs to no photo, or to several.
    """
    folders = folders or {}
    found = search_photos([folder], recursive=any(place.parts for place in folders.values()))
    lost = [one for one in found.left_out if one.is_photo and one.reason != SUBFOLDER]
    if lost:
        raise InputError(f"masks in {folder} cannot be used: {'; '.join(left_out_lines(lost))}")
    by_key: dict[tuple[str, str], list[Path]] = {}
    for mask in found.photos:
        by_key.setdefault(_key(found.folders[mask], mask), []).append(mask)
    pairs: dict[Path, Path] = {}
    for photo in photos:
        masks = by_key.get(_key(folders.get(photo, Path()), photo), [])
        if masks:
            pairs[photo] = _one_of(masks, photo)
    _require_all_used(found.photos, pairs, photos, folder)
    return pairs


def _key(folder: Path, photo: Path) -> tuple[str, str]:
    """Return what a photo and its mask have in common: folder and name, however written."""
    return _folded(folder.as_posix()), _folded(photo.stem)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _one_of(masks: list[Path], photo: Path) -> Path:
    """Return the mask of a photo among those of its name; written alike counts more."""
    alike = [mask for mask in masks if mask.stem == photo.stem] or masks
    if len(alike) > 1:
        raise InputError(f"{alike[0]} and {alike[1]} are masks of one name: remove one of them")
    return alike[0]


def _require_all_used(
    masks: list[Path], pairs: dict[Path, Path], photos: list[Path], folder: Path
) -> None:
    """Refuse masks that belong to no photo or to several: a photo would lack its mask."""
    if not pairs:
        raise InputError(
            f"no mask in {folder} has the name of a photo: expected for example "
            f"{photos[0].stem}.png, found {_listed(masks)}"
        )
    used = Counter(pairs.values())
    unused = [mask for mask in masks if mask not in used]
    if unused:
        raise InputError(
            f"no photo has the name of these masks in {folder}: {_listed(unused)}; rename them, "
            "or keep only the masks of these photos there"
        )
    mask, times = used.most_common(1)[0]
    if times > 1:
        first, second = [photo for photo in photos if pairs.get(photo) == mask][:2]
        raise InputError(f"{mask} could be the mask of {first} and of {second}: rename one of them")


def _listed(masks: list[Path]) -> str:
    more = f" and {len(masks) - 10} more" if len(masks) > 10 else ""
    return ", ".join(mask.name for mask in masks[:10]) + more


def _without_mask(photos: list[Path], pairs: Mapping[Path, Path]) -> str:
    """Return the words on photos that have no mask; "" if all have one."""
    names = [photo for photo in photos if photo not in pairs]
    return f"; no mask for {len(names)} of {len(photos)} photos: {_listed(names)}" if names else ""


def _no_mask(_photo: Path, _pixels: np.ndarray) -> None:
    return None


def _found(mask: np.ndarray, photo: Path, reading: MaskReading) -> np.ndarray:
    fraction = float(mask.mean())
    if fraction > LARGEST_FRACTION and not reading.accept_large:
        raise MaskError(
            f"{photo}: the detector marks {100 * fraction:.0f} % as damaged: give a painted mask "
            "or --mask none; if it is meant so, add --accept-large-masks"
        )
    return mask


def read_given(path: Path, pixels: np.ndarray, reading: MaskReading) -> np.ndarray:
    """Return the mask that somebody painted for a photo, bool (H, W).

    Raises:
        MaskError: if the file cannot be read as a mask of this photo, or marks too much of it.
    """
    try:
        mask = read_mask(path, pixels.shape[:2])
    except BROKEN as error:  # InputError is a ValueError, so it is among these
        raise MaskError(str(error)) from error
    mask = ~mask if reading.inverted else mask
    fraction = float(mask.mean())
    if fraction > LARGEST_FRACTION and not reading.accept_large:
        other = "leave --inverted out" if reading.inverted else "add --inverted"
        raise MaskError(
            f"{path} marks {100 * fraction:.0f} % of its photo as damaged: if it is painted the "
            f"other way round, {other}; if it is meant so, add --accept-large-masks"
        )
    return mask
