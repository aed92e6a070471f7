"""Weights: round trip in half precision, defaults, and refusals that name file and tensor."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from oldphoto.checks import InputError
from oldphoto.config import PRESETS
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.vae import VAE
from oldphoto.system.files import sha256_of
from oldphoto.weights import store as weights

TINY = PRESETS["tiny"]


def write_all(folder: Path, variants: tuple[str, ...] = ("scratch",)) -> RestorationNetwork:
    torch.manual_seed(0)
    vaes = {name: VAE(TINY.vae) for name in ("vae_degraded", "vae_clean")}
    for name, vae in vaes.items():
        weights.save_network(folder, name, vae, TINY.vae, {"steps": 3})
    mappings = {v: weights.MAPPINGS[v](TINY.mapping) for v in variants}
    for variant, mapping in mappings.items():
        weights.save_network(folder, weights.mapping_name(variant), mapping, TINY.mapping, {})
    return RestorationNetwork(*vaes.values(), mappings[variants[0]]).eval()


def test_round_trip_within_half_precision(tmp_path):
    before = write_all(tmp_path)
    after = weights.load_weights(tmp_path)
    for (name, a), (other, b) in zip(
        before.state_dict().items(), after.state_dict().items(), strict=True
    ):
        assert name == other
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)
        assert b.dtype == torch.float32
    photo = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(before(photo), after(photo), rtol=0, atol=0.01)


def test_the_json_tells_settings_and_training(tmp_path):
    write_all(tmp_path)
    card = json.loads((tmp_path / "vae_clean.json").read_text(encoding="utf-8"))
    assert card["config"]["width"] == TINY.vae.width
    assert card["training"] == {"steps": 3}
    assert len(card["sha256"]) == 64


def test_a_run_folder_and_its_weights_folder_are_the_same(tmp_path):
    write_all(tmp_path / "weights")
    assert weights.find_weights(tmp_path) == tmp_path / "weights"
    assert weights.find_weights(tmp_path / "weights") == tmp_path / "weights"


def test_the_default_variant_is_the_first_that_is_there(tmp_path):
    write_all(tmp_path, ("quality",))
    assert weights.available_variants(tmp_path) == ["quality"]
    assert not hasattr(weights.load_weights(tmp_path).mapping, "partial_nonlocal")
    with pytest.raises(InputError, match="no weights for variant scratch; it has: quality"):
        weights.load_weights(tmp_path, "scratch")
    with pytest.raises(InputError, match="variant must be one of"):
        weights.load_weights(tmp_path, "best")


def test_the_detector_round_trips_with_its_running_means(tmp_path):
    detector = ScratchUNet(TINY.detector)
    detector(torch.rand(2, 1, 32, 32))  # moves the running means of the batch norms
    weights.save_network(tmp_path, "detector", detector, TINY.detector, {})
    loaded = weights.load_detector_weights(tmp_path)
    grey = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded(grey), detector.eval()(grey), rtol=1e-2, atol=1e-2)
    assert not loaded.training


FLAGS = ("fusion", "masked", "soft_mask", "fill_holes")


@pytest.mark.parametrize(
    ("flags", "form"),
    [
        (("parallel", True, False, False), "paper"),
        (("serial", True, False, False), "serial"),
        (("serial", True, True, True), "ours"),
        (("serial", False, False, False), "unmasked"),
        (("serial", True), "serial"),  # before soft_mask and fill_holes existed
    ],
)
def test_flags_of_version_0_1_become_a_form(flags, form):
    old = dict(zip(FLAGS, flags, strict=False)) | {"widths_in": [8, 6], "skip": True}
    expected = {"widths_in": (8, 6), "skip": True, "form": form}
    assert weights.current_settings(old) == expected
    assert weights.current_settings({"mapping": old, "variant": "hr"})["mapping"] == expected
    assert weights.current_settings(expected) == expected


def test_flags_of_a_form_that_no_longer_exists_are_refused(tmp_path):
    write_all(tmp_path)
    path = tmp_path / "mapping_scratch.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    del card["config"]["form"]
    card["config"] |= dict(zip(FLAGS, ("parallel", True, True, False), strict=True))
    path.write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(InputError, match="no mapping has fusion parallel, masked True, soft_mask"):
        weights.load_weights(tmp_path)


def test_shipped_weights_build_the_form_they_were_trained_as():
    small = weights.find_weights("small")
    forms = [weights.load_mapping(small, variant).config.form for variant in weights.MAPPINGS]
    assert forms == ["ours"] * 3
    for path in (weights.SHIPPED / "ablation").glob("*_seed?.json"):
        card = json.loads(path.read_text(encoding="utf-8"))
        form = weights.current_settings(card["config"])["mapping"]["form"]
        assert form == ("unmasked" if path.name.startswith("without_mask") else "serial")


def test_unknown_name(tmp_path):
    with pytest.raises(InputError, match="expected the name of shipped weights"):
        weights.load_weights("large")
    with pytest.raises(InputError, match=r"or a folder that training wrote"):
        weights.load_weights(tmp_path)


def damage_missing_file(folder: Path) -> None:
    (folder / "mapping_scratch.safetensors").unlink()


def damage_cut_file(folder: Path) -> None:
    path = folder / "vae_clean.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def damage_missing_tensor(folder: Path) -> None:
    path = folder / "vae_clean.safetensors"
    tensors = load_file(path)
    del tensors["encoder.stem.weight"]
    save_file(tensors, path)


def damage_other_shape(folder: Path) -> None:
    path = folder / "vae_clean.safetensors"
    tensors = load_file(path)
    tensors["encoder.stem.weight"] = torch.zeros(1)
    save_file(tensors, path)


def damage_other_kind(folder: Path) -> None:
    (folder / "mapping_scratch.safetensors").replace(folder / "vae_clean.safetensors")


def damage_no_settings(folder: Path) -> None:
    (folder / "vae_clean.json").write_text('{"config": [1]}', encoding="utf-8")


def damage_unknown_setting(folder: Path) -> None:
    (folder / "vae_clean.json").write_text('{"config": {"nonsense": 1}}', encoding="utf-8")


def damage_wrong_setting(folder: Path) -> None:
    (folder / "vae_clean.json").write_text('{"config": {"stem": "x"}}', encoding="utf-8")


def damage_json(folder: Path) -> None:
    (folder / "vae_clean.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_missing_file, "mapping_scratch.safetensors, but no such file"),
        (damage_cut_file, "vae_clean.safetensors is not a whole safetensors file"),
        (damage_missing_tensor, r"vae_clean.*encoder\.stem\.weight is missing \(1 of \d+ are\)"),
        (damage_other_shape, r"vae_clean.*encoder\.stem\.weight of shape \(32, 48, 3, 3\), got"),
        (damage_other_kind, r"vae_clean\.safetensors.*encoder\.stem\.weight is missing \(\d"),
        (damage_json, "vae_clean.json is no description of a network"),
        (damage_no_settings, "vae_clean.json is no description of a network"),
        (damage_unknown_setting, "vae_clean.json holds settings of no network.*'nonsense'"),
        (damage_wrong_setting, "vae_clean.json holds settings of no network .stem must be one of"),
    ],
)
def test_damaged_folders_are_refused_by_name(tmp_path, damage, message):
    write_all(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        weights.load_weights(tmp_path)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 250


def damage_one_bit(folder: Path) -> None:
    path = folder / "vae_clean.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def damage_no_sum(folder: Path) -> None:
    change_card(folder, lambda card: card.pop("sha256"))


def damage_not_finite(folder: Path) -> None:
    path = folder / "vae_clean.safetensors"
    tensors = load_file(path)
    tensors["encoder.stem.weight"][0, 0, 0, 0] = torch.nan
    save_file(tensors, path)
    change_card(folder, lambda card: card.update(sha256=sha256_of(path)))


def change_card(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "vae_clean.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    change(card)
    path.write_text(json.dumps(card), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_one_bit, "vae_clean.safetensors does not have the SHA-256 that vae_clean.json"),
        (damage_no_sum, "vae_clean.safetensors does not have the SHA-256"),
        (damage_not_finite, r"holds values in encoder\.stem\.weight that are no finite numbers"),
    ],
)
def test_other_weights_than_the_card_says_are_refused(tmp_path, damage, message):
    write_all(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=message):
        weights.load_weights(tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("width", 10**9),
        ("width", 10**30),
        ("width", 8000),
        ("latent_channels", -5),
        ("num_blocks", 10**9),
        ("num_blocks", 900),
        ("num_blocks", 2.5),
        ("num_blocks", float("nan")),
        ("width", [64] * 5000),
        ("width", "wide"),
        ("norm", {"norm": 10**12}),
    ],
)
def test_settings_are_checked_before_memory_is_taken(tmp_path, monkeypatch, setting, value):
    write_all(tmp_path)
    change_card(tmp_path, lambda card: card["config"].update({setting: value}))
    empty = torch.empty

    def small_only(*size: object, **options: object) -> torch.Tensor:
        made = empty(*size, **options)
        assert made.device.type == "meta" or made.nbytes < 10**7
        return made

    monkeypatch.setattr(torch, "empty", small_only)
    with pytest.raises(InputError, match=r"vae_clean\.(json|safetensors)"):
        weights.load_weights(tmp_path)


def test_json_nested_without_end_is_refused(tmp_path):
    write_all(tmp_path)
    for text in ("[" * 100_000, '{"config":' * 100_000, '{"config": ' + "9" * 5000 + "}"):
        (tmp_path / "vae_clean.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"vae_clean\.json is no description of a network"):
            weights.load_weights(tmp_path)


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path):
    vae = VAE(TINY.vae)
    with torch.no_grad():
        vae.encoder.stem.weight.fill_(1e6)
    with pytest.raises(InputError, match=r"encoder\.stem\.weight holds values"):
        weights.save_network(tmp_path, "vae_clean", vae, TINY.vae, {})
    assert not list(tmp_path.iterdir())


def test_every_shipped_network_loads():
    for name in weights.shipped_names():
        folder = weights.find_weights(name)
        for variant in weights.available_variants(folder):
            weights.load_weights(name, variant)
        weights.load_detector_weights(folder)


def test_a_folder_without_a_detector_says_what_to_do_instead(tmp_path):
    write_all(tmp_path)
    with pytest.raises(InputError, match="holds no scratch detector: mark the damage by hand"):
        weights.load_detector_weights(tmp_path)


@pytest.mark.parametrize("kind", [torch.int32, torch.bool, torch.complex64])
def test_numbers_of_another_kind_are_refused(tmp_path, kind):
    rewrite(tmp_path, lambda tensor: tensor.to(kind))
    with pytest.raises(InputError, match=r"does not fit its settings: .* holds torch"):
        weights.load_weights(tmp_path)


def test_numbers_too_large_for_the_network_are_refused(tmp_path):
    rewrite(tmp_path, lambda tensor: tensor.double() * 0 + 1e300)
    with pytest.raises(InputError, match="are no finite numbers"):
        weights.load_weights(tmp_path)


def rewrite(folder: Path, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Change the first tensor of vae_clean, and make its card fit."""
    write_all(folder)
    path = folder / "vae_clean.safetensors"
    tensors = load_file(path)
    name = next(iter(tensors))
    save_file(tensors | {name: change(tensors[name])}, path)
    card = weights.read_card(path.with_suffix(".json"))
    content = card | {"sha256": sha256_of(path)}
    path.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("text", ["[]", "null", '{"training": []}', "{"])
def test_a_card_that_is_no_table_is_one_sentence(tmp_path, text):
    (tmp_path / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="is no description of a network"):
        weights.read_card(tmp_path / "card.json")
