"""Hand-ins: what a notebook writes, and a class of 40 with everything that goes wrong in one."""

import json
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from oldphoto.checks import InputError
from oldphoto.cli import main as cli
from oldphoto.course.exercises import hand_ins
from oldphoto.course.exercises import notebook_08 as exercises
from oldphoto.course.exercises.engine import Exercise, Sheet
from oldphoto.course.exercises.hand_ins import marks_table, student_seed, totals, write_hand_in

CLASS = [f"Student {number:02}" for number in range(40)]
TITLES = [exercise.title for exercise in exercises.sheet.exercises]


def hand_in(folder: Path, student: str, own: int, monkeypatch, seed: int | None = None) -> Path:
    """Write the hand-in of a fresh run: the first ``own`` exercises solved, one after a look."""
    monkeypatch.setattr(hand_ins, "RUN", f"run of {student} {len(list(folder.iterdir()))}")
    states = ["own"] * own + ["after the solution"] + ["open"] * 5
    results = [
        {"title": title, "level": "modify", "state": state, "hints": 1}
        for title, state in zip(TITLES, states, strict=False)
    ]
    seed = student_seed(student) if seed is None else seed
    return write_hand_in(student, seed, "08", results, folder)


def change(path: Path, **values: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | values
    content.pop("digest")
    content["digest"] = hand_ins._digest(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_class_of_40_is_totalled_and_each_odd_one_is_named(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    paths = {
        name: hand_in(folder, name, own=number % 5, monkeypatch=monkeypatch)
        for number, name in enumerate(CLASS[:39])
    }
    edited = paths[CLASS[0]]
    edited.write_text(edited.read_text(encoding="utf-8").replace('"open"', '"own"', 1), "utf-8")
    change(paths[CLASS[1]], oldphoto="0.0.9")
    change(paths[CLASS[2]], run=json.loads(paths[CLASS[3]].read_text(encoding="utf-8"))["run"])
    change(paths[CLASS[4]], seed=student_seed(CLASS[5]))
    (folder / "again").mkdir()
    again = hand_in(folder / "again", CLASS[6], own=4, monkeypatch=monkeypatch)
    change(again, written="2999-01-01T00:00:00+00:00")
    (folder / "notes.json").write_text("[1, 2", encoding="utf-8")
    (folder / "own_work.ipynb").write_text("{}", encoding="utf-8")
    hand_in(folder, "A Guest", own=1, monkeypatch=monkeypatch)
    (folder / "again" / "photo.json").write_text("{}", encoding="utf-8")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    names = tmp_path / "class.txt"
    names.write_text("\n".join(CLASS) + "\n\n", encoding="utf-8")
    words = ["course", "marks", str(folder), "--students", str(names)]
    assert cli.main([*words, "--output", str(tmp_path / "out")]) == 1
    marks = pd.read_csv(tmp_path / "out" / "marks.csv", keep_default_na=False).set_index("student")
    remarks = marks.remarks.to_dict()
    assert remarks.pop(CLASS[0]) == "08 edited"
    assert remarks.pop(CLASS[1]).startswith("08 from version 0.0.9, this is ")
    assert remarks.pop(CLASS[2]) == f"08 the same run as that of {CLASS[3]}"
    assert remarks.pop(CLASS[3]) == f"08 the same run as that of {CLASS[2]}"
    assert remarks.pop(CLASS[4]).startswith(f"08 seed {student_seed(CLASS[5])}, but this")
    assert remarks.pop(CLASS[6]) == "08 twice: a later one counts"
    assert remarks.pop(CLASS[39]) == "no hand-in"
    assert remarks.pop("A Guest") == "08 not in the list of students"
    assert remarks.pop("? (notes.json)") == remarks.pop("? (again/photo.json)") == "not a hand-in"
    assert set(remarks.values()) == {""} and len(remarks) == 33
    for number, name in enumerate(CLASS[:39]):
        own = 0 if number in (0, 1, 2, 3, 4) else 4 if number == 6 else number % 5
        assert marks.own[name] == own
        assert marks.notebooks[name] == (number not in (0, 1, 2, 3, 4))
    assert marks["after the solution"].sum() == 34
    assert marks.seed[CLASS[7]] == str(student_seed(CLASS[7]))
    assert marks.seed["A Guest"] == marks.seed["? (notes.json)"] == ""  # nobody of the class
    assert "Student 39" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[]", "{}", '{"student": "\\ud800", "digest": ""}', "1" * 5000, "\ufeff{}"],
    ids=lambda text: text[:6],
)
def test_a_file_of_any_content_stops_nothing(tmp_path, text, monkeypatch):
    hand_in(tmp_path, "Ann", own=2, monkeypatch=monkeypatch)
    (tmp_path / "other.json").write_text(text, encoding="utf-8")
    table = marks_table(tmp_path).set_index("student")
    assert table.remark.to_dict() == {"Ann": "", "? (other.json)": "not a hand-in"}
    assert table.own["Ann"] == 2


@pytest.mark.parametrize(
    "values",
    [
        {"seed": None},
        {"exercises": 3},
        {"exercises": [{"title": TITLES[0]}]},
        {"exercises": [{"title": TITLES[0], "state": "best", "hints": 0}]},
        {"exercises": [{"title": TITLES[0], "state": "own", "hints": "many"}]},
    ],
    ids=str,
)
def test_an_edited_file_with_a_new_digest_stops_nothing(tmp_path, values, monkeypatch):
    change(hand_in(tmp_path, "Ann", own=2, monkeypatch=monkeypatch), **values)
    hand_in(tmp_path, "Bob", own=3, monkeypatch=monkeypatch)
    table = marks_table(tmp_path).set_index("student")
    assert table.remark.to_dict() == {"Ann": "edited", "Bob": ""}
    assert table.own.to_dict() == {"Ann": 0, "Bob": 3}


def test_one_student_has_one_row_however_the_name_is_typed(tmp_path, monkeypatch):
    for number, name in enumerate(("Zoë B", " zoë  b", "Zoe\u0308 B")):
        folder = tmp_path / str(number)
        folder.mkdir()
        hand_in(folder, name, own=1 + number, monkeypatch=monkeypatch)
    assert totals(marks_table(tmp_path)).student.tolist() == ["Zoë B"]
    assert marks_table(tmp_path, ["ZOË B"]).student.unique().tolist() == ["ZOË B"]
    assert student_seed("Zoë B") == student_seed("Zoe\u0308 b")


ODD = {
    "no exercises": {"exercises": []},
    "exercises are a text": {"exercises": "abc"},
    "an exercise without hints": {"exercises": [{"title": "a", "state": "own"}]},
    "hints are a text": {"exercises": [{"title": "a", "state": "own", "hints": "1"}]},
    "hints are true": {"exercises": [{"title": "a", "state": "own", "hints": True}]},
    "a state that is a list": {"exercises": [{"title": "a", "state": [], "hints": 1}]},
    "student is a list": {"student": ["Ann"]},
    "student is null": {"student": None},
    "student is empty": {"student": "  "},
    "written is a number": {"written": 5},
    "written is null": {"written": None},
    "run is a table": {"run": {}},
    "notebook is a number": {"notebook": 8},
    "notebook leads elsewhere": {"notebook": "../08"},
    "version is a list": {"oldphoto": []},
    "seed is a text": {"seed": "1"},
    "seed is null": {"seed": None},
}


@pytest.mark.parametrize("values", ODD.values(), ids=ODD)
def test_one_odd_hand_in_stops_no_class(tmp_path, monkeypatch, values):
    """Its digest is right: who reads the file of the package can compute it."""
    ann = hand_in(tmp_path, "Ann", 2, monkeypatch)
    good = json.loads(ann.read_text(encoding="utf-8"))
    change(hand_in(tmp_path, "Bob", 2, monkeypatch), **values)
    other = tmp_path / "z.json"
    other.write_text(json.dumps(good), encoding="utf-8")
    change(other, **{"run": "other", "notebook": "08"})
    table = marks_table(tmp_path, ["Ann", "Bob"])
    sums = totals(table, ["Ann", "Bob"]).set_index("student")
    assert sums.loc["Ann", "own"] == 2
    assert sums["own"].sum() == 2


ODD_BYTES = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe{}",
    "deep": b"[" * 100_000,
    "a number": b"7",
    "a list": b"[]",
    "no table": b"null",
    "half a letter": b'{"student": "M\\ud800ller", "notebook": "08"}',
    "a long number": b'{"seed": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("content", ODD_BYTES.values(), ids=ODD_BYTES)
def test_a_file_that_is_no_hand_in_is_named(tmp_path, monkeypatch, content):
    hand_in(tmp_path, "Ann", 2, monkeypatch)
    (tmp_path / "odd.json").write_bytes(content)
    table = marks_table(tmp_path)
    assert list(table.remark) == ["not a hand-in", ""]
    assert list(table.file) == ["odd.json", "hand_in_08_ann.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_files_that_cannot_be_read_and_names_that_are_no_text(tmp_path, monkeypatch, capsys):
    good = hand_in(tmp_path, "Ann", 2, monkeypatch)
    good.rename(tmp_path / os.fsdecode(b"M\xfcller.json"))
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to("nowhere.json")
    out = tmp_path / "out"
    assert cli.main(["course", "marks", str(tmp_path), "--output", str(out)]) == 1
    table = pd.read_csv(out / "hand_ins.csv", keep_default_na=False)
    assert table.remark.tolist() == ["not a hand-in"] * 3 + [""]
    assert "M\\udcfcller.json" in table.file.tolist()


def test_without_a_list_seeds_are_free_and_all_is_well(tmp_path, monkeypatch):
    hand_in(tmp_path, "Ann", own=2, monkeypatch=monkeypatch, seed=0)
    hand_in(tmp_path, "Bob", own=3, monkeypatch=monkeypatch, seed=5)
    table = marks_table(tmp_path)
    assert table.remark.tolist() == ["", ""] and totals(table).own.tolist() == [2, 3]
    out = ["--output", str(tmp_path / "out")]
    assert cli.main(["course", "marks", str(tmp_path), *out]) == 0
    assert cli.main(["course", "marks", str(tmp_path / "none"), *out]) == 2


def small_exercise() -> Exercise:
    return Exercise(
        title=TITLES[0],
        level="modify",
        solution=4,
        misconceptions={},
        hints=("a", "b"),
        praise="Yes.",
    )


def test_a_shown_solution_is_told_from_an_own_one():
    own, looked, late = (small_exercise() for _ in range(3))
    own.check(4)
    own.show_solution()  # afterwards it does not matter
    own.check(4)
    looked.show_solution()
    looked.check(4)
    late.check(5)
    states = [exercise.state for exercise in (own, looked, late)]
    assert states == ["own", "after the solution", "open"]


def test_a_function_that_or_solution_gave_back_is_not_an_own_one():
    exercise = small_exercise()
    exercise.solution, exercise.trials = (lambda x: x + 1), ((1,),)
    exercise.check(exercise.or_solution(None))
    assert exercise.solved and exercise.state == "after the solution"
    exercise.check(lambda x: 1 + x)
    assert exercise.state == "own"


def test_a_notebook_writes_what_was_solved(tmp_path, capsys):
    exercise = small_exercise()
    exercise.hint()
    exercise.check(4)
    Sheet("08", (exercise,)).hand_in("Zoë  d'Été", 7, tmp_path)
    (path,) = tmp_path.iterdir()
    content = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "hand_in_08_zoë_d_été.json" and str(path) in capsys.readouterr().out
    assert (content["student"], content["seed"], content["notebook"]) == ("Zoë d'Été", 7, "08")
    assert content["exercises"][0]["state"] == "own" and content["exercises"][0]["hints"] == 1
    with pytest.raises(InputError, match="expected your name"):
        Sheet("08", (exercise,)).hand_in(" ", 7, tmp_path)


def test_a_file_of_the_name_is_replaced_only_if_it_is_the_same_students(tmp_path):
    mine = tmp_path / "hand_in_08_ann_b.json"
    mine.write_text("my notes", encoding="utf-8")
    first = write_hand_in("Ann B", 1, "08", [], tmp_path)
    assert write_hand_in("Ann B", 2, "08", [], tmp_path) == first
    other = write_hand_in("Ann-B", 1, "08", [], tmp_path)
    assert [first.name, other.name] == ["hand_in_08_ann_b_2.json", "hand_in_08_ann_b_3.json"]
    assert mine.read_text(encoding="utf-8") == "my notes"
    assert json.loads(first.read_text(encoding="utf-8"))["seed"] == 2
    first.write_text("now mine, too", encoding="utf-8")
    assert write_hand_in("Ann B", 3, "08", [], tmp_path).name == "hand_in_08_ann_b_4.json"
    assert len(list(tmp_path.iterdir())) == 4  # and nothing hidden
