"""How long a notebook takes, and which of its sections are its core."""

import re
from dataclasses import dataclass

from nbformat import NotebookNode

WORDS, LINES, EXERCISE = 120, 12, 8  # words and lines of code a minute; minutes of an exercise
EXTRA = "*Extra: the core goes on without this section.*"  # the line below such a heading
TAG = "extra"  # of the cell with the heading
PACE = f": {WORDS} words or {LINES} lines of code a minute, {EXERCISE} minutes an exercise."
HEADING = re.compile(r"^(##|###) (.+)$", re.MULTILINE)
NO_PROSE = re.compile(r"<details>.*?</details>|\$\$.*?\$\$|\]\([^)]*\)|<[^>]*>", re.DOTALL)


@dataclass
class Section:
    """A part of a notebook below one heading.

    Attributes:
        number: as in "## 3. The KL term"; "" for the head, the summary and what follows it.
        extra: whether the core goes on without it.
        sub: whether it is an extra part of a section, below a heading such as "### PCA".
    """

    number: str
    extra: bool = False
    sub: bool = False
    words: int = 0
    lines: int = 0
    exercises: int = 0

    @property
    def minutes(self) -> float:
        """Time for words, code and exercises."""
        return self.words / WORDS + self.lines / LINES + EXERCISE * self.exercises


def sections(node: NotebookNode) -> list[Section]:
    """Return the sections of a notebook in order; the first one is what stands above them.

    An extra part inside a section is a section of its own, up to the next heading.
    """
    found = [Section("")]
    for cell in node.cells:
        if cell.cell_type == "code":
            if not {"setup", "parameters"} & set(cell.metadata.get("tags", [])):
                found[-1].lines += sum(bool(line.strip()) for line in cell.source.splitlines())
            continue
        parts = HEADING.split(NO_PROSE.sub(" ", cell.source))
        _add(found[-1], parts[0])
        for level, title, text in zip(*[iter(parts[1:])] * 3, strict=True):
            last, extra = found[-1], EXTRA in text
            if level == "##":
                number = title.partition(".")[0]
                found.append(Section(number if number.isdigit() else "", extra))
            elif last.sub or (extra and not last.extra):
                found.append(Section(last.number, extra, sub=extra))
            _add(found[-1], text if level == "##" else f"{title}\n{text}")
            found[-1].exercises += level == "###" and title.startswith("Exercise")
    return found


def _add(section: Section, text: str) -> None:
    section.words += len(re.findall(r"[A-Za-z]\S*", text))


def time_line(node: NotebookNode) -> str:
    """Return what the first cell says about the time, rounded to 5 minutes."""
    parts = sections(node)
    core, whole = (
        5 * round(sum(s.minutes for s in parts if all_of_it or not s.extra) / 5)
        for all_of_it in (False, True)
    )
    if core == whole:
        return f"**Time:** {whole} minutes{PACE}"
    core_sections = dict.fromkeys(s.number for s in parts if s.number and not s.extra)
    named = ", ".join(core_sections)
    return f"**Time:** {core} minutes for the core (sections {named}), {whole} for all{PACE}"
