"""``oldphoto download``: download weights that do not ship with the package."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from oldphoto.checks import GIB, InputError
from oldphoto.metrics.files import DOWNLOADS
from oldphoto.system.archives import unzip
from oldphoto.system.download import DownloadError, RemoteFile, fetch
from oldphoto.system.files import sha256_of


@dataclass(frozen=True)
class Entry:
    """A download with a name.

    Attributes:
        about: one line for ``--help``.
        file: the file, as its authors publish it.
        unpack: members of an archive to unpack, as paths in the folder of the download.
        copies: the same files one by one, for the case that the archive cannot be downloaded.
        next_step: how to use it; ``{folder}`` is the folder of the download.
    """

    about: str
    file: RemoteFile
    unpack: tuple[str, ...] = ()
    copies: tuple[RemoteFile, ...] = ()
    next_step: str = ""

    @property
    def results(self) -> tuple[str, ...]:
        """Paths of the resulting files in the folder of the download."""
        return self.unpack or (self.file.path,)


# Three public projects that unpack the authors' archive give the same SHA-256.
DETECTOR_SHA256 = "b2d7ab04e9b3885c6b1991bb7a0b823129dd6e3ac078a9fd059ebd2a7ba59a95"
OFFICIAL_FILES = (
    "checkpoints/detection/FT_Epoch_latest.pt",
    "checkpoints/restoration/VAE_A_quality/latest_net_G.pth",
    "checkpoints/restoration/VAE_B_quality/latest_net_G.pth",
    "checkpoints/restoration/VAE_B_scratch/latest_net_G.pth",
    "checkpoints/restoration/mapping_quality/latest_net_mapping_net.pth",
    "checkpoints/restoration/mapping_scratch/latest_net_mapping_net.pth",
    "checkpoints/restoration/mapping_Patch_Attention/latest_net_mapping_net.pth",
)
# Copies of the unpacked archive. The second lacks mapping_Patch_Attention, hence the order.
OFFICIAL_COPIES = (
    "https://huggingface.co/shaitanzx/FooocusExtend/resolve/main/old_photo/global",
    "https://huggingface.co/databuzzword/bringing-old-photos-back-to-life/resolve/main/Global",
)
OFFICIAL = Entry(
    about="the authors' restoration networks and scratch detector (2 GB, MIT licence)",
    file=RemoteFile(
        path="global_checkpoints.zip",
        urls=(
            "https://github.com/microsoft/Bringing-Old-Photos-Back-to-Life/"
            "releases/download/v1.0/global_checkpoints.zip",
            "https://github.com/Haoming02/sd-webui-old-photo-restoration/"
            "releases/download/1.0/global_checkpoints.zip",
        ),
        kind="zip",
        max_bytes=4 * GIB,
        members=OFFICIAL_FILES,
    ),
    unpack=OFFICIAL_FILES,
    copies=tuple(
        RemoteFile(
            path=path,
            urls=tuple(f"{address}/{path}" for address in OFFICIAL_COPIES),
            kind="torch",
            max_bytes=GIB,
            sha256=DETECTOR_SHA256 if path.endswith("FT_Epoch_latest.pt") else "",
        )
        for path in OFFICIAL_FILES
    ),
    next_step=(
        "use it with --weights official:{folder}; the authors published no checksum of "
        "global_checkpoints.zip, so the one of what came is kept in global_checkpoints.zip.json "
        "and compared next time; the archive itself may be deleted"
    ),
)

VGG = Entry(
    about="VGG19 of torchvision, for the perceptual loss and metric (575 MB, BSD licence)",
    file=RemoteFile(
        path="vgg19-dcbb9e9d.pth",
        urls=("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",),
        kind="torch",
        max_bytes=GIB,
        sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    ),
    next_step="use it where the course asks for the VGG19 file: {folder}/vgg19-dcbb9e9d.pth",
)

_ABOUT_METRICS = {
    "lpips_alex": "AlexNet of torchvision, for LPIPS (233 MB)",
    "lpips_vgg": "VGG-16 of torchvision, for LPIPS with VGG (528 MB)",
    "fid": "Inception of 2015, for FID (91 MB)",
    "niqe": "statistics of undamaged photos, for NIQE (12 kB)",
}
ENTRIES = {"official": OFFICIAL, "vgg": VGG} | {
    name: Entry(
        about=about,
        file=DOWNLOADS[name],
        next_step="`python -m oldphoto evaluate --metric-files {folder}` uses it",
    )
    for name, about in _ABOUT_METRICS.items()
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    listed = "; ".join(f"{name}: {entry.about}" for name, entry in ENTRIES.items())
    parser.add_argument("name", choices=ENTRIES, help=listed)
    parser.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="folder for the files"
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="another address of the same file, tried first, such as a copy in your network",
    )


def run(args: argparse.Namespace) -> int:
    """Download an entry and print its files and what to do with them."""
    entry = ENTRIES[args.name]
    for path in obtain(entry, args.to, args.url):
        print(path)
    print(entry.next_step.format(folder=args.to))
    return 0


def obtain(
    entry: Entry,
    folder: Path,
    first_url: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Path]:
    """Download an entry into a folder, unless it is there, and return its files.

    Args:
        entry: the download.
        folder: made if it is missing.
        first_url: another address of the entry's file, tried before its own.
        sleep: waits between attempts; tests pass their own.

    Raises:
        InputError: if it cannot be downloaded; the sentence says how to do it by hand.
    """
    results = [folder / path for path in entry.results]
    if entry.unpack and all(path.is_file() for path in results):
        return results
    try:
        urls = (first_url, *entry.file.urls) if first_url else entry.file.urls
        archive = fetch(replace(entry.file, urls=urls), folder, sleep)
        if entry.unpack:
            unzip(archive, folder, entry.unpack)
            _require_known(entry, folder)
    except DownloadError as error:
        _fetch_copies(entry, folder, sleep, error)
    return results


def _require_known(entry: Entry, folder: Path) -> None:
    """Check the unpacked files whose checksums are known."""
    for copy in entry.copies:
        path = folder / copy.path
        if copy.sha256 and sha256_of(path) != copy.sha256:
            path.unlink()
            raise InputError(
                f"{copy.path} in {entry.file.path} is not its authors' file, whose SHA-256 is "
                f"{copy.sha256}; delete {folder / entry.file.path} and download it again"
            )


def _fetch_copies(
    entry: Entry, folder: Path, sleep: Callable[[float], None], first_error: DownloadError
) -> None:
    """Download the files one by one from copies of the unpacked archive."""
    reasons = first_error.reasons
    try:
        if not entry.copies:
            raise first_error
        print(f"{first_error}; trying copies kept by others than its authors", file=sys.stderr)
        for copy in entry.copies:
            fetch(copy, folder, sleep)
    except DownloadError as error:
        if error is not first_error:
            reasons = reasons + error.reasons
        raise InputError(
            f"{DownloadError(first_error.name, reasons)}; if this machine is offline, download "
            f"{entry.file.urls[0]} on another one, put it at {folder / entry.file.path} "
            "and run this command again"
        ) from error
