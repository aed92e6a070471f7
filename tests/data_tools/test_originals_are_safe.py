"""No command of data_tools deletes, replaces or leaks a file that it did not write."""

import errno
import os
from pathlib import Path
from unittest.mock import Mock

import pytest
from PIL import Image

from data_tools import examine
from data_tools.catalogue import (
    CATALOGUE_NAME,
    COLUMNS,
    CatalogueRow,
    append_row,
    read_catalogue,
    write_catalogue,
)
from data_tools.cli import main
from data_tools.collectors.album import Album
from oldphoto.checks import InputError
from oldphoto.samples import sample_photo
from oldphoto.system import outputs
from oldphoto.system.files import sha256_of
from oldphoto.system.outputs import HIDDEN, lock_folder

SAMPLES = ("cat", "coffee", "canyon", "builders", "lighthouse")
NO_UTF_8 = os.fsdecode(b"t\xe9l\xe9.png")


def save(path: Path, sample: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sample_photo(sample)).save(path)
    return path


@pytest.fixture
def source(tmp_path) -> Path:
    """A folder of three photos."""
    for sample in SAMPLES[:3]:
        save(tmp_path / "source" / f"{sample}.png", sample)
    return tmp_path / "source"


def clean(source: Path, output: Path) -> int:
    return main(["clean", str(source), "--output", str(output), "--min-side", "100"])


def contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by name, without the hidden folders."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in paths
        if HIDDEN not in path.parts
    }


# --- clean into a folder with files -------------------------------------------------------------


def test_clean_refuses_a_folder_of_originals_that_was_catalogued(source, tmp_path, capsys):
    originals = save(tmp_path / "my_photos" / "grandmother.png", "builders").parent
    assert main(["catalogue", str(originals), "--creator", "Ada"]) == 0
    before = contents(originals)
    assert clean(source, originals) == 2
    assert "holds files that were not made by this command" in capsys.readouterr().err
    assert contents(originals) == before


@pytest.mark.parametrize("name", ["../victim.png", "C:/victim.png", "C:\\victim.png", "ABSOLUTE"])
def test_rows_that_lead_out_of_the_folder_are_refused(source, tmp_path, capsys, name):
    victim = save(tmp_path / "victim.png", "builders")
    name = name.replace("ABSOLUTE", str(victim))
    output = tmp_path / "set"
    assert clean(source, output) == 0
    with (output / CATALOGUE_NAME).open("a", encoding="utf-8") as file:
        file.write(name + "," * (len(COLUMNS) - 1) + "\n")
    for words in (["clean", str(source), "--output", str(output)], ["split", str(output)]):
        assert main([*words]) == 2
        assert "leads out of the folder; remove the line" in capsys.readouterr().err
    assert victim.exists()


def test_files_of_the_user_in_a_cleaned_folder_stay(source, tmp_path, capsys):
    output = tmp_path / "set"
    assert clean(source, output) == 0
    (output / "cat.png").write_bytes(b"retouched")
    save(output / "mine.png", "builders")
    append_row(output / CATALOGUE_NAME, CatalogueRow("mine.png"))  # listed, and still the user's
    noted = (output / CATALOGUE_NAME).read_bytes()
    mine = sha256_of(output / "mine.png")
    save(source / "mine.png", "lighthouse")
    assert clean(source, output) == 0
    assert (output / "cat.png").read_bytes() == b"retouched"
    assert sha256_of(output / "cat_2.png") == sha256_of(source / "cat.png")
    assert sha256_of(output / "mine.png") == mine
    assert sha256_of(output / "mine_2.png") == sha256_of(source / "mine.png")
    assert (output / "catalogue_2.csv").read_bytes() == noted
    assert "catalogue.csv was changed since the last run: it is now catalogue_2.csv" in (
        capsys.readouterr().err
    )


def test_a_copy_whose_original_is_gone_may_be_the_last_one(source, tmp_path):
    output = tmp_path / "set"
    assert clean(source, output) == 0
    last = sha256_of(source / "cat.png")
    (source / "cat.png").unlink()
    for _ in range(2):
        assert clean(source, output) == 0
        assert sha256_of(output / "set_aside" / "gone" / "cat.png") == last
        rows = {row.path: row for row in read_catalogue(output / CATALOGUE_NAME)}
        assert rows["set_aside/gone/cat.png"].status == "set_aside"
        assert "cat.png" not in rows
    save(source / "cat.png", "cat")  # and back again
    assert clean(source, output) == 0
    assert sha256_of(output / "cat.png") == last


def test_a_copy_has_one_row_though_a_run_was_killed_before_its_rename(
    source, tmp_path, monkeypatch
):
    output = tmp_path / "set"
    assert clean(source, output) == 0
    (source / "cat.png").unlink()
    with monkeypatch.context() as patched, pytest.raises(SystemError):
        patched.setattr(outputs, "replace_file", Mock(side_effect=SystemError))
        clean(source, output)
    assert clean(source, output) == 0
    paths = [row.path for row in read_catalogue(output / CATALOGUE_NAME)]
    assert sorted(paths) == ["canyon.png", "coffee.png", "set_aside/gone/cat.png"]


def test_content_is_compared_and_not_size(source, tmp_path):
    output = tmp_path / "set"
    assert clean(source, output) == 0
    edited = bytearray((source / "cat.png").read_bytes())
    edited[-20] ^= 1  # in the checksum of a chunk: the size is the same
    (source / "cat.png").write_bytes(edited)
    clean(source, output)
    row = next(r for r in read_catalogue(output / CATALOGUE_NAME) if r.path.endswith("cat.png"))
    assert row.sha256 == sha256_of(source / "cat.png") == sha256_of(output / row.path)


def test_a_link_in_a_cleaned_folder_is_not_written_through(source, tmp_path, capsys):
    output, album = tmp_path / "set", tmp_path / "album"
    album.mkdir()
    assert clean(source, output) == 0
    (output / "set_aside").symlink_to(album)
    Image.new("RGB", (20, 20)).save(source / "tiny.png")
    assert clean(source, output) == 2
    assert "is a link or a file of yours, so nothing is written there" in capsys.readouterr().err
    assert list(album.iterdir()) == []


def test_a_report_folder_of_the_user_stays(source, tmp_path, capsys):
    output = tmp_path / "set"
    assert clean(source, output) == 0
    page, sheet = output / "report" / "report.html", output / "report" / "kept_01.jpg"
    page.write_text("mine", encoding="utf-8")
    sheet.write_bytes(b"mine")
    assert clean(source, output) == 2
    assert "report.html is not a file that this command wrote" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "mine"
    assert sheet.read_bytes() == b"mine"


# --- names and links ----------------------------------------------------------------------------


def test_a_link_is_named_and_not_copied(source, tmp_path, capsys):
    secret = save(tmp_path / "private" / "secret.png", "builders")
    (source / "link.png").symlink_to(secret)
    (source / "box").symlink_to(secret.parent)
    assert clean(source, tmp_path / "set") == 1
    said = capsys.readouterr().err
    assert "link.png: a link; copy the photo itself into the folder" in said
    assert "box: a link to a folder" in said
    assert sha256_of(secret) not in contents(tmp_path / "set").values()
    assert main(["catalogue", str(source)]) == 1


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
@pytest.mark.parametrize("name", [NO_UTF_8, "two\nlines.png", "bell\a.png", "box\\..\\out.png"])
def test_a_name_that_no_table_can_hold(source, tmp_path, capsys, name):
    save(source / name, "builders")
    output = tmp_path / "set"
    for _ in range(2):  # the second run is not refused
        assert clean(source, output) == 0
        assert {row.sha256 for row in read_catalogue(output / CATALOGUE_NAME)} == set(
            contents(source).values()
        )
    for row in read_catalogue(output / CATALOGUE_NAME):
        assert sha256_of(output / row.path) == row.sha256
    assert main(["catalogue", str(source)]) == 1
    assert "rename it" in capsys.readouterr().err
    assert len(read_catalogue(source / CATALOGUE_NAME)) == 3
    assert main(["catalogue", str(source)]) == 1


def test_blanks_in_names_are_kept(source, tmp_path):
    for name in ("a  b.png", " a b.png", "a b.png"):
        save(source / name, "builders")
    assert main(["catalogue", str(source)]) == 0
    paths = {row.path for row in read_catalogue(source / CATALOGUE_NAME)}
    assert paths >= {"a  b.png", " a b.png", "a b.png"}
    assert main(["catalogue", str(source)]) == 0
    assert not [r for r in read_catalogue(source / CATALOGUE_NAME) if r.status == "failed"]


# --- one bad file, a full disk, two commands ------------------------------------------------------


def test_one_file_that_cannot_be_read_stops_nobody(source, tmp_path, capsys, monkeypatch):
    def refuse(path):
        if path.name == "cat.png":
            raise PermissionError(errno.EACCES, "Permission denied")
        return sha256_of(path)

    monkeypatch.setattr(examine, "sha256_of", refuse)
    output = tmp_path / "set"
    assert clean(source, output) == 1
    assert "left out: " in capsys.readouterr().err
    rows = read_catalogue(output / CATALOGUE_NAME)
    assert sorted(row.status for row in rows) == ["failed", "kept", "kept"]
    assert main(["split", str(output)]) == 0
    assert main(["catalogue", str(source)]) == 1


@pytest.mark.parametrize("command", ["clean", "catalogue", "split", "report"])
def test_a_full_disk_is_one_sentence(source, tmp_path, capsys, monkeypatch, command):
    output = tmp_path / "set"
    assert clean(source, output) == 0
    save(source / "new.png", "builders")
    before = contents(output)

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    words = ["clean", str(source), "--output"] if command == "clean" else [command]
    assert main([*words, str(output)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("data_tools: ") and "free some space" in said
    assert contents(output) == before


def test_one_command_at_a_time_writes_into_a_folder(source, tmp_path, capsys):
    output = tmp_path / "set"
    assert clean(source, output) == 0
    with lock_folder(output):
        commands = [["split"], ["catalogue"], ["clean", str(source), "--output"]]
        for words in commands:
            assert main([*words, str(output)]) == 2
            assert f"another process is writing into {output} (process" in capsys.readouterr().err


# --- collect --------------------------------------------------------------------------------------

ROW = CatalogueRow("", item_id="7", image_url="http://x/7.png")


def arrive(album: Album, path: Path) -> None:
    album.receive(ROW, path.read_bytes())


def test_collect_never_replaces_a_file(source, tmp_path):
    folder = tmp_path / "old"
    mine = folder / "photos" / "loc" / "loc-7.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    album = Album(folder, "loc")
    arrive(album, source / "cat.png")
    album.keep(ROW)
    assert mine.read_bytes() == b"mine"
    (row,) = read_catalogue(folder / CATALOGUE_NAME)
    assert row.path == "photos/loc/loc-7_2.png"
    assert sha256_of(folder / row.path) == row.sha256


def test_a_hostile_catalogue_moves_nothing_outside(source, tmp_path):
    folder = tmp_path / "old"
    arrive(Album(folder, "loc"), source / "cat.png")
    with pytest.raises(InputError, match="cannot be listed"):
        append_row(folder / CATALOGUE_NAME, CatalogueRow("../out.png", source="loc", item_id="7"))
    row = CatalogueRow("photos/loc/out.png", source="loc", item_id="7")
    write_catalogue(folder / CATALOGUE_NAME, [row])
    text = (folder / CATALOGUE_NAME).read_text(encoding="utf-8")
    text = text.replace("photos/loc/out.png", "../out.png")
    (folder / CATALOGUE_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="leads out of the folder"):
        Album(folder, "loc")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("part", [".collect", "photos", "photos/loc"])
def test_collect_writes_through_no_link(tmp_path, part):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "old" / part).parent.mkdir(parents=True)
    (tmp_path / "old" / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is a link"):
        Album(tmp_path / "old", "loc")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_catalogue_that_is_a_link_is_not_written_through(tmp_path):
    target = tmp_path / "table.csv"
    write_catalogue(target, [])
    before = target.read_bytes()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / CATALOGUE_NAME).symlink_to(target)
    for write in (append_row, lambda path, row: write_catalogue(path, [row])):
        with pytest.raises(InputError, match="is a link"):
            write(tmp_path / "old" / CATALOGUE_NAME, ROW)
    assert target.read_bytes() == before
