"""The paper's first ablation: the steps that lead to its latent translation.

Pix2Pix, which has no latent space; two VAEs and the mapping between them, trained all at once; the
same in two stages; and the latent adversary on top. The last two are variants of
``variants`` ("without latent adversary" and the whole method). Here are the first two, of
the same size, trained with the same seeds on the same photos.

Source:
    Wan et al. 2020, section 4.4, the ablation of the latent translation.
"""

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
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
)
from oldphoto.evaluation.ablation.variants import (
    Ablation,
    MicroConfig,
    build_micro,
    require_same_settings,
    used_parts,
)
from oldphoto.evaluation.baselines import pix2pix
from oldphoto.evaluation.baselines.fitting import BaselineRun
from oldphoto.evaluation.comparison import metrics
from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.networks.discriminators import PatchDiscriminator
from oldphoto.networks.mapping import PartialNonlocalMapping
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
"""The first two steps, by their names in the results."""

MAPPING = "mapping"


class AtOnceObjective(nn.Module):
    """Equations 2 and 5 together: gradients of the mapping's terms reach both VAEs, too.

    Args:
        network: the two VAEs and the mapping, all of which are trained.
        preset: factors of the terms of each stage. Codes of old and degraded photos are not
            compared: that is the last step of the paper's ablation.
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
        parts = {
            "vae_degraded": self.vae_degraded(mixed, discriminators["vae_degraded"]),
            "vae_clean": self.vae_clean(clean, discriminators["vae_clean"]),
            MAPPING: self._translate(batch, discriminators[MAPPING]),
        }
        terms, samples = {}, dict(parts[MAPPING][1])
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
    """The losses of three photo discriminators: of each VAE, and of the mapping."""

    def forward(self, samples: Outputs) -> Terms:
        terms = {}
        for part, discriminators in self.discriminators.items():
            made = {
                name.removeprefix(f"{part}."): value
                for name, value in samples.items()
                if name.startswith(f"{part}.")
            }
            found = DiscriminatorObjective(discriminators)(made)
            terms |= {f"{part}_{name}": term for name, term in found.items()}
        return terms


def at_once_stage(job: Ablation, seed: int) -> Stage:
    """Return networks, losses and data of the VAEs and the mapping trained all at once.

    Each sees as many photos as the mapping does in two stages.
    """
    preset = job.preset
    torch.manual_seed(seed)
    first = VAE(preset.vae)
    # In two stages the second VAE begins as the first, so here it does, too.
    second = copy.deepcopy(first) if preset.shared_start else VAE(preset.vae)
    network = RestorationNetwork(first, second, PartialNonlocalMapping(preset.mapping)).train()
    discriminators = {part: PatchDiscriminator(preset.discriminator, 3) for part in VAES}
    discriminators[MAPPING] = PatchDiscriminator(preset.discriminator, 6)
    config = preset.stages["mapping"]
    photos = AllKinds(job.old, job.clean, config.crop, seed, **damage_settings(config))
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


def pix2pix_stage(job: Ablation, seed: int) -> Stage:
    """Return networks, losses and data of Pix2Pix, of the size of a micro-checkpoint.

    It sees as many photos as the networks of the whole method do, stage after stage.
    """
    preset = job.preset
    stages = (preset.stages["vae-degraded"], preset.stages["vae-clean"], preset.stages["mapping"])
    config: StageConfig = replace(
        preset.stages["mapping"],
        num_photos=sum(stage.num_photos for stage in stages),
        learning_rate=pix2pix.TINY.train.learning_rate,
    )
    # As in its paper, the U-Net brings a crop down to a single position.
    network = pix2pix.Pix2PixConfig(width=6, depth=int(math.log2(config.crop & -config.crop)))
    sizes = pix2pix.Pix2PixPreset(network, preset.discriminator, config)
    return pix2pix.baseline_stage(BaselineRun(job.run, job.clean, job.old, seed=seed), sizes)


def step_stage(job: Ablation, step: str, seed: int) -> Stage:
    """Return what one step is trained with.

    Raises:
        InputError: if there is no such step.
    """
    require_in(step, STEPS, "step of the translation")
    return pix2pix_stage(job, seed) if step == PIX2PIX else at_once_stage(job, seed)


def train_steps(
    job: Ablation, report: Callable[[str], None] = print, begun: float | None = None
) -> bool:
    """Train what is not finished yet, and write its weights beside the micro-checkpoints.

    Args:
        begun: when the job's ``max_minutes`` began, by ``time.monotonic()``; None is now.

    Returns:
        True when all are done, False when time ran out or somebody asked to stop.

    Raises:
        InputError: if the run folder holds such weights of other settings.
    """
    begun = time.monotonic() if begun is None else begun
    deadline = begun + 60 * (job.settings.max_minutes or float("inf"))
    for seed in range(job.num_seeds):
        for step in STEPS:
            stage, name = step_stage(job, step, seed), file_name(step, seed)
            if _is_trained(job, name, stage.config):
                continue
            report(f"{step}, seed {seed}")
            left = (deadline - time.monotonic()) / 60
            settings = replace(job.settings, max_minutes=left, resume=True)
            folder = job.run / f"seed-{seed}" / name.rpartition("_")[0]
            if left <= 0 or not train(stage, folder, settings, report):
                return False
            _keep(job, step, seed, stage)
    return True


def file_name(step: str, seed: int) -> str:
    """Return the file name, without suffix, of the weights of a step and a seed."""
    return f"{step.lower().replace(' ', '_')}_seed{seed}"


def _is_trained(job: Ablation, name: str, config: StageConfig) -> bool:
    path = job.weights / f"{name}.json"
    if not path.is_file():
        return False
    found = json.loads(path.read_text(encoding="utf-8"))["training"]["stage"]
    require_same_settings(path, found, asdict(config))
    return True


def _keep(job: Ablation, step: str, seed: int, stage: Stage) -> None:
    (network,) = stage.trained.values()
    config: object = MicroConfig(job.preset.vae, job.preset.mapping, "scratch")
    if step == PIX2PIX:
        config = network.config
    else:
        network = used_parts(network)
    card = {"step": step, "seed": seed, "finished": True, "stage": asdict(stage.config)}
    save_network(job.weights, file_name(step, seed), network, config, card)


def measure_steps(folder: Path, results: Results, report: Callable[[str], None] = print) -> Results:
    """Return the results of an ablation with those of the first two steps beside them.

    Args:
        folder: holds the weights of the steps.
        results: of the variants; the steps are measured with as many seeds, on the same photos.

    Raises:
        InputError: if weights are missing or damaged.
    """
    names = {column.name for column in results.columns}
    found = [metric for metric in metrics() if metric.name in names]
    photos, gap = list(make_test_photos(sample_paths("held_out"))), gap_photos()
    values = {name: dict(rows) for name, rows in results.values.items()}
    for step in STEPS:
        report(f"measuring {step}")
        values[step] = {}
        for seed in range(results.num_seeds):
            method, encode = _load(folder, step, seed)
            row = measure_variant(step, method, photos, found)
            row[GAP] = [latent_gap(encode, *gap, every=EVERY if step == AT_ONCE else 1)]
            for name, numbers in row.items():
                values[step].setdefault(name, []).append(numbers)
    return replace(results, values=values)


def _load(
    folder: Path, step: str, seed: int
) -> tuple[Callable[..., np.ndarray], Callable[[Tensor], Tensor]]:
    """Return how a step restores, and how it encodes: Pix2Pix by its innermost features."""
    name = file_name(step, seed)
    if step == AT_ONCE:
        network = load_network(folder, name, build_micro)
        return as_method(network), network.vae_degraded.encode
    method = pix2pix.Pix2Pix.load(folder, "cpu", name)
    return method, lambda photo: method.network.encode(photo)[-1]
