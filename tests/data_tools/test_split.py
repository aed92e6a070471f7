"""Splits depend on the content of a photo alone."""

import hashlib
from dataclasses import replace

import pytest

from data_tools.catalogue import CatalogueRow, read_catalogue, write_catalogue
from data_tools.cli import main
from data_tools.split import require_percentages, split_of
from oldphoto.checks import InputError

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(2000)]


def test_known_places():
    assert split_of("0" * 64, 5, 5) == "test"
    assert split_of("f" * 64, 5, 5) == "train"
    # 0x14 / 256 is 7.8 percent: past the 5 percent of the test, within the next 5.
    assert split_of("14" + "0" * 62, 5, 5) == "validation"
    assert split_of("14" + "0" * 62, 2, 5) == "train"
    assert split_of("0" * 64, 0, 0) == "train"


def test_shares_come_out_as_asked():
    splits = [split_of(sha256, validation=10, test=20) for sha256 in HASHES]
    assert 340 < splits.count("test") < 460
    assert 150 < splits.count("validation") < 250


def test_photos_keep_their_split_when_others_are_added(tmp_path):
    rows = [CatalogueRow(f"{number}.jpg", sha256=text) for number, text in enumerate(HASHES[:50])]
    path = tmp_path / "catalogue.csv"
    write_catalogue(path, rows)
    assert main(["split", str(tmp_path), "--validation", "30", "--test", "30"]) == 0
    before = {row.sha256: row.split for row in read_catalogue(path)}
    assert set(before.values()) == {"train", "validation", "test"}
    more = [CatalogueRow(f"new{n}.jpg", sha256=text) for n, text in enumerate(HASHES[50:100])]
    renamed = [replace(row, path="moved/" + row.path) for row in reversed(rows)]
    write_catalogue(path, more + renamed)
    main(["split", str(tmp_path), "--validation", "30", "--test", "30"])
    after = {row.sha256: row.split for row in read_catalogue(path)}
    assert all(after[sha256] == split for sha256, split in before.items())


def test_counts_are_printed(tmp_path, capsys):
    rows = [CatalogueRow(f"{n}.jpg", sha256=text) for n, text in enumerate(HASHES[:40])]
    write_catalogue(tmp_path / "catalogue.csv", [replace(rows[0], status="set_aside"), *rows[1:]])
    main(["split", str(tmp_path), "--validation", "0", "--test", "0"])
    assert capsys.readouterr().out == "train 39, validation 0, test 0 of 39 photos\n"


def test_hash_that_is_missing_is_refused():
    with pytest.raises(InputError, match=r"expected a SHA-256 .* got ''"):
        split_of("", 5, 5)


@pytest.mark.parametrize("shares", [("60", "40"), ("-1", "5"), ("5", "-0.5")])
def test_wrong_shares_are_one_sentence_and_exit_code_2(tmp_path, capsys, shares):
    code = main(["split", str(tmp_path), f"--validation={shares[0]}", f"--test={shares[1]}"])
    assert code == 2
    assert "together below 100" in capsys.readouterr().err


@pytest.mark.parametrize("validation, test", [(float("nan"), 5.0), (5.0, float("nan"))])
def test_no_number_is_no_percentage(validation, test):
    with pytest.raises(InputError, match="together below 100"):
        require_percentages(validation, test)
