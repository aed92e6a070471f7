"""The bundle's first page, word for word, on a Linux machine whose network is off.

    python -m tests.offline_room

``course bundle --dependencies`` makes the zip file with this Python. It is unpacked in a folder
with a space and an umlaut in its name. Then the lines of ``START.html`` are typed in a network
namespace that has no way out, with an empty home and none of pip's settings: they install the
course and run the doctor. In the place of Jupyter, which waits for a person, ``course run``
executes notebooks. ``--bundle ZIP`` tries a file that is there, and ``--python`` another
interpreter of the same version, such as an older patch release. It takes root, or user namespaces.
"""

import argparse
import html
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from oldphoto.course.publishing.bundle import START

ROOT = Path(__file__).parents[1]
LINES = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)
JUPYTER = "python -m jupyter lab notebooks"
NO_WAY_OUT = """
import sys
lines = open("/proc/net/route").read().splitlines()[1:]
sys.exit(f"a way out is there: {lines}" if lines else 0)
"""


def make_bundle(folder: Path) -> Path:
    """Make the zip file as a lecturer does, and return its path."""
    command = [sys.executable, "-m", "oldphoto", "course", "bundle", "--dependencies"]
    subprocess.run([*command, "--output", str(folder)], check=True, cwd=ROOT)
    return next(folder.glob("*.zip"))


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the zip file and return the folder with the first page."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return next(folder.glob(f"*/{START}")).parent


def typed_lines(page: str) -> list[str]:
    """Return the lines that the page tells one to type.

    >>> typed_lines("<pre>a -m b\\nsource <b>x</b></pre><p>then</p><pre>y &gt; z</pre>")
    ['a -m b', 'source x', 'y > z']
    """
    blocks = [html.unescape(re.sub(r"<[^>]+>", "", block)) for block in LINES.findall(page)]
    return [line for block in blocks for line in block.strip().splitlines()]


def script_of(page: str, python: str, notebooks: list[str]) -> str:
    """Return the page's lines as a script that stops at the first error.

    Raises:
        ValueError: if the page no longer starts with Python and ends with Jupyter.
    """
    first, *lines, last = typed_lines(page)
    if not first.startswith("python -m venv ") or last != JUPYTER:
        raise ValueError(f"expected a line with venv first and Jupyter last, got {first}, {last}")
    course = f"python -m oldphoto course run {' '.join(notebooks)}"
    start = first.replace("python", f'"{python}"', 1)
    return "\n".join(["set -ex", "ip link set lo up", start, *lines, course])


def type_in_the_room(script: str, place: Path, python: str) -> int:
    """Run the script where no network is, print what it prints, and return its exit code."""
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    room = ["unshare", *rights, "--net", "--"]
    with tempfile.TemporaryDirectory() as home:
        clean = {"HOME": home, "PATH": os.defpath, "LANG": "C.UTF-8", "PIP_CONFIG_FILE": os.devnull}
        subprocess.run([*room, python, "-c", NO_WAY_OUT], check=True, env=clean)
        return subprocess.run([*room, "bash", "-c", script], cwd=place, env=clean).returncode


def main() -> int:
    """Make or take a bundle, follow its first page, and return 1 if a line failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bundle", type=Path, metavar="ZIP", help="a file that is there")
    parser.add_argument("--python", default=getattr(sys, "_base_executable", sys.executable))
    parser.add_argument("--notebooks", nargs="+", default=["00"], metavar="NN")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        archive = args.bundle or make_bundle(Path(scratch) / "made")
        place = unpack(archive, Path(scratch) / "Photos für Ann")
        page = (place / START).read_text(encoding="utf-8")
        code = type_in_the_room(script_of(page, args.python, args.notebooks), place, args.python)
    print(f"held: {archive.name}" if code == 0 else f"FAILED with exit code {code}: {archive.name}")
    return int(code != 0)


if __name__ == "__main__":
    sys.exit(main())
