"""Where weights come from: a folder of the package's own, or the authors' checkpoints.

A command line makes one ``WeightsSource`` from the word that the user typed and passes it on.
Restoring, evaluating, training with ``--from``, scratch masks and the record in a restored photo
all ask this one object.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import nn

from oldphoto.checks import InputError, require_in
from oldphoto.networks.mapping import (
    PartialNonlocalMapping,
    PatchAttentionMapping,
    with_equal_groups,
)
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.tone import ToneMapping
from oldphoto.networks.vae import VAE
from oldphoto.networks.warm_start import patch_attention_from, plain_from
from oldphoto.weights import official
from oldphoto.weights.store import (
    DETECTOR,
    available_variants,
    find_weights,
    load_detector_weights,
    load_mapping,
    load_tone,
    load_vae,
    load_weights,
)

_OFFICIAL_PREFIX = "official:"
SCRATCH = "scratch"
OFFICIAL_HR_DILATION = 3


class WeightsSource(ABC):
    """A set of trained networks to load from.

    Attributes:
        folder: where the files are.
        is_official: whether these are the authors' checkpoints.
        label: short name for records, without the folders above it.
        variants: variants that can be loaded; the first is the default.
        has_detector: whether a scratch detector is among the networks.
        words: name for a sentence, such as "the weights small".

    Example:
        >>> source = WeightsSource.parse("small")
        >>> source.label, source.variants, source.has_detector
        ('small', ('scratch', 'quality', 'hr'), True)
    """

    folder: Path
    is_official: ClassVar[bool]

    @staticmethod
    def parse(name: str | Path) -> "WeightsSource":
        """Return the source that a name stands for; no network is loaded yet.

        Args:
            name: name of shipped weights ("small"), a folder written by training, or
                ``official:FOLDER`` for the authors' checkpoints.

        Raises:
            InputError: if there are no weights of that name.
        """
        if isinstance(name, str) and name.startswith(_OFFICIAL_PREFIX):
            folder = Path(name.removeprefix(_OFFICIAL_PREFIX))
            official.find_checkpoints(folder)
            return OfficialWeights(folder)
        return OwnWeights(find_weights(name))

    @property
    @abstractmethod
    def label(self) -> str: ...

    @property
    @abstractmethod
    def variants(self) -> tuple[str, ...]: ...

    @property
    @abstractmethod
    def has_detector(self) -> bool: ...

    @property
    @abstractmethod
    def words(self) -> str: ...

    @abstractmethod
    def network(self, variant: str | None = None) -> RestorationNetwork:
        """Return the restoration network, on the CPU, in evaluation mode.

        Args:
            variant: "scratch", "quality" or "hr"; None takes the first of ``variants``.

        Raises:
            InputError: if there is no such variant, or a file is missing or damaged.
        """

    @abstractmethod
    def mask_dilation(self, variant: str | None = None) -> int:
        """Return by how many pixels a scratch mask is widened before this network sees it."""

    @abstractmethod
    def vae(self, name: str, variant: str) -> VAE:
        """Return ``vae_degraded``, or the ``vae_clean`` that belongs to a variant."""

    @abstractmethod
    def mapping(self, variant: str) -> nn.Module:
        """Return the mapping that training of a variant starts from."""

    @abstractmethod
    def mapping_words(self, variant: str) -> str:
        """Return the name of the weights that the mapping of a variant starts from."""

    @abstractmethod
    def tone(self) -> ToneMapping:
        """Return the network that brings the tone of a faded photo back.

        Raises:
            InputError: if there is none.
        """

    @abstractmethod
    def detector(self) -> ScratchUNet:
        """Return the network of the scratch detector.

        Raises:
            InputError: if there is none.
        """


@dataclass(frozen=True)
class OwnWeights(WeightsSource):
    """A folder that training wrote, or that ships with the package."""

    folder: Path
    is_official = False

    @property
    def label(self) -> str:
        # The folders above it may name a person or a project, so they are left out.
        folder = self.folder.resolve()
        return folder.parent.name if folder.name == "weights" else folder.name

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(available_variants(self.folder))

    @property
    def has_detector(self) -> bool:
        return (self.folder / f"{DETECTOR}.json").is_file()

    @property
    def words(self) -> str:
        return f"the weights {self.label}"

    def network(self, variant: str | None = None) -> RestorationNetwork:
        return load_weights(self.folder, variant)

    def mask_dilation(self, variant: str | None = None) -> int:
        return 0

    def vae(self, name: str, variant: str) -> VAE:
        return load_vae(self.folder, name)

    def mapping(self, variant: str) -> nn.Module:
        """Return the mapping of a variant; one that is missing is derived from "scratch"."""
        if not self._derives(variant):
            return load_mapping(self.folder, variant)
        trained = load_mapping(self.folder, SCRATCH)
        assert isinstance(trained, PartialNonlocalMapping)
        if variant == "quality":
            return plain_from(trained)
        grown = PatchAttentionMapping(with_equal_groups(trained.config))
        return patch_attention_from(trained, grown)

    def mapping_words(self, variant: str) -> str:
        return f"{self.words}, the mapping {SCRATCH}" if self._derives(variant) else self.words

    def _derives(self, variant: str) -> bool:
        """Return whether the mapping of a variant has to be derived from that of "scratch"."""
        return variant not in self.variants and SCRATCH in self.variants

    def tone(self) -> ToneMapping:
        return load_tone(self.folder)

    def detector(self) -> ScratchUNet:
        return load_detector_weights(self.folder)


@dataclass(frozen=True)
class OfficialWeights(WeightsSource):
    """The authors' checkpoints. Each variant has its own ``vae_clean`` and mapping.

    Args:
        folder: the one that holds restoration/ and detection/, or its parent.
    """

    folder: Path
    is_official = True
    label = "official"
    words = "the authors' checkpoints"
    variants = official.VARIANTS

    @property
    def has_detector(self) -> bool:
        return (official.find_checkpoints(self.folder) / official.DETECTOR.path).is_file()

    def network(self, variant: str | None = None) -> RestorationNetwork:
        return official.load_official(self.folder, self._variant(variant))

    def mask_dilation(self, variant: str | None = None) -> int:
        return OFFICIAL_HR_DILATION if self._variant(variant) == "hr" else 0

    def _variant(self, variant: str | None) -> str:
        variant = self.variants[0] if variant is None else variant
        require_in(variant, self.variants, "variant")
        return variant

    def vae(self, name: str, variant: str) -> VAE:
        root = official.find_checkpoints(self.folder)
        if name == "vae_degraded":
            return official.load_file(root, official.VAE_DEGRADED)
        return official.load_file(root, official.VAE_CLEAN_AND_MAPPING[variant][0])

    def mapping(self, variant: str) -> nn.Module:
        """Return the mapping of a variant, with the block's own arithmetic."""
        root = official.find_checkpoints(self.folder)
        mapping = official.load_file(root, official.VAE_CLEAN_AND_MAPPING[variant][1])
        if isinstance(mapping, PartialNonlocalMapping):
            # Theirs differs where damaged keys win by exp(27); what we save does not repeat that.
            mapping.partial_nonlocal.authors_softmax = False
        return mapping

    def mapping_words(self, variant: str) -> str:
        return self.words

    def tone(self) -> ToneMapping:
        raise InputError(
            "the authors' checkpoints have no network for the tone: their mapping changes it by "
            "itself, as --tone network shows"
        )

    def detector(self) -> ScratchUNet:
        return official.load_official_detector(self.folder)
