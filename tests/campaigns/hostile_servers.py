"""Hostile servers against ``fetch``, ``unzip`` and a crawl: each file is right, or is refused.

    python -m tests.campaigns.hostile_servers --seed 0 --count 400

A download holds if it ends in time, its file has the right bytes or the error is one sentence, and
nothing else lies in the folder. A crawl holds if it ends, keeps exactly the sound photos, and each
kept photo is in the catalogue with its SHA-256.
"""

import io
import random
import socketserver
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path

from data_tools.catalogue import CATALOGUE_NAME, read_catalogue
from oldphoto.checks import InputError
from oldphoto.system import download
from oldphoto.system.archives import unzip
from oldphoto.system.download import RemoteFile, fetch
from oldphoto.system.files import sha256_of
from oldphoto.system.streams import printable
from tests.campaigns.report import HELD, campaign_parser, finish
from tests.data_tools import archive_server, fake_archives, run_crawl

MEMBER = "weights.pth"
MAX_BYTES = 200_000
SECONDS = 600.0  # one that takes longer hangs
TRICKLE = 0.05  # seconds between the bytes of a slow answer
REDIRECTS = (
    "file:///etc/passwd", "ftp://127.0.0.1:1/x", "http://127.0.0.2:1/x", "http://169.254.169.254/",
    "http://[::1]:1/", "http://[::bad/", "//", "data:,x", "http://a b\0/", "/",
    "https://127.0.0.1:1/", "gopher://127.0.0.1/",
)  # fmt: skip
NAMES = ("../out.txt", "/out.txt", "C:\\out.txt", "a/../../out.txt", "..\\out.txt", "x:out.txt")


class Server(socketserver.ThreadingTCPServer):
    """Answers the path ``/N`` with the N-th answer: bytes, and whether they trickle."""

    daemon_threads, block_on_close, request_queue_size = True, False, 50

    def __init__(self, answers: list[tuple[bytes, bool]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.root = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        try:
            request = self.request.recv(65536)
            number = request.partition(b" /")[2].partition(b" ")[0]
            if not number.isdigit():  # robots.txt, or where a redirect led
                self.request.sendall(b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n")
                return
            answer, is_slow = self.server.answers[int(number)]
            step = 1 if is_slow else 1 << 16
            for start in range(0, len(answer), step):
                self.request.sendall(answer[start : start + step])
                time.sleep(TRICKLE if is_slow else 0)
        except OSError:
            return


def zip_of(content: bytes, chance: random.Random, hostile: bool) -> bytes:
    """Return a zip file with the member; a hostile one holds a name that leads out, or a bomb."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        kind = chance.choice(("name", "bomb", "twice", "none")) if hostile else ""
        if kind == "name":
            file.writestr(chance.choice(NAMES), "out")
        if kind != "none":
            file.writestr(f"box/{MEMBER}", bytes(30_000_000) if kind == "bomb" else content)
        if kind == "twice":
            file.writestr(f"other/{MEMBER}", content)
    return buffer.getvalue()


def head_of(kind: str, chance: random.Random) -> tuple[str, str]:
    """Return the status and more headers of an answer."""
    status, more = "200 OK", ""
    if kind == "redirect":
        status, more = "302 Found", f"Location: {chance.choice(REDIRECTS)}\r\n"
    elif kind == "status":
        status = chance.choice(("404 None", "500 Bad", "206 Part", "204 None", "999 ?", "abc"))
        more = chance.choice(("", "Retry-After: 99999\r\n", "Content-Range: bytes 5-9/10\r\n"))
    elif kind == "coding":
        more = chance.choice(("Content-Encoding: gzip", "Transfer-Encoding: chunked")) + "\r\n"
    elif kind == "headers":
        more = "".join(f"X-{n}: {'x' * chance.choice((10, 70_000))}\r\n" for n in range(120))
    elif kind == "page":
        more = "Content-Type: text/html\r\n"
    return status, more


def body_of(body: bytes, kind: str, chance: random.Random) -> tuple[bytes, str]:
    """Return the body of an answer and its alleged length; "" for none."""
    length = str(len(body))
    if kind == "length":
        wrong = (0, len(body) // 2, len(body) + 1, 10**9, 10**30, -1, "\xb2", "1, 2", "0x10", "")
        length = str(chance.choice(wrong))
    elif kind == "cut":
        body = body[: chance.randrange(len(body))]
    elif kind == "endless":
        body, length = body + bytes(2 * MAX_BYTES), ""
    elif kind == "bytes":
        changed = bytearray(body)
        for _ in range(chance.randint(1, 20)):
            changed[chance.randrange(len(changed))] ^= chance.randint(1, 255)
        body = bytes(changed)
    return body, length


def answer_with(body: bytes, kind: str, chance: random.Random) -> tuple[bytes, bool]:
    """Return what a server sends for a body, with one kind of fault, and whether it trickles."""
    if kind == "noise":
        return chance.randbytes(chance.randrange(2000)), False
    status, more = head_of(kind, chance)
    body, length = body_of(body, kind, chance)
    size = f"Content-Length: {length}\r\n" if length else ""
    head = f'HTTP/1.1 {status}\r\nETag: "1"\r\nConnection: close\r\n{more}{size}\r\n'
    if kind == "slow headers":
        return head[:40].encode() + b"x" * 100_000, True
    return head.encode("latin-1") + body, kind == "slow"


KINDS = (
    "length", "cut", "endless", "redirect", "status", "coding", "headers", "page", "bytes", "noise",
    "slow", "slow headers", "archive", "sound",
)  # fmt: skip


def try_download(number: int, seed: int, folder: Path) -> str:
    """Fetch and unpack a file from a hostile server; return what did not hold."""
    chance = random.Random(f"{seed} {number}")
    kind = KINDS[number % len(KINDS)]
    content = chance.randbytes(chance.choice((500, 5_000, 50_000)))
    body = zip_of(content, chance, hostile=kind == "archive")
    answer = answer_with(body, kind, chance)
    known = sha256(body).hexdigest() if kind == "bytes" or chance.random() < 0.5 else ""
    began = time.monotonic()
    with Server([answer]) as server:
        remote = RemoteFile("all.zip", (f"{server.root}/0",), "zip", MAX_BYTES, known, (MEMBER,))
        try:
            archive = fetch(remote, folder / "to", sleep=lambda seconds: None)
            (unpacked,) = unzip(archive, folder / "to", (MEMBER,))
            if unpacked.read_bytes() != content:
                return f"{kind}: other bytes were unpacked"
        except InputError as error:
            if kind == "sound" or printable(str(error)) != str(error):
                return f"{kind}: {error}"
        except Exception as error:  # noqa: BLE001 - what the campaign looks for
            return f"{kind}: {type(error).__name__}: {error}"
        finally:
            server.shutdown()
    if time.monotonic() - began > SECONDS:
        return f"{kind}: took {time.monotonic() - began:.0f} s"
    allowed = {f"all.zip{end}" for end in ("", ".json", ".partial", ".partial.json")} | {MEMBER}
    found = {path.name for path in folder.rglob("*") if path.is_file()}
    return f"{kind}: left {sorted(found - allowed)}" if found - allowed else ""


def try_crawl(count: int, seed: int, folder: Path) -> Counter[str]:
    """Collect photos that a hostile server holds; return how often each outcome was found."""
    chance = random.Random(f"{seed} crawl")
    # Every second photo is sound: several bad ones in a row end a crawl, as they should.
    kinds = ["sound" if number % 2 else KINDS[number // 2 % len(KINDS)] for number in range(count)]
    photos = [archive_server.photo_bytes(number) for number in range(count)]
    pairs = zip(photos, kinds, strict=True)
    server = Server([answer_with(photo, kind, chance) for photo, kind in pairs])
    archive = archive_server.ArchiveServer(lambda path, query: {})
    files = [(f"{server.root}/{number}", "CC0") for number in range(count)]
    archive.pages = fake_archives.commons(archive.root, files, per_page=50)
    few = {"DOWNLOAD_TIMEOUT": 2, "DOWNLOAD_MAXSIZE": MAX_BYTES, "RETRY_TIMES": 1}
    few["COLLECT_LONGEST_WAIT"] = 10**6  # a host that asks for more ends a crawl, as it should
    few["COLLECT_FIRST_WAIT"] = 0
    done = run_crawl.run("commons", folder, root=archive.root, limit=1000, overrides=few)
    archive.close()
    server.shutdown()
    rows = read_catalogue(folder / CATALOGUE_NAME)
    listed = {row.path: row.sha256 for row in rows if row.path}
    kept = {path.relative_to(folder).as_posix() for path in folder.glob("photos/**/*.*")}
    whole = not done.get("error") and not done["problem"] and kept == set(listed)
    sound = [sha256(photo).hexdigest() for photo in photos]
    outcomes = Counter[str]()
    for number, kind in enumerate(kinds):
        is_kept = sound[number] in listed.values()
        held = whole and (is_kept or kind not in ("sound", "archive"))
        outcomes[HELD if held else f"{kind}: not kept, or {done.get('problem')}"] += 1
    for path, mark in listed.items():
        if sha256_of(folder / path) != mark:
            outcomes[f"{path} has other bytes than its row says"] += 1
    return outcomes


def main() -> int:
    """Run the campaign."""
    args = campaign_parser(__doc__, count=400).parse_args()
    download.TIMEOUT_SECONDS = download.ANSWER_SECONDS = download.SLOW_SECONDS = 2.0
    outcomes = {f"hostile servers: {name}": Counter[str]() for name in ("download", "crawl")}
    with tempfile.TemporaryDirectory() as place:
        for number in range(args.count):
            folder = Path(place) / str(number)
            folder.mkdir()
            fault = try_download(number, args.seed, folder)
            outcomes["hostile servers: download"][fault or HELD] += 1
        crawled = try_crawl(2 * max(len(KINDS), args.count // 10), args.seed, Path(place) / "crawl")
        outcomes["hostile servers: crawl"] = crawled
    return finish(outcomes, args)


if __name__ == "__main__":
    sys.exit(main())
