"""Keep the crawler on the public internet: nothing at home, in the office or in the cloud's back.

A link in an archive's answer, or a redirect, could lead to a machine that only we can reach. The
check sits in the name resolver, whose answer is the address that is then connected to, so a name
cannot pass the check with one address and be fetched from another.
"""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.resolver import CachingThreadedResolver
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError

ALLOWED_SETTING = "COLLECT_ALLOWED_ADDRESSES"
"""Scrapy setting: addresses that are fetched from although they are not public (for tests)."""


class PrivateAddressError(DNSLookupError):
    """The name leads to an address that is not on the public internet."""


def is_public(address: str) -> bool:
    """Say whether an IPv4 or IPv6 address belongs to the public internet.

    Addresses that carry another one inside (IPv4 in IPv6, 6to4, Teredo, NAT64) are judged by it.
    """
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class PublicResolver(CachingThreadedResolver):
    """Scrapy's name resolver, which answers with public addresses only."""

    allowed: frozenset[str] = frozenset()

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> "PublicResolver":
        """Build the resolver with the addresses that the settings allow."""
        resolver = super().from_crawler(crawler, reactor)
        resolver.allowed = frozenset(crawler.settings.getlist(ALLOWED_SETTING))
        return resolver

    def getHostByName(self, name: str, timeout: Any = ()) -> Deferred:  # noqa: N802
        """Resolve a name; fails with PrivateAddressError where it is not public."""
        return super().getHostByName(name, timeout).addCallback(self._require_public, name)

    def _require_public(self, address: str, name: str) -> str:
        if address not in self.allowed and not is_public(address):
            raise PrivateAddressError(f"{name} leads to {address}, which is not a public address")
        return address


class PublicOnlyMiddleware:
    """Refuse requests that are not HTTP, or lead to a private address, with a clear reason.

    Every request passes here: pages, photos, robots.txt, and each step of a redirect.
    """

    def __init__(self, allowed: frozenset[str]) -> None:
        self.allowed = allowed

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "PublicOnlyMiddleware":
        """Build the middleware with the addresses that the settings allow."""
        return cls(frozenset(crawler.settings.getlist(ALLOWED_SETTING)))

    async def process_request(self, request: Request) -> None:
        """Raise IgnoreRequest unless the request leads to the public internet."""
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise IgnoreRequest(f"expected an http or https address, got {parts.scheme}:")
        if _is_literal(host):
            if host not in self.allowed and not is_public(host):
                raise IgnoreRequest(f"{host} is not a public address")
            return
        from twisted.internet import reactor  # the reactor exists only once the crawl runs

        try:
            await maybe_deferred_to_future(reactor.resolve(host))
        except PrivateAddressError as error:
            raise IgnoreRequest(str(error.args[0])) from error
        except DNSLookupError:
            return  # the connection will fail, be retried, and be reported as what it is


def _is_literal(host: str) -> bool:
    """Say whether the host is written as an address, not as a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
