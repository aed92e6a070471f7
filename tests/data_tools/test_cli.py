"""The command line of data_tools: help, wrong use, and listing a folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from data_tools.catalogue import CatalogueRow, read_catalogue, write_catalogue
from data_tools.cli import COMMANDS, build_parser, main
from oldphoto.samples import sample_photo
from oldphoto.system.files import sha256_of


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder with two photos, one of them in a folder inside."""
    (tmp_path / "box").mkdir()
    Image.fromarray(sample_photo("college")).save(tmp_path / "box" / "a.png")
    Image.fromarray(sample_photo("canyon")[:200]).save(tmp_path / "b.png")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"data_tools {command}" in capsys.readouterr().out


def test_every_command_is_listed():
    assert all(command in build_parser([]).format_help() for command in COMMANDS)


def test_wrong_use_of_the_module_prints_one_line_and_returns_2(tmp_path):
    words = [sys.executable, "-m", "data_tools", "split", str(tmp_path / "nowhere")]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("data_tools: expected a catalogue at")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [[], ["frobnicate"], ["split"]])
def test_missing_and_unknown_words_are_explained(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_catalogue_lists_a_folder_with_what_the_user_states(folder, capsys):
    words = ["catalogue", str(folder), "--source", "attic", "--licence", "CC0 1.0"]
    assert main(words) == 0
    rows = read_catalogue(folder / "catalogue.csv")
    assert [(row.path, row.height, row.width, row.mode) for row in rows] == [
        ("b.png", 200, 256, "RGB"),
        ("box/a.png", 256, 256, "L"),
    ]
    assert all((row.source, row.licence) == ("attic", "CC0 1.0") for row in rows)
    assert all(row.sha256 == sha256_of(folder / row.path) for row in rows)
    assert "2 photos" in capsys.readouterr().out


def test_catalogue_is_brought_up_to_date_without_losing_what_is_known(folder):
    main(["catalogue", str(folder), "--licence", "CC0 1.0"])
    (folder / "b.png").unlink()
    (folder / "broken.jpg").write_bytes(b"nothing")
    Image.fromarray(sample_photo("cat")).save(folder / "new.png")
    assert main(["catalogue", str(folder), "--licence", "CC BY 4.0"]) == 1
    rows = {row.path: row for row in read_catalogue(folder / "catalogue.csv")}
    assert rows["box/a.png"].licence == "CC0 1.0"
    assert rows["new.png"].licence == "CC BY 4.0"
    assert (rows["b.png"].status, rows["b.png"].licence) == ("failed", "CC0 1.0")
    assert rows["broken.jpg"].status == "set_aside"
    assert rows["broken.jpg"].reason.startswith("unreadable: ")
    Image.fromarray(sample_photo("cat")).save(folder / "broken.jpg")
    assert main(["catalogue", str(folder)]) == 0
    rows = {row.path: row for row in read_catalogue(folder / "catalogue.csv")}
    assert (rows["broken.jpg"].status, rows["broken.jpg"].reason) == ("kept", "")


def rows_of(folder: Path) -> dict[str, CatalogueRow]:
    """List the folder and return its rows by path."""
    assert main(["catalogue", str(folder)]) == 0
    return {row.path: row for row in read_catalogue(folder / "catalogue.csv")}


def test_a_renamed_photo_keeps_its_creator_and_licence(folder):
    main(["catalogue", str(folder), "--licence", "CC BY 4.0", "--creator", "Ada"])
    (folder / "b.png").rename(folder / "ferry.png")
    rows = rows_of(folder)
    assert set(rows) == {"ferry.png", "box/a.png"}
    row = rows["ferry.png"]
    assert (row.licence, row.creator, row.status) == ("CC BY 4.0", "Ada", "kept")


def test_a_photo_moved_back_by_hand_is_kept_and_one_moved_aside_is_not(folder):
    aside = folder / "set_aside" / "bordered"
    aside.mkdir(parents=True)
    (folder / "b.png").rename(aside / "b.png")
    rows = rows_of(folder)
    assert rows["set_aside/bordered/b.png"].status == "set_aside"
    assert rows["set_aside/bordered/b.png"].reason.startswith("bordered: ")
    main(["catalogue", str(folder), "--creator", "Ada"])
    (aside / "b.png").rename(folder / "b.png")
    rows = rows_of(folder)
    assert set(rows) == {"b.png", "box/a.png"}
    assert (rows["b.png"].status, rows["b.png"].creator) == ("kept", "Ada")


def test_a_copy_that_was_removed_is_missing_though_its_content_is_still_there(folder):
    (folder / "copy.png").write_bytes((folder / "b.png").read_bytes())
    rows_of(folder)
    (folder / "copy.png").unlink()
    assert rows_of(folder)["copy.png"].status == "failed"


def test_refused_items_of_a_collection_survive_a_listing_and_a_split(folder, capsys):
    refused = [CatalogueRow("", item_id=i, source="loc", status="failed") for i in ("1", "2")]
    write_catalogue(folder / "catalogue.csv", refused)
    assert main(["catalogue", str(folder)]) == 0
    assert "2 photos in" in capsys.readouterr().out
    assert main(["split", str(folder)]) == 0
    rows = read_catalogue(folder / "catalogue.csv")
    assert [row for row in rows if row.status == "failed"] == refused
    assert all(row.split for row in rows if row.status == "kept")


def test_contact_sheets_are_no_photos(folder):
    main(["catalogue", str(folder)])
    main(["report", str(folder)])
    Image.fromarray(sample_photo("cat")).save(folder / "report" / "kept_01.jpg")
    assert set(rows_of(folder)) == {"b.png", "box/a.png"}
    main(["report", str(folder), "--output", str(folder)])  # the page lies beside the photos
    assert set(rows_of(folder)) == {"b.png", "box/a.png"}


def test_folder_without_photos_is_refused(tmp_path, capsys):
    assert main(["catalogue", str(tmp_path)]) == 2
    assert "expected photos" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["catalogue", ""], ["clean", "a", "--output", ""]])
def test_an_empty_word_is_not_the_folder_that_one_is_in(words, capsys):
    assert main(words) == 2
    assert "of the call is empty" in capsys.readouterr().err


def test_a_statement_may_be_empty(folder):
    assert main(["catalogue", str(folder), "--licence", ""]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_what_could_not_be_printed_makes_the_exit_code_1(folder):
    words = [sys.executable, "-m", "data_tools", "catalogue", str(folder)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr


def test_control_characters_of_a_name_are_not_sent_to_the_terminal(tmp_path, capsys):
    assert main(["split", str(tmp_path / "a\x1b[2J")]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_no_worker_is_wrong_use(folder, capsys):
    assert main(["catalogue", str(folder), "--workers", "0"]) == 2
    assert "workers must be greater than 0, got 0" in capsys.readouterr().err


def test_photos_of_rare_kinds_and_names_are_named(folder, capsys):
    for name in ("a.mpo", "a.j2k", "a.pcx", "scan"):
        Image.new("RGB", (40, 40)).save(folder / name, "PNG")
    assert main(["catalogue", str(folder)]) == 1
    said = capsys.readouterr().err
    assert all(f"{name}: " in said for name in ("a.mpo", "a.j2k", "a.pcx", "scan"))
