"""The table of an ablation: means, intervals, paired differences, the gap between codes, files."""

import csv

import numpy as np
import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import TINY
from oldphoto.evaluation.ablation import results as ablation_table
from oldphoto.evaluation.ablation.results import (
    GAP,
    INPUT,
    Column,
    Results,
    as_csv,
    as_markdown,
    latent_gap,
    read_results,
    require_own_results,
    write_results,
)
from oldphoto.evaluation.ablation.variants import FULL, VARIANTS
from oldphoto.images.files import load_rgb
from oldphoto.metrics.bootstrap import bootstrap_crossed
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths, sample_photo


def example() -> Results:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 8, 4)  # photos are hard or easy for all variants alike
    values = {INPUT: {"PSNR": [[10.0, 11.0, 12.0, 13.0]]}}
    for number, variant in enumerate(VARIANTS):
        rows = [(20 - number + noise + 0.1 * seed).tolist() for seed in range(3)]
        values[variant] = {"PSNR": rows, GAP: [[0.3], [0.4], [0.5]]}
    columns = Column("PSNR", 2, True), Column(GAP, 3, False)
    return Results(columns, ("a", "b", "c", "d"), values, ("BRISQUE is not available: a file",))


def test_means_intervals_and_differences_are_those_of_the_tables():
    results = example()
    assert results.num_seeds == 3
    table = results.table(VARIANTS[2], "PSNR")
    assert table.shape == (3, 4)
    assert results.interval(VARIANTS[2], "PSNR") == bootstrap_crossed(table)
    assert results.seed_means(FULL, "PSNR") == pytest.approx(
        results.table(FULL, "PSNR").mean(axis=1)
    )
    difference = results.difference(VARIANTS[2], "PSNR")
    assert difference.mean == difference.low == pytest.approx(-2)  # pair by pair, no doubt is left
    alone = [results.interval(name, "PSNR") for name in (FULL, VARIANTS[2])]
    assert alone[1].high > alone[0].low
    assert results.interval(INPUT, GAP) is None and results.difference(INPUT, GAP) is None
    with pytest.raises(InputError, match="hold no 'SSIM' of 'full'"):
        results.table(FULL, "SSIM")


def test_the_tables_have_what_is_known_and_what_is_missing(tmp_path):
    results = example()
    rows = list(csv.DictReader(as_csv(results).splitlines()))
    assert [row["variant"] for row in rows] == [INPUT, *VARIANTS]
    assert float(rows[0]["PSNR"]) == 11.5 and rows[0][GAP] == ""
    differences = [row["PSNR minus full"] for row in rows]
    assert differences[:2] == ["", ""] and float(differences[3]) == pytest.approx(-2)
    text = as_markdown(results).splitlines()
    assert text[0] == "|  | PSNR ↑ | Wasserstein ↓ |"
    assert "3 seeds and 4 photos" in text[11]
    assert text[16].startswith("| without partial non-local | -2.00 [-2.00, -2.00] * | +0.000")
    assert text[-1] == "BRISQUE is not available: a file"
    write_results(tmp_path, results)
    assert as_csv(read_results(tmp_path)) == as_csv(results)
    write_results(tmp_path, results)  # its own files may be replaced
    (tmp_path / "results.json").write_text("{}", encoding="utf-8")
    for refused in (require_own_results, lambda folder: write_results(folder, results)):
        with pytest.raises(InputError, match=r"results\.json is not a file"):
            refused(tmp_path)
    for text in ("{}", "[]", "null", "[" * 100_000):
        (tmp_path / "results.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="holds no results of an ablation"):
            read_results(tmp_path)
    with pytest.raises(InputError, match="expected the results of `oldphoto ablation`"):
        read_results(tmp_path / "nowhere")


def test_the_gap_is_0_for_equal_photos_and_grows_with_damage():
    torch.manual_seed(0)
    vae = VAE(TINY.vae).eval()
    photos = [sample_photo(name) for name in ("pier", "canyon")]
    assert latent_gap(vae.encode, photos, photos) == pytest.approx(0, abs=1e-9)
    little, much = ([degrade_noise(photo, sigma) for photo in photos] for sigma in (10, 60))
    assert 0.01 < latent_gap(vae.encode, photos, little) < latent_gap(vae.encode, photos, much)
    # The scale of the codes is no matter: ten times as large ones lie no further apart.
    before = latent_gap(vae.encode, photos, much)
    with torch.no_grad():
        vae.encoder.head.weight.mul_(10)
        vae.encoder.head.bias.mul_(10)
    assert latent_gap(vae.encode, photos, much) == pytest.approx(before, rel=1e-4)


def degrade_noise(photo: np.ndarray, sigma: float) -> np.ndarray:
    noisy = photo + np.random.default_rng(0).normal(0, sigma, photo.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def test_the_gap_is_measured_on_old_photos_and_on_held_out_ones_degraded():
    old, degraded = ablation_table.gap_photos()
    paths = sample_paths("old")
    assert len(old) == len(paths) and np.array_equal(old[0], load_rgb(paths[0]))
    assert len(degraded) == 3 * len(sample_paths("held_out"))
    assert not np.array_equal(degraded[0], degraded[len(sample_paths("held_out"))])
