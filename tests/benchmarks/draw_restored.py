"""Draw real old photos beside their restorations, for the docs of the weights.

Example: ``python tests/benchmarks/draw_restored.py --output restored.jpg``. The photos are the
embedded ones; each stands above its restoration, without a mask.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from oldphoto.inference.restorer import Restorer
from oldphoto.samples import sample_names, sample_photo

CELL = 256
GAP = 6
COLUMNS = 6
ROWS = 2
LABEL = 16
QUALITY = 80  # of the JPEG: the page ships with the package


def cell(photo: np.ndarray) -> Image.Image:
    """Return a photo, uint8 (H, W, 3), cut to a square of CELL pixels at its own sharpness."""
    top, left = ((side - CELL) // 2 for side in photo.shape[:2])
    return Image.fromarray(photo[top : top + CELL, left : left + CELL])


def draw(pairs: list[tuple[str, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return one picture of (name, old photo, restored photo), old above restored."""
    rows = -(-len(pairs) // COLUMNS)
    height = 2 * CELL + LABEL + 2 * GAP
    page = Image.new("RGB", (COLUMNS * (CELL + GAP) + GAP, rows * height + GAP), "white")
    pen = ImageDraw.Draw(page)
    for index, (name, old, restored) in enumerate(pairs):
        left = GAP + index % COLUMNS * (CELL + GAP)
        top = GAP + index // COLUMNS * height
        pen.text((left, top), name, fill="black")
        page.paste(cell(old), (left, top + LABEL))
        page.paste(cell(restored), (left, top + LABEL + CELL))
    return np.asarray(page)


def main() -> None:
    """Restore every embedded old photo and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="small")
    parser.add_argument("--variant", default=None)
    parser.add_argument("--num", type=int, default=COLUMNS * ROWS, help="photos; 0 = all")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    restorer = Restorer.from_pretrained(args.weights, args.variant)
    photos = {name: sample_photo(name) for kind in ("show", "old") for name in sample_names(kind)}
    shown = list(photos.items())[: args.num or None]
    pairs = [(name, photo, np.asarray(restorer(photo))) for name, photo in shown]
    Image.fromarray(draw(pairs)).save(args.output, quality=QUALITY)


if __name__ == "__main__":
    main()
