"""The folder that a crawl fills: photos and catalogue that agree, whenever the machine stops.

A downloaded photo first lies whole in ``.collect/incoming``. It is checked there, its row is
appended to the catalogue and forced to the disk, and only then is it renamed into ``photos``. So:

* stopped before the row: the next crawl finds the photo in ``incoming`` and need not fetch it;
* stopped between row and rename: ``Album`` finishes the rename when it is opened;
* ``photos`` never holds a file without a row.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, append_row, read_catalogue
from data_tools.collectors.names import safe_name
from oldphoto.checks import InputError
from oldphoto.images.files import read_photo
from oldphoto.system.files import sha256_of

EXTENSIONS = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif", "webp": ".webp"}


class Album:
    """What one archive has already given to a folder, and the only way to add to it.

    Args:
        folder: of the catalogue; made where it is missing.
        source: name of the archive, one of ``SOURCE_NAMES``.

    Raises:
        InputError: if the folder cannot be written to, or its catalogue cannot be read.
    """

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.source = source
        self.incoming = folder / ".collect" / "incoming"
        self.skipped: Counter[str] = Counter()
        self.failures: list[tuple[str, str]] = []
        self.num_added = 0
        try:
            self.incoming.mkdir(parents=True, exist_ok=True)
            for cut_short in self.incoming.glob("*.partial"):
                cut_short.unlink()
        except OSError as error:
            raise InputError(
                f"expected a folder that can be written to, got {folder} ({error})"
            ) from error
        catalogue = folder / CATALOGUE_NAME
        rows = read_catalogue(catalogue) if catalogue.is_file() else []
        self._status = {row.item_id: row.status for row in rows if row.source == source}
        self._finish_renames(rows)

    def is_known(self, item_id: str) -> bool:
        """Say whether the item has a row, of a photo or of a lasting failure."""
        return item_id in self._status

    def has_photo(self, item_id: str) -> bool:
        """Say whether the item has a row of a photo."""
        return self._status.get(item_id, "failed") != "failed"

    def incoming_name(self, row: CatalogueRow) -> str:
        """Return the file name, without extension, under which the photo is downloaded."""
        return f"{self.source}-{safe_name(row.item_id)}"

    def keep(self, row: CatalogueRow) -> None:
        """Check the photo that was downloaded for the row, and add it to catalogue and folder.

        Raises:
            InputError: if the file cannot be read as a photo within the limits; it is then gone.
        """
        arrived = self.incoming / self.incoming_name(row)
        try:
            with arrived.open("rb") as file:
                extension = EXTENSIONS[require_sniffed(file.read(16))]
            height, width = read_photo(arrived).pixels.shape[:2]
        except InputError:
            arrived.unlink()
            raise
        path = f"photos/{self.source}/{arrived.name}{extension}"
        digest = sha256_of(arrived)
        full = replace(
            row, path=path, sha256=digest, width=width, height=height, status="kept",
            source=self.source, fetched=_now(),
        )  # fmt: skip
        append_row(self.folder / CATALOGUE_NAME, full)
        self._move(full)
        self._status[row.item_id] = "kept"
        self.num_added += 1

    def refuse(self, row: CatalogueRow, reason: str) -> None:
        """Note for good that the item gives no photo, so that it is not asked for again."""
        failed = replace(
            row, path="", status="failed", reason=reason, source=self.source, fetched=_now()
        )
        append_row(self.folder / CATALOGUE_NAME, failed)
        self._status[row.item_id] = "failed"
        self.failures.append((row.item_id, reason))

    def miss(self, row: CatalogueRow, reason: str) -> None:
        """Note that the item did not come this time; the next crawl asks for it again."""
        self.failures.append((row.item_id, reason))

    def _finish_renames(self, rows: list[CatalogueRow]) -> None:
        """Bring in the photos whose row was written just before a crash."""
        for row in rows:
            if row.source == self.source and row.status != "failed":
                arrived = self.incoming / self.incoming_name(row)
                if arrived.is_file() and not (self.folder / row.path).exists():
                    self._move(row)

    def _move(self, row: CatalogueRow) -> None:
        """Rename the checked photo from ``incoming`` to its place."""
        target = self.folder / row.path
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.incoming / self.incoming_name(row)).replace(target)


def sniff(head: bytes) -> str | None:
    """Return the kind of photo that a file's first 16 bytes announce, or None."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return None


def require_sniffed(head: bytes) -> str:
    """Return the kind of photo that the first bytes announce, else raise InputError."""
    kind = sniff(head)
    if kind is None:
        raise InputError(f"expected a JPEG, PNG, TIFF or WebP photo, got bytes {head[:8]!r}")
    return kind


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold the folder for one crawl; the system lets go of it when the process ends.

    Raises:
        InputError: if another crawl holds it.
    """
    path = folder / ".collect" / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise InputError(
            f"expected a folder that can be written to, got {folder} ({error})"
        ) from error
    with file:
        try:
            _lock(file)
        except OSError as error:
            raise InputError(
                f"another crawl is writing to {folder}: wait for it to end or use another folder"
            ) from error
        yield


def _lock(file: BinaryIO) -> None:
    """Lock the file for this process, or raise OSError at once."""
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _now() -> str:
    """Return the time as the catalogue writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
