"""Rules of form for the notebooks of the course: opening, length, rhythm and ending.

They hold for a whole notebook; ``rules`` also hold for a notebook of two cells.
"""

import re
from collections.abc import Iterator

from oldphoto.course.publishing.notebooks import CourseNotebook
from oldphoto.course.publishing.rules import Finding, Problem, Rule, check_notebook

MIN_CELLS, MAX_CELLS = 30, 60
TEXT_TO_CODE = 1.2
MIN_OBJECTIVES, MAX_OBJECTIVES = 3, 5
MAX_MINUTES = 90
ITEM = re.compile(r"^\d+\. ", re.MULTILINE)
SECTION = re.compile(r"^## (\d+)\. ", re.MULTILINE)
TIME = re.compile(r"\*\*Time:\*\* (\d+) minutes \(sections 1 to (\d+): (\d+(?:,\s\d+)*)\)")
SECTIONS_NAMED = re.compile(r"\(sections? (\d+)(?:\s(and|to)\s(\d+))?\)[,.]?\s*\Z")
ENDING = ("Summary", "Five questions to test yourself", "What we simplified", "What comes next")


def check_shape(notebook: CourseNotebook) -> list[Problem]:
    """Return where a notebook of the course leaves the common form, in the order of the rules."""
    return check_notebook(notebook, SHAPE_RULES)


def objectives_name_their_sections(notebook: CourseNotebook) -> Iterator[Finding]:
    """Three to five objectives lead through all sections, in their order."""
    items = _objectives(notebook)
    if not MIN_OBJECTIVES <= len(items) <= MAX_OBJECTIVES:
        yield 1, f"{len(items)} objectives; expected {MIN_OBJECTIVES} to {MAX_OBJECTIVES}"
    named: list[int] = []
    for number, item in enumerate(items, start=1):
        found = SECTIONS_NAMED.search(item)
        if not found:
            yield 1, f"objective {number} does not end with its sections, as (sections 2 and 3)"
            continue
        first, last = int(found[1]), int(found[3] or found[1])
        named += range(first, last + 1)
    if named != _sections(notebook):
        yield 1, f"the objectives name sections {named}, the headings {_sections(notebook)}"


def time_is_that_of_the_sections(notebook: CourseNotebook) -> Iterator[Finding]:
    """The minutes of the sections are all there, and add up to one sitting."""
    found = TIME.search(notebook.node.cells[0].source)
    if not found:
        yield 1, 'no line like "**Time:** 60 minutes (sections 1 to 4: 10, 20, 10, 20)"'
        return
    total, last = int(found[1]), int(found[2])
    minutes = [int(part) for part in found[3].split(",")]
    if len(minutes) != last or last != len(_sections(notebook)):
        yield 1, f"minutes of {len(minutes)} sections, for {len(_sections(notebook))} headings"
    if sum(minutes) != total:
        yield 1, f"the minutes of the sections add up to {sum(minutes)}, not to {total}"
    if total > MAX_MINUTES:
        yield 1, f"{total} minutes, more than {MAX_MINUTES}"


def is_of_one_sitting(notebook: CourseNotebook) -> Iterator[Finding]:
    """Neither a leaflet nor a book, and more text than code."""
    count = len(notebook.node.cells)
    if not MIN_CELLS <= count <= MAX_CELLS:
        yield 0, f"{count} cells; expected {MIN_CELLS} to {MAX_CELLS}"
    text = sum(cell.cell_type == "markdown" for cell in notebook.node.cells)
    code = count - text
    if text < TEXT_TO_CODE * code:
        found = f"{text} cells of text beside {code} of code"
        yield 0, f"{found}; expected {TEXT_TO_CODE} times as many"


def ends_like_the_others(notebook: CourseNotebook) -> Iterator[Finding]:
    """The summary answers the objectives one by one; the same four headings close the notebook."""
    texts = [cell.source for cell in notebook.node.cells if cell.cell_type == "markdown"]
    whole = "\n\n".join(texts)
    headings = re.findall(r"^## (.+)$", whole, re.MULTILINE)
    if tuple(headings[-len(ENDING) :]) != ENDING:
        yield 0, f"the last headings are {headings[-len(ENDING) :]}, not {list(ENDING)}"
        return
    summary = whole.partition("\n## Summary\n")[2].partition("\n## ")[0]
    answers, questions = len(_items(summary)), len(_objectives(notebook))
    if answers != questions:
        yield 0, f"the summary has {answers} items for {questions} objectives"


def _objectives(notebook: CourseNotebook) -> list[str]:
    opening = notebook.node.cells[0].source
    return _items(opening.partition("**You will be able to**")[2].partition("**Time:**")[0])


def _items(markdown: str) -> list[str]:
    """Return the items of a numbered list, without their numbers."""
    return ITEM.split(markdown.strip())[1:]


def _sections(notebook: CourseNotebook) -> list[int]:
    texts = (cell.source for cell in notebook.node.cells if cell.cell_type == "markdown")
    return [int(number) for text in texts for number in SECTION.findall(text)]


SHAPE_RULES: tuple[Rule, ...] = (
    objectives_name_their_sections,
    time_is_that_of_the_sections,
    is_of_one_sitting,
    ends_like_the_others,
)
