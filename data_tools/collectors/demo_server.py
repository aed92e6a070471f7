"""A small archive on this machine, in the shape of the Library of Congress, for lessons.

It listens on the loopback address 127.0.0.1 alone, so no other machine can reach it, and keeps a
log of all requests.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from data_tools.collectors.demo_items import DemoItem, demo_items
from oldphoto.checks import InputError

LOOPBACK = "127.0.0.1"
PER_PAGE = 8
ROBOTS = "User-agent: *\nDisallow: /private/\n"
RETRY_AFTER = 1

Answer = tuple[int, str, bytes]
"""Status, content type and body."""


class Visit(NamedTuple):
    """One request: seconds since the start, path and query, user agent, status of the answer."""

    seconds: float
    target: str
    agent: str
    status: int


class DemoArchive(ThreadingHTTPServer):
    """The archive; it answers until ``close``. Also a context manager.

    Args:
        items: the items that it holds; None for ``demo_items()``.
    """

    daemon_threads = True

    def __init__(self, items: list[DemoItem] | None = None) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.items = demo_items() if items is None else items
        self.visits: list[Visit] = []
        self.start_time = time.monotonic()
        self.port = self.server_port
        self.root = f"http://{LOOPBACK}:{self.port}"
        self._busy = {item.name for item in self.items if item.busy}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    def page(self, number: int) -> dict[str, Any]:
        """Return a page of search results, numbered from 1.

        Raises:
            InputError: if the number is below 1.
        """
        if number < 1:
            raise InputError(f"pages are numbered from 1, got {number}")
        end = number * PER_PAGE
        following = f"{self.root}/photos/?sp={number + 1}" if end < len(self.items) else None
        results = [self._result(item) for item in self.items[end - PER_PAGE : end]]
        return {"results": results, "pagination": {"current": number, "next": following}}

    def answer(self, target: str) -> Answer:
        """Return the answer to a request."""
        parts = urlsplit(target)
        folder, _, name = parts.path.strip("/").partition("/")
        if parts.path == "/robots.txt":
            return 200, "text/plain", ROBOTS.encode()
        if parts.path == "/photos/":
            number = parse_qs(parts.query).get("sp", ["1"])[0]
            return _json(self.page(int(number) if number.isdigit() else 1))
        for item in self.items:
            if folder == "item" and name == item.name:
                return _json({"item": {"rights_information": item.hidden_rights or item.rights}})
            if folder == item.folder and name == f"{item.name}.jpg" and item.photo:
                if item.name in self._busy:
                    self._busy.remove(item.name)
                    return 429, "text/plain", b"too many requests"
                return 200, item.kind, item.photo()
        return 404, "text/plain", b"no such page"

    def _result(self, item: DemoItem) -> dict[str, Any]:
        """Return one item as a page of results shows it."""
        address = item.address or f"{self.root}/{item.folder}/{item.name}.jpg"
        return {
            "id": f"{self.root}/item/{item.name}/",
            "url": f"{self.root}/item/{item.name}/",
            "title": item.title,
            "date": item.date,
            "item": {"contributors": [item.creator], "rights_advisory": item.rights or None},
            "image_url": [f"{address}#h=400&w=400"] if item.photo else [],
        }


def _json(page: Any) -> Answer:
    return 200, "application/json", json.dumps(page).encode()


class _Handler(BaseHTTPRequestHandler):
    server: DemoArchive

    def do_GET(self) -> None:
        """Answer the request and record it."""
        seconds = time.monotonic() - self.server.start_time
        status, kind, body = self.server.answer(self.path)
        agent = self.headers.get("User-Agent", "")
        self.server.visits.append(Visit(seconds, self.path, agent, status))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", str(RETRY_AFTER))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing to stderr."""
