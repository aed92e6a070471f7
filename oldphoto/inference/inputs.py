"""Find the photos of a batch, and name everything in its folders that is left out."""

import errno
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oldphoto.checks import InputError
from oldphoto.images.files import MISNAMED, OTHER_FORMATS, READABLE, starts_like_a_photo

PHOTO_ENDINGS = READABLE | OTHER_FORMATS
"""Endings of files that are tried, so that one that cannot be read is refused with its reason."""

HIDDEN = "hidden, the name starts with a dot"
SUBFOLDER = "a sub-folder: add --recursive to restore what is in it"
LINKED_FOLDER = "a link to a folder: name it itself to restore what is in it"
OWN_FOLDER = "holds the results or the masks"
NO_PHOTOS = "a folder without photos"
OTHER_ENDING = "the ending is none of a photo's"
NO_FILE = "a pipe, a socket or a device, which was not opened"


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not restored.

    Attributes:
        path: where it is.
        reason: why, without its name.
        is_photo: whether a photo may be missing for it: it is or holds a photo, or nobody knows.
    """

    path: Path
    reason: str
    is_photo: bool = False


@dataclass
class FoundPhotos:
    """The photos of a batch.

    Attributes:
        photos: files, each once.
        folders: of each photo, the folder relative to the one that was named.
        left_out: everything else that was met.
    """

    photos: list[Path] = field(default_factory=list)
    folders: dict[Path, Path] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def find_photos(paths: list[Path]) -> list[Path]:
    """Return the named files and the photos of the named folders, each once, in that order.

    Raises:
        InputError: if a path does not exist, or a folder holds no photo.
    """
    found = search_photos(paths)
    for one in found.left_out:
        if one.reason == NO_PHOTOS:
            raise _no_photos(one.path, [])
    return found.photos


def search_photos(
    paths: Sequence[Path], recursive: bool = False, own_folders: Collection[Path] = ()
) -> FoundPhotos:
    """Find the photos among named files and in named folders; say what is left out.

    A folder is searched with its sub-folders if ``recursive``. Links to files are followed, links
    to folders only where they are named. Pipes and devices are never opened.

    Args:
        paths: files and folders.
        recursive: search the sub-folders, too.
        own_folders: of results and masks, not searched where they are inside another folder.

    Raises:
        InputError: if a path does not exist, or nothing that was named is or holds a photo.
    """
    search = _Search(recursive, {folder.resolve() for folder in own_folders})
    for path in paths:
        search.add(path)
    found = search.found
    if not found.photos:
        raise _no_photos(", ".join(map(str, paths)), found.left_out)
    return found


def _no_photos(where: object, left_out: list[LeftOut]) -> InputError:
    reasons = "; ".join(left_out_lines(one for one in left_out if one.reason != NO_PHOTOS))
    return InputError(
        f"expected photos (JPEG, PNG, TIFF, WebP) in {where}, found none"
        + (reasons and f"; {reasons}")
    )


def left_out_lines(left_out: Iterable[LeftOut]) -> list[str]:
    """Return one line for each reason, with the files it holds for.

    >>> left_out_lines([LeftOut(Path("a.txt"), OTHER_ENDING), LeftOut(Path("b"), OTHER_ENDING)])
    ["left out (the ending is none of a photo's): a.txt, b"]
    """
    by_reason: dict[str, list[str]] = {}
    for one in left_out:
        by_reason.setdefault(one.reason, []).append(str(one.path))
    return [f"left out ({reason}): {', '.join(names)}" for reason, names in by_reason.items()]


class _Search:
    """Walks through files and folders; ``found`` is the result."""

    def __init__(self, recursive: bool, own_folders: set[Path]) -> None:
        self.recursive = recursive
        self.own_folders = own_folders
        self.found = FoundPhotos()
        self._first: dict[Path, Path] = {}  # the path under which each file was met first
        self._num_met = 0  # photos and what may be one, each time they are met

    def add(self, named: Path) -> None:
        """Take a file or a folder that the user named."""
        try:
            named.lstat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"expected a photo or a folder of photos at {named}, nothing is there"
            ) from error
        except PermissionError as error:
            self._leave(named, f"it cannot be reached ({error.strerror})", is_photo=True)
            return
        num_met = self._num_met
        # A list in place of recursion: folders can be nested deeper than Python's stack.
        waiting = [named]
        while waiting:
            waiting += reversed(self._look(waiting.pop(), named))
        if self._num_met == num_met and named.is_dir():
            self._leave(named, NO_PHOTOS, is_photo=True)

    def _look(self, path: Path, named: Path) -> list[Path]:
        """Take or leave out one path; return what is in it if it is a folder to search."""
        if path != named and path.name.startswith("."):
            return self._leave(path, HIDDEN)
        is_photo = path == named or path.suffix.lower() in PHOTO_ENDINGS
        try:
            mode = path.stat().st_mode
        except OSError as error:
            return self._leave(path, _why_unreachable(path, error), is_photo)
        if stat.S_ISDIR(mode):
            return self._open(path, named)
        if not stat.S_ISREG(mode):
            return self._leave(path, NO_FILE, is_photo)
        if not is_photo:
            is_photo = starts_like_a_photo(path)
            return self._leave(path, MISNAMED if is_photo else OTHER_ENDING, is_photo)
        self._num_met += 1
        first = self._first.setdefault(path.resolve(), path)
        if first == path and path not in self.found.folders:
            self.found.photos.append(path)
            self.found.folders[path] = Path() if path == named else path.parent.relative_to(named)
        elif first != path:
            self._leave(path, f"the same file as {first}")
        return []

    def _open(self, folder: Path, named: Path) -> list[Path]:
        """Return what is in a folder, unless it is left out."""
        if folder != named:
            if folder.resolve() in self.own_folders:
                return self._leave(folder, OWN_FOLDER)
            if folder.is_symlink():
                return self._leave(folder, LINKED_FOLDER, self._holds_photo(folder))
            if not self.recursive:
                return self._leave(folder, SUBFOLDER, self._holds_photo(folder))
        try:
            return sorted(folder.iterdir())
        except OSError as error:
            reason = f"a folder that cannot be opened ({error.strerror})"
            return self._leave(folder, reason, is_photo=True)

    def _holds_photo(self, folder: Path) -> bool:
        """Return whether a photo is anywhere in a folder, by the endings of the names."""
        waiting = [folder]
        while waiting:
            try:
                entries = list(os.scandir(waiting.pop()))
            except OSError:
                return True  # nobody knows
            for entry in entries:
                path = Path(entry.path)
                if entry.name.startswith(".") or path.resolve() in self.own_folders:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif path.suffix.lower() in PHOTO_ENDINGS:
                    return True
        return False

    def _leave(self, path: Path, reason: str, is_photo: bool = False) -> list[Path]:
        self.found.left_out.append(LeftOut(path, reason, is_photo))
        self._num_met += is_photo
        return []


def _why_unreachable(path: Path, error: OSError) -> str:
    # Unlike Path.is_symlink it raises nothing in a locked folder.
    is_link = os.path.islink(path)  # noqa: PTH114
    if is_link and isinstance(error, FileNotFoundError):
        return "a link to a file that is not there"
    if is_link and error.errno == errno.ELOOP:
        return "a link that leads back to itself"
    return f"it cannot be reached ({error.strerror})"
