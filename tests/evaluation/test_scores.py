"""Evaluation: fixed test photos, known scores, and the table."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.cli.main import main
from oldphoto.config import PRESETS
from oldphoto.evaluation.scores import evaluate, mean_score
from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.metrics.fidelity import psnr
from oldphoto.networks.mapping import PlainMapping
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths
from oldphoto.weights.store import save_network


def test_test_photos_are_fixed_have_holes_and_white_damage():
    paths = sample_paths("held_out")[:2]
    first, again = (list(make_test_photos(paths, seed=3)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.degraded, b.degraded) and np.array_equal(a.clean, b.clean)
        assert (a.degraded[a.scratch_mask] == 255).all()
        assert 0.04 < a.scratch_mask.mean() < 0.21
    other = next(iter(make_test_photos(paths, seed=4)))
    assert not np.array_equal(first[0].degraded, other.degraded)


def test_a_restorer_that_does_nothing_scores_like_the_input():
    photos = list(make_test_photos(sample_paths("held_out")[:2]))
    scores = evaluate(lambda photo, mask: Image.fromarray(photo), photos)
    for photo, score in zip(photos, scores, strict=True):
        assert score.psnr_restored == score.psnr_degraded == psnr(photo.degraded, photo.clean)
        assert score.ssim_restored == score.ssim_degraded
    mean = mean_score(scores)
    assert mean.psnr_degraded == pytest.approx(np.mean([s.psnr_degraded for s in scores]))


def test_no_photos_is_refused():
    with pytest.raises(InputError, match="at least one clean photo"):
        list(make_test_photos([]))


def test_the_command_writes_and_prints_the_table(tmp_path, capsys):
    torch.manual_seed(0)
    tiny = PRESETS["tiny"]
    folder = tmp_path / "weights"
    for name in ("vae_degraded", "vae_clean"):
        save_network(folder, name, VAE(tiny.vae), tiny.vae, {})
    save_network(folder, "mapping_quality", PlainMapping(tiny.mapping), tiny.mapping, {})
    output = tmp_path / "out"
    assert main(["evaluate", "--weights", str(folder), "--output", str(output)]) == 0
    rows = list(csv.DictReader((output / "scores.csv").read_text(encoding="utf-8").splitlines()))
    names = [path.stem for path in sample_paths("held_out")]
    assert [row["name"] for row in rows] == [*names, "mean"]
    assert f"| mean | {float(rows[-1]['psnr_degraded']):.2f} |" in capsys.readouterr().out
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "scores.csv").write_text("of my thesis", encoding="utf-8")
    for _ in range(2):
        assert main(["evaluate", "--weights", str(folder), "--output", str(mine)]) == 0
        assert "holds another scores.csv: saved as scores_2.csv" in capsys.readouterr().err
    assert (mine / "scores.csv").read_text(encoding="utf-8") == "of my thesis"
    assert (mine / "scores_2.csv").read_bytes() == (output / "scores.csv").read_bytes()
    assert not (mine / "scores_3.csv").exists()
