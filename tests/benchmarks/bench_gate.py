"""Count the photos that the gate leaves alone: many of the sound ones, none of the damaged.

python tests/benchmarks/bench_gate.py [--sound FOLDER] [--old FOLDER]

The photos of the package are degraded by three recipes, with two seeds each. Folders of sound and
of old photos count besides; the names of the old photos that pass are printed, to be looked at.
"""

import argparse
from pathlib import Path

from oldphoto.degradations import degrade
from oldphoto.images.files import list_photos, load_rgb
from oldphoto.inference.gate import needs_nothing
from oldphoto.samples import sample_paths


def main() -> None:
    """Print how many photos of each kind need nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sound", type=Path)
    parser.add_argument("--old", type=Path)
    args = parser.parse_args()
    clean = sample_paths("clean") + sample_paths("held_out")
    old = sample_paths("old") + sample_paths("show")
    kinds = {"clean photos of the package": clean, "old photos of the package": old}
    kinds |= {f"{f}": list_photos(f) for f in (args.sound, args.old) if f}
    for kind, paths in kinds.items():
        passed = [path.stem for path in paths if needs_nothing(load_rgb(path))]
        print(f"{kind}: {len(passed)} of {len(paths)}", *passed if paths is not clean else ())
    for recipe in ("paper", "released", "light"):
        pairs = [(path, seed) for path in clean for seed in (1, 2)]
        passed = [
            path.stem
            for path, seed in pairs
            if needs_nothing(degrade(load_rgb(path), seed=seed, recipe=recipe)[0])
        ]
        print(f"degraded by {recipe}: {len(passed)} of {len(pairs)}", *passed)


if __name__ == "__main__":
    main()
