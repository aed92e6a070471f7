"""Photos per second and core of each recipe; with --authors, beside the authors' own code.

    python tests/benchmarks/bench_degradations.py
    python tests/benchmarks/bench_degradations.py --authors PATH_TO/Bringing-Old-Photos.../Global

Every number is CPU time of one thread. With --authors both programs run in turns in one process,
on the same photos of 500 x 375, each producing a 256 x 256 crop.
"""

import argparse
import importlib
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

import oldphoto.system.torchvision_compat  # noqa: F401
from oldphoto.degradations import DAMAGES, RECIPES, degrade, sample_hole_mask
from oldphoto.degradations.common import fractal_field

WIDTH, HEIGHT, CROP = 500, 375, 256


def main() -> None:
    args = parse_arguments()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    photos = load_photos(args.photos)
    recipes(photos, args.count)
    damages(photos, args.count)
    if args.authors:
        compare(photos, load_authors(args.authors), args.count, args.rounds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--authors", type=Path, help="their folder Global, with data/ in it")
    parser.add_argument("--photos", type=Path, help="folder of JPEG photos (default: generated)")
    parser.add_argument("--count", type=int, default=100, help="photos per measurement")
    parser.add_argument("--rounds", type=int, default=5, help="turns of the comparison")
    return parser.parse_args()


def load_photos(folder: Path | None) -> list[np.ndarray]:
    """Return eight photos uint8 (375, 500, 3)."""
    if folder is None:
        fields = [
            [fractal_field(31 * photo + c, (HEIGHT, WIDTH), 4, 8) for c in range(3)]
            for photo in range(8)
        ]
        return [np.clip(120 + 50 * np.stack(f, 2), 0, 255).astype(np.uint8) for f in fields]
    files = sorted(folder.glob("*.jpg"))[:8]
    return [np.asarray(Image.open(f).convert("RGB").resize((WIDTH, HEIGHT))) for f in files]


def seconds_each(work: Callable[[int], object], count: int) -> float:
    """Return the CPU seconds that one call takes, over ``count`` calls with numbers 0, 1, ..."""
    start = time.process_time()
    for number in range(count):
        work(number)
    return (time.process_time() - start) / count


def recipes(photos: list[np.ndarray], count: int) -> None:
    print(f"{'recipe':16} photos/s per core ({CROP} crop of {WIDTH} x {HEIGHT})")
    for name in RECIPES:
        degrade(photos[0], 0, name, CROP)  # warm up
        each = seconds_each(lambda i, n=name: degrade(photos[i % 8], (0, 0, i), n, CROP), count)
        print(f"{name:16} {1 / each:8.0f}")
    rng = np.random.default_rng(0)
    each = seconds_each(lambda _: sample_hole_mask(rng, (CROP, CROP)), count)
    print(f"{'hole mask':16} {1 / each:8.0f}")


def damages(photos: list[np.ndarray], count: int) -> None:
    print(f"\n{'damage':16} ms each ({CROP} x {CROP})")
    crops = [np.ascontiguousarray(photo[:CROP, :CROP]) for photo in photos]
    for name, damage in DAMAGES.items():

        def work(i: int, d: object = damage) -> None:
            d.apply(crops[i % 8], d.sample(np.random.default_rng(i)))

        work(0)
        print(f"{name:16} {1e3 * seconds_each(work, max(1, count // 5)):8.2f}")


def load_authors(folder: Path) -> Callable[[Image.Image], Image.Image]:
    """Import their degradation from a checkout."""
    sys.path.insert(0, str(folder))
    module = importlib.import_module("data.online_dataset_for_old_photos")
    return module.online_add_degradation_v2


def random_crop(photo: Image.Image) -> Image.Image:
    left, top = random.randint(0, WIDTH - CROP), random.randint(0, HEIGHT - CROP)
    return photo.crop((left, top, left + CROP, top + CROP))


def compare(
    photos: list[np.ndarray], authors: Callable[[Image.Image], Image.Image], count: int, rounds: int
) -> None:
    """Print the median of several turns: their two ways and ours."""
    pictures = [Image.fromarray(photo) for photo in photos]
    ways = {
        "authors, degrade then crop": lambda i: random_crop(authors(pictures[i % 8])),
        "authors, crop then degrade": lambda i: authors(random_crop(pictures[i % 8])),
        "oldphoto, crop with margin": lambda i: degrade(
            np.asarray(pictures[i % 8]), (0, 0, i), "released", CROP
        ),
    }
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            times[name].append(seconds_each(work, count))
    print(f"\n{'released recipe':28} photos/s per core   ratio")
    reference = np.median(times["authors, degrade then crop"])
    for name, seconds in times.items():
        middle = np.median(seconds)
        print(f"{name:28} {1 / middle:17.0f} {reference / middle:7.1f}")


if __name__ == "__main__":
    main()
