"""Weights that a training can start from instead of random ones: ours, or the authors'."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import nn

from oldphoto.networks.mapping import (
    PartialNonlocalMapping,
    PatchAttentionMapping,
    with_equal_groups,
)
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.vae import VAE
from oldphoto.networks.warm_start import patch_attention_from, plain_from
from oldphoto.weights import official
from oldphoto.weights.store import (
    available_variants,
    find_weights,
    load_detector_weights,
    load_mapping,
    load_vae,
)

OFFICIAL_PREFIX = "official:"
SCRATCH = "scratch"


class StartingPoint(Protocol):
    """Where the first weights of a training come from (transfer learning)."""

    folder: Path

    @property
    def words(self) -> str: ...

    def mapping_words(self, variant: str) -> str: ...

    def vae(self, name: str, variant: str) -> VAE: ...

    def mapping(self, variant: str) -> nn.Module: ...

    def detector(self) -> ScratchUNet: ...


@dataclass(frozen=True)
class OwnWeights:
    """A folder that training wrote, or that ships with the package."""

    folder: Path

    @property
    def words(self) -> str:
        """Name the weights without the folders above them, which are nobody else's business."""
        folder = self.folder.resolve()
        return f"the weights {folder.parent.name if folder.name == 'weights' else folder.name}"

    def vae(self, name: str, variant: str) -> VAE:
        """Return ``vae_degraded`` or ``vae_clean``."""
        return load_vae(self.folder, name)

    def mapping_words(self, variant: str) -> str:
        """Name the weights that the mapping of a variant starts from."""
        return f"{self.words}, the mapping {SCRATCH}" if self._lends(variant) else self.words

    def mapping(self, variant: str) -> nn.Module:
        """Return the mapping of a variant; where the folder has none, let it begin as "scratch"."""
        if not self._lends(variant):
            return load_mapping(self.folder, variant)
        trained = load_mapping(self.folder, SCRATCH)
        if variant == "quality":
            return plain_from(trained)
        grown = PatchAttentionMapping(with_equal_groups(trained.config))
        return patch_attention_from(trained, grown)

    def _lends(self, variant: str) -> bool:
        """Whether the mapping of a variant has to begin as the one with the partial non-local."""
        there = available_variants(self.folder)
        return variant not in there and SCRATCH in there

    def detector(self) -> ScratchUNet:
        """Return the scratch detector."""
        return load_detector_weights(self.folder)


@dataclass(frozen=True)
class OfficialWeights:
    """The authors' checkpoints. Each variant has its own ``vae_clean`` and mapping."""

    folder: Path

    @property
    def words(self) -> str:
        """Name the weights."""
        return "the authors' checkpoints"

    def vae(self, name: str, variant: str) -> VAE:
        """Return ``vae_degraded`` or the ``vae_clean`` that belongs to a variant."""
        root = official.find_checkpoints(self.folder)
        if name == "vae_degraded":
            return official.load_file(root, official.VAE_DEGRADED)
        return official.load_file(root, official.VAE_CLEAN_AND_MAPPING[variant][0])

    def mapping_words(self, variant: str) -> str:
        """Name the weights that the mapping of a variant starts from."""
        return self.words

    def mapping(self, variant: str) -> nn.Module:
        """Return the mapping of a variant, with the block's own arithmetic."""
        root = official.find_checkpoints(self.folder)
        mapping = official.load_file(root, official.VAE_CLEAN_AND_MAPPING[variant][1])
        if isinstance(mapping, PartialNonlocalMapping):
            # Theirs differs where damaged keys win by exp(27); what we save does not repeat that.
            mapping.partial_nonlocal.authors_softmax = False
        return mapping

    def detector(self) -> ScratchUNet:
        """Return the scratch detector."""
        return official.load_official_detector(self.folder)


def find_start(name: str) -> StartingPoint:
    """Return the weights of a name.

    Args:
        name: "small" and the like, a folder that training wrote, or ``official:FOLDER``.

    Raises:
        InputError: if there are none.
    """
    if name.startswith(OFFICIAL_PREFIX):
        folder = Path(name.removeprefix(OFFICIAL_PREFIX))
        official.find_checkpoints(folder)
        return OfficialWeights(folder)
    return OwnWeights(find_weights(name))
