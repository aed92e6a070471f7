"""``restore`` and ``clean`` give the same bytes, however the work is split and in whatever order.

    python -m tests.campaigns.repeats --seed 0 --count 12

A trial copies random photos into a folder in a random order and lets both commands run with other
numbers of workers and threads, the photos named in another order, or one at a time. It holds if all
results have the bytes of the first run.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from oldphoto.samples import sample_paths
from oldphoto.system.files import sha256_of
from oldphoto.system.outputs import HIDDEN
from tests.campaigns.report import HELD, campaign_parser, finish


def command(words: list[str], threads: int) -> None:
    """Run a command in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    subprocess.run([sys.executable, "-m", *words], env=environment, check=True, capture_output=True)


def results(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each result by name."""
    paths = [path for path in folder.rglob("*") if path.is_file() and HIDDEN not in path.parts]
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}


def restored(photos: list[Path], output: Path, chance: random.Random, threads: int) -> None:
    """Restore photos in a random order and in random batches."""
    order = chance.sample(photos, len(photos))
    size = chance.randint(1, len(order))
    for start in range(0, len(order), size):
        batch = [str(path) for path in order[start : start + size]]
        command(
            ["oldphoto", "restore", *batch, "--output", str(output), "--device", "cpu"], threads
        )


def cleaned(photos: list[Path], output: Path, chance: random.Random, workers: int) -> None:
    """Clean a folder into which the photos were copied in a random order."""
    source = output.parent / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    for photo in chance.sample(photos, len(photos)):
        shutil.copyfile(photo, source / photo.name)
    words = ["data_tools", "clean", str(source), "--output", str(output / "set")]
    command([*words, "--min-side", "32", "--workers", str(workers)], workers)


def main() -> int:
    """Run the campaign."""
    args = campaign_parser(__doc__, count=12).parse_args()
    outcomes = {f"repeats with the same bytes: {way.__name__}": Counter[str]() for way in WAYS}
    for number in range(args.count):
        for way in WAYS:
            chance = random.Random(f"{args.seed} {number} {way.__name__}")
            photos = chance.sample(sample_paths("old") + sample_paths("held_out"), 3)
            with tempfile.TemporaryDirectory() as folder:
                found = []
                for amount in (1, chance.choice((2, 3))):
                    place = Path(folder) / str(amount) / "out"
                    place.mkdir(parents=True)
                    way(photos, place, chance, amount)
                    found.append(results(place))
            differ = {
                name for name in found[0] | found[1] if found[0].get(name) != found[1].get(name)
            }
            key = f"repeats with the same bytes: {way.__name__}"
            outcomes[key][f"{sorted(differ)} differ" if differ else HELD] += 1
    return finish(outcomes, args)


WAYS = (restored, cleaned)

if __name__ == "__main__":
    sys.exit(main())
