"""``python -m data_tools standard``: download well-known sets of clean photos.

torchvision checks and unpacks three of the sets. Its own download cannot resume, so two gigabytes
may never arrive on a slow line; the archive is therefore fetched with resume to the place where
torchvision looks for it.
"""

import argparse
import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, write_catalogue
from data_tools.examine import upright_size
from oldphoto.checks import InputError, require_in
from oldphoto.images.files import READABLE
from oldphoto.system.download import RemoteFile, fetch
from oldphoto.system.files import sha256_of
from oldphoto.system.outputs import OutputFolder

# isort: split
import oldphoto.system.torchvision_compat  # noqa: F401  (before torchvision)

# isort: split
from torchvision.datasets import Imagenette, VOCDetection

_STAGE = "unpacking"


@dataclass(frozen=True)
class StandardSet:
    """One set of photos.

    Args:
        title: full name of the set.
        remote: its archive.
        md5: MD5 of the archive, as torchvision has it; empty if ``remote`` has a SHA-256.
        photos: folder of the unpacked photos, relative to the download folder.
        num_photos: number of photos in it.
        licence: licence of the photos in a few words.
        licence_url: page on which the owners state it.
        unpack: unpacks the archive in the given download folder.
    """

    title: str
    remote: RemoteFile
    md5: str
    photos: str
    num_photos: int
    licence: str
    licence_url: str
    unpack: Callable[[Path], object]


def _voc(year: str, archive: str, md5: str, num_photos: int, max_bytes: int) -> StandardSet:
    """Return Pascal VOC of one year; torchvision checks and unpacks it."""
    address = f"https://thor.robots.ox.ac.uk/pascal/VOC/voc{year}/{archive}"
    return StandardSet(
        title=f"Pascal VOC {year}",
        remote=RemoteFile(archive, (address,), kind="tar", max_bytes=max_bytes),
        md5=md5,
        photos=f"VOCdevkit/VOC{year}/JPEGImages",
        num_photos=num_photos,
        licence="Flickr terms of use; for research, not to be passed on",
        licence_url=f"http://host.robots.ox.ac.uk/pascal/VOC/voc{year}/#rights",
        unpack=partial(VOCDetection, year=year, image_set="trainval", download=True),
    )


def _unpack_div2k(folder: Path) -> None:
    """Unpack the validation photos of DIV2K."""
    with zipfile.ZipFile(folder / "DIV2K_valid_HR.zip") as file:
        file.extractall(folder)  # Python itself removes absolute names and ".."


STANDARD_SETS = {
    "voc2012": _voc(
        "2012",
        "VOCtrainval_11-May-2012.tar",
        md5="6cd6e144f989b92b3379bac3b3de84fd",
        num_photos=17_125,
        max_bytes=2_100_000_000,
    ),
    "voc2007": _voc(
        "2007",
        "VOCtrainval_06-Nov-2007.tar",
        md5="c52e279531787c972589f7e41ab4ae64",
        num_photos=5_011,
        max_bytes=500_000_000,
    ),
    "imagenette": StandardSet(
        title="Imagenette, 320 px",
        remote=RemoteFile(
            "imagenette2-320.tgz",
            ("https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",),
            kind="gzip",
            max_bytes=400_000_000,
        ),
        md5="3df6f0d01a2c9592104656642f5e78a3",
        photos="imagenette2-320",
        num_photos=13_394,
        licence="ImageNet terms of access; non-commercial research and education",
        licence_url="https://www.image-net.org/download.php",
        unpack=partial(Imagenette, split="train", size="320px", download=True),
    ),
    "div2k-valid": StandardSet(
        title="DIV2K, validation",
        remote=RemoteFile(
            "DIV2K_valid_HR.zip",
            ("https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_valid_HR.zip",),
            kind="zip",
            max_bytes=460_000_000,
            sha256="20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
        ),
        md5="",
        photos="DIV2K_valid_HR",
        num_photos=100,
        licence="academic research only",
        licence_url="https://data.vision.ee.ethz.ch/cvl/DIV2K/",
        unpack=_unpack_div2k,
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(STANDARD_SETS)}")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="download folder")


def run(args: argparse.Namespace) -> int:
    """Download, check and unpack a set, and list its photos in a catalogue."""
    require_in(args.name, tuple(STANDARD_SETS), "NAME")
    chosen = STANDARD_SETS[args.name]
    print(f"{chosen.title}. Licence: {chosen.licence} ({chosen.licence_url}).")
    photos = install(chosen, args.to)
    print(f"{chosen.num_photos} photos in {photos}")
    print(f"next: python -m data_tools clean {photos} --output {args.to / 'clean'}")
    return 0


def install(chosen: StandardSet, folder: Path) -> Path:
    """Download and unpack a set, unless it is already there.

    It is unpacked elsewhere and then moved to its place. A folder there, such as a set from which
    photos were removed, is moved aside, and that is printed.

    Returns:
        The folder of the photos; its ``catalogue.csv`` states source and licence of each.

    Raises:
        InputError: if the set cannot be downloaded, or the archive does not hold it.
    """
    photos = folder / chosen.photos
    if len(_photos_in(photos)) != chosen.num_photos:
        archive = fetch(chosen.remote, folder)
        require_md5(archive, chosen.md5)
        _unpack(chosen, folder, archive)
    found = _photos_in(photos)
    if not (photos / CATALOGUE_NAME).is_file():
        rows = [_row(path, photos, chosen) for path in tqdm(found, desc="list", unit="photo")]
        write_catalogue(photos / CATALOGUE_NAME, rows)
    return photos


def require_md5(archive: Path, md5: str) -> None:
    """Raise InputError unless the archive has this MD5; an empty MD5 is not checked."""
    if not md5:
        return
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5:
        raise InputError(
            f"{archive} should have the MD5 {md5} and has {found}; "
            f"delete it and {archive.name}.json and run the command again"
        )


def _unpack(chosen: StandardSet, folder: Path, archive: Path) -> None:
    """Unpack the archive and move the set to its place.

    Raises:
        InputError: if the archive cannot be read, or does not hold the photos.
    """
    with OutputFolder(folder) as outputs:
        stage = outputs.new_path(_STAGE)
        shutil.rmtree(stage, ignore_errors=True)  # of a command that was killed
        stage.mkdir()
        try:
            _put_into(archive, stage)
            chosen.unpack(stage)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
            raise InputError(f"{archive} cannot be unpacked: {error}; is the disk full?") from error
        found = len(_photos_in(stage / chosen.photos))
        if found != chosen.num_photos:
            raise InputError(
                f"expected {chosen.num_photos} photos in {archive}, found {found} in {stage}"
            )
        top = "/".join(Path(chosen.photos).parts[:2])  # VOCdevkit alone holds sets of several years
        if os.path.lexists(outputs.path(top)):
            print(f"{outputs.path(top)} held another number of photos: it is now ", end="")
            print(outputs.path(outputs.put_aside(top)))
        outputs.path(top).parent.mkdir(parents=True, exist_ok=True)
        (stage / top).rename(outputs.path(top))
        shutil.rmtree(stage)


def _put_into(archive: Path, folder: Path) -> None:
    """Give a file a second name in a folder, where torchvision looks for it; else copy it."""
    try:
        (folder / archive.name).hardlink_to(archive)
    except OSError:  # a drive without hard links
        shutil.copyfile(archive, folder / archive.name)


def _photos_in(folder: Path) -> list[Path]:
    """Return the photos below a folder, sorted; none if there is no folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in READABLE)


def _row(path: Path, folder: Path, chosen: StandardSet) -> CatalogueRow:
    """Return the catalogue row of a photo."""
    height, width = upright_size(path)
    return CatalogueRow(
        path=path.relative_to(folder).as_posix(),
        sha256=sha256_of(path),
        width=width,
        height=height,
        source=chosen.title,
        licence=chosen.licence,
        licence_url=chosen.licence_url,
    )
