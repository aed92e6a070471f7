"""Scrapy components for safe and polite crawls: address checks, waiting retries, a page cache.

* A link in an archive's answer, or a redirect, could lead to a machine on the user's own network.
  ``PublicOnlyMiddleware`` and ``PublicResolver`` refuse all addresses that are not public.
* ``PatientRetryMiddleware`` waits as long as ``Retry-After`` says. Scrapy retries at once.
* ``PageCache`` and ``GoodPagesPolicy`` store pages of results, so that a crawl that is started
  again requests no page twice within a day.
"""

import asyncio
import ipaddress
import json
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.extensions.httpcache import DummyPolicy
from scrapy.http import Headers, Response
from scrapy.resolver import CachingThreadedResolver
from scrapy.responsetypes import responsetypes
from scrapy.settings import BaseSettings
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from w3lib.http import headers_dict_to_raw, headers_raw_to_dict

from data_tools.collectors.answers import error_of
from data_tools.collectors.spider import PhotoSpider
from oldphoto.system.files import written_whole

ALLOWED_SETTING = "COLLECT_ALLOWED_ADDRESSES"
"""Scrapy setting: addresses that are fetched although they are not public (for tests)."""
FIRST_WAIT_SETTING = "COLLECT_FIRST_WAIT"
"""Scrapy setting: seconds before the first retry without ``Retry-After``; doubles each time."""
LONGEST_WAIT_SETTING = "COLLECT_LONGEST_WAIT"
"""Scrapy setting: longest wait in seconds; a host that requires more ends the crawl."""


def is_public(address: str) -> bool:
    """Return whether an IPv4 or IPv6 address belongs to the public internet.

    If it contains another address (IPv4 in IPv6, 6to4, Teredo, NAT64), that one decides.

    >>> is_public("8.8.8.8"), is_public("192.168.1.1"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class PrivateAddressError(DNSLookupError):
    """The name leads to an address that is not on the public internet."""


class PublicResolver(CachingThreadedResolver):
    """Scrapy's name resolver, restricted to public addresses.

    Its answer is the address that is then connected to, so a name cannot pass the check with one
    address and be fetched from another.
    """

    allowed: frozenset[str] = frozenset()

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> "PublicResolver":
        """Build the resolver with the addresses that the settings allow."""
        resolver = super().from_crawler(crawler, reactor)
        resolver.allowed = frozenset(crawler.settings.getlist(ALLOWED_SETTING))
        return resolver

    def getHostByName(self, name: str, timeout: Any = ()) -> Deferred[str]:  # noqa: N802
        """Resolve a name; fails with PrivateAddressError if its address is not public."""
        return super().getHostByName(name, timeout).addCallback(self._require_public, name)

    def _require_public(self, address: str, name: str) -> str:
        if address not in self.allowed and not is_public(address):
            raise PrivateAddressError(f"{name} leads to {address}, which is not a public address")
        return address


class PublicOnlyMiddleware:
    """Refuse requests that are not HTTP or lead to a private address, with a clear reason.

    Every request passes here: pages, photos, robots.txt, and each step of a redirect.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = frozenset(allowed)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "PublicOnlyMiddleware":
        """Build the middleware with the addresses that the settings allow."""
        return cls(crawler.settings.getlist(ALLOWED_SETTING))

    async def process_request(self, request: Request) -> None:
        """Raise IgnoreRequest unless the request leads to the public internet."""
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise IgnoreRequest(f"expected an http or https address, got {parts.scheme}:")
        try:
            is_allowed = host in self.allowed or is_public(host)
        except ValueError:  # the host is a name, not an address
            await self._require_public_name(host)
        else:
            if not is_allowed:
                raise IgnoreRequest(f"{host} is not a public address")

    async def _require_public_name(self, name: str) -> None:
        from twisted.internet import reactor  # Scrapy installs it when the crawl starts

        resolver: Any = reactor
        try:
            await maybe_deferred_to_future(resolver.resolve(name))
        except PrivateAddressError as error:
            raise IgnoreRequest(str(error.args[0])) from error
        except DNSLookupError:
            return  # the connection will fail, be retried and be reported


class PatientRetryMiddleware(RetryMiddleware):
    """Scrapy's retries, but after the wait that the host gives in ``Retry-After``.

    Only one request is under way at a time, so the whole crawl waits.
    """

    _wait_until = 0.0

    async def process_request(self, request: Request) -> None:
        """Wait until the next request may be sent."""
        await asyncio.sleep(max(0.0, self._wait_until - time.monotonic()))

    def process_response(
        self, request: Request, response: Response, spider: Spider | None = None
    ) -> Request | Response:
        """Retry failed answers and answers with ``Retry-After`` (a busy wiki sends it with 200)."""
        wait = retry_after(response, time.time())
        if response.status not in self.retry_http_codes and wait is None:
            return response
        if wait is None:
            wait = self._backoff(request)
        if wait > self.crawler.settings.getfloat(LONGEST_WAIT_SETTING):
            assert isinstance(self.crawler.spider, PhotoSpider)
            self.crawler.spider.stop(
                f"{urlsplit(request.url).netloc} asks to wait {wait:.0f} seconds: start the same "
                "command again after that, it goes on where it stopped"
            )
            return response
        self._wait_until = time.monotonic() + wait
        return self._retry(request, f"status {response.status}") or response

    def process_exception(
        self, request: Request, exception: Exception, spider: Spider | None = None
    ) -> Request | Response | None:
        """Retry after network errors, with a longer wait each time.

        Without any answer so far there is only one retry, so that a user without a connection sees
        the error soon.
        """
        if request.meta.get("retry_times", 0) >= 1 and not self._was_answered():
            return None
        if isinstance(exception, self.exceptions_to_retry):
            self._wait_until = time.monotonic() + self._backoff(request)
        return super().process_exception(request, exception)

    def _was_answered(self) -> bool:
        """Return whether any host answered, not counting answers from the cache."""
        assert self.crawler.stats is not None
        count = self.crawler.stats.get_value
        return count("downloader/response_count", 0) > count("httpcache/hit", 0)

    def _backoff(self, request: Request) -> float:
        first_wait = self.crawler.settings.getfloat(FIRST_WAIT_SETTING)
        return first_wait * 2 ** request.meta.get("retry_times", 0)


def retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, or None without one.

    Args:
        response: its header holds seconds or a date.
        now: seconds since the epoch.

    >>> retry_after(Response("http://example.org", headers={"Retry-After": "120"}), now=0.0)
    120.0
    """
    header = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    if header.isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (TypeError, ValueError):
        return None


class GoodPagesPolicy(DummyPolicy):
    """Store robots.txt and pages of results, but no errors, no "come back later", no HTML."""

    def should_cache_response(self, response: Response, request: Request) -> bool:
        """Return whether the answer may be used again."""
        if response.status != 200 or b"Retry-After" in response.headers:
            return False
        return _is_good(response, request)


def _is_good(response: Response, request: Request) -> bool:
    if request.url.endswith("/robots.txt"):
        return True
    try:
        return not error_of(json.loads(response.body))
    except (ValueError, RecursionError):
        return False


class PageCache:
    """Storage of ``HTTPCACHE_STORAGE``: one file for each request, named by its fingerprint.

    Scrapy's own storage writes in place, so a crash can leave half a page, and it stores the
    request, which may hold the user's key.
    """

    def __init__(self, settings: BaseSettings) -> None:
        self.folder = Path(settings["HTTPCACHE_DIR"])
        self.seconds = settings.getint("HTTPCACHE_EXPIRATION_SECS")

    def open_spider(self, spider: Spider) -> None:
        """Take the crawler's fingerprint of requests."""
        assert spider.crawler.request_fingerprinter is not None
        self.fingerprint = spider.crawler.request_fingerprinter.fingerprint

    def close_spider(self, spider: Spider) -> None:
        """Do nothing: every entry is already on the disk."""

    def retrieve_response(self, spider: Spider, request: Request) -> Response | None:
        """Return the stored answer; None if there is none, or it is too old or damaged."""
        path = self._path(request)
        if not path.is_file():
            return None
        age = time.time() - path.stat().st_mtime
        if not 0 <= age <= self.seconds:  # below 0 if the clock was set back: it may be any age
            return None
        head, _, body = path.read_bytes().partition(b"\r\n\r\n")
        headers = Headers(headers_raw_to_dict(head))
        kind = responsetypes.from_args(headers=headers, url=request.url, body=body)
        response = kind(url=request.url, headers=headers, status=200, body=body)
        return response if _is_good(response, request) else None

    def store_response(self, spider: Spider, request: Request, response: Response) -> None:
        """Write the answer to the disk, whole or not at all."""
        names = (b"Content-Type", b"Content-Encoding", b"Date")
        kept = {name: response.headers.getlist(name) for name in names if name in response.headers}
        with written_whole(self._path(request)) as file:
            file.write(headers_dict_to_raw(kept) + b"\r\n\r\n" + response.body)

    def _path(self, request: Request) -> Path:
        return self.folder / f"{self.fingerprint(request).hex()}.http"
