"""Colab without Colab: the first cells of every notebook, on a machine that imitates it.

It has packages of its own, one small package too few, no repository, and another current folder.
``pip`` is the real one; what it would fetch from GitHub it gets from a git remote in a folder, and
the missing package from a folder of wheels. Nothing else can be reached.
"""

import base64
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from oldphoto.course.publishing.badges import read_address
from oldphoto.course.publishing.bundle import LEFT_OUT, SOURCE_FILES, SOURCES
from oldphoto.course.setting_up import COLAB_OWNS

ROOT = Path(__file__).parents[2]
SKIPPED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")  # what pip wrote, not the wheel
LACKING = "tqdm"  # what this Colab lacks
ADDRESS = read_address(ROOT)
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Colab is Linux"),
    pytest.mark.skipif(shutil.which("git") is None, reason="there is no git"),
]

# Run the first cells of notebooks as Colab's kernel does: a fresh namespace, the same machine.
KERNEL = """
import json, sys, types
import nbformat
from IPython.core.interactiveshell import InteractiveShell

sys.modules["google"] = google = types.ModuleType("google")
sys.modules["google.colab"] = google.colab = types.ModuleType("google.colab")
shell = InteractiveShell.instance()
asked = []
if sys.argv[1] == "stand-in":
    shell.register_magic_function(asked.append, magic_name="pip")
for path in sys.argv[2:]:
    for _ in range(2):
        shell.reset(new_session=False)
        for cell in nbformat.read(path, as_version=4).cells:
            tags = cell.metadata.get("tags", [])
            if "parameters" in tags or "setup" in tags:
                shell.run_cell(cell.source).raise_error()
        assert shell.user_ns["device"] in ("cpu", "cuda", "mps")
import oldphoto
print("RESULT", json.dumps({"asked": asked, "package": oldphoto.__file__}))
"""


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


class Colab:
    """A Python environment in a folder, with everything of this one but two packages."""

    def __init__(self, folder: Path) -> None:
        self.content = folder / "content"
        self.content.mkdir()
        self.python = folder / "venv" / "bin" / "python"
        self.site = next((folder / "venv" / "lib").glob("python*")) / "site-packages"
        self.environment = {
            **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")},
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "IPYTHONDIR": str(folder / "ipython"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(folder / "wheels"),
            # The tools that build the package are Colab's own; pip cannot fetch any here.
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "https_proxy": "http://127.0.0.1:9",
            "http_proxy": "http://127.0.0.1:9",
        }

    def first_cells(self, pip: str, notebooks: list[Path]) -> dict:
        """Run the first cells of notebooks, each twice; ``pip`` is "real" or "stand-in"."""
        words = [str(path) for path in notebooks]
        printed = run([str(self.python), "-c", KERNEL, pip, *words], self.content, self.environment)
        result = json.loads(printed.split("RESULT ")[1])
        return result | {"printed": printed, "installed": self.installed()}

    def installed(self) -> set[str]:
        """Names of the packages that were added to this Colab."""
        found = importlib.metadata.distributions(path=[str(self.site)])
        return {one.metadata["Name"].lower() for one in found}


@pytest.fixture(scope="module")
def colab(tmp_path_factory) -> Iterator[Colab]:
    folder = tmp_path_factory.mktemp("colab")
    make = [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")]
    subprocess.run(make, check=True)
    machine = Colab(folder)
    link_packages(folder / "packages")
    (machine.site / "colab.pth").write_text(f"{folder / 'packages'}\n", encoding="utf-8")
    pack_wheel(LACKING, folder / "wheels")
    make_remote(folder, machine.environment)
    yield machine


def link_packages(target: Path) -> None:
    """Link everything that is installed here, but for the project and the missing package."""
    target.mkdir()
    hidden = ("oldphoto", "__editable__", LACKING)
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(place).iterdir():
            if not path.name.startswith(hidden) and path.suffix != ".pth":
                (target / path.name).symlink_to(path)


def pack_wheel(name: str, target: Path) -> None:
    """Pack an installed package into a wheel again."""
    target.mkdir()
    one = importlib.metadata.distribution(name)
    with zipfile.ZipFile(target / f"{name}-{one.version}-py3-none-any.whl", "w") as wheel:
        rows = []
        for file in one.files or ():
            if ".." in file.parts or "__pycache__" in file.parts or file.name in SKIPPED:
                continue
            content = file.locate().read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            rows.append(f"{file},sha256={digest.decode()},{len(content)}")
            wheel.writestr(str(file), content)
        record = f"{name}-{one.version}.dist-info/RECORD"
        wheel.writestr(record, "\n".join([*rows, f"{record},,"]))


def make_remote(folder: Path, environment: dict[str, str]) -> None:
    """Commit the sources as they are now to a repository that stands for the one on GitHub."""
    remote = folder / "remote"
    for name in SOURCES:
        shutil.copytree(ROOT / name, remote / name, ignore=LEFT_OUT)
    for name in SOURCE_FILES:
        shutil.copy(ROOT / name, remote)
    (folder / "gitconfig").write_text(
        f'[url "{remote.as_uri()}"]\n  insteadOf = https://github.com/{ADDRESS.repository}\n'
        '[protocol "file"]\n  allow = always\n[user]\n  name = test\n  email = test@localhost\n'
        f"[init]\n  defaultBranch = {ADDRESS.reference}\n[safe]\n  directory = *\n",
        encoding="utf-8",
    )
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "as it is"]):
        run(["git", *words], remote, environment)


@pytest.fixture(scope="module")
def first_run(colab) -> dict:
    """What the first cells of notebook 00 did on the untouched machine."""
    assert colab.installed() == set()
    return colab.first_cells("real", sorted((ROOT / "notebooks").glob("00_*.ipynb")))


def test_first_cells_install_the_package_and_touch_nothing_of_colab(colab, first_run):
    assert Path(first_run["package"]).is_relative_to(colab.site)
    assert first_run["installed"] == {"oldphoto", LACKING}
    assert not first_run["installed"] & COLAB_OWNS
    assert first_run["printed"].count("device ") == 2  # it ran twice


def test_first_cells_of_all_notebooks(colab, first_run):
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    result = colab.first_cells("stand-in", notebooks)
    command = f"install -q --no-deps {ADDRESS.install}"
    # All ask pip for the same, which notebook 00 has tried for real.
    assert result["asked"] == [command] * (2 * len(notebooks))
    assert result["installed"] == first_run["installed"]
