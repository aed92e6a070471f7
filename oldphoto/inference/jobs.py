"""Plan the output files of many photos: which name each gets, and what must not be replaced."""

from dataclasses import dataclass, field
from pathlib import Path

from oldphoto.checks import InputError
from oldphoto.images.files import WRITERS
from oldphoto.inference.inputs import FoundPhotos
from oldphoto.system.files import sha256_of
from oldphoto.system.outputs import OutputFolder, folded, photo_folder


@dataclass(frozen=True)
class Job:
    """One photo to restore.

    Attributes:
        photo: its file.
        output: the file that the result goes to.
        note: a sentence if the output has another name than the photo, else "".
        outputs: the folder that the output lies in, with the record of what was written there.
    """

    photo: Path
    output: Path
    note: str = ""
    outputs: OutputFolder | None = field(default=None, compare=False, repr=False)


def plan_jobs(photos: list[Path], output: Path, outputs: OutputFolder | None = None) -> list[Job]:
    """Give each photo a file of its own in the output folder; it keeps its name if that is free.

    A format that cannot be written becomes PNG. A second photo with the same name gets "_2". A
    photo that already has such a name keeps it, wherever it stands in the list. A file that is
    there already is replaced only if it is an earlier result of the same photo.

    Args:
        photos: files.
        output: folder for the results.
        outputs: the folder with the record, in which ``output`` lies; None: ``output`` itself.

    Raises:
        InputError: if a result would overwrite one of the photos.

    Example:
        >>> jobs = plan_jobs([Path("x/a.png"), Path("y/a.png"), Path("b.gif")], Path("out"))
        >>> [job.output.name for job in jobs]
        ['a.png', 'a_2.png', 'b.png']
        >>> jobs[1].note
        'saved as a_2.png, because another photo has its name'
    """
    outputs = outputs or photo_folder(output)
    inside = output.relative_to(outputs.folder)
    sources = {photo.resolve() for photo in photos}
    keep_names = _first_of_each_name(photos)
    reserved = {folded((inside / photo.name).as_posix()) for photo in keep_names}
    jobs: dict[Path, Job] = {}
    for photo in [*keep_names, *photos]:
        if photo in jobs:
            continue
        wanted = (inside / _written_name(photo)).as_posix()
        if outputs.path(wanted).resolve() in sources:
            raise InputError(f"{output} would overwrite {photo}: choose another --output folder")
        if photo in keep_names:
            reserved.discard(folded(wanted))
        other = "another photo" if folded(wanted) in reserved else f"a file in {output}"
        source = source_of(photo) if outputs.has_record else ""
        name = outputs.free_name(wanted, source, reserved)
        reserved.add(folded(name))
        path = outputs.path(name)
        note = f"saved as {path.name}, because {other} has its name" if name != wanted else ""
        jobs[photo] = Job(photo, path, note, outputs)
    return [jobs[photo] for photo in photos]


def plan_folders(found: FoundPhotos, output: Path) -> list[Job]:
    """Plan the photos of ``search_photos``: sub-folders have their like in the output folder.

    Raises:
        InputError: if a result would overwrite one of the photos.
    """
    by_folder: dict[Path, list[Path]] = {}
    for photo in found.photos:
        by_folder.setdefault(found.folders[photo], []).append(photo)
    outputs = photo_folder(output)
    jobs = {
        job.photo: job
        for folder, photos in by_folder.items()
        for job in plan_jobs(photos, output / folder, outputs)
    }
    sources = {photo.resolve() for photo in found.photos}
    for job in jobs.values():
        if job.output.resolve() in sources:
            raise InputError(
                f"{output} would overwrite {job.output}: choose another --output folder"
            )
    return [jobs[photo] for photo in found.photos]


def _first_of_each_name(photos: list[Path]) -> dict[Path, None]:
    """Return the photos that keep their names: the first of each name, if it can be written."""
    first: dict[str, Path] = {}
    for photo in photos:
        if photo.suffix.lower() in WRITERS:
            first.setdefault(folded(photo.name), photo)
    return dict.fromkeys(first.values())


def _written_name(photo: Path) -> str:
    """Return the photo's name, as PNG where it must be."""
    return photo.name if photo.suffix.lower() in WRITERS else f"{photo.stem}.png"


def source_of(photo: Path) -> str:
    """Return what the record of the output folder knows a photo by: its content."""
    try:
        return f"photo:{sha256_of(photo)}"
    except OSError:  # it will be reported as unreadable
        return f"photo:{photo.name}"
