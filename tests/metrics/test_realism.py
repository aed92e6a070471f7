"""FID: the closed form, not available without its file; BRISQUE: the score through piq."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.linalg import sqrtm

import oldphoto
from oldphoto.checks import InputError
from oldphoto.degradations import GaussianBlur, apply_gaussian_blur
from oldphoto.evaluation.comparison import metrics
from oldphoto.metrics import files, realism
from oldphoto.metrics.files import INCEPTION, NotAvailableError
from oldphoto.metrics.realism import brisque, fid, frechet_distance
from oldphoto.samples import sample_photo

WEIGHTS = Path(oldphoto.__file__).parent / "metrics" / "weights"


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


def test_without_its_file_fid_is_not_available(tmp_path):
    photos = [sample_photo("cat"), sample_photo("leaf")]
    for folder in (None, tmp_path):
        with pytest.raises(NotAvailableError, match="oldphoto download fid"):
            fid(photos, photos, folder)


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path):
    torch.save({"fc.weight": torch.zeros(1)}, tmp_path / INCEPTION.path)
    with pytest.raises(InputError, match="is not the published file"):
        fid([sample_photo("cat")] * 2, [sample_photo("cat")] * 2, tmp_path)


def test_the_support_vectors_are_those_of_a_machine_that_was_trained():
    vectors = load_file(WEIGHTS / "brisque_live.safetensors")
    assert vectors["support_vectors"].shape == (774, 36)
    assert vectors["support_vectors"].abs().max() <= 1  # features were scaled to [-1, 1]
    # Training a support vector regression keeps the sum of its coefficients at 0.
    assert vectors["coefficients"].shape == (774,)
    assert float(vectors["coefficients"].double().sum()) == pytest.approx(0, abs=1e-2)


def _slow_brisque(photo: np.ndarray) -> float:
    """The score, summed up vector by vector, from the features that piq computes at two sizes."""
    scores = importlib.import_module("piq.brisque")
    tensor = torch.from_numpy(photo).permute(2, 0, 1)[None].float()
    grey = scores.rgb2yiq(tensor)[:, :1].round()
    half = scores.imresize(grey, sizes=(grey.shape[2] // 2, grey.shape[3] // 2))
    features = [scores._natural_scene_statistics(size)[0] for size in (grey, half)]
    scaled = scores._scale_features(torch.cat(features).reshape(1, -1))[0].numpy()
    vectors = load_file(WEIGHTS / "brisque_live.safetensors")
    score = 153.591
    for weight, vector in zip(*(v.double().numpy() for v in vectors.values()), strict=True):
        score += weight * np.exp(-0.05 * np.square(scaled - vector).sum())
    return score


def test_brisque_is_the_sum_over_its_support_vectors():
    pytest.importorskip("piq")
    before = torch.hub.get_dir()
    for name in ("cat", "leaf"):
        photo = sample_photo(name)
        assert brisque(photo) == pytest.approx(_slow_brisque(photo), abs=0.05)
    assert torch.hub.get_dir() == before


@pytest.mark.parametrize("name", ["astronaut", "cliffs", "lighthouse", "pier"])
def test_damage_makes_brisque_worse(name):
    pytest.importorskip("piq")
    clean = sample_photo(name)
    grain = np.random.default_rng(0).normal(0, 25, clean.shape)
    noisy = np.clip(clean + grain, 0, 255).astype(np.uint8)
    blurred = apply_gaussian_blur(clean, GaussianBlur(kernel_size=15, sigma=3.0))
    assert brisque(clean) < 40 < min(brisque(noisy), brisque(blurred))


def test_without_piq_brisque_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "piq", None)
    with pytest.raises(NotAvailableError, match="pip install piq"):
        brisque(sample_photo("cat"))
    column = next(metric for metric in metrics() if metric.name == "BRISQUE")
    assert "pip install piq" in column.missing


def test_too_few_photos_are_refused():
    with pytest.raises(InputError, match="at least 2 photos"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    assert set(files.DOWNLOADS) == {"lpips_alex", "lpips_vgg", "fid", "niqe"}
