"""The lecturer's guide: its times are those of the notes, its plans fit, its exam is whole."""

import re
from pathlib import Path

from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.reading_time import EXERCISE, sections
from oldphoto.course.publishing.slides import all_decks

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
GUIDE = (NOTEBOOKS / "LECTURING.md").read_text(encoding="utf-8")
DECKS = {deck.name: deck for deck in all_decks(NOTEBOOKS)}


def section(title: str) -> str:
    """Return the text below a heading, up to the next one."""
    return re.split(r"^#+ ", GUIDE.partition(f"{title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def plan(title: str) -> list[tuple[int, str]]:
    """Return the minutes and the first cell of each row of a plan."""
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \|", section(title), re.MULTILINE)
    return [(int(minutes), what) for minutes, what in rows]


def test_the_table_of_lectures_is_that_of_the_notes():
    rows = re.findall(
        r"^\| \d `(\w+)` \| (\d+) \| (\d+) \|", section("## The lectures"), re.MULTILINE
    )
    measured = [(n, str(len(d.slides)), f"{d.minutes:.0f}") for n, d in DECKS.items()]
    assert rows == measured


def test_90_minutes_contain_the_method_and_the_evening_the_title():
    lecture = plan("### 90 minutes: the method, and whether it works")
    assert [name for name in DECKS if f"`{name}`" in str(lecture)] == list(DECKS)
    assert 80 <= sum(minutes for minutes, _ in lecture) <= 88
    evening = plan("### One evening: the idea in the paper's title")
    assert "`gap`" in str(evening) and sum(minutes for minutes, _ in evening) <= 120
    for minutes, what in lecture + evening:
        for name in re.findall(r"`(\w+)`", what):
            assert minutes == round(DECKS[name].minutes)


def test_the_evening_counts_the_sections_as_the_notebooks_do():
    nodes = {notebook.number: notebook.node for notebook in all_notebooks(NOTEBOOKS)}
    named = []
    for minutes, what in plan("### One evening: the idea in the paper's title"):
        if found := re.match(r"(\d\d): (sections? ([\d and]+)|the core, with one exercise)$", what):
            head, *all_parts = sections(nodes[found[1]])
            parts = [part for part in all_parts if not part.extra]
            if found[3]:
                parts = [part for part in parts if part.number in found[3].split()]
                left_out = 0
            else:
                left_out = sum(part.exercises for part in parts) - 1
            spent = head.minutes + sum(part.minutes for part in parts) - EXERCISE * left_out
            assert minutes == 5 * round(spent / 5), what
            named.append(found[1])
    assert named == ["00", "06", "07", "14"]


def test_the_semester_has_a_hand_in_for_every_notebook():
    weeks = section("### One semester: one notebook a week, with hand-ins")
    assert all(f"| {number:02} |" in weeks for number in range(15))


def test_the_exam_has_sixty_questions_with_answers():
    exam = (NOTEBOOKS / "EXAM.md").read_text(encoding="utf-8")
    questions = re.split(r"^(?=\d+\. \(\d\))", exam, flags=re.MULTILINE)[1:]
    assert [int(question.split(".")[0]) for question in questions] == list(range(1, 61))
    assert all(question.count("**Answer.**") == 1 for question in questions)
    assert len(re.findall(r"^## ", exam, re.MULTILINE)) == len(DECKS)
