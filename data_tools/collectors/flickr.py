"""Flickr Commons: photos of libraries and museums with no known copyright restrictions."""

from typing import Any

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.base import Page, PhotoSpider, with_query
from data_tools.collectors.licences import classify, plain_text
from data_tools.collectors.payloads import first_text, mapping, mappings, whole

_PER_PAGE = 250
_LAST_RESULT = 4_000  # the service repeats itself past it
_SIZES = ("url_k", "url_h", "url_l", "url_o", "url_c")  # 2048, 1600, 1024 pixels, original, 800
# The service's numbers of the licences that are allowed. 8, a work of the United States
# government, is free of copyright in the United States only.
LICENCES = {
    "4": "https://creativecommons.org/licenses/by/2.0/",
    "7": "https://www.flickr.com/commons/usage/",
    "9": "https://creativecommons.org/publicdomain/zero/1.0/",
    "10": "https://creativecommons.org/publicdomain/mark/1.0/",
}


class FlickrSpider(PhotoSpider):
    """Photos of the institutions in Flickr Commons.

    Source:
        flickr.com/services/api/flickr.photos.search.html; 3,600 queries per hour and key.
    """

    name = "flickr"
    institution = "Flickr Commons"
    default_root = "https://api.flickr.com"
    page_delay = 1.5
    photo_delay = 1.0
    limits = "3,600 queries per hour and key"
    key_variable = "FLICKR_API_KEY"

    def page_url(self, position: str | None) -> str:
        """Return a page of the search, oldest upload first, so that pages do not shift."""
        return with_query(
            f"{self.root}/services/rest/", method="flickr.photos.search", api_key=self.key,
            text=self.query, is_commons="true", license=",".join(LICENCES), media="photos",
            extras=",".join(("license", "owner_name", "date_taken", *_SIZES)),
            sort="date-posted-asc", per_page=_PER_PAGE, page=position or "1", format="json",
            nojsoncallback=1,
        )  # fmt: skip

    def parse_page(self, payload: dict[str, Any], position: str | None) -> Page:
        """Return the photos of a page."""
        answer = mapping(payload.get("photos"))
        rows = [_row(photo) for photo in mappings(answer.get("photo")) if photo.get("id")]
        current = whole(position, 1)
        more = current < whole(answer.get("pages")) and current * _PER_PAGE < _LAST_RESULT
        return rows, str(current + 1) if more else None


def _row(photo: dict[str, Any]) -> CatalogueRow:
    licence_url = LICENCES.get(first_text(photo.get("license")), "")
    is_dated = first_text(photo.get("datetakenunknown")) != "1"
    return CatalogueRow(
        path="",
        item_id=first_text(photo["id"]),
        item_url=f"https://www.flickr.com/photos/{first_text(photo.get('owner'))}/{photo['id']}/",
        image_url=first_text(*(photo.get(size) for size in _SIZES)),
        title=plain_text(first_text(photo.get("title"))),
        creator=plain_text(first_text(photo.get("ownername"))),
        date=first_text(photo.get("datetaken")) if is_dated else "",
        licence=classify(licence_url) or "",
        licence_url=licence_url,
    )
