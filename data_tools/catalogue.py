"""The catalogue of a photo folder: one CSV table with a row for each photo, safe against crashes.

A row is appended as one line and forced to the disk before the next photo is fetched. If the
machine stops in the middle of a line, readers ignore that line and the next writer removes it. The
table is rewritten through a second file and a rename, so a reader never sees half of it.
``pandas.read_csv(path, dtype=str, keep_default_na=False)`` reads it.
"""

import csv
import io
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from oldphoto.checks import InputError, require_file
from oldphoto.system.files import sync, written_whole
from oldphoto.system.outputs import is_link, leads_out

CATALOGUE_NAME = "catalogue.csv"
"""File name of the table in the folder that it describes."""

STATUSES = ("kept", "set_aside", "failed")
"""``kept``: to be used. ``set_aside``: in the folder, but not to be used. ``failed``: no photo is
there, for example after a failed download. The column ``reason`` says why."""


@dataclass(frozen=True)
class CatalogueRow:
    """One photo. An unknown field is empty; unknown ``width`` and ``height`` are 0.

    Args:
        path: path of the photo relative to the catalogue's folder, with ``/``.
        sha256: SHA-256 of the file, 64 hexadecimal digits in lower case.
        width: in pixels, after the EXIF rotation.
        height: in pixels, after the EXIF rotation.
        mode: ``L`` (one colour, sepia included) or ``RGB``, by measured colour spread.
        split: ``train``, ``validation`` or ``test``.
        status: one of ``STATUSES``.
        reason: why the photo is set aside or failed.
        source: collection of the photo, for example ``loc``.
        item_id: the collection's identifier of the item.
        item_url: web page of the item.
        image_url: address of the file.
        title: title of the photo.
        creator: photographer, or whoever made the photo.
        date: date as the collection gives it.
        licence: licence of the photo, for example ``CC BY 4.0``.
        licence_url: address of the licence or rights statement.
        credit: credit line that the collection requires.
        fetched: time of the download, ISO 8601, UTC.
        phash: perceptual hash, 16 hexadecimal digits.
    """

    path: str
    sha256: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    split: str = ""
    status: str = "kept"
    reason: str = ""
    source: str = ""
    item_id: str = ""
    item_url: str = ""
    image_url: str = ""
    title: str = ""
    creator: str = ""
    date: str = ""
    licence: str = ""
    licence_url: str = ""
    credit: str = ""
    fetched: str = ""
    phash: str = ""


_TAIL_BYTES = 1 << 16
# Control characters, which would break the line, and the bytes of a name that is not UTF-8.
_NOT_IN_A_TABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
COLUMNS = tuple(field.name for field in fields(CatalogueRow))


def read_catalogue(path: Path) -> list[CatalogueRow]:
    """Return the rows of the table, without a last line that a crash cut short.

    Raises:
        InputError: if the file is missing, is not UTF-8, has other columns, or a path in it leads
            out of the folder.
    """
    require_file(path, "a catalogue")
    try:
        text = path.read_bytes()[: whole_length(path)].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text, expected a catalogue ({error})") from error
    if not text:
        return []
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        return _rows(lines, path)
    except csv.Error as error:  # zero bytes, or a field without an end
        raise InputError(
            f"{path} line {lines.line_num} is no line of a catalogue ({error}); remove the line "
            "or restore the file"
        ) from error


def _rows(lines: Any, path: Path) -> list[CatalogueRow]:
    header = tuple(next(lines))
    if header != COLUMNS:
        raise InputError(
            f"{path} is not a catalogue: expected the columns {', '.join(COLUMNS)}; "
            f"got {', '.join(header)}"
        )
    return [_row(values, path, lines.line_num) for values in lines if values]


def append_row(path: Path, row: CatalogueRow) -> None:
    """Append one row and force it to the disk. Only one process may write at a time.

    A missing table is created, and a line that an earlier crash cut short is removed.
    """
    append_rows(path, [row])


def append_rows(path: Path, rows: Iterable[CatalogueRow]) -> None:
    """Append rows with one write and one sync; see ``append_row``."""
    require_place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _lines(_values(row) for row in rows)
    with path.open("ab") as file:
        whole = whole_length(path)
        file.truncate(whole)
        if whole == 0:
            text = _lines([COLUMNS]) + text
        file.write(text.encode("utf-8", errors="replace"))
        file.flush()
        sync(file.fileno())


def write_catalogue(path: Path, rows: Iterable[CatalogueRow]) -> None:
    """Write the whole table; if that fails, the old one stays as it was."""
    require_place(path)
    text = _lines([COLUMNS]) + _lines(_values(row) for row in rows)
    with written_whole(path) as file:
        file.write(text.encode("utf-8", errors="replace"))


def unfit_for_a_table(path: str) -> str:
    """Return why a photo's path cannot stand in a catalogue; empty if it can.

    >>> unfit_for_a_table("box 1/a  b.jpg")
    ''
    """
    if _NOT_IN_A_TABLE.search(path):
        return "its name has control characters or is not UTF-8 text: rename it"
    if leads_out(path):
        return "on some systems its name leads out of the folder: rename it"
    return ""


def require_place(path: Path) -> None:
    """Raise InputError if the table is a folder, or a link: its file is not ours to change."""
    if is_link(path):
        raise InputError(f"{path} is a link: put the catalogue itself in its place")
    if path.is_dir():
        raise InputError(f"{path} is a folder, but the catalogue has this name: rename the folder")


def whole_length(path: Path) -> int:
    """Return the number of bytes up to the end of the last complete line."""
    if not path.exists():
        return 0
    # Line breaks inside a field are written as spaces, so the last newline ends a whole row.
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _TAIL_BYTES)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0


def _values(row: CatalogueRow) -> tuple[str, ...]:
    """Return the fields as texts without line breaks; the path stays as it is.

    Raises:
        InputError: if the path cannot stand in a table.
    """
    reason = unfit_for_a_table(row.path)
    if reason:
        raise InputError(f"{row.path!r} cannot be listed: {reason}")
    texts = (" ".join(str(value).split()) for value in asdict(row).values())
    return (row.path, *list(texts)[1:])


def _lines(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as CSV text."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _row(values: list[str], path: Path, line: int) -> CatalogueRow:
    """Return one line of the file as a row."""
    if len(values) != len(COLUMNS):
        raise InputError(
            f"{path} line {line}: expected {len(COLUMNS)} fields, got {len(values)}; "
            "remove the line or restore the file"
        )
    named: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
    if leads_out(named["path"]):
        raise InputError(
            f"{path} line {line}: the path {named['path']!r} leads out of the folder; remove the "
            "line"
        )
    for name in ("width", "height"):
        try:
            named[name] = int(named[name])
        except ValueError as error:
            raise InputError(
                f"{path} line {line}: {name} must be a whole number, got {named[name][:20]!r}"
            ) from error
    return CatalogueRow(**named)
