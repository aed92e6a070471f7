"""Measure a restorer on photos whose clean original is known: we degraded them ourselves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from oldphoto.evaluation.test_photos import HOLE_RATIO, TestPhoto, make_test_photos
from oldphoto.inference.restorer import Restorer
from oldphoto.metrics.fidelity import psnr, ssim

__all__ = ["HOLE_RATIO", "Score", "TestPhoto", "evaluate", "make_test_photos", "mean_score"]


@dataclass(frozen=True)
class Score:
    """How near the degraded and the restored photo are to the clean one: PSNR in dB, SSIM."""

    name: str
    psnr_degraded: float
    psnr_restored: float
    ssim_degraded: float
    ssim_restored: float


def evaluate(restorer: Restorer, photos: Iterable[TestPhoto]) -> list[Score]:
    """Restore each test photo and compare it, and what it was before, with the clean one."""
    scores = []
    for photo in photos:
        restored = np.asarray(restorer(photo.degraded, photo.scratch_mask))
        scores.append(
            Score(
                photo.name,
                psnr(photo.degraded, photo.clean),
                psnr(restored, photo.clean),
                ssim(photo.degraded, photo.clean),
                ssim(restored, photo.clean),
            )
        )
    return scores


def mean_score(scores: Sequence[Score]) -> Score:
    """Return the mean of every column."""
    columns = ("psnr_degraded", "psnr_restored", "ssim_degraded", "ssim_restored")
    return Score("mean", *(float(np.mean([getattr(s, c) for s in scores])) for c in columns))
