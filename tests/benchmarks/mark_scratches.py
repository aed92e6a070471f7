"""Make the masks of ``real_scratches`` from what was decided by eye, and draw them to be checked.

Example: ``python tests/benchmarks/mark_scratches.py --views VIEWS`` writes every mask anew and
draws damage in red and doubt in blue over the photos, in the folder VIEWS.
"""

import argparse
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from real_scratches import DAMAGED, DOUBTFUL, FOLDER, read_photo

PIECE = 14  # length in px of the pieces of a line that are compared with their surroundings
EDGE = 12  # px on both sides of a card's edge that are not counted


def drawn(item: dict, size: tuple[int, int]) -> list[np.ndarray]:
    """Return the pieces of a decision as bool masks (H, W): what was drawn, nothing refined."""
    masks = []
    if "line" in item:
        points = np.array(item["line"], float)
        for start, end in itertools.pairwise(points):
            count = max(1, round(float(np.hypot(*(end - start))) / PIECE))
            stops = [start + (end - start) * k / count for k in range(count + 1)]
            for first, last in itertools.pairwise(stops):
                corners = [tuple(round(v) for v in point) for point in (first, last)]
                masks.append(cv2.line(np.zeros(size, np.uint8), *corners, 1, item["width"]))
    elif "spot" in item:
        masks.append(cv2.circle(np.zeros(size, np.uint8), item["spot"], item["radius"], 1, -1))
    elif "ring" in item:
        x, y, radius = item["ring"]
        masks.append(cv2.circle(np.zeros(size, np.uint8), (x, y), radius, 1, 14))
    elif "area" in item:
        corners = np.array(item["area"], np.int32)
        masks.append(cv2.fillPoly(np.zeros(size, np.uint8), [corners], 1))
    return [mask.astype(bool) for mask in masks]


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Grow a bool mask by a disc."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)


def refined(piece: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """Keep the pixels of a piece that differ from its surroundings by half of the most or more."""
    rows, columns = np.nonzero(piece)
    part = tuple(slice(max(0, line.min() - 10), line.max() + 11) for line in (rows, columns))
    kept = np.zeros_like(piece)
    piece, lab = piece[part], lab[part]
    ring = grown(piece, 8) & ~grown(piece, 2)
    distance = np.linalg.norm(lab - np.median(lab[ring], axis=0), axis=2)
    level = max(0.5 * np.percentile(distance[piece], 95), np.percentile(distance[ring], 75))
    kept[part] = piece & (distance >= level)
    return kept


def specks(item: dict, lab: np.ndarray, level: float, times: float) -> np.ndarray:
    """Return the specks of at most 14 px in a rectangle: what a top-hat of 15 px leaves.

    It must be ``level`` at least, and so many ``times`` its mean over 51 x 51 px.
    """
    x0, y0, x1, y1 = item["specks"]
    light = np.ascontiguousarray(lab[..., 0])
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    kinds = {"bright": cv2.MORPH_TOPHAT, "dark": cv2.MORPH_BLACKHAT}
    found = np.zeros(light.shape, bool)
    for name, kind in kinds.items():
        if item["sign"] not in (name, "any"):
            continue
        hat = cv2.morphologyEx(light, kind, disc)
        high = (hat > level) & (hat > times * cv2.blur(hat, (51, 51)))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(high.astype(np.uint8))
        small = [k for k in range(1, count) if stats[k, 4] >= 4 and stats[k, 2:4].max() <= 14]
        found |= np.isin(labels, small)
    inside = np.zeros(light.shape, bool)
    inside[y0:y1, x0:x1] = True
    return found & inside


def marks_of(photo: np.ndarray, decision: dict) -> np.ndarray:
    """Return the marks of a photo, uint8 (H, W), from what was decided."""
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = cv2.GaussianBlur(lab, (0, 0), 0.7)
    size = photo.shape[:2]
    marks = np.zeros(size, np.uint8)
    if "card" in decision:
        left, top, right, bottom = decision["card"]
        band = cv2.rectangle(
            np.zeros(size, np.uint8), (left, top), (right, bottom), 1, 2 * EDGE + 1
        )
        marks[band > 0] = DOUBTFUL
    for item in decision["doubtful"]:
        if "specks" in item:
            marks[grown(specks(item, lab, 12, 6), 2)] = DOUBTFUL
        for piece in drawn(item, size):
            marks[piece] = DOUBTFUL
    damaged = np.zeros(size, bool)
    for item in decision["damage"]:
        if "specks" in item:
            damaged |= specks(item, lab, 18, 3)
        for piece in drawn(item, size):
            damaged |= piece if "area" in item else refined(piece, lab)
    closed = cv2.morphologyEx(damaged.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    marks[closed > 0] = DAMAGED
    return marks


def view(photo: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return the photo beside itself with the damage outlined red and what is doubtful blue."""
    other = photo.copy()
    for value, colour in ((DOUBTFUL, (0, 90, 255)), (DAMAGED, (255, 0, 0))):
        region = marks == value
        other[grown(region, 3) & ~grown(region, 2)] = colour
    return np.concatenate([photo, other], axis=1 if photo.shape[0] > photo.shape[1] else 0)


def main() -> None:
    """Write the masks, and the views if asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=Path)
    parser.add_argument("--names", nargs="+", help="of photos; default: all")
    args = parser.parse_args()
    decisions = json.loads((FOLDER / "decisions.json").read_text(encoding="utf-8"))
    (FOLDER / "masks").mkdir(exist_ok=True)
    for name, decision in decisions.items():
        if args.names and name not in args.names:
            continue
        photo = read_photo(name)
        marks = marks_of(photo, decision)
        image = Image.fromarray(marks).convert("P")
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 90, 255])
        image.save(FOLDER / "masks" / f"{name}.png", bits=2, optimize=True)
        shares = ", ".join(f"{100 * (marks == value).mean():.2f} %" for value in (1, 2))
        print(f"{name}: damaged and doubtful {shares}")
        if args.views:
            args.views.mkdir(parents=True, exist_ok=True)
            Image.fromarray(view(photo, marks)).save(args.views / f"{name}.png")


if __name__ == "__main__":
    main()
