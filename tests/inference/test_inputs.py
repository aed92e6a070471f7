"""Which files of an input are photos, and what is said about the others."""

import os
import sys
from pathlib import Path

import pytest

from oldphoto.checks import InputError
from oldphoto.inference import inputs
from oldphoto.inference.inputs import left_out_lines, search_photos

JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
on_unix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of Unix")


def make(path: Path, content: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def reasons(found: inputs.FoundPhotos) -> dict[str, tuple[str, bool]]:
    return {one.path.name: (one.reason, one.is_photo) for one in found.left_out}


def test_every_file_of_a_folder_is_a_photo_or_left_out(tmp_path):
    for name in ("a.jpg", "phone.HIF", "stereo.mpo", "camera.pef", "scan.j2k", "old.psd"):
        make(tmp_path / name)
    make(tmp_path / "letter.txt", b"Dear Grandmother,")
    make(tmp_path / "IMG_0001")
    make(tmp_path / ".DS_Store")
    make(tmp_path / "1931" / "deep" / "inside.jpg")
    make(tmp_path / "letters" / "letter.txt")
    found = search_photos([tmp_path])
    names = sorted(path.name for path in found.photos)
    assert names == ["a.jpg", "camera.pef", "old.psd", "phone.HIF", "scan.j2k", "stereo.mpo"]
    assert reasons(found) == {
        "letter.txt": (inputs.OTHER_ENDING, False),
        "IMG_0001": (inputs.MISNAMED, True),
        ".DS_Store": (inputs.HIDDEN, False),
        "1931": (inputs.SUBFOLDER, True),
        "letters": (inputs.SUBFOLDER, False),
    }


def test_recursive_finds_all_and_keeps_the_folders(tmp_path):
    make(tmp_path / "a.jpg")
    make(tmp_path / "1931" / "deep" / "a.jpg")
    make(tmp_path / ".thumbnails" / "a.jpg")
    make(tmp_path / "restored" / "a.jpg")
    found = search_photos([tmp_path], recursive=True, own_folders=[tmp_path / "restored"])
    places = {found.folders[path].as_posix() for path in found.photos}
    assert places == {".", "1931/deep"} and len(found.photos) == 2
    assert reasons(found) == {
        ".thumbnails": (inputs.HIDDEN, False),
        "restored": (inputs.OWN_FOLDER, False),
    }


@on_unix
def test_links_and_pipes(tmp_path):
    album = tmp_path / "album"
    make(album / "a.jpg")
    make(tmp_path / "elsewhere" / "b.jpg")
    (album / "annexed.jpg").symlink_to("nowhere")
    (album / "circle.jpg").symlink_to("circle.jpg")
    (album / "again.jpg").symlink_to("a.jpg")
    (album / "b.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    (album / "others").symlink_to(tmp_path / "elsewhere")
    (album / "loop").symlink_to(album)
    os.mkfifo(album / "pipe.jpg")
    (album / "null.png").symlink_to("/dev/null")
    found = search_photos([album], recursive=True)
    assert [path.name for path in found.photos] == ["a.jpg", "b.jpg"]
    assert reasons(found) == {
        "annexed.jpg": ("a link to a file that is not there", True),
        "circle.jpg": ("a link that leads back to itself", True),
        "again.jpg": (f"the same file as {album / 'a.jpg'}", False),
        "others": (inputs.LINKED_FOLDER, True),
        "loop": (inputs.LINKED_FOLDER, True),
        "pipe.jpg": (inputs.NO_FILE, True),
        "null.png": (inputs.NO_FILE, True),
    }


@on_unix
def test_what_a_shell_lists_does_not_stop_the_batch(tmp_path):
    """``restore album/*`` names links and folders one by one."""
    make(tmp_path / "a.jpg")
    (tmp_path / "annexed.jpg").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    found = search_photos(sorted(tmp_path.iterdir()))
    assert [path.name for path in found.photos] == ["a.jpg"]
    assert set(reasons(found)) == {"annexed.jpg", "empty", "pipe"}
    assert all(is_photo for _, is_photo in reasons(found).values())


def test_a_locked_folder_and_file_are_named(tmp_path, monkeypatch):
    make(tmp_path / "a.jpg")
    make(tmp_path / "locked" / "b.jpg")
    iterdir, stat = Path.iterdir, Path.stat

    def locked(path: Path):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", locked)
    found = search_photos([tmp_path], recursive=True)
    assert reasons(found) == {
        "locked": ("a folder that cannot be opened (Permission denied)", True)
    }
    make(tmp_path / "c.jpg")

    def no_rights(path: Path, **options: bool):
        if path.name == "c.jpg":
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", no_rights)
    found = search_photos([tmp_path], recursive=True)
    assert reasons(found)["c.jpg"] == ("it cannot be reached (Permission denied)", True)


def test_no_photo_at_all_says_what_is_there(tmp_path):
    make(tmp_path / "1931" / "a.jpg")
    with pytest.raises(InputError, match=r"found none; left out \(a sub-folder: add --recursive"):
        search_photos([tmp_path])
    with pytest.raises(InputError, match="nowhere, nothing is there"):
        search_photos([tmp_path, tmp_path / "nowhere"])


def test_a_file_named_twice_is_one_photo(tmp_path):
    photo = make(tmp_path / "a.jpg")
    found = search_photos([photo, tmp_path, photo])
    assert found.photos == [photo] and found.left_out == []


def test_lines_are_grouped_by_reason():
    one, two = (inputs.LeftOut(Path(name), inputs.HIDDEN) for name in (".a", ".b"))
    assert left_out_lines([one, two]) == ["left out (hidden, the name starts with a dot): .a, .b"]
