"""The address of the repository, which stands in one place and is stamped everywhere else.

The place is ``[project.urls]`` of pyproject.toml: ``Repository`` is the repository, ``Notebooks``
its folder of notebooks at the branch or tag that readers should get. The Colab badges of the
notebooks and of the README, and the line that installs the package on Colab, repeat it.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from oldphoto.checks import InputError, require_file

BADGE_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
COLAB = re.compile(r"colab\.research\.google\.com/github/([^/\s]+/[^/\s]+)/blob/(\S+?)/notebooks/")
INSTALL = re.compile(r"git\+https://github\.com/([^/\s]+/[^@\s\"]+)@([\w./-]+)")
GITHUB = re.compile(r"https://github\.com/([\w-]+/[\w.-]+)")
REPOSITORY = re.compile(r"[\w-]+/[\w.-]*[\w-]")
REFERENCE = re.compile(r"\w[\w./-]*")


@dataclass(frozen=True)
class Address:
    """A repository on GitHub, ``owner/name``, at a branch or tag."""

    repository: str
    reference: str = "main"

    def badge(self, file_name: str) -> str:
        """Return the Markdown of the badge that opens a notebook in Colab."""
        link = f"https://{self.colab}{file_name}"
        return f"[![Open In Colab]({BADGE_IMAGE})]({link})"

    @property
    def colab(self) -> str:
        """Where Colab opens the notebooks, without the file name."""
        return (
            f"colab.research.google.com/github/{self.repository}/blob/{self.reference}/notebooks/"
        )

    @property
    def install(self) -> str:
        """What pip installs on Colab."""
        return f"git+https://github.com/{self.repository}@{self.reference}"

    @property
    def urls(self) -> dict[str, str]:
        """The entries of ``[project.urls]``."""
        home = f"https://github.com/{self.repository}"
        return {"Repository": home, "Notebooks": f"{home}/tree/{self.reference}/notebooks"}


def read_address(root: Path) -> Address:
    """Read the one place: ``[project.urls]`` of pyproject.toml in the folder ``root``.

    Raises:
        InputError: if the file or its ``Repository`` is missing.
    """
    path = require_file(root / "pyproject.toml", "the project's pyproject.toml")
    urls = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}).get("urls", {})
    repository = GITHUB.match(urls.get("Repository", ""))
    if not repository:
        raise InputError(f"expected https://github.com/OWNER/NAME as Repository in {path}")
    reference = re.search(r"/tree/(\S+)/notebooks$", urls.get("Notebooks", ""))
    return Address(repository.group(1), reference.group(1) if reference else "main")


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
    changed = []
    for path in _files(root):
        text = path.read_text(encoding="utf-8")
        stamped = _set_urls(text, new) if path.name == "pyproject.toml" else _set(text, old, new)
        if stamped != text:
            path.write_text(stamped, encoding="utf-8", newline="\n")
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
        if path.name != "pyproject.toml"
        for pattern in (COLAB, INSTALL)
        for found in pattern.finditer(path.read_text(encoding="utf-8"))
        if found.groups() != wanted
    ]


def _files(root: Path) -> list[Path]:
    single = [root / "pyproject.toml", root / "README.md"]
    return [p for p in single if p.is_file()] + sorted((root / "notebooks").glob("*.ipynb"))


def _set(text: str, old: Address, new: Address) -> str:
    """Replace the addresses in a page or a notebook; its other text stays as it is."""
    text = COLAB.sub(new.colab, text)
    text = INSTALL.sub(new.install, text)
    home = re.compile(rf"https://github\.com/{re.escape(old.repository)}(?![\w-])")
    return home.sub(f"https://github.com/{new.repository}", text)


def _set_urls(text: str, new: Address) -> str:
    """Replace the entries of ``[project.urls]``, adding those that are not there."""
    head, table, rest = text.partition("[project.urls]\n")
    for name, url in reversed(new.urls.items()):
        line = f'{name} = "{url}"\n'
        entries, following = (rest.split("\n[", 1) + [""])[:2]
        pattern = re.compile(rf"^{name} = .*\n?", re.MULTILINE)
        if pattern.search(entries):
            entries = pattern.sub(line, entries + "\n")[:-1]
        else:
            entries = line + entries
        rest = f"{entries}\n[{following}" if following else entries
    return head + table + rest
