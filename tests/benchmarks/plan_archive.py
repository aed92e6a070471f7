"""How long, how large and how dear is an archive? Write the table of oldphoto/archive/README.md.

    python -m tests.benchmarks.plan_archive            # measure one photo, print the table
    python -m tests.benchmarks.plan_archive --write    # and write it into the page
    python -m tests.benchmarks.plan_archive --check    # simulate a run, run it, and compare

A simulation draws for each worker when it fails; a worker that fails loses its batch and starts
again. Prices are assumptions: set others by the options.
"""

import argparse
import heapq
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import psutil
import torch
from PIL import Image

from oldphoto.archive.engines import run_pool
from oldphoto.archive.run import restore_archive
from oldphoto.archive.worker import Settings
from oldphoto.course.publishing.readme import write_block
from oldphoto.inference.batch import restore_one
from oldphoto.inference.jobs import Job
from oldphoto.inference.restorer import Restorer
from oldphoto.samples import sample_paths
from tests.archive.workers import make_quick, no_mask

PAGE = Path(__file__).parents[2] / "oldphoto" / "archive" / "README.md"
MEGAPIXELS = 12
SIZES = (10_000, 1_000_000, 100_000_000)
MOST_SIMULATED = 2_000_000  # a larger archive is that many photos, several times


@dataclass(frozen=True)
class Plan:
    """A run to simulate; all times in seconds."""

    photos: int
    per_photo: float
    workers: int
    batch: int = 16
    start: float = 10.0
    between_failures: float = 24 * 3600.0


def simulate(plan: Plan, seed: int = 0) -> float:
    """Return how many seconds a run takes; each photo takes half to one and a half its mean."""
    chance = random.Random(seed)
    left = plan.photos
    # When each worker is free, and when it fails next.
    workers = [
        (plan.start, chance.expovariate(1 / plan.between_failures)) for _ in range(plan.workers)
    ]
    heapq.heapify(workers)
    end = 0.0
    while left > 0:
        free, fails = heapq.heappop(workers)
        size = min(plan.batch, left)
        done = free + size * plan.per_photo * chance.uniform(0.5, 1.5)
        if fails < done:  # the batch is lost, and another worker or this one begins it again
            again = max(free, fails) + plan.start
            heapq.heappush(workers, (again, again + chance.expovariate(1 / plan.between_failures)))
            continue
        left -= size
        end = max(end, done)
        heapq.heappush(workers, (done, fails))
    return end


def measure() -> tuple[float, float]:
    """Return processor seconds and MB of the result of one photo, from file to file."""
    torch.set_num_threads(1)
    photo = np.asarray(Image.open(sample_paths("held_out")[0]).convert("RGB"))
    factor = (MEGAPIXELS * 1e6 / photo[..., 0].size) ** 0.5
    large = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(0).normal(0, 6, large.shape)
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "scan.jpg", Path(folder) / "result.jpg"
        Image.fromarray((large + grain).clip(0, 255).astype(np.uint8)).save(source, quality=92)
        restorer = Restorer.from_pretrained("small", device="cpu")
        restorer.restore_pixels(photo)  # measures memory and precision once
        before = time.process_time()
        restore_one(Job(source, result), restorer.restore_pixels, no_mask)
        return time.process_time() - before, result.stat().st_size / 1e6


def table(seconds: float, megabytes: float, args: argparse.Namespace) -> str:
    """Return the Markdown table."""
    lines = [
        f"One photo of {MEGAPIXELS} megapixels took {seconds:.0f} processor seconds without masks, "
        f"and its result {megabytes:.1f} MB. Assumed: {args.price:g} per core and hour, "
        f"{args.storage_price:g} per GB and month, and a worker that fails once in "
        f"{args.failures:g} hours.",
        "",
        "| photos | workers (one core each) | hours without failures | with failures | cost of the "
        "cores | results, GB | their storage, a month |",
        "|---|---|---|---|---|---|---|",
    ]
    for photos, workers in zip(SIZES, args.workers, strict=True):
        times = -(-photos // MOST_SIMULATED)
        part = Plan(photos // times, seconds, workers, between_failures=args.failures * 3600)
        calm = simulate(replace(part, between_failures=1e12)) * times / 3600
        hours = simulate(part) * times / 3600
        size = photos * megabytes / 1000
        lines.append(
            f"| {photos:,} | {workers:,} | {calm:,.1f} | {hours:,.1f} | "
            f"{hours * workers * args.price:,.0f} | {size:,.0f} | "
            f"{size * args.storage_price:,.0f} |"
        )
    return "\n".join(lines)


def check() -> None:
    """Run 60 photos of half a second by two workers, one of which is killed every 8 seconds."""
    with tempfile.TemporaryDirectory() as folder:
        scans, out, begun = (Path(folder) / name for name in ("scans", "out", "begun.txt"))
        scans.mkdir()
        for number in range(60):
            Image.fromarray(np.full((20, 20, 3), number + 10, np.uint8)).save(
                scans / f"{number}.png"
            )
        started = time.monotonic()
        worker = make_quick(out, record=str(begun), seconds=0.5)
        engine = partial(run_pool, num_workers=2, batch_size=4)
        over = threading.Event()

        def kill_now_and_then() -> None:
            while not over.wait(8):
                children = [
                    child
                    for child in psutil.Process().children()
                    if "spawn_main" in " ".join(child.cmdline())
                ]
                if children:
                    os.kill(random.Random(0).choice(children).pid, signal.SIGTERM)

        threading.Thread(target=kill_now_and_then, daemon=True).start()
        rows = list(restore_archive([str(scans)], str(out), engine, Settings(), make_worker=worker))
        over.set()
        seconds = time.monotonic() - started
        first = min(row.finished for row in rows) - (time.time() - seconds)
        assert len(rows) == 60 and not any(row.error for row in rows)
        plan = Plan(60, 0.5, 2, batch=4, start=first, between_failures=16)
        guesses = sorted(simulate(plan, seed) for seed in range(200))
        print(
            f"ran in {seconds:.0f} s with {len(begun.read_text().splitlines()) - 60} photos begun "
            f"again; simulated {guesses[10]:.0f} to {guesses[189]:.0f} s (90 % of 200 runs)"
        )


def main() -> int:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, nargs=3, default=(16, 256, 4096))
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--storage-price", type=float, default=0.02, help="of a GB for a month")
    parser.add_argument(
        "--failures", type=float, default=24.0, help="hours between two of a worker"
    )
    parser.add_argument("--seconds", type=float, help="of one photo, in place of measuring it")
    parser.add_argument("--megabytes", type=float, default=5.0, help="of a result, with --seconds")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    parser.add_argument("--check", action="store_true", help="compare a simulation with a run")
    args = parser.parse_args()
    if args.check:
        check()
        return 0
    seconds, megabytes = (args.seconds, args.megabytes) if args.seconds else measure()
    text = table(seconds, megabytes, args)
    print(text)
    if args.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(write_block(page, "plan", text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
