"""Unpacking: the wanted members only, whole, and nowhere but in the folder."""

import io
import os
import zipfile

import pytest

from oldphoto.checks import InputError
from oldphoto.system.archives import unzip, zip_folder

MEMBERS = ("checkpoints/detection/a.pt", "checkpoints/restoration/b.pth")


def zip_bytes(names=MEMBERS):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number, name in enumerate(names):
            file.writestr(name, bytes([number]) * 50_000)
    return buffer.getvalue()


def test_a_folder_is_packed_even_if_the_clock_was_wrong(tmp_path):
    folder = tmp_path / "course"
    (folder / "pages").mkdir(parents=True)
    for name in ("a.txt", "pages/b.txt"):
        (folder / name).write_text(name, encoding="utf-8")
    os.utime(folder / "a.txt", (0, 0))  # 1970
    os.utime(folder / "pages/b.txt", (6e9, 6e9))  # 2160: a zip ends in 2107
    zip_folder(folder, tmp_path / "course.zip")
    with zipfile.ZipFile(tmp_path / "course.zip") as file:
        assert file.read("course/a.txt") == b"a.txt"
        assert file.read("course/pages/b.txt") == b"pages/b.txt"


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:evil", "a\\..\\evil"])
def test_an_archive_with_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    archive = tmp_path / "bad.zip"
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(info, b"evil")
        file.writestr(MEMBERS[0], b"good")
    with pytest.raises(InputError, match="unsafe name"):
        unzip(archive, tmp_path / "out", MEMBERS[:1])
    assert not (tmp_path / "out").exists()


def test_only_the_wanted_members_are_unpacked_wherever_they_lie(tmp_path):
    archive = tmp_path / "all.zip"
    archive.write_bytes(zip_bytes(("Global/" + MEMBERS[0], "Global/other.pth")))
    (path,) = unzip(archive, tmp_path / "out", MEMBERS[:1])
    assert path == tmp_path / "out" / MEMBERS[0]
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [path]


def test_a_member_that_lies_there_twice_is_refused(tmp_path):
    archive = tmp_path / "all.zip"
    archive.write_bytes(zip_bytes((MEMBERS[0], "old/" + MEMBERS[0])))
    with pytest.raises(InputError, match=r"detection/a\.pt once .* found it 2 times"):
        unzip(archive, tmp_path / "out", MEMBERS[:1])


def test_a_damaged_member_is_named_and_not_written(tmp_path):
    content = bytearray(zip_bytes())
    content[1000] ^= 1
    archive = tmp_path / "all.zip"
    archive.write_bytes(content)
    with pytest.raises(InputError, match=r"detection/a\.pt in .* is damaged"):
        unzip(archive, tmp_path / "out", MEMBERS)
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


def test_a_member_that_would_fill_the_disk_is_refused(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.pth", bytes(4_000_000))
    with pytest.raises(InputError, match=r"would unpack from [\d,]+ to 4,000,000 bytes"):
        unzip(archive, tmp_path / "to", ("a.pth",))
    assert not (tmp_path / "to" / "a.pth").exists()
