"""The archives: for each, where to ask, how fast, and where its answers hold what we need.

``fields`` maps columns of the catalogue to JMESPath expressions (jmespath.org) that are evaluated
on one item of the results. What an expression cannot say is written in ``read_item``.
"""

import re
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, quote_plus, urlencode, urlsplit

import jmespath

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.answers import first_text, texts, whole
from data_tools.collectors.licences import classify, contradicts, plain_text
from data_tools.collectors.spider import PhotoSpider


class LocSpider(PhotoSpider):
    """Library of Congress: photos with "no known restrictions" or in the public domain.

    Results may leave out the rights; they are then read from the item's own page.
    Source: loc.gov/apis/json-and-yaml, "working within limits".
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
    search = (
        "/photos/?q={query}&fa=online-format:image&c=50&sp={position}&fo=json&at=results,pagination"
    )
    last_page = 2_000  # the service answers nothing past 100,000 results
    results = "results[]"
    fields: ClassVar = {
        "title": "[title, item.title]",
        "creator": "[item.contributors, contributor]",
        "date": "[date, item.date]",
        "licence": "item.[rights_information, rights_advisory]",
    }

    def has_more(self, payload: dict[str, Any], page: int) -> bool:
        return bool(jmespath.search("pagination.next", payload))

    def read_item(self, item: dict[str, Any]) -> CatalogueRow:
        """Return the row of an item; collections and web pages get no ``item_id``."""
        row = super().read_item(item)
        found = re.search(r"/item/([^/?#]+)", first_text(item.get("url"), item.get("id")))
        if not found:
            return row
        has_rights = bool(texts(jmespath.search(self.fields["licence"], item)))
        return replace(
            row,
            item_id=found[1],
            item_url=f"{self.root}/item/{found[1]}/",
            image_url="" if item.get("access_restricted") else largest(item.get("image_url")),
            # The item's own page would only repeat rights that are not allowed.
            reason="licence not allowed" if has_rights and not row.licence else "",
        )

    def detail_url(self, row: CatalogueRow) -> str | None:
        return None if row.licence or row.reason else f"{row.item_url}?fo=json&at=item,resources"

    def read_detail(self, payload: dict[str, Any], row: CatalogueRow) -> CatalogueRow:
        return replace(row, licence=super().read_item(payload).licence)


class CommonsSpider(PhotoSpider):
    """Wikimedia Commons: a search, or one category if the query begins with ``Category:``.

    robots.txt closes ``/w/`` to crawlers that follow links. The API at ``/w/api.php`` is made for
    programs and has its own rules, which we keep: a contact in the user agent, one request at a
    time, ``maxlag``.
    Source: wikitech.wikimedia.org/wiki/Robot_policy ("Action API rules"), API:Etiquette.
    """

    name = "commons"
    institution = "Wikimedia Commons"
    default_root = "https://commons.wikimedia.org"
    page_delay = 1.0
    photo_delay = 1.0
    limits = "one request at a time, a contact in the user agent, maxlag; no number for such a rate"
    robots_exempt = True
    search = (
        "/w/api.php?action=query&format=json&formatversion=2&maxlag=5&prop=imageinfo"
        "&iiprop=url|size|mime|extmetadata&iiurlwidth=960"
        "&iiextmetadatafilter=LicenseShortName|LicenseUrl|Artist|DateTimeOriginal|ObjectName"
    )
    width = 960  # pixels; Commons keeps this width ready, others would have to be computed
    results = "query.pages[?title && imageinfo]"
    fields: ClassVar = {
        "item_id": "[pageid, title]",
        "item_url": "imageinfo[0].descriptionurl",
        "title": "[imageinfo[0].extmetadata.ObjectName.value, title]",
        "creator": "imageinfo[0].extmetadata.Artist.value",
        "date": "imageinfo[0].extmetadata.DateTimeOriginal.value",
        "licence": "imageinfo[0].extmetadata.LicenseShortName.value",
        "licence_url": "imageinfo[0].extmetadata.LicenseUrl.value",
    }

    def page_url(self, position: str | None) -> str:
        if self.query.startswith("Category:"):
            words = quote_plus(self.query)
            files = f"&generator=categorymembers&gcmtype=file&gcmlimit=50&gcmtitle={words}"
        else:
            words = quote_plus(f"{self.query} filetype:bitmap")
            files = f"&generator=search&gsrnamespace=6&gsrlimit=50&gsrsearch={words}"
        return self.root + self.search + files + (f"&{position}" if position else "")

    def next_position(self, payload: dict[str, Any], position: str | None) -> str | None:
        """Return the parameters that continue the query."""
        return urlencode(payload.get("continue") or {}) or None

    def find_items(self, payload: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the files in the order of the search."""
        return sorted(super().find_items(payload), key=lambda file: file.get("index", 0))

    def read_item(self, item: dict[str, Any]) -> CatalogueRow:
        """Return the row of a file; its photo is reduced to ``width``, never enlarged."""
        row = super().read_item(item)
        info = item["imageinfo"][0]
        reduced = info.get("thumburl") if whole(info.get("width")) > self.width else None
        is_photo = info.get("mime") in ("image/jpeg", "image/png", "image/tiff", "image/webp")
        return replace(
            row,
            title=row.title.removeprefix("File:"),
            image_url=first_text(reduced, info.get("url")) if is_photo else "",
        )


class InternetArchiveSpider(PhotoSpider):
    """Internet Archive: image items with a free licence; the largest original photo of each.

    The search gives the licence, the item's metadata the files. The uploader states the licence,
    so an item whose ``rights`` limit its use is refused whatever its licence.
    Source: archive.org/developers (advanced search, metadata); no rate is published.
    """

    name = "internet-archive"
    institution = "Internet Archive"
    default_root = "https://archive.org"
    page_delay = 1.5
    photo_delay = 1.5
    limits = "none published; 10,000 sorted results for one search"
    search = (
        "/advancedsearch.php?q=({query})+AND+mediatype:image&rows=100&page={position}&output=json"
        "&sort[]=identifier+asc&fl[]=identifier&fl[]=title&fl[]=creator&fl[]=date"
        "&fl[]=licenseurl&fl[]=rights"
    )
    last_page = 100  # a sorted search answers nothing past 10,000 results
    max_bytes = 32_000_000
    results = "response.docs[]"
    fields: ClassVar = {
        "item_id": "identifier",
        "title": "title",
        "creator": "creator",
        "date": "date",
        "licence_url": "licenseurl",
    }

    def has_more(self, payload: dict[str, Any], page: int) -> bool:
        return page * 100 < whole(jmespath.search("response.numFound", payload))

    def read_item(self, item: dict[str, Any]) -> CatalogueRow:
        """Return the row of an item; its photo is not known yet."""
        row = super().read_item(item)
        address = f"{self.root}/details/{quote(row.item_id)}"
        return replace(row, item_url=address, licence=self._licence(item))

    def detail_url(self, row: CatalogueRow) -> str | None:
        return f"{self.root}/metadata/{quote(row.item_id)}" if row.licence else None

    def read_detail(self, payload: dict[str, Any], row: CatalogueRow) -> CatalogueRow:
        """Return the row with the largest original photo of at most ``max_bytes``."""
        sizes = {
            file["name"]: whole(file.get("size"))
            for file in jmespath.search("files[?source == 'original' && name]", payload) or []
            if file.get("format") in ("JPEG", "PNG", "TIFF")
        }
        photos = [name for name, size in sizes.items() if 0 < size <= self.max_bytes]
        if not photos or payload.get("is_dark"):
            return replace(row, image_url="")
        name = max(photos, key=sizes.__getitem__)
        address = f"{self.root}/download/{quote(row.item_id)}/{quote(name)}"
        return replace(row, image_url=address, licence=self._licence(payload.get("metadata")))

    def _licence(self, item: Any) -> str:
        """Return the licence that the item states by address or, without one, in words."""
        address, rights = (first_text(jmespath.search(n, item)) for n in ("licenseurl", "rights"))
        return "" if contradicts(rights) else classify(address or rights) or ""


class SmithsonianSpider(PhotoSpider):
    """Smithsonian Open Access: objects of the museums; the first CC0 photo of each.

    Source: edan.si.edu/openaccess/apidocs; the limits are those of api.data.gov.
    """

    name = "smithsonian"
    institution = "Smithsonian Institution"
    default_root = "https://api.si.edu"
    page_delay = 4.0
    photo_delay = 1.0
    limits = "1,000 requests per hour with a key of one's own, 30 per hour with DEMO_KEY"
    key_variable = "SMITHSONIAN_API_KEY"
    search = (
        "/openaccess/api/v1.0/search?q=({query})+AND+online_media_type:%22Images%22"
        "+AND+media_usage:%22CC0%22&start={position}&rows=100&api_key={key}"
    )
    first_position = "0"
    longest_side = 1280  # pixels; the originals are up to 100 MB
    results = "response.rows[?id]"
    fields: ClassVar = {
        "item_id": "[content.descriptiveNonRepeating.record_ID, id]",
        "item_url": "content.descriptiveNonRepeating.[record_link, guid]",
        "title": "title",
        "creator": "content.freetext.name[].content",
        "date": "content.freetext.date[].content",
        "credit": "content.descriptiveNonRepeating.data_source",
    }

    @classmethod
    def delay_for(cls, key: str) -> float:
        """Return a longer delay for the key that everybody shares."""
        return 125.0 if key == "DEMO_KEY" else cls.page_delay

    def next_position(self, payload: dict[str, Any], position: str | None) -> str | None:
        """Return the number of the first object on the next page."""
        following = whole(position) + 100
        has_more = following < whole(jmespath.search("response.rowCount", payload))
        return str(following) if has_more and self.find_items(payload) else None

    def read_item(self, item: dict[str, Any]) -> CatalogueRow:
        """Return the row of an object with its first CC0 photo, if it has one."""
        row = super().read_item(item)
        media = "content.descriptiveNonRepeating.online_media.media[?type == 'Images']"
        for photo in jmespath.search(media, item) or []:
            if licence := classify(first_text(jmespath.search("usage.access", photo))):
                return replace(
                    row,
                    image_url=self._reduced(first_text(photo.get("content"))),
                    licence=licence,
                    licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
                )
        return row

    def _reduced(self, address: str) -> str:
        """Ask the delivery service for a reduced JPEG; other addresses stay as they are."""
        parts = urlsplit(address)
        if not parts.path.endswith("/deliveryService") or "max" in parse_qs(parts.query):
            return address
        return f"{address}&max={self.longest_side}"


class EuropeanaSpider(PhotoSpider):
    """Europeana: records with an open licence; the photos lie on the institutions' servers.

    ``reusability=open`` includes share-alike records, so each record's own rights decide.
    Source: Europeana Search API (cursor paging); fair use, no rate published.
    """

    name = "europeana"
    institution = "Europeana"
    default_root = "https://api.europeana.eu"
    page_delay = 1.0
    photo_delay = 2.0  # the institutions' servers are small
    limits = "fair use; no rate published"
    key_variable = "EUROPEANA_API_KEY"
    search = (
        "/record/v2/search.json?query={query}&qf=TYPE:IMAGE&reusability=open&media=true&rows=100"
        "&cursor={position}&wskey={key}"
    )
    first_position = "*"
    results = "items[?id]"
    fields: ClassVar = {
        "item_id": "id",
        "image_url": "edmIsShownBy",
        "title": "title",
        "date": "year",
        "licence": "rights",
        "licence_url": "rights",
    }

    def next_position(self, payload: dict[str, Any], position: str | None) -> str | None:
        return first_text(payload.get("nextCursor")) or None

    def read_item(self, item: dict[str, Any]) -> CatalogueRow:
        """Return the row of a record; its creator is the first that is a name, not an address."""
        row = super().read_item(item)
        names = texts(item.get("dcCreator"))
        names = [name for name in names if not name.startswith(("http:", "https:", "#"))]
        creator = plain_text(first_text(*names))
        museum = first_text(item.get("dataProvider"))
        return replace(
            row,
            item_id=row.item_id.lstrip("/"),
            item_url=f"https://www.europeana.eu/item{row.item_id}",
            creator=creator,
            credit=", ".join(part for part in (creator, museum, "via Europeana") if part),
        )


class FlickrSpider(PhotoSpider):
    """Flickr Commons: photos of libraries and museums with no known copyright restrictions.

    The oldest upload comes first, so that pages do not shift.
    Source: flickr.com/services/api/flickr.photos.search.html; 3,600 queries per hour and key.
    """

    name = "flickr"
    institution = "Flickr Commons"
    default_root = "https://api.flickr.com"
    page_delay = 1.5
    photo_delay = 1.0
    limits = "3,600 queries per hour and key"
    key_variable = "FLICKR_API_KEY"
    # The service's numbers of the allowed licences. 8, a work of the United States government, is
    # free of copyright in the United States only.
    licences: ClassVar = {
        "4": "https://creativecommons.org/licenses/by/2.0/",
        "7": "https://www.flickr.com/commons/usage/",
        "9": "https://creativecommons.org/publicdomain/zero/1.0/",
        "10": "https://creativecommons.org/publicdomain/mark/1.0/",
    }
    search = (
        "/services/rest/?method=flickr.photos.search&api_key={key}&text={query}&is_commons=true"
        f"&license={','.join(licences)}&media=photos&sort=date-posted-asc&per_page=250"
        "&page={position}&extras=license,owner_name,date_taken,url_k,url_h,url_l,url_o,url_c"
        "&format=json&nojsoncallback=1"
    )
    last_page = 16  # the service repeats itself past 4,000 results
    results = "photos.photo[]"
    fields: ClassVar = {
        "item_id": "id",
        # 2048, 1600 and 1024 pixels, the original, 800 pixels
        "image_url": "[url_k, url_h, url_l, url_o, url_c]",
        "title": "title",
        "creator": "ownername",
        "date": "datetaken",
    }

    def has_more(self, payload: dict[str, Any], page: int) -> bool:
        return page < whole(jmespath.search("photos.pages", payload))

    def read_item(self, item: dict[str, Any]) -> CatalogueRow:
        """Return the row of a photo; its licence is looked up by number."""
        row = super().read_item(item)
        owner = first_text(item.get("owner"))
        licence_url = self.licences.get(first_text(item.get("license")), "")
        return replace(
            row,
            item_url=f"https://www.flickr.com/photos/{owner}/{row.item_id}/",
            date="" if first_text(item.get("datetakenunknown")) == "1" else row.date,
            licence=classify(licence_url) or "",
            licence_url=licence_url,
        )


SPIDERS: dict[str, type[PhotoSpider]] = {
    spider.name: spider
    for spider in (
        LocSpider, CommonsSpider, InternetArchiveSpider,
        SmithsonianSpider, EuropeanaSpider, FlickrSpider,
    )
}  # fmt: skip


def largest(addresses: Any) -> str:
    """Return the widest JPEG or PNG of ``image_url``; its size stands behind ``#``.

    >>> largest(["//tile.loc.gov/a.jpg#h=64&w=48", "//tile.loc.gov/b.jpg#h=640&w=480"])
    'https://tile.loc.gov/b.jpg'
    """
    photos = [text for text in texts(addresses) if re.search(r"\.(jpe?g|png)(\?|#|$)", text)]
    best = max(photos, key=_width, default="").split("#")[0]
    return f"https:{best}" if best.startswith("//") else best


def _width(address: str) -> int:
    found = re.search(r"#.*\bw=(\d+)", address)
    return int(found[1]) if found else 0
