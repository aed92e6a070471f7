"""A small archive on 127.0.0.1 that answers in the shapes of the real ones, and misbehaves."""

import io
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from PIL import Image


def photo_bytes(number: int, kind: str = "JPEG") -> bytes:
    """Return a small photo file; each number gives another picture."""
    pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


class ArchiveServer:
    """Serve pages and photos, and remember who asked for what.

    Args:
        pages: from (path, query parameters) to the JSON answer of that page.

    ``photos`` maps a path, from its last ``/p/`` on, to the steps of its answers, the last one for
    ever. A step is bytes (a JPEG), a status, or a dictionary: status, headers, body, pause
    (seconds), repeat (of the body).
    """

    def __init__(self, pages: Callable[[str, dict[str, list[str]]], Any]) -> None:
        self.pages = pages
        self.photos: dict[str, list[Any]] = {}
        self.served: Counter[str] = Counter()
        self.log: list[tuple[float, str, str]] = []
        self.robots = "User-agent: *\nAllow: /\n"
        self._photos_left: float = math.inf
        self._let_go = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer_photos(self, num: float) -> None:
        """Answer ``num`` more photos; whoever asks for another one then waits for nothing."""
        self._let_go.set()
        self._let_go = threading.Event()
        self._photos_left = num

    def close(self) -> None:
        """Stop serving."""
        self._let_go.set()
        self._server.shutdown()
        self._server.server_close()

    def asked(self, part: str) -> list[tuple[float, str, str]]:
        """Return time, target and user agent of the requests whose target holds the part."""
        return [entry for entry in self.log if part in entry[1]]

    def answer(self, target: str) -> dict[str, Any]:
        """Return the next answer to a request."""
        parts = urlsplit(target)
        path = unquote(parts.path)
        if path == "/robots.txt":
            return {"headers": {"Content-Type": "text/plain"}, "body": self.robots.encode()}
        if steps := self.photos.get(path[path.rfind("/p/") :]):
            step = steps.pop(0) if len(steps) > 1 else steps[0]
            return _step(step)
        page = self.pages(path, parse_qs(parts.query))
        if isinstance(page, dict) and "raw" in page:
            return page["raw"]
        return {"headers": {"Content-Type": "application/json"}, "body": json.dumps(page).encode()}

    def _leaves_waiting(self, path: str) -> bool:
        """Say whether a request gets no answer; it is then let go of with the next allowance."""
        self._photos_left -= "/p/" in path
        if "/p/" not in path or self._photos_left >= 0:
            return False
        self._let_go.wait()
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                agent = self.headers.get("User-Agent", "")
                server.log.append((time.monotonic(), self.path, agent))
                if server._leaves_waiting(self.path):
                    self.close_connection = True
                    return
                answer = server.answer(self.path)
                body = answer.get("body", b"") * answer.get("repeat", 1)
                self.send_response(answer.get("status", 200))
                for name, value in answer.get("headers", {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    for chunk in (body[:20], body[20:]):
                        self.wfile.write(chunk)
                        time.sleep(answer.get("pause", 0.0))
                    server.served[self.path] += answer.get("status", 200) == 200
                except OSError:
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                """Write nothing to stderr."""

        return Handler


def _step(step: Any) -> dict[str, Any]:
    """Return one step of a photo's answers in full."""
    if isinstance(step, bytes):
        return {"headers": {"Content-Type": "image/jpeg"}, "body": step}
    return {"status": step} if isinstance(step, int) else step
