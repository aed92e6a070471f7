"""``python -m oldphoto course``: run, list, check, bundle and present the notebooks."""

import argparse
import ast
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from oldphoto.checks import InputError
from oldphoto.course.publishing.notebooks import CourseNotebook, all_notebooks, find_folder, select
from oldphoto.system.files import written_whole
from oldphoto.system.outputs import require_writable

if TYPE_CHECKING:
    from oldphoto.course.publishing.runner import Result

USUAL_CELL_SECONDS = 1800
"""Far more than any cell needs; without a limit, a kernel that lost a message would hang."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run_parser = actions.add_parser("run", help="execute notebooks and write a page of results")
    _add_run_arguments(run_parser)
    list_parser = actions.add_parser("list", help="show the notebooks with time and memory")
    list_parser.add_argument("--markdown", action="store_true", help="print a table for the README")
    actions.add_parser("check", help="check the notebooks without running them")
    bundle_parser = actions.add_parser("bundle", help="make a zip file for a room without internet")
    bundle_parser.add_argument("--output", type=Path, default=Path("out/bundle"), metavar="DIR")
    bundle_parser.add_argument(
        "--dependencies", action="store_true", help="also download and add the packages it needs"
    )
    actions.add_parser("equations", help="write the page of all equations and parts of the README")
    slides_parser = actions.add_parser("slides", help="make the lectures with speaker notes")
    slides_parser.add_argument("names", nargs="*", metavar="NAME", help="names or numbers")
    slides_parser.add_argument("--output", type=Path, default=Path("out/slides"), metavar="DIR")
    site_parser = actions.add_parser("site", help="make a web site that works offline")
    site_parser.add_argument("--output", type=Path, default=Path("out/site"), metavar="DIR")
    marks_parser = actions.add_parser("marks", help="total the hand-ins of a class")
    marks_parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the hand-ins")
    marks_parser.add_argument(
        "--students", type=Path, metavar="FILE", help="names of the class, one a line"
    )
    marks_parser.add_argument("--output", type=Path, default=Path("out/marks"), metavar="DIR")
    publish_parser = actions.add_parser("publish", help="point all badges at a repository")
    publish_parser.add_argument("--repo", required=True, metavar="OWNER/NAME")
    publish_parser.add_argument("--ref", metavar="TAG", default="main", help="tag, branch, commit")
    for subparser in actions.choices.values():
        subparser.add_argument(
            "--notebooks", type=Path, metavar="DIR", help="folder of the notebooks"
        )


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="names or numbers of notebooks (default: all)"
    )
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("PARAMETER", "VALUE"),
        help="set a parameter of the notebooks",
    )
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument(
        "--fast", dest="fast", action="store_const", const=True, help="short runs: FAST = True"
    )
    speed.add_argument(
        "--full", dest="fast", action="store_const", const=False, help="long runs: FAST = False"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="number of notebooks to run in parallel"
    )
    parser.add_argument("--output", type=Path, default=Path("out/course"), metavar="DIR")
    parser.add_argument(
        "--cell-timeout",
        type=float,
        metavar="SECONDS",
        help=f"longest cell; {USUAL_CELL_SECONDS} for notebooks as they are, no limit with "
        "--full or -p",
    )
    parser.add_argument(
        "--save",
        action="store_true",
        help="store the outputs in the notebooks themselves; with --full, time and memory alone",
    )


def run(args: argparse.Namespace) -> int:
    """Run the action; return 0, or 1 if a notebook failed or has a problem."""
    actions = {
        "run": run_course,
        "list": list_course,
        "check": check_course,
        "bundle": bundle,
        "slides": slides,
        "equations": equations,
        "marks": marks,
        "site": site,
        "publish": publish,
    }
    return actions[args.action](args)


def run_course(args: argparse.Namespace) -> int:
    """Execute notebooks; return 1 when one failed."""
    # Imported here: the other actions need neither papermill nor nbconvert.
    from oldphoto.course.publishing.pages import write_pages
    from oldphoto.course.publishing.runner import run_notebooks

    values = {name: parse_value(text) for name, text in args.parameters}
    if args.fast is not None:
        values["FAST"] = args.fast
    if args.save and args.parameters:
        raise InputError("--save stores runs with the notebooks' own parameters; leave out -p")
    notebooks = select(all_notebooks(args.notebooks), args.names)
    output = args.output.resolve()
    timeout = args.cell_timeout
    if timeout is None and not args.parameters and args.fast is not False:
        timeout = USUAL_CELL_SECONDS
    if args.save:
        require_writable(
            notebooks[0].path.parent, "leave out --save"
        )  # refused now rather than after the work
    results = run_notebooks(notebooks, output, values, args.jobs, timeout)
    index = write_pages(notebooks, results, output)
    for result in results:
        state = "ok" if result.ok else f"FAILED: {result.error}"
        memory = result.peak_memory / 2**20
        print(f"{result.name:32} {result.seconds:6.1f} s {memory:7.0f} MiB  {state}")
    if args.save:
        for notebook, result in zip(notebooks, results, strict=True):
            if result.ok:
                _save(notebook, output, result, full=args.fast is False)
    print(f"Open this page to see them: {index}")
    return 0 if all(result.ok for result in results) else 1


def _save(notebook: CourseNotebook, output: Path, result: "Result", full: bool) -> None:
    """Store outputs, time and memory of a run; of a full run only time and memory."""
    from oldphoto.course.publishing.clean import stored_form, with_full_run

    if full:
        stored = with_full_run(notebook.node, result.seconds, result.peak_memory)
    else:
        executed = nbformat.read(output / notebook.path.name, as_version=4)
        stored = stored_form(notebook.node, executed, result.seconds, result.peak_memory)
    with written_whole(notebook.path) as file:
        file.write((nbformat.writes(stored).rstrip("\n") + "\n").encode())


def parse_value(text: str) -> Any:
    """Parse text as a Python literal, or return it unchanged.

    A text that names an existing file or folder becomes its full path, since each notebook runs
    in a folder of its own.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        path = Path(text)
        return str(path.resolve()) if text and path.exists() else text


def list_course(args: argparse.Namespace) -> int:
    """Print the notebooks with time and memory of their stored runs, the fast and the full one."""
    notebooks = all_notebooks(args.notebooks)
    if args.markdown:
        from oldphoto.course.publishing.badges import read_address

        address = read_address(find_folder(args.notebooks).parent)
        print("| No. | Notebook | Fast run | Memory | Full run | Memory | |")
        print("|---|---|---|---|---|---|---|")
        for notebook in notebooks:
            link, badges = f"notebooks/{notebook.path.name}", address.badges(notebook.path.name)
            cells = [f"[{notebook.title}]({link})", *_needs(notebook), badges]
            print(f"| {notebook.number} | {' | '.join(cells)} |")
        return 0
    width = min(60, shutil.get_terminal_size().columns - 50)
    for notebook in notebooks:
        needs = " ".join(f"{cell:>9}" for cell in _needs(notebook))
        print(f"{notebook.number}  {notebook.title:{width}.{width}} {needs}")
    return 0


def _needs(notebook: CourseNotebook) -> list[str]:
    """Return time and memory of the fast run, and of the full one; "?" where not measured."""
    found = [
        (f"{prefix}{key}", unit)
        for prefix in ("", "full_")
        for key, unit in (("seconds", "s"), ("peak_memory_mib", "MiB"))
    ]
    return [f"{notebook.measured.get(key, '?')} {unit}" for key, unit in found]


def check_course(args: argparse.Namespace) -> int:
    """Print each problem on stderr; return 1 if there is one."""
    from oldphoto.course.publishing.rules import check_notebook

    notebooks = all_notebooks(args.notebooks)
    problems = [problem for notebook in notebooks for problem in check_notebook(notebook)]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(notebooks)} notebooks checked, {len(problems)} problems")
    return 1 if problems else 0


def bundle(args: argparse.Namespace) -> int:
    """Write the zip file for a classroom without internet; print its path."""
    from oldphoto.course.publishing.bundle import START, build_bundle
    from oldphoto.course.publishing.site import missing_tools

    if missing := missing_tools():  # said first: the wheels take minutes
        print(f"The web site is left out: {missing}", file=sys.stderr, flush=True)
    path = build_bundle(args.output, args.notebooks, args.dependencies)
    print(f"{path} ({path.stat().st_size / 2**20:.0f} MiB); unpack it and open its {START}")
    return 0


def equations(args: argparse.Namespace) -> int:
    """Write the page of all equations, and the generated parts of the README."""
    from oldphoto.course.publishing.equations import PAGE, equations_page
    from oldphoto.course.publishing.readme import fresh_readme

    notebooks = all_notebooks(args.notebooks)
    page = notebooks[0].path.parent / PAGE
    page.write_text(equations_page(notebooks), encoding="utf-8", newline="\n")
    print(f"wrote {page.name}: commit it with the notebooks")
    readme = page.parents[1] / "README.md"
    if readme.is_file() and (readme.parent / "oldphoto").is_dir():
        readme.write_text(fresh_readme(readme), encoding="utf-8", newline="\n")
        print("wrote the equations and the tree of the package into README.md")
    return 0


def slides(args: argparse.Namespace) -> int:
    """Write the lectures with the notebooks' stored pictures; print their path."""
    from oldphoto.course.publishing.slides import all_decks, select_decks, write_decks

    notebooks = all_notebooks(args.notebooks)
    decks = select_decks(all_decks(find_folder(args.notebooks)), args.names)
    print(f"Open this page in a browser: {write_decks(decks, notebooks, args.output.resolve())}")
    return 0


def site(args: argparse.Namespace) -> int:
    """Write the web site; print the path of its first page."""
    from oldphoto.course.publishing.site import write_site

    first = write_site(all_notebooks(args.notebooks), args.output.resolve())
    print(f"Open this page in a browser: {first}")
    return 0


def marks(args: argparse.Namespace) -> int:
    """Print the totals of a class and write them; return 1 if any line has a remark."""
    from oldphoto.course.exercises.hand_ins import marks_table, read_students, totals
    from oldphoto.system.outputs import OutputFolder

    students = read_students(args.students) if args.students else []
    table = marks_table(args.folder, students)
    summary = totals(table, students)
    print(summary.to_string(index=False) if len(summary) else "no hand-ins")
    with OutputFolder(args.output) as outputs:
        for name, one in (("hand_ins.csv", table), ("marks.csv", summary)):
            with outputs.writing(name, "course marks") as path:
                one.to_csv(path, index=False, errors="backslashreplace")
    print(f"wrote {args.output / 'marks.csv'} and hand_ins.csv, which has a line for each file")
    return 1 if (table.remark != "").any() else 0


def publish(args: argparse.Namespace) -> int:
    """Write the address of the repository into every badge; print the files that changed."""
    from oldphoto.course.publishing.badges import stamp

    root = find_folder(args.notebooks).parent
    changed = stamp(root, args.repo, args.ref)
    for path in changed:
        print(f"changed {path.relative_to(root)}")
    print(f"all badges point at {args.repo}, {args.ref}")
    return 0
