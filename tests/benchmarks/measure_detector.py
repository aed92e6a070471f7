"""Measure a scratch detector: what it finds, what it alarms at, and what its masks are worth.

Example: ``python tests/benchmarks/measure_detector.py --kind clean`` to choose a threshold, then
``--kind held_out --thresholds 0.6`` to measure it on photos that had no say in it. The photos are
the embedded ones, degraded by recipe ``paper``, whose masks are exact. ``--kind real --half tune``
measures on real damage that was marked by hand instead (see ``real_scratches``).
"""

import argparse
from dataclasses import dataclass

import numpy as np

from oldphoto.degradations import degrade
from oldphoto.inference.detector import ScratchDetector
from oldphoto.inference.restorer import Restorer
from oldphoto.metrics.detection import (
    Confusion,
    confusion,
    precision_recall_curve,
    tolerant,
    tolerant_confusion,
)
from oldphoto.metrics.fidelity import psnr, ssim
from oldphoto.samples import sample_names, sample_photo

TOLERANCE = 2  # pixels
REAL_TOLERANCE = 3  # pixels; lines drawn by hand are less exact
SEEDS_A_PHOTO = 100  # seeds of one photo begin at a multiple of this: no damage comes twice


@dataclass(frozen=True)
class Case:
    """A photo that we damaged, the exact mask, and the detector's probability of damage."""

    clean: np.ndarray
    photo: np.ndarray
    mask: np.ndarray
    probability: np.ndarray


def make_cases(detector: ScratchDetector, kind: str, times: int) -> list[Case]:
    """Damage each photo several times, and ask the detector."""
    cases = []
    for index, name in enumerate(sample_names(kind)):
        clean = sample_photo(name)
        for seed in range(times):
            photo, mask = degrade(clean, SEEDS_A_PHOTO * index + seed, "paper")
            cases.append(Case(clean, photo, mask, detector.photo_probability(photo)))
    return cases


def measure_finding(cases: list[Case], untouched: list[np.ndarray], levels: list[float]) -> None:
    """Print average precision, and precision, recall and false alarms of each threshold.

    Args:
        untouched: the detector's probabilities for the clean photos.
    """
    pairs = [(case.probability, case.mask) for case in cases]
    found, truth = (np.stack(part) for part in zip(*pairs, strict=True))
    curve = precision_recall_curve(found, truth)
    level, f1 = curve.best
    print(
        f"{len(pairs)} photos, {100 * truth.mean():.1f} % damaged: average precision "
        f"{curve.average_precision:.3f}, best F1 {f1:.3f} at threshold {level:.2f}"
    )
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


def measure_restoring(cases: list[Case], levels: list[float], weights: str) -> None:
    """Print PSNR and SSIM of photos restored with no mask, the exact one, and those found."""
    restorer = Restorer.from_pretrained(weights, "scratch")
    rows: dict[str, list[tuple[float, float]]] = {}
    for case in cases:
        masks = {"no mask": None, "exact mask": case.mask}
        masks |= {f"threshold {level:.2f}": case.probability >= level for level in levels}
        for name, given in masks.items():
            restored = np.asarray(restorer(case.photo, given))
            scores = psnr(restored, case.clean), ssim(restored, case.clean)
            rows.setdefault(name, []).append(scores)
    with_damage = np.array([case.mask.any() for case in cases])
    for name, scores in rows.items():
        parts = (np.mean(np.array(scores)[part], axis=0) for part in (with_damage, ~with_damage))
        words = [f"{decibel:.2f} dB, {similarity:.4f}" for decibel, similarity in parts]
        print(f"{name}: with scratches {words[0]}; without {words[1]}")


def measure_real(detector: ScratchDetector, half: str, levels: list[float]) -> None:
    """Print recall, precision and alarms of each threshold on photos whose damage was marked.

    Counts are summed over the photos with damage; alarms are the mean share of the others that is
    marked. What is doubtful does not count.
    """
    from real_scratches import DAMAGED, DOUBTFUL, marked_photos

    photos = marked_photos(half)
    finders = {f"threshold {level:.2f}": level for level in levels}
    counts = dict.fromkeys(finders, Confusion(0, 0, 0, 0))
    alarms: dict[str, list[float]] = {name: [] for name in finders}
    for photo in photos:
        probability = detector.photo_probability(photo.photo)
        damaged, doubtful = photo.marks == DAMAGED, photo.marks == DOUBTFUL
        for name, level in finders.items():
            found = probability >= level
            if photo.is_damaged:
                counts[name] += tolerant_confusion(found, damaged, REAL_TOLERANCE, doubtful)
            else:
                alarms[name].append(float((found & ~doubtful).mean()))
    print(f"{half}: {len(photos)} photos, {sum(photo.is_damaged for photo in photos)} damaged")
    for name, count in counts.items():
        print(
            f"{name}: recall {count.recall:.3f}, precision {count.precision:.3f} within "
            f"{REAL_TOLERANCE} px, {count.false_positive} px of false alarms; "
            f"{100 * np.mean(alarms[name]):.2f} % of the sound photos marked"
        )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="small")
    parser.add_argument("--restore-with", default="small", metavar="WEIGHTS")
    parser.add_argument("--kind", choices=("clean", "held_out", "real"), default="held_out")
    parser.add_argument("--half", choices=("tune", "held_out"), default="held_out")
    parser.add_argument("--times", type=int, default=4, help="damages of each photo")
    parser.add_argument(
        "--thresholds", type=float, nargs="+", default=[0.4, 0.5, 0.55, 0.6, 0.65, 0.7]
    )
    args = parser.parse_args()
    detector = ScratchDetector.from_pretrained(args.weights)
    if args.kind == "real":
        measure_real(detector, args.half, args.thresholds)
        return
    cases = make_cases(detector, args.kind, args.times)
    untouched = [detector.photo_probability(sample_photo(name)) for name in sample_names(args.kind)]
    measure_finding(cases, untouched, args.thresholds)
    measure_restoring(cases, args.thresholds, args.restore_with)


if __name__ == "__main__":
    main()
