"""The folder of a crawl: photos and catalogue agree, even if the machine stops at any moment.

A downloaded photo is first written to ``.collect/incoming``. There it is checked, its row is
appended to the catalogue and forced to the disk, and only then is it renamed into ``photos``. So:

* stopped before the row: the next crawl finds the photo in ``incoming`` and does not fetch it;
* stopped between row and rename: ``Album`` finishes the rename when it is opened;
* ``photos`` never holds a file without a row.
"""

import contextlib
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from data_tools.catalogue import (
    CATALOGUE_NAME,
    CatalogueRow,
    append_row,
    read_catalogue,
    require_place,
)
from oldphoto.checks import InputError
from oldphoto.images.files import read_photo
from oldphoto.system.files import replace_file, sha256_of, written_whole
from oldphoto.system.outputs import is_link, is_reached_by_link, lock_folder

MAX_NAME_LENGTH = 80
# The first bytes of the accepted kinds of photos.
_SIGNATURES = {
    ".jpg": rb"\xff\xd8\xff",
    ".png": rb"\x89PNG\r\n\x1a\n",
    ".tif": rb"II\*\x00|MM\x00\*",
    ".webp": rb"RIFF....WEBP",
}


class Album:
    """The photos that one archive has given to a folder, and the only way to add more.

    Args:
        folder: folder of the catalogue; created if it is missing.
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
        for part in (".collect", ".collect/incoming", "photos", f"photos/{source}"):
            if is_link(folder / part):
                raise InputError(f"{folder / part} is a link: photos would land outside; remove it")
        for part in ("photos", f"photos/{source}"):
            if os.path.lexists(folder / part) and not (folder / part).is_dir():
                raise InputError(f"expected a folder {folder / part}, got a file: move it away")
        require_place(folder / CATALOGUE_NAME)
        try:
            self.incoming.mkdir(parents=True, exist_ok=True)
            for cut_short in self.incoming.glob("*.partial"):
                cut_short.unlink()
        except OSError as error:
            raise InputError(_not_writable(folder, error)) from error
        catalogue = folder / CATALOGUE_NAME
        rows = read_catalogue(catalogue) if catalogue.is_file() else []
        own_rows = [row for row in rows if row.source == source]
        self._status = {row.item_id: row.status for row in own_rows}
        for row in own_rows:  # finish what a crash left between row and rename
            if row.path and self.has_arrived(row) and not os.path.lexists(folder / row.path):
                self._move(row)

    def is_known(self, item_id: str) -> bool:
        """Return whether the item has a row, of a photo or of a lasting failure."""
        return item_id in self._status

    def has_photo(self, item_id: str) -> bool:
        """Return whether the item has a row of a photo."""
        return self._status.get(item_id, "failed") != "failed"

    def arrival(self, row: CatalogueRow) -> Path:
        """Return where the photo of a row lies between its download and its check."""
        return self.incoming / f"{self.source}-{safe_name(row.item_id)}"

    def has_arrived(self, row: CatalogueRow) -> bool:
        """Return whether the photo was downloaded, but not yet kept."""
        return self.arrival(row).is_file()

    def receive(self, row: CatalogueRow, content: bytes) -> None:
        """Write a downloaded photo to ``incoming``, whole or not at all."""
        with written_whole(self.arrival(row)) as file:
            file.write(content)

    def keep(self, row: CatalogueRow) -> None:
        """Check the photo that has arrived for the row, and add it to catalogue and folder.

        Raises:
            InputError: if the file cannot be read as a photo; it is then deleted.
        """
        arrived = self.arrival(row)
        try:
            extension = photo_extension(arrived)
            height, width = read_photo(arrived).pixels.shape[:2]
        except InputError:
            arrived.unlink()
            raise
        full = replace(
            row,
            path=self._free_path(arrived.name, extension),
            sha256=sha256_of(arrived),
            width=width,
            height=height,
            status="kept",
        )
        self._append(full)
        self._move(full)
        self.num_added += 1

    def refuse(self, row: CatalogueRow, reason: str) -> None:
        """Record that the item gives no photo, so that it is never requested again."""
        self._append(replace(row, path="", status="failed", reason=reason))
        self.failures.append((row.item_id, reason))

    def miss(self, row: CatalogueRow, reason: str) -> None:
        """Report that the photo did not come; the next crawl requests it again."""
        self.failures.append((row.item_id, reason))

    def _append(self, row: CatalogueRow) -> None:
        """Append a row to the catalogue."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        append_row(self.folder / CATALOGUE_NAME, replace(row, source=self.source, fetched=now))
        self._status[row.item_id] = row.status

    def _free_path(self, name: str, extension: str) -> str:
        """Return a path for a photo that no file has: the folder may hold photos of the user."""
        path, number = f"photos/{self.source}/{name}{extension}", 1
        while os.path.lexists(self.folder / path):
            number += 1
            path = f"photos/{self.source}/{name}_{number}{extension}"
        return path

    def _move(self, row: CatalogueRow) -> None:
        """Rename the checked photo from ``incoming`` to its place."""
        target = self.folder / row.path
        if is_reached_by_link(self.folder, row.path):
            raise InputError(f"{target} is reached through a link: remove the link")
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self.arrival(row), target)


def photo_extension(path: Path) -> str:
    """Return the file extension that fits the first bytes of a photo.

    Raises:
        InputError: if the file is not a JPEG, PNG, TIFF or WebP photo.
    """
    with path.open("rb") as file:
        head = file.read(16)
    for extension, signature in _SIGNATURES.items():
        if re.match(signature, head, re.DOTALL):
            return extension
    raise InputError(f"expected a JPEG, PNG, TIFF or WebP photo, got bytes {head[:8]!r}")


def safe_name(text: str) -> str:
    """Return a file name, without extension, that every system accepts.

    It consists of ``a-z``, ``0-9``, ``_`` and ``-``. A text that already is such a name is returned
    unchanged. Any other gets a part of its SHA-256 at the end, so two texts never share a name, not
    even on a file system that ignores case.

    Args:
        text: an identifier, a title, even a hostile path.

    Returns:
        1 to 80 characters; never a name that Windows reserves.

    >>> safe_name("photo_3"), safe_name("../Photo 3")
    ('photo_3', 'photo-3-b9b5099dbd2e')
    """
    is_safe = re.fullmatch(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_NAME_LENGTH - 1}}}", text)
    is_device = re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", text)
    has_mark = re.search(r"(^|-)[0-9a-f]{12}$", text)  # could be the name of another text
    if is_safe and not is_device and not has_mark:
        return text
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9_]+", "-", ascii_text).strip("-_")
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{words[: MAX_NAME_LENGTH - 13].rstrip('-_')}-{mark}".lstrip("-")


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Lock the folder for one crawl; the system releases the lock when the process ends.

    Raises:
        InputError: if another process writes into the folder, or it cannot be written.
    """
    if is_link(folder / ".collect"):
        raise InputError(f"{folder / '.collect'} is a link: remove it")
    try:
        (folder / ".collect").mkdir(parents=True, exist_ok=True)
        lock = contextlib.ExitStack()
        lock.enter_context(lock_folder(folder))
    except OSError as error:
        raise InputError(_not_writable(folder, error)) from error
    with lock:
        yield


def _not_writable(folder: Path, error: OSError) -> str:
    return f"expected a folder that can be written to, got {folder} ({error})"
