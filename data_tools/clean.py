"""``python -m data_tools clean``: make a training set from any folder of photos.

Photos that are unfit for training are set aside with the reason: unreadable and tiny files,
near-duplicates, text pages, drawings, blank pages and scans with wide borders. The source folder
is only read, and no photo is lost: all are copied to the new folder, the kept ones to its top, the
others to ``set_aside/REASON``, each with a row in ``catalogue.csv``. Look at the contact sheets in
``report`` before you train, because the rules make mistakes. To correct one, move the file and run
``python -m data_tools catalogue``.
"""

import argparse
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tqdm.auto import tqdm

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, read_catalogue, write_catalogue
from data_tools.duplicates import mark_duplicates
from data_tools.examine import Finding, examine_all, find_photos, trim_slices
from data_tools.filters import Limits, judge
from data_tools.list_folder import SET_ASIDE, measured_row
from data_tools.report import write_report, write_sheets
from data_tools.split import add_shares, require_shares, with_split
from oldphoto.checks import InputError
from oldphoto.images.files import read_photo, write_photo
from oldphoto.system.files import sha256_of, written_whole

REPORT = "report"
_CHUNK = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    limits = Limits()
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of photos, only read")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the training set"
    )
    parser.add_argument(
        "--min-side", type=int, default=limits.min_side, metavar="PIXELS",
        help=f"set photos with a shorter side aside as tiny (default {limits.min_side})",
    )  # fmt: skip
    parser.add_argument(
        "--max-border", type=float, default=limits.max_border, metavar="SHARE",
        help=f"largest fraction of the area that may be border (default {limits.max_border:g})",
    )  # fmt: skip
    parser.add_argument(
        "--distance", type=int, default=limits.distance, metavar="BITS",
        help=f"near-duplicates differ in at most this many of 64 bits (default {limits.distance})",
    )  # fmt: skip
    parser.add_argument("--trim-borders", action="store_true", help="cut off borders")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    add_shares(parser)


def run(args: argparse.Namespace) -> int:
    """Clean a folder and print how many photos were set aside for each reason."""
    limits = Limits(args.min_side, args.max_border, args.distance)
    require_shares(args.validation, args.test)
    require_apart(args.folder, args.output)
    findings = examine_all(find_photos(args.folder), args.trim_borders, args.workers)
    reasons = [_first_reason(finding, limits) for finding in findings]
    reasons = mark_duplicates(findings, reasons, limits.distance)
    rows = _write_photos(findings, reasons, args.folder, args.output)
    rows = [with_split(row, args.validation, args.test) for row in rows]
    _remove_stale(args.output, rows)
    write_catalogue(args.output / CATALOGUE_NAME, rows)
    _write_sheets(args.output, rows)
    write_report(args.output, args.output / REPORT)
    print(summary(rows))
    return 0


def require_apart(folder: Path, output: Path) -> None:
    """Raise InputError if the output overlaps the source or holds files of another origin."""
    source, target = folder.resolve(), output.resolve()
    if target == source or source in target.parents or target in source.parents:
        raise InputError(f"--output {output} must lie outside of {folder}, which is only read")
    if output.is_dir() and any(output.iterdir()) and not (output / CATALOGUE_NAME).is_file():
        raise InputError(
            f"--output {output} holds files that were not made by this command; "
            "give a new or an empty folder"
        )


def summary(rows: list[CatalogueRow]) -> str:
    """Return the number of photos kept and set aside for each reason, one line each."""
    counts = Counter(reason_name(row) or "kept" for row in rows)
    modes = Counter(row.mode for row in rows if row.status == "kept")
    lines = [
        f"{name:12} {count:6} {count / len(rows):6.1%}" for name, count in counts.most_common()
    ]
    return "\n".join([*lines, f"of the kept, {modes['L']} are L and {modes['RGB']} are RGB"])


def reason_name(row: CatalogueRow) -> str:
    """Return the reason of a row as one word, empty for a kept photo.

    >>> reason_name(CatalogueRow("a.jpg", status="set_aside", reason="tiny: 9 x 9 px"))
    'tiny'
    """
    return row.reason.partition(":")[0] if row.status != "kept" else ""


def _first_reason(finding: Finding, limits: Limits) -> str:
    """Return why a photo is set aside, not considering duplicates."""
    if finding.measures is None:
        return f"unreadable: {finding.problem}"
    return judge(finding.size, finding.measures, limits)


def _write_photos(
    findings: list[Finding], reasons: list[str], folder: Path, output: Path
) -> list[CatalogueRow]:
    """Copy every photo to its place and return the rows of the new catalogue."""
    known = _known_rows(folder)
    taken: set[str] = set()
    rows = []
    pairs = zip(findings, reasons, strict=True)
    for finding, reason in tqdm(list(pairs), desc="copy", unit="photo"):
        old_name = finding.path.relative_to(folder).as_posix()
        trim = finding.trim is not None and not reason
        name = _free_name(old_name, taken, ".png" if trim else "")
        place = f"{SET_ASIDE}/{reason.partition(':')[0]}/{name}" if reason else name
        row = replace(known.get(old_name, CatalogueRow(path=place)), path=place, reason=reason)
        row = replace(measured_row(row, finding), status=SET_ASIDE if reason else "kept")
        target = output / place
        if trim:
            _trim_to(finding, target)
            row = replace(row, sha256=sha256_of(target))
        else:
            _copy_to(finding.path, target)
        rows.append(row)
    return rows


def _known_rows(folder: Path) -> dict[str, CatalogueRow]:
    """Return the rows of the folder's own catalogue, if it has one, by path."""
    path = folder / CATALOGUE_NAME
    return {row.path: row for row in read_catalogue(path)} if path.is_file() else {}


def _free_name(path: str, taken: set[str], suffix: str) -> str:
    """Return a file name for a path, unique even if upper and lower case are the same."""
    flat = Path(path.replace("/", "__"))
    name = flat.stem + (suffix or flat.suffix)
    number = 1
    while name.lower() in taken:
        number += 1
        name = f"{flat.stem}_{number}{suffix or flat.suffix}"
    taken.add(name.lower())
    return name


def _trim_to(finding: Finding, target: Path) -> None:
    """Write a photo without its border, with lossless compression."""
    photo = read_photo(finding.path)
    assert finding.trim is not None
    rows, columns = trim_slices(photo.pixels.shape[:2], finding.trim)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_photo(target, photo.pixels[rows, columns], photo.icc_profile)


def _copy_to(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all, unless a file of this size is already there."""
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return
    with source.open("rb") as file, written_whole(target) as copy:
        shutil.copyfileobj(file, copy, _CHUNK)


def _remove_stale(output: Path, rows: list[CatalogueRow]) -> None:
    """Remove copies of an earlier run that now lie elsewhere."""
    path = output / CATALOGUE_NAME
    earlier = {row.path for row in read_catalogue(path)} if path.is_file() else set()
    for name in earlier - {row.path for row in rows}:
        (output / name).unlink(missing_ok=True)


def _write_sheets(output: Path, rows: list[CatalogueRow]) -> None:
    """Write contact sheets of the kept photos and of those set aside for each reason."""
    for old in (output / REPORT).glob("*_[0-9][0-9].jpg"):
        old.unlink()
    for name in sorted({reason_name(row) for row in rows}):
        photos = [
            (output / row.path, Path(row.path).name) for row in rows if reason_name(row) == name
        ]
        write_sheets(output / REPORT, name or "kept", photos)
