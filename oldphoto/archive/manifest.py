"""The manifest of an archive: one row for each photo, as Parquet, written while the work goes on.

Each batch of photos writes a part before its results get their names. So any result in the folder
is in the manifest, and a run that was killed is continued: ``read`` puts all parts together, the
newest row of a photo counts, and ``merge`` makes one file of them at the end.
"""

import dataclasses
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from oldphoto.archive.storage import Storage
from oldphoto.checks import InputError
from oldphoto.system.outputs import HIDDEN

NAME = "manifest.parquet"
_PARTS = f"{HIDDEN}/manifest"
_MARK = b"oldphoto manifest"


@dataclass(frozen=True)
class Row:
    """What became of one photo.

    Attributes:
        source: path or URL of the photo.
        result: name of the restored photo in the output folder, with ``/``.
        sha256: of the photo's file; "" if it could not be read.
        result_sha256: of the restored photo's file; "" if there is none.
        previous_sha256: of the earlier result that this one replaces, or that an error left.
        made_with: weights and settings; with others the photo is restored anew.
        height: in pixels.
        width: in pixels.
        mask_sha256: of the file with its mask; "" if the mask was not from a file.
        masked_fraction: of the pixels that were marked as damaged, in [0, 1].
        seconds: that restoring took, without reading and writing.
        finished: seconds since 1970.
        error: one sentence if the photo was not restored, else "".
        notes: sentences on what was reduced or not kept.
    """

    source: str
    result: str
    sha256: str = ""
    result_sha256: str = ""
    previous_sha256: str = ""
    made_with: str = ""
    mask_sha256: str = ""
    height: int = 0
    width: int = 0
    masked_fraction: float = 0.0
    seconds: float = 0.0
    finished: float = 0.0
    error: str = ""
    notes: str = ""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the row of a dictionary, as Parquet and Ray have it: numpy's numbers included."""
        empty = dataclasses.asdict(cls("", ""))
        return cls(**{name: type(empty[name])(value) for name, value in values.items()})


class Manifest:
    """The rows below an output folder.

    Example:
        >>> manifest = Manifest(Storage("memory://example"))
        >>> manifest.write_part([Row("a.jpg", "a.jpg", error="no image")])
        >>> manifest.merge(manifest.read())
        >>> list(manifest.read())
        ['a.jpg']
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def read(self) -> dict[str, Row]:
        """Return the newest row of each photo, by source.

        A part is newer than the file that parts become, whatever the clock said.

        Raises:
            InputError: if ``manifest.parquet`` is a file that this program did not write.
        """
        merged = {row.source: row for row in self._rows(NAME)}
        newest: dict[str, Row] = {}
        for name in self.storage.names(_PARTS):
            for row in self._rows(name):
                if row.source not in newest or newest[row.source].finished <= row.finished:
                    newest[row.source] = row
        return merged | newest

    def begin(self) -> dict[str, Row]:
        """Return the rows as ``read``; what a killed run left in parts is put together first."""
        rows = self.read()
        if self.storage.names(_PARTS):
            self.merge(rows)
        return rows

    def write_part(self, rows: list[Row]) -> None:
        """Write the rows of one batch; a batch of the same photos replaces its own part."""
        self.storage.write(_part_name(row.source for row in rows), _encoded(rows))

    def read_part(self, sources: Iterable[str]) -> dict[str, Row]:
        """Return the rows that an earlier try of a batch wrote, by source."""
        return {row.source: row for row in self._rows(_part_name(sources))}

    def merge(self, rows: dict[str, Row]) -> None:
        """Write all rows into ``manifest.parquet``, then delete the parts that are in it."""
        parts = self.storage.names(_PARTS)
        self.storage.write(NAME, _encoded([rows[source] for source in sorted(rows)]))
        for part in parts:
            self.storage.remove(part)

    def _rows(self, name: str) -> list[Row]:
        import pyarrow
        from pyarrow import parquet

        try:
            table = parquet.read_table(io.BytesIO(self.storage.read(name)))
        except FileNotFoundError:
            return []
        except pyarrow.ArrowInvalid:
            table = None
        if table is None or _MARK not in (table.schema.metadata or {}):
            raise InputError(
                f"{self.storage.path(name)} is not a manifest of this program: choose another "
                "--output folder"
            )
        return [Row.of(values) for values in table.to_pylist()]


def require_pyarrow() -> None:
    """Raise InputError if the package that writes Parquet is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise InputError(
            "the manifest needs the package pyarrow: python -m pip install 'oldphoto[archive]'"
        ) from error


def _part_name(sources: Iterable[str]) -> str:
    digest = hashlib.sha256("\0".join(sources).encode("utf-8", "surrogateescape"))
    return f"{_PARTS}/{digest.hexdigest()[:32]}.parquet"


def _encoded(rows: list[Row]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    arrow = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    empty = dataclasses.asdict(Row("", ""))
    fields = [(name, arrow[type(value)]) for name, value in empty.items()]
    table = pyarrow.Table.from_pylist(
        [dataclasses.asdict(row) for row in rows], pyarrow.schema(fields, {_MARK: b"1"})
    )
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()
