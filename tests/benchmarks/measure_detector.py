"""Measure a scratch detector: what it finds, what it alarms at, and what its masks are worth.

Example: ``python tests/benchmarks/measure_detector.py --kind clean`` to choose a threshold, then
``--kind held_out --thresholds 0.6`` to measure it on photos that had no say in it. The photos are
the embedded ones, degraded by recipe ``paper``, whose masks are exact.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from oldphoto.degradations import degrade
from oldphoto.detector import ScratchDetector
from oldphoto.metrics.detection import Confusion, confusion, precision_recall_curve, tolerant
from oldphoto.metrics.fidelity import psnr, ssim
from oldphoto.restorer import Restorer
from oldphoto.samples import sample_names, sample_photo

TOLERANCE = 2  # pixels
SEEDS_A_PHOTO = 100  # seeds of one photo begin at a multiple of this: no damage comes twice


def damaged(kind: str, times: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield clean photo, degraded photo and mask, each photo several times."""
    for index, name in enumerate(sample_names(kind)):
        clean = sample_photo(name)
        for seed in range(times):
            yield clean, *degrade(clean, SEEDS_A_PHOTO * index + seed, "paper")


def measure_finding(detector: ScratchDetector, kind: str, times: int, levels: list[float]) -> None:
    """Print average precision, and precision, recall and false alarms of each threshold."""
    pairs = [(detector.photo_probability(photo), mask) for _, photo, mask in damaged(kind, times)]
    found, truth = (np.stack(part) for part in zip(*pairs, strict=True))
    curve = precision_recall_curve(found, truth)
    level, f1 = curve.best
    print(
        f"{len(pairs)} photos, {100 * truth.mean():.1f} % damaged: average precision "
        f"{curve.average_precision:.3f}, best F1 {f1:.3f} at threshold {level:.2f}"
    )
    untouched = [detector.photo_probability(sample_photo(name)) for name in sample_names(kind)]
    for level in levels:
        count = sum((confusion(p >= level, mask) for p, mask in pairs), Confusion(0, 0, 0, 0))
        near = [tolerant(p >= level, mask, TOLERANCE) for p, mask in pairs if mask.any()]
        precision, recall = np.mean(near, axis=0)
        alarms = 100 * np.mean([(p >= level).mean() for p in untouched])
        print(
            f"threshold {level:.2f}: precision {count.precision:.2f}, recall {count.recall:.2f}; "
            f"within {TOLERANCE} px, by photo, {precision:.2f} and {recall:.2f}; "
            f"{alarms:.2f} % of the clean photos called damaged"
        )


def measure_restoring(
    detector: ScratchDetector, kind: str, times: int, levels: list[float], weights: str
) -> None:
    """Print PSNR and SSIM of photos restored with no mask, the exact one, and those found."""
    restorer = Restorer.from_pretrained(weights, "scratch")
    rows: dict[str, list[tuple[float, float]]] = {}
    has_damage = []
    for clean, photo, mask in damaged(kind, times):
        probability = detector.photo_probability(photo)
        has_damage.append(mask.any())
        masks = {"no mask": None, "exact mask": mask}
        masks |= {f"threshold {level:.2f}": probability >= level for level in levels}
        for name, given in masks.items():
            restored = np.asarray(restorer(photo, given))
            rows.setdefault(name, []).append((psnr(restored, clean), ssim(restored, clean)))
    with_damage = np.array(has_damage)
    for name, scores in rows.items():
        parts = (np.mean(np.array(scores)[part], axis=0) for part in (with_damage, ~with_damage))
        words = [f"{decibel:.2f} dB, {similarity:.4f}" for decibel, similarity in parts]
        print(f"{name}: with scratches {words[0]}; without {words[1]}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="small")
    parser.add_argument("--restore-with", default="small", metavar="WEIGHTS")
    parser.add_argument("--kind", choices=("clean", "held_out"), default="held_out")
    parser.add_argument("--times", type=int, default=4, help="damages of each photo")
    parser.add_argument(
        "--thresholds", type=float, nargs="+", default=[0.4, 0.5, 0.55, 0.6, 0.65, 0.7]
    )
    args = parser.parse_args()
    detector = ScratchDetector.from_pretrained(args.weights)
    measured = (args.kind, args.times, args.thresholds)
    measure_finding(detector, *measured)
    measure_restoring(detector, *measured, args.restore_with)


if __name__ == "__main__":
    main()
