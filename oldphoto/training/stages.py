"""The stages of training in their order: which networks, losses and photos each consists of."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from oldphoto.checks import InputError, require_in
from oldphoto.config import DiscriminatorConfig, LossWeights, MappingConfig, Preset, StageConfig
from oldphoto.data import (
    CleanPhotos,
    DegradedPairs,
    DetectorPairs,
    LabelledPhotos,
    MixedOld,
    PositionDataset,
)
from oldphoto.networks.discriminators import PatchDiscriminator
from oldphoto.networks.mapping import with_equal_groups
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.vae import VAE
from oldphoto.training.card import run_facts
from oldphoto.training.distributed import everyones, wait_for_all
from oldphoto.training.loop import LoopSettings, Stage, train
from oldphoto.training.objectives import (
    DetectorLoss,
    DiscriminatorLoss,
    FeatureNetwork,
    MappingLoss,
    VAELoss,
)
from oldphoto.weights.source import WeightsSource
from oldphoto.weights.store import (
    DETECTOR,
    MAPPINGS,
    load_detector_weights,
    load_vae,
    mapping_name,
    save_network,
)

STAGES = ("vae-degraded", "vae-clean", "mapping", "detector")
"""All stages in the order in which they are trained; the mapping needs the two before it."""

FINE_TUNING = "detector-labelled"
"""The detector's second stage: on labelled photos, from the detector there is, on request only."""

VAES = ("vae_degraded", "vae_clean")


@dataclass(frozen=True)
class Plan:
    """One whole training: what is trained, on what, from what, and where it is kept.

    Attributes:
        preset: sizes of the networks and the schedule of each stage.
        old: files of real old photos.
        clean: files of clean photos.
        run: folder of the run: ``weights/`` gets the results, ``STAGE/`` the state of each stage.
        variant: form of the mapping: "scratch", "quality" or "hr".
        seed: of the first weights, the order of the photos, the damage and the noise.
        start_from: weights to start from instead of random ones (transfer learning).
        feature_network: for the perceptual term; None goes without.
        features_name: what the feature network is, for the record.
        labelled: pairs of photo and mask to fine-tune the detector on, after our own damage.
    """

    preset: Preset
    old: Sequence[Path]
    clean: Sequence[Path]
    run: Path
    variant: str = "scratch"
    seed: int = 0
    start_from: WeightsSource | None = None
    feature_network: FeatureNetwork | None = None
    features_name: str = ""
    labelled: Sequence[tuple[Path, Path]] = ()

    def __post_init__(self) -> None:
        require_in(self.variant, tuple(MAPPINGS), "variant")

    @property
    def weights(self) -> Path:
        """Folder of the results."""
        return self.run / "weights"

    def folder(self, stage: str) -> Path:
        """Folder of a stage's state; each form of the mapping has its own."""
        return self.run / (f"mapping-{self.variant}" if stage == "mapping" else stage)

    def config(self, stage: str) -> StageConfig:
        """How a stage is trained."""
        name = DETECTOR if stage == FINE_TUNING else stage.replace("-", "_")
        return getattr(self.preset, f"train_{name}")

    def features_used(self, stage: str) -> str:
        """Say what the perceptual term of a stage is computed with, or why there is none."""
        if stage in (DETECTOR, FINE_TUNING):
            return "none: the detector has no such term"
        if not self.config(stage).weights.perceptual_weight:
            return f"none: preset {self.preset.name} gives the perceptual term the factor 0"
        if self.feature_network is None:
            return "none: no file of a feature network was given"
        return self.features_name or type(self.feature_network).__name__


class Numbered(Dataset):
    """A dataset whose samples are dictionaries that also hold a ``seed`` for the latent's noise.

    Args:
        dataset: serves samples by position; a sample that is one tensor is called ``clean``.
        seed: of the training.
    """

    def __init__(self, dataset: PositionDataset, seed: int) -> None:
        self.dataset = dataset
        self.streams = dataset.streams
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        sample = self.dataset[position]
        named = {"clean": sample} if isinstance(sample, Tensor) else sample
        return named | {"seed": torch.tensor((self.seed << 32) + position)}

    def require_batch(self, batch: int) -> None:
        """Raise InputError unless there are photos for one batch and the first can be read."""
        self.dataset.require_batch(batch)

    def unreadable(self) -> list[Path]:
        """Return the files that turned out to be unreadable so far."""
        return self.dataset.unreadable()


def _discriminators(
    photo: DiscriminatorConfig,
    weights: LossWeights,
    in_channels: int,
    latent: tuple[DiscriminatorConfig, int] | None = None,
) -> DiscriminatorLoss | None:
    """Return the discriminators of a stage, or None where no loss term asks for them.

    Args:
        photo: settings of the photo discriminator, which sees ``in_channels``.
        latent: settings and channels of the latent discriminator, where codes are compared.
    """
    needs_photo = weights.adversarial_weight or weights.feature_matching_weight
    needs_latent = latent and weights.latent_adversarial_weight
    discriminators = {}
    if needs_photo:
        discriminators["photo"] = PatchDiscriminator(photo, in_channels)
    if needs_latent:
        discriminators["latent"] = PatchDiscriminator(*latent)
    return DiscriminatorLoss(nn.ModuleDict(discriminators)) if discriminators else None


def _first_vae(plan: Plan, network_name: str) -> VAE:
    if plan.start_from:
        return plan.start_from.vae(network_name, plan.variant)
    if _starts_shared(plan, network_name):
        return load_vae(plan.weights, VAES[0])
    return VAE(plan.preset.vae)


def _starts_shared(plan: Plan, network_name: str) -> bool:
    """Whether a VAE starts as a copy of ``vae_degraded``, which this run has trained before."""
    there = (plan.weights / f"{VAES[0]}.json").is_file()
    return plan.preset.shared_start and network_name != VAES[0] and there


def damage_settings(config: StageConfig) -> dict[str, Any]:
    """Return what a dataset of degraded photos has to know of the settings of its stage."""
    names = ("recipe", "hole_prob", "hole_ratio")
    return {name: getattr(config, name) for name in names}


def _vae_stage(plan: Plan, name: str) -> Stage:
    """Stage 1: ``vae-degraded`` brings old and synthetic photos into one latent space."""
    network_name = name.replace("-", "_")
    vae = _first_vae(plan, network_name)
    mixed = name == "vae-degraded"
    config, preset = plan.config(name), plan.preset
    latent = (preset.latent_discriminator, vae.config.latent_channels) if mixed else None
    if mixed:
        dataset = MixedOld(plan.old, plan.clean, config.crop, plan.seed, **damage_settings(config))
    else:
        dataset = CleanPhotos(plan.clean, config.crop, plan.seed)
    return Stage(
        name=name,
        config=config,
        loss=VAELoss(vae, config.weights, plan.feature_network),
        discriminator_loss=_discriminators(preset.discriminator, config.weights, 3, latent),
        trained=nn.ModuleDict({network_name: vae.train()}),
        dataset=Numbered(dataset, plan.seed),
    )


def _mapping_config(plan: Plan) -> MappingConfig:
    """Return the preset's mapping; "hr" has its residual blocks in groups of equal size."""
    config = plan.preset.mapping
    return with_equal_groups(config) if plan.variant == "hr" else config


def _mapping_stage(plan: Plan) -> Stage:
    """Stage 2: the mapping between the two latent spaces, the VAEs staying as they are."""
    config = plan.config("mapping")
    if plan.start_from:
        mapping = plan.start_from.mapping(plan.variant)
    else:
        mapping = MAPPINGS[plan.variant](_mapping_config(plan))
    vaes = [load_vae(plan.weights, name) for name in VAES]
    discriminator = plan.preset.discriminator
    if plan.variant != "quality":
        # The authors train these two, and nothing else, with --use_SN.
        discriminator = replace(discriminator, spectral_norm=True)
    return Stage(
        name=plan.folder("mapping").name,
        config=config,
        loss=MappingLoss(mapping, *vaes, config.weights, plan.feature_network),
        discriminator_loss=_discriminators(discriminator, config.weights, in_channels=6),
        trained=nn.ModuleDict({mapping_name(plan.variant): mapping.train()}),
        dataset=DegradedPairs(plan.clean, config.crop, plan.seed, **damage_settings(config)),
    )


def _detector_stage(plan: Plan, name: str) -> Stage:
    """The scratch detector, on photos whose damage we made, then on those somebody has marked."""
    config = plan.config(name)
    if plan.start_from:
        detector = plan.start_from.detector()
    elif name == FINE_TUNING:
        detector = load_detector_weights(plan.weights)
    else:
        detector = ScratchUNet(plan.preset.detector)
    if name == FINE_TUNING:
        dataset: PositionDataset = LabelledPhotos(plan.labelled, config.crop, plan.seed)
    else:
        dataset = DetectorPairs(plan.clean, config.crop, plan.seed, config.recipe)
    return Stage(
        name=name,
        config=config,
        loss=DetectorLoss(detector),
        discriminator_loss=None,
        trained=nn.ModuleDict({DETECTOR: detector.train()}),
        dataset=dataset,
    )


def make_stage(plan: Plan, name: str) -> Stage:
    """Build the networks, losses and dataset of one stage.

    Raises:
        InputError: for an unknown stage, or when the mapping is asked for before its VAEs.
    """
    stages = (*STAGES, FINE_TUNING)
    require_in(name, stages, "stage")
    torch.manual_seed(plan.seed + stages.index(name))  # the first weights depend on the seed alone
    if name in (DETECTOR, FINE_TUNING):
        return _detector_stage(plan, name)
    if name != "mapping":
        return _vae_stage(plan, name)
    missing = " and ".join(name.replace("_", "-") for name in _missing_vaes(plan))
    if missing:
        raise InputError(f"the mapping needs the stages before it: train {missing} first")
    return _mapping_stage(plan)


def _missing_vaes(plan: Plan) -> list[str]:
    return [name for name in VAES if not (plan.weights / f"{name}.json").is_file()]


def take_over_vaes(plan: Plan) -> None:
    """Copy VAEs that the run lacks from where it starts, so that its mapping can be trained."""
    for name in _missing_vaes(plan) if plan.start_from else ():
        vae = plan.start_from.vae(name, plan.variant)
        card = {"taken_over_from": plan.start_from.words, "finished": True}
        save_network(plan.weights, name, vae, vae.config, card)


def train_stage(
    plan: Plan,
    name: str,
    settings: LoopSettings,
    prepare: Callable[[Stage, LoopSettings], LoopSettings] | None = None,
    report: Callable[[str], None] = print,
) -> bool:
    """Train one stage and write its weights.

    Args:
        prepare: is shown the stage before it starts, and returns the settings to train it with.
        report: is told one sentence about anything unusual.

    Returns:
        Whether the stage is finished; if not, its state is kept and can be resumed. The weights
        are written in either case, so that a run cut short can be used as it is.
    """
    if name == "mapping" and settings.rank == 0:
        take_over_vaes(plan)
    wait_for_all()
    stage = make_stage(plan, name)
    if isinstance(plan.feature_network, nn.Module):
        plan.feature_network.to(settings.device, memory_format=torch.channels_last)
    if prepare is not None:
        settings = prepare(stage, settings)
    finished = train(stage, plan.folder(name), settings, report)
    if settings.rank == 0:
        log, batch = plan.folder(name) / "log.csv", stage.config.batch
        photos = [*plan.old, *plan.clean, *(photo for photo, _mask in plan.labelled)]
        card = stage_facts(plan, name) | {"finished": finished}
        card |= run_facts(photos, log, batch, str(settings.device))
        for network_name, network in stage.trained.items():
            save_network(plan.weights, network_name, network, network.config, card)
    wait_for_all()  # the next stage reads these weights
    left_out = everyones(stage.dataset.unreadable())
    if left_out:
        number = "1 photo" if len(left_out) == 1 else f"{len(left_out)} photos"
        names = ", ".join(path.name for path in left_out)
        report(f"{stage.name}: {number} left out as unreadable: {names}")
    return finished


def started_from(plan: Plan, name: str) -> str:
    """Say what the weights of a stage are at its start."""
    if plan.start_from and name == "mapping":
        return plan.start_from.mapping_words(plan.variant)
    if plan.start_from:
        return plan.start_from.words
    if name == FINE_TUNING:
        return "the detector of this run"
    shared = name == "vae-clean" and _starts_shared(plan, "vae_clean")
    return "the vae_degraded of this run" if shared else "random weights"


def stage_facts(plan: Plan, name: str) -> dict[str, Any]:
    """Return what decides the outcome of a stage, in words and numbers that JSON can hold."""
    return {
        "preset": plan.preset.name,
        "seed": plan.seed,
        "num_old": len(plan.old),
        "num_clean": len(plan.clean),
        "num_labelled": len(plan.labelled) if name == FINE_TUNING else 0,
        "started_from": started_from(plan, name),
        "perceptual_features": plan.features_used(name),
        "stage": asdict(plan.config(name)),
    }
