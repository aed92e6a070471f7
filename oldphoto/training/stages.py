"""Build each stage's networks, objective and dataset, train it, and write its weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oldphoto.checks import InputError, require_in
from oldphoto.config import DiscriminatorConfig, LossWeights, MappingConfig, StageConfig
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
from oldphoto.networks.tone import ToneMapping
from oldphoto.networks.vae import VAE
from oldphoto.training.distributed import gather_paths, wait_for_all
from oldphoto.training.loop import Stage, train
from oldphoto.training.objectives import (
    DetectorObjective,
    DiscriminatorObjective,
    MappingObjective,
    ToneObjective,
    VAEObjective,
)
from oldphoto.training.plan import ALL_STAGES, FINE_TUNING, VAE_OF, Plan, stage_facts
from oldphoto.training.run_record import run_facts
from oldphoto.training.settings import LoopSettings
from oldphoto.weights.store import (
    DETECTOR,
    MAPPINGS,
    TONE,
    load_detector_weights,
    load_vae,
    save_network,
)

# What a stage adds to the seed of the run. Numbers once given stay, or runs would not repeat.
_SEED_OF = {"vae-degraded": 0, "vae-clean": 1, "mapping": 2, DETECTOR: 3, FINE_TUNING: 4, TONE: 5}


class Numbered(PositionDataset):
    """A dataset whose samples are dictionaries that also hold a ``seed`` for the latent's noise.

    Args:
        dataset: serves samples by position; a sample that is one tensor gets the name ``clean``.
        seed: of the run.
    """

    def __init__(self, dataset: PositionDataset, seed: int) -> None:
        super().__init__(*dataset.streams)  # for its length, and its unreadable photos
        self.dataset = dataset
        self.seed = seed

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        sample = self.dataset[position]
        # One form for the objectives: a batch is a dictionary in every stage.
        named = {"clean": sample} if isinstance(sample, Tensor) else sample
        # The upper half tells runs apart, the lower half the samples of a run.
        return named | {"seed": torch.tensor((self.seed << 32) + position)}


def make_stage(plan: Plan, name: str) -> Stage:
    """Build the networks, objectives and dataset of one stage.

    Raises:
        InputError: if the stage is unknown, or is the mapping and a VAE is missing.
    """
    require_in(name, ALL_STAGES, "stage")
    # The initial weights depend on the seed and the stage alone, not on the stages before.
    torch.manual_seed(plan.seed + _SEED_OF[name])
    if name in (DETECTOR, FINE_TUNING):
        return _detector_stage(plan, name)
    if name == TONE:
        return _tone_stage(plan)
    if name == "mapping":
        return _mapping_stage(plan)
    return _vae_stage(plan, name)


def _vae_stage(plan: Plan, name: str) -> Stage:
    """Stage 1: a VAE; ``vae-degraded`` learns one latent space for old and degraded photos."""
    config, preset, network_name = plan.config(name), plan.preset, plan.network_name(name)
    vae = _initial_vae(plan, name)  # --from may bring other sizes than the preset's
    dataset: PositionDataset
    if name == "vae-degraded":
        dataset = MixedOld(plan.old, plan.clean, config.crop, plan.seed, **damage_settings(config))
        latent_channels = vae.config.latent_channels  # old and degraded latents must mix
    else:
        dataset = CleanPhotos(plan.clean, config.crop, plan.seed)
        latent_channels = None  # one kind of photo: there is nothing to mix
    return Stage(
        name=name,
        config=config,
        objective=VAEObjective(vae, config.weights, plan.feature_network),
        discriminator_objective=_discriminators(
            config.weights,
            preset.discriminator,
            in_channels=3,  # a photo, real or reconstructed
            latent=preset.latent_discriminator,
            latent_channels=latent_channels,
        ),
        trained=nn.ModuleDict({network_name: vae.train()}),
        dataset=Numbered(dataset, plan.seed),
    )


def _mapping_stage(plan: Plan) -> Stage:
    """Stage 2: the mapping between the two latent spaces; both VAEs are frozen."""
    missing = " and ".join(plan.missing_vaes())
    if missing:
        raise InputError(f"the mapping needs the stages before it: train {missing} first")
    config = plan.config("mapping")
    # The mapping first, then the VAEs, then the discriminators: the order in which random numbers
    # are drawn is part of what a seed means.
    if plan.start_from:
        mapping = plan.start_from.mapping(plan.variant)
    else:
        mapping = MAPPINGS[plan.variant](_mapping_config(plan))
    vae_degraded, vae_clean = (load_vae(plan.weights, name) for name in VAE_OF.values())
    return Stage(
        name=plan.folder("mapping").name,
        config=config,
        objective=MappingObjective(
            mapping, vae_degraded, vae_clean, config.weights, plan.feature_network
        ),
        discriminator_objective=_discriminators(
            config.weights,
            plan.preset.mapping_discriminator(plan.variant),
            in_channels=6,  # the degraded photo and the restored one
        ),
        # The VAEs stay in evaluation mode, as ``load_vae`` returns them.
        trained=nn.ModuleDict({plan.network_name("mapping"): mapping.train()}),
        # Without seeds: the mapping draws no noise.
        dataset=DegradedPairs(plan.clean, config.crop, plan.seed, **damage_settings(config)),
    )


def _detector_stage(plan: Plan, name: str) -> Stage:
    """The scratch detector: on synthetic damage first, then on labelled photos."""
    config = plan.config(name)
    if plan.start_from:
        detector = plan.start_from.detector()
    elif name == FINE_TUNING:  # goes on with what synthetic damage has taught
        detector = load_detector_weights(plan.weights)
    else:
        detector = ScratchUNet(plan.preset.detector)
    dataset: PositionDataset
    if name == FINE_TUNING:
        dataset = LabelledPhotos(plan.labelled, config.crop, plan.seed)
    else:
        dataset = DetectorPairs(
            plan.clean, config.crop, plan.seed, config.recipe, textures=plan.textures
        )
    return Stage(
        name=name,
        config=config,
        objective=DetectorObjective(detector),
        discriminator_objective=None,  # each pixel has a label, so there is nothing to fool
        trained=nn.ModuleDict({DETECTOR: detector.train()}),
        dataset=dataset,
    )


def _tone_stage(plan: Plan) -> Stage:
    """The global branch: whole photos, reduced to the crop, whose tone has faded."""
    config = plan.config(TONE)
    tone = plan.start_from.tone() if plan.start_from else ToneMapping(plan.preset.tone)
    return Stage(
        name=TONE,
        config=config,
        objective=ToneObjective(tone, config.weights.l1_weight),
        discriminator_objective=None,
        trained=nn.ModuleDict({TONE: tone.train()}),
        dataset=DegradedPairs(
            plan.clean,
            config.crop,
            plan.seed,
            max_short_side=config.crop,  # the square then holds nearly the whole photo
            grey_prob=0.5,  # most old photos are black and white
            **damage_settings(config),
        ),
    )


def _discriminators(
    weights: LossWeights,
    photo: DiscriminatorConfig,
    in_channels: int,
    latent: DiscriminatorConfig | None = None,
    latent_channels: int | None = None,
) -> DiscriminatorObjective | None:
    """Return the discriminators that some loss term needs, or None if no term needs any.

    Args:
        in_channels: of the photo discriminator.
        latent_channels: of the latent discriminator; None if the stage has none.
    """
    # The photo's first: the order in which random numbers are drawn is part of what a seed means.
    # A discriminator whose terms all have the weight 0 would only cost memory and time.
    found = nn.ModuleDict()
    if weights.adversarial_weight or weights.feature_matching_weight:
        found["photo"] = PatchDiscriminator(photo, in_channels)
    if latent is not None and latent_channels is not None and weights.latent_adversarial_weight:
        found["latent"] = PatchDiscriminator(latent, latent_channels)
    return DiscriminatorObjective(found) if found else None


def _initial_vae(plan: Plan, stage: str) -> VAE:
    # Weights that were asked for come first, then those of this run, then random ones.
    if plan.start_from:
        return plan.start_from.vae(plan.network_name(stage), plan.variant)
    if plan.starts_shared(stage):
        return load_vae(plan.weights, "vae_degraded")
    return VAE(plan.preset.vae)


def _mapping_config(plan: Plan) -> MappingConfig:
    """Return the preset's mapping; "hr" needs residual blocks in groups of equal size."""
    config = plan.preset.mapping
    return with_equal_groups(config) if plan.variant == "hr" else config


def damage_settings(config: StageConfig) -> dict[str, Any]:
    """Return the settings of a stage that its dataset of degraded photos needs.

    >>> damage_settings(StageConfig(batch=8, crop=64, num_photos=96))
    {'recipe': 'released', 'hole_prob': 0.5, 'hole_ratio': (0.0, 0.6)}
    """
    return {
        "recipe": config.recipe,
        "hole_prob": config.hole_prob,
        "hole_ratio": config.hole_ratio,
    }


def copy_missing_vaes(plan: Plan) -> None:
    """Copy VAEs that the run lacks from the weights it starts from, for training its mapping."""
    if plan.start_from is None:
        return
    for stage in plan.missing_vaes():
        name = plan.network_name(stage)
        vae = plan.start_from.vae(name, plan.variant)
        card = {"taken_over_from": plan.start_from.words, "finished": True}
        # With a card of its own: the run's record must not claim to have trained it.
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
        prepare: called with the stage before it starts; returns the settings to train it with.
        report: gets one sentence about anything unusual.

    Returns:
        Whether the stage is finished; if not, its state is kept and can be resumed. The weights
        are written in either case, so that a run that was stopped can be used as it is.
    """
    if name == "mapping" and settings.rank == 0:
        copy_missing_vaes(plan)
    wait_for_all()  # every process reads the VAEs that the first one has copied
    stage = make_stage(plan, name)
    # The perceptual network is no part of the objective, so it is moved to the device here.
    if isinstance(plan.feature_network, nn.Module):
        plan.feature_network.to(settings.device, memory_format=torch.channels_last)
    if prepare is not None:
        settings = prepare(stage, settings)
    finished = train(stage, plan.folder(name), settings, report)
    if settings.rank == 0:  # all processes have the same weights
        _write_weights(plan, name, stage, finished, settings)
    wait_for_all()  # the next stage reads these weights
    _report_unreadable(stage, report)
    return finished


def _write_weights(
    plan: Plan, name: str, stage: Stage, finished: bool, settings: LoopSettings
) -> None:
    log = plan.folder(name) / "log.csv"
    # The log is read again, so that hours count all the times the run was resumed.
    card = stage_facts(plan, name) | {"finished": finished}
    card |= run_facts(plan.photos, log, stage.config.batch, settings.device)
    for network_name, network in stage.trained.items():
        save_network(plan.weights, network_name, network, network.config, card)


def _report_unreadable(stage: Stage, report: Callable[[str], None]) -> None:
    """Name the photos that no process could read."""
    # From all processes: each read its own part of the photos.
    left_out: list[Path] = gather_paths(stage.dataset.unreadable())
    if left_out:
        number = "1 photo" if len(left_out) == 1 else f"{len(left_out)} photos"
        names = ", ".join(path.name for path in left_out)
        report(f"{stage.name}: {number} left out as unreadable: {names}")
