"""Read the authors' released checkpoints into our networks, strictly, and without running code.

Their loader continues with random weights when a file is missing or does not fit; this one raises.
The outputs equal those of the authors' modules, with one exception: for sides that are no multiple
of 32 their high-resolution mapping leaves a strip of zeros at the right and lower border of the
latent. Ours pads the incomplete patches there and treats them like all others.
"""

import pickle
import re
import struct
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from oldphoto.checks import InputError, first_misfit, require_folder, require_in
from oldphoto.config import DetectorConfig, VAEConfig
from oldphoto.networks.mapping import (
    OFFICIAL_HR,
    OFFICIAL_PLAIN,
    OFFICIAL_SCRATCH,
    AuthorsMapping,
    LatentMapping,
    PatchAttentionMapping,
    PlainMapping,
)
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.vae import VAE
from oldphoto.weights.official_names import (
    Modules,
    detector_modules,
    official_name,
    patch_attention_modules,
    plain_modules,
    scratch_modules,
    vae_modules,
)

N = TypeVar("N", bound=nn.Module)

REMEDY = "get the authors' files with `python -m oldphoto download official --to FOLDER`"

# What reading a damaged file can end in: torch.load has no error of its own.
_DAMAGE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)


@dataclass(frozen=True)
class OfficialFile(Generic[N]):
    """One of the authors' files and the network that its tensors fit.

    Attributes:
        path: inside the folder that holds ``restoration`` and ``detection``.
        build: makes the network; its weights are replaced.
        modules: paths of our modules to paths of theirs.
        entry: the key of the tensors in the file; "" = the file holds nothing but the tensors.
    """

    path: str
    build: Callable[[], N]
    modules: Modules
    entry: str = ""


def _vae(folder: str) -> OfficialFile[VAE]:
    path = f"restoration/{folder}/latest_net_G.pth"
    return OfficialFile(path, lambda: VAE(VAEConfig()), vae_modules())


def _mapping(
    folder: str, build: Callable[[], LatentMapping], modules: Modules
) -> OfficialFile[LatentMapping]:
    path = f"restoration/{folder}/latest_net_mapping_net.pth"
    return OfficialFile(path, build, modules)


VAE_DEGRADED = _vae("VAE_A_quality")
VAE_CLEAN_AND_MAPPING: dict[str, tuple[OfficialFile[VAE], OfficialFile[LatentMapping]]] = {
    "quality": (
        _vae("VAE_B_quality"),
        _mapping("mapping_quality", lambda: PlainMapping(OFFICIAL_PLAIN), plain_modules()),
    ),
    "scratch": (
        _vae("VAE_B_scratch"),
        _mapping("mapping_scratch", lambda: AuthorsMapping(OFFICIAL_SCRATCH), scratch_modules()),
    ),
    "hr": (
        _vae("VAE_B_scratch"),
        _mapping(
            "mapping_Patch_Attention",
            lambda: PatchAttentionMapping(OFFICIAL_HR),
            patch_attention_modules(),
        ),
    ),
}
DETECTOR = OfficialFile(
    "detection/FT_Epoch_latest.pt",
    lambda: ScratchUNet(DetectorConfig()),
    detector_modules(),
    entry="model_state",
)
VARIANTS = tuple(VAE_CLEAN_AND_MAPPING)


def load_official(folder: Path, variant: str) -> RestorationNetwork:
    """Return the authors' restoration network, on the CPU, in evaluation mode.

    Args:
        folder: the one that holds ``restoration`` and ``detection``, or its parent, or the
            authors' checkout.
        variant: "quality" for photos without scratches, "scratch" for scratched ones, "hr" for
            scratched ones of high resolution.

    Raises:
        InputError: if a file is missing, unreadable or not the one of that name, or if a tensor
            in it is missing, left over or of another shape.
    """
    require_in(variant, VARIANTS, "variant")
    root = find_checkpoints(folder)
    vae_clean, mapping = VAE_CLEAN_AND_MAPPING[variant]
    return RestorationNetwork(
        load_file(root, VAE_DEGRADED), load_file(root, vae_clean), load_file(root, mapping)
    ).eval()


def load_official_detector(folder: Path) -> ScratchUNet:
    """Return the authors' scratch detector, on the CPU, in evaluation mode.

    Args:
        folder: as for ``load_official``.

    Raises:
        InputError: as for ``load_official``.
    """
    return load_file(find_checkpoints(folder), DETECTOR).eval()


def find_checkpoints(folder: Path) -> Path:
    """Return the folder that holds ``restoration`` or ``detection``: this one, or one inside it.

    Raises:
        InputError: if there is none.
    """
    require_folder(folder, "the folder of the authors' checkpoints")
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    for root in (folder, folder / "checkpoints", folder / "Global" / "checkpoints", *inside):
        if (root / "restoration").is_dir() or (root / "detection").is_dir():
            return root
    raise InputError(
        f"expected the authors' folders restoration and detection in {folder}, "
        f"but neither is there; {REMEDY}"
    )


def expected_shapes(network: nn.Module, modules: Modules) -> dict[str, torch.Size]:
    """Return the names and shapes that a checkpoint of the authors must have for a network."""
    return {
        official_name(ours, modules): tensor.shape for ours, tensor in network.state_dict().items()
    }


def load_file(root: Path, file: OfficialFile[N]) -> N:
    """Return the network of one of the authors' files.

    Args:
        root: as ``find_checkpoints`` returns it.
        file: which one.

    Raises:
        InputError: as for ``load_official``.
    """
    path = root / file.path
    tensors = _read_tensors(path, file.entry)
    with torch.random.fork_rng(devices=[]):  # reading weights must not move the caller's seed
        network = file.build()
    misfit = first_misfit(expected_shapes(network, file.modules), tensors)
    if misfit:
        raise InputError(f"{path} does not hold the authors' network: {misfit}; {REMEDY}")
    state = {
        ours: _as_type(path, tensors[official_name(ours, file.modules)], like)
        for ours, like in network.state_dict().items()
    }
    network.load_state_dict(state, assign=True)
    return network


def _read_tensors(path: Path, entry: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"expected a checkpoint of the authors at {path}, none is there; {REMEDY}")
    content = _read(path)
    if entry:
        if not isinstance(content, Mapping) or entry not in content:
            raise InputError(f"expected the entry {entry} in {path}, it has none; {REMEDY}")
        content = content[entry]
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        raise InputError(
            f"expected nothing but named tensors in {path}, it holds something else "
            f"(an optimizer state, perhaps); {REMEDY}"
        )
    return dict(content)


def _read(path: Path) -> Any:
    """Return what torch.save wrote, as long as it is tensors and plain containers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.load warns about guesses on damaged files
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code:
            raise InputError(
                f"{path} asks to run {code[1]}, which no file of weights needs; it was not run; "
                f"delete the file and {REMEDY}"
            ) from error
        raise InputError(
            f"{path} is damaged, cut short, or not a file of weights; {REMEDY}"
        ) from error


def _as_type(path: Path, tensor: Tensor, like: Tensor) -> Tensor:
    """Return the tensor in the network's type; half precision copies become float32."""
    if tensor.is_floating_point() != like.is_floating_point():
        raise InputError(
            f"expected tensors of {like.dtype} in {path}, got {tensor.dtype}; {REMEDY}"
        )
    if not tensor.isfinite().all():
        raise InputError(f"{path} holds values that are not finite numbers; {REMEDY}")
    return tensor.to(like.dtype)
