"""Answers of a ranking study: stored in SQLite, exported as CSV, merged for a class.

Each answer is one transaction that takes the write lock at its start and waits for others to finish
theirs, so raters who share a file lose nothing. The journal is SQLite's ordinary one: unlike its
write-ahead log it needs no second file, and works on more kinds of shared folders.
"""

import contextlib
import csv
import io
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oldphoto.checks import InputError, require_file
from oldphoto.course.study.study import (
    Ranking,
    Study,
    require_ranking,
    require_ranking_of,
    require_rater,
)
from oldphoto.system.outputs import photo_folder

WAIT = 30.0  # seconds that a writer waits for the others
_MAGIC = b"SQLite format 3\x00"
_TABLES = (
    "CREATE TABLE IF NOT EXISTS study (fingerprint TEXT PRIMARY KEY, photos TEXT, methods TEXT,"
    " seed INTEGER)",
    "CREATE TABLE IF NOT EXISTS rankings (rater TEXT, photo TEXT, methods TEXT,"
    " PRIMARY KEY (rater, photo))",
)
_COLUMNS = ["rater", "photo"]


class AnswerFile:
    """The answers to one study in one file, from one or several raters.

    Args:
        path: of the file; it is made with the first answer.
        study: what is ranked.

    Raises:
        InputError: if the file exists and is not such a file.
    """

    def __init__(self, path: Path | str, study: Study) -> None:
        self.path, self.study = Path(path), study
        if _has_content(self.path):
            with _reading(self.path) as connection:
                self._require_same_study(connection)

    def save(self, ranking: Ranking) -> bool:
        """Save an answer; return False if the same answer is already there.

        Raises:
            InputError: if it is no ranking of this study, this rater has ranked the photo in
                another way before, or the file cannot be written.
        """
        require_ranking_of(ranking, self.study)
        with self._writing() as connection:
            query = "SELECT methods FROM rankings WHERE rater = ? AND photo = ?"
            before = connection.execute(query, (ranking.rater, ranking.photo)).fetchone()
            text = json.dumps(ranking.methods)
            if before is None:
                values = (ranking.rater, ranking.photo, text)
                connection.execute("INSERT INTO rankings VALUES (?, ?, ?)", values)
            elif before[0] != text:
                raise InputError(_conflict(ranking, str(self.path), "this session"))
        return before is None

    def take_back(self, rater: str, photo: str) -> bool:
        """Remove an answer, so that it can be changed; return whether there was one."""
        if not _has_content(self.path):
            return False
        with self._writing() as connection:
            query = "DELETE FROM rankings WHERE rater = ? AND photo = ?"
            return connection.execute(query, (rater, photo)).rowcount > 0

    def rankings(self, rater: str | None = None) -> list[Ranking]:
        """Return the answers of one rater or of all, in the order in which they were saved."""
        if not _has_content(self.path):
            return []
        with _reading(self.path) as connection:
            found = _rows(connection)
        return [ranking for ranking in found if rater in (None, ranking.rater)]

    def export(self, path: Path | str) -> int:
        """Write all answers as CSV and return how many there are."""
        found = self.rankings()
        write_csv(Path(path), found, self.study.methods)
        return len(found)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock: commit the whole block or nothing."""
        with _failures_of(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
            with contextlib.closing(connection):
                # Without IMMEDIATE two writers could both read first, and one would then fail.
                connection.execute("BEGIN IMMEDIATE")
                try:
                    self._prepare(connection)
                    yield connection
                except BaseException:
                    if connection.in_transaction:  # after some failures SQLite has done it itself
                        connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for table in _TABLES:
            connection.execute(table)
        self._require_same_study(connection)
        study = self.study
        photos, methods = json.dumps(study.photos), json.dumps(study.methods)
        row = (study.fingerprint(), photos, methods, study.seed)
        connection.execute("INSERT OR IGNORE INTO study VALUES (?, ?, ?, ?)", row)

    def _require_same_study(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("SELECT fingerprint FROM study").fetchone()
        if found is not None and found[0] != self.study.fingerprint():
            raise InputError(
                f"{self.path} holds answers to a study of other photos, methods or seed: "
                "choose another file"
            )


@dataclass(frozen=True)
class Merged:
    """The answers of several files.

    Attributes:
        rankings: each answer once, in order of rater and photo.
        methods: all methods that are ranked, in alphabetical order.
        num_duplicates: answers that were found more than once.
    """

    rankings: tuple[Ranking, ...]
    methods: tuple[str, ...]
    num_duplicates: int

    @property
    def num_raters(self) -> int:
        """How many raters gave at least one answer."""
        return len({ranking.rater for ranking in self.rankings})


def merge(paths: Sequence[Path | str]) -> Merged:
    """Merge the answers of several files, SQLite or CSV, recognised by their content.

    Raises:
        InputError: if there is no file or no answer, one cannot be read, the files rank other
            methods, or one rater has ranked one photo in two ways.
    """
    if not paths:
        raise InputError("expected at least one file of answers, got none")
    found: dict[tuple[str, str], tuple[Ranking, Path]] = {}
    methods: tuple[str, ...] = ()
    duplicates = 0
    for path in map(Path, paths):
        for ranking in read_answers(path):
            methods = methods or tuple(sorted(ranking.methods))
            if tuple(sorted(ranking.methods)) != methods:
                raise InputError(
                    f"{path} ranks {', '.join(sorted(ranking.methods))}, but the answers before "
                    f"rank {', '.join(methods)}: these are two studies"
                )
            known, source = found.setdefault((ranking.rater, ranking.photo), (ranking, path))
            if known.methods != ranking.methods:
                raise InputError(_conflict(ranking, str(source), str(path)))
            duplicates += known is not ranking
    if not found:
        raise InputError(f"expected answers in {', '.join(map(str, paths))}, found none")
    rankings = tuple(ranking for _, (ranking, _) in sorted(found.items()))
    return Merged(rankings, methods, duplicates)


def read_answers(path: Path | str) -> list[Ranking]:
    """Return the answers of one file, SQLite or CSV.

    Raises:
        InputError: if it is neither, or an answer is no ranking.
    """
    path = require_file(Path(path), "a file of answers")
    with path.open("rb") as file:
        is_database = file.read(len(_MAGIC)) == _MAGIC
    if not is_database:
        return _read_csv(path)
    with _reading(path) as connection:
        return _rows(connection)


def write_csv(path: Path, rankings: Sequence[Ranking], methods: Sequence[str]) -> Path:
    """Write answers as CSV: one row each, with the method at place 1, place 2 and so on.

    Returns:
        The path of the file: if another file has the name, it gets a free one.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(f"place_{place}" for place in range(1, len(methods) + 1))])
    for ranking in rankings:
        writer.writerow([ranking.rater, ranking.photo, *ranking.methods])
    with photo_folder(path.parent) as outputs:
        return outputs.write_text(path.name, text.getvalue(), source="study answers")


def _read_csv(path: Path) -> list[Ranking]:
    try:
        # Spreadsheets put a byte order mark in front.
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} holds neither a database nor a table of answers") from error
    if not rows or rows[0][:2] != _COLUMNS or len(rows[0]) < 4:
        raise InputError(f"{path} does not begin with the columns rater, photo, place_1, place_2")
    rankings: list[Ranking] = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            rankings.append(_ranking_of(row, rankings[0].methods if rankings else ()))
        except (InputError, ValueError) as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        if len(row) != len(rows[0]):
            raise InputError(f"{path}, line {number}: {len(row)} cells under {len(rows[0])} names")
    return rankings


def _ranking_of(row: Sequence[str], expected: Sequence[str]) -> Ranking:
    rater, photo, *methods = row
    if not all(methods):
        raise InputError("a place is empty: a ranking gives each method one place")
    return Ranking(require_rater(rater), photo, require_ranking(methods, expected or methods))


def _rows(connection: sqlite3.Connection) -> list[Ranking]:
    query = "SELECT rater, photo, methods FROM rankings ORDER BY rowid"
    return [_stored(*row) for row in connection.execute(query)]


def _stored(rater: Any, photo: Any, text: Any) -> Ranking:
    try:
        methods = json.loads(text)
        are_names = isinstance(methods, list) and all(isinstance(name, str) for name in methods)
        if are_names and isinstance(photo, str):
            return Ranking(require_rater(rater), photo, require_ranking(methods, methods))
    except (ValueError, TypeError, RecursionError):  # an InputError is a ValueError
        pass
    raise InputError(f"an answer in it is no ranking: rater {rater!r}, photo {photo!r}")


def _has_content(path: Path) -> bool:
    """Whether the file exists and is not empty (it is empty until the first answer is complete)."""
    return path.exists() and (not path.is_file() or path.stat().st_size > 0)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with _failures_of(path):
        # Not read-only: after a crash SQLite must first repair the file.
        address = f"{path.resolve().as_uri()}?mode=rw"
        connection = sqlite3.connect(address, timeout=WAIT, uri=True)
        with contextlib.closing(connection):
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
            if not {("study",), ("rankings",)} <= set(tables):
                raise InputError(f"{path} is a database, but not one of a ranking study")
            yield connection


@contextlib.contextmanager
def _failures_of(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the disk into one sentence."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError) as error:
        raise InputError(f"cannot use {path} as a file of answers ({error})") from error


def _conflict(ranking: Ranking, first: str, second: str) -> str:
    return (
        f"rater {ranking.rater} has ranked photo {ranking.photo} in two ways ({first} and "
        f"{second}): one code for two people, or an answer that was changed; remove one of them"
    )
