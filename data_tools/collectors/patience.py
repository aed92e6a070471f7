"""Retry as the archive asks: every request to a host waits until the host wants to hear again."""

import asyncio
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.http import Response
from scrapy.settings import BaseSettings

FIRST_WAIT_SETTING = "COLLECT_FIRST_WAIT"
"""Scrapy setting: seconds before the first retry where the host names none; doubles each time."""
LONGEST_WAIT_SETTING = "COLLECT_LONGEST_WAIT"
"""Scrapy setting: a host that asks for more seconds than this ends the crawl for today."""


class PatientRetryMiddleware(RetryMiddleware):
    """Scrapy's retries, but after the time that the host names in ``Retry-After``.

    Scrapy retries at once and reads no ``Retry-After``. Here the whole host falls silent: the
    retry and all other requests to it wait in ``process_request``.
    """

    def __init__(self, settings: BaseSettings) -> None:
        super().__init__(settings)
        self.first_wait = settings.getfloat(FIRST_WAIT_SETTING)
        self.longest_wait = settings.getfloat(LONGEST_WAIT_SETTING)
        self._silent_until: dict[str, float] = {}

    async def process_request(self, request: Request) -> None:
        """Wait until the host may be asked again."""
        host = urlsplit(request.url).netloc
        while (seconds := self._silent_until.get(host, 0.0) - time.monotonic()) > 0:
            await asyncio.sleep(seconds)

    def process_response(
        self, request: Request, response: Response, spider: Spider | None = None
    ) -> Request | Response:
        """Retry failed answers, and answers that ask to wait (a busy wiki does it with 200)."""
        asked = retry_after(response, time.time())
        if response.status not in self.retry_http_codes and asked is None:
            return response
        host = urlsplit(request.url).netloc
        wait = self._backoff(request) if asked is None else asked
        if wait > self.longest_wait:
            self.crawler.spider.stop(
                f"{host} asks to wait {wait:.0f} seconds: start the same command again after "
                "that, it goes on where it stopped"
            )
            return response
        self._silence(host, wait)
        return self._retry(request, f"status {response.status}") or response

    def process_exception(
        self, request: Request, exception: Exception, spider: Spider | None = None
    ) -> Request | Response | None:
        """Retry after network trouble, a little later each time.

        Before anything was answered there is just one retry: whoever is offline hears it soon.
        """
        if request.meta.get("retry_times", 0) >= 1 and not self._was_answered():
            return None
        if isinstance(exception, self.exceptions_to_retry):
            self._silence(urlsplit(request.url).netloc, self._backoff(request))
        return super().process_exception(request, exception)

    def _silence(self, host: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._silent_until[host] = max(until, self._silent_until.get(host, 0.0))

    def _was_answered(self) -> bool:
        stats = self.crawler.stats
        from_cache = stats.get_value("httpcache/hit", 0)
        return stats.get_value("downloader/response_count", 0) > from_cache

    def _backoff(self, request: Request) -> float:
        return self.first_wait * 2 ** request.meta.get("retry_times", 0)


def retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, or None where there is none.

    Args:
        response: whose header holds seconds or a date.
        now: seconds since the epoch.
    """
    header = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    if header.isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (TypeError, ValueError):
        return None
