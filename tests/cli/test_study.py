"""``oldphoto study``: a class merged and counted; wrong use in one sentence."""

import re

import pytest

from oldphoto.cli import main as cli
from oldphoto.course.study.raters import simulate
from oldphoto.course.study.store import AnswerFile, merge, write_csv
from oldphoto.course.study.study import Ranking, Study

METHODS = ("a", "b", "c")
STUDY = Study(("boat", "cat"), METHODS)


@pytest.fixture
def files(tmp_path):
    """Two raters in a database, a third as CSV, one answer in both."""
    rankings = simulate(STUDY, {"a": 1, "b": 5, "c": 20}, 3, seed=1)
    answers = AnswerFile(tmp_path / "two.sqlite", STUDY)
    for ranking in rankings[:4]:
        answers.save(ranking)
    write_csv(tmp_path / "third.csv", rankings[3:], METHODS)
    return [str(tmp_path / name) for name in ("two.sqlite", "third.csv")]


def test_merge_writes_every_answer_once(files, tmp_path, capsys):
    out = tmp_path / "new" / "class.csv"
    assert cli.main(["study", "merge", *files, "--output", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "6 rankings, raters: 3, duplicates left out: 1, files: 2; written to" in printed
    assert merge([out]).rankings == merge(files).rankings and len(merge([out]).rankings) == 6


def test_merge_may_be_repeated_into_the_same_file(files, tmp_path):
    out = str(tmp_path / "class.csv")
    assert cli.main(["study", "merge", files[0], "--output", out]) == 0
    assert cli.main(["study", "merge", out, files[1], "--output", out]) == 0
    assert len(merge([out]).rankings) == 6


@pytest.mark.parametrize("action", ["merge", "table"])
def test_a_table_of_the_user_is_not_replaced(action, files, tmp_path, capsys):
    mine = tmp_path / "class.csv"
    mine.write_text("marks of my class", encoding="utf-8")
    for _ in range(2):
        assert cli.main(["study", action, *files, "--output", str(mine)]) == 0
        assert f"written to {tmp_path / 'class_2.csv'}" in capsys.readouterr().out
    assert mine.read_text(encoding="utf-8") == "marks of my class"
    (tmp_path / "class_2.csv").write_text("corrected by hand", encoding="utf-8")
    assert cli.main(["study", action, *files, "--output", str(mine)]) == 0
    assert (tmp_path / "class_3.csv").is_file()
    assert (tmp_path / "class_2.csv").read_text(encoding="utf-8") == "corrected by hand"


def test_table_is_printed_and_written(files, tmp_path, capsys):
    out = tmp_path / "table.csv"
    assert cli.main(["study", "table", *files, "--paper", "--output", str(out)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"\| method +\| +Top 1 \| +Top 2 \|", printed) and "raters: 3" in printed
    assert "bootstrap over raters" in printed and "Kendall's W is" in printed
    assert "| new model  | 64.83 | 81.35 | 90.68 | 96.40 | 98.72 |" in printed
    rows = out.read_text(encoding="utf-8").splitlines()
    assert rows[0] == "method,top,share,low,high" and len(rows) == 7


def refused(arguments, capsys):
    assert cli.main(["study", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("oldphoto study: ") and error.count("\n") == 1
    return error


def test_conflicts_are_one_sentence_and_nothing_is_written(files, tmp_path, capsys):
    first = merge(files).rankings[0]
    other = Ranking(first.rater, first.photo, first.methods[::-1])
    write_csv(tmp_path / "other.csv", [other], METHODS)
    out = tmp_path / "class.csv"
    error = refused(["merge", *files, tmp_path / "other.csv", "--output", out], capsys)
    assert "in two ways" in error and first.rater in error and not out.exists()
    assert "in two ways" in refused(["table", *files, tmp_path / "other.csv"], capsys)


def test_wrong_files_and_options_are_one_sentence(files, tmp_path, capsys):
    assert "no such file" in refused(["table", tmp_path / "nowhere.csv"], capsys)
    assert "ends with .csv" in refused(["merge", *files, "--output", tmp_path / "x.db"], capsys)
    below_a_file = tmp_path / "third.csv" / "class.csv"
    assert "cannot be written" in refused(["merge", *files, "--output", below_a_file], capsys)
    assert "confidence" in refused(["table", *files, "--confidence", "95"], capsys)
