"""One paragraph of a function: its lines, its place in the file."""

from pathlib import Path

import pytest

from oldphoto.checks import InputError
from oldphoto.course.lessons.training.reading import paragraph, paragraph_lines
from oldphoto.training.loop import train


def example() -> int:
    number = 1

    # Twice: a paragraph
    number = 2 * number
    if number < 3:
        number += 1  # & more

    return number


def test_a_paragraph_ends_at_the_next_blank_line():
    lines, first = paragraph_lines(example, "# Twice")
    assert lines == [
        "# Twice: a paragraph",
        "number = 2 * number",
        "if number < 3:",
        "    number += 1  # & more",
    ]
    file = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert file[first - 1].strip() == lines[0]
    assert paragraph_lines(example, "return number")[0] == ["return number"]
    with pytest.raises(InputError, match="expected a line of example"):
        paragraph_lines(example, "# Thrice")


def test_it_is_shown_with_its_place():
    lines, first = paragraph_lines(train, "# 1. Generator")
    html = paragraph(train, "# 1. Generator").data
    assert f"loop.py, lines {first} to {first + len(lines) - 1}" in html
    assert "generator.optimizer" in html and "# 2. Discriminators" not in html
    assert "&amp; more" in paragraph(example, "# Twice").data
