"""``python -m data_tools report``: count a folder's photos and write the attribution page."""

import argparse
import contextlib
import html
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, read_catalogue
from data_tools.examine import REPORT_PAGE
from oldphoto.checks import InputError
from oldphoto.data.reading import decode_photo
from oldphoto.images.files import write_photo
from oldphoto.system.files import written_whole
from oldphoto.system.outputs import OutputFolder

UNKNOWN = "not stated"
SHEET = "contact sheet"
"""What the record of the output folder says of contact sheets."""
_CELL, _LABEL = 168, 14  # side of a photo on a contact sheet and height of its caption, in pixels
_COLUMNS, _PER_SHEET = 10, 80
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left}"
    "td+td{text-align:right}img{max-width:100%}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with a catalogue.csv")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the pages (default DIR/report)"
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
        folder: folder with the catalogue.
        output: folder for the pages; contact sheets in it are shown.

    Returns:
        The tables of the report.

    Raises:
        InputError: if the output folder holds another file of these names; it stays as it is.
    """
    rows = read_catalogue(folder / CATALOGUE_NAME)
    kept = [row for row in rows if row.status == "kept"]
    tables = count_tables(rows)
    sheets = sorted(path.name for path in output.glob("*_[0-9][0-9].jpg"))
    pages = {
        REPORT_PAGE: report_page(folder.resolve().name, tables, sheets),
        "attribution.html": attribution_page(kept),
        "ATTRIBUTION.md": attribution_text(kept),
    }
    with OutputFolder(output) as outputs:
        for name, text in pages.items():
            with outputs.writing(name, source="report") as path, written_whole(path) as file:
                file.write(text.encode("utf-8", errors="replace"))
    return tables


def count_tables(rows: list[CatalogueRow]) -> dict[str, dict[str, int]]:
    """Return the tables of the report by title: number of photos by name.

    The first table counts all photos, the others count the kept ones.

    >>> count_tables([CatalogueRow("a.jpg", licence="CC0 1.0")])["Licence"]
    {'CC0 1.0': 1}
    """
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
    parts = [
        f"<h1>Photos in {html.escape(name)}</h1>",
        '<p><a href="attribution.html">Sources and licences of each photo</a></p>',
    ]
    for title, counts in tables.items():
        cells = "".join(
            f"<tr><td>{html.escape(key)}</td><td>{count}</td></tr>" for key, count in counts.items()
        )
        parts.append(f"<h2>{html.escape(title)}</h2><table>{cells}</table>")
    for sheet in map(html.escape, sheets):
        parts.append(f'<h2>{sheet}</h2><a href="{sheet}"><img src="{sheet}" alt="{sheet}"></a>')
    return _page(f"Photos in {name}", "".join(parts))


def attribution_page(rows: list[CatalogueRow]) -> str:
    """Return one entry a photo as HTML: title, creator, source and licence, as CC BY requires."""
    entries = "".join(f"<li>{_credit(row, html.escape, _link_html)}</li>" for row in rows)
    return _page("Sources of the photos", f"<h1>Sources of the photos</h1><ul>{entries}</ul>")


def attribution_text(rows: list[CatalogueRow]) -> str:
    """Return the same entries as Markdown.

    >>> row = CatalogueRow("a.jpg", title="Mill", creator="Ada", licence="CC0 1.0")
    >>> print(attribution_text([row]).splitlines()[-1])
    - Mill, by Ada. Licence: CC0 1.0.
    """
    entries = "".join(f"- {_credit(row, _plain, _link_markdown)}\n" for row in rows)
    return f"# Sources of the photos\n\n{entries}"


def _credit(
    row: CatalogueRow, escape: Callable[[str], str], link: Callable[[str, str], str]
) -> str:
    """Return the entry of one photo; escaped, so that nothing in a catalogue becomes code."""
    title = link(row.title or row.path, row.item_url)
    details = [f"by {row.creator or 'unknown creator'}", row.date, row.source, row.credit]
    text = ", ".join([title, *(escape(detail) for detail in details if detail)])
    return f"{text}. Licence: {link(row.licence or UNKNOWN, row.licence_url)}."


def _link_html(text: str, address: str) -> str:
    """Return text as a link if the address is http or https."""
    safe = html.escape(text)
    if not address.startswith(("http://", "https://")):
        return safe
    return f'<a href="{html.escape(address)}">{safe}</a>'


def _link_markdown(text: str, address: str) -> str:
    """Return text as a Markdown link if the address is http or https."""
    if not address.startswith(("http://", "https://")):
        return _plain(text)
    return f"[{_plain(text)}]({address.replace(' ', '%20').replace(')', '%29')})"


def _plain(text: str) -> str:
    """Return text with the special characters of Markdown and HTML escaped."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in text)


def _count(names: Iterable[str]) -> dict[str, int]:
    """Return how often each name occurs, most frequent first."""
    return dict(Counter(name or UNKNOWN for name in names).most_common())


def _side_class(side: int) -> str:
    """Return the class of a short side in pixels."""
    for limit in (256, 512, 1024, 2048):
        if side < limit:
            return f"below {limit} px"
    return "2048 px and more"


def write_sheets(folder: Path, name: str, photos: Sequence[tuple[Path, str]]) -> set[str]:
    """Write contact sheets for visual inspection, ``NAME_01.jpg`` and so on.

    Args:
        folder: folder for the sheets.
        name: start of their file names.
        photos: file and caption of each photo.

    Returns:
        The names of the sheets; a name that a file of the user has gets a number.
    """
    names = set()
    with OutputFolder(folder) as outputs:
        for number, start in enumerate(range(0, len(photos), _PER_SHEET), start=1):
            sheet = draw_sheet(photos[start : start + _PER_SHEET])
            free = outputs.free_name(f"{name}_{number:02}.jpg", SHEET)
            with outputs.writing(free, SHEET) as path:
                write_photo(path, sheet)
            names.add(free)
    return names


def remove_sheets(folder: Path, kept: Set[str]) -> None:
    """Remove the contact sheets of an earlier report but for the kept names."""
    with OutputFolder(folder) as outputs:
        for name in set(outputs.names_from(SHEET)) - kept:
            outputs.remove(name, SHEET)


def draw_sheet(photos: Sequence[tuple[Path, str]]) -> np.ndarray:
    """Return one sheet, uint8 (H, W, 3); a photo that cannot be read leaves an empty cell."""
    rows = -(-len(photos) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _CELL, rows * (_CELL + _LABEL)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (path, caption) in enumerate(photos):
        left, top = index % _COLUMNS * _CELL, index // _COLUMNS * (_CELL + _LABEL)
        draw.rectangle([left, top, left + _CELL - 1, top + _CELL + _LABEL - 1], outline="lightgrey")
        with contextlib.suppress(InputError):
            small = Image.fromarray(decode_photo(path, _CELL))
            small.thumbnail((_CELL - 4, _CELL - 4))
            sheet.paste(small, (left + 2, top + 2))
        draw.text((left + 3, top + _CELL), caption[-26:], fill="black")
    return np.asarray(sheet)


def _page(title: str, body: str) -> str:
    """Return a whole HTML page."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f"</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )
