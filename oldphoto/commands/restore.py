"""``python -m oldphoto restore``: restore photos and folders of photos into another folder."""

import argparse
import sys
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from oldphoto.checks import InputError
from oldphoto.images import OTHER_FORMATS, READABLE, WRITERS, list_photos, read_photo
from oldphoto.mask_choice import OFFICIAL_PREFIX, MaskError, MaskSource, choose_masks, keep_masks
from oldphoto.provenance import Provenance, network_sha256, write_recorded
from oldphoto.restorer import OFFICIAL_VARIANTS, Restorer, TilingWarning


@dataclass(frozen=True)
class Job:
    """One photo to restore, and the file that the result goes to."""

    photo: Path
    output: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add photos, ``--output`` and the choices of weights, masks, precision and memory."""
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="made if missing")
    parser.add_argument(
        "--weights",
        default="small",
        metavar="NAME",
        help="small, a folder written by training, or official:FOLDER (default: small)",
    )
    parser.add_argument("--variant", help="quality, scratch or hr; what there is, if left out")
    parser.add_argument(
        "--mask",
        metavar="auto|none|PATH",
        help="auto: the detector finds the scratches; none: there are none; a mask for one photo; "
        "or a folder with a mask of the same name for each (default: none; with the authors' "
        "networks for scratches auto)",
    )
    parser.add_argument(
        "--save-masks",
        type=Path,
        metavar="DIR",
        help="write the masks into an empty folder, to be corrected and given to --mask",
    )
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument(
        "--max-memory", type=float, metavar="GiB", help="of the whole program; tiles where needed"
    )
    parser.add_argument("--device", help="cuda, mps or cpu; the best one there is, if left out")


def run(args: argparse.Namespace) -> int:
    """Restore all photos; return 0, or 1 when one of them could not be restored.

    Raises:
        InputError: if the call itself is wrong: nothing to restore, unknown weights or variant, an
            output folder that cannot be written, masks that fit nothing.
    """
    jobs = plan_jobs(find_photos(args.photos), args.output)
    require_writable(args.output)
    restorer = load_restorer(args)
    masks, where_from = choose_masks(args.mask, restorer, args.weights, [j.photo for j in jobs])
    if args.save_masks:
        if args.save_masks.resolve() == args.output.resolve():
            raise InputError(f"masks and photos would share {args.output}: name another folder")
        masks = keep_masks(masks, args.save_masks, [job.photo for job in jobs])
    _say(f"{where_from}; device {restorer.device}, precision {restorer.precision}")
    record = record_of(restorer, args.weights)
    failed = 0
    said: set[str] = set()
    for job in tqdm(jobs, unit="photo", desc="restoring"):
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", TilingWarning)
                restore_one(job, restorer, masks, record)
            _say_new(caught, job, said)
        except (InputError, MemoryError, RuntimeError) as error:
            if isinstance(error, MaskError) and len(jobs) == 1:
                raise
            _say(_not_restored(job.photo, error))
            failed += 1
    print(f"{len(jobs) - failed} of {len(jobs)} photos restored into {args.output}")
    return 1 if failed else 0


def find_photos(paths: list[Path]) -> list[Path]:
    """Return the named files and the photos of the named folders, each once, in that order.

    Raises:
        InputError: if a path does not exist, or a folder holds no photo.
    """
    found: dict[Path, Path] = {}
    # A photo of a format that cannot be read is to be named, not passed over.
    suffixes = READABLE | OTHER_FORMATS
    for path in paths:
        if not path.exists():
            raise InputError(f"expected a photo or a folder of photos at {path}, nothing is there")
        for photo in list_photos(path, suffixes) if path.is_dir() else [path]:
            found.setdefault(photo.resolve(), photo)
    return list(found.values())


def plan_jobs(photos: list[Path], output: Path) -> list[Job]:
    """Give each photo a file of its own in the output folder: its name, if that is free.

    A format that cannot be written becomes PNG. A second photo of the same name gets "_2"; a name
    that a photo of the batch has by itself goes to that photo, wherever it stands in the list.

    Raises:
        InputError: if a result would overwrite one of the photos.
    """
    sources = {photo.resolve() for photo in photos}
    names = _names_kept(photos)
    taken = {name.casefold() for name in names.values()}
    jobs = []
    for photo in photos:
        if photo not in names:
            names[photo] = _free_name(photo, taken)
            taken.add(names[photo].casefold())
        if (output / names[photo]).resolve() in sources:
            raise InputError(f"{output} would overwrite {photo}: choose another --output folder")
        if Path(names[photo]).stem != photo.stem:
            _say(f"{photo} goes to {names[photo]}: another photo has its name")
        jobs.append(Job(photo, output / names[photo]))
    return jobs


def _names_kept(photos: list[Path]) -> dict[Path, str]:
    """Return the names of the photos that keep theirs: the first of each, if it can be written."""
    first: dict[str, Path] = {}
    for photo in photos:
        if photo.suffix.lower() in WRITERS:
            # Without regard to case: Windows and macOS would see one file.
            first.setdefault(photo.name.casefold(), photo)
    return {photo: photo.name for photo in first.values()}


def _free_name(photo: Path, taken: set[str]) -> str:
    """Return the photo's name as PNG, where it must be, with the first number that is free."""
    suffix = photo.suffix if photo.suffix.lower() in WRITERS else ".png"
    name, number = photo.stem + suffix, 1
    while name.casefold() in taken:
        number += 1
        name = f"{photo.stem}_{number}{suffix}"
    return name


def require_writable(output: Path) -> None:
    """Make the output folder and raise InputError if no file can be made in it."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write into {output} ({error.strerror}): choose another --output folder"
        ) from error


def load_restorer(args: argparse.Namespace) -> Restorer:
    """Load what ``--weights`` and ``--variant`` name."""
    options = dict(device=args.device, precision=args.precision, max_memory_gb=args.max_memory)
    if not args.weights.startswith(OFFICIAL_PREFIX):
        return Restorer.from_pretrained(args.weights, args.variant, **options)
    folder = Path(args.weights.removeprefix(OFFICIAL_PREFIX))
    return Restorer.from_official(folder, args.variant or OFFICIAL_VARIANTS[0], **options)


def record_of(restorer: Restorer, weights: str) -> Provenance:
    """Return the record that every photo of a batch gets, but for its own masked share.

    Args:
        weights: as given to ``--weights``; the folders above them are nobody's business.
    """
    name = "official"
    if not weights.startswith(OFFICIAL_PREFIX):
        folder = Path(weights)
        name = folder.parent.name if folder.name == "weights" else folder.name
    return Provenance(name or weights, network_sha256(restorer.network), masked_share=0.0)


def restore_one(job: Job, restorer: Restorer, masks: MaskSource, record: Provenance) -> None:
    """Read, restore and write one photo; its colour profile and a record go along."""
    photo = read_photo(job.photo)
    if photo.num_pictures > 1:
        _say(f"{job.photo}: only the first of its {photo.num_pictures} pictures is restored")
    mask = masks(job.photo, photo.pixels)
    restored = restorer(photo.pixels, mask)
    share = 0.0 if mask is None else float(mask.mean())
    write_recorded(
        job.output,
        np.asarray(restored),
        replace(record, masked_share=share),
        photo.icc_profile,
        original=job.photo,
    )


def _not_restored(photo: Path, error: Exception) -> str:
    """Return the sentence on a photo that failed; raise what is no fault of the photo again."""
    message = str(error)
    if not isinstance(error, InputError):
        # On a processor and on Apple's device PyTorch has no type of its own for want of memory.
        if not isinstance(error, MemoryError) and "memory" not in message:
            raise error
        message = "the memory did not suffice: set a lower --max-memory, or close other programs"
    # Most sentences begin with the file; the photo must be named in any case.
    named = message.startswith(str(photo))
    return f"not restored: {message}" if named else f"{photo} not restored: {message}"


def _say(message: str) -> None:
    """Print to stderr without tearing the progress bar."""
    tqdm.write(message, file=sys.stderr)


def _say_new(caught: list[warnings.WarningMessage], job: Job, said: set[str]) -> None:
    """Print each warning, but that about tiles only the first time."""
    for warning in caught:
        key = "tiles" if issubclass(warning.category, TilingWarning) else str(warning.message)
        if key not in said:
            said.add(key)
            _say(f"{job.photo}: {warning.message}")
