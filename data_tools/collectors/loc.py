"""Library of Congress: photographs with "no known restrictions" or in the public domain."""

import re
from dataclasses import replace
from typing import Any

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.base import Page, PhotoSpider, with_query
from data_tools.collectors.licences import classify_all, plain_text
from data_tools.collectors.payloads import first_text, mapping, mappings, texts, whole

_PER_PAGE = 50
_LAST_RESULT = 100_000  # the service answers nothing past it


class LocSpider(PhotoSpider):
    """Photos of loc.gov, by the JSON form of its search pages.

    The rights stand in ``item.rights_information`` and ``item.rights_advisory``; where a page of
    results leaves them out, the item's own page is asked.

    Source:
        loc.gov/apis/json-and-yaml, "working within limits".
    """

    name = "loc"
    institution = "Library of Congress"
    default_root = "https://www.loc.gov"
    page_delay = 4.0
    photo_delay = 1.0
    limits = (
        "pages 20 per 10 s and 80 per min, items 10 per 10 s, by others' reports 20 JSON answers "
        "per min and 150 images per min"
    )

    def page_url(self, position: str | None) -> str:
        """Return a page of the photo search with results and paging alone."""
        return with_query(
            f"{self.root}/photos/", q=self.query, fa="online-format:image", c=_PER_PAGE,
            sp=position or "1", fo="json", at="results,pagination",
        )  # fmt: skip

    def parse_page(self, payload: dict[str, Any], position: str | None) -> Page:
        """Return the items of a page of results; collections and web pages are left out."""
        rows = [row for result in mappings(payload.get("results")) if (row := self._row(result))]
        paging = mapping(payload.get("pagination"))
        current = whole(position, 1)
        more = paging.get("next") and (current + 1) * _PER_PAGE <= _LAST_RESULT
        return rows, str(current + 1) if more else None

    def detail_url(self, row: CatalogueRow) -> str | None:
        """Return the item's own page where the rights are not known."""
        return None if row.licence or row.reason else f"{row.item_url}?fo=json&at=item,resources"

    def parse_detail(self, payload: dict[str, Any], row: CatalogueRow) -> CatalogueRow:
        """Return the row with the licence of the item's own page."""
        return replace(row, licence=classify_all(_rights(mapping(payload.get("item")))) or "")

    def _row(self, result: dict[str, Any]) -> CatalogueRow | None:
        found = re.search(r"/item/([^/?#]+)", first_text(result.get("url"), result.get("id")))
        if not found:
            return None
        item = mapping(result.get("item"))
        rights = _rights(item)
        return CatalogueRow(
            path="",
            item_id=found[1],
            item_url=f"{self.root}/item/{found[1]}/",
            image_url="" if result.get("access_restricted") else largest(result.get("image_url")),
            title=plain_text(first_text(result.get("title"), item.get("title"))),
            creator=first_text(item.get("contributors"), result.get("contributor")),
            date=first_text(result.get("date"), item.get("date")),
            licence=classify_all(rights) or "",
            # Rights that were read and not allowed: the item's own page would say the same.
            reason="licence not allowed" if rights and not classify_all(rights) else "",
        )


def largest(addresses: Any) -> str:
    """Return the widest JPEG or PNG of ``image_url``; the sizes stand behind ``#``."""
    photos = [
        address for address in texts(addresses) if re.search(r"\.(jpe?g|png)(\?|#|$)", address)
    ]
    if not photos:
        return ""
    best = max(photos, key=_width).split("#")[0]
    return f"https:{best}" if best.startswith("//") else best


def _width(address: str) -> int:
    found = re.search(r"#.*\bw=(\d+)", address)
    return int(found[1]) if found else 0


def _rights(item: dict[str, Any]) -> list[str]:
    """Return what the item says about its rights; each statement must allow the use."""
    return [*texts(item.get("rights_information")), *texts(item.get("rights_advisory"))]
