"""Hand-ins: what a student's notebook writes about its exercises, and a table of a whole class.

A hand-in is a small JSON file. Its digest finds what was edited by hand or damaged on the way. It
is no seal: who reads this file can compute it. Ask a student about a solution that surprises you.
"""

import hashlib
import importlib
import json
import platform
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from oldphoto.checks import InputError
from oldphoto.system.outputs import folded, photo_folder
from oldphoto.system.packages import own_version
from oldphoto.system.streams import printable

FORMAT = 1
RUN = secrets.token_hex(8)
"""Names this run of Python: two hand-ins of one run, with two names, are copies."""
_COUNTED = "own", "after the solution", "open"
_TEXTS = "student", "notebook", "oldphoto", "written", "run", "digest"
_COLUMNS = ("student", "notebook", *_COUNTED, "hints", "remark", "file")


def student_seed(student: str) -> int:
    """Return the seed of a student, which needs no list: 1 to 9999, from the name alone.

    >>> student_seed("Ann Example"), student_seed(" ann  example")
    (5067, 5067)
    """
    return 1 + int(hashlib.sha256(_plain(student).encode()).hexdigest(), 16) % 9999


def write_hand_in(
    student: str, seed: int, notebook: str, results: Sequence[Mapping[str, Any]], folder: Path
) -> Path:
    """Write the hand-in of one notebook.

    Args:
        student: name, as on the lecturer's list.
        seed: ``SEED`` of the notebook.
        notebook: its number, as "08".
        results: title, state ("own", "after the solution" or "open") and hints of each exercise.
        folder: where the file goes.

    Returns:
        The path of the file. It replaces an earlier one that this function wrote for the same
        student and notebook; if any other file has the name, it gets a free one.

    Raises:
        InputError: if the name is empty, or the file cannot be written.
    """
    if not _plain(student):
        raise InputError('expected your name, as in hand_in("Ann Example"), got an empty one')
    content = {
        "format": FORMAT,
        "student": " ".join(student.split()),
        "notebook": notebook,
        "seed": seed,
        "oldphoto": own_version(),
        "python": platform.python_version(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": RUN,
        "exercises": [dict(result) for result in results],
    }
    name = re.sub(r"\W+", "_", _plain(student))
    text = json.dumps(content | {"digest": _digest(content)}, indent=2) + "\n"
    with photo_folder(folder) as outputs:  # students work in this folder: nothing hidden in it
        source = f"hand-in {notebook} {_plain(student)}"
        return outputs.write_text(f"hand_in_{notebook}_{name}.json", text, source)


def marks_table(folder: Path, students: Sequence[str] = ()) -> pd.DataFrame:
    """Return one row for each hand-in, and one for each student without any.

    Rows with a remark are not counted: their three numbers are 0.

    Args:
        folder: of the hand-ins; folders inside it are looked through as well.
        students: names of the class; if given, seeds are checked and missing students are named.

    Raises:
        InputError: if there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder of hand-ins, got {folder}")
    found = [_read(path, folder) for path in sorted(folder.rglob("*.json"))]
    known = {_plain(name): name for name in students}
    spelled = dict(known)  # one row of totals for "Ann B" and "ann  b"
    for one in found:
        one["student"] = spelled.setdefault(_plain(one["student"]), one["student"])
    rows = [_row(one, _remark(one, found, known)) for one in found]
    there = {_plain(row["student"]) for row in rows}
    for plain, name in known.items():
        if plain not in there:
            rows.append(_row({"student": name, "file": ""}, "no hand-in"))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return table.sort_values(["student", "notebook", "file"], ignore_index=True)


def totals(table: pd.DataFrame, students: Sequence[str] = ()) -> pd.DataFrame:
    """Return one row for each student: counted notebooks, exercises by state, all remarks.

    Args:
        table: as ``marks_table`` returns it.
        students: names of the class; if given, the seed of each stands beside the name.
    """
    rows = []
    for student, part in table.groupby("student", sort=True):
        counted = part[part.remark == ""]
        remarks = [f"{r.notebook} {r.remark}".strip() for r in part.itertuples() if r.remark]
        sums = {name: int(counted[name].sum()) for name in _COUNTED}
        rows.append(
            {"student": student, "notebooks": len(counted), **sums, "remarks": "; ".join(remarks)}
        )
    summary = pd.DataFrame(rows, columns=["student", "notebooks", *_COUNTED, "remarks"])
    if students:
        seeds = [str(student_seed(who)) if who in students else "" for who in summary.student]
        summary.insert(1, "seed", seeds)
    return summary


def _read(path: Path, folder: Path) -> dict[str, Any]:
    """Return a hand-in, with "fault" where it cannot be counted for its own sake."""
    file = printable(path.relative_to(folder).as_posix())
    try:
        if not path.is_file():  # reading a pipe would never end
            raise OSError
        content = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(content[name], str) for name in _TEXTS):
            raise TypeError
        is_edited = content.pop("digest") != _digest(content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {"student": f"? ({file})", "notebook": "", "file": file, "fault": "not a hand-in"}
    titles = _titles(content["notebook"])
    if is_edited or (content["oldphoto"] == own_version() and not _is_whole(content)):
        fault = "edited"
    elif content["oldphoto"] != own_version() or titles != [
        r["title"] for r in content["exercises"]
    ]:
        fault = f"from version {content['oldphoto']}, this is {own_version()}"
    else:
        fault = ""
    return content | {"file": file, "fault": fault}


def _is_whole(content: Mapping[str, Any]) -> bool:
    """Return whether all that is counted is there: a digest is easily computed anew."""
    try:
        results = [(str(one["title"]), one["state"], one["hints"]) for one in content["exercises"]]
        return isinstance(content["seed"], int) and all(
            state in _COUNTED and isinstance(hints, int) for _, state, hints in results
        )
    except (TypeError, KeyError):
        return False


def _remark(
    one: Mapping[str, Any], found: Sequence[Mapping[str, Any]], known: Mapping[str, str]
) -> str:
    """Return why a hand-in is not counted, or an empty text."""
    who = _plain(one["student"])
    if one["fault"]:
        return str(one["fault"])
    if known and who not in known:
        return "not in the list of students"
    if known and one["seed"] != student_seed(who):
        return f"seed {one['seed']}, but this student's is {student_seed(who)}"
    others = [other for other in found if other is not one and not other["fault"]]
    copied = {
        o["student"] for o in others if o["run"] == one["run"] and _plain(o["student"]) != who
    }
    if copied:
        return f"the same run as that of {', '.join(sorted(copied))}"
    same = [o for o in others if _plain(o["student"]) == who and o["notebook"] == one["notebook"]]
    later = [o for o in same if (o["written"], o["file"]) > (one["written"], one["file"])]
    return "twice: a later one counts" if later else ""


def _row(one: Mapping[str, Any], remark: str) -> dict[str, Any]:
    exercises = [] if remark else one["exercises"]
    states = [exercise["state"] for exercise in exercises]
    return {
        "student": one["student"],
        "notebook": one.get("notebook", ""),
        **{state: states.count(state) for state in _COUNTED},
        "hints": sum(exercise["hints"] for exercise in exercises),
        "remark": remark,
        "file": one["file"],
    }


def _titles(notebook: str) -> list[str]:
    """Return the titles of a notebook's exercises in this version."""
    if not re.fullmatch(r"\d\d", notebook):
        return []
    try:
        module = importlib.import_module(f"{__package__}.notebook_{notebook}")
    except ModuleNotFoundError:
        return []
    return [exercise.title for exercise in module.sheet.exercises]


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"oldphoto hand-in {text}".encode()).hexdigest()


def _plain(name: str) -> str:
    return folded(" ".join(name.split()))


def read_students(path: Path) -> list[str]:
    """Return the names of a class: one a line; empty lines are left out.

    Raises:
        InputError: if the file cannot be read as text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"expected a text file with one name a line, got {path}: {error}"
        ) from error
    return [" ".join(line.split()) for line in lines if line.strip()]
