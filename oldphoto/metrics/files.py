"""Files that some metrics need and this package does not ship, and where to get them.

A metric without its file is not available, and the message says how to get the file. It is never
computed with random weights, because the number would mean nothing.
"""

from pathlib import Path

from oldphoto.checks import InputError
from oldphoto.system.download import RemoteFile
from oldphoto.system.files import sha256_of

MIB = 1 << 20

ALEXNET = RemoteFile(
    path="alexnet-owt-7be5be79.pth",
    urls=("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
    kind="torch",
    max_bytes=300 * MIB,
    sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
)
VGG16 = RemoteFile(
    path="vgg16-397923af.pth",
    urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
    kind="torch",
    max_bytes=600 * MIB,
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)
INCEPTION = RemoteFile(
    path="weights-inception-2015-12-05-6726825d.pth",
    urls=(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
    ),
    kind="torch",
    max_bytes=100 * MIB,
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
NIQE = RemoteFile(
    path="niqe_pris_params.npz",
    urls=(
        "https://github.com/XPixelGroup/BasicSR/raw/v1.4.2/basicsr/metrics/niqe_pris_params.npz",
    ),
    kind="zip",
    max_bytes=MIB,
    sha256="2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",
)
"""The authors' statistics of 125 undamaged photos, as the package BasicSR 1.4.2 holds them."""
DOWNLOADS = {
    "lpips_alex": ALEXNET,
    "lpips_vgg": VGG16,
    "fid": INCEPTION,
    "niqe": NIQE,
}
"""The files by their names in ``oldphoto download NAME``."""


class NotAvailableError(InputError):
    """A metric cannot be computed; the message says what it needs and how to get it."""


def find_metric_file(download: str, folder: Path | None) -> Path:
    """Return the path of a metric's file.

    Args:
        download: name in ``DOWNLOADS``.
        folder: folder of ``oldphoto download``, None if there is none.

    Raises:
        NotAvailableError: if the file is missing.
        InputError: if it is not the published file.
    """
    remote = DOWNLOADS[download]
    if folder is not None and (folder / remote.path).is_file():
        if remote.sha256 and sha256_of(folder / remote.path) != remote.sha256:
            raise InputError(
                f"{folder / remote.path} is not the published file, whose SHA-256 is "
                f"{remote.sha256}: delete it and download it again"
            )
        return folder / remote.path
    raise NotAvailableError(
        f"needs {Path(remote.path).name}: `python -m oldphoto download {download} --to DIR`, "
        "then `--metric-files DIR`"
    )
