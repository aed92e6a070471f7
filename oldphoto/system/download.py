"""Download large files over HTTP with checksums, and resume after a broken connection.

A download goes to ``NAME.partial`` and is renamed only after it was checked, so a file under its
own name is complete. A broken connection or a killed process resumes where it stopped. Several
addresses are tried in turn. A web page in place of the file (a hotel's login page, a "not found"
with status 200) is refused.

This uses ``urllib``, which handles redirects, proxies and certificates. The usual clients do not
resume: requests even drops what came since its last full chunk when a connection breaks.
"""

import contextlib
import http
import http.client
import itertools
import json
import os
import queue
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from tqdm.auto import tqdm

from oldphoto.checks import InputError
from oldphoto.system.archives import disk_sentence, find_members, require_space
from oldphoto.system.files import sha256_of, write_json
from oldphoto.system.streams import printable

TIMEOUT_SECONDS = 30.0  # without receiving a byte
ANSWER_SECONDS = 60.0  # until all headers have come
SLOW_SECONDS = 60.0  # a server that sends less than SLOW_BYTES in this time is left
SLOW_BYTES = 60 << 10
MAX_STALLED = 5  # attempts in a row without new bytes
MAX_WAIT_SECONDS = 60.0
CHUNK_BYTES = 1 << 20
_ENOUGH = 4  # bytes to know the kind of a file
TEMPORARY_STATUS = (408, 425, 429, 500, 502, 503, 504)  # try the same address again
FIRST_BYTES = {  # of a file of each kind; torch wrote plain pickles before 2020
    "zip": (b"PK\x03\x04",),
    "torch": (b"PK\x03\x04", b"\x80\x02"),
    "gzip": (b"\x1f\x8b",),
    "tar": (b"",),  # starts with the name of its first member, so only a checksum helps
}
_NO_RECORD = (ValueError, LookupError, TypeError, RecursionError)  # of a damaged JSON file


class DownloadError(InputError):
    """The file could not be downloaded from any address.

    Args:
        name: name of the file.
        reasons: address and what went wrong; the sentence repeats nothing for the same host.
    """

    def __init__(self, name: str, reasons: list[tuple[str, str]]) -> None:
        self.name, self.reasons = name, reasons
        lines = dict.fromkeys(f"{urlsplit(url).netloc}: {reason}" for url, reason in reasons)
        super().__init__(f"could not download {name} ({'; '.join(lines)})")


class _AddressError(Exception):
    """This address does not have the file; try the next one."""


class _TemporaryError(Exception):
    """The attempt failed, but the same address may work later."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes:
        path: where to save it, relative to the folder of the download, with "/".
        urls: its addresses, tried in this order.
        kind: "zip", "torch" (a torch.save file), "gzip" or "tar".
        max_bytes: a larger file is refused.
        sha256: SHA-256 in hex; "" if none was published. Then the first download is trusted, and
            later ones must be equal to it.
        members: files that a zip must contain, each the end of a member's path.
    """

    path: str
    urls: tuple[str, ...]
    kind: Literal["zip", "torch", "gzip", "tar"]
    max_bytes: int
    sha256: str = ""
    members: tuple[str, ...] = ()


def fetch(remote: RemoteFile, folder: Path, sleep: Callable[[float], None] = time.sleep) -> Path:
    """Download a file into a folder and check it, unless it is there already.

    The first download writes ``NAME.json`` with address, size and SHA-256 beside the file, and
    every later one is compared with it. A file that was copied there by hand is checked, too.

    Args:
        remote: the file.
        folder: made if it is missing.
        sleep: waits between attempts; tests pass their own.

    Returns:
        The path of the file.

    Raises:
        DownloadError: if the file could not be downloaded from any address.
        InputError: if a wrong file is there already, or the disk is full or not writable.
    """
    target = folder / remote.path
    try:
        if target.is_file():
            _verify(remote, target, target)
            return target
        return _fetch_from_any(remote, target, sleep)
    except _AddressError as error:
        raise InputError(
            f"{target} is not the expected file: {error}; delete it or replace it"
        ) from error
    except OSError as error:
        raise InputError(disk_sentence(error, target)) from error


def _fetch_from_any(remote: RemoteFile, target: Path, sleep: Callable[[float], None]) -> Path:
    partial = target.with_name(target.name + ".partial")
    reasons = []
    for url in remote.urls:
        try:
            _fetch_from(url, remote, partial, sleep)
            _verify(remote, partial, target, url)
        except _AddressError as error:
            reasons.append((url, str(error)))
            continue
        partial.replace(target)
        _note_file(partial).unlink(missing_ok=True)
        return target
    raise DownloadError(target.name, reasons)


def _fetch_from(
    url: str, remote: RemoteFile, partial: Path, sleep: Callable[[float], None]
) -> None:
    """Try one address until the file is complete; give up when attempts bring nothing new."""
    furthest, stalled = _size(partial), 0
    while True:
        try:
            return _attempt(url, remote, partial)
        except _TemporaryError as error:
            stalled = 0 if _size(partial) > furthest else stalled + 1
            furthest = max(furthest, _size(partial))
            if stalled >= MAX_STALLED or error.wait > MAX_WAIT_SECONDS:
                raise _AddressError(str(error)) from error
            sleep(max(error.wait, min(2.0**stalled, MAX_WAIT_SECONDS)))


def _attempt(url: str, remote: RemoteFile, partial: Path) -> None:
    """Request the missing part and append it to the partial file."""
    if not url.startswith(("https://", "http://")):
        raise _AddressError("not an http or https address")
    start, validator, total = _resume_point(partial, url)
    if start and start == total:
        return  # stopped between the last byte and the check
    try:
        with _request(url, start, validator) as response:
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                start = 0  # the server sends everything: it cannot resume, or the file changed
            total = _total_size(response, remote, start)
            partial.parent.mkdir(parents=True, exist_ok=True)
            require_space(partial.parent, (total or start) - start)
            note = {"url": url, "validator": _validator(response), "bytes": total}
            _append(response, remote, partial, start, note)
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _TemporaryError(f"the connection broke: {_reason(error)}") from error
    except InputError:
        raise
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        # From http.client and urllib: a redirect or a length that is none.
        raise _AddressError(f"the answer is not proper HTTP: {_reason(error)}") from error
    if total is not None and _size(partial) < total:
        raise _TemporaryError(f"the connection closed after {_size(partial):,} of {total:,} bytes")


def _request(url: str, start: int, validator: str) -> http.client.HTTPResponse:
    """Open the address, from byte ``start`` on if it still has the same version of the file."""
    headers = {"User-Agent": "oldphoto", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    try:
        request = urllib.request.Request(url, headers=headers)
        return _opened(request)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return _request(url, 0, "")  # the file there is shorter than what we have
        answer = f"the server answered {error.code} {_reason(error.reason)}"
        if error.code in TEMPORARY_STATUS:
            wait = _retry_after(error.headers.get("Retry-After", ""))
            raise _TemporaryError(answer, wait) from error
        raise _AddressError(answer) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise _TemporaryError(f"the connection broke: {_reason(error.reason)}") from error
        # No network, no such host, no server, a bad certificate: waiting does not help.
        raise _AddressError(f"no connection: {_reason(error.reason)}") from error


def _opened(request: urllib.request.Request) -> http.client.HTTPResponse:
    """Open an address; a server that sends its headers too slowly is left.

    The time limit of a socket begins anew with each byte, so a thread of its own waits for it.
    """
    answers: queue.SimpleQueue[http.client.HTTPResponse | Exception] = queue.SimpleQueue()

    def wait() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS))
        except Exception as error:  # noqa: BLE001 - raised again below
            answers.put(error)

    threading.Thread(target=wait, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise _AddressError(f"too slow: no answer in {ANSWER_SECONDS:.0f} seconds") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _total_size(response: http.client.HTTPResponse, remote: RemoteFile, start: int) -> int | None:
    """Return the size of the whole file, None if unknown; refuse an answer that is not the file."""
    if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise _AddressError("a web page came instead of the file")
    size = response.headers.get("Content-Length", "")
    if start:
        content_range = response.headers.get("Content-Range", "")
        sent_range, _, size = content_range.removeprefix("bytes ").partition("/")
        if not sent_range.startswith(f"{start}-"):
            raise _AddressError(f"asked for the bytes from {start} on, got {content_range!r}")
    total = _number(size)
    if total is not None and total > remote.max_bytes:
        raise _AddressError(f"expected at most {remote.max_bytes:,} bytes, it has {total:,}")
    return total


def _append(
    response: http.client.HTTPResponse,
    remote: RemoteFile,
    partial: Path,
    start: int,
    note: dict[str, str | int | None],
) -> None:
    chunks, position = _chunks(response), start
    first = next(chunks, b"")
    # Checked before the bytes of an earlier download are overwritten.
    if first and not start and not first.startswith(FIRST_BYTES[remote.kind]):
        raise _AddressError(f"what came is not a {remote.kind} file")
    name = partial.name.removesuffix(".partial")
    with (
        partial.open("ab" if start else "wb") as file,
        tqdm(total=note["bytes"], initial=start, unit="B", unit_scale=True, desc=name) as bar,
    ):
        write_json(_note_file(partial), note)  # after "wb" has removed bytes of another version
        for chunk in itertools.chain([first], chunks):
            position += len(chunk)
            if position > remote.max_bytes:
                raise _AddressError(f"more than {remote.max_bytes:,} bytes came")
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield what comes, at first enough to know the kind of the file; refuse a trickle."""
    start: bytes | None = b""
    since, came = time.monotonic(), 0
    while chunk := response.read1(CHUNK_BYTES):
        came += len(chunk)
        seconds = time.monotonic() - since
        if seconds >= SLOW_SECONDS:
            if came < SLOW_BYTES:
                raise _AddressError(f"too slow: {came:,} bytes in {seconds:.0f} seconds")
            since, came = time.monotonic(), 0
        if start is not None:
            start += chunk
            if len(start) < _ENOUGH:
                continue
            chunk, start = start, None
        yield chunk
    if start:
        yield start


def _resume_point(partial: Path, url: str) -> tuple[int, str, int | None]:
    """Return the number of bytes we have, the server's mark of their version, and the total size.

    Bytes from another address, or without such a mark, could belong to another version. Then the
    download starts again.
    """
    with contextlib.suppress(FileNotFoundError, *_NO_RECORD):
        note = json.loads(_note_file(partial).read_text(encoding="utf-8"))
        mark, total = note["validator"], note["bytes"]
        is_mark = isinstance(mark, str) and mark and mark.isascii() and mark.isprintable()
        if note["url"] == url and is_mark and (total is None or type(total) is int):
            return _size(partial), mark, total
    return 0, "", None


def _validator(response: http.client.HTTPResponse) -> str:
    """Return the ETag or the date that identifies this version of the file."""
    etag = response.headers.get("ETag", "")
    strong = "" if etag.startswith("W/") else etag  # If-Range takes no weak one
    return strong or response.headers.get("Last-Modified", "")


def _verify(remote: RemoteFile, path: Path, target: Path, url: str = "placed by hand") -> None:
    """Check the file; write the record beside it if there is none."""
    record_file, sha256 = _note_file(target), sha256_of(path)
    try:
        _refuse_wrong_content(remote, path, sha256, record_file)
    except (_AddressError, InputError) as error:
        if path != target:
            path.unlink()  # resuming would only give the same wrong file again
            _note_file(path).unlink(missing_ok=True)
        raise _AddressError(str(error)) from error
    if not record_file.is_file():
        when = datetime.now(UTC).isoformat(timespec="seconds")
        record = {"url": url, "sha256": sha256, "bytes": _size(path), "first_seen": when}
        write_json(record_file, record)


def _refuse_wrong_content(remote: RemoteFile, path: Path, sha256: str, record_file: Path) -> None:
    if remote.sha256 and sha256 != remote.sha256:
        raise _AddressError(f"its SHA-256 should be {remote.sha256}, and is {sha256}")
    if record_file.is_file():
        try:
            first = json.loads(record_file.read_text(encoding="utf-8"))["sha256"]
        except _NO_RECORD as error:
            raise _AddressError(
                f"{record_file} is no record of a download; delete it to accept the file"
            ) from error
        if sha256 != first:
            raise _AddressError(
                f"its SHA-256 was {first} at the first download and is now {sha256}; "
                f"delete {record_file} to accept the new file"
            )
    with path.open("rb") as file:
        if not file.read(4).startswith(FIRST_BYTES[remote.kind]):
            raise _AddressError(f"it is not a {remote.kind} file")
    if remote.kind == "zip":
        find_members(path, remote.members)


def _reason(error: object) -> str:
    strerror = getattr(error, "strerror", None)
    # Parts of what a server sent: it must not reach a terminal as it is.
    return printable(strerror or str(error) or type(error).__name__)


def _retry_after(header: str) -> float:
    return float(_number(header) or 0)


def _number(header: str) -> int | None:
    """Return the number in a header; None if it is none, or has more digits than any size."""
    is_number = header.isascii() and header.isdigit() and len(header) <= 18
    return int(header) if is_number else None


def _note_file(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
