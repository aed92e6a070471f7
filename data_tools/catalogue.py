"""The catalogue of a photo folder: one CSV table, one row a photo, that survives a crash.

A row is appended as one whole line and forced to the disk before the next photo is fetched. When
the machine stops in the middle of a line, the reader drops that cut line, and the next writer cuts
it off. Rewriting the table goes through a file beside it and a rename, so a reader never sees half
of it. ``pandas.read_csv(path, dtype=str, keep_default_na=False)`` reads it as it is.
"""

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from oldphoto.checks import InputError, require_file
from oldphoto.system.files import written_whole

CATALOGUE_NAME = "catalogue.csv"
"""File name of the table inside the folder that it describes."""

STATUSES = ("kept", "set_aside", "failed")
"""``kept``: to be used. ``set_aside``: still there, not to be used, see ``reason``.
``failed``: no photo is there (a download that did not succeed), see ``reason``."""


@dataclass(frozen=True)
class CatalogueRow:
    """What is known about one photo.

    Every field is text in the file; ``width`` and ``height`` are 0 where they are not known and
    every other field is empty where it is not known.

    Args:
        path: where the photo lies, relative to the folder of the catalogue, with ``/``.
        sha256: of the file's bytes, 64 hexadecimal digits in lower case.
        width: in pixels, after the EXIF rotation.
        height: in pixels, after the EXIF rotation.
        mode: ``L`` (one colour, sepia included) or ``RGB``, by measured colour spread.
        split: ``train``, ``validation`` or ``test``.
        status: one of ``STATUSES``.
        reason: why the photo is set aside or failed.
        source: the collection it came from, for example ``loc``.
        item_id: the collection's own name for the item.
        item_url: page of the item, for people.
        image_url: address of the file.
        title: of the photo.
        creator: of the photo.
        date: as the collection gives it.
        licence: as the collection gives it, for example ``CC BY 4.0``.
        licence_url: address of the licence or rights statement.
        credit: line that the collection asks for.
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
COLUMNS = tuple(field.name for field in fields(CatalogueRow))


def read_catalogue(path: Path) -> list[CatalogueRow]:
    """Return the rows of the table; a last line that a crash cut short is left out.

    Raises:
        InputError: if no file is there, it is not UTF-8, or it holds other columns.
    """
    require_file(path, "a catalogue")
    try:
        text = path.read_bytes()[: whole_length(path)].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text, expected a catalogue ({error})") from error
    if not text:
        return []
    lines = csv.reader(io.StringIO(text, newline=""))
    header = tuple(next(lines))
    if header != COLUMNS:
        raise InputError(
            f"{path} is not a catalogue: expected the columns {', '.join(COLUMNS)}; "
            f"got {', '.join(header)}"
        )
    return [_row(values, path, lines.line_num) for values in lines if values]


def append_row(path: Path, row: CatalogueRow) -> None:
    """Add one row; it is on the disk when this returns. One writer at a time.

    A table that is not there is begun, and a line that an earlier crash cut short is removed.
    """
    append_rows(path, [row])


def append_rows(path: Path, rows: Iterable[CatalogueRow]) -> None:
    """Add rows with one write and one sync; see ``append_row``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _lines(_values(row) for row in rows)
    with path.open("ab") as file:
        whole = whole_length(path)
        file.truncate(whole)
        if whole == 0:
            text = _lines([COLUMNS]) + text
        file.write(text.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())


def write_catalogue(path: Path, rows: Iterable[CatalogueRow]) -> None:
    """Write the whole table, or leave the old one untouched."""
    text = _lines([COLUMNS]) + _lines(_values(row) for row in rows)
    with written_whole(path) as file:
        file.write(text.encode("utf-8"))


def whole_length(path: Path) -> int:
    """Return how many bytes of the file are whole lines (each line ends in a newline)."""
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
    """Return the fields as text on one line."""
    return tuple(" ".join(str(value).split()) for value in asdict(row).values())


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
    named: dict[str, str | int] = dict(zip(COLUMNS, values, strict=True))
    for name in ("width", "height"):
        try:
            named[name] = int(named[name])
        except ValueError as error:
            raise InputError(
                f"{path} line {line}: {name} must be a whole number, got {named[name]!r}"
            ) from error
    return CatalogueRow(**named)  # type: ignore[arg-type]
