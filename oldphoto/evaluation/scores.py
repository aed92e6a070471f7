"""Measure a restorer on test photos, whose clean originals are known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.inference.restorer import Restorer
from oldphoto.metrics.fidelity import psnr, ssim


@dataclass(frozen=True)
class Score:
    """PSNR in dB and SSIM of a degraded and of the restored photo, against the clean one."""

    name: str
    psnr_degraded: float
    psnr_restored: float
    ssim_degraded: float
    ssim_restored: float


def evaluate(restorer: Restorer, photos: Iterable[TestPhoto]) -> list[Score]:
    """Restore each test photo and compare it with the clean one before and after."""
    scores = []
    for photo in photos:
        before, after = photo.degraded, np.asarray(restorer(photo.degraded, photo.scratch_mask))
        values = [metric(p, photo.clean) for metric in (psnr, ssim) for p in (before, after)]
        scores.append(Score(photo.name, *values))
    return scores


def mean_score(scores: Sequence[Score]) -> Score:
    """Return the mean of every column."""
    columns = ("psnr_degraded", "psnr_restored", "ssim_degraded", "ssim_restored")
    return Score("mean", *(float(np.mean([getattr(s, c) for s in scores])) for c in columns))
