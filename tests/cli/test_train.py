"""``oldphoto train``: the plan it shows, what it refuses, and that it trains and resumes."""

import errno
import io
import json
import shutil
import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from oldphoto.cli import train
from oldphoto.cli.main import main
from oldphoto.config import PRESETS
from oldphoto.networks import features
from oldphoto.samples import sample_paths
from oldphoto.system.outputs import lock_folder
from oldphoto.training import checkpoint

SHORT = ["--photos", "16", "--device", "cpu", "--precision", "fp32"]


def write_squeezenet(path):
    """Write a file of weights that fits, of random numbers."""
    torch.manual_seed(0)
    layers = features._squeezenet_layers()
    torch.save({f"features.{name}": t for name, t in layers.state_dict().items()}, path)
    return path


def test_dry_run_shows_the_stages_in_order_and_writes_nothing(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", "--run", str(run), "--preset", "tiny", "--dry-run", *SHORT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("preset tiny") and str(run) in lines[0]
    assert [line.split(":")[0] for line in lines[1::3]] == [
        "1. vae-degraded",
        "2. vae-clean",
        "3. mapping-scratch",
        "4. detector",
    ]
    assert "2 steps of 8 photos, 64 px" in lines[1]
    assert "19 old photos, 28 clean photos to degrade; begins with random" in lines[2]
    assert str(run / "weights" / "vae_degraded.safetensors") in lines[3]
    assert lines[5].endswith("begins with the vae_degraded of this run")
    assert not run.exists()


def test_batch_crop_and_rate_of_the_preset_can_be_replaced(tmp_path, capsys):
    options = ["--batch", "4", "--crop", "32", "--photos", "40", "--learning-rate", "0.01"]
    assert main(["train", "--run", str(tmp_path / "run"), "--stage", "vae-clean", *options]) == 0
    assert "1. vae-clean: 10 steps of 4 photos, 32 px" in capsys.readouterr().out
    card = json.loads((tmp_path / "run" / "vae-clean" / "config.json").read_text(encoding="utf-8"))
    assert card["stage"]["learning_rate"] == 0.01


def test_it_stops_in_time_and_goes_on_with_resume(tmp_path, capsys):
    command = ["train", "--run", str(tmp_path), "--stage", "vae-clean", *SHORT]
    assert main([*command, "--max-minutes", "1e-9"]) == 1
    assert "repeat the command with --resume to continue" in capsys.readouterr().out
    assert main(command) == 2
    assert "already holds a run: add --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert (tmp_path / "weights" / "vae_clean.safetensors").is_file()
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["preset"]["name"] == "tiny"
    assert config["features"].startswith("none: no file")
    card = json.loads((tmp_path / "weights" / "vae_clean.json").read_text(encoding="utf-8"))
    assert card["training"]["perceptual_features"].startswith("none: preset tiny gives")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "expected a folder with old/ and clean/ at nowhere"),
        (["--photos", "0"], "photos must be greater than 0, got 0"),
        (["--from", "nothing"], "expected the name of shipped weights"),
        (["--stage", "mapping"], "train vae-degraded and vae-clean first"),
        (["--device", "abacus"], "device must be cuda, mps or cpu; got 'abacus'"),
        (["--from", "official:nowhere"], "expected the folder of the authors' checkpoints"),
        (["--features", "nowhere.pth"], "expected the weights of VGG-19 or SqueezeNet 1.1"),
        (["--labelled", "nowhere"], "expected a folder with photos/ and masks/"),
        (["--textures", "nowhere"], "expected a folder of photos at nowhere"),
        (["--max-memory", "0"], "the memory limit must be greater than 0 GiB"),
        (["--max-minutes", "0"], "max_minutes must be greater than 0, got 0.0"),
        (["--save-minutes", "-1"], "save_minutes must be 0 or more, got -1.0"),
    ],
)
def test_refusals(tmp_path, capsys, options, message):
    assert main(["train", "--run", str(tmp_path / "run"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_too_few_photos_for_a_batch(tmp_path, capsys):
    for kind in ("old", "clean"):
        (tmp_path / kind).mkdir()
        for number in range(3):
            pixels = np.full((70, 70, 3), 40 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / kind / f"{number}.png")
    command = ["train", "--run", str(tmp_path / "run"), "--data", str(tmp_path), *SHORT]
    assert main(command) == 2
    assert "a batch of 8 needs at least 8 photos of each kind, got 3" in capsys.readouterr().err


def test_no_photos_at_all(tmp_path, capsys):
    (tmp_path / "old").mkdir()
    assert main(["train", "--run", str(tmp_path / "run"), "--data", str(tmp_path)]) == 2
    assert "expected photos (JPEG, PNG, TIFF, WebP) in" in capsys.readouterr().err


def test_unreadable_photos_are_named_left_out_and_counted(tmp_path, capsys):
    for kind in ("old", "clean"):
        (tmp_path / kind).mkdir()
        for path in sample_paths(kind)[:9]:
            shutil.copy(path, tmp_path / kind)
    (tmp_path / "clean" / "broken.jpg").write_bytes(b"no photo")
    command = ["train", "--run", str(tmp_path / "run"), "--data", str(tmp_path), *SHORT]
    assert main([*command, "--stage", "vae-clean"]) == 0
    said = capsys.readouterr().out
    assert said.count("broken.jpg cannot be read as a photo") == 1
    assert "1 photo left out as unreadable: broken.jpg" in said


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run whose vae-clean is trained."""
    run = tmp_path_factory.mktemp("trained")
    assert main(["train", "--run", str(run), "--stage", "vae-clean", *SHORT]) == 0
    return run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "1"], "was trained with seed 0, but now seed is 1"),
        (["--preset", "small"], "with preset name tiny, but now preset name is small"),
        (["--crop", "32"], "with crop 64, but now crop is 32"),
        (["--photos", "24"], "with num_photos 16, but now num_photos is 24"),
    ],
)
def test_a_run_of_another_configuration_is_refused(trained, capsys, options, message):
    command = ["train", "--run", str(trained), "--stage", "vae-clean", *SHORT, "--resume"]
    assert main([*command, *options]) == 2
    assert message in capsys.readouterr().err


def test_another_starting_point_is_refused_for_a_stage_that_was_begun(trained, capsys):
    command = ["train", "--run", str(trained), "--stage", "vae-clean", *SHORT, "--resume"]
    assert main([*command, "--from", str(trained)]) == 2
    assert "with started_from random weights, but now started_from is" in capsys.readouterr().err


def test_another_stage_of_the_run_may_have_another_length(trained):
    command = ["train", "--run", str(trained), "--stage", "detector", *SHORT]
    assert main([*command, "--photos", "8", "--resume"]) == 0


def test_a_run_without_a_stage_configuration_goes_on(trained):
    (trained / "vae-clean" / "config.json").unlink()
    command = ["train", "--run", str(trained), "--stage", "vae-clean", *SHORT, "--resume"]
    assert main(command) == 0


def test_two_trainings_in_one_folder_are_refused(tmp_path, capsys):
    with lock_folder(tmp_path / "run"):
        assert main(["train", "--run", str(tmp_path / "run"), "--photos", "4"]) == 2
    assert f"another process is writing into {tmp_path / 'run'}" in capsys.readouterr().err


def test_a_full_disk_ends_in_a_sentence(tmp_path, capsys, monkeypatch):
    command = ["train", "--run", str(tmp_path), "--stage", "vae-clean", *SHORT]
    assert main([*command, "--max-minutes", "1e-9"]) == 1

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.torch, "save", full)
        assert main([*command, "--resume"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "is full; the last checkpoint, if there is one, is whole: free some space" in error
    assert main([*command, "--resume"]) == 0


def test_fit_cuts_the_batch_into_parts_and_says_so(tmp_path, capsys):
    command = ["train", "--run", str(tmp_path), "--stage", "vae-clean", *SHORT]
    assert main([*command, "--fit", "--max-memory", "1e-5"]) == 2
    assert "for one photo of 64 px at a time" in capsys.readouterr().err
    assert main([*command, "--max-memory", "0.004"]) == 0
    assert "--fit splits the batch into parts that fit" in capsys.readouterr().out
    assert main([*command, "--fit", "--max-memory", "0.004", "--resume"]) == 0
    assert "times a step)" in capsys.readouterr().out


def test_the_perceptual_network_is_used_recorded_and_kept_out_of_the_state(
    tmp_path, capsys, monkeypatch
):
    tiny = PRESETS["tiny"]
    weights = replace(tiny.stages["vae-clean"].weights, perceptual_weight=1.0)
    perceptual = tiny.with_stages("vae-clean", weights=weights)
    monkeypatch.setitem(PRESETS, "tiny", perceptual)
    command = ["train", "--run", str(tmp_path / "run"), "--stage", "vae-clean", *SHORT]
    assert main([*command, "--dry-run"]) == 0
    file = write_squeezenet(tmp_path / "squeeze.pth")
    assert main([*command, "--features", str(file)]) == 0
    folder = tmp_path / "run" / "vae-clean"
    assert "perceptual" in (folder / "log.csv").read_text(encoding="utf-8").splitlines()[0]
    state = torch.load(folder / "checkpoints" / "step-00000002.pt", weights_only=True)["parts"]
    assert not [name for name in state["loss"] if not name.startswith("vae.")]
    card = json.loads((tmp_path / "run/weights/vae_clean.json").read_text(encoding="utf-8"))
    said = card["training"]["perceptual_features"]
    assert said.startswith("SqueezeNetFeatureExtractor of squeeze.pth, SHA-256 ")
    capsys.readouterr()
    assert main([*command, "--resume"]) == 2
    error = capsys.readouterr().err
    assert "but now perceptual_features is SqueezeNetFeatureExtractor of squeezenet1_1" in error


def test_without_features_the_shipped_network_stands_in_and_is_told(tmp_path, capsys, monkeypatch):
    tiny, paper = PRESETS["tiny"], PRESETS["paper"]
    like_paper = tiny.with_stages("vae-clean", weights=paper.stages["vae-clean"].weights)
    monkeypatch.setitem(PRESETS, "tiny", like_paper)
    assert main(["train", "--run", str(tmp_path), "--stage", "vae-clean", *SHORT]) == 0
    assert "uses the shipped SqueezeNet in place of VGG-19" in capsys.readouterr().out
    card = json.loads((tmp_path / "weights/vae_clean.json").read_text(encoding="utf-8"))
    said = card["training"]["perceptual_features"]
    assert said.startswith("SqueezeNetFeatureExtractor of squeezenet1_1_caffe.safetensors, SHA-256")
    assert "perceptual" in (tmp_path / "vae-clean/log.csv").read_text(encoding="utf-8")


def test_the_detector_learns_from_labelled_photos(tmp_path, trained):
    for number, path in enumerate(sample_paths("old")[:8]):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        for folder in ("photos", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "photos" / f"{number}.jpg")
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[:, 10:12] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    command = ["train", "--stage", "detector", "--labelled", str(tmp_path), *SHORT]
    first, second = tmp_path / "first", tmp_path / "second"
    assert main([*command, "--run", str(first)]) == 0
    # First damage of our own, then the labels; with --from the labels at once.
    assert main([*command, "--run", str(second), "--from", str(first)]) == 0
    assert (first / "detector" / "log.csv").is_file() and not (second / "detector").exists()
    for run, start in ((first, "the detector of this run"), (second, "the weights first")):
        card = json.loads((run / "weights" / "detector.json").read_text(encoding="utf-8"))
        assert card["training"]["num_labelled"] == 8
        assert card["training"]["started_from"] == start
        assert (run / "detector-labelled" / "log.csv").is_file()
    before = (first / "weights" / "detector.safetensors").read_bytes()
    assert main([*command, "--run", str(first), "--resume"]) == 0
    assert (first / "weights" / "detector.safetensors").read_bytes() == before


def test_the_detector_learns_from_pictures_of_damage(tmp_path, capsys):
    textures = tmp_path / "textures"
    textures.mkdir()
    for number in range(3):
        texture = np.zeros((50, 50), np.uint8)
        texture[10 * number + 5] = 255
        Image.fromarray(texture).save(textures / f"{number}.png")
    command = ["train", "--stage", "detector", "--run", str(tmp_path / "run"), *SHORT]
    with_textures = [*command, "--textures", str(textures), "--recipe", "worn"]
    assert main([*with_textures, "--dry-run"]) == 0
    assert "28 clean photos to scratch, 3 pictures of damage" in capsys.readouterr().out
    assert main(with_textures) == 0
    card = json.loads((tmp_path / "run/weights/detector.json").read_text(encoding="utf-8"))
    assert card["training"]["num_textures"] == 3
    assert card["training"]["stage"]["recipe"] == "worn"
    assert main([*command, "--recipe", "worn", "--resume"]) == 2
    assert "num_textures 3, but now num_textures is 0" in capsys.readouterr().err


def test_paper_without_a_gpu_is_told_how_long_it_takes(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(PRESETS, "paper", replace(PRESETS["tiny"], name="paper"))
    command = ["train", "--run", str(tmp_path), "--stage", "detector", "--preset", "paper", *SHORT]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "preset paper is made for a GPU; without one this stage will take about 0.0 days" in said


def test_a_start_without_a_needed_network_is_refused_before_anything_is_trained(
    tmp_path, trained, capsys
):
    for options, message in (
        (["--stage", "all"], "holds no weights for variant scratch; it has: none"),
        (["--stage", "detector"], "holds no scratch detector"),
    ):
        only_vae = tmp_path / "vae"
        shutil.copytree(trained / "weights", only_vae, dirs_exist_ok=True)
        (only_vae / "detector.json").unlink(missing_ok=True)
        run = tmp_path / "run"
        assert main(["train", "--run", str(run), "--from", str(only_vae), *options, *SHORT]) == 2
        assert message in capsys.readouterr().err
        assert not run.exists()


def test_weights_of_another_preset_bring_their_own_sizes(tmp_path):
    command = ["train", "--run", str(tmp_path), "--stage", "vae-degraded", "--from", "small"]
    assert main([*command, *SHORT, "--crop", "32"]) == 0
    card = json.loads((tmp_path / "weights" / "vae_degraded.json").read_text(encoding="utf-8"))
    assert card["config"]["latent_channels"] == PRESETS["small"].vae.latent_channels


def test_after_a_divergence_a_lower_rate_goes_on_from_the_last_checkpoint(tmp_path, capsys):
    command = ["train", "--run", str(tmp_path), "--stage", "vae-clean", *SHORT[2:]]
    command += ["--photos", "40"]
    assert main([*command, "--learning-rate", "1e-3", "--max-minutes", "1e-9"]) == 1
    assert main([*command, "--resume"]) == 2
    assert "with learning_rate 0.001, but now learning_rate is 0.002" in capsys.readouterr().err
    assert main([*command, "--resume", "--learning-rate", "1e9"]) == 2
    error = capsys.readouterr().err
    assert "--resume and a lower --learning-rate to continue from the last checkpoint" in error
    assert main([*command, "--resume", "--learning-rate", "1e-4"]) == 0
    state = torch.load(next(tmp_path.glob("**/step-00000005.pt")), weights_only=True)["parts"]
    assert state["loss_optimizer"]["param_groups"][0]["initial_lr"] == 1e-4
    assert state["loss_schedule"]["base_lrs"] == [1e-4]


def test_photos_that_a_stage_does_not_need_may_be_missing(tmp_path, capsys):
    (tmp_path / "clean").mkdir()
    for path in sample_paths("clean")[:8]:
        shutil.copy(path, tmp_path / "clean")
    command = ["train", "--run", str(tmp_path / "run"), "--data", str(tmp_path), *SHORT]
    assert main([*command, "--stage", "vae-clean"]) == 0
    assert main([*command, "--stage", "vae-degraded", "--resume"]) == 2
    assert "expected a folder of photos" in capsys.readouterr().err


def test_a_gpu_gets_workers_and_a_cpu_none():
    assert train._num_workers(None, torch.device("cpu")) == 0
    assert 1 <= train._num_workers(None, torch.device("cuda")) <= 8
    assert train._num_workers(3, torch.device("cpu")) == 3


def test_an_unreadable_photo_is_named_once_in_all_stages(capsys):
    with train._plain_warnings(print):
        for _ in range(2):
            for source in ("one", "two"):
                warnings.warn_explicit("left out: a.jpg", UserWarning, source, 1)
    assert capsys.readouterr().out.splitlines() == ["left out: a.jpg"]


def test_a_really_full_file_ends_in_a_sentence(tmp_path, capsys, monkeypatch):
    """PyTorch's own error covers the system's: the file itself has to be full."""
    genuine = checkpoint.written_whole

    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    @contextmanager
    def written_to_a_full_disk(path):
        with genuine(path):
            yield Full()

    monkeypatch.setattr(checkpoint, "written_whole", written_to_a_full_disk)
    assert main(["train", "--run", str(tmp_path), "--stage", "vae-clean", *SHORT]) == 2
    assert "is full; the last checkpoint, if there is one, is whole" in capsys.readouterr().err
