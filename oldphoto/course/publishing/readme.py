"""The parts of the README that a command writes: the equations and the tree of the package."""

import ast
import re
from pathlib import Path

from oldphoto.checks import InputError
from oldphoto.course.publishing.equations import paper_equations

ORDER = [
    "degradations",
    "data",
    "images",
    "networks",
    "losses.py",
    "training",
    "weights",
    "inference",
    "archive",
    "metrics",
    "evaluation",
    "course",
    "cli",
    "samples",
    "system",
]


def equation_table() -> str:
    """Return the paper's equations as a Markdown table, each with the line that computes it."""
    rows = ["| no. | equation | what it is | code |", "|---|---|---|---|"]
    for one in paper_equations():
        # The backticks keep Markdown from reading the underscores and backslashes of LaTeX.
        link = f"[{one.path.removeprefix('oldphoto/')}, line {one.line}]({one.path}#L{one.line})"
        rows.append(f"| {one.number} | $`{one.latex}`$ | {one.name} | {link} |")
    return "\n".join(rows)


def package_tree(package: Path) -> str:
    """Return the tree of the package, in reading order, with the first line of each docstring.

    Raises:
        InputError: if a folder of the package has no place in the order, or no docstring.
    """
    missing = {path.parent.name for path in package.glob("*/__init__.py")} - set(ORDER)
    if missing:
        raise InputError(f"add to ORDER in {Path(__file__).name}: {', '.join(sorted(missing))}")
    lines = []
    for name in ORDER:
        path = package / name
        source = path if path.suffix else path / "__init__.py"
        summary = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8")))
        if not summary:
            raise InputError(f"{source} needs a docstring: its first line stands in the README")
        label = name if path.suffix else f"{name}/"
        lines.append(f"  {label:<14} {summary.splitlines()[0].replace('``', '')}")
    return "\n".join(["```text", f"{package.name}/", *lines, "```"])


def write_block(page: str, name: str, text: str) -> str:
    """Return a Markdown page with new text between the comments that mark one part of it.

    Raises:
        InputError: if the page has no such part.

    >>> page = "<!-- tree: begin -->\\nold\\n<!-- tree: end -->"
    >>> print(write_block(page, "tree", "new"))
    <!-- tree: begin -->
    new
    <!-- tree: end -->
    """
    part = re.compile(rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    if not part.search(page):
        raise InputError(f"the README has no part between <!-- {name}: begin --> and end")
    return part.sub(lambda found: f"{found.group(1)}{text}\n{found.group(2)}", page, count=1)


def fresh_readme(readme: Path) -> str:
    """Return the text of the README with its parts written anew from the code beside it."""
    package = readme.parent / "oldphoto"
    page = readme.read_text(encoding="utf-8")
    page = write_block(page, "equations", equation_table())
    return write_block(page, "package", package_tree(package))
