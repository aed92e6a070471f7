"""The first steps to the latent translation: what is trained at once, and what is measured."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import LossWeights
from oldphoto.data import AllKinds, DegradedPairs, MixedOld
from oldphoto.evaluation.ablation import joint_training as translation
from oldphoto.evaluation.ablation.joint_training import (
    AT_ONCE,
    PIX2PIX,
    STEPS,
    AtOnceObjective,
    file_name,
    stage_of_step,
)
from oldphoto.evaluation.ablation.results import GAP, HOLES, INPUT, Column, Results
from oldphoto.evaluation.ablation.variants import MICRO, AblationRun
from oldphoto.networks.mapping import scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths

OLD, CLEAN = sample_paths("old")[:4], sample_paths("clean")[:4]


def short_run(folder: Path, num_photos: int = 8) -> AblationRun:
    preset = MICRO.with_stages("vae-degraded", "vae-clean", "mapping", num_photos=num_photos)
    return AblationRun(folder, OLD, CLEAN, num_seeds=1, preset=preset)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> AblationRun:
    made = short_run(tmp_path_factory.mktemp("steps"))
    assert translation.train_steps(made, report=lambda _: None)
    return made


def test_a_sample_of_all_kinds_is_what_the_two_datasets_serve():
    settings = dict(crop=32, seed=3, recipe="released", hole_prob=1.0)
    both = AllKinds(OLD, CLEAN, **settings)[5]
    pair, mixed = DegradedPairs(CLEAN, **settings)[5], MixedOld(OLD, CLEAN, **settings)[5]
    assert set(both) == {"old", "degraded", "clean", "scratch_mask"}
    assert torch.equal(both["old"], mixed["old"])
    assert all(torch.equal(both[name], pair[name]) for name in pair)


def test_the_terms_of_the_mapping_reach_both_vaes():
    torch.manual_seed(0)
    only_l1 = LossWeights(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    preset = MICRO.with_stages("vae-degraded", "vae-clean", weights=only_l1)
    network = RestorationNetwork(VAE(MICRO.vae), VAE(MICRO.vae), scratch_mapping(MICRO.mapping))
    stage = stage_of_step(short_run(Path()), AT_ONCE, seed=0)
    sample = {name: value[None] for name, value in stage.dataset[0].items()}
    discriminators = stage.discriminator_objective.discriminators
    terms, samples = AtOnceObjective(network, preset)(sample, discriminators)
    assert set(terms) == {
        f"mapping_{name}" for name in ("l1", "adversarial", "feature_matching", "latent_l1")
    }
    sum(terms.values()).backward()
    for part in (network.vae_degraded.encoder, network.vae_clean.decoder, network.mapping):
        assert max(weight.grad.abs().max() for weight in part.parameters()) > 0
    others = stage.discriminator_objective(samples)
    assert list(others) == [
        f"{part}_discriminator" for part in ("vae_degraded", "vae_clean", "mapping")
    ]


def test_all_three_parts_are_trained_and_their_codes_are_not_compared():
    stage = stage_of_step(short_run(Path()), AT_ONCE, seed=0)
    sample = {name: value[None] for name, value in stage.dataset[0].items()}
    terms, _ = stage.objective(sample, stage.discriminator_objective.discriminators)
    assert {name.rsplit("_l1")[0] for name in terms if name.endswith("_l1")} == {
        "vae_degraded",
        "vae_clean",
        "mapping",
        "mapping_latent",
    }
    assert not any("latent_adversarial" in name for name in terms)
    first, second = (
        stage.trained["network"].get_submodule(n) for n in ("vae_degraded", "vae_clean")
    )
    assert all(map(torch.equal, first.parameters(), second.parameters())), "they begin alike"


def test_pix2pix_sees_as_many_photos_as_the_stages_together(tmp_path):
    assert stage_of_step(short_run(tmp_path), PIX2PIX, seed=0).config.num_photos == 3 * 8
    with pytest.raises(InputError, match="step of the translation must be one of"):
        stage_of_step(short_run(tmp_path), "CycleGAN", seed=0)


def test_what_is_trained_is_not_trained_again_and_other_settings_are_refused(trained):
    written = {path.name: path.read_bytes() for path in trained.weights.iterdir()}
    assert set(written) == {
        f"{file_name(step, 0)}{suffix}" for step in STEPS for suffix in (".json", ".safetensors")
    }
    assert translation.train_steps(trained, report=pytest.fail)
    assert {path.name: path.read_bytes() for path in trained.weights.iterdir()} == written
    with pytest.raises(InputError, match=r"pix2pix_seed0\.json was trained with other settings"):
        translation.train_steps(short_run(trained.folder, num_photos=12))


def test_time_that_runs_out_leaves_nothing_half_written(tmp_path):
    hurried = short_run(tmp_path)
    hurried = replace(hurried, settings=replace(hurried.settings, max_minutes=1e-9))
    assert not translation.train_steps(hurried, report=lambda _: None)
    assert not hurried.weights.exists()


def test_the_steps_stand_beside_the_variants(trained, monkeypatch):
    monkeypatch.setattr(translation, "make_test_photos", _few(translation.make_test_photos))
    monkeypatch.setattr(translation, "gap_photos", lambda: [p[:2] for p in _gap_photos()])
    columns = Column("PSNR", 2, True), Column(GAP, 3, False)
    before = Results(columns, ("a", "b"), {INPUT: {"PSNR": [[10.0, 11.0]]}})
    results = translation.measure_steps(trained.weights, before, report=lambda _: None)
    assert list(results.values) == [INPUT, *STEPS]
    for step in STEPS:
        assert set(results.values[step]) == {"PSNR", HOLES, GAP}
        assert results.table(step, "PSNR").shape == (1, 2)
        assert results.table(step, GAP).item() > 0


_gap_photos = translation.gap_photos


def _few(make):
    return lambda paths: list(make(paths[:2]))
