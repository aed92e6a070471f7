"""The ranking study: random orders, refusals, the file of answers, and two raters at once."""

import collections
import contextlib
import hashlib
import multiprocessing
import sqlite3
import time

import pytest

from oldphoto.checks import InputError
from oldphoto.course.study.store import AnswerFile, merge, read_answers, write_csv
from oldphoto.course.study.study import (
    Ranking,
    Study,
    parse_order,
    remaining,
    require_places,
    require_ranking,
    trials,
)

METHODS = ("input", "classical", "ours")
STUDY = Study(("boat", "cat", "door", "elm"), METHODS, seed=3)


def answer(rater="k1", photo="boat", methods=METHODS):
    return Ranking(rater, photo, tuple(methods))


# --- what is shown -----------------------------------------------------------------------------


def test_trials_hold_everything_once_and_come_again():
    for rater in ("k1", "k2"):
        shown = trials(STUDY, rater)
        assert sorted(t.photo for t in shown) == sorted(STUDY.photos)
        assert all(sorted(t.order) == sorted(METHODS) for t in shown)
        assert shown == trials(STUDY, rater)
    assert trials(STUDY, "k1") != trials(STUDY, "k2")
    assert trials(STUDY, "k1") != trials(Study(STUDY.photos, METHODS, seed=4), "k1")


def test_the_order_is_the_same_in_every_version():
    # By SHA-256 and not by a library's random numbers: a session may go on after an update.
    keys = {name: f'[3, "k1", "{name}"]' for name in STUDY.photos}
    by_hand = sorted(keys, key=lambda name: hashlib.sha256(keys[name].encode()).hexdigest())
    assert [t.photo for t in trials(STUDY, "k1")] == by_hand
    first = trials(STUDY, "k1")[0]
    assert (first.photo, first.order) == ("boat", ("ours", "input", "classical"))
    assert [first.method(letter) for letter in STUDY.letters] == list(first.order)


def test_no_letter_is_any_methods_own():
    under_a = collections.Counter(t.order[0] for r in range(300) for t in trials(STUDY, f"r{r}"))
    # 1200 draws of a third: deviation 16.3; 65 is four of them.
    assert all(abs(under_a[method] - 400) < 65 for method in METHODS)
    first = collections.Counter(trials(STUDY, f"r{r}")[0].photo for r in range(1200))
    assert all(abs(first[photo] - 300) < 60 for photo in STUDY.photos)


def test_a_session_goes_on_in_the_same_order():
    everything = trials(STUDY, "k1")
    done = [t.photo for t in everything[:2]]
    assert remaining(STUDY, "k1", done) == everything[2:]


@pytest.mark.parametrize(
    ("photos", "methods", "words"),
    [
        ((), METHODS, "at least 1 photo"),
        (("a",), ("x",), "2 to 12 methods, got 1"),
        (("a",), tuple("abcdefghijklm"), "2 to 12 methods, got 13"),
        (("a", "a"), METHODS, "photos of different names, got 'a' twice"),
        (("a",), ("x", " "), "a name for each method"),
    ],
)
def test_impossible_studies_are_refused(photos, methods, words):
    with pytest.raises(InputError, match=words):
        Study(photos, methods)


@pytest.mark.parametrize("rater", ["", "Ada Smith", "a" * 41, "x;y", "=1", None])
def test_codes_are_codes(rater):
    with pytest.raises(InputError, match="a rater's code"):
        trials(STUDY, rater)


# --- a ranking is a permutation ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ABB", "B stands at two places"),
        ("AB", "a place for all 3, but C has none"),
        ("A", "but B and C have none"),
        ("ABD", "expected A, B and C in order, got 'D'"),
        ("A=BC", "ties are refused: put one of the two first"),
    ],
)
def test_orders_that_are_none_are_refused_in_one_sentence(given, words):
    with pytest.raises(InputError, match=words) as caught:
        parse_order(given, "ABC")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["CAB", "c a b", "c > a > b", "C,A;B "])
def test_typed_orders_are_read(text):
    assert parse_order(text, "ABC") == ("C", "A", "B")


def test_places_become_an_order_and_ties_are_refused():
    assert require_places({"x": 2, "y": 3, "z": 1}) == ("z", "x", "y")
    with pytest.raises(InputError, match="x and z share place 2: ties are refused"):
        require_places({"x": 2, "y": 1, "z": 2})
    with pytest.raises(InputError, match=r"expected the places 1 to 2, got \[1, 3\]"):
        require_places({"x": 1, "y": 3})


def test_every_permutation_is_a_ranking():
    assert require_ranking(["ours", "input", "classical"], METHODS)[0] == "ours"


# --- the file ----------------------------------------------------------------------------------


def test_answers_are_kept_and_found_again(tmp_path):
    path = tmp_path / "new" / "answers.sqlite"
    answers = AnswerFile(path, STUDY)
    assert answers.rankings() == [] and not path.exists()  # looking makes no file
    assert answers.save(answer()) and answers.save(answer("k2", "cat", METHODS[::-1]))
    assert not answers.save(answer())  # the very same: known
    again = AnswerFile(path, STUDY)
    assert again.rankings("k2") == [answer("k2", "cat", METHODS[::-1])]
    assert len(again.rankings()) == 2
    assert [p.name for p in path.parent.iterdir()] == ["answers.sqlite"]  # nothing else lies there


def test_an_answer_is_changed_only_by_taking_it_back(tmp_path):
    answers = AnswerFile(tmp_path / "a.sqlite", STUDY)
    assert not answers.take_back("k1", "boat")
    answers.save(answer())
    with pytest.raises(InputError, match="k1 has ranked photo boat in two ways"):
        answers.save(answer(methods=METHODS[::-1]))
    assert answers.rankings() == [answer()]
    assert answers.take_back("k1", "boat") and answers.save(answer(methods=METHODS[::-1]))


@pytest.mark.parametrize(
    ("ranking", "words"),
    [
        (answer(photo="zoo"), "a photo of the study, got 'zoo'"),
        (answer(methods=("ours", "ours", "input")), "ours stands at two places"),
        (answer(rater="my name"), "a rater's code"),
    ],
)
def test_what_is_no_answer_is_not_kept(ranking, words, tmp_path):
    answers = AnswerFile(tmp_path / "a.sqlite", STUDY)
    with pytest.raises(InputError, match=words):
        answers.save(ranking)
    assert answers.rankings() == []


def test_other_files_are_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.sqlite"
    AnswerFile(path, STUDY).save(answer())
    before = path.read_bytes()
    other = Study(STUDY.photos, METHODS, seed=99)
    with pytest.raises(InputError, match="a study of other photos, methods or seed"):
        AnswerFile(path, other)
    (tmp_path / "text.sqlite").write_text("hello " * 400, encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot use .*not a database"):
        AnswerFile(tmp_path / "text.sqlite", STUDY)
    with pytest.raises(InputError, match="cannot use"):
        AnswerFile(tmp_path, STUDY)
    with sqlite3.connect(tmp_path / "else.sqlite") as connection:
        connection.execute("CREATE TABLE bread (price)")
    connection.close()
    with pytest.raises(InputError, match="but not one of a ranking study"):
        AnswerFile(tmp_path / "else.sqlite", STUDY)
    assert path.read_bytes() == before


def test_a_file_that_another_rater_has_only_just_opened_is_no_obstacle(tmp_path):
    (tmp_path / "a.sqlite").touch()
    answers = AnswerFile(tmp_path / "a.sqlite", STUDY)
    assert answers.rankings() == [] and answers.save(answer())


@pytest.mark.parametrize(
    ("rater", "photo", "methods"),
    [
        ("r1", "p1", text)
        for text in (
            "", "5", "null", "{}", '{"a": 1, "b": 2}', '["a", "a"]', '["a", 5]', '[["a"], "b"]',
            None, 5, b"\xff", "[" * 100_000,
        )
    ]
    + [(rater, "p1", '["a", "b"]') for rater in (None, "", b"\xff", "a\nb", "../x", "x" * 5000)]
    + [("r1", photo, '["a", "b"]') for photo in (None, b"\xff")],
)  # fmt: skip
def test_a_database_with_an_answer_that_is_none_is_one_sentence(tmp_path, rater, photo, methods):
    path = tmp_path / "answers.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE study (fingerprint TEXT, photos TEXT, methods TEXT)")
        connection.execute("CREATE TABLE rankings (rater TEXT, photo TEXT, methods TEXT)")
        rows = [("r0", "p0", '["a", "b"]'), (rater, photo, methods)]
        connection.executemany("INSERT INTO rankings VALUES (?, ?, ?)", rows)
        connection.commit()
    with pytest.raises(InputError, match="an answer in it is no ranking: rater"):
        merge([path])


def test_a_failure_in_the_middle_keeps_nothing(tmp_path, monkeypatch):
    answers = AnswerFile(tmp_path / "a.sqlite", STUDY)
    answers.save(answer())
    with pytest.raises(KeyboardInterrupt), answers._writing() as connection:
        connection.execute("DELETE FROM rankings")
        raise KeyboardInterrupt
    assert answers.rankings() == [answer()]


PHOTOS = tuple(f"photo_{number}" for number in range(40))
SHARED = Study(PHOTOS, METHODS)


class Dawdling(AnswerFile):
    """Waits between reading and writing, where a careless lock would let the other in."""

    def _require_same_study(self, connection):
        super()._require_same_study(connection)
        time.sleep(0.003)


def rate_all(path, rater, barrier):
    barrier.wait(timeout=600)  # both begin at the same moment, with no file there yet
    answers = Dawdling(path, SHARED)
    for trial in trials(SHARED, rater):
        answers.save(Ranking(rater, trial.photo, trial.order))


def test_two_raters_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, path = context.Barrier(2), tmp_path / "shared.sqlite"
    raters = [context.Process(target=rate_all, args=(path, r, barrier)) for r in ("k1", "k2")]
    for process in raters:
        process.start()
    for process in raters:
        process.join(120)
    assert [process.exitcode for process in raters] == [0, 0]
    found = AnswerFile(path, SHARED).rankings()
    assert len(found) == 80
    for rater in ("k1", "k2"):
        expected = {t.photo: t.order for t in trials(SHARED, rater)}
        assert {r.photo: r.methods for r in found if r.rater == rater} == expected


# --- export and merge --------------------------------------------------------------------------


def filled(path, *rankings):
    answers = AnswerFile(path, STUDY)
    for ranking in rankings:
        answers.save(ranking)
    return answers


def test_export_and_back(tmp_path):
    given = [answer(), answer("k2", "cat", METHODS[::-1])]
    answers = filled(tmp_path / "a.sqlite", *given)
    assert answers.export(tmp_path / "a.csv") == 2
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert text.splitlines()[:2] == [
        "rater,photo,place_1,place_2,place_3",
        "k1,boat,input,classical,ours",
    ]
    assert read_answers(tmp_path / "a.csv") == given == read_answers(tmp_path / "a.sqlite")


def test_a_table_that_went_through_a_spreadsheet_is_read(tmp_path):
    rows = "\ufeffrater,photo,place_1,place_2\r\nk1,boat,x,y\r\n,,,\r\n"
    (tmp_path / "a.csv").write_bytes(rows.encode("utf-8"))
    assert read_answers(tmp_path / "a.csv") == [Ranking("k1", "boat", ("x", "y"))]


def test_a_class_is_merged_and_duplicates_are_recognised(tmp_path):
    filled(tmp_path / "a.sqlite", answer(), answer(photo="cat"))
    filled(tmp_path / "b.sqlite", answer("k2"), answer(photo="cat"))
    write_csv(tmp_path / "c.csv", [answer("k3"), answer("k2")], METHODS)
    merged = merge([tmp_path / name for name in ("a.sqlite", "b.sqlite", "c.csv")])
    keys = [(r.rater, r.photo) for r in merged.rankings]
    assert keys == [("k1", "boat"), ("k1", "cat"), ("k2", "boat"), ("k3", "boat")]
    assert (merged.num_duplicates, merged.num_raters) == (2, 3)
    assert merged.methods == tuple(sorted(METHODS))


def test_one_code_for_two_people_is_refused(tmp_path):
    filled(tmp_path / "a.sqlite", answer())
    filled(tmp_path / "b.sqlite", answer(methods=METHODS[::-1]))
    expected = r"rater k1 has ranked photo boat in two ways \(.*a\.sqlite and .*b\.sqlite\)"
    with pytest.raises(InputError, match=expected) as caught:
        merge([tmp_path / "a.sqlite", tmp_path / "b.sqlite"])
    assert "\n" not in str(caught.value)


HEAD = "rater,photo,place_1,place_2\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("hello", "does not begin with the columns"),
        (HEAD + "k1,boat,x,x", "line 2: x stands at two places"),
        (HEAD + "k1,boat,x,y\nk2,boat,x,", "line 3: a place is empty"),
        (HEAD + "k1,boat,x,y\nk2,boat,x,z", "line 3: expected x and y in order, got 'z'"),
        (HEAD + "k1,boat,x,y,z", "line 2: 5 cells under 4 names"),
        (HEAD + "k1", "line 2: "),
        (HEAD + "my name,boat,x,y", "line 2: expected a rater's code"),
        ("\xff\xfe\x00", "neither a database nor a table"),
        (HEAD, "expected answers in .*, found none"),
    ],
)
def test_bad_tables_are_refused_with_their_line(content, words, tmp_path):
    (tmp_path / "a.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=words) as caught:
        merge([tmp_path / "a.csv"])
    assert "\n" not in str(caught.value)


def test_two_studies_are_not_merged(tmp_path):
    write_csv(tmp_path / "a.csv", [answer()], METHODS)
    write_csv(tmp_path / "b.csv", [answer("k2", methods=("ours", "input", "DIP"))], METHODS)
    with pytest.raises(InputError, match="these are two studies"):
        merge([tmp_path / "a.csv", tmp_path / "b.csv"])
    with pytest.raises(InputError, match="no such file"):
        merge([tmp_path / "nowhere.csv"])
    with pytest.raises(InputError, match="at least one file"):
        merge([])
