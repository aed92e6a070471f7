"""The repository's address: ``[project.urls]`` of pyproject.toml, repeated in badges and links.

``Repository`` is the repository, ``Notebooks`` its folder of notebooks at the branch or tag that
readers should get. The badges of Colab and Kaggle, and the line that installs the package there,
repeat it, and so do the README, CITATION.cff, the name that the crawler gives to web sites, and the
links at the end of each notebook.
"""

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path

from oldphoto.checks import InputError, require_file
from oldphoto.course.publishing.notebooks import course_files

COLAB = "https://colab.research.google.com"
KAGGLE = "https://kaggle.com"
BADGE = re.compile(
    r"(?:colab\.research\.google\.com/github/|kaggle\.com/kernels/welcome\?src=https://github\.com/)"
    r"([^/\s]+/[^/\s]+)/blob/(\S+?)/notebooks/"
)
INSTALL = re.compile(r"git\+https://github\.com/([^/\s]+/[^@\s\"]+)@([\w./-]+)")
NOTEBOOKS = re.compile(r"https://github\.com/([\w-]+/[\w.-]+)/tree/(\S+)/notebooks")
REPOSITORY = re.compile(r"[\w-]+/[\w.-]*[\w-]")
REFERENCE = re.compile(r"\w[\w./-]*")


@dataclass(frozen=True)
class Address:
    """A repository on GitHub, ``owner/name``, at a branch or tag.

    >>> Address("ann/photos", "v1.2").install
    'git+https://github.com/ann/photos@v1.2'
    """

    repository: str
    reference: str = "main"

    def badges(self, file_name: str) -> str:
        """Return the Markdown of the badges that open a notebook in Colab and in Kaggle."""
        file = f"{self._notebooks}{file_name}"
        colab = f"[![Open In Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{file})"
        image = f"{KAGGLE}/static/images/open-in-kaggle.svg"
        page = f"{KAGGLE}/kernels/welcome?src=https://github.com/{file}"
        return f"{colab} [![Open in Kaggle]({image})]({page})"

    @property
    def home(self) -> str:
        """The page of the repository."""
        return f"https://github.com/{self.repository}"

    def reader_links(self, notebook: str) -> str:
        """Return the Markdown at the end of a notebook's page: what a reader can write to us."""
        form = f"{self.home}/issues/new?template="
        report = f"{form}notebook.yml&title=Notebook+{notebook}%3A+&where={notebook}"
        discuss = f"{form}idea.yml&title=Notebook+{notebook}%3A+"
        return f"[Report a mistake]({report}) · [Discuss this notebook]({discuss})"

    def moved(self, link: re.Match[str]) -> str:
        """Return a link of a badge, as ``BADGE`` finds it, to this address."""
        return link[0][: link.start(1) - link.start()] + self._notebooks

    @property
    def _notebooks(self) -> str:
        return f"{self.repository}/blob/{self.reference}/notebooks/"

    @property
    def install(self) -> str:
        """What pip installs on Colab and Kaggle."""
        return f"git+{self.home}@{self.reference}"


def read_address(root: Path) -> Address:
    """Read the address from ``[project.urls]`` of pyproject.toml in the folder ``root``.

    Raises:
        InputError: if the file or its ``Notebooks`` is missing.
    """
    path = require_file(root / "pyproject.toml", "the project's pyproject.toml")
    urls = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}).get("urls", {})
    found = NOTEBOOKS.fullmatch(urls.get("Notebooks", ""))
    if not found:
        raise InputError(
            f"expected https://github.com/OWNER/NAME/tree/BRANCH/notebooks as Notebooks in {path}"
        )
    return Address(*found.groups())


def address_of(root: Path) -> Address:
    """Return the address of a clone in ``root``, elsewhere that of the installed package.

    Raises:
        InputError: if neither is known.
    """
    if (root / "pyproject.toml").is_file():
        return read_address(root)
    for line in metadata("oldphoto").get_all("Project-URL", []):
        if found := NOTEBOOKS.fullmatch(line.partition(", ")[2]):
            return Address(*found.groups())
    raise InputError(f"expected pyproject.toml in {root}, or the package to be installed")


def stamp(root: Path, repository: str, reference: str = "main") -> list[Path]:
    """Write an address into pyproject.toml, the README and all notebooks.

    Args:
        root: folder of the repository.
        repository: "owner/name" on GitHub.
        reference: branch or tag.

    Returns:
        The files that changed.

    Raises:
        InputError: if the address is not one of GitHub; nothing is written then.
    """
    if not REPOSITORY.fullmatch(repository):
        raise InputError(f"--repo must look like owner/name, got {repository!r}")
    if not REFERENCE.fullmatch(reference):
        raise InputError(f"--ref must be the name of a branch or a tag, got {reference!r}")
    old, new = read_address(root), Address(repository, reference)
    folder = re.compile(re.escape(f"{old.home}/tree/{old.reference}/"))
    home = re.compile(rf"{re.escape(old.home)}(?![\w-])")
    changed = []
    for path in _files(root):
        before = path.read_text(encoding="utf-8")
        text = BADGE.sub(new.moved, INSTALL.sub(new.install, before))
        text = home.sub(new.home, folder.sub(f"{new.home}/tree/{new.reference}/", text))
        if text != before:
            path.write_text(text, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed


def differing(root: Path) -> list[str]:
    """Return a sentence for each address in the README and the notebooks that differs."""
    address = read_address(root)
    wanted = (address.repository, address.reference)
    return [
        f"{path.name} points at {found.group(0)}, but pyproject.toml says "
        f"{address.repository} at {address.reference}"
        for path in _files(root)
        for pattern in (BADGE, INSTALL)
        for found in pattern.finditer(path.read_text(encoding="utf-8"))
        if found.groups() != wanted
    ]


def _files(root: Path) -> list[Path]:
    names = "pyproject.toml", "README.md", ".github/CITATION.cff", "data_tools/collectors/crawl.py"
    single = [root / name for name in names]
    return [p for p in single if p.is_file()] + course_files(root / "notebooks")
