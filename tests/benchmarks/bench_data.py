"""Peak memory and speed of the loader processes on many generated photos.

    python tests/benchmarks/bench_data.py --photos 20000 --workers 2 --folder SCRATCH

The photos are made from a few random scenes and kept in the folder for the next run.
"""

import argparse
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
from tqdm.auto import tqdm

from oldphoto.data import CleanPhotos, DegradedPairs, MixedOld, make_loader

HEIGHT, WIDTH = 375, 500  # the size of a photo of Pascal VOC
PEAK_EVERY = 0.02  # seconds between two looks at the memory


def make_photos(folder: Path, number: int) -> list[Path]:
    """Write JPEG photos with content of all sizes, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:06}.jpg" for index in range(number)]
    rng = np.random.default_rng(0)
    scenes = [_scene(rng) for _ in range(16)]
    for index, path in enumerate(tqdm(paths, desc="make photos")):
        if not path.is_file():
            top, left = rng.integers(0, HEIGHT), rng.integers(0, WIDTH)
            cut = scenes[index % len(scenes)][top : top + HEIGHT, left : left + WIDTH]
            cv2.imwrite(str(path), cut, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return paths


def _scene(rng: np.random.Generator) -> np.ndarray:
    """Return noise of all scales, larger than a photo."""
    scene = np.full((2 * HEIGHT, 2 * WIDTH, 3), 128.0)
    for cells in (4, 16, 64, 256):
        small = rng.normal(0, 120 / cells**0.5, (cells, cells, 3))
        scene += cv2.resize(small, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(scene, 0, 255).astype(np.uint8)


class PeakMemory:
    """Watches the resident memory of this process and of each of its children."""

    def __init__(self) -> None:
        self.peaks: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(PEAK_EVERY):
            for process in [me, *me.children(recursive=True)]:
                try:
                    used = process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                self.peaks[process.pid] = max(used, self.peaks.get(process.pid, 0))


def measure(name: str, dataset: object, args: argparse.Namespace) -> None:
    """Load samples and print the speed and the largest memory of any process."""
    stop = args.samples or len(dataset)
    with PeakMemory() as memory:
        batches = iter(make_loader(dataset, args.batch, args.workers, stop=stop + args.batch))
        next(batches)  # the start of the workers is not counted
        start = time.perf_counter()
        loaded = sum(1 for _ in tqdm(batches, desc=name, total=stop // args.batch)) * args.batch
        seconds = time.perf_counter() - start
    peaks = sorted((peak >> 20 for peak in memory.peaks.values()), reverse=True)
    rate = loaded / seconds
    print(f"{name}: {loaded} samples, {rate:.0f}/s, peak memory of each process {peaks} MiB")


def main() -> None:
    """Measure the three kinds of training set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="scratch folder")
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=0, help="per set; 0 is one epoch")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--crop", type=int, default=256)
    args = parser.parse_args()
    paths = make_photos(args.folder, args.photos)
    measure("clean", CleanPhotos(paths, args.crop, 0), args)
    measure("pairs", DegradedPairs(paths, args.crop, 0), args)
    measure("mixed", MixedOld(paths, paths, args.crop, 0), args)


if __name__ == "__main__":
    main()
