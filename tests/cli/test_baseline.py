"""``oldphoto baseline`` trains, refuses to overwrite, and its weights get a row of the table."""

import csv

import pytest

from oldphoto.cli.main import main


def test_a_trained_baseline_gets_its_row(tmp_path, capsys):
    run, output = tmp_path / "run", tmp_path / "out"
    train = ["baseline", "pix2pix", "--run", str(run), "--photos", "16", "--device", "cpu"]
    assert main(train) == 0
    assert main(train) == 2  # would start anew in a folder that holds a run
    assert "add --resume" in capsys.readouterr().err
    assert main([*train, "--resume"]) == 0
    compare = ["evaluate", "--methods", "input", "pix2pix", "attention", "--output", str(output)]
    assert main([*compare, "--baselines", str(run)]) == 0
    rows = list(csv.DictReader((output / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["method"] for row in rows] == ["Input", "Attention", "Pix2Pix"]
    assert rows[1]["PSNR"] == "" and float(rows[2]["PSNR"]) > float(rows[0]["PSNR"]) - 5
    assert int(rows[2]["parameters"]) > 100_000 and float(rows[2]["seconds"]) > 0
    table = (output / "table.md").read_text(encoding="utf-8")
    assert "Attention is not available: train it" in table
    assert "<img" in (output / "table.html").read_text(encoding="utf-8")


def test_wrong_use_is_told_in_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert main(["baseline", "pix2pix", "--run", str(tmp_path / "file")]) == 2
    assert main(["baseline", "pix2pix", "--run", str(tmp_path), "--photos", "0"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "expected a folder" in said[0] and "photos must be" in said[1]


@pytest.mark.parametrize("command", [["baseline", "pix2pix"], ["train", "--stage", "vae-clean"]])
@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_weights_of_another_origin_are_not_replaced(command, resume, tmp_path, capsys):
    name = "pix2pix" if "pix2pix" in command else "vae_clean"
    mine = tmp_path / "weights" / f"{name}.safetensors"
    mine.parent.mkdir()
    mine.write_bytes(b"trained elsewhere")
    words = ["--photos", "8", "--device", "cpu", "--run", str(tmp_path)]
    assert main([*command, *words, *resume]) == 2
    assert f"{mine} was not trained in this run" in capsys.readouterr().err
    assert mine.read_bytes() == b"trained elsewhere"


def test_a_configuration_of_another_program_is_not_replaced(tmp_path, capsys):
    (tmp_path / "config.json").write_text('{"editor": 1}', encoding="utf-8")
    assert main(["train", "--run", str(tmp_path), "--device", "cpu"]) == 2
    assert "was not written by training" in capsys.readouterr().err
    assert (tmp_path / "config.json").read_text(encoding="utf-8") == '{"editor": 1}'
