"""Run one crawl with Scrapy: polite settings, one archive, one folder."""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scrapy.crawler import AsyncCrawlerProcess, Crawler
from tqdm.auto import tqdm

from data_tools.collectors.album import Album, one_writer
from data_tools.collectors.middlewares import (
    ALLOWED_SETTING,
    FIRST_WAIT_SETTING,
    LONGEST_WAIT_SETTING,
)
from data_tools.collectors.spider import PAGE_SLOT, PhotoSpider
from oldphoto.checks import InputError

ROBOT_NAME = "oldphoto-collect"
HOME_PAGE = "https://github.com/oldphoto/oldphoto"
MAX_BYTES = 64_000_000
_OURS = "data_tools.collectors.middlewares"


@dataclass(frozen=True)
class Summary:
    """The result of a crawl.

    Args:
        num_photos: photos of the query that are now in the folder.
        num_added: how many of these are new.
        skipped: number of skipped items, by reason.
        failures: item and reason of each photo that did not come or was refused.
        problem: why the crawl ended early, or an empty text.
        num_requests: requests sent to any host: pages, items, photos, robots.txt.
    """

    num_photos: int
    num_added: int
    skipped: dict[str, int]
    failures: list[tuple[str, str]]
    problem: str
    num_requests: int


def crawl(
    spider: type[PhotoSpider], query: str, limit: int, folder: Path, contact: str, key: str = "",
    *, root: str = "", allowed_addresses: Iterable[str] = (), overrides: Mapping[str, Any] = {},
) -> Summary:  # fmt: skip
    """Collect photos into a folder. Once in a Python process: Scrapy's reactor starts only once.

    Args:
        spider: class of the archive, a value of ``sources.SPIDERS``.
        query: the search, in the archive's own syntax.
        limit: number of photos of the query wanted, including those already in the folder.
        folder: gets ``catalogue.csv`` and ``photos``.
        contact: mail or web address of the user, for the user agent.
        key: the user's API key, for archives that require one.
        root: scheme and host that replace the archive's, for tests.
        allowed_addresses: addresses that are fetched although they are not public, for tests.
        overrides: Scrapy settings that replace ours, for tests.

    Raises:
        InputError: if the folder cannot be written to, is in use, or a crawl has already run.
    """
    from twisted.internet.error import ReactorNotRestartable

    with one_writer(folder), _log_file(folder / ".collect" / "log.txt", key):
        album = Album(folder, spider.name)
        settings = crawl_settings(spider, folder, contact, key)
        process = AsyncCrawlerProcess(
            settings | {ALLOWED_SETTING: list(allowed_addresses), **overrides}
        )
        crawler = process.create_crawler(spider)
        with tqdm(total=limit, desc=spider.name, unit="photo") as bar:
            process.crawl(
                crawler, query=query, limit=limit, album=album, key=key, root=root,
                progress=bar.update,
            )  # fmt: skip
            try:
                process.start()
            except ReactorNotRestartable as error:
                raise InputError(
                    "a crawl has already run in this Python process: run each one as a command of "
                    "its own, python -m data_tools collect ..."
                ) from error
        return _summary(crawler, album)


def crawl_settings(
    spider: type[PhotoSpider], folder: Path, contact: str, key: str = ""
) -> dict[str, Any]:
    """Return the Scrapy settings of a crawl: slow, one request at a time, public hosts only."""
    try:
        own_version = version("oldphoto")
    except PackageNotFoundError:
        own_version = "0"
    hidden = folder.resolve() / ".collect"
    return {
        "USER_AGENT": f"{ROBOT_NAME}/{own_version} (+{HOME_PAGE}; {contact})",
        "ROBOTSTXT_OBEY": True,
        "ROBOTSTXT_USER_AGENT": ROBOT_NAME,
        # One request at a time; photos at the host's own pace, but never faster than ours.
        "CONCURRENT_REQUESTS": 1,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "DOWNLOAD_DELAY": spider.photo_delay,
        "DOWNLOAD_DELAY_JITTER": 0.0,  # Scrapy's default would halve a delay now and then
        "DOWNLOAD_SLOTS": {PAGE_SLOT: {"concurrency": 1, "delay": spider.delay_for(key)}},
        "AUTOTHROTTLE_ENABLED": True,
        "AUTOTHROTTLE_START_DELAY": spider.photo_delay,
        "RETRY_TIMES": 4,
        FIRST_WAIT_SETTING: 5.0,
        LONGEST_WAIT_SETTING: 900.0,
        "DOWNLOAD_HANDLERS": {"data": None, "file": None, "ftp": None, "s3": None},
        "DOWNLOAD_MAXSIZE": MAX_BYTES,
        "REDIRECT_MAX_TIMES": 5,
        "COOKIES_ENABLED": False,
        "REFERRER_POLICY": "no-referrer",  # a page's address may hold the key
        # A proxy would resolve names where the check for private addresses cannot see it.
        "HTTPPROXY_ENABLED": False,
        "TWISTED_DNS_RESOLVER": f"{_OURS}.PublicResolver",
        "HTTPCACHE_ENABLED": True,
        "HTTPCACHE_DIR": str(hidden / "pages"),
        "HTTPCACHE_EXPIRATION_SECS": 86_400,
        "HTTPCACHE_POLICY": f"{_OURS}.GoodPagesPolicy",
        "HTTPCACHE_STORAGE": f"{_OURS}.PageCache",
        "DOWNLOADER_MIDDLEWARES": {
            f"{_OURS}.PublicOnlyMiddleware": 50,
            "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
            f"{_OURS}.PatientRetryMiddleware": 550,
        },
        "LOG_LEVEL": "INFO",
        "LOG_INSTALL_ROOT_HANDLER": False,  # the log goes into a file of ours, without the key
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
    }


def _summary(crawler: Crawler, album: Album) -> Summary:
    spider, stats = crawler.spider, crawler.stats
    assert isinstance(spider, PhotoSpider)
    assert stats is not None
    problem = spider.problem
    if not problem and stats.get_value("spider_exceptions/count", 0):
        problem = f"an answer could not be read, see {album.folder / '.collect' / 'log.txt'}"
    if not problem and stats.get_value("finish_reason") != "finished":
        problem = "the crawl was stopped: start the same command again, it goes on where it stopped"
    return Summary(
        num_photos=spider.num_photos,
        num_added=album.num_added,
        skipped=dict(album.skipped.most_common()),
        failures=album.failures,
        problem=problem,
        num_requests=stats.get_value("downloader/request_count", 0)
        - stats.get_value("httpcache/hit", 0),
    )


class _KeylessFormatter(logging.Formatter):
    """Write log lines without the user's key, which stands in the addresses of pages."""

    def __init__(self, key: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.key = key

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text.replace(self.key, "***") if self.key else text


@contextlib.contextmanager
def _log_file(path: Path, key: str) -> Iterator[None]:
    """Write everything that is logged to a file."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_KeylessFormatter(key))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
