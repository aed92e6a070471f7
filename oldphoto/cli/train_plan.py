"""What ``oldphoto train`` will do: its options turned into a plan, and the plan told in words."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oldphoto.checks import InputError, require_folder, require_positive
from oldphoto.config import PRESETS, Preset
from oldphoto.data import labelled_pairs, photo_paths
from oldphoto.degradations.common import require_range
from oldphoto.degradations.hole_masks import require_hole_ratio
from oldphoto.metrics.perceptual import SHIPPED_SQUEEZENET
from oldphoto.networks.features import FeatureExtractor, load_feature_extractor
from oldphoto.samples import sample_paths
from oldphoto.system.files import sha256_of
from oldphoto.training.stages import FINE_TUNING, STAGES, VAES, Plan, started_from
from oldphoto.weights.source import WeightsSource
from oldphoto.weights.store import DETECTOR, mapping_name

LOSS_FACTORS = {
    "l1": "the L1 distance between photos",
    "kl": "the KL divergence",
    "adversarial": "the loss that the photo discriminator gives",
    "latent-adversarial": "the loss that the latent discriminator gives",
    "latent-l1": "the L1 distance between codes",
    "feature-matching": "feature matching",
    "perceptual": "the perceptual term",
}
"""Terms of the losses whose factor the command line may change: see ``LossWeights``."""


def make_plan(arguments: argparse.Namespace) -> Plan:
    """Return what the options of the command ask for.

    Raises:
        InputError: if a folder, a file or a number is wrong.
    """
    if arguments.data is None:
        old, clean = sample_paths("old"), sample_paths("clean")
    else:
        require_folder(arguments.data, "a folder with old/ and clean/")
        needs_old = arguments.stage in ("all", "vae-degraded")
        has_old = (arguments.data / "old").is_dir()
        old = photo_paths(arguments.data / "old") if needs_old or has_old else []
        clean = photo_paths(arguments.data / "clean")
    preset = _preset(arguments)
    network, name = _features(preset, arguments.features)
    return Plan(
        preset=preset,
        old=old,
        clean=clean,
        run=arguments.run,
        variant=arguments.variant,
        seed=arguments.seed,
        start_from=WeightsSource.parse(arguments.start_from) if arguments.start_from else None,
        feature_network=network,
        features_name=name,
        labelled=labelled_pairs(arguments.labelled) if arguments.labelled else (),
    )


def _features(preset: Preset, path: Path | None) -> tuple[FeatureExtractor | None, str]:
    """Return the network of the perceptual term and its name; the shipped one without a path."""
    stages = (preset.train_vae_degraded, preset.train_vae_clean, preset.train_mapping)
    if path is None and not any(stage.weights.perceptual_weight for stage in stages):
        return None, ""
    path = path or SHIPPED_SQUEEZENET
    network = load_feature_extractor(path)
    return network, f"{type(network).__name__} of {path.name}, SHA-256 {sha256_of(path)}"


def _preset(arguments: argparse.Namespace) -> Preset:
    preset = PRESETS[arguments.preset]
    asked = {
        "num_photos": arguments.photos,
        "batch": arguments.batch,
        "crop": arguments.crop,
        "learning_rate": arguments.learning_rate,
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    require_positive(**changes)
    if arguments.hole_prob is not None:
        require_range(arguments.hole_prob, (0.0, 1.0), "hole_prob")
        changes["hole_prob"] = arguments.hole_prob
    if arguments.hole_ratio is not None:
        changes["hole_ratio"] = require_hole_ratio(arguments.hole_ratio)
    factors = _factors(arguments)
    names = [f"train_{stage.replace('-', '_')}" for stage in STAGES]
    stages = {name: getattr(preset, name) for name in names}
    for name, stage in stages.items():
        stages[name] = replace(stage, **changes, weights=replace(stage.weights, **factors))
    return replace(preset, **stages)


def _factors(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the factors of loss terms that were asked for, by their names in ``LossWeights``."""
    names = [f"{name.replace('-', '_')}_weight" for name in LOSS_FACTORS]
    asked = {name: getattr(arguments, name) for name in names}
    asked = {name: value for name, value in asked.items() if value is not None}
    for name, value in asked.items():
        if not 0 <= value < float("inf"):
            raise InputError(f"{name} must be 0 or more, got {value}")
    return asked


def stages_of(plan: Plan, asked: str) -> tuple[str, ...]:
    """Return the stages to train, with the detector's second one where there are labels for it."""
    stages = STAGES if asked == "all" else (asked,)
    if not plan.labelled or DETECTOR not in stages:
        return stages
    if plan.start_from:  # it has learned from damage of our own before
        return (*(stage for stage in stages if stage != DETECTOR), FINE_TUNING)
    return (*stages, FINE_TUNING)


def require_start(plan: Plan, stages: Sequence[str]) -> None:
    """Raise InputError now, not when the stages before are done, if --from lacks a network."""
    if plan.start_from is None:
        return
    if not {DETECTOR, FINE_TUNING}.issuperset(stages):
        plan.start_from.vae("vae_clean", plan.variant)
    if "mapping" in stages:
        plan.start_from.mapping(plan.variant)
    if not {DETECTOR, FINE_TUNING}.isdisjoint(stages):
        plan.start_from.detector()


def describe(plan: Plan, stages: Sequence[str], with_files: bool = False) -> str:
    """Say in a few lines what will be trained, on what, in which order, and where it goes.

    Args:
        with_files: say also what each stage reads and writes.
    """
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
            lines.append("   reads " + _what_it_reads(plan, stage, stages))
            lines.append(f"   writes {_what_it_writes(plan, stage)}")
    return "\n".join(lines)


def _what_it_reads(plan: Plan, stage: str, stages: Sequence[str]) -> str:
    kinds = {
        "vae-degraded": f"{len(plan.old)} old photos, {len(plan.clean)} clean photos to degrade",
        "vae-clean": f"{len(plan.clean)} clean photos",
        "mapping": f"{len(plan.clean)} clean photos to degrade, "
        f"{' and '.join(f'{name}.safetensors' for name in VAES)} in {plan.weights}",
        DETECTOR: f"{len(plan.clean)} clean photos to scratch",
        FINE_TUNING: f"{len(plan.labelled)} labelled photos",
    }
    begins = started_from(plan, stage)
    if stage == "vae-clean" and "vae-degraded" in stages and plan.preset.shared_start:
        begins = begins if plan.start_from else "the vae_degraded of this run"
    return f"{kinds[stage]}; begins with {begins}"


def _what_it_writes(plan: Plan, stage: str) -> str:
    name = mapping_name(plan.variant) if stage == "mapping" else stage.replace("-", "_")
    name = DETECTOR if stage == FINE_TUNING else name
    result = plan.weights / f"{name}.safetensors"
    return f"{result} and, in {plan.folder(stage)}, checkpoints, log.csv, tensorboard, samples"
