"""Variants of an ablation: the whole method at a micro size, and again without one part each.

Every variant uses the ordinary stages and the ordinary loop. A loss term is switched off by the
factor 0, a part of the mapping by its class or its settings. Variants of one seed start from the
same weights and see the same crops with the same damage. A network that is the same in several
variants is trained once.
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
from oldphoto.weights.store import (
    MAPPINGS,
    SHIPPED,
    current_settings,
    load_network,
    load_weights,
    read_card,
    save_network,
)

FULL = "full"
TRAINED = STAGES[:3]
VAE_STAGES, MAPPING_STAGE = TRAINED[:2], TRAINED[2:]

TERMS = {
    "latent discriminator": ("latent_adversarial_weight", VAE_STAGES),
    "adversarial loss": ("adversarial_weight", MAPPING_STAGE),
    "KL": ("kl_weight", VAE_STAGES),
    "feature matching": ("feature_matching_weight", MAPPING_STAGE),
}
"""Loss terms that can be switched off: the factor in ``LossWeights``, and the stages without it.

The adversarial loss and feature matching are those of the mapping (eq. 5). The VAEs keep theirs, so
these variants share the VAEs of the whole method, and nothing but the term differs."""

NONLOCAL, MASK = "partial non-local", "mask"
PARTS = ("latent discriminator", NONLOCAL, MASK, "adversarial loss", "KL", "feature matching")
"""The parts in the order of the table."""

VARIANTS = (FULL, *(f"without {part}" for part in PARTS))
"""Names of all variants, the whole method first."""

FOLDER = SHIPPED / "ablation"
"""Folder of the micro-checkpoints that ship with the package."""

MAX_BYTES = 300_000
"""Largest size of a micro-checkpoint."""

# Each term needs enough weight to be missed. Its discriminator must keep up with the network.
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
    steps: dict[str, Any] = dict(batch=4, crop=32, discriminator_learning_rate=2e-3)
    return replace(TINY.stages[stage], **steps, **changes)


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
        "tone": TINY.stages["tone"],
    },
)
"""Settings so small that 21 trainings take a coffee break on one core."""


@dataclass(frozen=True)
class MicroConfig:
    """Settings of a micro-checkpoint: two VAEs of one size and the mapping of a variant."""

    vae: VAEConfig
    mapping: MappingConfig
    variant: str


@dataclass(frozen=True)
class AblationRun:
    """One whole ablation.

    Attributes:
        folder: of the run. ``seed-N/VARIANT/`` holds each training, ``weights/`` the results.
        old, clean: photo files.
        num_seeds: every variant is trained with the seeds 0 to ``num_seeds - 1``.
        preset: sizes and schedule of the whole method.
        settings: of the loop. ``max_minutes`` is the limit for all trainings together.
        command: options of the command line, for the record.
    """

    folder: Path
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
        return self.folder / "weights"


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
        return replace(preset, mapping=replace(preset.mapping, form="unmasked"))
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
    # Shipped files and folders of runs keep the name that this variant had at first.
    name = variant.replace("latent discriminator", "latent adversary")
    return f"{name.lower().replace(' ', '_').replace('-', '_')}_seed{seed}"


def plan_of(run: AblationRun, variant: str, seed: int) -> Plan:
    """Return the training of one variant with one seed, in a folder of its own."""
    folder = checkpoint_name(variant, seed).rpartition("_")[0]
    return Plan(
        preset=ablated(run.preset, variant),
        old=run.old,
        clean=run.clean,
        run=run.folder / f"seed-{seed}" / folder,
        variant="quality" if part_of(variant) == NONLOCAL else "scratch",
        seed=seed,
    )


def all_plans(run: AblationRun) -> Iterator[tuple[str, int, Plan]]:
    """Yield variant, seed and plan, seed by seed, so that a stopped run has complete seeds."""
    for seed in range(run.num_seeds):
        for variant in VARIANTS:
            yield variant, seed, plan_of(run, variant, seed)


def same_stages(plan: Plan, whole: Plan) -> list[str]:
    """Return the names of the VAEs that a plan trains exactly as the whole method does.

    With ``shared_start``, ``vae_clean`` starts as a copy of ``vae_degraded``. Then it is the same
    only if both are.
    """
    same = [name for stage, name in VAE_OF.items() if plan.config(stage) == whole.config(stage)]
    return same if VAES[0] in same or not plan.preset.shared_start else []


def train_all(run: AblationRun, report: Callable[[str], None] = print) -> bool:
    """Train what is not finished yet, and write a micro-checkpoint after each training.

    Returns:
        True when all are done, False after the time limit or a request to stop.

    Raises:
        InputError: if the run folder holds trainings with other settings or another ablation.
    """
    deadline = time.monotonic() + 60 * (run.settings.max_minutes or float("inf"))
    for variant, seed, plan in all_plans(run):
        if is_trained(run, variant, seed):
            continue
        report(f"{variant}, seed {seed}")
        if not _train_one(run, plan, plan_of(run, FULL, seed), deadline, report):
            return False
        network, config = used_parts(load_weights(plan.run, plan.variant)), _config(plan)
        card = {"variant": variant, "seed": seed, "finished": True} | {
            name: asdict(plan.config(name)) for name in TRAINED
        }
        card |= {"num_old": len(plan.old), "num_clean": len(plan.clean)}
        save_network(run.weights, checkpoint_name(variant, seed), network, config, card)
    return True


def is_trained(run: AblationRun, variant: str, seed: int) -> bool:
    """Return whether the run has the micro-checkpoint of a variant and a seed.

    Raises:
        InputError: if it has one that was trained with other settings.
    """
    plan = plan_of(run, variant, seed)
    settings = {"config": asdict(_config(plan))} | {s: asdict(plan.config(s)) for s in TRAINED}
    return has_checkpoint(run, checkpoint_name(variant, seed), settings)


def has_checkpoint(run: AblationRun, name: str, settings: dict[str, Any]) -> bool:
    """Return whether the run has a checkpoint of this name, trained with these settings.

    Args:
        settings: "config" of the network, and settings from the record of its training.

    Raises:
        InputError: if it was trained with other settings.
    """
    path = run.weights / f"{name}.json"
    if not path.is_file():
        return False
    found = read_card(path)
    before = found["training"] | {"config": current_settings(found.get("config", {}))}
    # JSON turns tuples into lists: compare what would be written.
    before, now = json.loads(json.dumps([before, settings]))
    if any(before.get(key) != value for key, value in now.items()):
        raise InputError(
            f"{path} was trained with other settings: repeat the options that it was begun with, "
            "or choose another --run folder"
        )
    return True


def used_parts(network: RestorationNetwork) -> RestorationNetwork:
    """Remove, in place, the halves of the VAEs that restoring a photo does not use."""
    network.vae_degraded.register_module("decoder", nn.Identity())
    network.vae_clean.register_module("encoder", nn.Identity())
    return network


def load_micro(folder: Path, variant: str, seed: int) -> RestorationNetwork:
    """Load the micro-checkpoint of a variant and a seed, for restoring only.

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
    run: AblationRun, plan: Plan, whole: Plan, deadline: float, report: Callable[[str], None]
) -> bool:
    """Train the unfinished stages of one plan; return False if it was stopped before the end."""
    require_same_run(plan)
    write_run_config(plan, run.command)
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
        settings = replace(run.settings, max_minutes=left, resume=True)
        if not train_stage(plan, stage, settings, report=report):
            return False
    return True


def _is_finished(plan: Plan, stage: str) -> bool:
    if stage == "mapping":  # its micro-checkpoint is checked by ``is_trained`` instead
        return False
    path = plan.weights / f"{plan.network_name(stage)}.json"
    return path.is_file() and bool(read_card(path)["training"].get("finished"))


def _take_over(source: Path, target: Path, name: str) -> None:
    """Copy a trained network. Its JSON comes last, because it marks the network as complete."""
    for suffix in (".safetensors", ".json"):
        with written_whole(target / f"{name}{suffix}") as file:
            file.write((source / f"{name}{suffix}").read_bytes())
