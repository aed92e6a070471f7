"""Near-duplicates: the same picture in another size, compression or tone."""

from pathlib import Path

import cv2
import numpy as np

from data_tools.examine import Finding
from data_tools.hashes import near_pairs
from oldphoto.data.reading import decode_photo

_SIDE = 64
MIN_CORRELATION = 0.9


def mark_duplicates(findings: list[Finding], reasons: list[str], distance: int) -> list[str]:
    """Return the reasons, with one more for each near-duplicate of a photo that is kept.

    Of near-duplicates the photo with the most pixels is kept, and of equally large ones the first.
    Hashes of 64 bits can agree by chance, so a pair must also look alike.
    """
    best_first = sorted(
        (index for index, reason in enumerate(reasons) if not reason),
        key=lambda index: -findings[index].size[0] * findings[index].size[1],
    )
    result = list(reasons)
    for first, second in near_pairs([findings[index].phash for index in best_first], distance):
        better, worse = best_first[first], best_first[second]
        both_kept = not result[better] and not result[worse]
        if both_kept and look_alike(findings[better], findings[worse]):
            result[worse] = f"duplicate: of {findings[better].path.name}"
    return result


def look_alike(first: Finding, second: Finding) -> bool:
    """Return whether two photos, at 64 x 64, correlate up to brightness and contrast."""
    if first.sha256 == second.sha256:
        return True
    small = [_small(finding.path) for finding in (first, second)]
    return float(np.corrcoef(small[0], small[1])[0, 1]) >= MIN_CORRELATION


def _small(path: Path) -> np.ndarray:
    """Return 64 x 64 grey levels, float (4096,), with a trace of noise: no photo is constant."""
    grey = cv2.cvtColor(decode_photo(path, 2 * _SIDE), cv2.COLOR_RGB2GRAY)
    reduced = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(float).ravel()
    return reduced + np.random.default_rng(0).normal(0, 1e-3, reduced.size)
