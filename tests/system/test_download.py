"""Downloads against a web server in this process that cuts, refuses, lies and recovers."""

import contextlib
import errno
import hashlib
import importlib
import json
import os
import shutil
import socketserver
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from oldphoto.checks import InputError
from oldphoto.system import download
from oldphoto.system.download import DownloadError, RemoteFile, fetch

sys.path.insert(0, str(Path(__file__).parents[1]))
web_shelf = importlib.import_module("web_shelf")

CONTENT, MEMBERS = web_shelf.CONTENT, web_shelf.MEMBERS


@pytest.fixture
def shelf():
    with web_shelf.running_shelf() as one:
        yield one


@pytest.fixture
def naps():
    return []


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def remote(shelf, *paths, **changes):
    urls = tuple(path if "://" in path else shelf.url + path for path in paths or ("/good.zip",))
    plain = RemoteFile("all.zip", urls, "zip", max_bytes=10**6, members=MEMBERS)
    return replace(plain, **changes)


def test_a_file_comes_whole_with_a_record_beside_it(shelf, tmp_path, naps):
    path = fetch(remote(shelf), tmp_path / "new" / "folder", naps.append)
    assert path.read_bytes() == CONTENT and naps == []
    record = json.loads((path.parent / "all.zip.json").read_text(encoding="utf-8"))
    assert record["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert record["bytes"] == len(CONTENT) and record["url"] == shelf.url + "/good.zip"
    assert sorted(p.name for p in path.parent.iterdir()) == ["all.zip", "all.zip.json"]


def test_what_is_there_is_not_fetched_again(shelf, tmp_path, naps):
    for _ in range(2):
        fetch(remote(shelf), tmp_path, naps.append)
    assert len(shelf.requests) == 1


def test_a_cut_connection_resumes_where_it_stopped(shelf, tmp_path, naps):
    shelf.failures["/good.zip"] = [70_000, 30_000]
    path = fetch(remote(shelf), tmp_path, naps.append)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in shelf.requests] == ["", "bytes=70000-", "bytes=100000-"]
    assert naps == [1.0, 1.0]  # each attempt brought something: no growing wait


def test_a_killed_download_resumes_in_the_next_process(shelf, tmp_path):
    shelf.failures["/good.zip"] = [60_000]

    def killed(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(remote(shelf), tmp_path, killed)
    assert (tmp_path / "all.zip.partial").stat().st_size == 60_000
    assert not (tmp_path / "all.zip").exists()
    assert fetch(remote(shelf), tmp_path).read_bytes() == CONTENT
    assert shelf.requests[-1][1] == "bytes=60000-"


def test_stopped_between_the_last_byte_and_the_check_needs_no_server(shelf, tmp_path):
    (tmp_path / "all.zip.partial").write_bytes(CONTENT)
    note = {"url": shelf.url + "/good.zip", "validator": '"v1"', "bytes": len(CONTENT)}
    (tmp_path / "all.zip.partial.json").write_text(json.dumps(note), encoding="utf-8")
    assert fetch(remote(shelf), tmp_path).read_bytes() == CONTENT
    assert shelf.requests == []


@pytest.mark.parametrize(
    "note",
    [
        {"validator": '"v0"'}, {"validator": ""}, {"url": "http://elsewhere"}, {"url": None},
        {"validator": 5}, {"validator": ["x"]}, {"validator": "a\nRange: b"}, {"validator": "ü"},
        {"bytes": "70000"}, {"bytes": []}, {"bytes": 70_000.0}, {"bytes": True},
    ],
    ids=[
        "old version", "no mark", "other address", "damaged note", "a number as mark",
        "a list as mark", "a mark of two lines", "a mark beyond ASCII", "size as text",
        "size as list", "size as fraction", "size is true",
    ],
)  # fmt: skip
def test_bytes_of_another_version_are_not_mixed_in(shelf, tmp_path, note):
    (tmp_path / "all.zip.partial").write_bytes(CONTENT[:70_000].swapcase())
    good = {"url": shelf.url + "/good.zip", "validator": '"v1"', "bytes": len(CONTENT)}
    (tmp_path / "all.zip.partial.json").write_text(json.dumps(good | note), encoding="utf-8")
    assert fetch(remote(shelf), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 100_000], ids=["", "{}", "[]", "deep"])
def test_a_damaged_record_is_named(shelf, tmp_path, text):
    fetch(remote(shelf), tmp_path)
    (tmp_path / "all.zip.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"all\.zip\.json is no record of a download; delete it"):
        fetch(remote(shelf), tmp_path)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]"])
def test_a_damaged_note_starts_over(shelf, tmp_path, text):
    (tmp_path / "all.zip.partial").write_bytes(b"PK")
    (tmp_path / "all.zip.partial.json").write_text(text, encoding="utf-8")
    assert fetch(remote(shelf), tmp_path).read_bytes() == CONTENT
    assert shelf.requests == [("/good.zip", "")]


def test_a_server_without_ranges_starts_over(shelf, tmp_path, naps):
    shelf.ranges = False
    shelf.failures["/good.zip"] = [70_000]
    assert fetch(remote(shelf), tmp_path, naps.append).read_bytes() == CONTENT


def test_a_partial_file_longer_than_the_server_s_starts_over(shelf, tmp_path, naps):
    (tmp_path / "all.zip.partial").write_bytes(CONTENT + b"more")
    note = {"url": shelf.url + "/good.zip", "validator": '"v1"', "bytes": None}
    (tmp_path / "all.zip.partial.json").write_text(json.dumps(note), encoding="utf-8")
    shelf.failures["/good.zip"] = [(416, {})]
    assert fetch(remote(shelf), tmp_path, naps.append).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_with_growing_waits(shelf, tmp_path, naps, status):
    shelf.failures["/good.zip"] = [(status, {}), (status, {}), (status, {"Retry-After": "17"})]
    assert fetch(remote(shelf), tmp_path, naps.append).read_bytes() == CONTENT
    assert naps == [2.0, 4.0, 17.0]


def test_a_server_that_stays_busy_is_given_up(shelf, tmp_path, naps):
    shelf.failures["/good.zip"] = [(503, {})] * 9
    with pytest.raises(DownloadError, match=r"could not download all\.zip .* answered 503"):
        fetch(remote(shelf), tmp_path, naps.append)
    assert len(shelf.requests) == 5


def test_a_server_that_asks_for_an_hour_is_given_up_at_once(shelf, tmp_path, naps):
    shelf.failures["/good.zip"] = [(429, {"Retry-After": "3600"})]
    with pytest.raises(DownloadError, match="answered 429"):
        fetch(remote(shelf), tmp_path, naps.append)
    assert naps == []


def test_a_missing_file_goes_to_the_next_address_at_once(shelf, tmp_path, naps):
    path = fetch(remote(shelf, "/gone.zip", "/good.zip"), tmp_path, naps.append)
    assert path.read_bytes() == CONTENT and naps == []


def test_a_web_page_is_refused_and_the_next_address_tried(shelf, tmp_path, naps):
    shelf.files["/login"] = b"<!DOCTYPE html><p>Welcome to the hotel"
    assert fetch(remote(shelf, "/login", "/good.zip"), tmp_path, naps.append).is_file()
    with pytest.raises(DownloadError, match="what came is not a zip file"):
        fetch(remote(shelf, "/login"), tmp_path / "other", naps.append)
    shelf.content_type = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="a web page came instead of the file"):
        fetch(remote(shelf, "/login"), tmp_path / "other", naps.append)
    assert not list((tmp_path / "other").glob("*.zip"))


def test_junk_does_not_cost_what_was_already_here(shelf, tmp_path, naps):
    shelf.failures["/good.zip"] = [70_000, (404, {})]
    shelf.files["/junk"] = b"junk"
    with pytest.raises(DownloadError):
        fetch(remote(shelf, "/good.zip", "/junk"), tmp_path, naps.append)
    assert (tmp_path / "all.zip.partial").read_bytes() == CONTENT[:70_000]


def test_a_wrong_checksum_leaves_nothing(shelf, tmp_path, naps):
    with pytest.raises(DownloadError, match=f"SHA-256 should be {'0' * 64}, and is"):
        fetch(remote(shelf, sha256="0" * 64), tmp_path, naps.append)
    assert not list(tmp_path.glob("all.zip*"))


def test_the_first_download_is_trusted_and_a_later_one_must_equal_it(shelf, tmp_path, naps):
    fetch(remote(shelf), tmp_path, naps.append).unlink()
    shelf.files["/good.zip"] = web_shelf.zip_bytes((*MEMBERS, "new.txt"))
    with pytest.raises(DownloadError, match=r"at the first download and is now .* delete .*json"):
        fetch(remote(shelf), tmp_path, naps.append)
    (tmp_path / "all.zip.json").unlink()
    assert fetch(remote(shelf), tmp_path, naps.append).is_file()


def test_a_zip_without_the_expected_members_is_refused(shelf, tmp_path, naps):
    shelf.files["/other.zip"] = web_shelf.zip_bytes(("checkpoints/detection/a.pt",))
    with pytest.raises(DownloadError, match=r"restoration/b\.pth once .* found it 0 times"):
        fetch(remote(shelf, "/other.zip"), tmp_path, naps.append)


def test_a_file_beyond_the_limit_is_refused_before_it_comes(shelf, tmp_path, naps):
    with pytest.raises(DownloadError, match="expected at most 1,000 bytes, it has"):
        fetch(remote(shelf, max_bytes=1000), tmp_path, naps.append)


def test_a_file_placed_by_hand_is_checked_and_used(shelf, tmp_path):
    (tmp_path / "all.zip").write_bytes(CONTENT)
    assert fetch(remote(shelf), tmp_path).read_bytes() == CONTENT
    assert json.loads((tmp_path / "all.zip.json").read_text())["url"] == "placed by hand"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "all.zip").write_bytes(CONTENT[:1000])
    with pytest.raises(InputError, match=r"not the expected file: .*cut short.*replace it"):
        fetch(remote(shelf), tmp_path / "b")
    assert shelf.requests == []


def test_a_full_disk_is_one_sentence(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 1000))
    with pytest.raises(InputError, match=r"disk is full .* 1,000 are free.*; free some space"):
        fetch(remote(shelf), tmp_path)


def test_a_disk_that_fills_up_on_the_way_keeps_the_partial_file(shelf, tmp_path, monkeypatch):
    def full(number):
        if os.fstat(number).st_size > 10_000:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="the disk is full"):
        fetch(remote(shelf), tmp_path)
    assert (tmp_path / "all.zip.partial").stat().st_size == len(CONTENT)


def test_a_folder_that_cannot_be_made_is_one_sentence(shelf, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match=r"cannot write .*choose a folder"):
        fetch(remote(shelf), tmp_path / "file" / "inside")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_only_web_addresses_are_opened(shelf, tmp_path, url):
    with pytest.raises(DownloadError, match="not an http or https address"):
        fetch(remote(shelf, url), tmp_path)


# Hostile servers: the bytes of an answer, as they go over the wire

HEAD = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nConnection: close\r\n'


@contextlib.contextmanager
def raw_server(answer, pause=0.0):
    """Answer every request with the same bytes; with a pause, one byte at a time."""

    class RawHandler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            parts = [answer[i : i + 1] for i in range(len(answer))] if pause else [answer]
            with contextlib.suppress(OSError):
                for part in parts:
                    self.request.sendall(part)
                    time.sleep(pause)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), RawHandler) as server:
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/all.zip"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: \xb2\r\n\r\nPK",
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nPK",
        HEAD + b"Content-Length: -5\r\n\r\nPK",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nPK\x03\x04\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nPK\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::bad/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:port/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://a b\x00/\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: \xb2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-\xb2/\xb3\r\n\r\nPK",
        b"HTTP/9.9 999 ?\r\n\r\n",
        b"\x00\xff nothing like HTTP",
        b"",
    ],
)
def test_an_answer_that_is_no_proper_http_is_one_sentence(tmp_path, naps, answer):
    with raw_server(answer) as url:
        remote_file = RemoteFile("all.zip", (url,), "zip", max_bytes=10**6)
        with pytest.raises(DownloadError, match=r"could not download all\.zip"):
            fetch(remote_file, tmp_path, naps.append)
    assert not (tmp_path / "all.zip").exists()


def test_a_server_that_sends_a_trickle_is_left(tmp_path, naps, monkeypatch):
    monkeypatch.setattr(download, "SLOW_SECONDS", 0.3)
    answer = HEAD + b"Content-Length: 100000\r\n\r\n" + CONTENT
    with raw_server(answer, pause=0.01) as url:
        remote_file = RemoteFile("all.zip", (url,), "zip", max_bytes=10**6)
        with pytest.raises(DownloadError, match=r"too slow: \d+ bytes in \d+ seconds"):
            fetch(remote_file, tmp_path, naps.append)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 404 "])
def test_what_a_server_says_cannot_steer_the_terminal(tmp_path, naps, start):
    with (
        raw_server(start + b"\x1b[2J\x07gone\r\n\r\n") as url,
        pytest.raises(DownloadError, match="gone") as caught,
    ):
        fetch(RemoteFile("all.zip", (url,), "zip", max_bytes=10**6), tmp_path, naps.append)
    assert str(caught.value).isprintable()


def test_a_server_whose_headers_trickle_is_left(tmp_path, naps, monkeypatch):
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.3)
    with raw_server(HEAD + b"X" * 1000, pause=0.01) as url:
        remote_file = RemoteFile("all.zip", (url,), "zip", max_bytes=10**6)
        with pytest.raises(DownloadError, match="too slow: no answer in 0 seconds"):
            fetch(remote_file, tmp_path, naps.append)
