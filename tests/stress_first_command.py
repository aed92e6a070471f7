"""The README's first command on a machine that has much else to do.

    python -m tests.stress_first_command

Busy loops take the processors. Then `course run` runs once whole, and the notebooks that start,
kill or time processes several times each: all on two processors, and again on one (where the
system can limit a process; elsewhere on all, once). A trial holds if each notebook runs to its end
and no process is left. Every trial is printed and added to ``report.json``; the folder of one that
does not hold is kept. Hours at full size. The busy loops end with this process, also if it is
killed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from oldphoto.system.files import written_whole
from oldphoto.system.processes import kill_tree

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ["03", "10", "13", "15", "16"]  # they start, kill or time processes
BUSY = """
from oldphoto.system.processes import end_with_parent
end_with_parent()
while True:
    pass
"""
COURSE = """
import sys
from oldphoto.system.processes import end_with_parent
end_with_parent()
from oldphoto.__main__ import run
sys.exit(run())
"""
MARK = "OLDPHOTO_STRESS"  # the variable that all processes of a trial inherit
PROCESSORS = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
Trial = dict[str, Any]


def start(code: str, *words: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start Python code that ends with this process."""
    command = [sys.executable, "-c", code, *words]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path} | options.pop("variables", {})
    return subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, env=environment, **options)


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep ``count`` processes computing for nothing."""
    loops = [start(BUSY) for _ in range(count)]
    try:
        yield
        if any(loop.poll() is not None for loop in loops):
            raise RuntimeError("a busy loop has ended before the trial")
    finally:
        for loop in loops:
            loop.kill()
            loop.communicate()


def use_processors(count: int) -> str:
    """Keep this process, and those it starts, on so many processors; return what it could do."""
    if not hasattr(os, "sched_setaffinity"):
        return "all"
    chosen = sorted(PROCESSORS)[:count]
    os.sched_setaffinity(0, chosen)
    return str(len(chosen))


def try_once(names: list[str], place: Path) -> Trial:
    """Run notebooks once, all if none is named; return what came of it."""
    place.mkdir(parents=True)
    began, mark = time.monotonic(), f"{os.getpid()}-{time.monotonic_ns()}"
    words = ["course", "run", *names, "--output", str(place / "course")]
    with (place / "said.txt").open("wb") as said:
        course = start(COURSE, *words, stdout=said, stderr=said, variables={MARK: mark})
        try:
            code = course.wait()
        finally:
            left = _processes_of(mark)  # before the pipe closes, which would end them
            for one in left:
                kill_tree(one.pid)
            course.communicate()
    return {
        "notebooks": names or "all",
        "seconds": round(time.monotonic() - began),
        "exit_code": code,
        "failed": _failed(place, code),
        "left": [str(one) for one in left],
    }


def _processes_of(mark: str) -> list[psutil.Process]:
    """Return the processes that a trial has started and that still run."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get(MARK) == mark and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except (psutil.Error, OSError):  # it has ended, or is not ours
            continue
    return found


def _failed(place: Path, code: int) -> dict[str, str]:
    """Return why each notebook failed; the last words of the command if it wrote no results."""
    results = place / "course" / "results.json"
    if results.is_file():
        rows = json.loads(results.read_text(encoding="utf-8"))["notebooks"]
        failed = {row["name"]: row["error"] for row in rows if not row["ok"]}
        if failed or not code:
            return failed
    said = (place / "said.txt").read_text(encoding="utf-8", errors="replace")
    return {"course run": said[-1500:]}


def main() -> int:
    """Run all trials, print and save each, and return 1 if one did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--busy", type=int, default=6, help="busy loops (default 6)")
    parser.add_argument("--repeats", type=int, default=5, help="of the notebooks (default 5)")
    parser.add_argument("--notebooks", nargs="*", default=NOTEBOOKS, metavar="NN")
    parser.add_argument("--no-whole", action="store_true", help="leave out the whole course")
    parser.add_argument("--one-core", action="store_true", help="on one processor alone")
    parser.add_argument("--output", type=Path, default=Path("out/stress"), metavar="DIR")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%d_"), dir=_made(args.output)))
    plan: list[list[str]] = [] if args.no_whole else [[]]
    plan += [[name] for _ in range(args.repeats) for name in args.notebooks]
    limits = [1] if args.one_core or not hasattr(os, "sched_setaffinity") else [2, 1]
    trials: list[Trial] = []
    for limit in limits:
        processors = use_processors(limit)
        for number, names in enumerate(plan):
            place = folder / f"on_{processors}" / f"{number:02}_{'_'.join(names) or 'all'}"
            with busy_loops(args.busy):
                trial = {"processors": processors, "busy": args.busy} | try_once(names, place)
            trials.append(trial)
            is_held = not (trial["failed"] or trial["left"] or trial["exit_code"])
            print("held  " if is_held else "FAILED", json.dumps(trial), flush=True)
            if is_held:
                shutil.rmtree(place)
            with written_whole(folder / "report.json") as file:
                file.write(json.dumps(trials, indent=1).encode())
    bad = sum(bool(trial["failed"] or trial["left"] or trial["exit_code"]) for trial in trials)
    print(f"{len(trials)} tried, {len(trials) - bad} held; see {folder / 'report.json'}")
    return 1 if bad else 0


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


if __name__ == "__main__":
    sys.exit(main())
