"""The course as a web site: pages that need neither network nor kernel, with a search.

Sphinx with myst-nb and the theme Furo (``pip install oldphoto[site]``) makes them from the stored
outputs of the notebooks, the pages beside these, and the docstrings of the package. Formulas become
MathML, which browsers draw themselves. Of a widget the site shows the static twin.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat

from oldphoto.checks import InputError
from oldphoto.course.publishing.badges import Address, address_of
from oldphoto.course.publishing.clean import replace_widgets
from oldphoto.course.publishing.notebooks import CourseNotebook, course_pages
from oldphoto.course.publishing.pages import BADGE
from oldphoto.course.publishing.slides import all_decks, write_decks
from oldphoto.system.outputs import OutputFolder
from oldphoto.system.pages import fill_template

NEEDED = ("sphinx", "myst_nb", "furo")
SOURCE = "course site"  # of the files in the record of the output folder
TEMPLATES = Path(__file__).parent / "site_source"
PACKAGE = Path(__file__).resolve().parents[2]
NOT_IN_THE_REFERENCE = ("cli", "course", "data", "evaluation", "samples", "system")
FOR_LECTURERS = "EXAM"  # its answers are no page for students
LINK_OUTSIDE = re.compile(rf"\]\((?:\.\./([^)]+)|({FOR_LECTURERS}\.md))\)")


def write_site(notebooks: list[CourseNotebook], output: Path) -> Path:
    """Write the site.

    Args:
        notebooks: all notebooks of the course, with their stored outputs.
        output: folder for the site; files in it that are not this command's are left alone.

    Returns:
        The path of the first page.

    Raises:
        InputError: if a tool is missing or fails, or a page would replace a file of the user.
    """
    if missing := missing_tools():
        raise InputError(missing)
    folder = notebooks[0].path.parent
    with (
        OutputFolder(output) as outputs,  # refused now rather than after the work
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
    ):
        source, built = Path(scratch) / "source", Path(scratch) / "built"
        _write_source(notebooks, folder, source)
        command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(source), str(built)]
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
        )
        if done.returncode:
            said = " ".join(done.stderr.strip().splitlines()[-3:])
            raise InputError(f"Sphinx could not make the site: {said}")
        write_decks(all_decks(folder), notebooks, built / "lectures")
        for path in _files(built):
            with outputs.writing(path.relative_to(built).as_posix(), SOURCE) as new:
                shutil.copyfile(path, new)
    return output / "index.html"


def missing_tools() -> str:
    """Return a sentence about the packages that the site needs and that are missing, or ""."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return f'the web site needs {", ".join(missing)}: python -m pip install "oldphoto[site]"'


def _files(built: Path) -> Iterator[Path]:
    """Yield the files of the site, without what only Sphinx reads again."""
    for path in sorted(built.rglob("*")):
        names = path.relative_to(built).parts
        if path.is_file() and names[0] not in (".doctrees", ".buildinfo", "objects.inv"):
            yield path


def _write_source(notebooks: list[CourseNotebook], folder: Path, source: Path) -> None:
    """Write what Sphinx reads: notebooks, pages, the reference and the settings."""
    address = address_of(folder.parent)
    source.mkdir()
    if (folder / "images").is_dir():
        shutil.copytree(folder / "images", source / "images")
    for notebook in notebooks:
        nbformat.write(_page(notebook, address), source / notebook.path.name)
    pages = [path.stem for path in course_pages(folder) if path.stem != FOR_LECTURERS]
    for name in pages:
        text = (folder / f"{name}.md").read_text(encoding="utf-8")
        (source / f"{name}.md").write_text(outward(text, address), encoding="utf-8")
    modules = list(_reference(source / "reference"))
    for template, target in (("index.md.j2", "index.md"), ("conf.py.j2", "conf.py")):
        text = fill_template(
            TEMPLATES / template, notebooks=notebooks, pages=pages, modules=modules, address=address
        )
        (source / target).write_text(text, encoding="utf-8")
    shutil.copytree(TEMPLATES / "static", source / "static")


def _page(notebook: CourseNotebook, address: Address) -> nbformat.NotebookNode:
    """Return a notebook as the site shows it."""
    node = nbformat.from_dict(notebook.node)
    replace_widgets(node)
    for cell in node.cells:
        if cell.cell_type == "markdown":
            cell.source = outward(BADGE.sub(r"[\1](\2)", cell.source), address)
    return node


def outward(text: str, address: Address) -> str:
    """Return a text whose links to files outside of the site lead to the repository."""
    place = f"{address.home}/blob/{address.reference}"
    return LINK_OUTSIDE.sub(lambda link: f"]({place}/{link[1] or f'notebooks/{link[2]}'})", text)


def _reference(folder: Path) -> Iterator[str]:
    """Write a page for each part of the package; yield their names."""
    folder.mkdir()
    parts = [path for path in sorted(PACKAGE.iterdir()) if path.name not in NOT_IN_THE_REFERENCE]
    for part in parts:
        files = [part] if part.suffix == ".py" else sorted(part.rglob("*.py"))
        modules = [
            ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
            for path in files
            if not path.name.startswith("_")
        ]
        if modules:
            text = fill_template(TEMPLATES / "module.md.j2", name=part.stem, modules=modules)
            (folder / f"{part.stem}.md").write_text(text, encoding="utf-8")
            yield part.stem
