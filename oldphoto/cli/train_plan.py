"""Turn the options of ``oldphoto train`` into the plan of a training run."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from oldphoto.checks import InputError, require_folder, require_positive
from oldphoto.config import PRESETS, Preset
from oldphoto.data import labelled_pairs, photo_paths
from oldphoto.degradations.common import require_range
from oldphoto.degradations.hole_masks import require_hole_ratio
from oldphoto.images.files import list_photos
from oldphoto.metrics.perceptual import SHIPPED_SQUEEZENET
from oldphoto.networks.features import FeatureExtractor, load_feature_extractor
from oldphoto.samples import sample_paths
from oldphoto.system.files import sha256_of
from oldphoto.training.plan import Plan
from oldphoto.weights.source import WeightsSource
from oldphoto.weights.store import DETECTOR

LOSS_WEIGHTS = {
    "l1_weight": "the L1 distance between photos",
    "kl_weight": "the KL divergence",
    "adversarial_weight": "the adversarial loss on photos",
    "latent_adversarial_weight": "the adversarial loss on latents",
    "latent_l1_weight": "the L1 distance between latents",
    "feature_matching_weight": "feature matching",
    "perceptual_weight": "the perceptual loss",
}
"""Loss weights that have an option, by their names in ``LossWeights``."""


def make_plan(arguments: argparse.Namespace) -> Plan:
    """Return the plan that the options describe.

    Raises:
        InputError: if a folder, a file or a number is wrong.
    """
    if arguments.data is None:
        old, clean = sample_paths("old"), sample_paths("clean")
    else:
        require_folder(arguments.data, "a folder with old/ and clean/")
        # Only vae-degraded needs old photos; other stages record them if they are there.
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
        textures=list_photos(arguments.textures) if arguments.textures else (),
    )


def _features(preset: Preset, path: Path | None) -> tuple[FeatureExtractor | None, str]:
    """Return the network of the perceptual term and its name; the shipped one without a path."""
    stages = [stage for name, stage in preset.stages.items() if name != DETECTOR]
    if path is None and not any(stage.weights.perceptual_weight for stage in stages):
        return None, ""
    path = path or SHIPPED_SQUEEZENET
    network = load_feature_extractor(path)
    return network, f"{type(network).__name__} of {path.name}, SHA-256 {sha256_of(path)}"


def _preset(arguments: argparse.Namespace) -> Preset:
    """Return the preset with the settings that the options replace, in every stage."""
    options = {
        "num_photos": arguments.photos,
        "batch": arguments.batch,
        "crop": arguments.crop,
        "learning_rate": arguments.learning_rate,
    }
    changes: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    require_positive(**changes)
    if arguments.recipe is not None:
        changes["recipe"] = arguments.recipe
    if arguments.hole_prob is not None:
        require_range(arguments.hole_prob, (0.0, 1.0), "hole_prob")
        changes["hole_prob"] = arguments.hole_prob
    if arguments.hole_ratio is not None:
        changes["hole_ratio"] = require_hole_ratio(arguments.hole_ratio)
    weights = _loss_weights(arguments)
    preset = PRESETS[arguments.preset].with_stages(**changes)
    stages = {
        name: replace(stage, weights=replace(stage.weights, **weights))
        for name, stage in preset.stages.items()
    }
    return replace(preset, stages=stages)


def _loss_weights(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the loss weights given as options, by their names in ``LossWeights``."""
    options = vars(arguments)
    given = {name: options[name] for name in LOSS_WEIGHTS if options[name] is not None}
    for name, value in given.items():
        if not 0 <= value < float("inf"):
            raise InputError(f"{name} must be 0 or more, got {value}")
    return given
