"""``python -m oldphoto doctor``: check that this machine is ready for a lesson."""

import argparse
from pathlib import Path

from oldphoto.system.packages import INSTALL_ALL, missing, needed_here, version_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--notebooks", type=Path, metavar="DIR", help="folder of the notebooks")


def run(args: argparse.Namespace) -> int:
    """Print one line for each finding; return 1 when there is a problem, else 0."""
    lacking = ["packaging"]  # lists the requirements of the others
    if version_of("packaging") is not None:
        needs = needed_here()
        lacking = missing(needs, {name: version_of(name) for name in needs})
    # The checks themselves need these packages.
    for name in lacking:
        print(f"problem  the package {name} is missing; remedy: {INSTALL_ALL}")
    if lacking:
        print(f"{_count(len(lacking))}; solve this, then run the doctor again for the rest")
        return 1
    from oldphoto.course.doctor.checks import examine, exit_code
    from oldphoto.course.doctor.facts import look

    findings = examine(look(args.notebooks))
    for finding in findings:
        print(finding)
    print(_count(sum(finding.state == "problem" for finding in findings)))
    return exit_code(findings)


def _count(problems: int) -> str:
    return "1 problem" if problems == 1 else f"{problems or 'no'} problems"
