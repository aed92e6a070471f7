"""Which photos an archive has, and which name each result gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from oldphoto.archive.manifest import Row
from oldphoto.archive.storage import Storage, is_url, open_place
from oldphoto.checks import InputError
from oldphoto.images.files import WRITERS
from oldphoto.inference.inputs import PHOTO_ENDINGS, left_out_lines, search_photos
from oldphoto.inference.masks import pair_masks
from oldphoto.system.outputs import folded
from oldphoto.system.streams import is_text

_LISTS = (".txt", ".parquet")


@dataclass(frozen=True)
class Task:
    """One photo to restore.

    Attributes:
        source: its path or URL.
        result: name of the restored photo in the output folder, with ``/``.
        known: its row in the manifest of an earlier run.
        mask: path of the file with its mask; "" if it has none.
    """

    source: str
    result: str
    known: Row | None = None
    mask: str = ""


@dataclass
class Listing:
    """What an archive holds.

    Attributes:
        folders: of each photo, relative to the one that was named.
        left_out: a line for each file that is left out.
        num_lost: how many of these are or may be photos.
        masks: of the photos that have one, the file with their mask.
    """

    folders: dict[str, str]
    left_out: list[str]
    num_lost: int = 0
    masks: dict[str, str] = field(default_factory=dict)


def list_sources(
    words: Sequence[str], recursive: bool, output: Storage, masks: Path | None = None
) -> Listing:
    """Return the photos that are named, in folders and lists, here or in an object store.

    Args:
        words: photos; folders; URLs such as ``s3://bucket/scans``; ``.txt`` files with a path or
            URL in each line; ``.parquet`` files with these in a column ``source``.
        recursive: search the sub-folders, too.
        output: not searched.
        masks: folder of masks with the names of the photos; not searched for photos.

    Raises:
        InputError: if a list or a folder cannot be read, there is no photo, or a mask fits none.
    """
    listing = Listing({}, [])
    for word in words:
        if is_url(word):
            _add_url(listing, word, recursive, output)
        elif Path(word).suffix.lower() in _LISTS:
            for source in _listed(Path(word)):
                listing.folders.setdefault(source, "")
        else:
            own = [folder for folder in (output.folder, masks) if folder]
            found = search_photos([Path(word)], recursive, own)
            for photo in found.photos:
                listing.folders.setdefault(str(photo.absolute()), found.folders[photo].as_posix())
            listing.left_out += left_out_lines(found.left_out)
            listing.num_lost += sum(one.is_photo for one in found.left_out)
    for source in [source for source in listing.folders if not is_text(source)]:
        del listing.folders[source]  # the manifest cannot name it
        listing.left_out.append(f"left out (its name is not UTF-8 text: rename it): {source}")
        listing.num_lost += 1
    if not listing.folders:
        said = f"; {listing.left_out[-1]}" if listing.num_lost else ""
        raise InputError(f"expected photos in {', '.join(words)}, found none{said}")
    if masks:
        sources = {Path(source): source for source in listing.folders}
        folders = {path: Path(listing.folders[source]) for path, source in sources.items()}
        pairs = pair_masks(list(sources), masks, folders)
        listing.masks = {sources[path]: str(mask.absolute()) for path, mask in pairs.items()}
    return listing


def _add_url(listing: Listing, url: str, recursive: bool, output: Storage) -> None:
    files, root = open_place(url)
    if files.isfile(root):
        listing.folders.setdefault(url, "")
        return
    if not files.isdir(root):
        raise InputError(f"expected a photo or a folder of photos at {url}, nothing is there")
    names = files.find(root) if recursive else [
        entry["name"] for entry in files.ls(root, detail=True) if entry["type"] == "file"
    ]  # fmt: skip
    own = output.path("") if output.folder is None else None
    others = 0
    for name in sorted(names):
        inside = PurePosixPath(name[len(root) :].lstrip("/"))
        if (own and name.startswith(own)) or any(part.startswith(".") for part in inside.parts):
            continue
        if inside.suffix.lower() in PHOTO_ENDINGS:
            folder = "" if str(inside.parent) == "." else str(inside.parent)
            listing.folders.setdefault(files.unstrip_protocol(name), folder)
        else:
            others += 1
    if others:
        listing.left_out.append(f"left out (the ending is none of a photo's): {others} in {url}")


def _listed(path: Path) -> list[str]:
    """Return the sources in a list; a path is meant from the folder of the list."""
    if not path.is_file():
        raise InputError(f"expected a list of photos at {path}, nothing is there")
    if path.suffix.lower() == ".txt":
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 text: save the list as UTF-8") from error
        sources = [line for line in lines if line]
    else:
        import pyarrow
        from pyarrow import parquet

        try:
            sources = parquet.read_table(path, columns=["source"])["source"].to_pylist()
        except (pyarrow.ArrowInvalid, KeyError) as error:
            raise InputError(
                f"expected a Parquet file with a column source, got {path}: {error}"
            ) from error
    if not all(isinstance(source, str) and source for source in sources):
        raise InputError(f"expected a path or URL in each row of {path}, found an empty one")
    here = path.parent.absolute()
    return [source if is_url(source) else str(here / source) for source in sources]


def plan_tasks(listing: Listing, known: Mapping[str, Row]) -> list[Task]:
    """Give each photo a name for its result; one that an earlier run gave stays.

    A format that cannot be written becomes PNG. A second photo of the same name gets "_2".

    >>> listing = Listing({"/x/a.png": "", "/y/a.png": "", "/y/b.gif": "2024"}, [])
    >>> [task.result for task in plan_tasks(listing, {})]
    ['a.png', 'a_2.png', '2024/b.png']
    """
    taken = {folded(row.result) for row in known.values()}
    tasks = []
    for source, folder in listing.folders.items():
        row = known.get(source)
        result = row.result if row else _free_name(source, folder, taken)
        tasks.append(Task(source, result, row, listing.masks.get(source, "")))
    return tasks


def _free_name(source: str, folder: str, taken: set[str]) -> str:
    name = PurePosixPath(source) if is_url(source) else Path(source)
    suffix = name.suffix if name.suffix.lower() in WRITERS else ".png"
    number, result = 1, (PurePosixPath(folder) / f"{name.stem}{suffix}").as_posix()
    while folded(result) in taken:
        number += 1
        result = (PurePosixPath(folder) / f"{name.stem}_{number}{suffix}").as_posix()
    taken.add(folded(result))
    return result
