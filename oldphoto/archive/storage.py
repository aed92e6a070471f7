"""The folder of the results: on a disk, or in an object store that fsspec can reach."""

import contextlib
import hashlib
import secrets
import shutil
import tempfile
from pathlib import Path, PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from oldphoto.checks import InputError
from oldphoto.system.files import replace_file, sync
from oldphoto.system.outputs import HIDDEN, is_link

_NEW = f"{HIDDEN}/new"
"""Folder of results that have no name yet."""


def is_url(place: str) -> bool:
    """Return whether a place is a URL, such as ``s3://bucket/photos``; C:\\photos is none.

    >>> is_url("s3://bucket/photos"), is_url("photos/a.jpg")
    (True, False)
    """
    return "://" in place


def open_place(place: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of a path or URL, and the path in it.

    Raises:
        InputError: if nothing is installed for this kind of URL.
    """
    try:
        return fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"expected a folder or a URL that fsspec can open, got {place}: {error}"
        ) from error


class Storage:
    """Files below one folder, each written whole or not at all.

    Names are relative, with ``/``. An object store writes an object whole by itself. On a disk a
    file is written beside its place and renamed, and never through a link.

    Args:
        place: path or URL of the folder.

    Example:
        >>> storage = Storage("memory://box")
        >>> storage.write("a.txt", b"1")
        >>> storage.sha256("a.txt")[:6], storage.sha256("b.txt"), storage.names("")
        ('6b86b2', None, ['a.txt'])
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._files, self._root = open_place(place)
        self.folder = Path(self._root) if isinstance(self._files, LocalFileSystem) else None

    def path(self, name: str) -> str:
        """Return the full path of a name in its file system."""
        return str(self.folder / name) if self.folder else f"{self._root.rstrip('/')}/{name}"

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 of a file; None if there is none."""
        try:
            with self._files.open(self.path(name), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def is_free(self, name: str) -> bool:
        """Return whether nothing has this name, and no link or file stands on the way to it."""
        if self.folder is None:
            return not self._files.exists(self.path(name))
        parents = [self.folder / str(parent) for parent in PurePosixPath(name).parents][:-1]
        blocked = any(is_link(parent) or parent.is_file() for parent in parents)
        return not blocked and not (self.folder / name).exists() and not is_link(self.folder / name)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted; not those in its sub-folders."""
        if not self._files.isdir(self.path(folder)):
            return []
        entries = self._files.ls(self.path(folder), detail=True)
        files = [entry["name"] for entry in entries if entry["type"] == "file"]
        prefix = f"{folder}/" if folder else ""
        return sorted(prefix + PurePosixPath(Path(name).as_posix()).name for name in files)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        return bytes(self._files.cat_file(self.path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write a small file of our own."""
        new = self.new_path(PurePosixPath(name).suffix)
        try:
            new.write_bytes(content)
            self.place_file(new, name)
        finally:
            new.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Delete a file of our own; it may be gone already."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self.path(name))

    def new_path(self, suffix: str) -> Path:
        """Return a path on this machine for a file that ``place_file`` gives its name later."""
        name = secrets.token_hex(8) + suffix
        if self.folder is None:
            return Path(tempfile.gettempdir()) / f"oldphoto-{name}"
        new = self.folder / _NEW
        new.mkdir(parents=True, exist_ok=True)
        return new / name

    def place_file(self, path: Path, name: str) -> None:
        """Give a new file its name."""
        if self.folder is None:
            self._files.put_file(str(path), self.path(name))
            path.unlink()
            return
        with path.open("rb+") as file:
            sync(file.fileno())
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, target)

    def clear(self, folder: str) -> None:
        """Delete a folder of our own below ``.oldphoto``."""
        if not folder.startswith(f"{HIDDEN}/"):
            raise InputError(f"expected a folder below {HIDDEN}, got {folder}")
        if self.folder is None:
            if self._files.isdir(self.path(folder)):
                self._files.rm(self.path(folder), recursive=True)
        elif not is_link(self.folder / folder) and not is_link(self.folder / HIDDEN):
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def clear_new(self) -> None:
        """Delete the results without a name that killed processes have left."""
        self.clear(_NEW)
