"""``python -m data_tools report``: what is in a folder of photos, and whom to thank for it."""

import argparse
import html
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, read_catalogue
from data_tools.examine import REPORT_PAGE
from oldphoto.system.files import written_whole

UNKNOWN = "not stated"
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left}"
    "td+td{text-align:right}img{max-width:100%}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with a catalogue.csv")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where the pages go (default DIR/report)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the pages and print the counts."""
    output = args.output or args.folder / "report"
    for title, counts in write_report(args.folder, output).items():
        print(title)
        for name, count in counts.items():
            print(f"  {name:40} {count:6}")
    print(f"wrote {output / REPORT_PAGE}, attribution.html and ATTRIBUTION.md")
    return 0


def write_report(folder: Path, output: Path) -> dict[str, dict[str, int]]:
    """Write ``report.html``, ``attribution.html`` and ``ATTRIBUTION.md``.

    Args:
        folder: holds the catalogue.
        output: where the pages go; contact sheets that lie there are linked.

    Returns:
        The tables of the report.
    """
    rows = read_catalogue(folder / CATALOGUE_NAME)
    kept = [row for row in rows if row.status == "kept"]
    tables = count_tables(rows)
    sheets = sorted(path.name for path in output.glob("*_[0-9][0-9].jpg"))
    _write(output / REPORT_PAGE, report_page(folder.resolve().name, tables, sheets))
    _write(output / "attribution.html", attribution_page(kept))
    _write(output / "ATTRIBUTION.md", attribution_text(kept))
    return tables


def count_tables(rows: list[CatalogueRow]) -> dict[str, dict[str, int]]:
    """Return title to table, each name to number of photos; all but the first of kept photos."""
    kept = [row for row in rows if row.status == "kept"]
    return {
        "All photos": _count(row.reason.partition(":")[0] or row.status for row in rows),
        "Colour mode": _count(row.mode for row in kept),
        "Split": _count(row.split for row in kept),
        "Short side": _count(_side_class(min(row.width, row.height)) for row in kept),
        "Source": _count(row.source for row in kept),
        "Licence": _count(row.licence for row in kept),
    }


def report_page(name: str, tables: dict[str, dict[str, int]], sheets: list[str]) -> str:
    """Return the counts and the contact sheets as one HTML page."""
    parts = [f"<h1>Photos in {html.escape(name)}</h1>"]
    parts.append('<p><a href="attribution.html">Sources and licences of each photo</a></p>')
    for title, counts in tables.items():
        cells = "".join(
            f"<tr><td>{html.escape(key)}</td><td>{count}</td></tr>" for key, count in counts.items()
        )
        parts.append(f"<h2>{html.escape(title)}</h2><table>{cells}</table>")
    for sheet in sheets:
        safe = html.escape(sheet)
        parts.append(f'<h2>{safe}</h2><a href="{safe}"><img src="{safe}" alt="{safe}"></a>')
    return _page(f"Photos in {name}", "".join(parts))


def attribution_page(rows: list[CatalogueRow]) -> str:
    """Return one entry a photo: title, creator, source, licence, as CC BY asks for."""
    entries = "".join(f"<li>{_credit_html(row)}</li>" for row in rows)
    return _page("Sources of the photos", f"<h1>Sources of the photos</h1><ul>{entries}</ul>")


def attribution_text(rows: list[CatalogueRow]) -> str:
    """Return the same as Markdown."""
    return "# Sources of the photos\n\n" + "".join(f"- {_credit_markdown(row)}\n" for row in rows)


def _credit_html(row: CatalogueRow) -> str:
    """Return the entry of one photo; nothing that a catalogue holds becomes code."""
    title = _link_html(row.title or row.path, row.item_url)
    licence = _link_html(row.licence or UNKNOWN, row.licence_url)
    creator = html.escape(row.creator or "unknown creator")
    rest = ", ".join(html.escape(text) for text in (row.date, row.source, row.credit) if text)
    return f"{title}, by {creator}{', ' + rest if rest else ''}. Licence: {licence}."


def _credit_markdown(row: CatalogueRow) -> str:
    """Return the entry of one photo in Markdown."""
    title = _link_markdown(row.title or row.path, row.item_url)
    licence = _link_markdown(row.licence or UNKNOWN, row.licence_url)
    creator = _plain(row.creator or "unknown creator")
    rest = ", ".join(_plain(text) for text in (row.date, row.source, row.credit) if text)
    return f"{title}, by {creator}{', ' + rest if rest else ''}. Licence: {licence}."


def _link_html(text: str, address: str) -> str:
    """Return text as a link, if the address is one of the web."""
    safe = html.escape(text)
    if not address.startswith(("http://", "https://")):
        return safe
    return f'<a href="{html.escape(address)}">{safe}</a>'


def _link_markdown(text: str, address: str) -> str:
    """Return text as a Markdown link, if the address is one of the web."""
    if not address.startswith(("http://", "https://")):
        return _plain(text)
    return f"[{_plain(text)}]({address.replace(' ', '%20').replace(')', '%29')})"


def _plain(text: str) -> str:
    """Return text with the characters that Markdown or HTML would act on made harmless."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in text)


def _count(names: Iterable[str]) -> dict[str, int]:
    """Return how often each name occurs, the most frequent first."""
    return dict(Counter(name or UNKNOWN for name in names).most_common())


def _side_class(side: int) -> str:
    """Return the class of a short side in pixels."""
    for limit in (256, 512, 1024, 2048):
        if side < limit:
            return f"below {limit} px"
    return "2048 px and more"


def _page(title: str, body: str) -> str:
    """Return a whole HTML page."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f"</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _write(path: Path, text: str) -> None:
    """Write text, whole or not at all."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8"))
