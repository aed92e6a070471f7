"""Write results into a folder without touching anything that the user put there.

A photo is often the only copy. So each file that a command writes is listed, with its SHA-256, in
a record in the folder, and a command replaces or deletes a file only if the record lists it and its
bytes are still those. Any other file is the user's. A result whose name is taken gets a free name,
such as ``photo_2.jpg``.

    with OutputFolder(Path("restored")) as outputs:  # locked for this process
        name = outputs.free_name("photo.jpg", source)
        with outputs.writing(name, source) as path:
            image.save(path)

The record is a line for each file in ``.oldphoto/files.jsonl``. A line is on the disk before the
file has its name: a command that was killed finds its own files again. Folders that people and
programs look through, such as those of restored photos, hold results alone: their record lies in
the user's state folder (``photo_folder``).
"""

import contextlib
import hashlib
import json
import os
import platform
import secrets
import stat
import tempfile
import time
import unicodedata
import warnings
from collections.abc import Iterator, Set
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import psutil
from filelock import FileLock, Timeout
from platformdirs import user_state_path

from oldphoto.checks import InputError
from oldphoto.system.files import (
    explained_disk_errors,
    machine_id,
    remove_leftovers,
    replace_file,
    sha256_of,
    shortened,
    sync,
    write_json,
    written_whole,
)
from oldphoto.system.streams import printable

HIDDEN = ".oldphoto"
"""Folder of the record and the lock, inside the output folder."""
UNFINISHED = ".oldphoto-new-"
"""Start of the names of files that are being written, where the record is elsewhere."""
_RECORD, _LOCK, _HOLDER, _NEW = "files.jsonl", "lock", "lock.json", "new-"
_REMEDY = "choose another --output folder"
_OLD_SECONDS = 86_400.0  # without a lock, a younger file may be one that is being written
_LOCK_SECONDS = 1.0  # a killed process may take a moment to end
_NUM_KEPT = 2  # versions of a file that it may have after a kill: the one before and the new one


class OutputFolder:
    """A folder for results, and the record of what was written there.

    Reading (``free_name``, ``is_ours``) is possible at any time. Inside ``with``, the folder is
    made, locked against other processes, and can be written.

    Args:
        folder: made at the latest when the first file is written; may hold files of the user.
        hidden: folder of the record and the lock; None: ``.oldphoto`` in the folder. One elsewhere
            is used as far as it can be written: without it no file counts as ours.
    """

    def __init__(self, folder: Path, hidden: Path | None = None) -> None:
        self.folder = folder
        self.is_locked = False
        self._is_inside = hidden is None
        self._hidden = folder / HIDDEN if hidden is None else hidden
        self._held = contextlib.ExitStack()
        self._read()

    def __enter__(self) -> "OutputFolder":
        with contextlib.ExitStack() as held, explained_disk_errors(self.folder, _REMEDY):
            require_writable(self.folder)
            is_alone = held.enter_context(lock_folder(self.folder, self._hidden))
            self._read()  # again: another process may have written until now
            self._tidy(is_alone)
            self._held = held.pop_all()
        self.is_locked = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_locked = False
        self._held.close()

    @property
    def record(self) -> Path:
        """The file of the record."""
        return self._hidden / _RECORD

    @property
    def has_record(self) -> bool:
        """Whether any command has written into the folder before."""
        return bool(self._entries)

    # --- what is there ---------------------------------------------------------------------------

    def free_name(self, name: str, source: str, taken: Set[str] = frozenset()) -> str:
        """Return the name, or the first of ``NAME_2``, ``NAME_3``, ... that may be written.

        That is a name that no file has, not even in other case, or that of an earlier result from
        the same source.

        Args:
            name: relative path with ``/``.
            source: what the result is made from, for example ``photo:SHA256``.
            taken: further names that are not free, as ``folded`` returns them.

        Raises:
            InputError: if the name lies behind a link, or in a folder that is a file.
        """
        path = PurePosixPath(name)
        if not self._is_place(name):
            raise InputError(
                f"{self.path(name).parent} is a link or a file of yours, so nothing is written "
                "there: move it away, or choose another folder"
            )
        number, candidate = 1, name
        while folded(candidate) in taken or not self.may_write(candidate, source):
            number += 1
            ending = f"_{number}{path.suffix}"
            stem = shortened(path.stem, len(os.fsencode(ending)))
            candidate = path.with_name(stem + ending).as_posix()
        return candidate

    def may_write(self, name: str, source: str) -> bool:
        """Return whether the name is free, or that of an earlier result from this source."""
        path = self.path(name)
        is_free = folded(path.name) not in self._names_in(path.parent)
        return self._is_place(name) and (is_free or self.is_ours(name, source))

    def _is_place(self, name: str) -> bool:
        """Return whether the folders on the way to a name are, or can become, ordinary folders."""
        parents = [self.path(str(parent)) for parent in PurePosixPath(name).parents][:-1]
        return not any(is_link(parent) or parent.is_file() for parent in parents)

    def is_ours(self, name: str, source: str | None = None) -> bool:
        """Return whether a file still is what a command wrote, if given from this source."""
        entries = self._entries.get(name, [])
        if not entries or not _is_plain_file(self.folder, name):
            return False
        try:
            sha256 = sha256_of(self.path(name))
        except OSError:
            return False
        return any(
            entry["sha256"] == sha256 and source in (None, entry["source"]) for entry in entries
        )

    def names_from(self, source: str) -> list[str]:
        """Return the names that the record has for a source; the files may be gone or changed."""
        return [name for name, its_source in self.sources().items() if its_source == source]

    def path(self, name: str) -> Path:
        """Return the path of a name in the folder.

        Raises:
            InputError: if the name leads out of the folder.
        """
        relative = Path(name)
        if not name or relative.drive or relative.root or ".." in relative.parts:
            raise InputError(f"{name!r} leads out of the folder {self.folder}")
        return self.folder / relative

    def _names_in(self, folder: Path) -> set[str]:
        """Return the names in a folder as ``folded`` returns them; the folder is read once."""
        if folder not in self._listings:
            try:
                self._listings[folder] = {folded(name) for name in os.listdir(folder)}  # noqa: PTH208
            except OSError:
                self._listings[folder] = set()
        return self._listings[folder]

    # --- changing it -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self, name: str, source: str) -> Iterator[Path]:
        """Yield a path to write to; then the file gets its name, whole, and goes on record.

        Raises:
            InputError: if the name is that of a file of the user, or of another source.
        """
        target = self._require_writable(name, source)
        new = self.new_path(secrets.token_hex(8) + target.suffix.lower())
        try:
            with explained_disk_errors(self.folder, _REMEDY):
                yield new
                self.place(new, name, source)
        except InputError as error:  # it names the path that it was given
            raise InputError(str(error).replace(str(new), str(target))) from error
        finally:
            new.unlink(missing_ok=True)

    def write_text(self, name: str, text: str, source: str) -> Path:
        """Write text as UTF-8 under a name, or under a free name; return the path.

        The bytes of a file name that is no UTF-8 are escaped.
        """
        name = self.free_name(name, source)
        with self.writing(name, source) as path, written_whole(path) as file:
            file.write(text.encode("utf-8", errors="backslashreplace"))
        return self.path(name)

    def place(self, new: Path, name: str, source: str) -> None:
        """Move a finished file, on the same disk, to its name; the record comes first."""
        target = self._require_writable(name, source)
        self._note(name, sha256_of(new), source)
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(new, target)
        self._names_in(target.parent).add(folded(target.name))

    def remove(self, name: str, source: str | None = None) -> bool:
        """Delete a file if it is ours; return whether it was."""
        if not self.is_ours(name, source):
            return False
        path = self.path(name)
        path.unlink()
        self._names_in(path.parent).discard(folded(path.name))
        self._note(name, "", "")
        return True

    def move(self, name: str, new_name: str, source: str) -> str:
        """Rename a file that is ours, to a free name; return that name."""
        self._listings.clear()  # the user may have put a file there meanwhile
        new_name = self.free_name(new_name, source)
        path, target = self.path(name), self.path(new_name)
        self._note(new_name, sha256_of(path), source)
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, target)
        self._note(name, "", "")
        self._listings.clear()
        return new_name

    def put_aside(self, name: str) -> str:
        """Rename a file or folder of the user, so that its name is free; return the new one."""
        self._listings.clear()  # the user may have put a file there meanwhile
        new_name = self.free_name(name, "")
        replace_file(self.path(name), self.path(new_name))
        self._listings.clear()
        return new_name

    def sources(self) -> dict[str, str]:
        """Return what each file on record was made from, by name."""
        return {name: entries[-1]["source"] for name, entries in self._entries.items()}

    def fresh_folder(self, name: str) -> Path | None:
        """Make an empty folder; in one of that name, the files that are ours are deleted.

        Returns:
            Where the folder, or file, of that name has been moved with all that is not ours; None
            if there was nothing else.
        """
        path, moved = self.path(name), None
        if is_link(path):
            raise InputError(f"{path} is a link: remove it, or choose another folder")
        for file in [file for file in self._entries if file.startswith(f"{name}/")]:
            self.remove(file)
        for folder, _, _ in os.walk(path, topdown=False):
            if Path(folder) != path:
                with contextlib.suppress(OSError):  # it still holds something
                    Path(folder).rmdir()
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            moved = self.path(self.put_aside(name))
        path.mkdir(parents=True, exist_ok=True)
        return moved

    def own_folder(self, name: str, source: str) -> None:
        """Put each file of a folder on record, where only the command itself can have written."""
        for path in sorted(self.path(name).rglob("*")):
            file = path.relative_to(self.folder).as_posix()
            if _is_plain_file(self.folder, file):
                self._note(file, sha256_of(path), source)

    def new_path(self, name: str) -> Path:
        """Return a path on the same disk for a file that ``place`` moves later."""
        place, start = (self._hidden, _NEW) if self._is_inside else (self.folder, UNFINISHED)
        return place / f"{start}{name}"

    def _require_writable(self, name: str, source: str) -> Path:
        path = self.path(name)
        self._listings.pop(path.parent, None)  # the user may have put a file there meanwhile
        if not self.may_write(name, source):
            raise InputError(
                f"{path} is not a file that this command wrote, so it is left as it is: move it "
                "away, or choose another folder"
            )
        return path

    # --- the record ------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the record; lines that are cut short or make no sense are left out."""
        self._entries: dict[str, list[dict[str, str]]] = {}
        self._listings: dict[Path, set[str]] = {}
        self._num_lines, self._is_torn = 0, False
        if is_link(self._hidden) or is_link(self._hidden / _RECORD):
            return
        try:
            content = (self._hidden / _RECORD).read_bytes()
        except OSError:  # none yet
            return
        self._is_torn = not content.endswith(b"\n")
        for line in content.split(b"\n"):
            self._num_lines += 1
            entry = _entry(line)
            if entry and entry["sha256"]:
                versions = [*self._entries.get(entry["name"], []), entry]
                self._entries[entry["name"]] = versions[-_NUM_KEPT:]
            elif entry:
                self._entries.pop(entry["name"], None)

    def _tidy(self, is_alone: bool) -> None:
        """Remove what a killed process left behind, and shorten the record."""
        remove_leftovers(self._hidden)
        place, pattern = (self._hidden, _NEW) if self._is_inside else (self.folder, UNFINISHED)
        for path in place.glob(f"{pattern}*"):
            if _is_plain_file(place, path.name) and (is_alone or _is_old(path)):
                path.unlink(missing_ok=True)
        kept = [entry for versions in self._entries.values() for entry in versions]
        if self._is_torn or self._num_lines > 2 * len(kept) + 100:
            with self._if_writable(), written_whole(self._hidden / _RECORD) as file:
                file.write("".join(map(_line, kept)).encode())

    def _note(self, name: str, sha256: str, source: str) -> None:
        """Append a line to the record and force it to the disk; no SHA-256: the file is gone."""
        entry = {"name": name, "sha256": sha256, "source": source}
        if self._entries.get(name, [])[-1:] == [entry]:
            return
        with self._if_writable(), (self._hidden / _RECORD).open("ab") as file:
            start = file.tell()
            try:
                file.write(_line(entry).encode())
                file.flush()
                sync(file.fileno())
            except OSError:  # the disk is full: leave no half of a line
                with contextlib.suppress(OSError):
                    file.truncate(start)
                raise
        if sha256:
            self._entries[name] = [*self._entries.get(name, []), entry][-_NUM_KEPT:]
        else:
            self._entries.pop(name, None)

    def _if_writable(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that lets a record elsewhere fail: its files are the user's then."""
        return contextlib.nullcontext() if self._is_inside else contextlib.suppress(OSError)


def photo_folder(folder: Path) -> OutputFolder:
    """Return an output folder that holds results alone; its record is in the user's state folder.

    ``OLDPHOTO_STATE`` names another place for the records.
    """
    given = os.environ.get("OLDPHOTO_STATE")
    state = Path(given) if given else user_state_path("oldphoto", appauthor=False)
    key = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:24]
    return OutputFolder(folder, state / "outputs" / key)


def require_writable(folder: Path, remedy: str = _REMEDY) -> None:
    """Make a folder, and try it: long work must not end where its result cannot be written.

    Raises:
        InputError: if no file can be written into it.
    """
    with explained_disk_errors(folder, remedy):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextlib.contextmanager
def lock_folder(folder: Path, hidden: Path | None = None) -> Iterator[bool]:
    """Lock a folder for this process; the system frees the lock when the process ends or dies.

    Args:
        folder: the folder, for the message.
        hidden: folder of the lock; None: ``.oldphoto`` in the folder.

    Yields:
        Whether the folder is locked: a file system without locks is accepted.

    Raises:
        InputError: if another process holds the lock, or the hidden folder is a link.
    """
    is_elsewhere, hidden = hidden is not None, hidden or folder / HIDDEN
    for path in (hidden, hidden / _LOCK, hidden / _HOLDER, hidden / _RECORD):
        if is_link(path) or (path == hidden and path.is_file()):
            raise InputError(f"expected an ordinary folder {hidden} without links: remove {path}")
    try:
        hidden.mkdir(parents=True, exist_ok=True)
    except OSError:
        if not is_elsewhere:
            raise
        yield False
        return
    lock = FileLock(hidden / _LOCK, timeout=_LOCK_SECONDS)
    try:
        with warnings.catch_warnings():  # of a drive where the lock is the file itself
            warnings.simplefilter("ignore")
            lock.acquire()
    except Timeout as error:
        raise InputError(_held_by_another(folder, hidden)) from error
    except (OSError, NotImplementedError):
        yield False
        return
    try:
        with contextlib.suppress(OSError):
            write_json(hidden / _HOLDER, _this_process())
        yield True
    finally:
        with contextlib.suppress(OSError):
            (hidden / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _this_process() -> dict[str, str | int]:
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return {
        "machine": platform.node(), "id": machine_id(), "process": os.getpid(), "since": since
    }  # fmt: skip


def _held_by_another(folder: Path, hidden: Path) -> str:
    """Return the sentence on a folder that another process has locked.

    On some network drives the lock is the file itself. A machine that was switched off leaves it
    there, and no other machine can find out whether that process still runs: the user can.
    """
    remedy = "wait until it has ended, or choose another folder"
    try:
        holder: Any = json.loads((hidden / _HOLDER).read_text(encoding="utf-8"))
        machine, process, since = (holder[key] for key in ("machine", "process", "since"))
        is_here = holder["id"] == machine_id() and psutil.pid_exists(process)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError):
        who, is_here = "", False
    else:
        named = "" if is_here else f" on the machine {machine}"
        who = printable(f" (process {process}{named}, since {since})")
    if not is_here:
        remedy += f"; only if it is certain that it no longer runs, delete {hidden / _LOCK}"
    return f"another process is writing into {folder}{who}: {remedy}"


def folded(name: str) -> str:
    """Return a name so that two are equal if they are one file on any usual file system.

    Windows and macOS ignore case, and macOS ignores how accents are written.

    >>> folded("Café.JPG") == folded("cafe\u0301.jpg")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def is_link(path: Path) -> bool:
    """Return whether a path is a symbolic link or, on Windows, a junction."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return False
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    is_junction = junction is not None and getattr(found, "st_reparse_tag", 0) == junction
    return stat.S_ISLNK(found.st_mode) or is_junction


def leads_out(name: str) -> bool:
    """Return whether a relative name from a file leads out of its folder, on any system.

    >>> leads_out("box/a.jpg"), leads_out("../a.jpg"), leads_out("C:/a.jpg"), leads_out("/a.jpg")
    (False, True, True, True)
    """
    windows = PureWindowsPath(name)
    is_here = bool(windows.drive) and os.name == "nt"
    return bool(windows.root) or is_here or ".." in windows.parts or "\0" in name


def is_reached_by_link(folder: Path, name: str) -> bool:
    """Return whether a name in a folder is a link, or lies behind one."""
    path = Path(name)
    return any(is_link(folder / step) for step in (path, *path.parents[:-1]))


def _is_plain_file(folder: Path, name: str) -> bool:
    """Return whether a name is a file in the folder that is reached without a link."""
    path = Path(name)
    is_inside = name and not (path.drive or path.root or ".." in path.parts)
    try:
        return bool(
            is_inside and not is_reached_by_link(folder, name) and (folder / path).is_file()
        )
    except (OSError, ValueError):  # no file can have this name
        return False


def _is_old(path: Path) -> bool:
    """Return whether a file is of another day; a clock that was set may make that a later one."""
    try:
        return abs(time.time() - path.lstat().st_mtime) > _OLD_SECONDS
    except OSError:  # gone meanwhile
        return False


def _line(entry: dict[str, str]) -> str:
    return json.dumps(entry) + "\n"


def _entry(line: bytes) -> dict[str, str] | None:
    """Return one line of the record; None if it is not one."""
    try:
        entry: Any = json.loads(line)
        found = {name: entry[name] for name in ("name", "sha256", "source")}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if all(isinstance(value, str) for value in found.values()) else None
