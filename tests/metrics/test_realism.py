"""FID: the closed form; BRISQUE: its file through piq; both not available without their files."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from oldphoto.checks import InputError
from oldphoto.metrics import files, realism
from oldphoto.metrics.files import BRISQUE, INCEPTION, NotAvailableError
from oldphoto.metrics.realism import brisque, fid, frechet_distance
from oldphoto.samples import sample_photo


def test_in_one_dimension_it_is_the_distance_of_means_and_deviations():
    first, second = np.array([[1.0], [3.0], [5.0]]), np.array([[10.0], [20.0]])
    # means 3 and 15, deviations 2 and sqrt(50)
    assert frechet_distance(first, second) == pytest.approx(12**2 + (2 - 50**0.5) ** 2)


@pytest.mark.parametrize(("n", "m"), [(40, 30), (4, 50), (3, 4)])
def test_equals_the_formula_with_the_root_of_a_matrix(n, m):
    rng = np.random.default_rng(n)
    first = rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6))
    second = rng.normal(size=(m, 6)) + 1
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    apart = np.square(first.mean(0) - second.mean(0)).sum()
    root = np.trace(sqrtm(c1 @ c2 + 0j)).real
    expected = apart + np.trace(c1) + np.trace(c2) - 2 * root
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-3)


def test_equal_sets_have_no_distance_and_moved_ones_the_square_of_the_move():
    table = np.random.default_rng(0).normal(size=(20, 8))
    assert frechet_distance(table, table) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(table, table + 2) == pytest.approx(4 * 8)


def test_fid_is_the_distance_of_what_the_network_returns(monkeypatch):
    monkeypatch.setattr(
        realism, "inception_features", lambda photos, _: np.array([p.ravel()[:2] for p in photos])
    )
    rng = np.random.default_rng(1)
    photos = [rng.integers(0, 100, (4, 4, 3), dtype=np.uint8) for _ in range(5)]
    assert fid(photos, [p + 10 for p in photos], None) == pytest.approx(200)


def test_without_their_files_neither_is_available(tmp_path):
    photos = [sample_photo("cat"), sample_photo("leaf")]
    for folder in (None, tmp_path):
        with pytest.raises(NotAvailableError, match="oldphoto download fid"):
            fid(photos, photos, folder)
        with pytest.raises(NotAvailableError, match="oldphoto download brisque"):
            brisque(photos[0], folder)


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path):
    torch.save({"fc.weight": torch.zeros(1)}, tmp_path / INCEPTION.path)
    with pytest.raises(InputError, match="is not the published file"):
        fid([sample_photo("cat")] * 2, [sample_photo("cat")] * 2, tmp_path)


def _brisque_file(folder, coefficients, vectors):
    path = folder / BRISQUE.path
    path.parent.mkdir()
    torch.save((coefficients, vectors), path)


def test_brisque_reads_the_downloaded_support_vectors(tmp_path):
    pytest.importorskip("piq")
    _brisque_file(tmp_path, torch.zeros(5, 1), torch.zeros(5, 36))
    before = torch.hub.get_dir()
    # No vector counts: only the constant of the published model is left.
    assert brisque(sample_photo("cat"), tmp_path) == pytest.approx(153.591, abs=1e-3)
    assert torch.hub.get_dir() == before


class _Code:
    def __reduce__(self):
        return (print, ("code from the file ran",))


def test_code_in_a_file_of_brisque_is_not_run(tmp_path, capsys):
    pytest.importorskip("piq")
    _brisque_file(tmp_path, _Code(), torch.zeros(1))
    with pytest.raises(InputError, match="no file of tensors"):
        brisque(sample_photo("cat"), tmp_path)
    assert capsys.readouterr().out == ""


def test_too_few_photos_are_refused():
    with pytest.raises(InputError, match="at least 2 photos"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    assert set(files.DOWNLOADS) == {"lpips_alex", "lpips_vgg", "fid", "brisque"}
