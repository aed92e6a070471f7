"""The crawl that all archives share: page after page, and on each page photo after photo.

Scrapy's ``JOBDIR`` is not used, because it does not survive a killed process. A crawl that is
started again reads its earlier pages from the HTTP cache and skips the items in the catalogue.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote_plus, urlsplit

import jmespath
from scrapy import Request, Spider
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.album import Album
from data_tools.collectors.answers import error_of, first_text, texts, whole
from data_tools.collectors.licences import classify_all, plain_text
from oldphoto.checks import InputError

MAX_BARREN_PAGES = 20
MAX_MISSES_IN_A_ROW = 5
PAGE_SLOT = "pages"
"""Scrapy's download slot of the pages, which gives them a delay of their own."""
# Some archives send photos without a type, or as "any file"; the file's first bytes decide.
_PHOTO_TYPES = ("image/jpeg", "image/jpg", "image/png", "image/tiff", "image/webp")
_NO_TYPE = ("", "application/octet-stream", "binary/octet-stream")
_START_AGAIN = "start the same command again, it goes on where it stopped"
_TROUBLE = {
    "CannotResolveHostError": "its name is not known here",
    "DownloadConnectionRefusedError": "the connection was refused",
    "DownloadTimeoutError": "no answer in time",
}


class CrawlStoppedError(Exception):
    """The crawl cannot go on; the message tells the user why."""


class BadStatusError(CrawlStoppedError):
    """The service answered with an error status."""

    def __init__(self, host: str, status: int, hint: str) -> None:
        super().__init__(f"{host} answered with status {status}: {hint}")
        self.status = status


class PhotoMissedError(Exception):
    """The photo did not come this time, but may come at the next try."""


class PhotoSpider(Spider):
    """Go through an archive's pages of results until the album holds enough photos.

    A subclass describes one archive by the class attributes below, and overrides a method where
    the archive differs. An item without an allowed licence is skipped.

    Args:
        query: the search, in the archive's own syntax.
        limit: number of photos of this query wanted, including those already in the album.
        album: stores the photos.
        key: the user's API key, for archives that require one.
        root: scheme and host of the service, if not ``default_root``; for tests.
        progress: called once for each photo that is in the album.
    """

    institution: ClassVar[str]  # name of the archive for the credit line
    default_root: ClassVar[str]  # scheme and host of the service
    # Path and parameters of a page of results, with {query}, {position} and {key}.
    search: ClassVar[str]
    first_position: ClassVar[str] = "1"
    last_page: ClassVar[int]  # the last page that the service answers, if pages are numbered
    results: ClassVar[str]  # JMESPath expression of the items on a page
    # Columns of the catalogue, each with the JMESPath expression of its value in an item.
    fields: ClassVar[dict[str, str]]
    page_delay: ClassVar[float]  # seconds between requests for pages; keeps the published limit
    photo_delay: ClassVar[float]  # seconds between two photos from one host
    limits: ClassVar[str]  # what the archive publishes about its limits
    key_variable: ClassVar[str] = ""  # environment variable of the API key, if one is needed
    robots_exempt: ClassVar[bool] = False  # request pages regardless of robots.txt

    def __init__(
        self, query: str, limit: int, album: Album, key: str = "", root: str = "",
        progress: Callable[[], object] = lambda: None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.query = query
        self.limit = limit
        self.album = album
        self.key = key
        self.root = (root or self.default_root).rstrip("/")
        self.progress = progress
        self.problem = ""
        self.num_photos = 0
        self.num_misses_in_a_row = 0

    @classmethod
    def delay_for(cls, key: str) -> float:
        """Return the seconds between two pages with this key."""
        return cls.page_delay

    def page_url(self, position: str | None) -> str:
        """Return the address of a page; position None is the first one."""
        values = {"query": self.query, "position": position or self.first_position, "key": self.key}
        quoted = {name: quote_plus(value) for name, value in values.items()}
        return self.root + self.search.format(**quoted)

    def next_position(self, payload: dict[str, Any], position: str | None) -> str | None:
        """Return the position of the page that follows, or None after the last one."""
        page = whole(position, 1)
        return str(page + 1) if page < self.last_page and self.has_more(payload, page) else None

    def has_more(self, payload: dict[str, Any], page: int) -> bool:
        """Return whether another numbered page follows this one."""
        raise NotImplementedError

    def parse_page(
        self, payload: dict[str, Any], position: str | None
    ) -> tuple[list[CatalogueRow], str | None]:
        """Return the items of a page, and the position of the next page or None."""
        rows = [self.read_item(item) for item in self.find_items(payload)]
        return [row for row in rows if row.item_id], self.next_position(payload, position)

    def find_items(self, payload: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the items of a page as the archive describes them."""
        found = jmespath.search(self.results, payload) or []
        return [item for item in found if isinstance(item, dict)]

    def read_item(self, item: dict[str, Any]) -> CatalogueRow:
        """Return the catalogue row of an item; its licence is empty unless it is allowed."""
        found = {column: jmespath.search(path, item) for column, path in self.fields.items()}
        row: dict[str, Any] = {column: first_text(value) for column, value in found.items()}
        for column in ("title", "creator", "date"):
            row[column] = plain_text(row.get(column, ""))
        row["licence"] = classify_all(texts(found.get("licence"))) or ""
        return CatalogueRow(path="", **row)

    def detail_url(self, row: CatalogueRow) -> str | None:
        """Return the item's own page, if it is needed for the licence or the photo."""
        return None

    def read_detail(self, payload: dict[str, Any], row: CatalogueRow) -> CatalogueRow:
        """Return the row completed with the item's own page."""
        return row

    async def start(self) -> AsyncIterator[CatalogueRow]:
        """Collect photos until there are enough, and yield the row of each new one."""
        try:
            async for row in self._collect_pages():
                yield row
        except CrawlStoppedError as error:
            self.stop(str(error))
        await asyncio.sleep(0)  # lets Scrapy finish its last download; else it idles for 5 s

    def stop(self, problem: str) -> None:
        """End the crawl after the current item; only the first problem is reported."""
        self.problem = self.problem or problem

    async def _collect_pages(self) -> AsyncIterator[CatalogueRow]:
        """Collect the photos of one page after the other; yields the row of each new photo."""
        position, num_barren = None, 0
        while num_barren < MAX_BARREN_PAGES:
            payload = await self._ask(self.page_url(position))
            rows, position = self.parse_page(payload, position)
            num_before = self.num_photos
            for row in rows:
                if await self._collect(row):
                    yield row
                if self.problem or self.num_photos >= self.limit:
                    return
            num_barren = num_barren + 1 if self.num_photos == num_before else 0
            if position is None:
                return
        raise CrawlStoppedError(
            f"{MAX_BARREN_PAGES} pages of results in a row held no photo that is allowed: "
            "try a narrower query"
        )

    async def _collect(self, row: CatalogueRow) -> bool:
        """Add the photo of an item to the album; return whether it is a new one."""
        if self.album.is_known(row.item_id):
            if self.album.has_photo(row.item_id):
                self._count_photo()
            return False
        if address := self.detail_url(row):
            row = await self._with_detail(row, address)
        if not row.licence or not row.image_url:
            reason = "no photo of a known kind" if row.licence else "licence not allowed"
            self.album.skipped[reason] += 1
            return False
        credit = ", ".join(part for part in (row.creator, self.institution) if part)
        return await self._download(replace(row, credit=row.credit or credit))

    async def _with_detail(self, row: CatalogueRow, address: str) -> CatalogueRow:
        """Return the row completed with the item's own page, if that can be read."""
        try:
            return self.read_detail(await self._ask(address), row)
        except BadStatusError as error:
            self.album.skipped[f"item page answered with status {error.status}"] += 1
            return row

    async def _download(self, row: CatalogueRow) -> bool:
        """Download the photo of an item and keep it; return whether that succeeded.

        A photo that arrived just before a crash is not downloaded again.
        """
        try:
            if not self.album.has_arrived(row):
                self.album.receive(row, await self._photo_bytes(row.image_url))
            self.album.keep(row)
        except InputError as error:
            self.album.refuse(row, str(error))
            return False
        except PhotoMissedError as error:
            self.album.miss(row, str(error))
            self._count_miss(str(error))
            return False
        self._count_photo()
        return True

    async def _photo_bytes(self, address: str) -> bytes:
        """Download a photo; it stays out of the HTTP cache, which would store it twice.

        Raises:
            InputError: if the address will never give a usable photo.
            PhotoMissedError: if the photo may come at the next try.
        """
        try:
            response = await self._fetch(address, {"dont_cache": True})
        except ValueError as error:  # Scrapy refuses an address without a scheme
            raise InputError(f"no address of a photo: {address[:80]!r}") from error
        except IgnoreRequest as error:
            raise InputError(str(error)) from error
        except DownloadCancelledError as error:
            limit = self.settings.getint("DOWNLOAD_MAXSIZE")
            raise InputError(f"larger than {limit} bytes") from error
        except Exception as error:
            raise PhotoMissedError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        if response.status >= 500 or response.status in (408, 429):
            raise PhotoMissedError(f"status {response.status}")
        if response.status != 200:
            raise InputError(f"status {response.status}")
        kind = _content_type(response).split(";")[0].strip().lower()
        if kind not in _PHOTO_TYPES + _NO_TYPE:
            raise InputError(f"expected a photo, got content of type {kind}")
        return response.body

    async def _ask(self, address: str) -> dict[str, Any]:
        """Return the service's JSON answer.

        Raises:
            CrawlStoppedError: if there is no answer that can be used; its message says why.
        """
        host = urlsplit(address).netloc
        meta = {
            "download_slot": PAGE_SLOT,
            "autothrottle_dont_adjust_delay": True,  # the slot's delay is the published limit
            "dont_obey_robotstxt": self.robots_exempt,
            "dont_redirect": bool(self.key),  # a redirect would carry the key to another host
        }
        try:
            response = await self._fetch(address, meta)
        except IgnoreRequest as error:
            problem = f"{host} cannot be asked: {self._without_key(str(error))}"
            raise CrawlStoppedError(problem) from error
        except Exception as error:
            trouble = _TROUBLE.get(type(error).__name__, type(error).__name__)
            raise CrawlStoppedError(
                f"{host} could not be reached ({trouble}): check the connection and {_START_AGAIN}"
            ) from error
        if response.status != 200:
            is_forbidden = self.key and response.status in (401, 403)
            hint = "check the key" if is_forbidden else "try again later"
            raise BadStatusError(host, response.status, hint)
        try:
            payload = json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise CrawlStoppedError(
                f"{host} answered with {_content_type(response) or 'nothing'} instead of JSON, "
                "perhaps to keep robots out: wait some hours before the next try"
            ) from error
        if problem := error_of(payload):
            raise CrawlStoppedError(f"{host} refused the request: {self._without_key(problem)}")
        return payload

    async def _fetch(self, address: str, meta: dict[str, Any]) -> Response:
        """Request an address through all of Scrapy's downloader middlewares."""
        assert self.crawler.engine is not None
        request = Request(address, callback=NO_CALLBACK, meta=meta)
        return await self.crawler.engine.download_async(request)

    def _count_photo(self) -> None:
        self.num_photos += 1
        self.num_misses_in_a_row = 0
        self.progress()

    def _count_miss(self, reason: str) -> None:
        """Stop after many photos in a row that did not come: the network is down."""
        self.num_misses_in_a_row += 1
        if self.num_misses_in_a_row >= MAX_MISSES_IN_A_ROW:
            raise CrawlStoppedError(
                f"{MAX_MISSES_IN_A_ROW} photos in a row did not come (the last: {reason}): "
                f"check the connection and {_START_AGAIN}"
            )

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text


def _content_type(response: Response) -> str:
    return (response.headers.get("Content-Type") or b"").decode("latin-1")
