"""A web server in this process that cuts, refuses, lies and recovers, as it is told."""

import contextlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

MEMBERS = ("checkpoints/detection/a.pt", "checkpoints/restoration/b.pth")


def zip_bytes(names=("checkpoints/detection/a.pt", "checkpoints/restoration/b.pth", "x/c.txt")):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number, name in enumerate(names):
            file.writestr(name, bytes([number]) * 50_000)
    return buffer.getvalue()


CONTENT = zip_bytes()


@dataclass
class Shelf:
    """What the server answers for each path, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    failures: dict[str, list] = field(default_factory=dict)  # per path: one per request, in turn
    etags: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/octet-stream"
    ranges: bool = True
    requests: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        shelf = self.server.shelf
        wanted = self.headers.get("Range", "")
        shelf.requests.append((self.path, wanted))
        failure = (shelf.failures.get(self.path) or [None]).pop(0)
        if isinstance(failure, tuple):
            status, headers = failure
            return self.answer(status, b"", headers)
        if self.path not in shelf.files:
            return self.answer(404, b"", {})
        content, etag = shelf.files[self.path], shelf.etags.get(self.path, '"v1"')
        start, headers, status = 0, {"ETag": etag}, 200
        if wanted and shelf.ranges and self.headers.get("If-Range") == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.answer(status, content[start:], headers, cut_after=failure)

    def answer(self, status, body, headers, cut_after=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", self.server.shelf.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut_after is None else body[:cut_after])
        self.close_connection = True


@contextlib.contextmanager
def running_shelf() -> Iterator[Shelf]:
    """Serve CONTENT as /good.zip on this machine until the block ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.shelf = Shelf(files={"/good.zip": CONTENT})
    server.shelf.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.shelf
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
