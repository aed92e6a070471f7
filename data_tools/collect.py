"""``python -m data_tools collect``: download free photos from a public archive.

Example::

    python -m data_tools collect loc --query "portrait" --limit 200 --output old --contact me@my.org

After a stop, the same command goes on where it was. Photos are requested one at a time and at least
a second apart, out of politeness: 1,000 of them take 17 minutes or more.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from data_tools.collectors import SOURCE_NAMES
from oldphoto.checks import InputError, require_in

if TYPE_CHECKING:
    from data_tools.collectors.crawl import Summary
    from data_tools.collectors.spider import PhotoSpider

# A mail or web address, plain ASCII without spaces: it becomes part of an HTTP header.
_CONTACT = re.compile(r"[!-'*-~]+@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+|https?://[!-'*-~]+\.[!-'*-~]+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("source", metavar="SOURCE", help=f"one of {', '.join(SOURCE_NAMES)}")
    parser.add_argument("--query", required=True, help="search, in the archive's own syntax")
    parser.add_argument(
        "--limit", type=int, default=100,
        help="photos of this query wanted, including those already in the folder (default 100)",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to fill")
    parser.add_argument(
        "--contact", default="", metavar="MAIL",
        help="your mail or web address, so that an archive can reach you",
    )  # fmt: skip
    parser.add_argument(
        "--key", default="",
        help="your API key for smithsonian, europeana or flickr; other users of the machine cannot "
        "see it in SMITHSONIAN_API_KEY, EUROPEANA_API_KEY or FLICKR_API_KEY",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Collect photos and print a summary.

    Returns:
        0, or 1 if some photos did not come; each is named on stderr.

    Raises:
        InputError: if an argument cannot be used, or the crawl ended early.
    """
    require_in(args.source, SOURCE_NAMES, "SOURCE")
    _require_arguments(args)
    try:
        from data_tools.collectors.crawl import crawl
        from data_tools.collectors.sources import SPIDERS
    except ImportError as error:
        raise InputError(
            f"collecting needs Scrapy 2.19 or newer ({error}): pip install 'scrapy>=2.19'"
        ) from error
    spider = SPIDERS[args.source]
    summary = crawl(
        spider, args.query.strip(), args.limit, args.output, args.contact, key_of(spider, args.key)
    )
    _report(summary, args.output)
    if summary.problem:
        raise InputError(summary.problem)
    return 1 if summary.failures else 0


def key_of(spider: "type[PhotoSpider]", given: str) -> str:
    """Return the user's API key for the archive, or an empty text if none is needed.

    Raises:
        InputError: if the archive requires a key and none was given.
    """
    if not spider.key_variable:
        return ""
    key = (given or os.environ.get(spider.key_variable, "")).strip()
    if not key:
        raise InputError(
            f"{spider.institution} gives photos to holders of a key only: set "
            f"{spider.key_variable}, or pass --key"
        )
    return key


def _require_arguments(args: argparse.Namespace) -> None:
    """Raise InputError naming the first argument that cannot be used."""
    if not args.query.strip():
        raise InputError("--query is empty: give a search, for example --query portrait")
    if args.limit < 1:
        raise InputError(f"--limit must be at least 1, got {args.limit}")
    if not args.contact:
        raise InputError(
            "--contact is missing: give your mail or web address, so that an archive can reach you"
        )
    if not _CONTACT.fullmatch(args.contact):
        raise InputError(
            f"--contact must be a mail or web address like me@my.org, got {args.contact!r}"
        )
    if args.output.exists() and not args.output.is_dir():
        raise InputError(f"--output must be a folder, but {args.output} is a file")


def _report(summary: "Summary", folder: Path) -> None:
    """Print the number of photos, and what was skipped or failed and why."""
    print(
        f"{summary.num_photos} photos of this query in {folder}, {summary.num_added} of them new, "
        f"with {summary.num_requests} requests"
    )
    for reason, count in summary.skipped.items():
        print(f"passed over: {count} items ({reason})")
    for item, reason in summary.failures:
        print(f"{item}: {reason}", file=sys.stderr)
