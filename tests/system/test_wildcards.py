"""Wildcards that the shell has not replaced."""

from pathlib import Path

from oldphoto.system.wildcards import expand_wildcards


def test_a_pattern_is_replaced_by_files_in_order(tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for name in ("b.jpg", "a.jpg", ".hidden.jpg", "c.png"):
        (album / name).touch()
    expected = [album / "a.jpg", album / "b.jpg"]
    assert expand_wildcards([album / "*.jpg"]) == expected
    assert expand_wildcards([tmp_path / "*" / "[ab].jpg"]) == expected


def test_a_file_of_that_name_is_the_file(tmp_path):
    for name in ("a[1].jpg", "a1.jpg"):
        (tmp_path / name).touch()
    assert expand_wildcards([tmp_path / "a[1].jpg"]) == [tmp_path / "a[1].jpg"]


def test_a_pattern_for_nothing_stays():
    assert expand_wildcards([Path("nowhere/*.jpg")]) == [Path("nowhere/*.jpg")]
