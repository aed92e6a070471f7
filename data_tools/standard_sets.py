"""``python -m data_tools standard``: well-known sets of clean photos, with checksum and resume.

torchvision knows three of the sets; it is left to check and unpack them. Its own download starts
anew after every cut, which for two gigabytes on a slow line means never, so the archive is fetched
with ``oldphoto.system.download`` to the place where torchvision looks for it.
"""

import argparse
import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, write_catalogue
from data_tools.examine import upright_size
from oldphoto.checks import InputError, require_in
from oldphoto.images.files import READABLE
from oldphoto.system.download import RemoteFile, fetch
from oldphoto.system.files import sha256_of

# isort: split
import oldphoto.system.torchvision_compat  # noqa: F401  (before torchvision)

# isort: split
from torchvision.datasets import Imagenette, VOCDetection

_FLICKR_TERMS = "Flickr terms of use; for research, not to be passed on"
_VOC = "https://thor.robots.ox.ac.uk/pascal/VOC/"


@dataclass(frozen=True)
class StandardSet:
    """One set of photos.

    Args:
        title: its full name.
        remote: its archive.
        md5: of the archive, as torchvision has it; empty where ``remote`` has a SHA-256.
        photos: folder of the photos once unpacked, relative to the folder of the download.
        num_photos: how many lie there.
        licence: under which the photos may be used, in a few words.
        licence_url: where its owners say so.
        unpack: unpacks the archive, which lies in the folder that is passed.
    """

    title: str
    remote: RemoteFile
    md5: str
    photos: str
    num_photos: int
    licence: str
    licence_url: str
    unpack: Callable[[Path], object]


def unpack_voc2012(folder: Path) -> None:
    """Let torchvision check and unpack Pascal VOC 2012."""
    VOCDetection(folder, year="2012", image_set="trainval", download=True)


def unpack_voc2007(folder: Path) -> None:
    """Let torchvision check and unpack Pascal VOC 2007."""
    VOCDetection(folder, year="2007", image_set="trainval", download=True)


def unpack_imagenette(folder: Path) -> None:
    """Let torchvision check and unpack Imagenette at 320 px."""
    shutil.rmtree(folder / "imagenette2-320", ignore_errors=True)  # half of it, from a stopped run
    Imagenette(folder, split="train", size="320px", download=True)


def unpack_div2k(folder: Path) -> None:
    """Unpack the validation photos of DIV2K."""
    with zipfile.ZipFile(folder / "DIV2K_valid_HR.zip") as file:
        file.extractall(folder)  # Python removes absolute names and ".." by itself


STANDARD_SETS = {
    "voc2012": StandardSet(
        "Pascal VOC 2012",
        RemoteFile(
            "VOCtrainval_11-May-2012.tar",
            (_VOC + "voc2012/VOCtrainval_11-May-2012.tar",),
            kind="tar",
            max_bytes=2_100_000_000,
        ),
        "6cd6e144f989b92b3379bac3b3de84fd",
        "VOCdevkit/VOC2012/JPEGImages",
        17_125,
        _FLICKR_TERMS,
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/#rights",
        unpack_voc2012,
    ),
    "voc2007": StandardSet(
        "Pascal VOC 2007",
        RemoteFile(
            "VOCtrainval_06-Nov-2007.tar",
            (_VOC + "voc2007/VOCtrainval_06-Nov-2007.tar",),
            kind="tar",
            max_bytes=500_000_000,
        ),
        "c52e279531787c972589f7e41ab4ae64",
        "VOCdevkit/VOC2007/JPEGImages",
        5_011,
        _FLICKR_TERMS,
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/#rights",
        unpack_voc2007,
    ),
    "imagenette": StandardSet(
        "Imagenette, 320 px",
        RemoteFile(
            "imagenette2-320.tgz",
            ("https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",),
            kind="gzip",
            max_bytes=400_000_000,
        ),
        "3df6f0d01a2c9592104656642f5e78a3",
        "imagenette2-320",
        13_394,
        "ImageNet terms of access; non-commercial research and education",
        "https://www.image-net.org/download.php",
        unpack_imagenette,
    ),
    "div2k-valid": StandardSet(
        "DIV2K, validation",
        RemoteFile(
            "DIV2K_valid_HR.zip",
            ("https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_valid_HR.zip",),
            kind="zip",
            max_bytes=460_000_000,
            sha256="20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
        ),
        "",
        "DIV2K_valid_HR",
        100,
        "academic research only",
        "https://data.vision.ee.ethz.ch/cvl/DIV2K/",
        unpack_div2k,
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(STANDARD_SETS)}")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where it goes")


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
    """Bring a set into a folder; what is there already is not fetched or unpacked again.

    Returns:
        The folder of the photos; ``catalogue.csv`` in it names source and licence of each.

    Raises:
        InputError: if it cannot be downloaded, or what came is not the set.
    """
    photos = folder / chosen.photos
    if len(_photos_in(photos)) != chosen.num_photos:
        archive = fetch(chosen.remote, folder)
        require_md5(archive, chosen.md5)
        _unpack(chosen, folder, archive)
    found = _photos_in(photos)
    if len(found) != chosen.num_photos:
        raise InputError(
            f"expected {chosen.num_photos} photos in {photos}, found {len(found)}; "
            "delete the folder and run the command again"
        )
    if not (photos / CATALOGUE_NAME).is_file():
        rows = [_row(path, photos, chosen) for path in tqdm(found, desc="list", unit="photo")]
        write_catalogue(photos / CATALOGUE_NAME, rows)
    return photos


def require_md5(archive: Path, md5: str) -> None:
    """Raise InputError unless the archive has this MD5; an empty one fits every archive."""
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
    """Unpack; an archive that cannot be read is one sentence."""
    try:
        chosen.unpack(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise InputError(f"{archive} cannot be unpacked: {error}; is the disk full?") from error


def _photos_in(folder: Path) -> list[Path]:
    """Return the photos below a folder, sorted; none if it is not there."""
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
