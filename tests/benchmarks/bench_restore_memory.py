"""Measure the memory that restoring one photo adds, against what ``restore_plan`` predicts.

Each case runs in its own process, because the peak of a process never falls again. Weights are
random: memory does not depend on them. Needs Linux or macOS (``resource``).

    python tests/benchmarks/bench_restore_memory.py --sides 256 512 --presets tiny small
"""

import argparse
import dataclasses
import multiprocessing
import resource
import sys
import time

import psutil
import torch

from oldphoto.config import PRESETS, MappingConfig
from oldphoto.inference.memory_plan import WorkingMemory
from oldphoto.networks.mapping import (
    OFFICIAL_HR,
    OFFICIAL_PLAIN,
    OFFICIAL_SCRATCH,
    AuthorsMapping,
    PatchAttentionMapping,
    PlainMapping,
    scratch_mapping,
)
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE

OFFICIAL = {"quality": OFFICIAL_PLAIN, "scratch": OFFICIAL_SCRATCH, "hr": OFFICIAL_HR}
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def build(preset_name: str, variant: str) -> RestorationNetwork:
    """Build a network of the sizes of a preset; "paper" takes the authors' mapping."""
    preset = PRESETS[preset_name]
    config: MappingConfig = OFFICIAL[variant] if preset_name == "paper" else preset.mapping
    if variant == "hr":
        mapping = PatchAttentionMapping(dataclasses.replace(config, num_blocks=8))
    elif variant == "scratch":
        mapping = AuthorsMapping(config) if preset_name == "paper" else scratch_mapping(config)
    else:
        mapping = PlainMapping(config)
    return RestorationNetwork(VAE(preset.vae), VAE(preset.vae), mapping).eval()


def one_stroke(side: int) -> torch.Tensor:
    """A mask with a vertical scratch over a tenth of the photo."""
    mask = torch.zeros(1, 1, side, side)
    mask[..., side // 2 : side // 2 + side // 10] = 1
    return mask


def measure(preset_name: str, variant: str, side: int, bf16: bool) -> str:
    """Run one case in this process and return its line of the table."""
    # In the order of the numbers that the restorer takes on a CPU.
    network = build(preset_name, variant).to(memory_format=torch.channels_last)
    predicted = WorkingMemory.measure(network).predict_bytes(side, side, variant != "quality")
    photo = torch.rand(1, 3, side, side) * 2 - 1
    mask = None if variant == "quality" else one_stroke(side)
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        network(photo, mask)
    seconds = time.perf_counter() - start
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT - before
    mib = 1 << 20
    return (
        f"| {preset_name} | {variant} | {side} | {'bf16' if bf16 else 'fp32'} | {seconds:.1f} | "
        f"{added / mib:.0f} | {predicted / mib:.0f} | {added / side**2:.0f} |"
    )


def main() -> None:
    """Print one table row per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="+", default=["tiny", "small"], choices=list(PRESETS))
    parser.add_argument("--variants", nargs="+", default=list(OFFICIAL), choices=list(OFFICIAL))
    parser.add_argument("--sides", nargs="+", type=int, default=[256, 512])
    parser.add_argument("--bf16", action="store_true")
    args = parser.parse_args()
    print("| preset | variant | side | precision | s | added MiB | predicted MiB | added B/px |")
    print("|---|---|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for preset_name in args.presets:
        for variant in args.variants:
            for side in args.sides:
                with context.Pool(1) as pool:
                    print(pool.apply(measure, (preset_name, variant, side, args.bf16)), flush=True)


if __name__ == "__main__":
    main()
