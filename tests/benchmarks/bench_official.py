"""Seconds and peak memory of the three official-size variants, random weights, one photo each.

Every figure comes from a process of its own, so that no peak hides behind an earlier one. "cpu s"
adds up the processors' time: it still compares when other programs keep the machine busy. With
``--authors CHECKOUT`` the authors' modules run too, imported from a clone of
https://github.com/microsoft/Bringing-Old-Photos-Back-to-Life; nothing of it is in this project.

    python tests/benchmarks/bench_official.py --sizes 256 512 1024 --authors CHECKOUT
"""

import argparse
import contextlib
import importlib
import io
import json
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

import oldphoto.system.torchvision_compat  # noqa: F401  (the authors' modules import torchvision)
from oldphoto.networks.partial_nonlocal import predict_memory
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.weights.official import VAE_CLEAN_AND_MAPPING, VAE_DEGRADED, VARIANTS

GIB = 2**30
Run = Callable[[Tensor, Tensor], Tensor]


def ours(variant: str, _checkout: Path | None) -> Run:
    """Return this package's network of the authors' size."""
    vae_clean, mapping = VAE_CLEAN_AND_MAPPING[variant]
    parts = (file.build() for file in (VAE_DEGRADED, vae_clean, mapping))
    return RestorationNetwork(*parts).eval()


def author_parts(variant: str, checkout: Path) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Return the authors' modules with the options that their test.py sets: A, B and mapping."""
    sys.path.insert(0, str(checkout / "Global"))
    networks = importlib.import_module("models.networks")
    plain = importlib.import_module("models.mapping_model")
    masked = importlib.import_module("models.NonLocal_feature_mapping_model")
    options = types.SimpleNamespace(
        **dict(mc=64, start_r=1, spatio_size=64, feat_dim=-1, use_segmentation_model=False),
        **dict(mapping_net_dilation=1, NL_res=True, NL_fusion_method="combine", mapping_exp=1),
        **dict(correlation_renormalize=True, softmax_temperature=1.0),
        **dict(use_self=False, cosin_similarity=False),
    )
    norm = networks.get_norm_layer("instance")
    kinds = dict(
        quality=plain.Mapping_Model,
        scratch=masked.Mapping_Model_with_mask,
        hr=masked.Mapping_Model_with_mask_2,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # the authors' modules talk
        parts = (
            *(networks.GlobalGenerator_DCDCv2(3, 3, 64, 4, 3, norm, opt=options) for _ in "AB"),
            kinds[variant](64, 512, n_blocks=6, opt=options),
        )
    for network in parts:
        network.apply(networks.weights_init).eval()
    return parts


def authors_forward(
    variant: str, vae_degraded: nn.Module, vae_clean: nn.Module, mapping: nn.Module
) -> Run:
    """Return what their ``inference`` does with the three."""

    def run(photo: Tensor, scratch_mask: Tensor) -> Tensor:
        latent = vae_degraded(photo, flow="enc")
        if variant == "quality":
            latent = mapping(latent)
        elif variant == "scratch":
            latent = mapping(latent, scratch_mask)
        else:
            latent = mapping.inference_forward(latent, scratch_mask)
        return vae_clean(latent, flow="dec")

    return run


def authors(variant: str, checkout: Path | None) -> Run:
    """Return the authors' network."""
    return authors_forward(variant, *author_parts(variant, checkout))


WHOSE = {"ours": ours, "authors": authors}


def photo_and_mask(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return a noisy photo with four scratches of 4 px across it: 2 to 6 % damaged."""
    mask = torch.zeros(1, 1, height, width)
    for part in (0.2, 0.7):
        row, column = int(part * height), int(part * width)
        mask[..., row : row + 4, :] = 1
        mask[..., column : column + 4] = 1
    generator = torch.Generator().manual_seed(0)
    photo = torch.rand(1, 3, height, width, generator=generator) * 2 - 1
    return torch.where(mask > 0, 1.0, photo), mask


def peak_bytes() -> int:
    """Return the most memory that this process has had resident."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return info.peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@torch.no_grad()
def measure(args: argparse.Namespace) -> dict[str, float]:
    """Run one case in this process."""
    torch.set_num_threads(args.threads)
    whose, variant, size = args.one[0], args.one[1], int(args.one[2])
    network = WHOSE[whose](variant, args.authors)
    photo, mask = photo_and_mask(size, size)
    before = psutil.Process().memory_info().rss
    seconds, cpu_seconds = [], []
    for _ in range(args.repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        network(photo, mask)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    peak = peak_bytes()
    return dict(
        seconds=statistics.median(seconds),
        cpu=statistics.median(cpu_seconds),
        peak=peak / GIB,
        work=(peak - before) / GIB,
    )


def case(args: argparse.Namespace, whose: str, variant: str, size: int) -> str:
    """Run one case in a process of its own and return its line of the table."""
    head = f"{size:>6} | {variant:<8} | {whose:<8}"
    if whose == "authors" and variant == "scratch":
        predicted = predict_memory(size, size).naive_bytes / GIB
        if predicted > args.max_memory:
            return f"{head} | predicted {predicted:.1f} GiB for the attention alone, not run"
    command = [sys.executable, __file__, "--one", whose, variant, str(size)]
    command += ["--threads", str(args.threads), "--repeats", str(args.repeats)]
    if args.authors:
        command += ["--authors", str(args.authors)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"{head} | failed: {(done.stderr.strip().splitlines() or ['killed'])[-1]}"
    figures = json.loads(done.stdout.splitlines()[-1])
    times = f"{figures['seconds']:>7.2f} | {figures['cpu']:>6.2f}"
    return f"{head} | {times} | {figures['peak']:>8.2f} | {figures['work']:>8.2f}"


def main() -> None:
    """Print the table, one line as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--authors", type=Path, help="clone of the authors' repository")
    parser.add_argument("--repeats", type=int, default=3, help="the median is shown")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--max-memory", type=float, default=8.0, metavar="GIB")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args)))
        return
    print(f"torch {torch.__version__}, CPU, {args.threads} threads, float32; GiB resident")
    print("  size | variant  | whose    | seconds | cpu s  | peak GiB | of which the photo's")
    for size in args.sizes:
        for variant in args.variants:
            for whose in WHOSE if args.authors else ("ours",):
                print(case(args, whose, variant, size), flush=True)


if __name__ == "__main__":
    main()
