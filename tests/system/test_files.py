"""Files appear whole or not at all."""

import errno
import json
import os
import stat
import subprocess
import sys

import pytest

from oldphoto.system import files


def test_written_whole_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt), files.written_whole(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="there the whole path has such a limit")
@pytest.mark.parametrize("letter", ["n", "ñ", "老"])
def test_a_name_of_full_length_can_be_written(tmp_path, letter):
    room = 255 - len(".png")
    name = letter * (room // len(letter.encode())) + ".png"
    path = tmp_path / name
    with files.written_whole(path) as file:
        file.write(b"whole")
        (partial,) = tmp_path.iterdir()
        assert partial.name.endswith(".partial")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(name, b"whole")]


def test_json_and_sum_round_trip(tmp_path):
    path = tmp_path / "folder" / "note.json"
    files.write_json(path, {"name": "photo", "size": [2, 3]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "photo", "size": [2, 3]}
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert files.sha256_of(empty).startswith("e3b0c44298fc1c149afbf4c8996fb924")


def test_two_writers_of_one_name_never_mix(tmp_path):
    path = tmp_path / "note.txt"
    with files.written_whole(path) as one, files.written_whole(path) as two:
        one.write(b"1" * 1000)
        two.write(b"2" * 500)
        one.write(b"1" * 1000)
    assert path.read_bytes() == b"1" * 2000  # the last one to finish
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_drive_that_cannot_sync_is_accepted(tmp_path, monkeypatch, code):
    def refuse(_descriptor):
        raise OSError(code, "not here")

    monkeypatch.setattr(os, "fsync", refuse)
    with files.written_whole(tmp_path / "note.txt") as file:
        file.write(b"whole")
    assert (tmp_path / "note.txt").read_bytes() == b"whole"


def test_an_error_of_the_disk_is_not_taken_for_that(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="broken"), files.written_whole(tmp_path / "note.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="a folder cannot be opened there")
def test_file_and_folder_are_forced_to_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda d: synced.append(stat.S_ISDIR(os.fstat(d).st_mode)))
    with files.written_whole(tmp_path / "note.txt"):
        pass
    assert synced == [False, True]


def test_leftovers_of_dead_processes_of_this_machine_go(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    ours = f"a.jpg.{files.machine_id()}-{dead.pid}-00000000.partial"
    others = [
        f"a.jpg.{files.machine_id()}-{os.getppid()}-00000000.partial",  # of a living process
        f"a.jpg.00000000-{dead.pid}-00000000.partial",  # of another machine
        "a.jpg.partial",  # of another program
        f"{files.machine_id()}-{dead.pid}-00000000.partial.jpg",
    ]
    for name in (ours, *others):
        (tmp_path / name).touch()
    files.remove_leftovers(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(others)
