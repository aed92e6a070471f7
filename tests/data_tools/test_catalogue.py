"""The catalogue: readable by pandas, safe against a crash in the middle of a line."""

import pandas as pd
import pytest

from data_tools import catalogue
from data_tools.catalogue import (
    COLUMNS,
    CatalogueRow,
    append_row,
    append_rows,
    read_catalogue,
    write_catalogue,
)
from oldphoto.checks import InputError

ROWS = [
    CatalogueRow(
        "a.jpg", sha256="ab" * 32, width=30, height=20, mode="L", title="Mill, with wheel"
    ),
    CatalogueRow("b.jpg", status="set_aside", reason='tiny: "small"', creator="Žofie Nováková"),
    CatalogueRow("c.jpg", title="two\nlines\r\n\tand a tab"),
]


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "catalogue.csv"
    write_catalogue(path, ROWS)
    read = read_catalogue(path)
    assert read[:2] == ROWS[:2]
    assert read[2].title == "two lines and a tab"


def test_appending_one_by_one_gives_the_same_file(tmp_path):
    whole, grown = tmp_path / "whole.csv", tmp_path / "grown.csv"
    write_catalogue(whole, ROWS)
    for row in ROWS:
        append_row(grown, row)
    assert whole.read_bytes() == grown.read_bytes()


def test_pandas_reads_it(tmp_path):
    path = tmp_path / "catalogue.csv"
    write_catalogue(path, ROWS)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert tuple(table.columns) == COLUMNS
    assert table["creator"].tolist() == ["", "Žofie Nováková", ""]
    assert table["title"][0] == "Mill, with wheel"


def test_a_cut_at_any_byte_loses_at_most_the_last_row(tmp_path):
    path = tmp_path / "catalogue.csv"
    write_catalogue(path, ROWS[:2])
    whole = path.read_bytes()
    first = whole.rindex(b"b.jpg")
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        assert read_catalogue(path) == ROWS[:1]
        append_row(path, ROWS[1])
        assert path.read_bytes() == whole


def test_a_cut_in_the_header_is_an_empty_catalogue(tmp_path):
    path = tmp_path / "catalogue.csv"
    path.write_bytes(b"path,sha2")
    assert read_catalogue(path) == []
    append_row(path, ROWS[0])
    assert read_catalogue(path) == ROWS[:1]


def test_long_cut_line_is_found_though_it_is_longer_than_one_block(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "_TAIL_BYTES", 16)
    path = tmp_path / "catalogue.csv"
    append_rows(path, ROWS[:2])
    whole = path.read_bytes()
    path.write_bytes(whole + b"d.jpg," + b"x" * 1000)
    assert read_catalogue(path) == ROWS[:2]
    append_row(path, ROWS[0])
    assert path.read_bytes().startswith(whole + b"a.jpg,")


def test_writing_leaves_the_old_table_when_it_fails(tmp_path):
    path = tmp_path / "catalogue.csv"
    write_catalogue(path, ROWS)

    def broken_rows():
        yield ROWS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_catalogue(path, broken_rows())
    assert len(read_catalogue(path)) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["catalogue.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,size\nx,1\n", "is not a catalogue: expected the columns path, sha256"),
        (",".join(COLUMNS) + "\na,b\n", f"line 2: expected {len(COLUMNS)} fields, got 2"),
        (",".join(COLUMNS) + "\na,b,wide" + "," * 17 + "\n", "width must be a whole number"),
        (
            ",".join(COLUMNS) + "\na,b," + "9" * 5000 + "," * 17 + "\n",
            r"width must be a whole number, got '9{20}'$",
        ),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "catalogue.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_catalogue(path)


def test_file_that_is_not_text_and_missing_file_are_refused(tmp_path):
    path = tmp_path / "catalogue.csv"
    with pytest.raises(InputError, match="expected a catalogue at"):
        read_catalogue(path)
    path.write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_catalogue(path)


def test_a_field_without_end_is_one_sentence(tmp_path):
    path = tmp_path / "catalogue.csv"
    write_catalogue(path, [])
    for content in ('"' + "x" * 200_000 + "\n", ",".join(["x" * 200_000] * 20) + "\n"):
        path.write_text(path.read_text(encoding="utf-8") + content, encoding="utf-8")
        with pytest.raises(InputError, match="is no line of a catalogue"):
            read_catalogue(path)
