"""The command that downloads: the archive, its copies, a room without internet."""

import argparse
import hashlib
import importlib
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from oldphoto.checks import InputError
from oldphoto.cli import download as command
from oldphoto.system.download import RemoteFile

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


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def entry(shelf):
    archive = RemoteFile("all.zip", (f"{shelf.url}/good.zip",), "zip", 10**6, members=MEMBERS)
    copies = tuple(RemoteFile(name, (f"{shelf.url}/{name}",), "torch", 10**6) for name in MEMBERS)
    return command.Entry("a test", archive, MEMBERS, copies, "use {folder}")


def test_the_archive_is_unpacked_and_a_second_run_asks_nobody(entry, shelf, tmp_path):
    paths = command.obtain(entry, tmp_path)
    assert [p.read_bytes()[0] for p in paths] == [0, 1]
    assert command.obtain(entry, tmp_path) == paths and len(shelf.requests) == 1


def test_a_member_with_a_known_checksum_is_compared(entry, tmp_path):
    expected = hashlib.sha256(bytes([0]) * 50_000).hexdigest()
    for sha256 in (expected, "0" * 64):
        known = (replace(entry.copies[0], sha256=sha256), entry.copies[1])
        if sha256 == expected:
            assert command.obtain(replace(entry, copies=known), tmp_path / "good")
            continue
        with pytest.raises(InputError, match=r"a\.pt in all\.zip is not its authors' file"):
            command.obtain(replace(entry, copies=known), tmp_path / "bad")
    assert not (tmp_path / "bad" / MEMBERS[0]).exists()


def test_the_files_come_one_by_one_when_the_archive_is_gone(entry, shelf, tmp_path, capsys):
    del shelf.files["/good.zip"]
    shelf.files |= {f"/{name}": b"\x80\x02 weights" for name in MEMBERS}
    paths = command.obtain(entry, tmp_path)
    assert [p.read_bytes() for p in paths] == [b"\x80\x02 weights"] * 2
    assert "kept by others than its authors" in capsys.readouterr().err


def test_offline_says_what_to_download_by_hand_and_where_to_put_it(shelf, entry, tmp_path, naps):
    dead = f"http://127.0.0.1:{closed_port()}/good.zip"
    gone = tuple(replace(copy, urls=(dead,)) for copy in entry.copies)
    entry = replace(entry, file=replace(entry.file, urls=(dead,)), copies=gone)
    with pytest.raises(InputError, match="if this machine is offline, download http://") as caught:
        command.obtain(entry, tmp_path / "new", first_url=dead, sleep=naps.append)
    sentence = str(caught.value)
    assert f"put it at {tmp_path / 'new' / 'all.zip'} and run this command again" in sentence
    assert sentence.count("no connection") == 1 and "\n" not in sentence  # one host, said once
    assert naps == [] and not (tmp_path / "new").exists()


def test_the_command_takes_an_address_in_the_own_network(
    entry, shelf, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(command.ENTRIES, "official", replace(entry, copies=()))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    shelf.files["/room/here.zip"] = CONTENT
    arguments = ["official", "--to", str(tmp_path), "--url", f"{shelf.url}/room/here.zip"]
    assert command.run(parser.parse_args(arguments)) == 0
    assert [path for path, _ in shelf.requests] == ["/room/here.zip"]
    assert f"use {tmp_path}" in capsys.readouterr().out


def test_every_entry_can_be_fetched_and_says_what_it_is_for():
    for name, entry in command.ENTRIES.items():
        assert entry.about and entry.next_step and name.isidentifier()
        for file in (entry.file, *entry.copies):
            assert file.urls and all(url.startswith("https://") for url in file.urls)
            assert not Path(file.path).is_absolute() and len(file.sha256) in (0, 64)
        assert {copy.path for copy in entry.copies} <= set(entry.unpack)
    assert command.VGG.file.sha256.startswith("dcbb9e9d")  # as torchvision puts it in the name
