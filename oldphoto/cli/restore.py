"""``oldphoto restore``: restore photos and folders of photos into another folder."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from tqdm.auto import tqdm

from oldphoto.checks import InputError
from oldphoto.inference.batch import (
    Outcome,
    find_photos,
    plan_jobs,
    record_of,
    require_writable,
    restore_batch,
)
from oldphoto.inference.masks import choose_masks, keep_masks
from oldphoto.inference.restorer import Restorer, TilingWarning
from oldphoto.weights.source import WeightsSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add photos, ``--output`` and the choices of weights, masks, precision and memory."""
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the results"
    )
    parser.add_argument(
        "--weights",
        default="small",
        metavar="NAME",
        help="small, a folder written by training, or official:FOLDER (default: small)",
    )
    parser.add_argument(
        "--variant", help="quality, scratch or hr (default: the first one of the weights)"
    )
    parser.add_argument(
        "--mask",
        metavar="auto|none|PATH",
        help="auto: find scratches with the detector; none: use no masks; a mask file for a single "
        "photo; or a folder of masks with the names of the photos (default: none; with the "
        "authors' networks for scratches: auto)",
    )
    parser.add_argument(
        "--save-masks",
        type=Path,
        metavar="DIR",
        help="save the masks in an empty folder, to correct them and pass them to --mask",
    )
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument(
        "--max-memory",
        type=float,
        metavar="GiB",
        help="memory limit of the whole program; larger photos are cut into tiles",
    )
    parser.add_argument("--device", help="cuda, mps or cpu (default: the best one available)")


def run(args: argparse.Namespace) -> int:
    """Restore all photos; return 0, or 1 if one of them could not be restored.

    Raises:
        InputError: if the call itself is wrong: no photo to restore, unknown weights or variant, an
            output folder that cannot be written, or masks that fit no photo.
    """
    jobs = plan_jobs(find_photos(args.photos), args.output)
    photos = [job.photo for job in jobs]
    require_writable(args.output)
    source = WeightsSource.parse(args.weights)
    restorer = Restorer.from_source(
        source, args.variant, args.device, args.precision, args.max_memory
    )
    masks, mask_words = choose_masks(args.mask, restorer, source, photos)
    if args.save_masks:
        if args.save_masks.resolve() == args.output.resolve():
            raise InputError(f"masks and photos would share {args.output}: name another folder")
        masks = keep_masks(masks, args.save_masks, photos)
    _say(f"{mask_words}; device {restorer.device}, precision {restorer.precision}")
    failed = 0
    said: set[str] = set()
    file_notes: Counter[str] = Counter()
    bar = tqdm(jobs, unit="photo", desc="restoring")
    record = record_of(restorer, source)
    for outcome in restore_batch(bar, restorer.restore_pixels, masks, record):
        if outcome.is_mask_error and len(jobs) == 1:
            raise InputError(outcome.error)  # one photo and its mask: the call itself is wrong
        _report(outcome, said)
        file_notes.update(outcome.file_notes)
        failed += bool(outcome.error)
    for note, count in file_notes.items():
        _say(f"{count} {'photo' if count == 1 else 'photos'}: {note}")
    print(f"{len(jobs) - failed} of {len(jobs)} photos restored into {args.output}")
    return 1 if failed else 0


def _report(outcome: Outcome, said: set[str]) -> None:
    """Print notes, warnings and the error of a photo; a warning only once, whatever the photo."""
    photo = outcome.job.photo
    for note in outcome.notes:
        _say(f"{photo}: {note}")
    for warning in outcome.warnings:
        key = "tiles" if isinstance(warning, TilingWarning) else str(warning)
        if key not in said:
            said.add(key)
            _say(f"{photo}: {warning}")
    if outcome.error:
        # Most sentences begin with the file; the photo must be named in any case.
        named = outcome.error.startswith(str(photo))
        prefix = "not restored:" if named else f"{photo} not restored:"
        _say(f"{prefix} {outcome.error}")


def _say(message: str) -> None:
    """Print to stderr without breaking the progress bar."""
    tqdm.write(message, file=sys.stderr)
