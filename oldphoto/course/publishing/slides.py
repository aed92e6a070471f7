"""Which slide shows what: the rule that turns a notebook into a deck.

No notebook is marked up for it. A heading of level 2 starts a section (a slide to the right), one
of level 3 a slide below. A question that the reader should decide first stands alone, or under
its heading, and what follows it comes on the next slide. Code and what it printed share a slide
where they fit, pictures and remarks follow. Drawings stand without their code. Of a long paragraph
the slide shows the first sentence; the speaker's notes keep the whole, and also answers and times.
Parameters and set-up are left out.

Where a cell has Jupyter's own mark for slides (``slideshow.slide_type``), that mark is obeyed:
``skip`` and ``notes`` take the cell out of the deck, ``slide`` and ``subslide`` start one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from nbformat import NotebookNode

from oldphoto.course.publishing.clean import INTERACTIVE
from oldphoto.course.publishing.slide_blocks import (
    CODE_LINE,
    Block,
    items_of,
    shorten,
    split_blocks,
)

LINES = 18.0  # that fit on one slide, about
FULL = 1.25 * LINES  # what a list may fill: rather in smaller type than with its end elsewhere
PICTURE_LINES = 14.0
LEFT_OUT = ("exercises.sheet.",)
BADGE = "[![Open In Colab]"
# Times, and how to get a hint.
FOR_NOTES = re.compile(r"\*\*Time:|\*\*Measured:|Stuck\?|.*\.hint\(\)", re.DOTALL)
EXERCISE = re.compile(r"#+ Exercise")
DRAWING = "show_svg("  # the code of a drawing says nothing to a room


@dataclass(frozen=True)
class Part:
    """One thing on a slide.

    Attributes:
        content: a block of text, the source of a code cell, or an output of one.
        fragment: whether it appears only at the next click.
    """

    kind: Literal["text", "question", "code", "printed", "picture"]
    content: Block | str | NotebookNode
    fragment: bool = False

    @property
    def lines(self) -> float:
        """How many lines of a slide it fills, about."""
        if isinstance(self.content, Block):
            return self.content.lines
        if self.kind == "picture":
            return PICTURE_LINES
        text = self.content if isinstance(self.content, str) else printed_text(self.content)
        return CODE_LINE * len(text.splitlines()) + 1


@dataclass
class Slide:
    """What is seen at once, and what the speaker alone sees.

    Attributes:
        section: whether it lies to the right of the one before, not below it.
        notes: Markdown.
    """

    section: bool = False
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def lines(self) -> float:
        """How many lines are filled, about."""
        return sum(part.lines for part in self.parts)

    @property
    def has_result(self) -> bool:
        """Whether an output of a cell is on it."""
        return any(part.kind in ("printed", "picture") for part in self.parts)

    @property
    def only_headings(self) -> bool:
        """Whether nothing but headings is on it yet."""
        return all(isinstance(p.content, Block) and p.content.level for p in self.parts)


def plan_slides(node: NotebookNode) -> list[Slide]:
    """Return the slides of an executed notebook, in order."""
    plan = _Plan()
    before_setup = True
    for index, cell in enumerate(node.cells):
        tags = cell.metadata.get("tags", [])
        mark = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if mark in ("slide", "subslide"):
            plan.start(section=mark == "slide")
        if cell.cell_type == "markdown":
            hidden = mark in ("skip", "notes") or (before_setup and index > 0)
            plan.add_note(cell.source) if hidden else plan.add_text(cell.source)
        elif "setup" in tags or "parameters" in tags:
            before_setup = before_setup and "setup" not in tags
            plan.start()
        elif mark not in ("skip", "notes") and not cell.source.startswith(LEFT_OUT):
            plan.add_code(cell, is_exercise="exercise" in tags)
    return [slide for slide in plan.slides if slide.parts]


class _Plan:
    """Slides so far; each ``add`` puts something on the last one, or on a new one."""

    def __init__(self) -> None:
        self.slides = [Slide(section=True)]
        self.in_exercise = False

    def start(self, section: bool = False) -> None:
        """Go on with an empty slide."""
        last = self.slides[-1]
        if last.parts:
            self.slides.append(Slide(section))
        else:
            last.section = last.section or section

    def add_note(self, markdown: str) -> None:
        """Tell the speaker alone."""
        self.slides[-1].notes.append(markdown)

    def add(self, part: Part, room: float = LINES) -> None:
        """Put a part on the last slide, or on a new one where it does not fit.

        A heading is never left behind alone. What is too large for a slide is shrunk when shown.
        """
        last = self.slides[-1]
        if last.parts and last.lines + part.lines > room and not last.only_headings:
            self.start()
        self.slides[-1].parts.append(part)

    def add_text(self, markdown: str) -> None:
        """Put the blocks of a text cell on slides; the remark on a result stays beside it."""
        after_result = self.slides[-1].has_result
        for block in split_blocks(markdown):
            if after_result and block.kind == "paragraph":
                self._add_remark(block)
            elif after_result:
                self.start()
                self._add_block(block)
            else:
                self._add_block(block)
            after_result = False

    def _add_remark(self, block: Block) -> None:
        """Show what is said about a result at the next click, and then go on elsewhere."""
        if FOR_NOTES.match(block.text):
            self.add_note(block.text)
        else:
            shown, rest = shorten(block)
            self.add(Part("text", shown, fragment=True))
            if rest:
                self.add_note(rest)
        self.start()

    def _add_block(self, block: Block) -> None:
        if block.text.startswith(BADGE):
            return
        if block.kind == "details" or FOR_NOTES.match(block.text):
            self.add_note(block.text)
        elif block.kind == "heading" and block.level > 1:
            self._add_heading(block)
        elif block.is_question:
            self._start_below_heading()
            self.add(Part("question", block))  # what follows must not give it away
            self.start()
        elif block.text.startswith("**You will be able to**"):
            self.start()
            self.add(Part("text", block))
        elif block.kind == "list" and block.lines > LINES / 2:
            for item in items_of(block):  # so that a long list may go on on the next slide
                self.add(Part("text", Block("list", item)), room=FULL)
        else:
            # What an exercise asks for is shown whole.
            shown, rest = (block, "") if self.in_exercise else shorten(block)
            self.add(Part("text", shown))
            if rest:
                self.add_note(rest)

    def _add_heading(self, block: Block) -> None:
        if block.level == 2:
            self.start(section=True)
        else:
            self._start_below_heading()
        self.add(Part("text", block))
        self.in_exercise = bool(EXERCISE.match(block.text))

    def _start_below_heading(self) -> None:
        """Go on with an empty slide, or with one that has nothing but headings yet."""
        if not self.slides[-1].only_headings:
            self.start()

    def add_code(self, cell: NotebookNode, is_exercise: bool) -> None:
        """Put a code cell and what it showed on slides; of an exercise, the stub alone."""
        source = cell.source.strip()
        outputs = [] if is_exercise else list(output_parts(cell))
        if self.slides[-1].has_result:
            self.start()
        if DRAWING in source and outputs:
            self.add_note(f"```python\n{source}\n```")
        else:
            self.add(Part("code", source, fragment=is_exercise))
        for part in outputs:
            self.add(part)
        self.in_exercise = False
        if not outputs:
            self.start()


def output_parts(cell: NotebookNode) -> Iterator[Part]:
    """Yield a part for each output that a room can use; what it printed comes at a click."""
    for output in cell.get("outputs", []):
        html = output.get("data", {}).get("text/html", "")
        if "<img" in html or "<svg" in html:
            yield Part("picture", output)
        elif printed_text(output).strip():
            yield Part("printed", output, fragment=True)


def printed_text(output: NotebookNode) -> str:
    """Return what an output says, without its markup; "" where a slide has no use for it."""
    if output.output_type == "stream":
        lines = output.text.splitlines()
        return "\n".join(line for line in lines if not line.startswith("Going on with the"))
    text = output.get("data", {}).get("text/plain", "")
    return "Live: run this cell in the notebook." if text == INTERACTIVE else text
