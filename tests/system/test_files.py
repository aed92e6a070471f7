"""Files appear whole or not at all."""

import json
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
