"""Commands killed at random moments, or started twice at once, in folders with files of the user.

    python tests/campaigns/kills.py --seed 0 --count 40

The output folders hold originals under the names of results, also in other case, links, a record
that claims files outside, and a result that the user has changed. A trial holds if after the kill

* each file of the user has its place and its bytes, and no picture that was there is gone;
* each result is whole, and the next run ends, leaves nothing half, and changes nothing when it is
  repeated.

Needs ``fork``. Each command starts in a copy of this process, so that no time goes into imports.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "data_tools"))

import archive_server
import fake_archives
from run_crawl import QUICK

from data_tools import cli as data_tools_cli
from data_tools.collectors.crawl import crawl
from data_tools.collectors.sources import SPIDERS
from oldphoto.checks import InputError
from oldphoto.cli import evaluate, restore  # noqa: F401  (loaded before the forks)
from oldphoto.cli.main import main as oldphoto
from oldphoto.config import PRESETS
from oldphoto.networks.mapping import PlainMapping
from oldphoto.networks.vae import VAE
from oldphoto.system.files import PARTIAL, sha256_of
from oldphoto.system.outputs import HIDDEN, UNFINISHED, OutputFolder, photo_folder
from oldphoto.weights.store import save_network

PICTURES = (".png", ".jpg")
NUM_PHOTOS = 5
TIME_LIMIT = 120.0  # seconds; a command that takes longer hangs


@dataclass(frozen=True)
class World:
    """One folder for a trial: a source, an output with files of the user, a victim outside."""

    root: Path
    weights: Path
    server: archive_server.ArchiveServer

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def victim(self) -> Path:
        return self.root / "victim.png"


Command = Callable[[World], int]


def run_restore(world: World) -> int:
    words = ["--weights", str(world.weights), "--device", "cpu", "--precision", "fp32"]
    return oldphoto(["restore", str(world.source), "--output", str(world.out), *words])


def run_evaluate(world: World) -> int:
    words = ["--weights", str(world.weights), "--data", str(world.source)]
    return oldphoto(["evaluate", *words, "--output", str(world.out)])


def run_clean(world: World) -> int:
    words = ["clean", str(world.source), "--output", str(world.out), "--min-side", "32"]
    return data_tools_cli.main(words)


def run_collect(world: World) -> int:
    try:
        summary = crawl(
            SPIDERS["commons"], "old photo", NUM_PHOTOS, world.out, "me@my.org",
            root=world.server.root, allowed_addresses=["127.0.0.1"], overrides=QUICK,
        )  # fmt: skip
    except InputError:
        return 2
    return 1 if summary.problem else 0


COMMANDS: dict[str, Command] = {
    "restore": run_restore,
    "clean": run_clean,
    "evaluate": run_evaluate,
    "collect": run_collect,
}


# --- the world -----------------------------------------------------------------------------------


def draw(path: Path, number: int) -> Path:
    """Write a small picture; each number gives another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, 256, (5, 6, 3), np.uint8).repeat(12, axis=0).repeat(12, axis=1)
    Image.fromarray(blocks).save(path)
    return path


def make_world(root: Path, weights: Path, server: archive_server.ArchiveServer) -> World:
    """Return a new world before any command has run."""
    world = World(root, weights, server)
    for number, name in enumerate(("a.png", "b.png", "c.jpg", "d  d.png", "é.png")):
        draw(world.source / name, number)
    draw(world.victim, 99)
    return world


def add_files_of_the_user(world: World, rng: random.Random) -> None:
    """Put originals, links, a changed result and a lying record into the output folder."""
    world.out.mkdir(exist_ok=True)
    for number, name in enumerate(("A.PNG", "b.png", "scores.csv", "mine.png")):
        path = world.out / name
        if path.exists() and rng.random() < 0.5:
            continue
        if path.suffix == ".csv":
            path.write_text("of my thesis", encoding="utf-8")
        else:
            draw(path, 100 + number)
    draw(world.out / "photos" / "commons" / "commons-1001.jpg", 110)
    if not os.path.lexists(world.out / "c.jpg"):
        (world.out / "c.jpg").symlink_to(world.victim)
    (world.out / "link.png").symlink_to(world.victim)
    for record in (OutputFolder(world.out).record, photo_folder(world.out).record):
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("a", encoding="utf-8") as file:
            for name in ("../victim.png", str(world.victim), "link.png"):
                entry = {"name": name, "sha256": sha256_of(world.victim), "source": "clean:0"}
                file.write(json.dumps(entry) + "\n")


def change_the_source(world: World, rng: random.Random) -> None:
    """Remove, rename or edit an original, so that the next run has something to tidy up."""
    draw(world.source / "a.png", rng.randrange(200, 10_000))
    (world.source / "b.png").unlink()
    (world.source / "é.png").rename(world.source / "e.png")


# --- what must hold ------------------------------------------------------------------------------


def files_of_the_user(world: World) -> dict[str, str]:
    """Return what stands for the content of each file that no command has written."""
    records = OutputFolder(world.out), photo_folder(world.out)
    found = {}
    for path in world.root.rglob("*"):
        if HIDDEN in path.parts or ".collect" in path.parts or "report" in path.parts:
            continue
        if path.name.startswith(UNFINISHED):
            continue
        name = path.relative_to(world.root).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file() and not any(r.is_ours(name.removeprefix("out/")) for r in records):
            found[name] = sha256_of(path)
    return found


def pictures(world: World) -> set[str]:
    """Return the contents of all pictures, but for contact sheets."""
    return {
        sha256_of(path)
        for path in world.root.rglob("*")
        if path.suffix.lower() in PICTURES and path.is_file() and path.parent.name != "report"
    }


def what_is_wrong(world: World, mine: dict[str, str], before: set[str]) -> str:
    """Return what does not hold at any moment; empty if all does."""
    for name, content in mine.items():
        path = world.root / name
        if path.name == "catalogue.csv":  # the table of a folder is written in place, or kept aside
            continue
        now = f"link to {path.readlink()}" if path.is_symlink() else ""
        now = now or (sha256_of(path) if path.is_file() else "gone")
        if now != content:
            return f"{name} of the user is {now[:20]}"
    if before - pictures(world):
        return f"{len(before - pictures(world))} pictures are gone"
    for path in world.root.rglob("*"):
        hidden = HIDDEN in path.parts or ".collect" in path.parts
        hidden = hidden or path.name.startswith(UNFINISHED)
        if path.suffix == PARTIAL and not hidden:
            return f"{path.name} was left in sight"
        if path.suffix.lower() in PICTURES and path.is_file() and not hidden:
            try:
                Image.open(path).load()
            except (OSError, SyntaxError) as error:
                return f"{path.name} is half a picture ({error})"
    return ""


def leftovers(world: World) -> list[str]:
    """Return the names of files that a finished command should not leave."""
    hidden = world.out / HIDDEN
    names = [path.name for path in hidden.glob("new-*")]
    names += [path.name for path in world.out.glob(f"{UNFINISHED}*")]
    return names + [path.name for path in world.out.rglob(f"*{PARTIAL}")]


def visible(world: World) -> dict[str, str]:
    """Return the contents of the output folder by name."""
    paths = [path for path in world.out.rglob("*") if path.is_file()]
    inside = [path for path in paths if not {HIDDEN, ".collect"} & set(path.parts)]
    return {path.relative_to(world.out).as_posix(): sha256_of(path) for path in inside}


# --- trials --------------------------------------------------------------------------------------


def start(command: Command, world: World) -> int:
    """Start a command in a copy of this process and return its number."""
    number = os.fork()
    if number:
        return number
    code = 99
    try:
        with (world.root / "said.txt").open("a", encoding="utf-8") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            sys.stdout = sys.stderr = said
            torch.set_num_threads(1)
            code = command(world)
            said.flush()
    finally:
        os._exit(code)


def wait(number: int) -> int:
    """Return the exit code of a process, negative if it was killed; -99 if it hangs."""
    deadline = time.monotonic() + TIME_LIMIT
    while time.monotonic() < deadline:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    return -99


def seconds_of(command: Command, world: World) -> float:
    """Return the time that an undisturbed run takes."""
    started = time.monotonic()
    code = wait(start(command, world))
    assert code == 0, (code, (world.root / "said.txt").read_text(encoding="utf-8")[-2000:])
    return time.monotonic() - started


def try_once(name: str, world: World, rng: random.Random, at_once: bool) -> str:
    """Kill a command once, or start it twice, and return what did not hold."""
    command = COMMANDS[name]
    seconds = seconds_of(command, world)
    add_files_of_the_user(world, rng)
    if name in ("restore", "clean"):
        change_the_source(world, rng)
    mine, before = files_of_the_user(world), pictures(world)
    (world.root / "said.txt").unlink()
    numbers = [start(command, world) for _ in range(2 if at_once else 1)]
    if not at_once:
        time.sleep(rng.random() * seconds * 1.1)
        os.kill(numbers[0], signal.SIGKILL)
    codes = [wait(number) for number in numbers]
    if at_once and (set(codes) - {0, 2} or 0 not in codes):
        return f"exit codes {codes} of two at once"
    mine.pop("said.txt", None)
    wrong = what_is_wrong(world, mine, before)
    for _ in range(2):
        earlier = visible(world)
        code = wait(start(command, world))
        wrong = wrong or what_is_wrong(world, mine, before)
        wrong = wrong or (f"exit code {code} of the next run" if code else "")
    changed = {key for key, value in visible(world).items() if earlier.get(key) != value}
    wrong = wrong or (f"a repetition changes {sorted(changed)}" if changed else "")
    left = leftovers(world)
    return wrong or (f"left over: {left}" if left else "")


def make_weights(folder: Path) -> Path:
    """Write tiny weights as training writes them."""
    tiny = PRESETS["tiny"]
    torch.manual_seed(0)
    for name in ("vae_degraded", "vae_clean"):
        save_network(folder, name, VAE(tiny.vae), tiny.vae, {})
    save_network(folder, "mapping_quality", PlainMapping(tiny.mapping), tiny.mapping, {})
    return folder


def make_server() -> archive_server.ArchiveServer:
    """Return an archive on this machine with photos to collect."""
    server = archive_server.ArchiveServer(lambda path, query: {})
    files = [(f"/p/{number}.jpg", "Public domain") for number in range(NUM_PHOTOS)]
    server.pages = fake_archives.commons(server.root, files)
    server.photos |= {path: [archive_server.photo_bytes(i)] for i, (path, _) in enumerate(files)}
    return server


def campaign(names: list[str], count: int, seed: int) -> dict[str, Counter[str]]:
    """Return how often each outcome was found, for each command; ``held`` is the good one."""
    torch.set_num_threads(1)
    outcomes: dict[str, Counter[str]] = {}
    server = make_server()
    with tempfile.TemporaryDirectory() as place:
        weights = make_weights(Path(place) / "weights")
        for name in names:
            for at_once in (False, True):
                key = f"{name}, {'two at once' if at_once else 'killed'}"
                outcomes[key] = Counter()
                for number in range(count if not at_once else max(1, count // 4)):
                    world = make_world(Path(place) / f"{key}-{number}", weights, server)
                    rng = random.Random(f"{seed} {key} {number}")
                    outcomes[key][try_once(name, world, rng, at_once) or "held"] += 1
    server.close()
    return outcomes


def main() -> int:
    """Run the campaign and print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=40, help="kills of each command")
    parser.add_argument("--commands", nargs="+", choices=tuple(COMMANDS), default=list(COMMANDS))
    args = parser.parse_args()
    outcomes = campaign(args.commands, args.count, args.seed)
    for key, counts in outcomes.items():
        print(f"{key}: {counts.total()} tried, {counts['held']} held")
        for outcome, number in counts.items():
            if outcome != "held":
                print(f"  {number} times: {outcome}")
    return 1 if any(set(counts) - {"held"} for counts in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
