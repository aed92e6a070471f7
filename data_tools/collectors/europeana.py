"""Europeana: photos of European museums and archives with an open rights statement."""

from typing import Any

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.base import Page, PhotoSpider, with_query
from data_tools.collectors.licences import classify, plain_text
from data_tools.collectors.payloads import first_text, mappings, texts

_PER_PAGE = 100


class EuropeanaSpider(PhotoSpider):
    """Records of Europeana; the photos lie on the servers of the institutions.

    ``reusability=open`` still holds share-alike records, so each record's own rights decide.

    Source:
        Europeana Search API (cursor paging); fair use, no rate published.
    """

    name = "europeana"
    institution = "Europeana"
    default_root = "https://api.europeana.eu"
    page_delay = 1.0
    photo_delay = 2.0  # the institutions' servers are small
    limits = "fair use; no rate published"
    key_variable = "EUROPEANA_API_KEY"

    def page_url(self, position: str | None) -> str:
        """Return a page of the search; the cursor ``*`` is the first."""
        return with_query(
            f"{self.root}/record/v2/search.json", query=self.query, qf="TYPE:IMAGE",
            reusability="open", media="true", rows=_PER_PAGE, cursor=position or "*",
            wskey=self.key,
        )  # fmt: skip

    def parse_page(self, payload: dict[str, Any], position: str | None) -> Page:
        """Return the records of a page."""
        rows = [_row(item) for item in mappings(payload.get("items")) if item.get("id")]
        return rows, first_text(payload.get("nextCursor")) or None


def _row(item: dict[str, Any]) -> CatalogueRow:
    rights = first_text(item.get("rights"))
    institution = first_text(item.get("dataProvider"))
    creator = _person(item)
    return CatalogueRow(
        path="",
        item_id=first_text(item["id"]).lstrip("/"),
        item_url=f"https://www.europeana.eu/item{first_text(item['id'])}",
        image_url=first_text(item.get("edmIsShownBy")),
        title=plain_text(first_text(item.get("title"))),
        creator=creator,
        date=first_text(item.get("year")),
        licence=classify(rights) or "",
        licence_url=rights,
        credit=", ".join(part for part in (creator, institution, "via Europeana") if part),
    )


def _person(item: dict[str, Any]) -> str:
    """Return the first creator that is a name; some records give addresses of records."""
    names = item.get("dcCreator")
    people = (name for name in texts(names) if not name.startswith(("http:", "https:", "#")))
    return plain_text(next(people, ""))
