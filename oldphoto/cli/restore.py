"""``python -m oldphoto restore``: restore photos and folders of photos into another folder."""

import argparse
import warnings
from pathlib import Path

from tqdm.auto import tqdm

from oldphoto.checks import InputError
from oldphoto.inference.batch import (
    Job,
    find_photos,
    plan_jobs,
    record_of,
    require_writable,
    restore_one,
    say,
)
from oldphoto.inference.masks import (
    OFFICIAL_PREFIX,
    MaskError,
    choose_masks,
    keep_masks,
)
from oldphoto.inference.restorer import OFFICIAL_VARIANTS, Restorer, TilingWarning


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
    say(f"{where_from}; device {restorer.device}, precision {restorer.precision}")
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
            say(_not_restored(job.photo, error))
            failed += 1
    print(f"{len(jobs) - failed} of {len(jobs)} photos restored into {args.output}")
    return 1 if failed else 0


def load_restorer(args: argparse.Namespace) -> Restorer:
    """Load what ``--weights`` and ``--variant`` name."""
    options = dict(device=args.device, precision=args.precision, max_memory_gb=args.max_memory)
    if not args.weights.startswith(OFFICIAL_PREFIX):
        return Restorer.from_pretrained(args.weights, args.variant, **options)
    folder = Path(args.weights.removeprefix(OFFICIAL_PREFIX))
    return Restorer.from_official(folder, args.variant or OFFICIAL_VARIANTS[0], **options)


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


def _say_new(caught: list[warnings.WarningMessage], job: Job, said: set[str]) -> None:
    """Print each warning, but that about tiles only the first time."""
    for warning in caught:
        key = "tiles" if issubclass(warning.category, TilingWarning) else str(warning.message)
        if key not in said:
            said.add(key)
            say(f"{job.photo}: {warning.message}")
