"""Photos per second of the training steps, against a plain float32 step in the same run.

Example: ``python tests/benchmarks/bench_training.py --preset tiny --compile``. All variants of a
stage take turns, so that a busy machine slows them alike; the median of the rounds is reported.
The last column is the share of the speed of a large matrix product in the same precision.
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import default_collate
from torch.utils.flop_counter import FlopCounterMode

from oldphoto.config import PRESETS, STAGES
from oldphoto.losses import total
from oldphoto.samples import sample_paths
from oldphoto.system.devices import choose_device
from oldphoto.training.loop import Stage
from oldphoto.training.objectives import Terms
from oldphoto.training.optimizer import Side, make_side
from oldphoto.training.plan import VAE_OF, Plan
from oldphoto.training.settings import LoopSettings, autocast
from oldphoto.training.stages import make_stage
from oldphoto.weights.store import save_network

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Variant:
    """One way to compute the same step."""

    name: str
    precision: str = "fp32"
    channels_last: bool = False
    compile: bool = False


def variants(with_compile: bool, half: str) -> list[Variant]:
    """Return the plain step, each measure alone, and all together."""
    found = [Variant("plain fp32"), Variant("channels-last", channels_last=True)]
    if half != "none":
        found.append(Variant(half, precision=half))
        found.append(Variant(f"{half}, channels-last", half, channels_last=True))
    if with_compile:
        precision = "fp32" if half == "none" else half
        found.append(Variant("compile", compile=True))
        found.append(Variant("all", precision, channels_last=True, compile=True))
    return found


def make_step(
    stage: Stage, batch: dict[str, Tensor], variant: Variant, device: torch.device
) -> Callable[[], None]:
    """Return a whole step of the training loop, but for data, average and log."""
    order = torch.channels_last if variant.channels_last else torch.contiguous_format
    settings = LoopSettings(
        device=str(device), precision=variant.precision, compile=variant.compile
    )
    stage = copy.deepcopy(stage)
    discriminators, learning = nn.ModuleDict(), (1e-5, stage.config, settings)
    generator, discriminator = make_side("generator", stage.objective, *learning), None
    stage.objective.to(memory_format=order)
    if stage.discriminator_objective is not None:
        discriminators = stage.discriminator_objective.discriminators
        discriminator = make_side("discriminator", stage.discriminator_objective, *learning)
        stage.discriminator_objective.to(memory_format=order)
    batch = {
        name: value.to(device, memory_format=order) if value.ndim == 4 else value.to(device)
        for name, value in batch.items()
    }

    def update(side: Side, terms: Terms) -> None:
        side.scaler.scale(total(terms.values())).backward()
        side.scaler.unscale_(side.optimizer)
        nn.utils.clip_grad_norm_(side.weights, stage.config.clip_norm)
        side.scaler.step(side.optimizer)
        side.scaler.update()
        side.optimizer.zero_grad(set_to_none=True)

    def step() -> None:
        with autocast(settings):
            terms, outputs = generator.objective(batch, discriminators)
        update(generator, terms)
        if discriminator is not None:
            with autocast(settings):
                terms = discriminator.objective(outputs)
            update(discriminator, terms)

    return step


def seconds_of(step: Callable[[], None], device: torch.device) -> float:
    """Return the time of one call."""
    started = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def matrix_speed(precision: str, device: torch.device) -> float:
    """Return the operations per second of a large matrix product, the best of five."""
    side = 8192 if device.type == "cuda" else 1024
    a = torch.randn(side, side, device=device, dtype=_DTYPES[precision])
    best = min(seconds_of(lambda: torch.mm(a, a), device) for _ in range(5))
    return 2 * side**3 / best


def measure(stage: Stage, batch: int, rounds: int, arguments: argparse.Namespace) -> None:
    """Print one line for each variant of a stage."""
    device = choose_device(None if arguments.device == "auto" else arguments.device)
    samples = default_collate([stage.dataset[position] for position in range(batch)])
    found = variants(arguments.compile, arguments.half)
    steps = [make_step(stage, samples, variant, device) for variant in found]
    with FlopCounterMode(display=False) as counter:
        steps[0]()
    for step in steps[1:]:
        step()  # warm up: compile, choose kernels, allocate
    times = [[seconds_of(step, device) for step in steps] for _ in range(rounds)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    for variant, seconds in zip(found, medians, strict=True):
        share = counter.get_total_flops() / seconds / matrix_speed(variant.precision, device)
        print(
            f"| {stage.name} | {variant.name} | {batch / seconds:.3g} "
            f"| {medians[0] / seconds:.2f} | {100 * share:.0f} % |",
            flush=True,
        )


def main() -> None:
    """Measure each stage of a preset and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=tuple(PRESETS), default="tiny")
    parser.add_argument("--stage", choices=(*STAGES, "all"), default="all")
    parser.add_argument("--batch", type=int, help="photos in a step, for the preset's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--half", choices=("bf16", "fp16", "none"), default="bf16")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile, too")
    arguments = parser.parse_args()
    preset = PRESETS[arguments.preset]
    print(f"preset {preset.name}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        "| stage | step | photos/s | against plain | of a matrix product |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(preset, sample_paths("old"), sample_paths("clean"), Path(folder))
        for name in STAGES if arguments.stage == "all" else (arguments.stage,):
            if name == "mapping":  # needs VAEs; untrained ones take the same time
                for vae_stage, vae in VAE_OF.items():
                    first = make_stage(plan, vae_stage).trained[vae]
                    save_network(plan.weights, vae, first, first.config, {})
            stage = make_stage(plan, name)
            batch = arguments.batch or stage.config.batch
            measure(stage, batch, arguments.rounds, arguments)


if __name__ == "__main__":
    main()
