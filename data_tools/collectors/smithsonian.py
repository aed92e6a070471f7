"""Smithsonian Open Access: photos given away under CC0."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.base import Page, PhotoSpider, with_query
from data_tools.collectors.licences import classify, plain_text
from data_tools.collectors.payloads import first_text, mapping, mappings, whole

_PER_PAGE = 100
_LONGEST_SIDE = 1280  # pixels asked for; the originals are up to 100 MB


class SmithsonianSpider(PhotoSpider):
    """Objects of the Smithsonian museums with a CC0 photo; the first photo of each.

    Source:
        edan.si.edu/openaccess/apidocs; the limits are those of api.data.gov.
    """

    name = "smithsonian"
    institution = "Smithsonian Institution"
    default_root = "https://api.si.edu"
    page_delay = 4.0
    photo_delay = 1.0
    limits = "1,000 requests per hour with a key of one's own, 30 per hour with DEMO_KEY"
    key_variable = "SMITHSONIAN_API_KEY"

    @classmethod
    def delay_for(cls, key: str) -> float:
        """Return more patience for the key that everybody shares."""
        return 125.0 if key == "DEMO_KEY" else cls.page_delay

    def page_url(self, position: str | None) -> str:
        """Return a page of the search among CC0 photos."""
        return with_query(
            f"{self.root}/openaccess/api/v1.0/search",
            q=f'({self.query}) AND online_media_type:"Images" AND media_usage:"CC0"',
            start=position or "0", rows=_PER_PAGE, api_key=self.key,
        )  # fmt: skip

    def parse_page(self, payload: dict[str, Any], position: str | None) -> Page:
        """Return the objects of a page."""
        answer = mapping(payload.get("response"))
        found = list(mappings(answer.get("rows")))
        rows = [_row(item) for item in found if item.get("id")]
        following = whole(position) + _PER_PAGE
        return rows, str(following) if found and following < whole(answer.get("rowCount")) else None


def _row(item: dict[str, Any]) -> CatalogueRow:
    content = mapping(item.get("content"))
    described = mapping(content.get("descriptiveNonRepeating"))
    free = mapping(content.get("freetext"))
    photo = _free_photo(described)
    return CatalogueRow(
        path="",
        item_id=first_text(described.get("record_ID"), item["id"]),
        item_url=first_text(described.get("record_link"), described.get("guid")),
        image_url=_address(first_text(photo.get("content"))),
        title=plain_text(first_text(item.get("title"))),
        creator=first_text(*(name.get("content") for name in mappings(free.get("name")))),
        date=first_text(*(date.get("content") for date in mappings(free.get("date")))),
        licence=classify(first_text(mapping(photo.get("usage")).get("access"))) or "",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/" if photo else "",
        credit=first_text(described.get("data_source")),
    )


def _free_photo(described: dict[str, Any]) -> dict[str, Any]:
    """Return the first photo of the object that is CC0, or an empty one."""
    media = mappings(mapping(described.get("online_media")).get("media"))
    for photo in media:
        usage = first_text(mapping(photo.get("usage")).get("access"))
        if photo.get("type") == "Images" and classify(usage):
            return photo
    return {}


def _address(address: str) -> str:
    """Ask the delivery service for a screen-sized JPEG; other addresses stay as they are."""
    parts = urlsplit(address)
    if not parts.path.endswith("/deliveryService") or "max" in parse_qs(parts.query):
        return address
    return f"{address}&max={_LONGEST_SIDE}"
