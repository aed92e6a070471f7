"""Seconds and memory of ``oldphoto restore`` from file to file, against the size of the photo.

    python tests/benchmarks/bench_restore.py --megapixels 0.75 3 12 48 --plot growth.png

Each case is the whole command in a process of its own: start, decoding, network, tone, encoding.
The photos are mosaics of the embedded old photos, twice as large and with grain, in brown; the
masks are scratches over 1.3 % of the area, wider in larger photos, as a finer scanner gives them.
On a busy machine compare the processor seconds. Needs Linux or macOS (``resource``).
"""

import argparse
import functools
import importlib
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from oldphoto.samples import sample_names, sample_photo

SCRATCHED = 0.013
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
# What belongs to which part of the profile: module, name. Time in a function that is called by
# another of these counts for the inner one alone.
PARTS = {
    "weights": [("oldphoto.inference.restorer", "Restorer.from_source")],
    "decoding": [
        ("oldphoto.inference.batch", "read_photo"),
        ("oldphoto.inference.masks", "read_mask"),
    ],
    "network": [
        ("oldphoto.networks.vae", "VAE.encode"),
        ("oldphoto.networks.vae", "VAE.decode"),
        ("oldphoto.networks.mapping", "OurMapping.forward"),
        ("oldphoto.networks.partial_nonlocal", "PartialNonlocal.forward"),
    ],
    "holes": [("oldphoto.networks.mapping", "fill_holes")],
    "attention": [("oldphoto.networks.partial_nonlocal", "PartialNonlocal.attend")],
    "tiling": [("oldphoto.inference.restorer", "Restorer._restore")],
    "tone": [("oldphoto.inference.restorer", "Restorer._restore_pixels")],
    "encoding": [("PIL.Image", "Image.save"), ("oldphoto.images.files", "save_deep")],
    "metadata": [
        ("oldphoto.images.files", "read_metadata_of"),
        ("oldphoto.inference.batch", "write_recorded"),
    ],
}


class Clock:
    """Seconds, wall and processor, that each part takes without the parts that it calls."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}
        self.running = ["other"]
        self.last = self._now()

    def switch(self) -> None:
        """Add the time since the last switch to the part that is running."""
        now = self._now()
        sums = self.parts.setdefault(self.running[-1], [0.0, 0.0])
        for index in range(2):
            sums[index] += now[index] - self.last[index]
        self.last = now

    def wrap(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, measured."""

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            self.running.append(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self.running.pop()

        return measured

    def watch(self, part: str, module: str, name: str) -> None:
        """Measure every call of a function or method from now on."""
        *owners, last = name.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        found = vars(owner)[last]
        is_class_method = isinstance(found, classmethod)
        measured = self.wrap(part, found.__func__ if is_class_method else found)
        setattr(owner, last, classmethod(measured) if is_class_method else measured)

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


def run_command(arguments: list[str]) -> dict[str, Any]:
    """Run ``oldphoto`` in this process; return its parts, seconds and peak memory."""
    clock = Clock()
    main = clock.wrap("start", importlib.import_module)("oldphoto.cli.main").main
    clock.wrap("start", importlib.import_module)("oldphoto.cli.restore")
    for part, places in PARTS.items():
        for module, name in places:
            clock.watch(part, module, name)
    code = main(arguments)
    clock.switch()
    if code:
        raise SystemExit(code)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "parts": clock.parts,
        "cpu": usage.ru_utime + usage.ru_stime,
        "gib": usage.ru_maxrss * PEAK_UNIT / 2**30,
    }


def make_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a brown mosaic of the embedded old photos, with grain, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    tiles = [cv2.cvtColor(sample_photo(name), cv2.COLOR_RGB2GRAY) for name in sample_names("old")]
    side = 2 * tiles[0].shape[0]
    grey = np.empty((height, width), np.uint8)
    for row in range(0, height, side):
        for column in range(0, width, side):
            tile = tiles[rng.integers(len(tiles))][:, :: rng.choice([-1, 1])]
            large = cv2.resize(tile, (side, side), interpolation=cv2.INTER_CUBIC)
            part = grey[row : row + side, column : column + side]
            grain = rng.normal(0, 4, part.shape)
            part[:] = (large[: part.shape[0], : part.shape[1]] + grain).clip(0, 255)
    brown = np.linspace((20, 10, 0), (255, 240, 210), 256).round().astype(np.uint8)
    return brown[grey]


def make_scratches(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return winding scratches over 1.3 % of the area, uint8 (height, width), white = damaged."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    thickness = max(2, round(min(height, width) / 300))
    while mask.mean() < 255 * SCRATCHED:
        points = rng.uniform(0, (width, height), (2, 2))
        steps = np.linspace(0, 1, 50)[:, None]
        path = points[0] * (1 - steps) + points[1] * steps
        path += rng.normal(0, min(height, width) / 500, path.shape).cumsum(axis=0)
        cv2.polylines(mask, [path.round().astype(np.int32)], False, 255, thickness)
    return mask


def measure(megapixels: float, with_mask: bool, options: argparse.Namespace) -> dict[str, Any]:
    """Restore one photo by the command in a new process and return what it took."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4) / 4) * 4
    width = round(megapixels * 1e6 / height)
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder, f"photo{options.suffix}")
        Image.fromarray(make_photo(height, width)).save(photo, quality=95)
        command = ["restore", str(photo), "--output", str(Path(folder, "restored"))]
        if with_mask:
            mask = Path(folder, "mask.png")
            Image.fromarray(make_scratches(height, width)).save(mask)
            command += ["--mask", str(mask)]
        command += options.option
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "--command", json.dumps(command)],
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return {"mp": megapixels, "mask": with_mask, "seconds": seconds, **found}


def exponent(rows: list[dict[str, Any]], key: str) -> float:
    """Return p of the power law: seconds = constant * pixels ** p, fitted in logarithms."""
    pixels, values = ([math.log(row[name]) for row in rows] for name in ("mp", key))
    return float(np.polyfit(pixels, values, 1)[0])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw processor seconds and memory against megapixels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    sizes = sorted({row["mp"] for row in rows})
    for with_mask, label in ((False, "no mask"), (True, "scratches over 1.3 %")):
        chosen = [row for row in rows if row["mask"] == with_mask]
        places = [row["mp"] for row in chosen]
        left.loglog(places, [row["cpu"] for row in chosen], "o-", label=label)
        right.semilogx(places, [row["gib"] for row in chosen], "o-", label=label)
    for axes, title in ((left, "processor seconds"), (right, "peak memory, GiB")):
        axes.set_xlabel("megapixels")
        axes.set_title(title, fontsize=10)
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    right.set_ylim(bottom=0)
    left.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print one table row per case, the exponents and the profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", nargs="+", type=float, default=[0.75, 3, 12, 48])
    parser.add_argument(
        "--masks", nargs="+", choices=("without", "with"), default=["without", "with"]
    )
    parser.add_argument("--suffix", default=".jpg", help="format of photo and result")
    parser.add_argument("--option", nargs="*", default=[], help="more words for the command")
    parser.add_argument("--plot", type=Path, help="PNG file for the figure of growth")
    parser.add_argument("--command", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.command:
        print("\n" + json.dumps(run_command(json.loads(args.command))))
        return
    rows = []
    print("| MP | mask | seconds | processor s | peak GiB |\n|---|---|---|---|---|")
    for which in args.masks:
        for megapixels in args.megapixels:
            row = measure(megapixels, which == "with", args)
            rows.append(row)
            line = f"| {megapixels:g} | {which} | {row['seconds']:.1f} | {row['cpu']:.1f} | "
            print(line + f"{row['gib']:.2f} |", flush=True)
    for which in args.masks:
        chosen = [row for row in rows if row["mask"] == (which == "with")]
        if len(chosen) > 1:
            p = exponent(chosen, "cpu")
            print(f"{which} mask: processor seconds grow with pixels to the power {p:.2f}")
    names = list(dict.fromkeys(name for row in rows for name in row["parts"]))
    print("\nseconds (processor seconds) of each part")
    print("| MP | mask | " + " | ".join(names) + " |\n|" + "---|" * (2 + len(names)))
    for row in rows:
        parts = (row["parts"].get(name, (0.0, 0.0)) for name in names)
        cells = [f"{wall:.1f} ({cpu:.1f})" for wall, cpu in parts]
        print(f"| {row['mp']:g} | {'with' if row['mask'] else 'without'} | {' | '.join(cells)} |")
    if args.plot:
        draw(rows, args.plot)


if __name__ == "__main__":
    main()
