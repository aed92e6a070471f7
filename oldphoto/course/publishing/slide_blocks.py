"""Taking the text cells of a notebook apart into blocks, the bricks that slides are built from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "heading",
    "paragraph",
    "list",
    "table",
    "equation",
    "code",
    "quote",
    "picture",
    "details",
]

HEADING = re.compile(r"(#{1,6}) +(.+)")
ITEM = re.compile(r"(?:[-*+]|\d\d?\.) +")
FIRST_ITEM = re.compile(r"(?:[-*+]|1\.) +")  # only this may follow a paragraph without a blank line
SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z*`$\[])")
MAX_WORDS = 32  # of a paragraph that is shown as it is; of a longer one, the first sentence
MIN_WORDS = 6  # of that sentence: a shorter one takes the next along
COLUMNS = 80  # characters in a line of a slide, about
CODE_LINE = 0.69  # a line of code, in lines of text


@dataclass(frozen=True)
class Block:
    """A piece of Markdown that is shown or left out as a whole."""

    kind: Kind
    text: str

    @property
    def level(self) -> int:
        """Level of a heading, from 1; 0 for everything else."""
        return len(HEADING.match(self.text).group(1)) if self.kind == "heading" else 0

    @property
    def is_question(self) -> bool:
        """Whether it asks the reader to decide before the answer is shown."""
        return self.kind == "quote" and "Decide first" in self.text

    @property
    def lines(self) -> float:
        """How many lines of a slide it fills, about."""
        rows = self.text.splitlines()
        if self.kind == "heading":
            return 2.0
        if self.kind == "picture":
            return 13.0
        if self.kind == "equation":
            return 2.5
        if self.kind == "code":
            return CODE_LINE * (len(rows) - 2) + 1
        if self.kind == "table":
            return sum(1.2 * _wrapped(row, 105) for row in rows)
        return sum(_wrapped(item, COLUMNS) for item in items_of(self)) + 0.6


def items_of(block: Block) -> list[str]:
    """Return what begins a new line of a slide: the items of a list, else the whole text."""
    if block.kind != "list":
        return [" ".join(block.text.split())]
    items: list[str] = []
    for row in block.text.splitlines():
        if ITEM.match(row) or not items:
            items.append(row)
        else:
            items[-1] += "\n" + row  # inner lists keep their indents
    return items


def _wrapped(text: str, columns: int) -> int:
    return -(-len(" ".join(text.split())) // columns) or 1


def split_blocks(markdown: str) -> list[Block]:
    """Return the blocks of a text cell, in order."""
    return [Block(_kind(text), text) for text in _chunks(markdown)]


def _kind(text: str) -> Kind:
    if HEADING.match(text):
        return "heading"
    starts: dict[str, Kind] = {
        "```": "code",
        "$$": "equation",
        "|": "table",
        ">": "quote",
        "![": "picture",
        "<img": "picture",
        "<details": "details",
    }
    for start, kind in starts.items():
        if text.startswith(start):
            return kind
    return "list" if ITEM.match(text) else "paragraph"


def _chunks(markdown: str) -> Iterator[str]:
    """Yield the texts between blank lines; fences, equations and details stay whole."""
    lines: list[str] = []
    end = ""  # what closes the block that may hold blank lines
    for line in markdown.splitlines():
        stripped = line.strip()
        if end:
            lines.append(line)
            if stripped.endswith(end):
                yield "\n".join(lines)
                lines, end = [], ""
            continue
        if lines and (not stripped or _begins_another(lines[0].strip(), stripped)):
            yield "\n".join(lines)
            lines = []
        if stripped:
            lines.append(line)
            end = _end_of(stripped)
    if lines:
        yield "\n".join(lines)


def _begins_another(first: str, line: str) -> bool:
    """Whether a line starts a block of its own although no blank line stands before it."""
    if HEADING.match(first) or HEADING.match(line):
        return True
    begins_list = bool(FIRST_ITEM.match(line)) and not ITEM.match(first)
    begins_quote = line.startswith(">") and not first.startswith(">")
    closed = line.startswith(("```", "$$", "<details")) and not ITEM.match(first)
    return begins_list or begins_quote or closed


def _end_of(line: str) -> str:
    """Return what closes a block that this line opens; "" where it closes by a blank line."""
    if line.startswith("```"):
        return "```"
    if line.startswith("$$"):
        return "" if line.endswith("$$") and len(line) > 2 else "$$"
    return "</details>" if line.startswith("<details") and "</details>" not in line else ""


def shorten(block: Block) -> tuple[Block, str]:
    """Return a block as a slide shows it, and what only the speaker's notes keep ("" for nothing).

    Of a long paragraph the slide shows the first sentence, and the last one where that asks or
    leads to what follows; the notes keep all of it.
    """
    if block.kind != "paragraph" or len(block.text.split()) <= MAX_WORDS:
        return block, ""
    first, *others = SENTENCE.split(" ".join(block.text.split()))
    while others and (len(first.split()) < MIN_WORDS or not _is_whole(first)):
        first = f"{first} {others.pop(0)}"
    leads_on = bool(others) and others[-1].endswith(("?", ":"))
    shown = [first, others[-1]] if leads_on else [first]
    if len(shown) > len(others) or not all(_is_whole(sentence) for sentence in shown):
        return block, ""
    return Block("paragraph", " … ".join(shown)), block.text


def _is_whole(sentence: str) -> bool:
    """Whether a cut left no half of **bold**, `code`, a formula or a link: its marks would show."""
    pairs = all(sentence.count(mark) % 2 == 0 for mark in ("**", "`", "$"))
    return pairs and sentence.count("[") == sentence.count("]")
