"""Seconds and peak memory of ways to compute the partial non-local attention.

    python tests/benchmarks/bench_partial_nonlocal.py --sides 64 128 --shares 0.05 0.3

Each case runs in a process of its own, so that one's memory is not counted as another's. Peak is
what the process needed beyond features and block. On a busy machine compare the CPU
seconds. What would not fit is skipped and says so.
"""

import argparse
import resource
import subprocess
import sys
import time

import psutil
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from oldphoto.networks.partial_nonlocal import PartialNonlocal, predict_memory

WAYS = ("ours", "key-mask", "gathered", "explicit", "naive")
MIB = 2**20


def key_mask(block: PartialNonlocal, features: Tensor, keep: Tensor) -> Tensor:
    """One fused attention over all keys, the damaged ones masked."""
    q, k, v = (part.transpose(1, 2)[None] for part in maps(block, features))
    out = F.scaled_dot_product_attention(q, k, v, (keep > 0).flatten()[None, None, None], scale=1.0)
    return block.project(out[0].transpose(1, 2).reshape_as(features))


def gathered(block: PartialNonlocal, features: Tensor, keep: Tensor) -> Tensor:
    """One fused attention over the sound keys, without chunks."""
    q, k, v = (part[0].T.contiguous() for part in maps(block, features))
    sound = (keep > 0).flatten()
    q, k, v = (part[None, None] for part in (q, k[sound], v[sound]))
    out = F.scaled_dot_product_attention(q, k, v, scale=1.0)
    return block.project(out[0].transpose(1, 2).reshape_as(features))


def explicit(block: PartialNonlocal, features: Tensor, keep: Tensor) -> Tensor:
    """Scores, softmax and product written out, chunk by chunk, over the sound keys."""
    q, k, v = (part[0].T.contiguous() for part in maps(block, features))
    sound = (keep > 0).flatten()
    k, v = k[sound], v[sound]
    out = torch.empty_like(q)
    rows = max(2**22 // max(len(k), 1), 1)
    for start in range(0, len(q), rows):
        scores = q[start : start + rows] @ k.T
        out[start : start + rows] = torch.softmax(scores, dim=1) @ v
    return block.project(out.T.reshape_as(features))


def naive(block: PartialNonlocal, features: Tensor, keep: Tensor) -> Tensor:
    """Everything at once, in the order of the authors' code: four arrays of positions squared."""
    q, k, v = maps(block, features)
    scores = q.transpose(1, 2) @ k
    share = torch.softmax(scores, dim=2)
    share = keep.flatten(2).repeat(1, share.shape[1], 1) * share
    share = F.normalize(share, p=1, dim=2)
    return block.project((v @ share.transpose(1, 2)).reshape_as(features))


def maps(block: PartialNonlocal, features: Tensor) -> list[Tensor]:
    """Query, key and value of all positions, each (1, C, N)."""
    return [part(features).flatten(2) for part in (block.query, block.key, block.value)]


def run_case(way: str, side: int, channels: int, share: float, train: bool) -> None:
    """Print seconds, seconds of all cores, MiB of peak and a checksum of one case."""
    torch.manual_seed(0)
    block = PartialNonlocal(channels, num_blocks=0)
    features = torch.randn(1, channels, side, side, requires_grad=train)
    keep = torch.ones(1, 1, side, side)
    keep[..., : round(side * share), :] = 0
    others = {"key-mask": key_mask, "gathered": gathered, "explicit": explicit, "naive": naive}
    if train:
        block.attend(features[..., :2, :2], keep[..., :2, :2]).sum().backward()  # start autograd
        checkpoint(torch.square, features[..., :1, :1], use_reentrant=False)  # imports, once
    before, start, start_cpu = peak_bytes(), time.perf_counter(), time.process_time()
    with torch.set_grad_enabled(train):
        out = block.attend(features, keep) if way == "ours" else others[way](block, features, keep)
        if train:
            out.square().sum().backward()
    seconds, seconds_cpu = time.perf_counter() - start, time.process_time() - start_cpu
    used = peak_bytes() - before
    print(seconds, seconds_cpu, used / MIB, out.double().abs().mean().item())


def peak_bytes() -> int:
    """Greatest memory that this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument(
        "--sides", nargs="+", type=int, default=[64, 128, 256], help="of the latent"
    )
    parser.add_argument("--shares", nargs="+", type=float, default=[0.05, 0.3], help="damaged")
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--train", action="store_true", help="with the backward pass")
    parser.add_argument("--case", nargs=3, metavar=("WAY", "SIDE", "SHARE"), help="one, here")
    args = parser.parse_args()
    if args.case:
        way, side, share = args.case
        run_case(way, int(side), args.channels, float(share), args.train)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.channels} channels")
    print("way       side  damaged  seconds    CPU s   peak MiB  predicted MiB  checksum")
    for side in args.sides:
        for share in args.shares:
            for way in args.ways:
                print_case(way, side, share, args)


def print_case(way: str, side: int, share: float, args: argparse.Namespace) -> None:
    """Run one case in a new process and print its line of the table."""
    predicted = predict_memory(4 * side, 4 * side, args.channels, damaged_share=share)
    expected = predicted.naive_bytes if way in ("naive", "key-mask") else predicted.actual_bytes
    line = f"{way:9} {side:4}  {share:7.2f}"
    if expected > 0.8 * psutil.virtual_memory().available:
        print(f"{line}  skipped: needs about {expected / MIB:,.0f} MiB", flush=True)
        return
    command = [sys.executable, __file__, "--channels", str(args.channels)]
    command += ["--train"] * args.train + ["--case", way, str(side), str(share)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["ended by the system"])[-1]
        print(f"{line}  failed: {reason[:80]}", flush=True)
        return
    seconds, cpu, peak, checksum = map(float, done.stdout.split())
    shown = expected / MIB
    print(
        f"{line}  {seconds:7.2f}  {cpu:7.2f}  {peak:9,.0f}  {shown:13,.0f}  {checksum:.6f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
