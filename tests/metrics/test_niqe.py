"""NIQE: the fit, the blocks, the distance, and the file that it needs."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import gennorm

from oldphoto.checks import InputError
from oldphoto.evaluation.comparison import metrics
from oldphoto.images.files import load_rgb
from oldphoto.metrics import files
from oldphoto.metrics import niqe as module
from oldphoto.metrics.files import NotAvailableError
from oldphoto.metrics.niqe import block_features, natural_statistics, niqe
from oldphoto.samples import sample_paths
from oldphoto.system.files import sha256_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with statistics of the package's own photos, accepted in place of the authors'."""
    rows = np.concatenate(
        [block_features(module._brightness(load_rgb(path))) for path in sample_paths("held_out")]
    )
    rows = rows[np.isfinite(rows).all(axis=1)]
    path = tmp_path / files.NIQE.path
    np.savez(path, mu_pris_param=rows.mean(0)[None], cov_pris_param=np.cov(rows, rowvar=False))
    monkeypatch.setitem(files.DOWNLOADS, "niqe", replace(files.NIQE, sha256=sha256_of(path)))
    return tmp_path


@pytest.mark.parametrize("shape", [0.8, 2.0, 4.0])
def test_the_fit_finds_the_distribution_that_values_come_from(shape):
    values = gennorm.rvs(shape, scale=1.5, size=40000, random_state=1)
    found, left, right = module._fit(values)
    assert found == pytest.approx(shape, rel=0.06)
    assert (left, right) == (pytest.approx(1.5, rel=0.06), pytest.approx(1.5, rel=0.06))


def test_a_wider_right_side_has_a_larger_right_scale():
    values = np.abs(np.random.default_rng(0).normal(size=40000))
    values[:10000] *= -1  # a side has a share of the values in proportion to its scale
    values[10000:] *= 3
    shape, left, right = module._fit(values)
    assert right / left == pytest.approx(3, rel=0.05)
    assert shape == pytest.approx(2, rel=0.1)


def test_blocks_are_read_row_by_row_and_the_rest_is_left_out():
    rng = np.random.default_rng(0)
    grey = rng.normal(128, 20, size=(200, 290))
    grey[96:192, 192:288] = rng.normal(128, 20, size=(96, 96)).repeat(2, axis=1)[:, :96]
    features = block_features(grey)
    assert features.shape == (6, module.NUM_FEATURES)
    # Twins side by side: products with the horizontal neighbour are positive, in the last block.
    assert features[:, 3].argmax() == 5
    assert np.array_equal(features, block_features(grey[:192, :288]))


def test_halving_keeps_a_ramp_and_removes_stripes():
    rows, columns = np.mgrid[:40.0, :60.0]
    half = module._halved(3 * rows + columns)
    expected = 3 * (2 * np.arange(20)[:, None] + 0.5) + 2 * np.arange(30) + 0.5
    assert half[3:-3, 3:-3] == pytest.approx(expected[3:-3, 3:-3])
    assert np.abs(module._halved((-1.0) ** columns))[:, 3:-3].max() < 0.01


def test_the_brightness_has_video_levels():
    assert module._brightness(np.uint8([[[0, 0, 0], [255, 255, 255]]])).tolist() == [[16.0, 235.0]]


def test_undamaged_photos_are_near_and_damage_moves_them_away(folder):
    photo = load_rgb(sample_paths("held_out")[0])
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 25, photo.shape), 0, 255)
    blurred = photo[::3, ::3].repeat(3, axis=0).repeat(3, axis=1)
    natural = natural_statistics(folder)
    clean = niqe(photo, natural)
    assert niqe(noisy.astype(np.uint8), natural) > 1.5 * clean
    assert niqe(blurred, natural) > 1.5 * clean


def test_the_distance_is_that_of_equation_10(folder):
    photo = load_rgb(sample_paths("held_out")[1])
    rows = block_features(module._brightness(photo))
    mean, covariance = natural_statistics(folder)
    both = (np.cov(rows, rowvar=False) + covariance) / 2
    difference = rows.mean(0) - mean
    expected = np.sqrt(difference @ np.linalg.solve(both, difference))
    assert niqe(photo, (mean, covariance)) == pytest.approx(expected, rel=1e-4)


def test_small_and_even_photos_are_refused(folder):
    natural = natural_statistics(folder)
    for photo in (np.full((300, 300, 3), 90, np.uint8), np.zeros((95, 400, 3), np.uint8)):
        with pytest.raises(InputError, match="at least two blocks of 96 x 96 pixels"):
            niqe(photo, natural)


def test_without_its_file_it_is_no_column_and_says_what_to_download(folder, tmp_path):
    assert [m.name for m in metrics(folder)][-2:] == ["BRISQUE", "NIQE"]
    assert "NIQE" not in [metric.name for metric in metrics()]
    with pytest.raises(NotAvailableError, match="oldphoto download niqe --to DIR"):
        natural_statistics(tmp_path / "empty")


def test_another_file_is_refused(folder, monkeypatch):
    path = folder / files.NIQE.path
    np.savez(path, other=np.zeros(3))
    with pytest.raises(InputError, match="not the published file"):
        metrics(folder)
    monkeypatch.setitem(files.DOWNLOADS, "niqe", replace(files.NIQE, sha256=sha256_of(path)))
    with pytest.raises(InputError, match="does not hold the statistics of NIQE"):
        metrics(folder)
