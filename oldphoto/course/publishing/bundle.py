"""Everything for a classroom without internet, in one zip file.

It holds the package as a wheel (the trained weights and the sample photos are inside), the
notebooks, the lectures, the list of the tested versions and a page to start with. Where the tools
of the web site are installed, it holds the site, too. With ``dependencies`` it also holds the
wheels of all packages that the course needs, for computers like this one.
"""

import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from sysconfig import get_platform

from markupsafe import Markup

from oldphoto.checks import InputError, require_file
from oldphoto.course.publishing.badges import Address, read_address
from oldphoto.course.publishing.notebooks import (
    all_notebooks,
    course_files,
    course_pages,
    find_folder,
)
from oldphoto.course.publishing.pages import course_page, markdown_html
from oldphoto.course.publishing.site import missing_tools, outward, write_site
from oldphoto.course.publishing.slides import LECTURES, all_decks, write_decks
from oldphoto.system.archives import zip_folder
from oldphoto.system.outputs import HIDDEN, photo_folder

START = "START.html"
SOURCE = "course bundle"  # of the zip file in the record of the output folder
SOURCES = ("oldphoto", "data_tools")  # what the wheel is built from, beside the files below
SOURCE_FILES = ("pyproject.toml", "README.md", "LICENSE")
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.partial", ".oldphoto", ".ipynb_checkpoints"
)
# Words of requirements.txt after which only tools for developers follow.
NOT_FOR_THE_ROOM = "# the data tools"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"  # of Python, that wheels fit
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]

HOW_TO = """\
# {name} {version}: a course for a room without internet

**To read:** {site_line}.

**To teach:** [the guide for lecturers](LECTURING.html), [the lectures](slides/index.html) with
notes for the speaker, and [exam questions](EXAM.html) with answers.

**To run:** `notebooks/`, the same notebooks in Jupyter, in two steps.

## Once on each computer

You need {python}. On Debian and Ubuntu, `python3-venv` must be installed as well.

Copy the zip file from the stick to the computer and unpack it there. Open a terminal in the
unpacked folder, the one with this page, and type

```
python -m venv .venv
source .venv/bin/activate
python -m pip install -r requirements.txt
```

If `python` is not found in the first line, or `python --version` shows another version, write
{spelled}. On Windows, use a Command Prompt (`cmd`); the second line is
`.venv\\Scripts\\activate`. Repeat the second line in each new terminal. {needs_line}

`requirements.txt` has the versions that were tested, and `{wheel}`: the
package, with the trained weights and the sample photos inside.

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
package. Only the badges "Open In Colab" and the links to the repository need the internet. The
source of all this is {home}.
"""
SITE_LINE = "[the course as web pages](site/index.html), with a search"
NO_SITE_LINE = "`notebooks/` in Jupyter, see below"
LECTURERS = "LECTURING", "EXAM"  # pages that need no tools of the site


def build_bundle(output: Path, notebooks: Path | None = None, dependencies: bool = False) -> Path:
    """Write the zip file of a classroom without internet.

    Args:
        output: folder for the file.
        notebooks: folder of the notebooks, inside the repository; None looks for it.
        dependencies: fetch the wheels of all needed packages, too (from the package index that
            pip is set to: half a GB, or 3 GB with PyTorch's GPU libraries); they fit computers
            like this one only.

    Returns:
        The path of the zip file, named after the package and its version, with ``dependencies``
        also after what they fit; if another file has the name, it gets a free one.

    Raises:
        InputError: if this is no clone of the repository, or a tool fails.
    """
    folder = find_folder(notebooks)
    root = folder.parent
    require_file(root / "pyproject.toml", "a clone of the repository, with pyproject.toml")
    with (
        photo_folder(output) as outputs,  # refused now rather than after the work
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
    ):
        wheel = build_wheel(root, Path(scratch))
        name = "-".join(wheel.name.split("-")[:2]) + "-course"  # "oldphoto-0.1.0-course"
        stage = Path(scratch) / name
        copy_notebooks(folder, stage / "notebooks")
        shutil.move(wheel, stage)
        requirements = stage / "requirements.txt"
        write_requirements(root / "requirements.txt", requirements)
        if dependencies:
            fetch_dependencies(stage)
        install_from_here(requirements, wheel.name, dependencies)
        write_decks(all_decks(folder), all_notebooks(folder), stage / "slides")
        if has_site := not missing_tools():
            write_site(all_notebooks(folder), stage / "site")
            shutil.rmtree(stage / "site" / HIDDEN)
        how_to = fill_how_to(root, wheel.name, dependencies, has_site)
        write_page(stage / START, "A course for a room without internet", how_to)
        for page in LECTURERS:
            write_lecturers_page(folder / f"{page}.md", stage / f"{page}.html", read_address(root))
        fits = f"-py{VERSION}-{get_platform()}" if dependencies else ""
        free = outputs.free_name(f"{name}{fits}.zip", SOURCE)
        with outputs.writing(free, SOURCE) as new:
            zip_folder(stage, new)
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
    """Copy the course's notebooks and pages; notebooks of the user and files of a run stay."""
    target.mkdir(parents=True)
    for path in [*course_files(folder), *course_pages(folder)]:
        shutil.copy(path, target)
    for name in ("images", LECTURES):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, target / name, ignore=LEFT_OUT)


def write_page(path: Path, title: str, text: str) -> None:
    """Write a page of Markdown that needs no other file."""
    page = course_page("course.html.j2", title, body=Markup(markdown_html(text)))
    path.write_text(page, encoding="utf-8")


def write_lecturers_page(source: Path, target: Path, address: Address) -> None:
    """Write a page from beside the notebooks; its links stay in the bundle where they can."""
    text = re.sub(r"\]\((\w+)\.md\)", r"](\1.html)", source.read_text(encoding="utf-8"))
    write_page(target, text.partition("\n")[0].lstrip("# "), outward(text, address))


def write_requirements(source: Path, target: Path) -> None:
    """Copy the tested versions of what a student needs: without tests and without ``-e .``."""
    text = require_file(source, "the list of tested versions").read_text(encoding="utf-8")
    lines = text.partition(NOT_FOR_THE_ROOM)[0].splitlines()
    kept = [line for line in lines if not line.startswith(("-e", "# The exact set"))]
    target.write_text("\n".join(kept) + "\n", encoding="utf-8")


def fetch_dependencies(stage: Path) -> None:
    """Fetch the wheels of everything in ``requirements.txt`` into ``wheels``.

    They fit every patch release of this Python: the room's may be older than the one that runs.

    Raises:
        InputError: if pip cannot get one of them.
    """
    options = ["--only-binary", ":all:", "--python-version", VERSION]
    options += ["--dest", "wheels", "--requirement", "requirements.txt"]
    _run([*PIP, "download", *options], stage, "the wheels of the needed packages")


def install_from_here(requirements: Path, wheel: str, dependencies: bool) -> None:
    """Add the package's wheel to the list, and where the others lie: one line installs it all."""
    where = "--no-index\n--find-links wheels\n" if dependencies else ""
    text = requirements.read_text(encoding="utf-8")
    requirements.write_text(f"{where}{text}./{wheel}\n", encoding="utf-8")


def fill_how_to(root: Path, wheel: str, dependencies: bool, has_site: bool) -> str:
    """Return the Markdown of the first page of the unpacked bundle."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python, spelled = "Python 3.11, 3.12 or 3.13", "`python3`"
    needs_line = (
        "The last line needs the internet once, or a folder of wheels made with\n"
        "`python -m oldphoto course bundle --dependencies` on a computer of the same kind."
    )
    if dependencies:
        system = f"{platform.system()} ({platform.machine()})"
        python = f"Python {VERSION} on {system}: the packages in `wheels/` fit no other"
        spelled = f"`python{VERSION}`, on Windows `py -{VERSION}`"
        needs_line = "Nothing is downloaded: `wheels/` has all packages."
    return HOW_TO.format(
        name=project["name"],
        version=project["version"],
        wheel=wheel,
        site_line=SITE_LINE if has_site else NO_SITE_LINE,
        python=python,
        spelled=spelled,
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
