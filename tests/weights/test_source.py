"""Sources of weights: the package's own, the authors', and what is refused."""

from dataclasses import replace

import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.config import PRESETS, DetectorConfig, VAEConfig
from oldphoto.networks.mapping import PartialNonlocalMapping, PlainMapping, scratch_mapping
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths
from oldphoto.training.plan import Plan, stage_facts
from oldphoto.training.stages import copy_missing_vaes, make_stage
from oldphoto.weights import official
from oldphoto.weights.source import OfficialWeights, OwnWeights, WeightsSource
from oldphoto.weights.store import MAPPINGS, load_mapping, load_vae, save_network

TINY = PRESETS["tiny"]


@pytest.fixture
def own(tmp_path) -> OwnWeights:
    """A folder of weights of preset tiny, without a mapping."""
    torch.manual_seed(7)
    for name in ("vae_degraded", "vae_clean"):
        save_network(tmp_path / "first", name, VAE(TINY.vae), TINY.vae, {})
    detector = ScratchUNet(TINY.detector)
    save_network(tmp_path / "first", "detector", detector, TINY.detector, {})
    return WeightsSource.parse(str(tmp_path / "first"))


@pytest.fixture
def authors(tmp_path, monkeypatch) -> OfficialWeights:
    """The authors' folder, with a stand-in for reading its large files."""
    (tmp_path / "checkpoints" / "restoration").mkdir(parents=True)

    def load_file(root, file):
        with torch.device("meta"):
            return file.build()

    monkeypatch.setattr(official, "load_file", load_file)
    return WeightsSource.parse(f"official:{tmp_path}")


def make_plan(run, start) -> Plan:
    return Plan(TINY, sample_paths("old")[:8], sample_paths("clean")[:8], run, start_from=start)


def test_a_stage_starts_from_own_weights_and_trains_all_of_them(own, tmp_path):
    stage = make_stage(make_plan(tmp_path / "second", own), "vae-clean")
    start = load_vae(own.folder, "vae_clean").state_dict()
    for name, tensor in stage.trained["vae_clean"].state_dict().items():
        assert torch.equal(tensor, start[name])
    detector = make_stage(make_plan(tmp_path / "second", own), "detector").trained["detector"]
    assert detector.training and all(p.requires_grad for p in detector.parameters())


def test_vae_clean_starts_as_a_copy_where_the_preset_says_so(own, tmp_path):
    plan = make_plan(tmp_path / "second", None)
    assert stage_facts(plan, "vae-clean")["started_from"] == "random weights"
    first = load_vae(own.folder, "vae_degraded")
    save_network(plan.weights, "vae_degraded", first, TINY.vae, {})
    for shared in (True, False):
        preset = replace(TINY, shared_start=shared)
        stage = make_stage(replace(plan, preset=preset), "vae-clean")
        weight = stage.trained["vae_clean"].state_dict()["encoder.stem.weight"]
        assert torch.equal(weight, first.state_dict()["encoder.stem.weight"]) == shared
    assert stage_facts(plan, "vae-clean")["started_from"] == "the vae_degraded of this run"
    assert stage_facts(plan, "vae-degraded")["started_from"] == "random weights"


def test_the_card_names_a_start_without_the_folders_above_it(own, tmp_path):
    facts = stage_facts(make_plan(tmp_path / "second", own), "vae-clean")
    assert facts["started_from"] == "the weights first"
    assert replace(own, folder=own.folder / "weights").words == "the weights first"


def test_the_mapping_takes_over_vaes_that_the_run_lacks(own, tmp_path):
    plan = make_plan(tmp_path / "second", own)
    with pytest.raises(InputError, match="train vae-degraded and vae-clean first"):
        make_stage(plan, "mapping")
    copy_missing_vaes(plan)
    kept = (plan.weights / "vae_clean.safetensors").read_bytes()
    assert kept == (own.folder / "vae_clean.safetensors").read_bytes()
    copy_missing_vaes(replace(plan, start_from=None))  # nothing is missing: nothing happens
    with pytest.raises(InputError, match="holds no weights for variant scratch"):
        make_stage(plan, "mapping")


def test_the_authors_networks_by_stage_and_variant(authors):
    assert isinstance(authors, OfficialWeights)
    assert authors.vae("vae_degraded", "scratch").config == VAEConfig()
    assert authors.vae("vae_clean", "quality").config == VAEConfig()
    mapping = authors.mapping("scratch")
    assert isinstance(mapping, PartialNonlocalMapping)
    # What is saved after training has no note of the authors' softmax, so it is not trained with.
    assert not mapping.partial_nonlocal.authors_softmax
    assert authors.mapping("quality").config.num_blocks == 6


def test_the_authors_vae_clean_depends_on_the_variant(authors, monkeypatch):
    asked = []
    monkeypatch.setattr(official, "load_file", lambda root, file: asked.append(file.path))
    for variant in ("quality", "scratch"):
        authors.vae("vae_clean", variant)
    assert [path.split("/")[1] for path in asked] == ["VAE_B_quality", "VAE_B_scratch"]


def test_the_detector_knows_its_settings():
    assert ScratchUNet(TINY.detector).config == TINY.detector != DetectorConfig()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "expected the name of shipped weights"),
        ("official:nowhere", "expected the folder of the authors' checkpoints"),
    ],
)
def test_refusals(name, message):
    with pytest.raises(InputError, match=message):
        WeightsSource.parse(name)


def test_a_source_says_what_it_holds(own, authors, tmp_path):
    assert (own.label, own.variants, own.has_detector, own.is_official) == (
        "first",
        (),
        True,
        False,
    )
    for name in ("quality", "scratch"):
        mapping = MAPPINGS[name](TINY.mapping)
        save_network(own.folder, f"mapping_{name}", mapping, TINY.mapping, {})
    assert own.variants == ("scratch", "quality")
    assert isinstance(own.network().mapping, PartialNonlocalMapping)
    assert isinstance(own.network("quality").mapping, PlainMapping)
    assert own.mask_dilation("scratch") == 0
    assert (authors.label, authors.is_official) == ("official", True)
    assert authors.variants == ("quality", "scratch", "hr") and not authors.has_detector
    assert [authors.mask_dilation(variant) for variant in (None, *authors.variants)] == [0, 0, 0, 3]


def test_a_run_folder_is_named_by_the_run(own, tmp_path):
    own.folder.rename(tmp_path / "weights")
    (tmp_path / "my_run").mkdir()
    (tmp_path / "weights").rename(tmp_path / "my_run" / "weights")
    for folder in (tmp_path / "my_run", tmp_path / "my_run" / "weights"):
        assert WeightsSource.parse(folder).label == "my_run"
    assert WeightsSource.parse("small").label == "small"


def test_an_unknown_variant_of_the_authors_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match="variant must be one of quality, scratch, hr; got 'best'"):
        OfficialWeights(tmp_path).network("best")


@pytest.mark.parametrize("variant", ["quality", "hr"])
def test_a_mapping_that_is_not_there_begins_as_the_scratch_one(own, tmp_path, variant):
    trained = scratch_mapping(TINY.mapping)
    save_network(own.folder, "mapping_scratch", trained, TINY.mapping, {})
    plan = replace(make_plan(tmp_path / "second", own), variant=variant)
    copy_missing_vaes(plan)
    mapping = make_stage(plan, "mapping").trained[f"mapping_{variant}"].eval()
    latent = torch.randn(1, TINY.vae.latent_channels, 16, 16)
    with torch.no_grad():  # half precision on the way through the file
        torch.testing.assert_close(mapping(latent), trained.eval()(latent), rtol=0, atol=0.02)
    assert stage_facts(plan, "mapping")["started_from"] == "the weights first, the mapping scratch"


def test_a_mapping_that_is_there_is_taken(own, tmp_path):
    for name, network in (("scratch", scratch_mapping), ("quality", PlainMapping)):
        save_network(own.folder, f"mapping_{name}", network(TINY.mapping), TINY.mapping, {})
    taken, lent = own.mapping("quality"), own.mapping("hr")
    assert torch.equal(taken.to_latent.weight, load_mapping(own.folder, "quality").to_latent.weight)
    assert torch.equal(lent.to_latent.weight, own.mapping("scratch").to_latent.weight)
    assert own.mapping_words("quality") == "the weights first"


def test_no_mapping_at_all_is_refused(own):
    with pytest.raises(InputError, match="no weights for variant hr; it has: none"):
        own.mapping("hr")
