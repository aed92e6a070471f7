"""What the spiders of all archives share: pages in order, licences, limits, going on after a stop.

Scrapy's own ``JOBDIR`` is not used, because it does not survive a killed process. A crawl that is
started again reads its earlier pages from the page cache and passes over the items that the
catalogue has.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from scrapy import Request, Spider
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.album import Album
from data_tools.collectors.payloads import error_of

MAX_BARREN_PAGES = 20
MAX_MISSES_IN_A_ROW = 5
PAGE_SLOT = "pages"
"""Scrapy's download slot of the pages, so that they have a delay of their own."""

Page = tuple[list[CatalogueRow], str | None]
"""The items of one page, and what ``page_url`` needs for the next page (None: no more)."""


class PhotoSpider(Spider):
    """Walk through an archive's pages of results until enough photos are in the album.

    A subclass says how an archive is asked (``page_url``) and what it answers (``parse_page``).
    An item whose ``licence`` is empty is not allowed and is passed over.

    Args:
        query: what to look for, in the archive's own words.
        limit: number of photos of this query wanted in the album, those already there included.
        album: where the photos go.
        key: the user's key, for archives that want one.
        root: scheme and host of the service; another one only in tests.
        progress: called once for each photo that is in the album.
    """

    institution: ClassVar[str]
    """Name of the archive for the credit line."""
    default_root: ClassVar[str]
    page_delay: ClassVar[float]
    """Seconds between two requests for pages or items; below the archive's published limit."""
    photo_delay: ClassVar[float]
    """Seconds between two photos of one host."""
    limits: ClassVar[str]
    """What the archive publishes about its limits."""
    key_variable: ClassVar[str] = ""
    """Environment variable of the user's key; empty where none is needed."""
    robots_exempt: ClassVar[bool] = False
    """Whether the pages are asked for without looking at robots.txt; the subclass says why."""

    def __init__(
        self, query: str, limit: int, album: Album, key: str = "", root: str = "",
        progress: Callable[[], Any] = lambda: None, **kwargs: Any,
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
        self.num_barren = 0
        self.num_misses_in_a_row = 0
        self.item_done = asyncio.Event()

    @classmethod
    def delay_for(cls, key: str) -> float:
        """Return the seconds between two pages with this key."""
        return cls.page_delay

    def page_url(self, position: str | None) -> str:
        """Return the address of a page; position None is the first one."""
        raise NotImplementedError

    def parse_page(self, payload: dict[str, Any], position: str | None) -> Page:
        """Return the items of a page and the position of the next; touches nothing else."""
        raise NotImplementedError

    def detail_url(self, row: CatalogueRow) -> str | None:
        """Return where the item says more, if its licence or photo is not known yet."""
        return None

    def parse_detail(self, payload: dict[str, Any], row: CatalogueRow) -> CatalogueRow:
        """Return the row with what the item's own page says; touches nothing else."""
        return row

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the first page."""
        yield self._page_request(None)

    async def parse(self, response: Response, position: str | None) -> AsyncIterator[Any]:
        """Give the items of a page to the pipeline one after the other, then ask for the next."""
        parsed = self._read(response, lambda payload: self.parse_page(payload, position))
        rows, following = parsed or ([], None)
        num_before = self.num_photos
        for row in rows:
            async for wanted in self._wanted(row):
                yield wanted
                await self.item_done.wait()
                self.item_done.clear()
            if self.is_done():
                return
        self.num_barren = self.num_barren + 1 if self.num_photos == num_before else 0
        if self.num_barren >= MAX_BARREN_PAGES:
            self.stop(
                f"{MAX_BARREN_PAGES} pages of results in a row held no photo that is allowed: "
                "try a narrower query"
            )
        elif following is not None:
            yield self._page_request(following)

    def is_done(self) -> bool:
        """Say whether there are enough photos, or a reason not to go on."""
        return bool(self.problem) or self.num_photos >= self.limit

    def stop(self, problem: str) -> None:
        """End the crawl after what is under way; the first problem is the one reported."""
        self.problem = self.problem or problem

    def photo_came(self) -> None:
        """Count a photo that is in the album."""
        self.num_photos += 1
        self.num_misses_in_a_row = 0
        self.progress()

    def photo_missed(self, reason: str) -> None:
        """Count a photo that did not come; many in a row mean that the network is down."""
        self.num_misses_in_a_row += 1
        if self.num_misses_in_a_row >= MAX_MISSES_IN_A_ROW:
            self.stop(
                f"{MAX_MISSES_IN_A_ROW} photos in a row did not come (the last: {reason}): check "
                "the connection and start the same command again, it goes on where it stopped"
            )

    async def _wanted(self, row: CatalogueRow) -> AsyncIterator[CatalogueRow]:
        """Yield the row if its photo is allowed and not yet here."""
        if self.album.is_known(row.item_id):
            if self.album.has_photo(row.item_id):
                self.photo_came()
            return
        if detail := self.detail_url(row):
            row = await self._with_detail(row, detail) or row
        if not self.problem and not row.licence:
            self.album.skipped["licence not allowed"] += 1
        elif not self.problem and not row.image_url:
            self.album.skipped["no photo of a known kind"] += 1
        elif not self.problem:
            credit = ", ".join(part for part in (row.creator, self.institution) if part)
            yield replace(row, credit=row.credit or credit)

    async def _with_detail(self, row: CatalogueRow, address: str) -> CatalogueRow | None:
        """Ask the item's own page; None where it gives no answer that can be used."""
        request = self._request(address, callback=NO_CALLBACK)
        try:
            response = await self.crawler.engine.download_async(request)
        except Exception as error:  # noqa: BLE001
            # Whatever ended the request (no name, no answer, robots.txt) is reported as such.
            self._failed(Failure(error))
            return None
        if response.status != 200:
            self.album.skipped[f"item page answered with status {response.status}"] += 1
            return None
        return self._read(response, lambda payload: self.parse_detail(payload, row))

    def _read(self, response: Response, parse: Callable[[dict[str, Any]], Any]) -> Any:
        """Parse an answer, or stop the crawl saying how it differs from what was expected."""
        host = urlsplit(response.url).netloc
        try:
            payload = json.loads(response.body)
        except ValueError:
            kind = (response.headers.get("Content-Type") or b"nothing").decode("latin-1")
            self.stop(
                f"{host} answered with {kind} instead of JSON, perhaps to keep robots out: "
                "wait some hours before the next try"
            )
            return None
        if error := error_of(payload):
            self.stop(f"{host} refused the request: {self._without_key(error)}")
            return None
        return parse(payload)

    def _page_request(self, position: str | None) -> Request:
        return self._request(
            self.page_url(position),
            callback=self.parse,
            errback=self._failed,
            cb_kwargs={"position": position},
        )

    def _request(self, address: str, **kwargs: Any) -> Request:
        meta = {
            "download_slot": PAGE_SLOT,
            "autothrottle_dont_adjust_delay": True,  # the slot's delay is the published limit
            "dont_obey_robotstxt": self.robots_exempt,
            "dont_redirect": bool(self.key),  # a redirect would carry the key to another host
        }
        return Request(address, meta=meta, **kwargs)

    def _failed(self, failure: Failure) -> None:
        """Turn a page that did not come into one sentence."""
        host = urlsplit(self.root).netloc
        if failure.check(IgnoreRequest) and not failure.check(HttpError):
            self.stop(f"{host} cannot be asked: {self._without_key(failure.getErrorMessage())}")
        elif failure.check(HttpError):
            status = failure.value.response.status
            hint = "check the key" if self.key and status in (401, 403) else "try again later"
            self.stop(f"{host} answered with status {status}: {hint}")
        else:
            self.stop(
                f"{host} could not be reached ({_trouble(failure)}): check the connection "
                "and start the same command again, it goes on where it stopped"
            )

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text


def _trouble(failure: Failure) -> str:
    """Say in words why there was no answer."""
    known = {
        "CannotResolveHostError": "its name is not known here",
        "DownloadConnectionRefusedError": "the connection was refused",
        "DownloadTimeoutError": "no answer in time",
    }
    return known.get(failure.type.__name__, failure.type.__name__)


def with_query(address: str, **parameters: str | int) -> str:
    """Return the address with its parameters encoded."""
    return f"{address}?{urlencode(parameters)}"
