"""The paper's first ablation: the steps that lead to its latent translation.

1. Pix2Pix, which has no latent space.
2. Two VAEs and the mapping between them, trained jointly ("all at once").
3. The same in two stages ("without latent discriminator" in ``variants``).
4. With the latent discriminator on top (the whole method).

This module trains the first two, of the same size, with the same seeds on the same photos.

Source:
    Wan et al. 2020, section 4.4, ablation of the latent translation.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from oldphoto import losses
from oldphoto.checks import require_in
from oldphoto.config import Preset, StageConfig
from oldphoto.data import AllKinds
from oldphoto.evaluation.ablation.results import (
    EVERY,
    GAP,
    Results,
    as_method,
    gap_photos,
    latent_gap,
    measure_variant,
    over_seeds,
)
from oldphoto.evaluation.ablation.variants import (
    AblationRun,
    MicroConfig,
    build_micro,
    has_checkpoint,
    used_parts,
)
from oldphoto.evaluation.baselines import pix2pix
from oldphoto.evaluation.baselines.fitting import BaselinePreset, BaselineRun
from oldphoto.evaluation.comparison import metrics
from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.networks.discriminators import PatchDiscriminator
from oldphoto.networks.mapping import scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_paths
from oldphoto.training.loop import Stage, train
from oldphoto.training.objectives import (
    DiscriminatorObjective,
    Outputs,
    Terms,
    VAEObjective,
    photo_terms,
)
from oldphoto.training.plan import VAES
from oldphoto.training.stages import Numbered, damage_settings
from oldphoto.weights.store import load_network, save_network

PIX2PIX, AT_ONCE = "Pix2Pix", "all at once"
STEPS = (PIX2PIX, AT_ONCE)
"""Names of the first two steps in the results."""

MAPPING = "mapping"


class AtOnceObjective(nn.Module):
    """Loss of joint training, eq. 2 and eq. 5 together: both VAEs get the mapping's gradients, too.

    Args:
        network: the two VAEs and the mapping, all of which are trained.
        preset: factors of the terms of each stage. There is no latent discriminator, which is the
            last step of the paper's ablation.
    """

    def __init__(self, network: RestorationNetwork, preset: Preset) -> None:
        super().__init__()
        weights = replace(preset.stages["vae-degraded"].weights, latent_adversarial_weight=0.0)
        self.vae_degraded = VAEObjective(network.vae_degraded, weights)
        self.vae_clean = VAEObjective(network.vae_clean, preset.stages["vae-clean"].weights)
        self.mapping = network.mapping
        self.weights = preset.stages["mapping"].weights

    def forward(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Outputs]:
        mixed = {name: batch[name] for name in ("old", "degraded", "seed")}
        clean = {name: batch[name] for name in ("clean", "seed")}
        of_mapping = discriminators[MAPPING]
        assert isinstance(of_mapping, nn.ModuleDict)
        parts = {
            "vae_degraded": self.vae_degraded(mixed, discriminators["vae_degraded"]),
            "vae_clean": self.vae_clean(clean, discriminators["vae_clean"]),
            MAPPING: self._translate(batch, of_mapping),
        }
        terms: Terms = {}
        samples = dict(parts[MAPPING][1])
        for part, (found, made) in parts.items():
            terms |= {f"{part}_{name}": term for name, term in found.items()}
            samples |= {f"{part}.{name}": value for name, value in made.items()}
        return terms, samples

    def _translate(
        self, batch: dict[str, Tensor], discriminators: nn.ModuleDict
    ) -> tuple[Terms, Outputs]:
        degraded, clean = batch["degraded"], batch["clean"]
        first, second = self.vae_degraded.vae, self.vae_clean.vae
        prepared = self.mapping.prepare(degraded, batch["scratch_mask"])
        mapped = self.mapping(first.encode(prepared), batch["scratch_mask"])
        restored = second.decode(mapped)
        terms = photo_terms(restored, clean, discriminators, self.weights, None, degraded)
        distance = losses.l1_loss(mapped, second.encode(clean))
        terms["latent_l1"] = self.weights.latent_l1_weight * distance
        samples = {"input": degraded, "output": restored.detach(), "target": clean}
        return terms, samples | {"condition": degraded}


class AtOnceDiscriminatorObjective(DiscriminatorObjective):
    """Losses of the three photo discriminators: one for each VAE, one for the mapping."""

    def forward(self, samples: Outputs) -> Terms:
        terms: Terms = {}
        for part, discriminators in self.discriminators.items():
            made = {
                name.removeprefix(f"{part}."): value
                for name, value in samples.items()
                if name.startswith(f"{part}.")
            }
            assert isinstance(discriminators, nn.ModuleDict)
            found = DiscriminatorObjective(discriminators)(made)
            terms |= {f"{part}_{name}": term for name, term in found.items()}
        return terms


def at_once_stage(run: AblationRun, seed: int) -> Stage:
    """Return networks, losses and data for joint training of the VAEs and the mapping.

    Each network sees as many photos as the mapping does in two stages.
    """
    preset = run.preset
    torch.manual_seed(seed)
    first = VAE(preset.vae)
    # In two stages the second VAE starts as a copy of the first, so here it does, too.
    second = copy.deepcopy(first) if preset.shared_start else VAE(preset.vae)
    network = RestorationNetwork(first, second, scratch_mapping(preset.mapping)).train()
    discriminators = {part: PatchDiscriminator(preset.discriminator, 3) for part in VAES}
    discriminators[MAPPING] = PatchDiscriminator(preset.discriminator, 6)
    config = preset.stages["mapping"]
    photos = AllKinds(run.old, run.clean, config.crop, seed, **damage_settings(config))
    return Stage(
        name=AT_ONCE,
        config=config,
        objective=AtOnceObjective(network, preset),
        discriminator_objective=AtOnceDiscriminatorObjective(
            nn.ModuleDict({part: nn.ModuleDict({"photo": c}) for part, c in discriminators.items()})
        ),
        trained=nn.ModuleDict({"network": network}),
        dataset=Numbered(photos, seed),
    )


def pix2pix_stage(run: AblationRun, seed: int) -> Stage:
    """Return networks, losses and data of Pix2Pix at the size of a micro-checkpoint.

    It sees as many photos as the three stages of the whole method together.
    """
    preset = run.preset
    stages = (preset.stages["vae-degraded"], preset.stages["vae-clean"], preset.stages["mapping"])
    config: StageConfig = replace(
        preset.stages["mapping"],
        num_photos=sum(stage.num_photos for stage in stages),
        learning_rate=pix2pix.TINY.train.learning_rate,
    )
    # As in its paper, the U-Net reduces a crop to a single position.
    network = pix2pix.Pix2PixConfig(width=6, depth=int(math.log2(config.crop & -config.crop)))
    sizes = BaselinePreset(network, config, preset.discriminator)
    baseline = BaselineRun(run.folder, run.clean, run.old, seed=seed)
    return pix2pix.pix2pix_stage(baseline, sizes)


def stage_of_step(run: AblationRun, step: str, seed: int) -> Stage:
    """Return networks, losses and data of one step.

    Raises:
        InputError: if there is no such step.
    """
    require_in(step, STEPS, "step of the translation")
    return pix2pix_stage(run, seed) if step == PIX2PIX else at_once_stage(run, seed)


def train_steps(
    run: AblationRun, report: Callable[[str], None] = print, begun: float | None = None
) -> bool:
    """Train what is not finished yet, and write the weights beside the micro-checkpoints.

    Args:
        run: the ablation.
        report: gets a line for each training.
        begun: start of the run's ``max_minutes`` by ``time.monotonic()``; None is now.

    Returns:
        True when all are done, False after the time limit or a request to stop.

    Raises:
        InputError: if the run folder holds such weights of other settings.
    """
    begun = time.monotonic() if begun is None else begun
    deadline = begun + 60 * (run.settings.max_minutes or float("inf"))
    for seed in range(run.num_seeds):
        for step in STEPS:
            stage, name = stage_of_step(run, step, seed), file_name(step, seed)
            if has_checkpoint(run, name, {"stage": asdict(stage.config)}):
                continue
            report(f"{step}, seed {seed}")
            left = (deadline - time.monotonic()) / 60
            settings = replace(run.settings, max_minutes=left, resume=True)
            folder = run.folder / f"seed-{seed}" / name.rpartition("_")[0]
            if left <= 0 or not train(stage, folder, settings, report):
                return False
            _keep(run, step, seed, stage)
    return True


def file_name(step: str, seed: int) -> str:
    """Return the file name, without suffix, of the weights of a step and a seed."""
    return f"{step.lower().replace(' ', '_')}_seed{seed}"


def _keep(run: AblationRun, step: str, seed: int, stage: Stage) -> None:
    (network,) = stage.trained.values()
    config: object = network.config if step == PIX2PIX else None
    if isinstance(network, RestorationNetwork):
        network = used_parts(network)
        config = MicroConfig(run.preset.vae, run.preset.mapping, "scratch")
    card = {"step": step, "seed": seed, "finished": True, "stage": asdict(stage.config)}
    save_network(run.weights, file_name(step, seed), network, config, card)


def measure_steps(folder: Path, results: Results, report: Callable[[str], None] = print) -> Results:
    """Return the results of an ablation together with those of the first two steps.

    Args:
        folder: holds the weights of the steps.
        results: of the variants. The steps are measured with as many seeds on the same photos.
        report: gets a line for each step.

    Raises:
        InputError: if weights are missing or damaged.
    """
    names = {column.name for column in results.columns}
    found = [metric for metric in metrics() if metric.name in names]
    photos, gap = list(make_test_photos(sample_paths("held_out"))), gap_photos()

    def measure_step(step: str, seed: int) -> dict[str, list[float]]:
        method, encode = _load(folder, step, seed)
        row = measure_variant(step, method, photos, found)
        return row | {GAP: [latent_gap(encode, *gap, every=EVERY if step == AT_ONCE else 1)]}

    values = {name: dict(rows) for name, rows in results.values.items()}
    for step in STEPS:
        report(f"measuring {step}")
        values[step] = over_seeds(partial(measure_step, step), results.num_seeds)
    return replace(results, values=values)


def _load(
    folder: Path, step: str, seed: int
) -> tuple[Callable[..., np.ndarray], Callable[[Tensor], Tensor]]:
    """Return the restoring and the encoding function of a step; Pix2Pix has its innermost layer."""
    name = file_name(step, seed)
    if step == AT_ONCE:
        network = load_network(folder, name, build_micro)
        return as_method(network), network.vae_degraded.encode
    method = pix2pix.Pix2Pix.load(folder, "cpu", name)
    return method, lambda photo: method.network.encode(photo)[-1]
