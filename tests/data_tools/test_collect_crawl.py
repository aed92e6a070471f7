"""Whole crawls against an archive on this machine that pages, stumbles, lies and is killed."""

import gzip
import importlib
import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scrapy")
sys.path.insert(0, str(Path(__file__).parent))
archive_server = importlib.import_module("archive_server")
fake_archives = importlib.import_module("fake_archives")
run_crawl = importlib.import_module("run_crawl")

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, read_catalogue  # noqa: E402
from data_tools.collectors import SOURCE_NAMES  # noqa: E402
from oldphoto.system.files import sha256_of  # noqa: E402

PHOTO = archive_server.photo_bytes(0)


@pytest.fixture
def server() -> Iterator[Any]:
    one = archive_server.ArchiveServer(lambda path, query: {})
    yield one
    one.close()


def fill(server: Any, num: int, per_page: int = 3, licence: str = "Public domain") -> None:
    """Let the server be a Commons with ``num`` good photos."""
    files = [(f"/p/{number}.jpg", licence) for number in range(num)]
    server.pages = fake_archives.commons(server.root, files, per_page)
    server.photos |= {path: [archive_server.photo_bytes(i)] for i, (path, _) in enumerate(files)}


def kept(folder: Path) -> list[CatalogueRow]:
    rows = read_catalogue(folder / CATALOGUE_NAME) if (folder / CATALOGUE_NAME).exists() else []
    return [row for row in rows if row.status == "kept"]


def require_agreement(folder: Path) -> None:
    """Fail unless every row of a photo has its file, and every file its row."""
    rows = kept(folder)
    files = {path.relative_to(folder).as_posix() for path in (folder / "photos").rglob("*.*")}
    assert {row.path for row in rows} == files
    assert len({row.item_id for row in rows}) == len(rows)
    for row in rows:
        assert sha256_of(folder / row.path) == row.sha256


@pytest.mark.parametrize("source", SOURCE_NAMES)
def test_every_source_pages_and_filters(source: str, server: Any, tmp_path: Path) -> None:
    """Five items on two pages: one share-alike, one without a photo."""
    server.pages = fake_archives.PAGES[source](server.root)
    server.photos |= {f"/p/{number}.jpg": [PHOTO] for number in range(5)}
    done = run_crawl.run(source, tmp_path, root=server.root, key="K3Y")
    assert done["problem"] == ""
    assert done["failures"] == []
    assert (done["num_photos"], done["num_added"]) == (3, 3)
    assert sum(done["skipped"].values()) == 2
    require_agreement(tmp_path)
    for row in kept(tmp_path):
        assert row.source == source
        assert row.licence
        assert row.item_url
        assert row.image_url
        assert row.title
        assert row.creator
        assert row.credit
    assert all("me@my.org" in agent for _, _, agent in server.log)


def test_the_limit_is_kept_and_a_second_run_goes_on(server: Any, tmp_path: Path) -> None:
    fill(server, 8)
    first = run_crawl.run("commons", tmp_path, limit=2, root=server.root)
    assert (first["num_photos"], first["num_added"]) == (2, 2)
    assert len(server.asked("/p/")) == 2
    assert len(server.asked("api.php")) == 1
    second = run_crawl.run("commons", tmp_path, limit=5, root=server.root)
    assert (second["num_photos"], second["num_added"]) == (5, 3)
    assert max(server.served.values()) == 1  # no photo, page or robots.txt twice
    assert len(server.log) == 5 + 2 + 1
    third = run_crawl.run("commons", tmp_path, limit=5, root=server.root)
    assert (third["num_photos"], third["num_added"], third["num_requests"]) == (5, 0, 0)
    assert len(server.log) == 5 + 2 + 1


def test_everything_that_can_go_wrong_with_a_photo(server: Any, tmp_path: Path) -> None:
    def step(status: int = 200, kind: str = "image/jpeg", body: bytes = PHOTO, **more: Any) -> Any:
        return {"status": status, "headers": {"Content-Type": kind}, "body": body} | more

    def to(address: str) -> list[Any]:
        return [{"status": 302, "headers": {"Location": address}}]

    port = server.root.rsplit(":", 1)[1]
    png = archive_server.photo_bytes(1, "PNG")
    bomb = {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}
    answers: dict[str, tuple[list[Any], str]] = {
        "wait": ([{"status": 429, "headers": {"Retry-After": "1"}}, PHOTO], ""),
        "busy": ([503, PHOTO], ""),
        "moved": (to("/p/good.jpg"), ""),
        "untyped": ([step(kind="application/octet-stream", body=png)], ""),
        "slow": ([step(pause=4.0)], "DownloadTimeoutError"),
        "html": ([step(kind="text/html", body=b"<html>")], "content of type text/html"),
        "liar": ([step(body=b"<html>a page that calls itself a photo")], "got bytes"),
        "inside": (to(f"http://127.0.0.2:{port}/p/good.jpg"), "127.0.0.2 is not a public"),
        "cloud": (to("http://169.254.169.254/latest/"), "169.254.169.254 is not a public"),
        "loop": (to("/p/loop.jpg"), "max redirections"),
        "broken": ([PHOTO[:700]], "incoming"),
        "large": ([step(body=PHOTO[:4], repeat=20_000)], "larger than 50000 bytes"),
        "bomb": ([step(headers=bomb, body=gzip.compress(bytes(5_000_000)))], "exceeded"),
        "gone": ([404], "status 404"),
        "robots": ([PHOTO], "robots.txt"),
    }
    files = [(f"/p/{name}.jpg", "CC BY 4.0") for name in answers]
    files += [("file:///etc/passwd", "CC0"), ("nonsense", "CC0"), ("http://10.0.0.1/x.jpg", "CC0")]
    server.pages = fake_archives.commons(server.root, files, per_page=50)
    server.photos |= {f"/p/{name}.jpg": steps for name, (steps, _) in answers.items()}
    server.photos["/p/good.jpg"] = [PHOTO]
    server.robots = "User-agent: *\nDisallow: /p/robots.jpg\n"
    few = {"DOWNLOAD_TIMEOUT": 2, "DOWNLOAD_MAXSIZE": 50_000, "RETRY_TIMES": 1}
    done = run_crawl.run("commons", tmp_path, root=server.root, overrides=few)

    reasons = dict(done["failures"])
    for number, (name, (_, part)) in enumerate(answers.items()):
        reason = reasons.get(str(1000 + number), "")
        assert part in reason if part else not reason, f"{name}: {reason!r}"
    assert "file:" in reasons["1015"]
    assert "nonsense" in reasons["1016"]
    assert "10.0.0.1 is not a public address" in reasons["1017"]
    assert done["problem"] == ""
    assert done["num_photos"] == 4
    require_agreement(tmp_path)
    assert not list((tmp_path / ".collect" / "incoming").iterdir())
    assert not server.asked("/p/robots.jpg")

    # Nobody was asked anything while the archive wanted to be left alone.
    at = server.asked("/p/wait.jpg")[0][0]
    assert not [entry for entry in server.log if at < entry[0] < at + 0.99]

    # What was refused is not asked for again; what only did not come is.
    server.log.clear()
    server.photos["/p/slow.jpg"] = [PHOTO]
    again = run_crawl.run("commons", tmp_path, root=server.root, overrides=few)
    assert [target for _, target, _ in server.log] == ["/p/slow.jpg"]
    assert again["failures"] == []
    assert again["num_photos"] == 5


def test_killed_at_random_and_started_again(server: Any, tmp_path: Path) -> None:
    num, num_kills, rng = 18, 4, random.Random(5)
    fill(server, num, per_page=5)
    for steps in server.photos.values():
        steps[0] = {"headers": {"Content-Type": "image/jpeg"}, "body": steps[0], "pause": 0.01}
    album = tmp_path / "album"
    safe: set[str] = set()
    for _ in range(num_kills):
        already = len(server.log)
        num_answered = rng.randint(2, 4)  # at most 16 of the 18 photos before the last kill
        server.answer_photos(num_answered)
        process = run_crawl.start("commons", album, num, root=server.root)
        wait_for_photos(server, len(server.asked("/p/")) + num_answered)
        time.sleep(rng.random() * 0.06)  # the last photo is on its way, checked, listed or moved
        assert process.is_alive()
        process.kill()
        process.join()
        # What has a row, or lies whole in ``incoming``, must never be asked for again.
        for target in safe:
            assert not [entry for entry in server.log[already:] if entry[1] == target]
        waiting = [path for path in (album / ".collect" / "incoming").glob("commons-????")]
        ids = [row.item_id for row in kept(album)] + [path.name[-4:] for path in waiting]
        safe = {f"/p/{int(number) - 1000}.jpg" for number in ids}
        files = {path.name for path in (album / "photos").rglob("*.*")}
        assert files <= {Path(row.path).name for row in kept(album)}  # no file without a row
    # A crawl asks for a photo once it has the one before: the kills fell into its middle.
    assert 0 < len(safe) < num
    server.answer_photos(math.inf)
    done = run_crawl.run("commons", album, num, root=server.root)
    assert (done["problem"], done["num_photos"]) == ("", num)
    require_agreement(album)
    # Only an answer that was on its way at a kill may have been sent a second time.
    assert sum(server.served.values()) - len(server.served) <= num_kills
    assert not list((album / ".collect" / "incoming").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_stops_at_once_and_the_next_crawl_goes_on(server: Any, tmp_path: Path) -> None:
    fill(server, 6, per_page=6)
    server.answer_photos(2)  # the third is asked for, but never comes
    process = run_crawl.start("commons", tmp_path, root=server.root)
    wait_for_photos(server, 3)
    os.kill(process.pid, signal.SIGINT)
    process.join(600)
    assert process.exitcode == 0
    stopped = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert "the crawl was stopped: start the same command again" in stopped["problem"]
    assert (stopped["num_photos"], stopped["failures"]) == (2, [])
    server.answer_photos(math.inf)
    done = run_crawl.run("commons", tmp_path, root=server.root)
    assert (done["problem"], done["num_photos"], done["num_added"]) == ("", 6, 4)
    require_agreement(tmp_path)


def wait_for_photos(server: Any, num: int) -> None:
    """Return once ``num`` photos have been asked for in all."""
    latest = time.monotonic() + 600
    while len(server.asked("/p/")) < num:
        assert time.monotonic() < latest, "the crawl asks for no photo"
        time.sleep(0.002)


def test_robots_txt_of_the_service_itself_is_obeyed(server: Any, tmp_path: Path) -> None:
    server.robots = "User-agent: *\nDisallow: /photos/\n"
    done = run_crawl.run("loc", tmp_path, root=server.root)
    assert "cannot be asked: Forbidden by robots.txt" in done["problem"]
    assert [target for _, target, _ in server.log] == ["/robots.txt"]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ({"status": 429, "headers": {"Retry-After": "3600"}}, "asks to wait 3600 seconds"),
        ({"status": 500}, "answered with status 500: try again later"),
        ({"status": 403}, "answered with status 403: check the key"),
        ({"headers": {"Content-Type": "text/html"}, "body": b"<html>robot?"}, "text/html instead"),
        ({"body": b'{"stat": "fail", "message": "Invalid API Key K3Y5ECRET"}'}, "Invalid API Key"),
        ({"status": 302, "headers": {"Location": "http://8.8.8.8/"}}, "answered with status 302"),
    ],
)
def test_a_service_that_refuses(
    page: dict[str, Any], sentence: str, server: Any, tmp_path: Path
) -> None:
    server.pages = lambda path, query: {"raw": page}
    album = tmp_path / "album"
    once = {"RETRY_TIMES": 0}
    done = run_crawl.run("flickr", album, root=server.root, key="K3Y5ECRET", overrides=once)
    assert sentence in done["problem"]
    assert len(server.asked("/services/rest/")) == 1
    for path in album.rglob("*"):  # the key is written nowhere
        assert path.is_dir() or b"K3Y5ECRET" not in path.read_bytes(), path


def test_offline(tmp_path: Path) -> None:
    done = run_crawl.run("commons", tmp_path, root="http://127.0.0.1:9")
    assert "127.0.0.1:9 could not be reached (the connection was refused)" in done["problem"]
    assert done["num_requests"] == 2
    assert "start the same command again" in done["problem"]


def test_a_network_that_goes_down_in_the_middle(server: Any, tmp_path: Path) -> None:
    fill(server, 12, per_page=12)
    server.photos |= {f"/p/{number}.jpg": [500] for number in range(2, 12)}
    done = run_crawl.run("commons", tmp_path, root=server.root, overrides={"RETRY_TIMES": 0})
    assert "5 photos in a row did not come (the last: status 500)" in done["problem"]
    assert (done["num_photos"], len(done["failures"])) == (2, 5)
    assert len(server.asked("/p/")) == 7


def test_a_name_that_leads_home_is_refused(server: Any, tmp_path: Path) -> None:
    root = server.root.replace("127.0.0.1", "localhost")
    done = run_crawl.run("commons", tmp_path, root=root, allowed=[])
    assert "localhost leads to 127.0.0.1, which is not a public address" in done["problem"]
    assert server.log == []


def test_a_busy_wiki_is_given_time(server: Any, tmp_path: Path) -> None:
    fill(server, 2)
    good, lag = server.pages, [{"error": {"code": "maxlag", "info": "Waiting for 10.0.0.1"}}]

    def pages(path: str, query: dict[str, list[str]]) -> Any:
        headers = {"Content-Type": "application/json", "Retry-After": "1"}
        if lag:
            return {"raw": {"headers": headers, "body": str(lag.pop()).replace("'", '"').encode()}}
        return good(path, query)

    server.pages = pages
    done = run_crawl.run("commons", tmp_path, root=server.root)
    assert (done["problem"], done["num_photos"]) == ("", 2)
    first, second = server.asked("api.php")
    assert second[0] - first[0] >= 1.0


def test_results_without_an_allowed_photo_end_the_crawl(server: Any, tmp_path: Path) -> None:
    fill(server, 30, per_page=1, licence="CC BY-SA 4.0")
    done = run_crawl.run("commons", tmp_path, root=server.root)
    assert "20 pages of results in a row held no photo that is allowed" in done["problem"]
    assert len(server.asked("api.php")) == 20
    assert done["skipped"] == {"licence not allowed": 20}


def test_an_answer_of_another_shape_is_a_problem(server: Any, tmp_path: Path) -> None:
    server.pages = lambda path, query: {"query": {"pages": [{"title": "x", "imageinfo": [3]}]}}
    done = run_crawl.run("commons", tmp_path, root=server.root)
    assert "an answer could not be read, see" in done["problem"]
    assert "AttributeError" in (tmp_path / ".collect" / "log.txt").read_text(encoding="utf-8")


def test_two_crawls_in_one_process(server: Any, tmp_path: Path) -> None:
    fill(server, 1)
    done = run_crawl.run("commons", tmp_path, root=server.root, times=2)
    assert "a crawl has already run in this Python process" in done["error"]
    assert len(kept(tmp_path)) == 1
