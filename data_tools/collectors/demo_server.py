"""A small archive on this machine, in the shape of the Library of Congress, for lessons.

It listens on the loopback address 127.0.0.1 alone, so that no other machine can reach it, and
keeps a log of who asked for what, and when.
"""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from data_tools.collectors.demo_items import DemoItem, demo_items
from oldphoto.checks import InputError

LOOPBACK = "127.0.0.1"
PER_PAGE = 8
ROBOTS = "User-agent: *\nDisallow: /private/\n"
RETRY_AFTER = 1

Answer = tuple[int, str, bytes]
"""Status, content type and body."""


@dataclass(frozen=True)
class Visit:
    """One request that came.

    Args:
        seconds: since the archive opened.
        target: path and query.
        agent: as whom the visitor introduced itself.
        status: of the answer.
    """

    seconds: float
    target: str
    agent: str
    status: int


class DemoArchive:
    """The archive, open from its making until ``close``; also a context manager.

    Args:
        items: what it holds; None is ``demo_items()``.
    """

    def __init__(self, items: list[DemoItem] | None = None) -> None:
        self.items = demo_items() if items is None else items
        self.visits: list[Visit] = []
        self._opened = time.monotonic()
        self._busy = {item.name for item in self.items if item.busy}
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler_of(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self.root = f"http://{LOOPBACK}:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "DemoArchive":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def page(self, number: int) -> dict[str, Any]:
        """Return a page of search results, numbered from 1.

        Raises:
            InputError: if the number is below 1.
        """
        if number < 1:
            raise InputError(f"pages are numbered from 1, got {number}")
        start = (number - 1) * PER_PAGE
        more = start + PER_PAGE < len(self.items)
        following = f"{self.root}/photos/?sp={number + 1}" if more else None
        results = [self._result(item) for item in self.items[start : start + PER_PAGE]]
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
                return self._photo(item)
        return 404, "text/plain", b"no such page"

    def _photo(self, item: DemoItem) -> Answer:
        if item.name in self._busy:
            self._busy.remove(item.name)
            return 429, "text/plain", b"too many requests"
        assert item.photo is not None
        return 200, item.kind, item.photo()

    def _result(self, item: DemoItem) -> dict[str, Any]:
        """Return one item as a page of results shows it."""
        address = item.address or f"{self.root}/{item.folder}/{item.name}.jpg"
        said = {"contributors": [item.creator], "rights_advisory": item.rights or None}
        return {
            "id": f"{self.root}/item/{item.name}/",
            "url": f"{self.root}/item/{item.name}/",
            "title": item.title,
            "date": item.date,
            "item": said,
            "image_url": [f"{address}#h=400&w=400"] if item.photo else [],
        }


def _json(page: Any) -> Answer:
    return 200, "application/json", json.dumps(page).encode()


def _handler_of(archive: DemoArchive) -> type[BaseHTTPRequestHandler]:
    """Return the class whose objects answer the requests to one archive."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer, and write down the visit."""
            seconds = time.monotonic() - archive._opened
            status, kind, body = archive.answer(self.path)
            agent = self.headers.get("User-Agent", "")
            archive.visits.append(Visit(seconds, self.path, agent, status))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", str(RETRY_AFTER))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing to stderr."""

    return Handler
