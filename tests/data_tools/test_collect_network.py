"""Politeness and safety of the crawls: addresses, waiting, the page cache, the published limits."""

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("scrapy")

from scrapy import Request
from scrapy.exceptions import IgnoreRequest
from scrapy.http import JsonResponse, Response
from scrapy.settings import Settings
from twisted.internet import defer

from data_tools.collectors.crawl import crawl_settings
from data_tools.collectors.middlewares import (
    ALLOWED_SETTING,
    GoodPagesPolicy,
    PageCache,
    PrivateAddressError,
    PublicOnlyMiddleware,
    PublicResolver,
    is_public,
    retry_after,
)
from data_tools.collectors.sources import SPIDERS
from data_tools.collectors.spider import PAGE_SLOT

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
# Seconds between two requests that each archive's published or reported limit leaves.
LIMITS = {
    "loc": 60 / 20,  # 20 JSON answers a minute is the strictest report
    "commons": 0.0,
    "internet-archive": 0.0,
    "smithsonian": 3600 / 1000,
    "europeana": 0.0,
    "flickr": 3600 / 3600,
}


@pytest.mark.parametrize("address", ["8.8.8.8", "140.147.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
     "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1",
     "ff02::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_addresses_that_only_we_can_reach(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("address", "allowed"), [("127.0.0.1", False), ("127.0.0.1", True), ("8.8.8.8", False)]
)
def test_the_resolver_answers_with_public_addresses(
    address: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "scrapy.resolver.CachingThreadedResolver.getHostByName",
        lambda self, name, timeout=(): defer.succeed(address),
    )
    resolver = PublicResolver.__new__(PublicResolver)
    resolver.allowed = frozenset([address] if allowed else [])
    answers: list[Any] = []
    resolver.getHostByName("photos.example").addBoth(answers.append)
    if allowed or address == "8.8.8.8":
        assert answers == [address]
    else:
        assert answers[0].check(PrivateAddressError)
        assert "photos.example leads to 127.0.0.1" in answers[0].getErrorMessage()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1/x", "127.0.0.1 is not a public address"),
        ("http://[::1]:80/x", "::1 is not a public address"),
        ("http://user@10.0.0.1/x", "10.0.0.1 is not a public address"),
        ("file:///etc/passwd", "expected an http or https address, got file:"),
        ("ftp://8.8.8.8/x", "got ftp:"),
        ("data:text/plain,x", "got data:"),
    ],
)
def test_requests_that_are_refused(url: str, message: str) -> None:
    with pytest.raises(IgnoreRequest, match=message.replace("[", r"\[")):
        asyncio.run(PublicOnlyMiddleware(frozenset()).process_request(Request(url)))


def test_requests_that_pass() -> None:
    passed = PublicOnlyMiddleware(frozenset({"127.0.0.1"}))
    asyncio.run(passed.process_request(Request("http://127.0.0.1/x")))
    asyncio.run(passed.process_request(Request("https://8.8.8.8/x")))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), (" 120 ", 120.0), ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
     ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0), ("soon", None), ("-3", None), ("", None)],
)  # fmt: skip
def test_retry_after(header: str, seconds: float | None) -> None:
    response = Response("http://x/", headers={"Retry-After": header})
    assert retry_after(response, NOW) == seconds


def test_retry_after_may_be_missing() -> None:
    assert retry_after(Response("http://x/"), NOW) is None


@pytest.mark.parametrize(
    ("url", "answer", "is_stored"),
    [
        ("http://x/api", {"body": b'{"items": []}'}, True),
        ("http://x/robots.txt", {"body": b"User-agent: *"}, True),
        ("http://x/robots.txt", {"body": b"", "status": 503}, False),
        ("http://x/api", {"body": b"<html>robot?</html>"}, False),
        ("http://x/api", {"body": b'{"stat": "fail"}'}, False),
        ("http://x/api", {"body": b"{}", "status": 429}, False),
        ("http://x/api", {"body": b"{}", "headers": {"Retry-After": "5"}}, False),
    ],
)
def test_only_good_pages_are_stored(url: str, answer: dict[str, Any], is_stored: bool) -> None:
    policy = GoodPagesPolicy(Settings())
    assert policy.should_cache_response(Response(url, **answer), Request(url)) == is_stored


def test_the_page_cache_gives_back_what_it_got_and_no_key(tmp_path: Path) -> None:
    settings = Settings({"HTTPCACHE_DIR": str(tmp_path), "HTTPCACHE_EXPIRATION_SECS": 60})
    fingerprinter = SimpleNamespace(fingerprint=lambda request: request.url.encode()[-4:])
    spider: Any = SimpleNamespace(crawler=SimpleNamespace(request_fingerprinter=fingerprinter))
    cache = PageCache(settings)
    cache.open_spider(spider)
    request = Request("http://x/?key=5ECRET&page=1", headers={"X-Key": "5ECRET"})
    response = JsonResponse(request.url, body=b'{"a": "\xc3\xa9"}',
                            headers={"Content-Type": "application/json"})  # fmt: skip
    assert cache.retrieve_response(spider, request) is None
    cache.store_response(spider, request, response)
    [path] = tmp_path.iterdir()
    assert b"5ECRET" not in path.read_bytes()
    stored = cache.retrieve_response(spider, request)
    assert stored is not None
    assert stored.json() == {"a": "é"}
    whole, now = path.read_bytes(), path.stat().st_mtime
    for damaged in (
        b"",
        whole[:-1],
        b"\0" * 50,
        b"\xff\r\n\r\n<html>",
        b"\r\n\r\n" + b"[" * 100_000,
    ):
        path.write_bytes(damaged)  # a page that no server sent must not stop the crawl for a day
        assert cache.retrieve_response(spider, request) is None
    path.write_bytes(whole)
    for age, is_used in ((59, True), (61, False), (-61, False)):  # the last: the clock was set back
        os.utime(path, (now - age, now - age))
        assert (cache.retrieve_response(spider, request) is not None) == is_used


@pytest.mark.parametrize("name", SPIDERS)
def test_the_delays_keep_the_published_limits(name: str, tmp_path: Path) -> None:
    settings = crawl_settings(SPIDERS[name], tmp_path, "me@my.org", key="K3Y")
    assert settings["DOWNLOAD_SLOTS"][PAGE_SLOT]["delay"] >= max(1.0, LIMITS[name])
    assert settings["DOWNLOAD_DELAY"] >= 1.0
    assert settings["DOWNLOAD_DELAY_JITTER"] == 0.0
    assert settings["CONCURRENT_REQUESTS"] == settings["CONCURRENT_REQUESTS_PER_DOMAIN"] == 1
    assert settings["ROBOTSTXT_OBEY"] is True
    assert settings["DOWNLOAD_MAXSIZE"] == 64_000_000
    assert settings["HTTPPROXY_ENABLED"] is False
    assert ALLOWED_SETTING not in settings
    assert settings["USER_AGENT"].endswith("; me@my.org)")


def test_the_shared_demo_key_is_slower_still(tmp_path: Path) -> None:
    settings = crawl_settings(SPIDERS["smithsonian"], tmp_path, "me@my.org", key="DEMO_KEY")
    assert settings["DOWNLOAD_SLOTS"][PAGE_SLOT]["delay"] >= 3600 / 30


def test_only_the_api_of_commons_is_asked_without_robots_txt() -> None:
    assert [name for name, spider in SPIDERS.items() if spider.robots_exempt] == ["commons"]
