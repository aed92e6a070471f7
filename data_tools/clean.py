"""``python -m data_tools clean``: make a training set from any folder of photos.

Photos that are unfit for training are set aside with the reason: unreadable and tiny files,
near-duplicates, text pages, drawings, blank pages and scans with wide borders. The source folder
is only read, and no photo is lost: all are copied to the new folder, the kept ones to its top, the
others to ``set_aside/REASON``, each with a row in ``catalogue.csv``. Look at the contact sheets in
``report`` before you train, because the rules make mistakes. To correct one, move the file and run
``python -m data_tools catalogue``.
"""

import argparse
import re
import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tqdm.auto import tqdm

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, read_catalogue, write_catalogue
from data_tools.duplicates import mark_duplicates
from data_tools.examine import Finding, examine_all, find_photos, say_left_out, trim_slices
from data_tools.filters import Limits, judge
from data_tools.list_folder import SET_ASIDE, measured_row
from data_tools.report import remove_sheets, write_report, write_sheets
from data_tools.split import add_percentages, require_percentages, with_split
from oldphoto.checks import InputError, require_positive
from oldphoto.images.files import read_photo, write_photo
from oldphoto.system.files import sha256_of, shortened, written_whole
from oldphoto.system.outputs import HIDDEN, OutputFolder, folded, is_link

REPORT = "report"
_CHUNK = 1 << 20
_SOURCE = "clean:"  # and the SHA-256 of the photo, in the record of the output folder
_GONE = f"{SET_ASIDE}/gone/"
# Control characters, backslashes, colons, and bytes that are not UTF-8: not in names of ours.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\\:\ud800-\udfff]")


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
        "--max-border", type=float, default=limits.max_border, metavar="FRACTION",
        help=f"largest fraction of the area that may be border (default {limits.max_border:g})",
    )  # fmt: skip
    parser.add_argument(
        "--distance", type=int, default=limits.distance, metavar="BITS",
        help=f"near-duplicates differ in at most this many of 64 bits (default {limits.distance})",
    )  # fmt: skip
    parser.add_argument("--trim-borders", action="store_true", help="cut off borders")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    add_percentages(parser)


def run(args: argparse.Namespace) -> int:
    """Clean a folder and print how many photos were set aside for each reason.

    Returns:
        0, or 1 if files that look like photos were left out; each is named on stderr.
    """
    limits = Limits(args.min_side, args.max_border, args.distance)
    require_positive(workers=args.workers)
    require_percentages(args.validation, args.test)
    require_apart(args.folder, args.output)
    photos, left_out = find_photos(args.folder)
    with OutputFolder(args.output) as outputs:  # refused now rather than after the work
        findings = examine_all(photos, args.trim_borders, args.workers)
        reasons = [_first_reason(finding, limits) for finding in findings]
        reasons = mark_duplicates(findings, reasons, limits.distance)
        gone = _set_gone_aside(outputs, findings)
        rows = _write_photos(findings, reasons, args.folder, outputs)
        _remove_moved(outputs, rows)
        rows = [with_split(row, args.validation, args.test) for row in rows + gone]
        _write_table(outputs, rows)
        _write_sheets(args.output, rows)
        write_report(args.output, args.output / REPORT)
    print(summary(rows))
    left_out += [finding.problem for finding in findings if not finding.sha256]
    say_left_out(left_out)
    return 1 if left_out else 0


def require_apart(folder: Path, output: Path) -> None:
    """Raise InputError if the output overlaps the source or holds files of another origin."""
    source, target = folder.resolve(), output.resolve()
    if target == source or source in target.parents or target in source.parents:
        raise InputError(f"--output {output} must lie outside of {folder}, which is only read")
    if output.is_dir() and any(path.name != HIDDEN for path in output.iterdir()):
        sources = OutputFolder(output).sources().values()
        if not any(source.startswith(_SOURCE) for source in sources):
            raise InputError(
                f"--output {output} holds files that were not made by this command; "
                "give a new or an empty folder"
            )
    if is_link(output / REPORT):
        raise InputError(f"{output / REPORT} is a link: remove it")


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
    findings: list[Finding], reasons: list[str], folder: Path, outputs: OutputFolder
) -> list[CatalogueRow]:
    """Copy every photo to its place and return the rows of the new catalogue."""
    known = _known_rows(folder)
    taken: set[str] = set()
    places: set[str] = set()
    rows = []
    pairs = zip(findings, reasons, strict=True)
    for finding, reason in tqdm(list(pairs), desc="copy", unit="photo"):
        old_name = finding.path.relative_to(folder).as_posix()
        trim = finding.trim is not None and not reason
        name = _free_name(old_name, taken, ".png" if trim else "")
        place = f"{SET_ASIDE}/{reason.partition(':')[0]}/{name}" if reason else name
        source = _SOURCE + finding.sha256
        if finding.sha256:
            place = outputs.free_name(place, source, places)
            places.add(folded(place))
        row = replace(known.get(old_name, CatalogueRow(path=place)), path=place, reason=reason)
        row = replace(measured_row(row, finding), status=SET_ASIDE if reason else "kept")
        if not finding.sha256:  # not even its bytes can be read
            row = replace(row, path="", status="failed")
        elif trim:
            with outputs.writing(place, source) as path:
                _trim_to(finding, path)
            row = replace(row, sha256=sha256_of(outputs.path(place)))
        else:
            row = replace(row, sha256=_copy_to(finding, outputs, place))
        rows.append(row)
    return rows


def _known_rows(folder: Path) -> dict[str, CatalogueRow]:
    """Return the rows of the folder's own catalogue, if it has one, by path."""
    path = folder / CATALOGUE_NAME
    return {row.path: row for row in read_catalogue(path)} if path.is_file() else {}


def _free_name(path: str, taken: set[str], suffix: str) -> str:
    """Return a file name for a path, unique even if upper and lower case are the same."""
    flat = Path(_UNFIT.sub(_escaped, path.replace("/", "__")))
    suffix = suffix or flat.suffix
    stem = shortened(flat.stem, room=len(suffix) + 12)  # and for a number
    name, number = stem + suffix, 1
    while folded(name) in taken:
        number += 1
        name = f"{stem}_{number}{suffix}"
    taken.add(folded(name))
    return name


def _escaped(sign: re.Match[str]) -> str:
    """Return a sign that cannot stand in a catalogue as ``%`` and two hexadecimal digits."""
    return f"%{ord(sign[0]) & 0xFF:02X}"


def _trim_to(finding: Finding, target: Path) -> None:
    """Write a photo without its border, with lossless compression."""
    photo = read_photo(finding.path)
    assert finding.trim is not None
    rows, columns = trim_slices(photo.pixels.shape[:2], finding.trim)
    write_photo(target, photo.pixels[rows, columns], photo.icc_profile)


def _copy_to(finding: Finding, outputs: OutputFolder, place: str) -> str:
    """Copy a photo, unless it is already there; return the SHA-256 of the copy."""
    target = outputs.path(place)
    if outputs.is_ours(place) and sha256_of(target) == finding.sha256:
        return finding.sha256
    with (
        finding.path.open("rb") as file,
        outputs.writing(place, _SOURCE + finding.sha256) as path,
        written_whole(path) as copy,
    ):
        shutil.copyfileobj(file, copy, _CHUNK)
    return sha256_of(target)


def _set_gone_aside(outputs: OutputFolder, findings: list[Finding]) -> list[CatalogueRow]:
    """Move copies whose photo is no longer in the source: they may be the last ones."""
    here = {_SOURCE + finding.sha256 for finding in findings}
    path = outputs.folder / CATALOGUE_NAME
    earlier = {row.sha256: row for row in read_catalogue(path)} if path.is_file() else {}
    rows: dict[str, CatalogueRow] = {}
    for name, source in outputs.sources().items():
        is_gone = source.startswith(_SOURCE) and source not in here
        # After a kill before the rename both names are on record; the first one moves the file.
        if not is_gone or name in rows or not outputs.is_ours(name):
            continue
        if not name.startswith(_GONE):
            name = outputs.move(name, _GONE + Path(name).name, source)
        sha256 = sha256_of(outputs.path(name))
        row = earlier.get(sha256, CatalogueRow(name, sha256=sha256))
        reason = "gone: the photo is no longer in the source folder"
        rows[name] = replace(row, path=name, status=SET_ASIDE, reason=reason)
    return [rows[name] for name in sorted(rows)]  # not in the order of the record


def _remove_moved(outputs: OutputFolder, rows: list[CatalogueRow]) -> None:
    """Remove copies of an earlier run that now lie elsewhere; a changed file is the user's."""
    places = {row.path for row in rows}
    for name, source in outputs.sources().items():
        if source.startswith(_SOURCE) and name not in places and not name.startswith(_GONE):
            outputs.remove(name)


def _write_table(outputs: OutputFolder, rows: list[CatalogueRow]) -> None:
    """Write the catalogue; one that was changed since the last run is kept under another name."""
    path = outputs.folder / CATALOGUE_NAME
    if path.exists() and not outputs.is_ours(CATALOGUE_NAME):
        kept = outputs.put_aside(CATALOGUE_NAME)
        print(f"{path} was changed since the last run: it is now {kept}", file=sys.stderr)
    with outputs.writing(CATALOGUE_NAME, "catalogue") as new:
        write_catalogue(new, rows)


def _write_sheets(output: Path, rows: list[CatalogueRow]) -> None:
    """Write contact sheets of the kept photos and of those set aside for each reason."""
    names: set[str] = set()
    for name in sorted({reason_name(row) for row in rows if row.path}):
        photos = [
            (output / row.path, Path(row.path).name)
            for row in rows
            if row.path and reason_name(row) == name
        ]
        names |= write_sheets(output / REPORT, name or "kept", photos)
    remove_sheets(output / REPORT, kept=names)
