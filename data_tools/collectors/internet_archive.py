"""Internet Archive: image items whose uploader states a free licence."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.base import Page, PhotoSpider
from data_tools.collectors.licences import classify, contradicts, plain_text
from data_tools.collectors.payloads import first_text, mapping, mappings, whole

_PER_PAGE = 100
_LAST_RESULT = 10_000  # a sorted search answers nothing past it
_KINDS = ("JPEG", "PNG", "TIFF")
_MAX_BYTES = 32_000_000
_FIELDS = ("identifier", "title", "creator", "date", "licenseurl", "rights")


class InternetArchiveSpider(PhotoSpider):
    """Image items of archive.org; the largest original photo of each.

    The search tells the licence, the item's metadata tell the files. Licences are stated by the
    uploader, so an item with ``rights`` that limit its use is passed over whatever its licence.

    Source:
        archive.org/developers (advanced search, metadata); no rate is published.
    """

    name = "internet-archive"
    institution = "Internet Archive"
    default_root = "https://archive.org"
    page_delay = 1.5
    photo_delay = 1.5
    limits = "none published; 10,000 sorted results for one search"

    def page_url(self, position: str | None) -> str:
        """Return a page of the search, in an order that does not change between two runs."""
        parameters = [
            ("q", f"({self.query}) AND mediatype:image"), ("rows", _PER_PAGE),
            ("page", position or "1"), ("output", "json"), ("sort[]", "identifier asc"),
            *(("fl[]", field) for field in _FIELDS),
        ]  # fmt: skip
        return f"{self.root}/advancedsearch.php?{urlencode(parameters)}"

    def parse_page(self, payload: dict[str, Any], position: str | None) -> Page:
        """Return the items of a page; their photos are not known yet."""
        answer = mapping(payload.get("response"))
        rows = [self._row(item) for item in mappings(answer.get("docs")) if item.get("identifier")]
        current = whole(position, 1)
        more = current * _PER_PAGE < min(whole(answer.get("numFound")), _LAST_RESULT)
        return rows, str(current + 1) if more else None

    def detail_url(self, row: CatalogueRow) -> str | None:
        """Return the item's metadata, for allowed items only."""
        return f"{self.root}/metadata/{quote(row.item_id)}" if row.licence else None

    def parse_detail(self, payload: dict[str, Any], row: CatalogueRow) -> CatalogueRow:
        """Return the row with the largest original photo that is not too large."""
        photos = [
            file for file in mappings(payload.get("files"))
            if file.get("source") == "original" and file.get("format") in _KINDS
            and 0 < whole(file.get("size")) <= _MAX_BYTES and file.get("name")
        ]  # fmt: skip
        if not photos or payload.get("is_dark"):
            return replace(row, image_url="")
        name = max(photos, key=lambda file: whole(file.get("size")))["name"]
        address = f"{self.root}/download/{quote(row.item_id)}/{quote(name)}"
        return replace(row, image_url=address, licence=_licence(mapping(payload.get("metadata"))))

    def _row(self, item: dict[str, Any]) -> CatalogueRow:
        identifier = first_text(item["identifier"])
        return CatalogueRow(
            path="",
            item_id=identifier,
            item_url=f"{self.root}/details/{quote(identifier)}",
            title=plain_text(first_text(item.get("title"))),
            creator=plain_text(first_text(item.get("creator"))),
            date=first_text(item.get("date")),
            licence=_licence(item),
            licence_url=first_text(item.get("licenseurl")),
        )


def _licence(item: dict[str, Any]) -> str:
    """Return the licence that the item states by address or, without one, in words."""
    address, rights = first_text(item.get("licenseurl")), first_text(item.get("rights"))
    if rights and contradicts(rights):
        return ""
    return classify(address or rights) or ""
