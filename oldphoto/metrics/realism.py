"""FID and BRISQUE: does a photo look real, whatever it should show?

FID compares two sets of photos and needs no pairs. It needs a file that this package does not
ship, see ``oldphoto.metrics.files``. BRISQUE rates a single photo, and its support vectors are
part of the package.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

import oldphoto.system.torchvision_compat  # noqa: F401  torch-fidelity and piq import torchvision
from oldphoto.checks import InputError
from oldphoto.metrics.files import NotAvailableError, find_metric_file

_SUPPORT_VECTORS = Path(__file__).parent / "weights" / "brisque_live.safetensors"


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    r"""Return the squared Fréchet distance of two sets of features with normal distributions.

    .. math:: \|\mu_1 - \mu_2\|^2 + \operatorname{tr}(C_1 + C_2 - 2 (C_1 C_2)^{1/2})

    The trace of the root is the sum of the singular values of :math:`A B^T`, where :math:`A^T A`
    is one covariance and :math:`B^T B` the other. That is exact for any number of photos and needs
    no root of a matrix.

    Args:
        first, second: (N, C) and (M, C), one photo per row, N and M at least 2.

    >>> points = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    >>> round(frechet_distance(points, points + 3.0), 6)
    18.0

    Raises:
        InputError: if the tables cannot be compared.

    Source:
        Heusel et al. 2017 (arXiv 1706.08500), eq. 6; Dowson and Landau 1982.
    """
    tables = [np.asarray(table, dtype=np.float64) for table in (first, second)]
    if any(t.ndim != 2 or len(t) < 2 for t in tables) or tables[0].shape[1] != tables[1].shape[1]:
        raise InputError(
            "expected two tables (photos, features) with at least 2 photos and as many features, "
            f"got {tables[0].shape} and {tables[1].shape}"
        )
    means = [table.mean(axis=0) for table in tables]
    a, b = (
        (table - mean) / np.sqrt(len(table) - 1) for table, mean in zip(tables, means, strict=True)
    )
    # R of a QR decomposition has the same covariance and no more rows than columns.
    a, b = (np.asarray(np.linalg.qr(x, "r")) if len(x) > x.shape[1] else x for x in (a, b))
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    apart = np.square(means[0] - means[1]).sum()
    return float(apart + np.square(a).sum() + np.square(b).sum() - 2 * root)


def inception_features(photos: Sequence[np.ndarray], folder: Path | None) -> np.ndarray:
    """Return the 2048 features of the FID network for each photo, (N, 2048).

    Args:
        photos: uint8 (H, W, 3) of any size.
        folder: folder of ``oldphoto download fid``.

    Raises:
        NotAvailableError: if the network's file or the package torch-fidelity is missing.

    Source:
        Inception of December 2015, from torch-fidelity.
    """
    path = find_metric_file("fid", folder)
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise NotAvailableError("needs a package: `pip install torch-fidelity`") from error
    network = FeatureExtractorInceptionV3("fid", ["2048"], feature_extractor_weights_path=str(path))
    with torch.no_grad():
        return np.concatenate([network(_batch(photo))[0].numpy() for photo in photos])


def fid(outputs: Sequence[np.ndarray], cleans: Sequence[np.ndarray], folder: Path | None) -> float:
    """Return the Fréchet inception distance of two sets of photos, 0 for equal sets.

    With fewer photos than the 2048 features it is far too high. Compare it within one table only.

    Args:
        outputs, cleans: uint8 (H, W, 3), at least 2 of each.
        folder: folder of ``oldphoto download fid``.

    Raises:
        NotAvailableError: as ``inception_features``.
        InputError: if there are fewer than 2 photos.
    """
    return frechet_distance(*(inception_features(set_, folder) for set_ in (outputs, cleans)))


def brisque(photo: np.ndarray) -> float:
    """Return the BRISQUE score: about 0 for a natural photo, 100 for a badly distorted one.

    Args:
        photo: (H, W, 3) uint8, of more than one colour.

    Raises:
        NotAvailableError: if the package piq is missing.

    Source:
        Mittal et al. 2012 (doi 10.1109/TIP.2012.2214050), computed by piq with the support vectors
        that the authors fitted to the LIVE database.
    """
    piq = require_piq()
    before = torch.hub.get_dir()
    torch.hub.set_dir(_hub_folder().name)
    try:
        return float(piq.brisque(_batch(photo).float() / 255, data_range=1.0))
    finally:
        torch.hub.set_dir(before)


def require_piq() -> ModuleType:
    """Return piq, which computes BRISQUE.

    Raises:
        NotAvailableError: if it is not installed.
    """
    try:
        import piq
    except ImportError as error:
        raise NotAvailableError("needs a package: `pip install piq`") from error
    return piq


@cache
def _hub_folder() -> TemporaryDirectory:
    """Return a folder with the shipped support vectors where torch.hub keeps downloads.

    piq looks for its file there. The folder is made for the first photo and deleted when the
    program ends.
    """
    vectors = load_file(_SUPPORT_VECTORS)
    folder = TemporaryDirectory(prefix="oldphoto-brisque-")
    path = Path(folder.name) / "checkpoints" / "brisque_svm_weights.pt"
    path.parent.mkdir()
    torch.save((vectors["coefficients"][:, None], vectors["support_vectors"]), path)
    return folder


def _batch(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None]
