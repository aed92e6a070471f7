"""What each part is worth: the whole method at a micro size, trained again without one part.

Every variant goes through the ordinary stages and the ordinary loop. A loss term is switched off by
its factor 0, a part of the mapping by its form or its settings. Variants of one seed begin with the
same numbers and see the same crops with the same damage; what would come out the same is trained
once.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from oldphoto.checks import InputError, require_in, require_positive
from oldphoto.config import (
    STAGES,
    TINY,
    MappingConfig,
    Preset,
    StageConfig,
    StageName,
    VAEConfig,
)
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.system.files import written_whole
from oldphoto.training.plan import VAE_OF, VAES, Plan
from oldphoto.training.run_record import (
    require_same_run,
    require_same_stage,
    write_run_config,
    write_stage_config,
)
from oldphoto.training.settings import LoopSettings
from oldphoto.training.stages import train_stage
from oldphoto.weights.store import MAPPINGS, SHIPPED, load_network, load_weights, save_network

FULL = "full"
TRAINED = STAGES[:3]
VAE_STAGES, MAPPING_STAGE = TRAINED[:2], TRAINED[2:]

TERMS = {
    "latent adversary": ("latent_adversarial_weight", VAE_STAGES),
    "adversarial loss": ("adversarial_weight", MAPPING_STAGE),
    "KL": ("kl_weight", VAE_STAGES),
    "feature matching": ("feature_matching_weight", MAPPING_STAGE),
}
"""Loss terms that can be switched off: the factor in ``LossWeights``, and the stages without it.

The adversarial loss and feature matching are those of equation 5: the VAEs keep theirs, so that
these variants share the VAEs of the whole method, and nothing differs but the term."""

NONLOCAL, MASK = "partial non-local", "mask"
PARTS = ("latent adversary", NONLOCAL, MASK, "adversarial loss", "KL", "feature matching")
"""The parts in the order of the table."""

VARIANTS = (FULL, *(f"without {part}" for part in PARTS))
"""The names of all variants: the whole method first."""

FOLDER = SHIPPED / "ablation"
"""Where the micro-checkpoints that ship with the package lie."""

MAX_BYTES = 300_000
"""What one micro-checkpoint may take."""

_VAE_WEIGHTS = replace(
    TINY.stages["vae-degraded"].weights,
    kl_weight=3e-3,
    adversarial_weight=0.1,
    latent_adversarial_weight=0.3,
    feature_matching_weight=0.5,
)
_MAPPING_WEIGHTS = replace(
    TINY.stages["mapping"].weights, adversarial_weight=0.1, feature_matching_weight=0.5
)


def _short(stage: StageName, **changes: Any) -> StageConfig:
    # Each term has to weigh enough to be missed, and its discriminator to keep up with the network.
    return replace(
        TINY.stages[stage], batch=4, crop=32, discriminator_learning_rate=2e-3, **changes
    )


MICRO = replace(
    TINY,
    name="micro",
    mapping=replace(
        TINY.mapping, widths_in=(36,), widths_out=(), num_blocks=1, num_global_blocks=1
    ),
    stages={
        "vae-degraded": _short("vae-degraded", num_photos=1_000, weights=_VAE_WEIGHTS),
        "vae-clean": _short("vae-clean", num_photos=400, weights=_VAE_WEIGHTS),
        "mapping": _short("mapping", num_photos=1_200, weights=_MAPPING_WEIGHTS, hole_prob=1.0),
        "detector": TINY.stages["detector"],
    },
)
"""The method at a size of which 21 copies train on one core in a coffee break."""


@dataclass(frozen=True)
class MicroConfig:
    """What a micro-checkpoint is built from: two VAEs of one size, and a mapping of some form."""

    vae: VAEConfig
    mapping: MappingConfig
    variant: str


@dataclass(frozen=True)
class Ablation:
    """One whole ablation.

    Attributes:
        run: folder of the run: ``seed-N/VARIANT/`` holds each training, ``weights/`` the results.
        old, clean: photo files.
        num_seeds: seeds 0, 1, ... that every variant is trained with.
        preset: sizes and schedule of the whole method.
        settings: of the loop; its ``max_minutes`` holds for everything together.
        command: options it was asked for with, for the record.
    """

    run: Path
    old: Sequence[Path]
    clean: Sequence[Path]
    num_seeds: int = 3
    preset: Preset = MICRO
    settings: LoopSettings = field(default_factory=LoopSettings)
    command: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_positive(num_seeds=self.num_seeds)

    @property
    def weights(self) -> Path:
        """Folder of the micro-checkpoints."""
        return self.run / "weights"


def part_of(variant: str) -> str | None:
    """Return the part that a variant goes without, None for the whole method.

    Raises:
        InputError: if there is no such variant.
    """
    require_in(variant, VARIANTS, "variant of the ablation")
    return None if variant == FULL else variant.removeprefix("without ")


def ablated(preset: Preset, variant: str) -> Preset:
    """Return the settings of the whole method with one part switched off."""
    part = part_of(variant)
    if part == MASK:
        return replace(preset, mapping=replace(preset.mapping, masked=False))
    if part not in TERMS:
        return preset
    factor, stages = TERMS[part]
    for name in stages:
        weights = replace(preset.stages[name].weights, **{factor: 0.0})
        preset = preset.with_stages(name, weights=weights)
    return preset


def checkpoint_name(variant: str, seed: int) -> str:
    """Return the file name, without suffix, of the micro-checkpoint of a variant and a seed."""
    part_of(variant)
    return f"{variant.lower().replace(' ', '_').replace('-', '_')}_seed{seed}"


def plan_of(job: Ablation, variant: str, seed: int) -> Plan:
    """Return the training of one variant with one seed, in a folder of its own."""
    folder = checkpoint_name(variant, seed).rpartition("_")[0]
    return Plan(
        preset=ablated(job.preset, variant),
        old=job.old,
        clean=job.clean,
        run=job.run / f"seed-{seed}" / folder,
        variant="quality" if part_of(variant) == NONLOCAL else "scratch",
        seed=seed,
    )


def all_plans(job: Ablation) -> Iterator[tuple[str, int, Plan]]:
    """Yield variant, seed and plan, seed by seed: whenever time runs out, whole seeds are done."""
    for seed in range(job.num_seeds):
        for variant in VARIANTS:
            yield variant, seed, plan_of(job, variant, seed)


def same_stages(plan: Plan, whole: Plan) -> list[str]:
    """Return the VAEs that come out of a plan exactly as out of the whole method's.

    ``vae_clean`` begins as a copy of ``vae_degraded`` where the preset says so; then it is the same
    only if both are.
    """
    same = [name for stage, name in VAE_OF.items() if plan.config(stage) == whole.config(stage)]
    return same if VAES[0] in same or not plan.preset.shared_start else []


def train_all(job: Ablation, report: Callable[[str], None] = print) -> bool:
    """Train what is not finished yet, and write a micro-checkpoint after each training.

    Returns:
        True when all are done, False when time ran out or somebody asked to stop.

    Raises:
        InputError: if the run folder holds trainings with other settings, or others of its own.
    """
    deadline = time.monotonic() + 60 * (job.settings.max_minutes or float("inf"))
    for variant, seed, plan in all_plans(job):
        if is_trained(job, variant, seed):
            continue
        report(f"{variant}, seed {seed}")
        if not _train_one(job, plan, plan_of(job, FULL, seed), deadline, report):
            return False
        network, config = used_parts(load_weights(plan.run, plan.variant)), _config(plan)
        card = {"variant": variant, "seed": seed, "finished": True} | {
            name: asdict(plan.config(name)) for name in TRAINED
        }
        card |= {"num_old": len(plan.old), "num_clean": len(plan.clean)}
        save_network(job.weights, checkpoint_name(variant, seed), network, config, card)
    return True


def is_trained(job: Ablation, variant: str, seed: int) -> bool:
    """Whether the run has the micro-checkpoint of a variant and a seed, with these settings.

    Raises:
        InputError: if it has one that was trained with other settings.
    """
    path = job.weights / f"{checkpoint_name(variant, seed)}.json"
    if not path.is_file():
        return False
    plan = plan_of(job, variant, seed)
    found = json.loads(path.read_text(encoding="utf-8"))
    expected = {"config": asdict(_config(plan))} | {s: asdict(plan.config(s)) for s in TRAINED}
    before = {"config": found["config"]} | {s: found["training"].get(s) for s in TRAINED}
    require_same_settings(path, before, expected)
    return True


def require_same_settings(path: Path, before: object, now: object) -> None:
    """Raise InputError unless a JSON holds the settings that training would have now.

    Args:
        path: of the JSON, for the message.
        before: what was read from it.
        now: settings of plain values.
    """
    if before != json.loads(json.dumps(now)):
        raise InputError(
            f"{path} was trained with other settings: repeat the options that it was begun with, "
            "or choose another --run folder"
        )


def used_parts(network: RestorationNetwork) -> RestorationNetwork:
    """Leave out, in place, the halves of the VAEs that no photo passes when it is restored."""
    network.vae_degraded.decoder = nn.Identity()
    network.vae_clean.encoder = nn.Identity()
    return network


def load_micro(folder: Path, variant: str, seed: int) -> RestorationNetwork:
    """Load the micro-checkpoint of a variant and a seed; it restores, but cannot be trained on.

    Raises:
        InputError: if a file is missing, damaged, or does not fit its settings.
    """
    return load_network(folder, checkpoint_name(variant, seed), build_micro)


def build_micro(config: dict[str, Any]) -> RestorationNetwork:
    """Build the network of a micro-checkpoint from the settings in its JSON."""
    vae, mapping = VAEConfig(**config["vae"]), MappingConfig(**config["mapping"])
    return used_parts(RestorationNetwork(VAE(vae), VAE(vae), MAPPINGS[config["variant"]](mapping)))


def _config(plan: Plan) -> MicroConfig:
    return MicroConfig(plan.preset.vae, plan.preset.mapping, plan.variant)


def _train_one(
    job: Ablation, plan: Plan, whole: Plan, deadline: float, report: Callable[[str], None]
) -> bool:
    """Train the stages of one plan that are not finished; False when time ran out."""
    require_same_run(plan)
    write_run_config(plan, job.command)
    for name in same_stages(plan, whole) if plan.run != whole.run else ():
        _take_over(whole.weights, plan.weights, name)
    for stage in TRAINED:
        require_same_stage(plan, stage)
        if _is_finished(plan, stage):
            continue
        left = (deadline - time.monotonic()) / 60
        if left <= 0:
            return False
        write_stage_config(plan, stage)
        settings = replace(job.settings, max_minutes=left, resume=True)
        if not train_stage(plan, stage, settings, report=report):
            return False
    return True


def _is_finished(plan: Plan, stage: str) -> bool:
    if stage == "mapping":  # the checkpoint made of it is what tells, see ``is_trained``
        return False
    path = plan.weights / f"{plan.network_name(stage)}.json"
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["training"]["finished"]


def _take_over(source: Path, target: Path, name: str) -> None:
    """Copy a trained network; its JSON comes last, for it says that the network is there."""
    for suffix in (".safetensors", ".json"):
        with written_whole(target / f"{name}{suffix}") as file:
            file.write((source / f"{name}{suffix}").read_bytes())
