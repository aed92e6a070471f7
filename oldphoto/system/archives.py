"""Unpack selected files of a zip archive, each completely or not at all; pack a folder."""

import errno
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from oldphoto.checks import InputError
from oldphoto.system.files import written_whole

CHUNK_BYTES = 1 << 20
MAX_RATIO = 100  # photos and weights hardly shrink; a file that does is made to fill the disk


def find_members(archive: Path, members: tuple[str, ...]) -> dict[str, str]:
    """Return the full name in the archive of each wanted member, matched by the end of its path.

    Raises:
        InputError: if the file is not a zip, a member is missing or there twice, or a name in it
            would leave the folder that it is unpacked into.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            names = [name for name in file.namelist() if not name.startswith("__MACOSX/")]
    except zipfile.BadZipFile as error:
        raise InputError(f"{archive} is not a zip archive, or is cut short: {error}") from error
    for name in names:
        if ".." in PurePosixPath(name).parts or name.startswith("/") or set(name) & set("\\:"):
            raise InputError(f"{archive} holds the unsafe name {name!r}; do not unpack it")
    found = {}
    for member in members:
        matches = [name for name in names if f"/{name}".endswith(f"/{member}")]
        if len(matches) != 1:
            raise InputError(f"expected {member} once in {archive}, found it {len(matches)} times")
        found[member] = matches[0]
    return found


def unzip(archive: Path, folder: Path, members: tuple[str, ...]) -> list[Path]:
    """Unpack the wanted members to ``folder / member``, each completely or not at all.

    Names in the archive are never used as paths, and nothing else is unpacked.

    Raises:
        InputError: as find_members, or if a member is damaged or far larger than its packed form,
            or the disk is full.
    """
    names = find_members(archive, members)
    with zipfile.ZipFile(archive) as file:
        for member, name in tqdm(names.items(), desc=f"unpack {archive.name}"):
            _unpack_one(file, name, folder / member)
    return [folder / member for member in members]


def zip_folder(folder: Path, target: Path) -> None:
    """Pack a folder, with its name on top, into a new zip file.

    A zip has no dates before 1980, which a computer with a wrong clock gives its files: these get
    the first one.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder.parent))


def _unpack_one(file: zipfile.ZipFile, name: str, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        info = file.getinfo(name)
        if info.file_size > MAX_RATIO * info.compress_size + CHUNK_BYTES:
            raise InputError(
                f"{name} in {file.filename} would unpack from {info.compress_size:,} to "
                f"{info.file_size:,} bytes, as no photos or weights do: delete the archive"
            )
        require_space(target.parent, info.file_size)
        with file.open(name) as source, written_whole(target) as sink:
            shutil.copyfileobj(source, sink, CHUNK_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise InputError(
            f"{name} in {file.filename} is damaged: {error}; "
            "delete the archive and download it again"
        ) from error
    except OSError as error:
        raise InputError(disk_sentence(error, target)) from error


def require_space(folder: Path, num_bytes: int) -> None:
    """Raise OSError (disk full) if the folder's disk has fewer free bytes."""
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise OSError(errno.ENOSPC, f"{num_bytes:,} bytes are needed and {free:,} are free")


def disk_sentence(error: OSError, target: Path) -> str:
    """Return a sentence on a file that could not be written, with a remedy."""
    if error.errno == errno.ENOSPC:
        return (
            f"the disk is full at {target.parent} ({error.strerror}); free some space "
            "and run the same command again, it goes on where it stopped"
        )
    return (
        f"cannot write {target}: {error.strerror or error}; choose a folder that you can write to"
    )
