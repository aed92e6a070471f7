"""``python -m data_tools catalogue``: list the photos of a folder in one table."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_tools.catalogue import (
    CATALOGUE_NAME,
    CatalogueRow,
    read_catalogue,
    require_place,
    unfit_for_a_table,
    write_catalogue,
)
from data_tools.examine import Finding, examine_all, find_photos, say_left_out
from data_tools.filters import colour_mode
from oldphoto.system.outputs import lock_folder, require_writable
from oldphoto.system.streams import printable

SET_ASIDE = "set_aside"
"""Folder of the photos that are set aside, and the status of their rows."""
STATED = ("source", "licence", "licence_url", "creator", "date", "credit")
"""Columns that the user can fill in for all photos that lack them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of photos")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    for name in STATED:
        option = "--" + name.replace("_", "-")
        parser.add_argument(
            option, default="", metavar="TEXT", help=f"{name} of the photos that have none yet"
        )


def run(args: argparse.Namespace) -> int:
    """Write or update the table; return 1 if a photo cannot be read."""
    photos, left_out = find_photos(args.folder)
    unfit = {
        photo: unfit_for_a_table(photo.relative_to(args.folder).as_posix()) for photo in photos
    }
    left_out += [f"{photo}: {reason}" for photo, reason in unfit.items() if reason]
    require_place(args.folder / CATALOGUE_NAME)
    require_writable(args.folder, "copy the photos to a folder of your own")
    with lock_folder(args.folder):
        findings = examine_all([p for p in photos if not unfit[p]], num_workers=args.workers)
        is_complete = _write_table(findings, args)
    say_left_out(left_out)
    return 0 if is_complete and not left_out else 1


def _write_table(findings: list[Finding], args: argparse.Namespace) -> bool:
    """Write or update the table and print a summary; return whether all files can be read."""
    path = args.folder / CATALOGUE_NAME
    known = read_catalogue(path) if path.is_file() else []
    stated = {name: getattr(args, name) for name in STATED if getattr(args, name)}
    rows = [
        _row(finding, row, stated)
        for finding, row in zip(findings, known_rows(findings, args.folder, known), strict=True)
    ]
    before, here = ({row.path for row in table} for table in (known, rows))
    moved = {row.sha256 for row in rows if row.path not in before} - {""}
    gone = [_gone(row) for row in known if row.path not in here and row.sha256 not in moved]
    write_catalogue(path, rows + gone)
    bad = [finding for finding in findings if finding.problem]
    for finding in bad:
        print("cannot be read:", printable(finding.problem))
    num_gone = sum(row.path != "" for row in gone)
    print(f"{len(rows)} photos in {path}, {len(bad)} unreadable, {num_gone} no longer there")
    return not bad


def known_rows(
    findings: Sequence[Finding], folder: Path, known: Sequence[CatalogueRow]
) -> list[CatalogueRow]:
    """Return the catalogue row of each file, or a new row.

    A renamed or moved file is recognised by its content and keeps its creator and licence. A file
    moved into ``set_aside`` is set aside, and one moved out of it is kept.
    """
    of_path = {row.path: row for row in known}
    of_content = {row.sha256: row for row in known if row.sha256}
    rows = []
    for finding in findings:
        path = finding.path.relative_to(folder).as_posix()
        row = of_path.get(path)
        if row is None:
            row = _placed(of_content.get(finding.sha256, CatalogueRow(path)), path)
        rows.append(row)
    return rows


def _placed(row: CatalogueRow, path: str) -> CatalogueRow:
    """Return the row of a file that was not at this path before."""
    folder, _, rest = path.partition("/")
    if folder == SET_ASIDE:
        reason = rest.partition("/")[0] if "/" in rest else "moved"
        return replace(row, path=path, status=SET_ASIDE, reason=f"{reason}: put there by hand")
    return replace(row, path=path, status="kept", reason="")


def measured_row(row: CatalogueRow, finding: Finding) -> CatalogueRow:
    """Return the row with what was measured on its file."""
    height, width = finding.size
    mode = colour_mode(finding.measures) if finding.measures else ""
    return replace(
        row, sha256=finding.sha256, width=width, height=height, mode=mode, phash=finding.phash
    )


def _row(finding: Finding, row: CatalogueRow, stated: dict[str, str]) -> CatalogueRow:
    """Return the new row of a file, from its old row, the user's statements and the finding."""
    missing: dict[str, Any] = {key: text for key, text in stated.items() if not getattr(row, key)}
    row = measured_row(replace(row, **missing), finding)
    if not finding.sha256:
        return replace(row, status="failed", reason=f"unreadable: {finding.problem}")
    if finding.problem:
        return replace(row, status=SET_ASIDE, reason=f"unreadable: {finding.problem}")
    if row.status == "failed" or row.reason.startswith("unreadable"):
        return replace(row, status="kept", reason="")  # it is there now, and readable
    return row


def _gone(row: CatalogueRow) -> CatalogueRow:
    """Return the row of a photo that is no longer in the folder."""
    if row.status == "failed":
        return row
    return replace(row, status="failed", reason="missing: the file is no longer in the folder")
