"""Weights of the package's own networks: those that ship with it, and those that training writes.

A folder of weights holds one ``NAME.safetensors`` for each network, in half precision, and beside
it ``NAME.json``: the settings that the network is built from, and how it was trained.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from oldphoto.checks import InputError, first_misfit, require_file, require_in
from oldphoto.config import DetectorConfig, MappingConfig, MappingForm, ToneConfig, VAEConfig
from oldphoto.networks.mapping import (
    LatentMapping,
    PatchAttentionMapping,
    PlainMapping,
    scratch_mapping,
)
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.tone import ToneMapping
from oldphoto.networks.vae import VAE
from oldphoto.system.files import sha256_of, write_json, written_whole

Network = TypeVar("Network", bound=nn.Module)

SHIPPED = Path(__file__).parent
MAPPINGS: dict[str, Callable[[MappingConfig], LatentMapping]] = {
    "scratch": scratch_mapping,
    "quality": PlainMapping,
    "hr": PatchAttentionMapping,
}
"""How to build the mapping of each variant; the first one that a folder has is its default."""

DETECTOR = "detector"
TONE = "tone"
MAX_CHANNELS, MAX_LAYERS = 8192, 1000
"""Bounds of the settings in a file; the paper's networks have 512 channels and 8 blocks."""

RESULTS_FILE = "results.json"
"""What an ablation measured, beside the cards of its networks: the one JSON that is no card."""

REMEDY = "copy the folder again from where it was made, or name other weights"

_FORM_BY_FLAGS: dict[tuple[str, bool, bool, bool], MappingForm] = {
    # fusion, masked, soft_mask, fill_holes
    ("parallel", True, False, False): "paper",
    ("serial", True, False, False): "serial",
    ("serial", True, True, True): "ours",
    ("serial", False, False, False): "unmasked",
}


def mapping_name(variant: str) -> str:
    """Return the file name, without suffix, of the mapping of a variant.

    >>> mapping_name("scratch")
    'mapping_scratch'
    """
    return f"mapping_{variant}"


def shipped_names() -> list[str]:
    """Return the names of the weights that ship with the package.

    >>> shipped_names()
    ['small']
    """
    return sorted(path.parent.name for path in SHIPPED.glob("*/vae_clean.json"))


def find_weights(name_or_folder: str | Path) -> Path:
    """Return the folder of the named weights, or of a training run, or the folder itself.

    Raises:
        InputError: if there are no weights of that name or in that folder.

    >>> find_weights("small").name
    'small'
    """
    given = Path(name_or_folder)
    for folder in (SHIPPED / given, given, given / "weights"):
        if (folder / "vae_clean.json").is_file() or (folder / f"{DETECTOR}.json").is_file():
            return folder
    raise InputError(
        f"expected the name of shipped weights ({', '.join(shipped_names())}) or a folder that "
        f"training wrote, got {name_or_folder}"
    )


def save_network(
    folder: Path, name: str, network: nn.Module, config: object, card: Mapping[str, Any]
) -> Path:
    """Write a network's weights in half precision, and its JSON beside them.

    Args:
        folder: made when missing.
        name: of the two files, without suffix.
        config: the dataclass that the network was built from.
        card: how it was trained: data, steps, seed, hours, device, results.

    Returns:
        The path of the weights.

    Raises:
        InputError: if a weight is too large for half precision, or not finite.
        TypeError: if config is no dataclass.
    """
    if not is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"config must be a dataclass, got {config!r}")
    tensors = {}
    for key, tensor in network.state_dict().items():
        small = tensor.half() if tensor.is_floating_point() else tensor
        if small.is_floating_point() and not small.isfinite().all():
            raise InputError(
                f"{name}: {key} holds values that half precision cannot, training failed"
            )
        tensors[key] = small.contiguous().cpu()
    path = folder / f"{name}.safetensors"
    with written_whole(path) as file:
        file.write(save(tensors))
    content = {"config": asdict(config), "sha256": sha256_of(path), "training": dict(card)}
    write_json(path.with_suffix(".json"), content)
    return path


def load_network(folder: Path, name: str, build: Callable[[dict[str, Any]], Network]) -> Network:
    """Load any network that ``save_network`` wrote, in evaluation mode.

    Args:
        folder: holds the two files.
        name: of the files, without suffix.
        build: makes the network from its settings.

    Raises:
        InputError: if a file is missing, damaged, or does not fit its settings; if the weights do
            not have the SHA-256 in the settings, or are not finite.
    """
    path = require_file(folder / f"{name}.json", f"the settings of {name}")
    weights = path.with_suffix(".safetensors")
    card = read_card(path)
    try:
        config, sha256 = current_settings(card["config"]), str(card.get("sha256", ""))
        require_sane(config)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise InputError(f"{path} is no description of a network ({error}): {REMEDY}") from error
    try:
        # First without memory: the settings may ask for more than the file of weights holds.
        with torch.device("meta"):
            plan = build(config)
    except (ValueError, TypeError, RuntimeError, OverflowError, LookupError) as error:
        raise InputError(f"{path} holds settings of no network ({error}): {REMEDY}") from error
    tensors = _read_weights(weights, plan)
    if sha256_of(weights) != sha256:
        raise InputError(
            f"{weights} does not have the SHA-256 that {path.name} says, so it was damaged or "
            f"exchanged: {REMEDY}"
        )
    network = build(config)
    network.load_state_dict(tensors, strict=True)
    return network.eval()


def read_card(path: Path) -> dict[str, Any]:
    """Read the JSON beside the weights of a network: its settings, and how it was trained.

    Raises:
        InputError: if the file is damaged.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(part, dict) for part in (card, card.setdefault("training", {}))):
            raise TypeError("expected names and values")
    except (ValueError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise InputError(f"{path} is no description of a network ({error}): {REMEDY}") from error
    return dict(card)


def require_sane(settings: Mapping[str, Any]) -> None:
    """Raise InputError if a number or a list in the settings of a network is absurdly large.

    >>> require_sane({"width": 64, "widths_in": (64, 10**9)})
    Traceback (most recent call last):
    oldphoto.checks.InputError: 1000000000 in widths_in is more than any network has
    """
    for name, value in settings.items():
        if isinstance(value, dict):
            require_sane(value)
        values = value if isinstance(value, tuple) else (value,)
        # Counts of blocks, layers and reductions; the others are channels.
        largest = MAX_LAYERS if name == "depth" or name.startswith("num_") else MAX_CHANNELS
        for one in (*values, len(values) if len(values) > MAX_LAYERS else 0):
            if isinstance(one, (int, float)) and not abs(one) <= largest:
                raise InputError(f"{one} in {name} is more than any network has")


def current_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a network as its dataclass takes them, from a JSON of any version.

    Lists become tuples, which JSON does not have. Version 0.1 described the form of a mapping by
    four flags, which become one name. Settings inside settings are treated alike.

    Raises:
        InputError: if the flags describe a form that no longer exists.

    >>> current_settings({"widths_in": [64, 128], "fusion": "serial", "masked": False})
    {'widths_in': (64, 128), 'form': 'unmasked'}
    """
    result: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            value = current_settings(value)
        result[name] = tuple(value) if isinstance(value, list) else value
    if "fusion" in result:
        # The newer a flag is, the fewer files have it. A missing one had the effect of its default.
        fusion, masked = result.pop("fusion"), result.pop("masked", True)
        soft_mask, fill_holes = result.pop("soft_mask", False), result.pop("fill_holes", False)
        form = _FORM_BY_FLAGS.get((fusion, masked, soft_mask, fill_holes))
        if form is None:
            raise InputError(
                f"no mapping has fusion {fusion}, masked {masked}, soft_mask {soft_mask} and "
                f"fill_holes {fill_holes}"
            )
        result["form"] = form
    return result


def _read_weights(path: Path, plan: nn.Module) -> dict[str, Tensor]:
    """Read a file of weights for a network, in float32; all must be there and finite."""
    require_file(path, "a file of weights")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error}): {REMEDY}") from error
    shapes = {name: like.shape for name, like in plan.state_dict().items()}
    misfit = first_misfit(shapes, tensors)
    if misfit:
        raise InputError(f"{path} does not fit its settings: {misfit}; {REMEDY}")
    kinds = {name: like.dtype for name, like in plan.state_dict().items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() != kinds[name].is_floating_point or tensor.is_complex():
            raise InputError(
                f"{path} does not fit its settings: {name} holds {tensor.dtype}, expected "
                f"{kinds[name]}; {REMEDY}"
            )
    # Files hold half precision, networks compute in float32.
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InputError(f"{path} holds values in {name} that are no finite numbers; {REMEDY}")
    return tensors


def load_vae(folder: Path, name: str) -> VAE:
    """Load ``vae_degraded`` or ``vae_clean`` from a folder of weights.

    Raises:
        InputError: if a file is missing, damaged, or does not fit its settings.

    >>> load_vae(find_weights("small"), "vae_clean").config.latent_channels
    32
    """
    return load_network(folder, name, lambda config: VAE(VAEConfig(**config)))


def load_mapping(folder: Path, variant: str) -> LatentMapping:
    """Load the mapping of a variant from a folder of weights.

    Raises:
        InputError: if the folder has none of this variant, naming those it has.

    >>> load_mapping(find_weights("small"), "scratch").config.form
    'ours'
    """
    require_in(variant, tuple(MAPPINGS), "variant")
    name = mapping_name(variant)
    if not (folder / f"{name}.json").is_file():
        there = ", ".join(available_variants(folder)) or "none"
        raise InputError(f"{folder} holds no weights for variant {variant}; it has: {there}")
    return load_network(folder, name, lambda config: MAPPINGS[variant](MappingConfig(**config)))


def available_variants(folder: Path) -> list[str]:
    """Return the variants that a folder has a mapping for, the default first.

    >>> available_variants(find_weights("small"))
    ['scratch', 'quality', 'hr']
    """
    return [v for v in MAPPINGS if (folder / f"{mapping_name(v)}.json").is_file()]


def load_weights(name_or_folder: str | Path, variant: str | None = None) -> RestorationNetwork:
    """Load the two VAEs and a mapping of the package's own weights.

    Args:
        name_or_folder: "small", or a folder written by training.
        variant: "quality" (plain mapping), "scratch" (with the partial non-local block), "hr" (with
            patch attention); None takes the first of scratch, quality, hr that is there.

    Raises:
        InputError: if a file is missing, damaged, or does not fit its settings.

    >>> import torch
    >>> load_weights("small")(torch.zeros(1, 3, 32, 48)).shape
    torch.Size([1, 3, 32, 48])
    """
    folder = find_weights(name_or_folder)
    if variant is None:
        variant = next(iter(available_variants(folder)), next(iter(MAPPINGS)))
    return RestorationNetwork(
        load_vae(folder, "vae_degraded"),
        load_vae(folder, "vae_clean"),
        load_mapping(folder, variant),
    ).eval()


def load_detector_weights(name_or_folder: str | Path) -> ScratchUNet:
    """Load the scratch detector of the package's own weights.

    Raises:
        InputError: if the folder has none, or the file is damaged.

    >>> load_detector_weights("small").size_multiple
    8
    """
    folder = find_weights(name_or_folder)
    if not (folder / f"{DETECTOR}.json").is_file():
        raise InputError(
            f"{folder} holds no scratch detector: mark the damage by hand, train one with "
            "'oldphoto train --stage detector', or use the authors' (--weights official:FOLDER, in "
            "Python ScratchDetector.from_official)"
        )
    return load_network(folder, DETECTOR, lambda config: ScratchUNet(DetectorConfig(**config)))


def load_tone(folder: Path) -> ToneMapping:
    """Load the network for the tone from a folder of weights.

    Raises:
        InputError: if the folder has none, or the file is damaged.
    """
    if not (folder / f"{TONE}.json").is_file():
        raise InputError(
            f"{folder} holds no network for the tone: keep the tone as it is, or train one with "
            "'oldphoto train --stage tone'"
        )
    return load_network(folder, TONE, lambda config: ToneMapping(ToneConfig(**config)))
