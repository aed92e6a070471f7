"""The plan of a training run: which stages, in which order, on which photos, from which weights."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from oldphoto.checks import require_in
from oldphoto.config import STAGES, Preset, StageConfig, StageName
from oldphoto.training.objectives import FeatureNetwork
from oldphoto.weights.source import WeightsSource
from oldphoto.weights.store import DETECTOR, MAPPINGS, TONE, mapping_name

FINE_TUNING = "detector-labelled"
"""The detector's second stage, on labelled photos. It starts from the trained detector, uses the
settings of stage "detector", and runs only if there are labelled photos."""

ALL_STAGES = (*STAGES, FINE_TUNING)

VAE_OF = {"vae-degraded": "vae_degraded", "vae-clean": "vae_clean"}
"""The network that each stage of the two VAEs trains, by the name of its file of weights."""

VAES = tuple(VAE_OF.values())


@dataclass(frozen=True)
class Plan:
    """One whole training run: what is trained, on what, from what, and where it is kept.

    Attributes:
        preset: sizes of the networks and the settings of each stage.
        old: files of real old photos.
        clean: files of clean photos.
        run: folder of the run. ``weights/`` gets the results, a folder per stage its state.
        variant: variant of the mapping: "scratch", "quality" or "hr".
        seed: of the initial weights, the order of the photos, the damage and the noise.
        start_from: weights to start from instead of random ones (transfer learning).
        feature_network: for the perceptual term; None leaves the term out.
        features_name: what the feature network is, for the record.
        labelled: pairs of photo and mask to fine-tune the detector on.
        textures: pictures of damage to lay on the photos of the detector.
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
    textures: Sequence[Path] = ()

    def __post_init__(self) -> None:
        require_in(self.variant, tuple(MAPPINGS), "variant")

    @property
    def weights(self) -> Path:
        """Folder of the results."""
        return self.run / "weights"

    @property
    def photos(self) -> list[Path]:
        """All photos of the run."""
        return [*self.old, *self.clean, *(photo for photo, _mask in self.labelled)]

    def folder(self, stage: str) -> Path:
        """Folder of a stage's state; each variant of the mapping has its own."""
        # Variants share the VAEs of a run, but not a checkpoint or a log.
        return self.run / (f"mapping-{self.variant}" if stage == "mapping" else stage)

    def config(self, stage: str) -> StageConfig:
        """Settings of a stage.

        Raises:
            InputError: if there is no such stage.
        """
        require_in(stage, ALL_STAGES, "stage")
        # Fine-tuning uses the detector's settings, on other photos.
        name = "detector" if stage == FINE_TUNING else stage
        return self.preset.stages[cast(StageName, name)]

    def network_name(self, stage: str) -> str:
        """Name of the file, without suffix, that gets the weights of a stage."""
        if stage == "mapping":
            return mapping_name(self.variant)
        if stage == TONE:
            return TONE
        return VAE_OF.get(stage, DETECTOR)  # both stages of the detector write the same file

    def missing_vaes(self) -> list[str]:
        """Stages of the VAEs whose weights the run does not have yet."""
        return [stage for stage, name in VAE_OF.items() if not self._has(name)]

    def starts_shared(self, stage: str) -> bool:
        """Whether a stage starts from the ``vae_degraded`` that this run has trained before."""
        # One start gives both VAEs nearly the same latent space: the mapping has less to learn.
        return self.preset.shared_start and stage == "vae-clean" and self._has("vae_degraded")

    def _has(self, network_name: str) -> bool:
        # The JSON is written after the weights, so where it is, they are complete.
        return (self.weights / f"{network_name}.json").is_file()


# The sentences of the next two functions are kept in the config.json of each stage, and a stage is
# resumed only if they are the same: a changed word would refuse all runs begun before.


def features_used(plan: Plan, stage: str) -> str:
    """Describe the network of a stage's perceptual term, or why there is none."""
    if stage in (DETECTOR, FINE_TUNING):
        return "none: the detector has no such term"
    if stage == TONE:
        return "none: the tone has no such term"
    if not plan.config(stage).weights.perceptual_weight:
        return f"none: preset {plan.preset.name} gives the perceptual term the factor 0"
    if plan.feature_network is None:
        return "none: no file of a feature network was given"
    return plan.features_name or type(plan.feature_network).__name__


def started_from(plan: Plan, stage: str) -> str:
    """Describe the initial weights of a stage."""
    if plan.start_from and stage == "mapping":
        return plan.start_from.mapping_words(plan.variant)
    if plan.start_from:
        return plan.start_from.words
    if stage == FINE_TUNING:
        return "the detector of this run"
    return "the vae_degraded of this run" if plan.starts_shared(stage) else "random weights"


def stage_facts(plan: Plan, stage: str) -> dict[str, Any]:
    """Return what decides the outcome of a stage, as plain values for JSON."""
    return {
        "preset": plan.preset.name,
        "seed": plan.seed,
        "num_old": len(plan.old),
        "num_clean": len(plan.clean),
        # Of other stages labelled photos decide nothing: adding some must not refuse a resume.
        "num_labelled": len(plan.labelled) if stage == FINE_TUNING else 0,
        "num_textures": len(plan.textures) if stage == DETECTOR else 0,
        "started_from": started_from(plan, stage),
        "perceptual_features": features_used(plan, stage),
        "stage": asdict(plan.config(stage)),
    }


def stages_of(plan: Plan, requested: str) -> tuple[str, ...]:
    """Return the stages to train, in order.

    Args:
        requested: one of ``STAGES``, or "all", which means all of the paper. Fine-tuning follows
            the detector if there are labelled photos, and replaces it if the detector starts from
            trained weights.
    """
    # Fixed order: a stage may need the networks of the stages before it.
    method = tuple(stage for stage in STAGES if stage != TONE)  # the paper has no stage for it
    stages: tuple[str, ...] = method if requested == "all" else (requested,)
    if not plan.labelled or DETECTOR not in stages:
        return stages
    if plan.start_from:  # this detector has seen synthetic damage before
        return (*(stage for stage in stages if stage != DETECTOR), FINE_TUNING)
    return (*stages, FINE_TUNING)


def require_start(plan: Plan, stages: Sequence[str]) -> None:
    """Raise InputError if the weights to start from lack a network that one of the stages needs.

    Called before the first stage, so that nobody finds out after hours of training.
    """
    if plan.start_from is None:
        return
    detector_stages = [stage for stage in stages if stage in (DETECTOR, FINE_TUNING)]
    # Loading is the check: it finds missing files, and files that do not fit their settings.
    if TONE in stages:
        plan.start_from.tone()
    if len(detector_stages) + (TONE in stages) < len(stages):
        plan.start_from.vae("vae_clean", plan.variant)
    if "mapping" in stages:
        plan.start_from.mapping(plan.variant)
    if detector_stages:
        plan.start_from.detector()


def describe(plan: Plan, stages: Sequence[str], with_files: bool = False) -> str:
    """Describe the run in a few lines: what is trained, on what, in which order, and where.

    Args:
        with_files: also list what each stage reads and writes.
    """
    # For people, before hours of training: wrong folders show in the numbers of photos.
    lines = [
        f"preset {plan.preset.name}, {len(plan.old)} old and {len(plan.clean)} clean photos, "
        f"seed {plan.seed}, run folder {plan.run}"
    ]
    for number, stage in enumerate(stages, start=1):
        config = plan.config(stage)
        lines.append(
            f"{number}. {plan.folder(stage).name}: {config.num_steps} steps of {config.batch} "
            f"photos, {config.crop} px"
        )
        if with_files:
            lines.append("   reads " + _describe_inputs(plan, stage, stages))
            lines.append(f"   writes {_describe_outputs(plan, stage)}")
    return "\n".join(lines)


def _describe_inputs(plan: Plan, stage: str, stages: Sequence[str]) -> str:
    vaes = " and ".join(f"{name}.safetensors" for name in VAES)
    photos = {
        "vae-degraded": f"{len(plan.old)} old photos, {len(plan.clean)} clean photos to degrade",
        "vae-clean": f"{len(plan.clean)} clean photos",
        "mapping": f"{len(plan.clean)} clean photos to degrade, {vaes} in {plan.weights}",
        DETECTOR: f"{len(plan.clean)} clean photos to scratch"
        + (f", {len(plan.textures)} pictures of damage" if plan.textures else ""),
        FINE_TUNING: f"{len(plan.labelled)} labelled photos",
        TONE: f"{len(plan.clean)} clean photos to fade",
    }
    start = started_from(plan, stage)  # what is true now, before the stages above have run
    will_share = stage == "vae-clean" and "vae-degraded" in stages and plan.preset.shared_start
    if will_share and plan.start_from is None:  # its weights are not there yet, but will be
        start = "the vae_degraded of this run"
    return f"{photos[stage]}; begins with {start}"


def _describe_outputs(plan: Plan, stage: str) -> str:
    result = plan.weights / f"{plan.network_name(stage)}.safetensors"
    return f"{result} and, in {plan.folder(stage)}, checkpoints, log.csv, tensorboard, samples"
