"""Run commands of the command line from a notebook, on every operating system."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from oldphoto.checks import InputError

WIDTH = 100  # longer lines would not fit on the page


def run_module(folder: Path, *words: str, accepted: tuple[int, ...] = (0,)) -> str:
    """Run ``python -m WORDS`` inside a folder, print it and what it prints, and return the latter.

    The interpreter is the one that runs the notebook; no shell is needed. Progress bars are left
    out, because each of their steps would become a line of the notebook.

    Args:
        folder: where the command runs, so that it may name files without their folder.
        words: the module and its arguments.
        accepted: exit codes that do not stop the notebook.

    Raises:
        InputError: if the command ends with another exit code; the message contains its output.
    """
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(f"> python -m {shown}")
    finished = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=os.environ | {"TQDM_DISABLE": "1", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if finished.returncode not in accepted:
        said = (finished.stderr or finished.stdout).strip()[-1500:]
        raise InputError(f"the command ended with exit code {finished.returncode}: {said}")
    for line in finished.stdout.rstrip().splitlines():
        print(textwrap.fill(line, WIDTH, subsequent_indent="    ") if len(line) > WIDTH else line)
    return finished.stdout
