"""The bundle for a room without internet: whole, and at work where no connection can be made."""

import os
import platform
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from oldphoto.checks import InputError
from oldphoto.cli import main as cli
from oldphoto.course.publishing import bundle
from oldphoto.system.packages import INSTALL_ALL
from tests.offline_room import script_of

ROOT = Path(__file__).parents[3]
# Python runs this file by itself when it starts: any use of the network ends the program.
NO_NETWORK = """
import socket

def refuse(*args, **kwargs):
    raise OSError("NETWORK USED")

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)
"""
FIRST_LESSON = """
import sys
from pathlib import Path
import nbformat
from IPython.core.interactiveshell import InteractiveShell
import oldphoto

assert Path(oldphoto.__file__).is_relative_to(sys.argv[1]), oldphoto.__file__
photo = __import__("oldphoto.samples").samples.sample_photo("taped_postcard")[:64, :64]
assert oldphoto.Restorer.from_pretrained("small", device="cpu")(photo).size == (64, 64)
shell = InteractiveShell.instance()
for cell in nbformat.read(sys.argv[2], as_version=4).cells[:12]:
    if cell.cell_type == "code":
        shell.run_cell(cell.source).raise_error()
assert shell.user_ns["restored"].size == shell.user_ns["photo"].shape[1::-1]
print("LESSON HELD")
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The bundle's folder, made by the command and unpacked elsewhere."""
    folder = tmp_path_factory.mktemp("room")
    assert cli.main(["course", "bundle", "--output", str(folder / "made")]) == 0
    (archive,) = (folder / "made").iterdir()
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder / "room")
    return folder / "room" / archive.stem


@pytest.fixture(scope="module")
def installed(unpacked, tmp_path_factory) -> Path:
    """A folder into which the wheel was installed, from nothing but itself."""
    target = tmp_path_factory.mktemp("installed")
    (wheel,) = unpacked.glob("*.whl")
    options = ["--no-deps", "--no-index", "--quiet", "--no-compile", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True)
    return target


def sources() -> Iterator[str]:
    for package in bundle.SOURCES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.name[0] != ".":
                yield path.relative_to(ROOT).as_posix()


def test_the_zip_has_notebooks_pictures_wheel_versions_and_a_page(unpacked):
    there = {p.relative_to(unpacked).as_posix() for p in unpacked.rglob("*") if p.is_file()}
    beside = [p for p in (ROOT / "notebooks").iterdir() if p.suffix in (".ipynb", ".md")]
    assert {f"notebooks/{path.name}" for path in beside} <= there
    assert "notebooks/images/before_after.jpg" in there
    assert {"slides/index.html", "slides/vae.html", "notebooks/lectures/1_vae.md"} <= there
    wheel = next(name for name in there if name.endswith(".whl"))
    page = (unpacked / bundle.START).read_text(encoding="utf-8").partition("</style>")[2]
    assert "pip install -r requirements.txt" in page and "oldphoto doctor" in page
    assert "{" not in page
    assert f"{INSTALL_ALL}\npython -m oldphoto doctor" in script_of(page, "python3", ["00"])
    pins = (unpacked / "requirements.txt").read_text(encoding="utf-8")
    assert "torch==" in pins and "ipywidgets==" in pins and f"./{wheel}" in pins.splitlines()
    assert "pytest" not in pins and "-e ." not in pins


def test_the_first_page_links_the_lectures_and_the_site_if_it_was_made(unpacked):
    page = (unpacked / bundle.START).read_text(encoding="utf-8")
    links = [link for link in re.findall(r'href="([^"]+)"', page) if not link.startswith("http")]
    assert all((unpacked / link).is_file() for link in links if not link.startswith("#"))
    site = {"site/index.html"}
    always = {"slides/index.html", "LECTURING.html", "EXAM.html"}
    assert always | (set() if bundle.missing_tools() else site) <= set(links)
    assert [path for path in unpacked.rglob("*") if path.name == ".oldphoto"] == []


def test_the_lecturers_guide_leads_to_the_exam_without_a_network(unpacked):
    guide = (unpacked / "LECTURING.html").read_text(encoding="utf-8")
    assert 'href="EXAM.html"' in guide and ".md" not in "".join(
        re.findall(r'href="\w+\.\w+"', guide)
    )
    assert "<math" in (unpacked / "EXAM.html").read_text(encoding="utf-8")


def test_without_its_tools_one_sentence_says_that_the_site_is_left_out(
    tmp_path, monkeypatch, capsys
):
    page = bundle.fill_how_to(ROOT, "wheel", dependencies=False, has_site=False)
    assert "site/" not in page and "(LECTURING.html)" in page
    monkeypatch.setattr("oldphoto.course.publishing.site.NEEDED", ("sphinx_that_is_not_there",))
    monkeypatch.setattr(bundle, "build_bundle", lambda *_: Path(__file__))
    assert cli.main(["course", "bundle", "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert said.startswith("The web site is left out: ") and "pip install" in said


def test_notebooks_and_notes_of_ones_own_stay_at_home(make_notebook, tmp_path):
    folder = make_notebook("1 + 1").parent
    for name in ("GUIDE.md", "my notes.md", "mine.ipynb", "01_small-Copy1.ipynb"):
        (folder / name).write_text("my own", encoding="utf-8")
    bundle.copy_notebooks(folder, tmp_path / "to")
    assert {path.name for path in (tmp_path / "to").iterdir()} == {"01_small.ipynb", "GUIDE.md"}


def test_the_wheel_holds_every_file_of_the_package(unpacked):
    with zipfile.ZipFile(next(unpacked.glob("*.whl"))) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == set(sources())
    assert "oldphoto/weights/small/vae_clean.safetensors" in packed
    assert "oldphoto/system/page.html.j2" in packed
    assert "oldphoto/samples/SOURCES.csv" in packed


def run_without_network(code: str, installed: Path, folder: Path, *words: str):
    """Run Python code in another folder, with the installed wheel and no way out."""
    (folder / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    search = os.pathsep.join([str(folder), str(installed)])
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": search, "IPYTHONDIR": str(folder / "ipython")},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_the_first_lesson_is_held_without_a_network(unpacked, installed, tmp_path):
    notebook = unpacked / "notebooks" / "00_restore_a_photo.ipynb"
    done = run_without_network(FIRST_LESSON, installed, tmp_path, str(installed), str(notebook))
    assert "LESSON HELD" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]


def test_the_guard_would_notice_a_connection(installed, tmp_path):
    code = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')"
    done = run_without_network(code, installed, tmp_path)
    assert done.returncode != 0 and "NETWORK USED" in done.stderr


def test_dependencies_are_fetched_and_then_nothing_is_asked_for(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(bundle, "_run", lambda command, folder, what: commands.append(command))
    bundle.fetch_dependencies(tmp_path)
    assert commands[0][1:3] == ["-m", "pip"] and {"download", "--only-binary"} <= set(commands[0])
    page = bundle.fill_how_to(ROOT, "oldphoto-0.1.0-py3-none-any.whl", True, has_site=False)
    assert "`wheels/`" in page and "Nothing is downloaded" in page


def test_wheels_fit_one_python_in_all_its_patches_and_the_page_names_it(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(bundle, "_run", lambda command, folder, what: commands.append(command))
    bundle.fetch_dependencies(tmp_path)
    # pip then asks each package whether it fits 3.11.0, not the 3.11.7 that runs.
    where = commands[0].index("--python-version")
    assert commands[0][where + 1] == bundle.VERSION and bundle.VERSION.count(".") == 1
    page = bundle.fill_how_to(ROOT, "wheel", dependencies=True, has_site=False)
    assert f"You need Python {bundle.VERSION} on {platform.system()}" in page
    assert "3.11, 3.12 or 3.13" not in page


def test_the_line_of_the_page_and_of_the_doctor_asks_no_index_for_anything(tmp_path):
    (tmp_path / "wheels").mkdir()
    for folder, name in ((tmp_path, "own"), (tmp_path / "wheels", "other")):
        with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
            info = f"{name}-1.dist-info"
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    (tmp_path / "requirements.txt").write_text("other==1\n", encoding="utf-8")
    bundle.install_from_here(tmp_path / "requirements.txt", "own-1-py3-none-any.whl", True)
    words = INSTALL_ALL.split()[1:]
    assert " ".join(words) in bundle.HOW_TO
    done = subprocess.run(
        [sys.executable, *words, "--target", "to", "--verbose"],
        cwd=tmp_path,
        env=os.environ | {"PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "Successfully installed other-1 own-1" in done.stdout


def test_outside_a_clone_it_is_refused(make_notebook, tmp_path):
    folder = make_notebook("1 + 1").parent
    with pytest.raises(InputError, match="expected a clone of the repository"):
        bundle.build_bundle(tmp_path, folder)


def test_a_zip_file_of_the_user_is_not_replaced(tmp_path, monkeypatch):
    def wheel(root: Path, target: Path) -> Path:
        (target / "oldphoto-9.9-py3-none-any.whl").write_bytes(b"wheel")
        return target / "oldphoto-9.9-py3-none-any.whl"

    monkeypatch.setattr(bundle, "build_wheel", wheel)
    mine = tmp_path / "oldphoto-9.9-course.zip"
    mine.write_bytes(b"with my own slides")
    for _ in range(2):  # the second one replaces the first
        assert bundle.build_bundle(tmp_path) == tmp_path / "oldphoto-9.9-course_2.zip"
        assert zipfile.is_zipfile(tmp_path / "oldphoto-9.9-course_2.zip")
    assert mine.read_bytes() == b"with my own slides"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_build_that_fails_says_why(tmp_path):
    with pytest.raises(InputError, match=r"the wheel could not be made: .*no words"):
        bundle._run([sys.executable, "-c", "raise SystemExit('no words')"], tmp_path, "the wheel")
