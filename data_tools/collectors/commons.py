"""Wikimedia Commons: files in the public domain, CC0 or CC BY."""

import json
from typing import Any

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.base import Page, PhotoSpider, with_query
from data_tools.collectors.licences import classify, plain_text
from data_tools.collectors.payloads import first_text, mapping, mappings

_PER_PAGE = 50
_WIDTH = 960  # one of the widths that Commons keeps ready; others make its servers work
_KINDS = ("image/jpeg", "image/png", "image/tiff", "image/webp")
_FIELDS = "LicenseShortName|LicenseUrl|Artist|DateTimeOriginal|ObjectName"


class CommonsSpider(PhotoSpider):
    """Files of Commons by search, or of one category where the query begins with ``Category:``.

    robots.txt closes ``/w/`` to crawlers that follow links. The API under ``/w/api.php`` is made
    for programs and has rules of its own, which are kept: a contact in the user agent, one request
    at a time, ``maxlag``.

    Source:
        wikitech.wikimedia.org/wiki/Robot_policy ("Action API rules"), API:Etiquette.
    """

    name = "commons"
    institution = "Wikimedia Commons"
    default_root = "https://commons.wikimedia.org"
    page_delay = 1.0
    photo_delay = 1.0
    limits = "one request at a time, a contact in the user agent, maxlag; no number for such a rate"
    robots_exempt = True

    def page_url(self, position: str | None) -> str:
        """Return a page of files with their licence data."""
        if self.query.startswith("Category:"):
            files = {"generator": "categorymembers", "gcmtitle": self.query, "gcmtype": "file",
                     "gcmlimit": _PER_PAGE}  # fmt: skip
        else:
            files = {"generator": "search", "gsrsearch": f"{self.query} filetype:bitmap",
                     "gsrnamespace": 6, "gsrlimit": _PER_PAGE}  # fmt: skip
        return with_query(
            f"{self.root}/w/api.php", action="query", format="json", formatversion=2, maxlag=5,
            prop="imageinfo", iiprop="url|size|mime|extmetadata", iiurlwidth=_WIDTH,
            iiextmetadatafilter=_FIELDS, **files, **json.loads(position or "{}"),
        )  # fmt: skip

    def parse_page(self, payload: dict[str, Any], position: str | None) -> Page:
        """Return the files of a page, in the order of the search."""
        files = mappings(mapping(payload.get("query")).get("pages"))
        files = sorted(files, key=lambda file: file.get("index", 0))
        rows = [row for file in files if (row := _row(file))]
        following = mapping(payload.get("continue"))
        return rows, json.dumps(following, sort_keys=True) if following else None


def _row(file: dict[str, Any]) -> CatalogueRow | None:
    info = next(iter(mappings(file.get("imageinfo"))), None)
    if not info or not file.get("title"):
        return None
    said = {name: first_text(mapping(field).get("value"))
            for name, field in mapping(info.get("extmetadata")).items()}  # fmt: skip
    is_wide = isinstance(info.get("width"), int) and info["width"] > _WIDTH
    address = first_text(info.get("thumburl") if is_wide else None, info.get("url"))
    return CatalogueRow(
        path="",
        item_id=str(file.get("pageid", file["title"])),
        item_url=first_text(info.get("descriptionurl")),
        image_url=address if info.get("mime") in _KINDS else "",
        title=plain_text(said.get("ObjectName") or file["title"].removeprefix("File:")),
        creator=plain_text(said.get("Artist", "")),
        date=plain_text(said.get("DateTimeOriginal", "")),
        licence=classify(said.get("LicenseShortName", "")) or "",
        licence_url=said.get("LicenseUrl", ""),
    )
