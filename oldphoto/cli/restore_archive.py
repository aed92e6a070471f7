"""``oldphoto restore --engine pool|ray``: many photos by several processes or machines."""

import argparse
import sys
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from oldphoto.archive.engines import run_pool, run_ray
from oldphoto.archive.run import Engine, restore_archive
from oldphoto.archive.tasks import Listing
from oldphoto.archive.worker import Settings
from oldphoto.checks import InputError, require_positive
from oldphoto.system.processes import num_processors
from oldphoto.system.streams import printable


def add_archive_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--engine`` and the options that belong to it."""
    group = parser.add_argument_group(
        "archives",
        "With --engine pool or ray, photos are also named by URLs (s3://...), by .txt files with a "
        "path in each line and by .parquet files with a column source; --output may be a URL. The "
        "output gets manifest.parquet with a row for each photo, and a repeated call does only "
        "what is not done. See oldphoto/archive/README.md.",
    )
    group.add_argument(
        "--engine",
        choices=("local", "pool", "ray"),
        default="local",
        help="local: one photo after the other; pool: several processes of this machine; ray: the "
        "Ray cluster that RAY_ADDRESS names, else one on this machine (default: local)",
    )
    group.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one for each processor)"
    )
    group.add_argument(
        "--batch", type=int, default=16, metavar="N", help="photos that a worker takes at once"
    )


def run_archive(args: argparse.Namespace) -> int:
    """Restore an archive; return 0, or 1 if a photo was refused or left out.

    Raises:
        InputError: if the call itself is wrong.
    """
    masks = None if args.mask in (None, "auto", "none") else Path(args.mask)
    if args.save_masks:
        raise InputError("saving masks needs --engine local")
    if masks and not masks.is_dir():
        raise InputError(
            f"with --engine {args.engine} --mask must be auto, none or a folder of masks; {masks} "
            "is none of these"
        )
    if args.inverted and not masks:
        raise InputError("--inverted is for masks from files: give their folder with --mask")
    workers = args.workers or num_processors()
    require_positive(workers=workers, batch=args.batch)
    threads = max(1, num_processors() // workers)
    settings = Settings(
        args.weights,
        args.variant,
        args.device,
        args.precision,
        args.max_memory,
        args.max_seconds,
        args.tone,
        args.strength,
        args.attention,
        args.always,
        None if masks else args.mask,
        masks is not None,
        args.inverted,
        args.accept_large_masks,
        threads,
    )
    lost, failed, total = 0, 0, 0

    def tell(listing: Listing) -> None:
        nonlocal lost, total
        lost, total = listing.num_lost, len(listing.folders)
        for line in listing.left_out:
            _say(line)
        if masks and len(listing.masks) < total:
            _say(f"no mask for {total - len(listing.masks)} of {total} photos")

    rows = restore_archive(
        args.photos,
        args.output,
        _engine(args, workers, threads),
        settings,
        args.recursive,
        tell,
        masks=masks,
    )
    for row in tqdm(rows, unit="photo", desc="restoring"):
        failed += bool(row.error)
        if row.error:
            _say(f"{row.source} not restored: {row.error}")
    left_out = f"; {lost} left out, see above" if lost else ""
    print(printable(f"{total - failed} of {total} photos are in {args.output}{left_out}"))
    return 1 if failed or lost else 0


def _engine(args: argparse.Namespace, workers: int, threads: int) -> Engine:
    if args.engine == "pool":
        return partial(run_pool, num_workers=workers, batch_size=args.batch)
    num_gpus = 1.0 if (args.device or "").startswith("cuda") else 0.0
    return partial(
        run_ray,
        num_workers=workers,
        batch_size=args.batch,
        num_cpus=threads,
        num_gpus=num_gpus,
    )


def _say(message: str) -> None:
    """Print to stderr without breaking the progress bar."""
    tqdm.write(printable(message), file=sys.stderr)
