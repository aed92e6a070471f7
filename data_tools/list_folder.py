"""``python -m data_tools catalogue``: list the photos of a folder in one table."""

import argparse
from dataclasses import replace
from pathlib import Path

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, read_catalogue, write_catalogue
from data_tools.examine import Finding, examine_all, find_photos
from data_tools.filters import colour_mode

STATED = ("source", "licence", "licence_url", "creator", "date", "credit")
"""Columns that the user can state for all photos of the folder that lack them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with photos")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    for name in STATED:
        option = "--" + name.replace("_", "-")
        parser.add_argument(
            option, default="", metavar="TEXT", help=f"{name} of photos that have none yet"
        )


def run(args: argparse.Namespace) -> int:
    """Make the table or bring it up to date; return 1 if a photo cannot be read."""
    path = args.folder / CATALOGUE_NAME
    findings = examine_all(find_photos(args.folder), num_workers=args.workers)
    known = {row.path: row for row in read_catalogue(path)} if path.is_file() else {}
    stated = {name: getattr(args, name) for name in STATED if getattr(args, name)}
    rows = [_row(finding, args.folder, known, stated) for finding in findings]
    here = {row.path for row in rows}
    gone = [_gone(row) for name, row in known.items() if name not in here]
    write_catalogue(path, rows + gone)
    bad = [finding for finding in findings if finding.problem]
    for finding in bad:
        print(f"cannot be read: {finding.problem}")
    print(f"{len(rows)} photos in {path}, {len(bad)} unreadable, {len(gone)} no longer there")
    return 1 if bad else 0


def measured_row(row: CatalogueRow, finding: Finding) -> CatalogueRow:
    """Return the row with everything that the finding says about its file."""
    height, width = finding.size
    mode = colour_mode(finding.measures) if finding.measures else ""
    return replace(
        row, sha256=finding.sha256, width=width, height=height, mode=mode, phash=finding.phash
    )


def _row(
    finding: Finding, folder: Path, known: dict[str, CatalogueRow], stated: dict[str, str]
) -> CatalogueRow:
    """Return the new row of a file: what was known, what is stated, and what was measured."""
    name = finding.path.relative_to(folder).as_posix()
    row = known.get(name, CatalogueRow(path=name))
    row = replace(row, **{key: text for key, text in stated.items() if not getattr(row, key)})
    row = measured_row(row, finding)
    if finding.problem:
        return replace(row, status="set_aside", reason=f"unreadable: {finding.problem}")
    if row.status == "failed" or row.reason.startswith("unreadable"):
        return replace(row, status="kept", reason="")  # it is there, and readable, after all
    return row


def _gone(row: CatalogueRow) -> CatalogueRow:
    """Return the row of a photo that is no longer in the folder."""
    if row.status == "failed":
        return row
    return replace(row, status="failed", reason="missing: the file is no longer in the folder")
