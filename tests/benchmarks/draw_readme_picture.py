"""Draw the picture of the README: a cracked postcard beside its restoration.

Example: ``python tests/benchmarks/draw_readme_picture.py``. It takes a few seconds. The photo is
embedded in the package, the weights are the shipped ones, and the mask is drawn below, as a user
would draw it. ``tests/test_readme.py`` draws it again and compares it with the stored picture.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from oldphoto.inference.restorer import Restorer
from oldphoto.samples import sample_photo

PICTURE = Path(__file__).parents[2] / "notebooks" / "images" / "before_after.jpg"
PHOTO = "taped_postcard"
GAP = 8  # white pixels between the two
QUALITY = 90  # of the JPEG

# Lines over the damage, (x, y) in pixels, from top to bottom.
CRACK = [
    *((143, -4), (140, 27), (136, 41), (134, 65), (127, 100), (122, 120), (119, 140), (115, 165)),
    *((114, 185), (111, 204), (108, 226), (107, 246), (104, 266), (101, 284), (100, 298)),
    *((98, 316), (94, 336), (87, 351), (84, 366), (80, 381), (76, 394), (75, 410)),
]
SCRATCH = [(89, 172), (87, 185), (81, 231)]
CRACK_WIDTH, SCRATCH_WIDTH = 7, 4


def draw_mask(height: int, width: int) -> np.ndarray:
    """Return the scratch mask, bool (H, W), true over the crack and the scratch beside it."""
    mask = Image.new("1", (width, height))
    pen = ImageDraw.Draw(mask)
    pen.line(CRACK, fill=1, width=CRACK_WIDTH, joint="curve")
    pen.line(SCRATCH, fill=1, width=SCRATCH_WIDTH, joint="curve")
    return np.array(mask)


def draw_picture() -> np.ndarray:
    """Return the photo and its restoration side by side, uint8 (H, 2 W + GAP, 3)."""
    photo = sample_photo(PHOTO)
    scratch_mask = draw_mask(*photo.shape[:2])
    # One precision on every machine, so that a test can compare.
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    restored = np.asarray(restorer(photo, scratch_mask=scratch_mask))
    gap = np.full((photo.shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([photo, gap, restored])


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=PICTURE, metavar="FILE")
    args = parser.parse_args()
    Image.fromarray(draw_picture()).save(args.output, quality=QUALITY)
    print(f"wrote {args.output}")


if __name__ == "__main__":
    main()
