"""``oldphoto restore``: restore photos and folders of photos into another folder."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from tqdm.auto import tqdm

from oldphoto.checks import InputError, require_positive
from oldphoto.cli.restore_archive import add_archive_arguments, run_archive
from oldphoto.inference.batch import Outcome, record_of, restore_batch
from oldphoto.inference.gate import choose_gate
from oldphoto.inference.inputs import left_out_lines, search_photos
from oldphoto.inference.jobs import plan_folders
from oldphoto.inference.masks import MaskReading, choose_masks, keep_masks
from oldphoto.inference.restorer import Attention, Restorer, TilingWarning, Tone
from oldphoto.system.outputs import require_writable
from oldphoto.system.streams import printable
from oldphoto.system.wildcards import expand_wildcards
from oldphoto.weights.source import WeightsSource

LONGEST_SECONDS = 6 * 3600.0
_EXIT_CODES = (
    "Exit code: 0 if every photo was restored; 1 if a photo, or a file, link or folder that may be "
    "or contain one, was refused or left out; 2 if the call itself is wrong. Hidden files and "
    "other files are listed and do not change the exit code."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add photos, ``--output`` and the choices of weights, masks, precision and memory."""
    parser.epilog = _EXIT_CODES
    parser.add_argument("photos", nargs="+", metavar="PHOTO_OR_FOLDER")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--recursive",
        action="store_true",
        help="restore the photos of sub-folders, too, into the same sub-folders of the output",
    )
    parser.add_argument(
        "--weights",
        default="small",
        metavar="NAME",
        help="small; a folder written by training; or official:FOLDER (default: small)",
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
        "--inverted", action="store_true", help="in the mask files black is damaged, white sound"
    )
    parser.add_argument(
        "--accept-large-masks",
        action="store_true",
        help="take masks, from files or the detector, that mark more than 60 %% of a photo",
    )
    parser.add_argument(
        "--save-masks",
        type=Path,
        metavar="DIR",
        help="save the masks in an empty folder; correct them, then pass the folder to --mask",
    )
    parser.add_argument(
        "--tone",
        choices=get_args(Tone),
        help="keep: keep the tones, and give a black-and-white photo no colours; restore: correct "
        "fading and colour casts, and turn brown into grey; network: the output of the network "
        "as it is (default: keep; with the authors' networks: network)",
    )
    parser.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="0..1",
        help="how much is restored: 0 is the original, 1 the restored photo (default: 1)",
    )
    parser.add_argument(
        "--always",
        action="store_true",
        help="also restore photos that need no restoration: sharp colour photos without grain, "
        "JPEG blocks or marked damage (without this option and with --tone keep, they are copied)",
    )
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument(
        "--attention",
        choices=get_args(Attention),
        help="fast: in a photo of more than a megapixel, damage borrows from a lattice over the "
        "whole photo; exact: from every sound place, in a time that grows with the square of the "
        "photo (default: fast; with the authors' networks: exact)",
    )
    parser.add_argument(
        "--max-memory",
        type=float,
        metavar="GiB",
        help="memory limit of the whole program; larger photos are cut into tiles",
    )
    parser.add_argument(
        "--max-seconds",
        type=float,
        default=LONGEST_SECONDS,
        metavar="S",
        help="time limit for restoring one photo, checked between two tiles; reading and writing "
        "do not count (default: %(default)g)",
    )
    parser.add_argument("--device", help="cuda, mps or cpu (default: the best one available)")
    add_archive_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Restore all photos; return 0, or 1 if one of them was refused or left out.

    Raises:
        InputError: if the call itself is wrong: no photo to restore, unknown weights or variant, an
            output folder that cannot be written, or masks that fit no photo.
    """
    require_positive(max_seconds=args.max_seconds)
    if args.engine != "local":
        return run_archive(args)
    args.photos, args.output = [Path(photo) for photo in args.photos], Path(args.output)
    found = search_photos(expand_wildcards(args.photos), args.recursive, _own_folders(args))
    jobs = plan_folders(found, args.output)
    photos = found.photos
    require_writable(args.output)
    source = WeightsSource.parse(args.weights)
    restorer = Restorer.from_source(
        source,
        args.variant,
        args.device,
        args.precision,
        args.max_memory,
        args.tone,
        args.strength,
        args.attention,
    )
    restorer.max_seconds = args.max_seconds
    reading = MaskReading(args.inverted, args.accept_large_masks)
    masks, mask_words = choose_masks(args.mask, restorer, source, photos, reading, found.folders)
    if args.save_masks:
        if args.save_masks.resolve() == args.output.resolve():
            raise InputError(f"masks and photos would share {args.output}: name another folder")
        masks = keep_masks(masks, args.save_masks, photos, found.folders)
    _say(f"{mask_words}; device {restorer.device}, precision {restorer.precision}")
    for line in left_out_lines(found.left_out):
        _say(line)
    gate = choose_gate(restorer.tone, args.always)
    failed, alone = 0, list[str]()
    said: set[str] = set()
    file_notes: Counter[str] = Counter()
    bar = tqdm(jobs, unit="photo", desc="restoring")
    record = record_of(restorer, source)
    for outcome in restore_batch(bar, restorer.restore_pixels, masks, record, gate=gate):
        if outcome.is_mask_error and len(jobs) == 1:
            raise InputError(outcome.error)  # one photo and its mask: the call itself is wrong
        _report(outcome, said)
        file_notes.update(outcome.file_notes)
        failed += bool(outcome.error)
        if outcome.needed_nothing:
            alone.append(outcome.job.photo.name)
    for line in _closing_lines(file_notes, alone):
        _say(line)
    left_out = f"; {len(found.left_out)} left out, see above" if found.left_out else ""
    num = len(jobs) - failed - len(alone)
    copied = f"; {len(alone)} needed nothing" if alone else ""
    done = f"{num} of {len(jobs)} photos restored into {args.output}{copied}{left_out}"
    print(printable(done))
    return 1 if failed or any(one.is_photo for one in found.left_out) else 0


def _own_folders(args: argparse.Namespace) -> list[Path]:
    """Return the folders of the results and of the masks: what is there is no photo to restore."""
    masks = Path(args.mask) if args.mask else None
    return [folder for folder in (args.output, args.save_masks, masks) if folder]


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


def _closing_lines(file_notes: Mapping[str, int], alone: Sequence[str]) -> Iterator[str]:
    """Yield what is said once about many photos."""
    for note, count in file_notes.items():
        yield f"{count} {'photo' if count == 1 else 'photos'}: {note}"
    if alone:
        what = "1 photo" if len(alone) == 1 else f"{len(alone)} photos"
        yield f"{what} needed nothing: {', '.join(alone)}; copied (--always restores all)"


def _say(message: str) -> None:
    """Print to stderr without breaking the progress bar."""
    tqdm.write(printable(message), file=sys.stderr)
