"""Scrapy's HTTP cache for pages of results: whole files, no request headers, no user's key.

Scrapy's own file storage writes in place, so a crash leaves half an answer to be trusted later,
and it stores the request, in which a user's key may stand. A crawl that goes on after a crash
reads the pages it had from here and asks the archive for none of them twice within a day.
"""

import base64
import json
import time
from pathlib import Path

from scrapy import Request, Spider
from scrapy.extensions.httpcache import DummyPolicy
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.settings import BaseSettings

from data_tools.collectors.payloads import error_of
from oldphoto.system.files import written_whole


class GoodPagesPolicy(DummyPolicy):
    """Store robots.txt and pages of results; no refusals, no "come back later", no HTML."""

    def should_cache_response(self, response: Response, request: Request) -> bool:
        """Say whether the answer may be used again."""
        if response.status != 200 or b"Retry-After" in response.headers:
            return False
        if request.url.endswith("/robots.txt"):
            return True
        try:
            return not error_of(json.loads(response.body))
        except ValueError:
            return False


class PageCache:
    """Storage of ``HTTPCACHE_STORAGE``: one file for each address, named by its fingerprint."""

    def __init__(self, settings: BaseSettings) -> None:
        self.folder = Path(settings["HTTPCACHE_DIR"])
        self.seconds = settings.getint("HTTPCACHE_EXPIRATION_SECS")

    def open_spider(self, spider: Spider) -> None:
        """Remember how requests are told apart."""
        self.fingerprint = spider.crawler.request_fingerprinter.fingerprint

    def close_spider(self, spider: Spider) -> None:
        """Do nothing: every entry is on the disk already."""

    def retrieve_response(self, spider: Spider, request: Request) -> Response | None:
        """Return the stored answer, or None where there is none or it is too old."""
        path = self._path(request)
        if not path.is_file() or path.stat().st_mtime + self.seconds < time.time():
            return None
        stored = json.loads(path.read_text(encoding="utf-8"))
        body = base64.b64decode(stored["body"])
        headers = Headers(stored["headers"])
        kind = responsetypes.from_args(headers=headers, url=request.url, body=body)
        return kind(url=request.url, headers=headers, status=200, body=body)

    def store_response(self, spider: Spider, request: Request, response: Response) -> None:
        """Write the answer to the disk, whole or not at all."""
        kept = ("Content-Type", "Content-Encoding", "Date")
        stored = {
            "headers": {name: response.headers[name].decode("latin-1")
                        for name in kept if name in response.headers},
            "body": base64.b64encode(response.body).decode("ascii"),
        }  # fmt: skip
        with written_whole(self._path(request)) as file:
            file.write(json.dumps(stored).encode("utf-8"))

    def _path(self, request: Request) -> Path:
        return self.folder / f"{self.fingerprint(request).hex()}.json"
