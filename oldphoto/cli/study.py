"""``oldphoto study``: merge the answers of a class, and print the table."""

import argparse
from pathlib import Path

from oldphoto.checks import InputError
from oldphoto.course.study.store import Merged, merge, write_csv
from oldphoto.course.study.table import agreement, paper_table, top_table
from oldphoto.system.outputs import photo_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions ``merge`` and ``table`` and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    merger = actions.add_parser("merge", help="merge several files of answers into one CSV file")
    named = "; a name that another file has gets a number"
    merger.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help=f"CSV file to write{named}"
    )
    table = actions.add_parser("table", help="print the table Top 1 to Top 5 and the agreement")
    table.add_argument("--output", type=Path, metavar="FILE", help=f"also write it as CSV{named}")
    table.add_argument(
        "--confidence",
        type=float,
        default=0.95,
        help="confidence level of the intervals (default: 0.95)",
    )
    table.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: 0)")
    table.add_argument("--paper", action="store_true", help="also print the paper's own table")
    for one in (merger, table):
        one.add_argument(
            "files",
            nargs="+",
            type=Path,
            metavar="ANSWERS",
            help="one or several files, SQLite or CSV",
        )


def run(args: argparse.Namespace) -> int:
    """Run the action; return 0."""
    {"merge": merge_answers, "table": print_table}[args.action](args)
    return 0


def merge_answers(args: argparse.Namespace) -> None:
    """Write all answers, each once, into one CSV file."""
    if args.output.suffix.lower() != ".csv":
        raise InputError(f"expected a name that ends with .csv for --output, got {args.output}")
    merged = merge(args.files)
    written = write_csv(args.output, merged.rankings, merged.methods)
    print(f"{_counts(merged)}, files: {len(args.files)}; written to {written}")


def print_table(args: argparse.Namespace) -> None:
    """Print the table in the paper's form, the same with intervals, and the agreement."""
    merged = merge(args.files)
    table = top_table(merged.rankings, confidence=args.confidence, seed=args.seed)
    print(f"User study, percent of selections ({_counts(merged)})\n")
    print(table.markdown())
    print(f"\nWith {100 * args.confidence:g} % intervals (bootstrap over raters):\n")
    print(table.markdown(intervals=True))
    print(f"\n{agreement(merged.rankings).words()}")
    if args.paper:
        print("\nThe paper's own table (other photos, other people; 22 users):\n")
        print(paper_table().markdown())
    if args.output is not None:
        with photo_folder(args.output.parent) as outputs:
            written = outputs.write_text(args.output.name, table.as_csv(), source="study table")
        print(f"\nwritten to {written}")


def _counts(merged: Merged) -> str:
    text = f"{len(merged.rankings)} rankings, raters: {merged.num_raters}"
    return text + (
        f", duplicates left out: {merged.num_duplicates}" if merged.num_duplicates else ""
    )
