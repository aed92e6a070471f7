"""The ablation: what each variant goes without, what is shared, resuming, and the table."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from oldphoto.checks import InputError
from oldphoto.cli.main import main
from oldphoto.evaluation.ablation import (
    joint_training as translation,
)
from oldphoto.evaluation.ablation import (
    results as ablation_table,
)
from oldphoto.evaluation.ablation import (
    variants as ablation,
)
from oldphoto.evaluation.ablation.joint_training import STEPS
from oldphoto.evaluation.ablation.results import GAP, HOLES, INPUT, read_results
from oldphoto.evaluation.ablation.variants import (
    FULL,
    MICRO,
    PARTS,
    TRAINED,
    VARIANTS,
    AblationRun,
    ablated,
    checkpoint_name,
    load_micro,
    plan_of,
    same_stages,
    train_all,
)
from oldphoto.networks.mapping import PartialNonlocalMapping, PlainMapping, scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths
from oldphoto.system.files import sha256_of
from oldphoto.training.settings import LoopSettings
from oldphoto.training.stages import make_stage
from oldphoto.weights.store import save_network

SHORT = {"batch": 2, "crop": 16, "num_photos": 4}


def short_preset(**changes):
    return MICRO.with_stages(*TRAINED, **SHORT | changes)


def short_run(folder: Path, **changes) -> AblationRun:
    photos = sample_paths("old")[:4], sample_paths("clean")[:4]
    return AblationRun(folder, *photos, num_seeds=1, preset=short_preset(**changes))


def terms_of(variant: str, stage: str, run: AblationRun) -> set[str]:
    """Compute the loss of a stage on one batch and return the names of its terms."""
    made = make_stage(plan_of(run, variant, 0), stage)
    batch = torch.utils.data.default_collate([made.dataset[0], made.dataset[1]])
    other_side = made.discriminator_objective
    discriminators = other_side.discriminators if other_side is not None else {}
    return set(made.objective(batch, discriminators)[0])


def test_the_variants_are_the_whole_method_and_one_for_each_part():
    assert (FULL, *(f"without {part}" for part in PARTS)) == VARIANTS and len(PARTS) == 6
    assert ablated(MICRO, FULL) == MICRO
    assert len({checkpoint_name(variant, 0) for variant in VARIANTS}) == 7
    with pytest.raises(InputError, match="variant of the ablation must be one of full, without"):
        ablated(MICRO, "without paint")


@pytest.mark.parametrize("variant", VARIANTS[1:])
def test_a_variant_differs_from_the_whole_in_its_part_alone(variant, tmp_path):
    whole, one = (plan_of(short_run(tmp_path), name, 0) for name in (FULL, variant))
    assert (one.variant == "quality") == (variant == "without partial non-local")
    assert (one.preset.mapping.form != "unmasked") == (variant != "without mask")
    changed = {
        (stage, name)
        for stage in TRAINED
        for name, value in asdict(one.config(stage).weights).items()
        if value != getattr(whole.config(stage).weights, name)
    }
    term = ablation.TERMS.get(ablation.part_of(variant))
    assert changed == ({(stage, term[0]) for stage in term[1]} if term else set())
    back = replace(one.preset, mapping=whole.preset.mapping)
    assert replace(back, stages=whole.preset.stages) == whole.preset and one.seed == whole.seed


@pytest.mark.parametrize(
    ("part", "term", "stages"),
    [
        ("KL", "kl", ("vae-degraded", "vae-clean")),
        ("latent discriminator", "latent_adversarial", ("vae-degraded",)),
        ("adversarial loss", "adversarial", ("mapping",)),
        ("feature matching", "feature_matching", ("mapping",)),
    ],
)
def test_a_term_that_is_switched_off_is_not_computed(trained, part, term, stages):
    for stage in TRAINED:
        everything, left = (terms_of(v, stage, trained) for v in (FULL, f"without {part}"))
        assert left == everything - ({term} if stage in stages else set())
        assert (term in everything) == (stage in stages or term not in ("kl", "latent_adversarial"))


def test_vaes_are_shared_only_where_they_come_out_the_same(tmp_path):
    run = short_run(tmp_path)
    whole = plan_of(run, FULL, 0)
    shared = {name: same_stages(plan_of(run, name, 0), whole) for name in VARIANTS[1:]}
    both = ["vae_degraded", "vae_clean"]
    # The clean VAE begins as a copy of the other one, so with that it is another one, too.
    assert shared.pop("without latent discriminator") == shared.pop("without KL") == []
    assert all(names == both for names in shared.values())
    other = replace(whole, preset=whole.preset.with_stages("vae-clean", num_photos=6))
    assert same_stages(other, whole) == ["vae_degraded"]
    longer = whole.preset.with_stages("vae-degraded", num_photos=6)
    for shared_start, expected in ((True, []), (False, ["vae_clean"])):
        preset = replace(longer, shared_start=shared_start)
        assert same_stages(replace(whole, preset=preset), whole) == expected


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> AblationRun:
    """All variants with one seed, trained for two steps a stage."""
    run = short_run(tmp_path_factory.mktemp("ablation"))
    assert train_all(run, lambda sentence: None)
    return run


def test_every_variant_gets_a_checkpoint_that_tells_how_it_was_trained(trained):
    for variant in VARIANTS:
        name = checkpoint_name(variant, 0)
        card = json.loads((trained.weights / f"{name}.json").read_text(encoding="utf-8"))
        assert card["training"]["variant"] == variant and card["training"]["seed"] == 0
        assert card["training"]["mapping"]["num_photos"] == 4
        assert str(trained.folder) not in json.dumps(card)
        network = load_micro(trained.weights, variant, 0)
        plain = isinstance(network.mapping, PlainMapping)
        assert plain == (variant == "without partial non-local") and not network.training


def test_shared_vaes_are_equal_and_others_are_not(trained):
    def digests(variant):
        folder = plan_of(trained, variant, 0).weights
        return [sha256_of(folder / f"{name}.safetensors") for name in ("vae_degraded", "vae_clean")]

    whole = digests(FULL)
    for variant in VARIANTS[1:]:
        if variant in ("without latent discriminator", "without KL"):
            assert not set(digests(variant)) & set(whole)
        else:
            assert digests(variant) == whole


def test_a_micro_network_restores_like_the_one_it_was_made_of(trained):
    from oldphoto.weights.store import load_weights

    whole = load_weights(plan_of(trained, FULL, 0).run)
    micro = load_micro(trained.weights, FULL, 0)
    photo, mask = torch.rand(1, 3, 32, 32) * 2 - 1, torch.zeros(1, 1, 32, 32)
    mask[..., 8:16, 8:20] = 1
    with torch.no_grad():
        assert torch.equal(micro(photo, mask), whole(photo, mask))
    assert micro.reach == whole.reach
    assert isinstance(micro.mapping, PartialNonlocalMapping)


def test_it_stops_in_time_and_a_resumed_run_ends_with_the_same_weights(trained, tmp_path):
    run = short_run(tmp_path)
    hurry = replace(run, settings=LoopSettings(max_minutes=1e-9, save_minutes=0.0))
    said: list[str] = []
    for _ in range(2):
        assert not train_all(hurry, said.append)
    assert said == ["full, seed 0"] * 2 and not run.weights.exists()
    real, count = ablation.train_stage, 0

    def killed(*arguments, **options):
        nonlocal count
        count += 1
        if count == 6:  # in the middle of a later variant
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ablation, "train_stage", killed)
        train_all(run, said.append)
    done = {path.name: sha256_of(path) for path in run.weights.glob("*.safetensors")}
    assert 1 <= len(done) < 7
    assert train_all(run, said.append)
    for variant in VARIANTS:
        name = f"{checkpoint_name(variant, 0)}.safetensors"
        assert sha256_of(run.weights / name) == sha256_of(trained.weights / name)
        assert done.get(name, sha256_of(run.weights / name)) == sha256_of(run.weights / name)


def test_other_settings_are_not_mixed_into_a_run(trained):
    other = short_run(trained.folder, num_photos=6)
    with pytest.raises(InputError, match="was trained with other settings: repeat the options"):
        train_all(other, lambda sentence: None)


def test_a_damaged_checkpoint_is_refused_by_name(trained, tmp_path):
    name = checkpoint_name(FULL, 0)
    with pytest.raises(InputError, match=f"settings of {name}"):
        load_micro(tmp_path, FULL, 0)
    for suffix in (".json", ".safetensors"):
        (tmp_path / f"{name}{suffix}").write_bytes(
            (trained.weights / f"{name}{suffix}").read_bytes()
        )
    tensors = load_file(tmp_path / f"{name}.safetensors")
    del tensors["mapping.to_latent.weight"]
    save_file(tensors, tmp_path / f"{name}.safetensors")
    with pytest.raises(InputError, match=r"does not fit its settings: .*to_latent\.weight"):
        load_micro(tmp_path, FULL, 0)


def test_the_command_trains_stops_resumes_and_measures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("oldphoto.cli.ablation.MICRO", short_preset())
    few = sample_paths("held_out")[:2]
    for module in (ablation_table, translation):
        monkeypatch.setattr(
            module, "sample_paths", lambda kind: few if kind == "held_out" else few[:1]
        )
    command = [
        "ablation",
        "--run",
        str(tmp_path),
        "--seeds",
        "1",
        "--photos",
        "2",
        "--device",
        "cpu",
    ]
    assert main([*command, "--max-minutes", "1e-9"]) == 1
    assert "the same command with --resume goes on" in capsys.readouterr().out
    assert main(command) == 2
    assert "holds a run already: add --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    said = capsys.readouterr().out
    assert "| without mask |" in said and "BRISQUE ↓" in said
    results = read_results(tmp_path / "weights")
    assert list(results.values) == [INPUT, *VARIANTS, *STEPS] and results.photos == tuple(
        path.stem for path in few
    )
    assert [c.name for c in results.columns[:3]] == ["PSNR", HOLES, "SSIM"]
    assert all(
        results.table(v, c.name) is not None for v in (*VARIANTS, *STEPS) for c in results.columns
    )
    assert results.table(FULL, GAP).shape == (1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "expected a folder with old/ and clean/ at nowhere"),
        (["--photos", "0"], "photos must be greater than 0, got 0"),
        (["--seeds", "0"], "num_seeds must be greater than 0, got 0"),
        (["--device", "abacus"], "device must be cuda, mps or cpu"),
    ],
)
def test_refusals(tmp_path, capsys, options, message):
    assert main(["ablation", "--run", str(tmp_path / "run"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["ablation", "--run", str(tmp_path / "file")]) == 2
    assert "expected a folder for --run" in capsys.readouterr().err


def test_the_preset_fits_into_the_limit(tmp_path):
    network = RestorationNetwork(VAE(MICRO.vae), VAE(MICRO.vae), scratch_mapping(MICRO.mapping))
    config = ablation.MicroConfig(MICRO.vae, MICRO.mapping, "scratch")
    path = save_network(tmp_path, "one", ablation.used_parts(network), config, {})
    assert path.stat().st_size <= ablation.MAX_BYTES
