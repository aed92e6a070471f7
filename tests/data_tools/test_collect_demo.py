"""The archive of the lesson: true rights, one machine only, and a whole collection from it."""

import json
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from data_tools.catalogue import CATALOGUE_NAME, read_catalogue
from data_tools.collectors import demo
from data_tools.collectors.demo_items import demo_items, rights_words
from data_tools.collectors.demo_server import LOOPBACK, PER_PAGE, DemoArchive
from data_tools.collectors.licences import classify
from oldphoto.checks import InputError
from oldphoto.course.command_line import run_module
from oldphoto.samples import sample_sources


def test_real_photos_keep_their_rights():
    licence_of = {Path(row["file"]).stem: row["licence"] for row in sample_sources()}
    for item in demo_items():
        if item.name in licence_of:
            assert item.hidden_rights == rights_words(licence_of[item.name])
        else:
            assert item.title.startswith("Made for the lesson")


def test_pages_go_on_to_the_end_and_hold_every_item():
    with DemoArchive() as archive:
        titles, number = [], 1
        while True:
            page = json.loads(archive.answer(f"/photos/?q=x&sp={number}")[2])
            titles += [result["title"] for result in page["results"]]
            if not page["pagination"]["next"]:
                break
            number += 1
    assert titles == [item.title for item in demo_items()]
    assert number == -(-len(titles) // PER_PAGE)


def test_archive_listens_on_this_machine_only_and_says_what_it_does_not_have():
    with DemoArchive() as archive:
        assert archive.server_address[0] == LOOPBACK == "127.0.0.1"
        assert archive.answer("/robots.txt")[2].decode().endswith("Disallow: /private/\n")
        assert archive.answer("/photos/nobody.jpg")[0] == 404
        assert archive.answer("/photos/interview.jpg")[0] == 404
        assert archive.answer("/photos/melons.jpg")[0] == 429
        assert archive.answer("/photos/melons.jpg")[0] == 200
        with pytest.raises(InputError, match="numbered from 1"):
            archive.page(0)


@pytest.mark.parametrize(("port", "limit"), [(0, 5), (70_000, 5), (8080, 0)])
def test_wrong_numbers_are_refused(port, limit, tmp_path, capsys):
    assert demo.main([str(port), "--output", str(tmp_path), "--limit", str(limit)]) == 2
    assert "got" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_whole_collection_from_it(tmp_path):
    with DemoArchive() as archive:
        words = ("data_tools.collectors.demo", str(archive.port), "--output", "collected")
        said = run_module(tmp_path, *words, accepted=(1,))
        targets = [visit.target for visit in archive.visits]
        assert targets[0] == "/robots.txt"
        assert not any("private" in target or "/studio" in target for target in targets)
        assert all("student@example.org" in visit.agent for visit in archive.visits)
        assert [visit.status for visit in archive.visits].count(429) == 1
    rows = read_catalogue(tmp_path / "collected" / CATALOGUE_NAME)
    kept = {row.item_url.rstrip("/").rsplit("/")[-1] for row in rows if row.status == "kept"}
    trouble = {"login", "estate", "elsewhere", "cut_off"}
    allowed = {
        item.name for item in demo_items()
        if item.photo and classify(item.hidden_rights or item.rights)
    }  # fmt: skip
    assert kept == allowed - trouble
    assert all(f"refused: {name}:" in said for name in trouble)


def test_a_command_that_fails_says_why(tmp_path):
    with pytest.raises(InputError, match=r"exit code 2: .* no such file is there"):
        run_module(tmp_path, "data_tools", "split", ".")
