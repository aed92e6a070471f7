"""Commands killed, on a full disk, or started twice at once, in folders with files of the user.

    python -m tests.campaigns.kills --seed 0 --count 40

The output folders hold originals under the names of results, also in other case, links, a record
that claims files outside, and a result that the user has changed. A command is killed at its file
operations, or the disk is full from one on: ``--count`` of them, evenly from the first to the last.
A trial holds if

* each file of the user has its place and its bytes, and no picture that was there is gone;
* each result is whole, and a full disk is told in one sentence;
* the next run ends, leaves nothing half, and changes nothing when it is repeated.

Needs ``fork``. Each command starts in a copy of this process, so that no time goes into imports.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import torch
from PIL import Image

from data_tools import cli as data_tools_cli
from data_tools.collectors.crawl import crawl
from data_tools.collectors.sources import SPIDERS
from oldphoto.checks import InputError
from oldphoto.cli import course, evaluate, restore, study, train  # noqa: F401  (before the forks)
from oldphoto.cli.main import main as oldphoto
from oldphoto.config import PRESETS
from oldphoto.course.study.store import AnswerFile, read_answers
from oldphoto.course.study.study import Ranking, Study
from oldphoto.networks.mapping import PlainMapping
from oldphoto.networks.vae import VAE
from oldphoto.system.files import PARTIAL, sha256_of
from oldphoto.system.outputs import HIDDEN, UNFINISHED, OutputFolder, photo_folder
from oldphoto.weights.store import save_network
from tests.campaigns.file_operations import FileOperations
from tests.campaigns.report import HELD, campaign_parser, finish
from tests.data_tools import archive_server, fake_archives
from tests.data_tools.run_crawl import QUICK

PICTURES = (".png", ".jpg")
NUM_PHOTOS = 5
ROW = "commands killed, on a full disk, or two at once"
WAYS = KILLED, FULL, TWICE = "killed", "on a full disk", "two at once"
SAID, CONFIRMED = "said.txt", "confirmed.txt"
STUDY = Study(("mill",), ("A", "B", "C"))
TIME_LIMIT = 600.0  # seconds; a command that takes longer hangs


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
    def notebooks(self) -> Path:
        return self.root / "notebooks"

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


def run_train(world: World) -> int:
    words = ["train", "--stage", "vae-degraded", "--photos", "24", "--save-minutes", "0"]
    return oldphoto([*words, "--resume", "--device", "cpu", "--run", str(world.out)])


def run_study(world: World) -> int:
    answers = AnswerFile(world.out / "answers.sqlite", STUDY)
    for number in range(12):
        answers.save(Ranking(f"rater-{number}", "mill", STUDY.methods))
        try:
            with (world.root / CONFIRMED).open("a", encoding="utf-8") as file:
                file.write(f"rater-{number}\n")
        except OSError:  # the disk is full for this line as well
            return 2
    return oldphoto(["study", "merge", str(answers.path), "--output", str(world.out / "all.csv")])


def run_course(world: World) -> int:
    words = ["--notebooks", str(world.notebooks), "--output", str(world.out), "--jobs", "1"]
    return oldphoto(["course", "run", *words])


COMMANDS: dict[str, Command] = {
    "restore": run_restore,
    "clean": run_clean,
    "evaluate": run_evaluate,
    "collect": run_collect,
    "train": run_train,
    "study": run_study,
    "course run": run_course,
}
UNUSED = ("train", "study")  # they are disturbed in their first run
TIMED = ("study",)  # killed at any time: SQLite writes without Python
WITH_TIMES = {"course run": (".ipynb", ".html", ".json")}
"""Endings of results that say how long the command took, so that each run gives others."""
NOTEBOOK = """
from pathlib import Path
from PIL import Image
Image.new("RGB", (64, 48), "teal").save("teal.png")
Path("numbers.csv").write_text("1,2,3", encoding="utf-8")
"""


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
    world.notebooks.mkdir()
    cells = [nbformat.v4.new_markdown_cell("# Small"), nbformat.v4.new_code_cell(NOTEBOOK)]
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(node, world.notebooks / "01_small.ipynb")
    return world


def add_files_of_the_user(world: World, rng: random.Random) -> None:
    """Put originals, links, a changed result and a lying record into the output folder."""
    world.out.mkdir(exist_ok=True)
    for number, name in enumerate(("A.PNG", "b.png", "scores.csv", "all.csv", "mine.png")):
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


def files(world: World) -> dict[str, str]:
    """Return what stands for the content of each file, without those that commands hide."""
    found = {}
    for path in world.root.rglob("*"):
        hidden = {HIDDEN, ".collect", "report"} & set(path.parts)
        if hidden or path.name.startswith(UNFINISHED) or path.name in (SAID, CONFIRMED):
            continue
        name = path.relative_to(world.root).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
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
        now = f"link to {path.readlink()}" if path.is_symlink() else ""
        now = now or (sha256_of(path) if path.is_file() else "gone")
        if now != content:
            return f"{name} of the user is {now[:20]}"
    if before - pictures(world):
        return f"{len(before - pictures(world))} pictures are gone"
    for path in world.root.rglob("*"):
        hidden = HIDDEN in path.parts or ".collect" in path.parts
        hidden = hidden or path.name.startswith(UNFINISHED)
        if path.suffix == PARTIAL and set(path.suffixes) & set(PICTURES) and not hidden:
            return f"{path.name} was left in sight"
        if path.suffix.lower() in PICTURES and path.is_file() and not hidden:
            try:
                Image.open(path).load()
            except (OSError, SyntaxError) as error:
                return f"{path.name} is half a picture ({error})"
    if (world.root / CONFIRMED).exists():
        confirmed = set((world.root / CONFIRMED).read_text(encoding="utf-8").splitlines())
        saved = {ranking.rater for ranking in read_answers(world.out / "answers.sqlite")}
        return f"answers of {len(confirmed - saved)} raters are gone" if confirmed - saved else ""
    return ""


def leftovers(world: World) -> list[str]:
    """Return the names of files that a finished command should not leave."""
    hidden = world.out / HIDDEN
    names = [path.name for path in hidden.glob("new-*")]
    names += [path.name for path in world.out.glob(f"{UNFINISHED}*")]
    return names + [path.name for path in world.out.rglob(f"*{PARTIAL}")]


def visible(world: World, name: str) -> dict[str, str]:
    """Return the contents of the output folder by name, without those that hold times."""
    changing = WITH_TIMES.get(name, ())
    paths = [path for path in world.out.rglob("*") if path.is_file()]
    paths = [path for path in paths if path.suffix not in changing]
    logs = {HIDDEN, ".collect", "tensorboard"}
    inside = [path for path in paths if not logs & set(path.parts)]
    return {path.relative_to(world.out).as_posix(): sha256_of(path) for path in inside}


# --- trials --------------------------------------------------------------------------------------


def start(command: Command, world: World, operations: FileOperations | None = None) -> int:
    """Start a command in a copy of this process and return its number."""
    number = os.fork()
    if number:
        return number
    code = 99
    try:
        with (world.root / SAID).open("w", encoding="utf-8") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            sys.stdout = sys.stderr = said
            torch.set_num_threads(1)
            if operations:
                operations.watch()
            try:
                code = command(world)
            except BaseException:  # noqa: BLE001 - the parent reads it
                traceback.print_exc(file=said)
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


def use(name: str, world: World, rng: random.Random) -> dict[str, str]:
    """Let a command run and its user work in a world; return the files of the user."""
    if name not in UNUSED:
        code = wait(start(COMMANDS[name], world))
        assert code == 0, (code, (world.root / SAID).read_text(encoding="utf-8")[-2000:])
    earlier = files(world)
    add_files_of_the_user(world, rng)
    if name in ("restore", "clean"):
        change_the_source(world, rng)
    return {
        key: content
        for key, content in files(world).items()
        if earlier.get(key) != content or not key.startswith("out/")
    }


def try_once(
    name: str,
    world: World,
    rng: random.Random,
    operations: list[FileOperations],
    seconds: float | None = None,
) -> str:
    """Use a world, start a command once or several times at once, and return what did not hold.

    Args:
        operations: of each process that is started.
        seconds: after which a process is killed; None: not by time.
    """
    command = COMMANDS[name]
    mine = use(name, world, rng)
    before = pictures(world)
    numbers = [start(command, world, one) for one in operations]
    if seconds is not None:
        time.sleep(seconds)
        os.kill(numbers[0], signal.SIGKILL)
    codes = [wait(number) for number in numbers]
    said = (world.root / SAID).read_text(encoding="utf-8", errors="replace")
    wrong = what_is_wrong(world, mine, before)
    if len(codes) > 1 and (set(codes) - {0, 2} or 0 not in codes):
        wrong = wrong or f"exit codes {codes} of two at once"
    elif set(codes) - {0, 1, 2, -signal.SIGKILL} or "Traceback" in said:
        wrong = wrong or f"exit code {codes[0]}: {said[-1000:]}"
    elif len(codes) == 1 and seconds is None and not operations[0].moment and codes[0]:
        wrong = wrong or f"exit code {codes[0]} without a disturbance: {said[-1000:]}"
    for _ in range(2):
        earlier = visible(world, name)
        code = wait(start(command, world))
        said = (world.root / SAID).read_text(encoding="utf-8", errors="replace")
        wrong = wrong or what_is_wrong(world, mine, before)
        wrong = wrong or (f"exit code {code} of the next run: {said[-1000:]}" if code else "")
    changed = {key for key, value in visible(world, name).items() if earlier.get(key) != value}
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


def campaign(
    names: list[str], ways: list[str], count: int, seed: int, place: Path
) -> dict[str, Counter[str]]:
    """Return how often each outcome was found, for each command and way to disturb it."""
    outcomes: dict[str, Counter[str]] = {}
    weights, server = make_weights(place / "weights"), make_server()

    def tried(way: str, number: int, operations: list[FileOperations], **more: float) -> str:
        world = make_world(Path(tempfile.mkdtemp(dir=place)), weights, server)
        return try_once(name, world, random.Random(f"{seed} {way} {number}"), operations, **more)

    for name in names:
        whole, began = FileOperations(place), time.monotonic()
        fault = tried("undisturbed", 0, [whole])
        seconds = (time.monotonic() - began) / (3 if name in UNUSED else 4)
        for way in ways:
            found = outcomes[f"{ROW}: {name}, {way}"] = Counter[str]()
            found |= {f"undisturbed: {fault}": 1} if fault else {}
            for number in range(max(1, count // 4) if way == TWICE else count):
                share = (number + random.Random(f"{seed} {number}").random()) / count
                one = FileOperations(place, 1 + int(share * whole.count), way == FULL)
                if way == TWICE:
                    outcome = tried(way, number, [FileOperations(place), FileOperations(place)])
                elif way == KILLED and name in TIMED:
                    outcome = tried(way, number, [FileOperations(place)], seconds=share * seconds)
                else:
                    outcome = tried(way, number, [one])
                found[outcome or HELD] += 1
    server.close()
    return outcomes


def main() -> int:
    """Run the campaign and print a line for each command."""
    parser = campaign_parser(__doc__, count=40)
    parser.add_argument("--commands", nargs="+", choices=tuple(COMMANDS), default=list(COMMANDS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        os.environ["OLDPHOTO_STATE"] = f"{place}/state"
        found = campaign(args.commands, args.ways, args.count, args.seed, Path(place))
    return finish(found, args)


if __name__ == "__main__":
    sys.exit(main())
