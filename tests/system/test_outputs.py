"""Output folders: what a command did not write is neither replaced nor deleted."""

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from oldphoto.checks import InputError
from oldphoto.system import files, outputs
from oldphoto.system.outputs import HIDDEN, OutputFolder, folded, lock_folder, photo_folder

RECORD = f"{HIDDEN}/files.jsonl"


def write(folder: Path, name: str, text: str, source: str = "photo:1") -> str:
    """Write a result under a free name, as a command does; return the name."""
    with OutputFolder(folder) as out:
        return out.write_text(name, text, source).name


def visible(folder: Path) -> dict[str, str]:
    """Return the files in a folder and their text, without the hidden folder."""
    return {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir() if p.name != HIDDEN}


def test_the_same_command_replaces_its_own_result(tmp_path):
    assert write(tmp_path, "a.jpg", "first") == "a.jpg"
    assert write(tmp_path, "a.jpg", "second") == "a.jpg"
    assert visible(tmp_path) == {"a.jpg": "second"}


def test_a_result_of_another_source_stays(tmp_path):
    write(tmp_path, "a.jpg", "mine", "photo:1")
    assert write(tmp_path, "a.jpg", "other", "photo:2") == "a_2.jpg"
    assert write(tmp_path, "a.jpg", "other again", "photo:2") == "a_2.jpg"
    assert visible(tmp_path) == {"a.jpg": "mine", "a_2.jpg": "other again"}


def test_a_result_that_the_user_changed_is_the_users(tmp_path):
    write(tmp_path, "a.jpg", "result")
    (tmp_path / "a.jpg").write_text("retouched", encoding="utf-8")
    assert write(tmp_path, "a.jpg", "result") == "a_2.jpg"
    with OutputFolder(tmp_path) as out:
        assert not out.remove("a.jpg")
        assert out.remove("a_2.jpg")
    assert visible(tmp_path) == {"a.jpg": "retouched"}


def test_a_deleted_result_is_forgotten(tmp_path):
    """The user may put a copy of it back, which is then the user's."""
    write(tmp_path, "a.jpg", "result")
    with OutputFolder(tmp_path) as out:
        assert out.remove("a.jpg")
    (tmp_path / "a.jpg").write_text("result", encoding="utf-8")
    with OutputFolder(tmp_path) as out:
        assert not out.remove("a.jpg")


@pytest.mark.parametrize("there", ["A.JPG", "a.jpg", "A.jpg"])
def test_names_that_differ_in_case_alone_are_one(tmp_path, there):
    (tmp_path / there).write_text("mine", encoding="utf-8")
    assert write(tmp_path, "a.jpg", "result") == "a_2.jpg"
    assert visible(tmp_path) == {there: "mine", "a_2.jpg": "result"}


def test_names_that_differ_in_the_form_of_an_accent_are_one(tmp_path):
    (tmp_path / "e\u0301.jpg").write_text("mine", encoding="utf-8")
    assert write(tmp_path, "\u00e9.jpg", "result") == "\u00e9_2.jpg"


@pytest.mark.parametrize("name", ["../a.jpg", "box/../../a.jpg", "/a.jpg", ""])
def test_names_that_lead_out_are_refused(tmp_path, name):
    folder = tmp_path / "out"
    (tmp_path / "a.jpg").write_text("mine", encoding="utf-8")
    with OutputFolder(folder) as out:
        for use in (out.remove, lambda name: out.writing(name, "x").__enter__()):
            with contextlib.suppress(InputError):
                use(name)
    assert visible(tmp_path / "out") == {}
    assert (tmp_path / "a.jpg").read_text(encoding="utf-8") == "mine"


def test_a_record_that_lies_deletes_nothing_outside(tmp_path):
    folder, victim = tmp_path / "out", tmp_path / "victim.jpg"
    victim.write_text("mine", encoding="utf-8")
    (folder / HIDDEN).mkdir(parents=True)
    lines = ["[" * 100_000, '{"name": 1}', "no json", ""]
    for name in ("../victim.jpg", str(victim), "link.jpg"):
        entry = {"name": name, "sha256": files.sha256_of(victim), "source": "photo:1"}
        lines.append(json.dumps(entry))
    (folder / RECORD).write_text("\n".join(lines), encoding="utf-8")
    (folder / "link.jpg").symlink_to(victim)
    with OutputFolder(folder) as out:
        for name in out.sources():
            assert not out.remove(name)
    assert victim.read_text(encoding="utf-8") == "mine"
    assert (folder / "link.jpg").is_symlink()
    assert write(folder, "link.jpg", "result") == "link_2.jpg"


def test_nothing_is_written_through_a_link(tmp_path):
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    out.mkdir()
    (out / "box").symlink_to(album)
    (out / "dangling.jpg").symlink_to(album / "new.jpg")
    with OutputFolder(out) as folder:
        with pytest.raises(InputError, match="left as it is"), folder.writing("box/a.jpg", "x"):
            pass
        with pytest.raises(InputError, match="is a link or a file of yours"):
            folder.free_name("box/a.jpg", "x")
        with pytest.raises(InputError, match="is a link or a file of yours"):
            folder.free_name("dangling.jpg/a.jpg", "x")
        assert folder.free_name("dangling.jpg", "x") == "dangling_2.jpg"
    assert list(album.iterdir()) == []


@pytest.mark.parametrize("part", [HIDDEN, f"{HIDDEN}/lock", RECORD])
def test_a_hidden_folder_that_is_a_link_is_refused(tmp_path, part):
    album, out = tmp_path / "album", tmp_path / "out"
    (album / "x").mkdir(parents=True)
    (out / part).parent.mkdir(parents=True)
    (out / part).symlink_to(album / "x", target_is_directory=part == HIDDEN)
    with pytest.raises(InputError, match="without links: remove"):
        OutputFolder(out).__enter__()
    assert list((album / "x").iterdir()) == []


def test_a_file_that_appears_while_a_result_is_made_stays(tmp_path):
    with OutputFolder(tmp_path) as out:
        with pytest.raises(InputError, match="left as it is"), out.writing("a.jpg", "x") as path:
            path.write_text("result", encoding="utf-8")
            (tmp_path / "a.jpg").write_text("mine", encoding="utf-8")
        assert visible(tmp_path) == {"a.jpg": "mine"}


@pytest.mark.parametrize("step", ["_note", "replace_file"])
def test_a_command_that_was_killed_finds_its_files_again(tmp_path, monkeypatch, step):
    """Killed before or after the record, or between record and rename."""
    write(tmp_path, "a.jpg", "first")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(OutputFolder if step == "_note" else outputs, step, stop)
        write(tmp_path, "a.jpg", "second")
    assert visible(tmp_path) == {"a.jpg": "first"}
    assert write(tmp_path, "a.jpg", "third") == "a.jpg"


def test_a_torn_record_loses_its_last_line_alone(tmp_path):
    write(tmp_path, "a.jpg", "a")
    write(tmp_path, "b.jpg", "b")
    record = tmp_path / RECORD
    record.write_bytes(record.read_bytes()[:-20])
    assert write(tmp_path, "a.jpg", "new") == "a.jpg"
    assert write(tmp_path, "b.jpg", "new") == "b_2.jpg"  # nothing proves that b.jpg is ours
    assert write(tmp_path, "b.jpg", "newer") == "b_2.jpg"


def test_the_record_does_not_grow_without_end(tmp_path):
    for number in range(300):
        write(tmp_path, "a.jpg", str(number))
    assert len((tmp_path / RECORD).read_text(encoding="utf-8").splitlines()) < 120


def test_a_full_disk_is_one_sentence_and_leaves_no_half_line(tmp_path, monkeypatch):
    write(tmp_path, "a.jpg", "first")
    before = (tmp_path / RECORD).read_bytes()

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, OutputFolder(tmp_path) as out:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"the disk of .* is full: free some space"):
            out.write_text("a.jpg", "second", "photo:1")
    assert visible(tmp_path) == {"a.jpg": "first"}
    assert (tmp_path / RECORD).read_bytes() == before


def test_an_output_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match=r"out cannot be written \(File exists\): choose another"):
        OutputFolder(tmp_path / "out").__enter__()


HOLD = """
import sys, time
from pathlib import Path
from oldphoto.system.outputs import OutputFolder
with OutputFolder(Path(sys.argv[1])) as out, out.writing("a.jpg", "x") as path:
    path.write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_and_a_killed_one(tmp_path):
    held = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert held.stdout is not None and held.stdout.readline() == b"held\n"
    try:
        said = f"another process is writing into {tmp_path} .process {held.pid}, .*: wait"
        with pytest.raises(InputError, match=said):
            OutputFolder(tmp_path).__enter__()
    finally:
        held.kill()
        held.wait()
    assert list((tmp_path / HIDDEN).glob("new-*"))  # what it was writing
    assert write(tmp_path, "a.jpg", "whole") == "a.jpg"
    assert not list((tmp_path / HIDDEN).glob("new-*"))


@pytest.mark.parametrize("error", [OSError(errno.ENOTSUP, "x"), NotImplementedError()])
def test_a_file_system_without_locks_is_accepted(tmp_path, monkeypatch, error):
    def refuse(_self):
        raise error

    monkeypatch.setattr(outputs.FileLock, "acquire", refuse)
    with lock_folder(tmp_path) as is_locked:
        assert not is_locked
    assert write(tmp_path, "a.jpg", "result") == "a.jpg"


# --- locks of other machines, and clocks ----------------------------------------------------------


def refused(folder):
    with pytest.raises(InputError) as caught, lock_folder(folder):
        pass
    return str(caught.value)


@pytest.fixture
def drive_without_flock(monkeypatch):
    """A network drive on which a lock is a file: it outlives its process."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)


def left_by(folder, monkeypatch, machine):
    """Leave the lock of a process that was killed, on a machine of this name."""
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: machine)
        patch.setattr(outputs.platform, "node", lambda: machine)
        patch.setattr(outputs, "machine_id", lambda: "01234567")
        with lock_folder(folder):
            files = {path: path.read_bytes() for path in (folder / HIDDEN).iterdir()}
    for path, content in files.items():
        path.write_bytes(content)


def test_the_lock_of_this_machine_names_the_process(tmp_path):
    with lock_folder(tmp_path):
        said = refused(tmp_path)
    assert f"(process {os.getpid()}, since 20" in said
    assert "delete" not in said  # the system frees this lock by itself
    assert [path.name for path in (tmp_path / HIDDEN).iterdir()] == ["lock"]


def test_a_lock_that_another_machine_left_on_a_drive(tmp_path, monkeypatch, drive_without_flock):
    left_by(tmp_path, monkeypatch, "attic-pc")
    if not (tmp_path / HIDDEN / "lock").exists():
        pytest.skip("this filelock takes such a drive for one without locks")
    said = refused(tmp_path)
    assert f"(process {os.getpid()} on the machine attic-pc, since 20" in said
    assert f"only if it is certain that it no longer runs, delete {tmp_path / HIDDEN}" in said
    (tmp_path / HIDDEN / "lock").unlink()  # as the sentence says
    assert write(tmp_path, "a.jpg", "result") == "a.jpg"
    assert not (tmp_path / HIDDEN / "lock.json").exists()


@pytest.mark.parametrize(
    "note",
    [
        b"", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"machine": "a"}',
        b'{"machine": "a", "id": "b", "process": 1e400, "since": "c"}',
        b'{"machine": "a\\u001b[2J", "id": "b", "process": "x", "since": [1]}',
    ],
)  # fmt: skip
def test_a_damaged_note_on_the_lock(tmp_path, note):
    with lock_folder(tmp_path):
        (tmp_path / HIDDEN / "lock.json").write_bytes(note)
        said = refused(tmp_path)
    assert "another process is writing" in said and "\x1b" not in said
    with lock_folder(tmp_path):
        pass


def test_a_lock_of_a_dead_process_whose_number_is_another_one_now(tmp_path, drive_without_flock):
    lock = tmp_path / HIDDEN / "lock"
    with lock_folder(tmp_path):
        lines = lock.read_text(encoding="utf-8").splitlines() if lock.exists() else []
    if len(lines) < 3:
        pytest.skip("this filelock does not write when a process began")
    lock.write_text("\n".join([*lines[:2], "123", ""]), encoding="utf-8")
    os.utime(lock, (9e9, 9e9))  # and in the future
    assert write(tmp_path, "a.jpg", "result") == "a.jpg"


@pytest.mark.parametrize("when", [0.0, 9e9])
def test_unfinished_files_of_another_time_are_removed_without_a_lock(tmp_path, monkeypatch, when):
    monkeypatch.setattr(outputs, "lock_folder", lambda *_: contextlib.nullcontext(False))
    (tmp_path / HIDDEN).mkdir()
    for name in ("new-1", "new-2"):
        (tmp_path / HIDDEN / name).write_bytes(b"half")
    os.utime(tmp_path / HIDDEN / "new-1", (when, when))
    write(tmp_path, "a.jpg", "result")
    assert [path.name for path in (tmp_path / HIDDEN).glob("new-*")] == ["new-2"]


def test_the_record_does_not_ask_the_clock(tmp_path, monkeypatch):
    write(tmp_path, "a.jpg", "one")
    os.utime(tmp_path / "a.jpg", (9e9, 9e9))
    os.utime(tmp_path / RECORD, (9e9, 9e9))
    monkeypatch.setattr(outputs, "time", SimpleNamespace(time=lambda: 0.0))
    assert write(tmp_path, "a.jpg", "two") == "a.jpg"
    assert (tmp_path / "a.jpg").read_text(encoding="utf-8") == "two"


def test_a_fresh_folder_deletes_what_is_on_record_and_renames_the_rest(tmp_path):
    run = tmp_path / "run"
    with OutputFolder(tmp_path) as out:
        assert out.fresh_folder("run") is None
        (run / "main").mkdir()
        (run / "main" / "log.csv").write_text("ours", encoding="utf-8")
        out.own_folder("run", "a command")
    with OutputFolder(tmp_path) as out:
        assert out.fresh_folder("run") is None
        assert list(run.iterdir()) == []
        (run / "main").mkdir()
        (run / "main" / "log.csv").write_text("ours", encoding="utf-8")
        out.own_folder("run", "a command")
        (run / "main" / "thesis.docx").write_text("mine", encoding="utf-8")
    with OutputFolder(tmp_path) as out:
        assert out.fresh_folder("run") == tmp_path / "run_2"
    assert list(run.iterdir()) == []
    assert visible(tmp_path / "run_2" / "main") == {"thesis.docx": "mine"}


@pytest.mark.parametrize("change", ["retouched", "put there since", "never on record"])
def test_a_fresh_folder_keeps_each_file_of_the_user(tmp_path, change):
    with OutputFolder(tmp_path) as out:
        out.fresh_folder("run")
        (tmp_path / "run" / "a.jpg").write_text("result", encoding="utf-8")
        if change != "never on record":
            out.own_folder("run", "a command")
        name = "b.jpg" if change == "put there since" else "a.jpg"
        (tmp_path / "run" / name).write_text(change, encoding="utf-8")
        assert out.fresh_folder("run") == tmp_path / "run_2"
    assert visible(tmp_path / "run_2") == {name: change}


@pytest.mark.parametrize("how", ["move", "put_aside", "fresh_folder"])
def test_a_name_that_was_taken_meanwhile_is_not_replaced(tmp_path, how):
    with OutputFolder(tmp_path) as out:
        out.write_text("a.jpg", "result", "photo:1")
        assert out.free_name("b.jpg", "x") == "b.jpg" and out.free_name("a.jpg", "") == "a_2.jpg"
        (tmp_path / "b.jpg").write_text("mine", encoding="utf-8")
        (tmp_path / "a_2.jpg").write_text("mine", encoding="utf-8")
        if how == "move":
            assert out.move("a.jpg", "b.jpg", "photo:1") == "b_2.jpg"
        elif how == "put_aside":
            assert out.put_aside("a.jpg") == "a_3.jpg"
        else:
            assert out.fresh_folder("a.jpg") == tmp_path / "a_3.jpg"
        assert (tmp_path / "b.jpg").read_text(encoding="utf-8") == "mine"
        assert (tmp_path / "a_2.jpg").read_text(encoding="utf-8") == "mine"


def test_names_of_full_length_get_a_number(tmp_path):
    name = "n" * 251 + ".jpg"
    (tmp_path / name).write_text("mine", encoding="utf-8")
    assert write(tmp_path, name, "result") == "n" * 249 + "_2.jpg"


def test_a_name_that_is_not_utf_8_survives(tmp_path):
    name = os.fsdecode(b"t\xe9l\xe9.jpg")
    assert write(tmp_path, name, "first") == name
    assert write(tmp_path, name, "second") == name
    assert folded(name) in {folded(other) for other in visible(tmp_path)}


def test_a_folder_of_photos_holds_results_alone_and_is_recognised_again(tmp_path, monkeypatch):
    monkeypatch.setenv("OLDPHOTO_STATE", str(tmp_path / "state"))
    out = tmp_path / "restored"
    for _ in range(2):
        with photo_folder(out) as outputs:
            name = outputs.free_name("a.jpg", "photo:1")
            with outputs.writing(name, "photo:1") as path:
                path.write_text("restored", encoding="utf-8")
    assert [path.name for path in out.iterdir()] == ["a.jpg"]
    (out / "a.jpg").write_text("retouched", encoding="utf-8")
    assert photo_folder(out).free_name("a.jpg", "photo:1") == "a_2.jpg"
    assert photo_folder(tmp_path / "elsewhere").free_name("a.jpg", "photo:2") == "a.jpg"


def test_a_file_that_was_being_written_when_a_command_was_killed_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("OLDPHOTO_STATE", str(tmp_path / "state"))
    outputs = photo_folder(tmp_path / "restored")
    with outputs:
        outputs.new_path("0.jpg").write_text("half", encoding="utf-8")
    with photo_folder(outputs.folder):
        assert list(outputs.folder.iterdir()) == []


def test_without_a_place_for_the_record_nothing_of_the_user_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("OLDPHOTO_STATE", str(tmp_path / "file"))
    for expected in ("a.jpg", "a_2.jpg"):
        with photo_folder(tmp_path / "restored") as outputs:
            name = outputs.free_name("a.jpg", "photo:1")
            with outputs.writing(name, "photo:1") as path:
                path.write_text("restored", encoding="utf-8")
        assert name == expected


def test_an_impossible_name_in_the_record_is_nobodys_file(tmp_path):
    with OutputFolder(tmp_path) as out:
        out.write_text("a.txt", "a", source="me")
    with out.record.open("a", encoding="utf-8") as file:
        for name in ("x" * 5000, "a\0b", "a.txt/b", "."):
            file.write(json.dumps({"name": name, "sha256": "0", "source": "me"}) + "\n")
    with OutputFolder(tmp_path) as out:
        assert [name for name in out.names_from("me") if out.is_ours(name)] == ["a.txt"]
        assert not any(out.remove(name) for name in out.names_from("me") if name != "a.txt")
