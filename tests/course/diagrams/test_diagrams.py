"""The drawings: valid SVG with a description, and true to the package and to the notebooks."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest
from PIL import ImageFont

from oldphoto.checks import InputError
from oldphoto.config import STAGES
from oldphoto.course.diagrams import FOLDER, diagram
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.degradations import RECIPES
from oldphoto.evaluation.comparison_table import PAPER
from oldphoto.weights.store import MAPPINGS

SPACE = "{http://www.w3.org/2000/svg}"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"  # DejaVu: wider than most screens' font
NAMES = sorted(path.stem for path in FOLDER.glob("*.svg"))
SOURCES = {n.number: "\n".join(c.source for c in n.node.cells) for n in all_notebooks()}


def labels(name: str) -> list[str]:
    """Return the texts of a drawing, in order."""
    root = ElementTree.fromstring(diagram(name)[0])
    return [node.text for node in root.iter(f"{SPACE}text")]


def numbers_of_sections(name: str) -> set[int]:
    """Return the numbers in "section 4", "sections 2 and 5" and "sections 2 to 4"."""
    named = set()
    for first, word, last in re.findall(r"sections? (\d+)(?: (and|to) (\d+))?", str(labels(name))):
        numbers = range(int(first), int(last or first) + 1)
        named |= {numbers[0], numbers[-1]} if word == "and" else set(numbers)
    return named


@pytest.mark.parametrize("name", NAMES)
def test_drawing_is_described_and_needs_no_other_file(name):
    svg, words = diagram(name)
    root = ElementTree.fromstring(svg)
    assert root.find(f"{SPACE}title").text
    assert len(words) > 100 and words == root.find(f"{SPACE}desc").text
    assert "href" not in svg and "url(http" not in svg


def outline(node: ElementTree.Element) -> list[tuple[float, float]]:
    """Return the corners of a box, the first one again at the end."""
    if points := node.get("points"):
        corners = [(float(x), float(y)) for x, y in (p.split(",") for p in points.split())]
    else:
        x, y, wide, high = (float(node.get(key, 0)) for key in ("x", "y", "width", "height"))
        corners = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
    return [*corners, corners[0]]


def span(corners: list[tuple[float, float]], y: float) -> tuple[float, float]:
    """Return from where to where a box reaches at a height; nowhere beside it."""
    xs = [
        x0 + (x1 - x0) * (y - y0) / (y1 - y0)
        for (x0, y0), (x1, y1) in pairwise(corners)
        if y0 != y1 and min(y0, y1) <= y <= max(y0, y1)
    ]
    return (min(xs), max(xs)) if xs else (0.0, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_each_label_fits_into_the_smallest_box_around_its_middle(name):
    root = ElementTree.fromstring(diagram(name)[0])
    boxes = [outline(node) for kind in ("rect", "polygon") for node in root.iter(SPACE + kind)]
    for node in root.iter(f"{SPACE}text"):
        x, y, size = (float(node.get(key)) for key in ("x", "y", "font-size"))
        weight = "-Bold" if node.get("font-weight") == "bold" else ""
        font = ImageFont.truetype(FONTS / f"DejaVuSans{weight}.ttf", 100)
        wide = font.getlength(node.text) * size / 100
        left = x - wide * {"start": 0, "middle": 0.5, "end": 1}[node.get("text-anchor", "start")]
        top = y - 0.75 * size  # of a capital letter
        middle = (left + wide / 2, (top + y) / 2)
        around = [b for b in boxes if span(b, middle[1])[0] < middle[0] < span(b, middle[1])[1]]
        box = min(around, key=lambda b: span(b, middle[1])[1] - span(b, middle[1])[0])
        for height in (top, y):
            low, high = span(box, height)
            assert low <= left and left + wide <= high, f"{node.text!r} sticks out of its box"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_the_drawing_and_has_the_sections_it_names(name):
    sources = [source for source in SOURCES.values() if f'diagram("{name}")' in source]
    assert sources
    for source in sources:
        sections = {int(number) for number in re.findall(r"^## (\d+)\. ", source, re.MULTILINE)}
        assert numbers_of_sections(name) <= sections


def test_unknown_name_is_refused():
    with pytest.raises(InputError, match="no drawing 'pipelines'; there are detector_unet"):
        diagram("pipelines")


def test_recipe_is_drawn_with_its_own_probabilities():
    (steps,) = RECIPES["released"].groups
    expected = [f"happens to {10 * step.prob:.0f} in 10" for step in steps]
    assert [text for text in labels("released_recipe") if "in 10" in text] == expected


def test_training_has_all_stages_in_order():
    shown = [text.split(": ")[1] for text in labels("training_stages") if text[1:3] == ": "]
    assert tuple(shown) == STAGES[:-1]  # the paper has no stage for the tone


def test_every_method_of_the_comparison_is_drawn():
    methods = {name for name in PAPER if name != "Input" and not name.startswith("ours")}
    assert methods | {"Classical", "CycleGAN", "ours"} <= set(labels("six_methods"))


def test_settings_of_ones_own_photo_are_those_of_the_package():
    shown = set(labels("own_photo"))
    assert {f'"{variant}"' for variant in (*MAPPINGS, "none", "auto", "small")} <= shown
