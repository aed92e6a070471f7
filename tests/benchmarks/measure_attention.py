"""What the attention to a lattice costs in quality: dB inside holes, exact against fast.

    python tests/benchmarks/measure_attention.py

The photo is a mosaic of all embedded clean photos. Only the held-out ones are degraded and have
holes, so each hole may borrow from photos that training has seen, but is measured against one that
it has not. ``--steps`` repeats the fast way with other lattices; ``--alone`` leaves the photos
without holes out.
"""

import argparse

import numpy as np
import torch

from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.images.tensors import mask_to_tensor, to_tensor
from oldphoto.inference.restorer import Restorer
from oldphoto.networks.partial_nonlocal import lattice_step
from oldphoto.samples import sample_names, sample_paths, sample_photo

COLUMNS = 6


def mosaic(photos: list[np.ndarray], columns: int) -> np.ndarray:
    """Lay photos of one size out in rows of ``columns``."""
    rows = [photos[first : first + columns] for first in range(0, len(photos), columns)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)


def psnr(restored: torch.Tensor, clean: torch.Tensor, hole: torch.Tensor) -> float:
    """Return the dB of the pixels of a hole; photos are (1, 3, H, W) in [-1, 1]."""
    error = ((restored - clean) / 2).square().mean(dim=1, keepdim=True)[hole].mean()
    return float(-10 * error.log10())


def main() -> None:
    """Print dB inside the holes of each held-out photo, exact and with lattices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="small")
    parser.add_argument("--steps", type=int, nargs="*", default=[])
    parser.add_argument("--alone", action="store_true", help="the held-out photos alone")
    args = parser.parse_args()
    restorer = Restorer.from_pretrained(args.weights, device="cpu", precision="fp32")
    held_out = list(make_test_photos(sample_paths("held_out")))
    others = [] if args.alone else [sample_photo(name) for name in sample_names("clean")]
    columns = 4 if args.alone else COLUMNS
    degraded = to_tensor(mosaic([photo.degraded for photo in held_out] + others, columns))
    clean = to_tensor(mosaic([photo.clean for photo in held_out] + others, columns))
    no_hole = np.zeros((256, 256), bool)
    masks = [photo.scratch_mask for photo in held_out] + [no_hole] * len(others)
    mask = mask_to_tensor(mosaic(masks, columns))
    fast = lattice_step(degraded.shape[-2] // 4, degraded.shape[-1] // 4)
    results = {}
    for step in dict.fromkeys([1, fast, *args.steps]):
        with torch.no_grad():
            lenders = restorer.network.lenders(degraded, mask, step, (0, 0))
            assert lenders is not None
            results[step] = restorer.network(degraded, mask, lenders).clamp(-1, 1)
    print("| photo | " + " | ".join(f"step {step}" for step in results) + " |")
    print("|---" * (1 + len(results)) + "|")
    scores = []
    for index, photo in enumerate(held_out):
        here = torch.zeros_like(mask, dtype=torch.bool)
        top, left = (256 * place for place in divmod(index, columns))
        here[..., top : top + 256, left : left + 256] = True
        hole = here & (mask > 0)
        scores.append([psnr(result, clean, hole) for result in results.values()])
        print(f"| {photo.name} | " + " | ".join(f"{db:.2f}" for db in scores[-1]) + " |")
    print("| mean | " + " | ".join(f"{db:.3f}" for db in np.mean(scores, axis=0)) + " |")
    print("step 1 is exact; dB of the pixels inside the holes")


if __name__ == "__main__":
    main()
