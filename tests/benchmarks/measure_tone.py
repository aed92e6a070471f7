"""How near the network for the tone brings faded photos to what they were.

    python tests/benchmarks/measure_tone.py [--weights small] [--data DIR]

Each photo is faded twice by recipe ``faded``, with seeds of its own; photos that this leaves as
they are do not count. Photos longer than 255 px are reduced: only the tone is asked for.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from oldphoto.data import photo_paths
from oldphoto.degradations import degrade
from oldphoto.images.files import load_photo
from oldphoto.images.tensors import to_pixels, to_tensor
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_paths
from oldphoto.weights.source import WeightsSource

LONGEST = 255


def main() -> None:
    """Print the means over all faded photos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="small")
    parser.add_argument("--data", type=Path, help="folder of clean photos (default: held out)")
    arguments = parser.parse_args()
    paths = photo_paths(arguments.data) if arguments.data else sample_paths("held_out")
    tone = WeightsSource.parse(arguments.weights).tone()
    rows = []
    for number, path in enumerate(paths):
        clean = load_photo(path).pixels
        scale = min(1.0, LONGEST / max(clean.shape))
        clean = cv2.resize(clean, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for seed in (7 * number, 7 * number + 1):
            faded = degrade(clean, seed=seed, recipe="faded")[0]
            if (faded == clean).all():
                continue
            with torch.no_grad():
                toned = to_pixels(tone(to_tensor(faded)))
            rows.append([psnr(faded, clean), psnr(toned, clean)])
    before, after = np.array(rows).T
    print(
        f"{len(rows)} faded photos: {before.mean():.2f} dB, tone restored {after.mean():.2f} dB, "
        f"largest loss {(after - before).min():.2f} dB, nearer {(after > before).mean():.0%}"
    )


if __name__ == "__main__":
    main()
