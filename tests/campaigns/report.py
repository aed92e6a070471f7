"""What the campaigns found: each prints it, ``--save`` keeps it, and this writes README's table.

python -m tests.campaigns.report
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from oldphoto.course.publishing.readme import write_block

RESULTS = Path(__file__).with_name("results.json")
README = Path(__file__).parents[2] / "README.md"
HELD = "held"


def campaign_parser(docstring: str, count: int) -> argparse.ArgumentParser:
    """Return a parser with the options that all campaigns have."""
    parser = argparse.ArgumentParser(description=docstring.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=count, help=f"trials (default {count})")
    parser.add_argument("--save", action="store_true", help=f"keep the counts in {RESULTS.name}")
    return parser


def finish(outcomes: Mapping[str, Counter[str]], args: argparse.Namespace) -> int:
    """Print how many trials held and what did not; return 1 if any did not.

    Args:
        outcomes: how often each outcome was found; ``HELD`` is the good one. A key is a row of the
            table, or ``ROW: DETAIL``.
    """
    for key, counts in outcomes.items():
        print(f"{key}: {counts.total()} tried, {counts[HELD]} held")
        for outcome, number in counts.items():
            if outcome != HELD:
                print(f"  {number} times: {outcome}")
    if args.save:
        kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
        for key, counts in outcomes.items():
            row, _, detail = key.partition(": ")
            kept.setdefault(row, {})[detail] = [counts.total(), counts[HELD]]
        RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 1 if any(set(counts) - {HELD} for counts in outcomes.values()) else 0


def table() -> str:
    """Return what was tried, how often, and what held, as a Markdown table."""
    lines = [
        "| [tried with hostile input](.github/SECURITY.md) | how often | held |",
        "|---|---|---|",
    ]
    for row, details in json.loads(RESULTS.read_text(encoding="utf-8")).items():
        names = ", ".join(dict.fromkeys(name.partition(",")[0] for name in details))
        tried, held = (sum(counts[place] for counts in details.values()) for place in (0, 1))
        lines.append(f"| {row}{f' ({names})' if names else ''} | {tried:,} | {held:,} |")
    return "\n".join(lines)


def main() -> int:
    """Write the table into the README."""
    page = README.read_text(encoding="utf-8")
    README.write_text(write_block(page, "campaigns", table()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
