"""What a megabyte of weights is worth: train networks of several widths alike, and measure each.

Examples::

    python tests/benchmarks/compare_widths.py --network vae --data DATA
    python tests/benchmarks/compare_widths.py --network mapping --data DATA

Every width is preset ``small`` but for its widths, sees the same photos in the same order, from
random weights, at a full learning rate that falls to 0, and looks at L1 distances (and KL) alone.
Measured on the held-out photos: for the VAE the clean photo there and back, the limit of whatever
stands behind it; for the mapping, between the two shipped VAEs, photos degraded by ``released``
plus holes. ``DATA`` holds ``clean/``; without it the few embedded photos are used.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from oldphoto.config import PRESETS, MappingConfig, Preset, StageName, VAEConfig
from oldphoto.evaluation.scores import evaluate, mean_score
from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.images.files import list_photos
from oldphoto.images.tensors import to_pixels, to_tensor
from oldphoto.inference.restorer import Restorer
from oldphoto.metrics.fidelity import psnr, ssim
from oldphoto.samples import sample_names, sample_paths, sample_photo
from oldphoto.training.plan import Plan
from oldphoto.training.settings import LoopSettings
from oldphoto.training.stages import copy_missing_vaes, train_stage
from oldphoto.weights.source import WeightsSource
from oldphoto.weights.store import load_vae, load_weights

SMALL = PRESETS["small"]
MAPPING = "mapping_scratch"
MEGABYTE = 1e6


def vae_sizes() -> Iterator[tuple[str, VAEConfig]]:
    """Yield VAEs; the code has half the channels of the features, as in the preset."""
    for width in (32, 48, 64, 96, 128):
        yield (
            f"{width}, code {width // 2}",
            replace(SMALL.vae, width=width, latent_channels=width // 2),
        )


def mapping_sizes() -> Iterator[tuple[str, MappingConfig]]:
    """Yield mappings for the codes of the shipped VAEs."""
    for width in (32, 48, 64, 96):
        yield (
            f"{width}, {2 * width}",
            replace(SMALL.mapping, widths_in=(width, 2 * width), widths_out=(width,)),
        )


def with_schedule(preset: Preset, photos: int, batch: int, crop: int, rate: float) -> Preset:
    """Return the preset with the same short schedule for both stages."""
    plain = dict(adversarial_weight=0.0, feature_matching_weight=0.0, perceptual_weight=0.0)
    stages: tuple[StageName, ...] = ("vae-clean", "mapping")
    for stage in stages:
        preset = preset.with_stages(
            stage,
            weights=replace(preset.stages[stage].weights, **plain),
            num_photos=photos,
            batch=batch,
            crop=crop,
            learning_rate=rate,
            ema_decay=0.99,
        )
    return replace(preset, shared_start=False)


def measure_vae(folder: Path) -> tuple[float, float]:
    """Return PSNR in dB and SSIM of held-out photos through the VAE and back."""
    vae = load_vae(folder, "vae_clean").eval()
    rows = []
    for name in sample_names("held_out"):
        clean = sample_photo(name)
        with torch.no_grad():
            back = to_pixels(vae.decode(vae.encode(to_tensor(clean))).clamp(-1, 1))
        rows.append((psnr(back, clean), ssim(back, clean)))
    mean_psnr, mean_ssim = np.mean(rows, axis=0)
    return float(mean_psnr), float(mean_ssim)


def measure_mapping(folder: Path) -> tuple[float, float]:
    """Return PSNR in dB and SSIM of held-out photos, degraded and restored."""
    restorer = Restorer(load_weights(folder, "scratch"), device="cpu")
    score = mean_score(evaluate(restorer, make_test_photos(sample_paths("held_out"))))
    return score.psnr_restored, score.ssim_restored


def train_and_measure(preset: Preset, network: str, clean: list[Path]) -> tuple[float, ...]:
    """Return megabytes, photos a second, PSNR and SSIM of one size."""
    with tempfile.TemporaryDirectory() as name:
        plan = Plan(preset, [], clean, Path(name))
        file = "vae_clean" if network == "vae" else MAPPING
        if network == "mapping":
            copy_missing_vaes(replace(plan, start_from=WeightsSource.parse("small")))
        stage = "vae-clean" if network == "vae" else "mapping"
        begun = time.monotonic()
        train_stage(plan, stage, LoopSettings(precision="bf16", save_minutes=60))
        speed = plan.config(stage).num_photos / (time.monotonic() - begun)
        size = (plan.weights / f"{file}.safetensors").stat().st_size / MEGABYTE
        measure = measure_vae if network == "vae" else measure_mapping
        return size, speed, *measure(plan.weights)


def main() -> None:
    """Train every size and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("vae", "mapping"), required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--photos", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    args = parser.parse_args()
    clean = list_photos(args.data / "clean") if args.data else sample_paths("clean")
    schedule = (args.photos, args.batch, args.crop, args.learning_rate)
    rows = [("widths", "MB", "photos/s", "PSNR, dB", "SSIM", "dB for each further MB")]
    before = None
    for label, config in vae_sizes() if args.network == "vae" else mapping_sizes():
        changed = {"vae": config} if args.network == "vae" else {"mapping": config}
        if args.network == "vae":
            changed["mapping"] = replace(SMALL.mapping, latent_channels=config.latent_channels)
        preset = with_schedule(replace(SMALL, **changed), *schedule)
        size, speed, decibel, similarity = train_and_measure(preset, args.network, clean)
        gain = f"{(decibel - before[1]) / (size - before[0]):+.2f}" if before else ""
        rows.append(
            (label, f"{size:.2f}", f"{speed:.1f}", f"{decibel:.2f}", f"{similarity:.3f}", gain)
        )
        before = size, decibel
    for index, row in enumerate(rows):
        print("| " + " | ".join(row) + " |")
        if index == 0:
            print("|" + "---|" * len(row))


if __name__ == "__main__":
    main()
