"""Collect from the archive of the lesson, with the real collector and on this machine alone.

Collectors refuse every address that is not public. This command makes one exception that cannot
reach anything else: it takes a port instead of an address, and connects to 127.0.0.1.

Example, while ``demo_server.DemoArchive`` listens::

    python -m data_tools.collectors.demo 8080 --output old --limit 50
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data_tools.collectors.crawl import Summary, crawl
from data_tools.collectors.demo_server import LOOPBACK
from data_tools.collectors.sources import LocSpider
from oldphoto.checks import InputError

CONTACT = "student@example.org"


class DemoSpider(LocSpider):
    """The collector of the Library of Congress, with a name and a pace for the lesson."""

    name = "demo"
    institution = "Archive of the lesson"
    default_root = f"http://{LOOPBACK}"
    page_delay = 0.5
    photo_delay = 0.2
    limits = "none: the archive is ours"


def collect_demo(port: int, folder: Path, limit: int) -> Summary:
    """Collect from the archive that listens on a port of this machine; once in a process.

    Args:
        port: port of ``DemoArchive``.
        folder: where the photos go.
        limit: number of photos wanted.

    Raises:
        InputError: if port or limit cannot be used, or the folder cannot be written to.
    """
    if not 1 <= port <= 65535:
        raise InputError(f"a port lies within 1 and 65535, got {port}")
    if limit < 1:
        raise InputError(f"--limit must be at least 1, got {limit}")
    root = f"http://{LOOPBACK}:{port}"
    return crawl(
        DemoSpider, "old photo", limit, folder, CONTACT, root=root, allowed_addresses=[LOOPBACK]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if some photos did not come, 2 if the crawl failed."""
    parser = argparse.ArgumentParser(prog="python -m data_tools.collectors.demo")
    parser.add_argument("port", type=int, metavar="PORT", help="port of the archive")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to fill")
    parser.add_argument("--limit", type=int, default=50, help="photos wanted (default 50)")
    args = parser.parse_args(argv)
    try:
        summary = collect_demo(args.port, args.output, args.limit)
    except InputError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    print(f"{summary.num_added} new photos, {summary.num_photos} in all")
    print(f"{summary.num_requests} requests")
    for reason, count in summary.skipped.items():
        print(f"passed over: {count} ({reason})")
    for item, reason in summary.failures:
        print(f"refused: {item}: {reason}")
    if summary.problem:
        print(f"demo: {summary.problem}", file=sys.stderr)
        return 2
    return 1 if summary.failures else 0


if __name__ == "__main__":
    sys.exit(main())
