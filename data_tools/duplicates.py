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
    """Return the reasons, with one for each near-duplicate of a photo that is kept.

    Of photos that show the same the one with the most pixels is kept, and of equally large ones
    the first. A hash of 64 bits can agree by chance, so a pair must also look alike.
    """
    kept = [index for index, reason in enumerate(reasons) if not reason]
    pairs = near_pairs([findings[index].phash for index in kept], distance)
    pairs = [(kept[first], kept[second]) for first, second in pairs]
    result = list(reasons)
    order = sorted(kept, key=lambda index: (-_area(findings[index]), index))
    rank = {index: place for place, index in enumerate(order)}
    pairs = [tuple(sorted(pair, key=rank.__getitem__)) for pair in pairs]
    for better, worse in sorted(pairs, key=lambda pair: (rank[pair[0]], rank[pair[1]])):
        if (
            not result[better]
            and not result[worse]
            and look_alike(findings[better], findings[worse])
        ):
            result[worse] = f"duplicate: of {findings[better].path.name}"
    return result


def look_alike(first: Finding, second: Finding) -> bool:
    """Return whether two photos, reduced to 64 x 64, are the same up to brightness and contrast."""
    if first.sha256 == second.sha256:
        return True
    small = [_small(finding.path) for finding in (first, second)]
    return float(np.corrcoef(small[0], small[1])[0, 1]) >= MIN_CORRELATION


def _small(path: Path) -> np.ndarray:
    """Return 64 x 64 grey levels as one row, with a trace of noise so that no photo is constant."""
    grey = cv2.cvtColor(decode_photo(path, 2 * _SIDE), cv2.COLOR_RGB2GRAY)
    reduced = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(float).ravel()
    return reduced + np.random.default_rng(0).normal(0, 1e-3, reduced.size)


def _area(finding: Finding) -> int:
    """Return the number of pixels."""
    return finding.size[0] * finding.size[1]
