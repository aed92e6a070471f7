"""``oldphoto train``: factors of the losses and shares of holes in the place of the preset's."""

import json

import pytest

from oldphoto.cli.main import main
from oldphoto.config import PRESETS
from oldphoto.metrics.perceptual import SHIPPED_SQUEEZENET

SHORT = ["--photos", "16", "--device", "cpu", "--precision", "fp32"]


def test_factors_of_the_loss_and_the_holes_of_the_preset_can_be_replaced(tmp_path):
    run = tmp_path / "run"
    names = ("adversarial", "feature-matching", "latent-adversarial", "l1", "kl")
    options = [word for name in names[:2] for word in (f"--{name}-weight", "0")]
    options += ["--l1-weight", "3", "--hole-prob", "1", "--hole-ratio", "0.1", "0.2"]
    command = ["train", "--run", str(run), "--stage", "vae-degraded", *options, *SHORT]
    assert main(command) == 0
    stage = json.loads((run / "vae-degraded" / "config.json").read_text(encoding="utf-8"))["stage"]
    assert stage["weights"]["l1_weight"] == 3.0
    assert (
        stage["weights"]["adversarial_weight"] == stage["weights"]["feature_matching_weight"] == 0
    )
    assert stage["weights"]["kl_weight"] == PRESETS["tiny"].stages["vae-degraded"].weights.kl_weight
    assert stage["hole_prob"] == 1.0
    assert stage["hole_ratio"] == [0.1, 0.2]
    header = (run / "vae-degraded" / "log.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "latent_discriminator" in header.split(",") and "discriminator" not in header.split(",")


def test_a_term_that_the_preset_goes_without_can_be_asked_for(tmp_path):
    run = tmp_path / "run"
    command = ["train", "--run", str(run), "--stage", "vae-clean", "--perceptual-weight", "1"]
    assert main([*command, "--features", str(SHIPPED_SQUEEZENET), *SHORT]) == 0
    header = (run / "vae-clean" / "log.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "perceptual" in header.split(",")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--l1-weight", "-1"], "l1_weight must be 0 or more, got -1"),
        (["--kl-weight", "inf"], "kl_weight must be 0 or more, got inf"),
        (["--latent-l1-weight", "nan"], "latent_l1_weight must be 0 or more, got nan"),
        (["--hole-prob", "1.5"], "hole_prob must be within 0.0 and 1.0, got 1.5"),
        (["--hole-ratio", "0.3", "0.1"], "ratio of a hole mask lies within 0 and 0.6"),
    ],
)
def test_factors_and_holes_out_of_range_are_refused(options, message, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", "--run", str(run), *options]) == 2
    assert message in capsys.readouterr().err
    assert not run.exists()


def test_how_often_the_first_vae_learns_from_photos_with_holes():
    shares = {name: preset.stages["vae-degraded"].hole_prob for name, preset in PRESETS.items()}
    assert shares == {"tiny": 0.0, "course": 1.0, "small": 0.5, "paper": 0.0}
