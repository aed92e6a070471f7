"""Everything for a classroom without internet, in one zip file.

It holds the package as a wheel (the trained weights and the sample photos are inside), the
notebooks, the list of the tested versions and a page of instructions. With ``dependencies``
it also holds the wheels of all packages that the course needs, for computers like this one.
"""

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from oldphoto.checks import InputError, require_file
from oldphoto.course.publishing.badges import read_address
from oldphoto.course.publishing.notebooks import all_notebooks, find_folder
from oldphoto.course.publishing.slides import LECTURES, all_decks, write_decks
from oldphoto.system.outputs import photo_folder

SOURCE = "course bundle"  # of the zip file in the record of the output folder
SOURCES = ("oldphoto", "data_tools")  # what the wheel is built from, beside the files below
SOURCE_FILES = ("pyproject.toml", "README.md", "LICENSE")
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.partial", ".oldphoto", ".ipynb_checkpoints"
)
# Words of requirements.txt after which only tools for developers follow.
NOT_FOR_THE_ROOM = "# the data tools"
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]

HOW_TO = """\
# {name} {version}: a course for a room without internet

In this folder are

- `notebooks/`: the course; open `00` first,
- `{wheel}`: the package, with the trained weights and the sample photos inside,
- `requirements.txt`: the versions that were tested{wheels_line}{slides_line}.

## Once on each computer

You need Python 3.11 or 3.12. Unpack the zip file, open a terminal in its folder, and type

```
python -m venv room
source room/bin/activate
{install}
```

On Linux and macOS the second line is `source room/bin/activate`, on Windows
`room\\Scripts\\activate`. {needs_line}

## Before the lesson

```
python -m oldphoto doctor
```

lists what this computer lacks, what to do about it, and how long each notebook will
run on it.

## In the lesson

```
python -m jupyter lab notebooks
```

Run the cells from top to bottom. Nothing is fetched from anywhere: photos and weights are in the
package. Only the badges "Open In Colab" need the internet. The source of all this
is {home}.
"""


def build_bundle(
    output: Path, notebooks: Path | None = None, dependencies: bool = False, slides: bool = False
) -> Path:
    """Write the zip file of a classroom without internet.

    Args:
        output: folder for the file.
        notebooks: folder of the notebooks, inside the repository; None looks for it.
        dependencies: fetch the wheels of all needed packages, too (hundreds of MB, from the
            package index that pip is set to); they fit computers like this one only.
        slides: put the lectures in, too.

    Returns:
        The path of the zip file, named after the package and its version; if another file has the
        name, it gets a free one.

    Raises:
        InputError: if this is no clone of the repository, or a tool fails.
    """
    folder = find_folder(notebooks)
    root = folder.parent
    require_file(root / "pyproject.toml", "a clone of the repository, with pyproject.toml")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        wheel = build_wheel(root, Path(scratch))
        name = "-".join(wheel.name.split("-")[:2]) + "-course"  # "oldphoto-0.1.0-course"
        stage = Path(scratch) / name
        copy_notebooks(folder, stage / "notebooks")
        shutil.move(wheel, stage)
        write_requirements(root / "requirements.txt", stage / "requirements.txt")
        if dependencies:
            fetch_dependencies(stage)
        if slides:
            write_decks(all_decks(folder), all_notebooks(folder), stage / "slides")
        how_to = fill_how_to(root, wheel.name, dependencies, slides)
        (stage / "HOW_TO.md").write_text(how_to, encoding="utf-8")
        made = Path(shutil.make_archive(str(Path(scratch) / name), "zip", scratch, name))
        with photo_folder(output) as outputs:
            free = outputs.free_name(made.name, SOURCE)
            with outputs.writing(free, SOURCE) as new:
                shutil.copyfile(made, new)
            return outputs.path(free)


def build_wheel(root: Path, target: Path) -> Path:
    """Build the package's wheel from a copy of its sources, without any network.

    The copy keeps the build's own folders out of the repository, and left-overs of earlier builds
    out of the wheel.

    Raises:
        InputError: if the build fails.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        copy = Path(scratch)
        for name in SOURCES:
            shutil.copytree(root / name, copy / name, ignore=LEFT_OUT)
        for name in SOURCE_FILES:
            shutil.copy(require_file(root / name, "a source of the wheel"), copy)
        offline = ["--no-deps", "--no-index", "--no-build-isolation"]
        _run(
            [*PIP, "wheel", *offline, "--wheel-dir", str(target.resolve()), "."], copy, "the wheel"
        )
    return next(target.glob("*.whl"))


def copy_notebooks(folder: Path, target: Path) -> None:
    """Copy the notebooks, what lies beside them, and nothing that a run wrote."""
    target.mkdir(parents=True)
    for path in [*folder.glob("*.ipynb"), *folder.glob("*.md")]:
        shutil.copy(path, target)
    for name in ("images", LECTURES):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, target / name, ignore=LEFT_OUT)


def write_requirements(source: Path, target: Path) -> None:
    """Copy the tested versions of what a student needs: without tests and without ``-e .``."""
    text = require_file(source, "the list of tested versions").read_text(encoding="utf-8")
    lines = text.partition(NOT_FOR_THE_ROOM)[0].splitlines()
    kept = [line for line in lines if not line.startswith(("-e", "# The exact set"))]
    target.write_text("\n".join(kept) + "\n", encoding="utf-8")


def fetch_dependencies(stage: Path) -> None:
    """Fetch the wheels of everything in ``requirements.txt`` into ``wheels``.

    Raises:
        InputError: if pip cannot get one of them.
    """
    options = ["--only-binary", ":all:", "--dest", "wheels", "--requirement", "requirements.txt"]
    _run([*PIP, "download", *options], stage, "the wheels of the needed packages")


def fill_how_to(root: Path, wheel: str, dependencies: bool, slides: bool = False) -> str:
    """Return the page of instructions for the unpacked bundle."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    offline, needs_line = (
        "",
        (
            "The last line needs the internet once, or a folder of wheels made with\n"
            "`oldphoto course bundle --dependencies` on a computer of the same kind."
        ),
    )
    if dependencies:
        offline, needs_line = "--no-index --find-links wheels ", "Nothing is downloaded."
    return HOW_TO.format(
        name=project["name"],
        version=project["version"],
        wheel=wheel,
        wheels_line=",\n- `wheels/`: all packages that it needs" if dependencies else "",
        slides_line=",\n- `slides/`: the lecturer's decks; open `index.html` there in a browser"
        if slides
        else "",
        install=f"python -m pip install {offline}-r requirements.txt {wheel}",
        needs_line=needs_line,
        home=read_address(root).home,
    )


def _run(command: list[str], folder: Path, what: str) -> None:
    finished = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if finished.returncode:
        said = (finished.stderr or finished.stdout).strip().splitlines()[-3:]
        raise InputError(f"{what} could not be made: {' '.join(said)}")
