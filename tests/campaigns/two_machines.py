"""Training on two machines, one of which dies: it goes on from the last checkpoint.

    python -m tests.campaigns.two_machines --count 4

Two ``torchrun`` with a rendezvous stand for two machines. In the middle of a training, by turns,
the training process of the second one is killed, and both begin again by themselves; or all of its
processes, as when a machine is lost, and the command is stopped on the first and given again on
both. A trial holds if both end well, and the weights are those of an undisturbed training.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from oldphoto.system.files import sha256_of
from tests.campaigns.report import HELD, campaign_parser, finish

WAYS = ("its training is killed", "it is lost")
ROW = "training on two machines, one of which dies"
PHOTOS, SECONDS = 800, 900.0
ROOT = Path(__file__).parents[2]


def start(run: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start what one machine is told to do."""
    words = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
    words += ["--nproc-per-node", "1", "--max-restarts", "3", "--rdzv-backend", "c10d"]
    words += ["--rdzv-endpoint", f"localhost:{port}", "-m", "--", "oldphoto", "train"]
    words += ["--stage", "vae-degraded", "--run", str(run), "--resume", "--device", "cpu"]
    words += ["--precision", "fp32", "--photos", str(PHOTOS), "--save-minutes", "0"]
    with log.open("ab") as file:
        return subprocess.Popen(
            words, env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=ROOT, stdout=file, stderr=file
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a torchrun and what it has started."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for one in family:
        one.kill()
    process.wait()


def wait_for_checkpoints(run: Path, number: int, machine: subprocess.Popen[bytes]) -> None:
    """Wait until a training has saved its state some times."""
    seen: set[str] = set()
    deadline = time.monotonic() + SECONDS
    while len(seen) < number:
        seen |= {path.name for path in run.rglob("step-*.pt")}
        if machine.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the training ended, or hung, before it was disturbed")
        time.sleep(0.02)


def train(folder: Path, way: str = "") -> str:
    """Train on two machines and return the SHA-256 of the weights; empty if it failed."""
    run, log = folder / "run", folder / "log.txt"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    first, second = start(run, port, log), start(run, port, log)
    try:
        if way:
            wait_for_checkpoints(run, 4, first)
        if way == WAYS[0]:
            os.kill(psutil.Process(second.pid).children()[0].pid, signal.SIGKILL)
        elif way == WAYS[1]:
            end(second)
            end(first)
            first, second = start(run, port, log), start(run, port, log)
        codes = [machine.wait(SECONDS) for machine in (first, second)]
    finally:
        for machine in (first, second):
            if machine.poll() is None:
                end(machine)
    if any(codes):
        print(log.read_text(encoding="utf-8", errors="replace")[-20_000:])
        return ""
    return sha256_of(run / "weights" / "vae_degraded.safetensors")


def main() -> int:
    """Run the campaign."""
    args = campaign_parser(__doc__ or "", count=4).parse_args()
    outcomes = {f"{ROW}: {way}": Counter[str]() for way in WAYS}
    with tempfile.TemporaryDirectory() as place:
        undisturbed = train(Path(tempfile.mkdtemp(dir=place)))
        for number in range(args.count):
            way = WAYS[number % 2]
            weights = train(Path(tempfile.mkdtemp(dir=place)), way)
            outcome = "failed" if not weights else "other weights"
            outcomes[f"{ROW}: {way}"][HELD if weights and weights == undisturbed else outcome] += 1
    return finish(outcomes, args)


if __name__ == "__main__":
    sys.exit(main())
