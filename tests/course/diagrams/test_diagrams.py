"""The drawings: valid SVG with a description, and true to the package and to the notebooks."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from oldphoto.checks import InputError
from oldphoto.config import STAGES
from oldphoto.course.diagrams import FOLDER, diagram
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.degradations import RECIPES
from oldphoto.evaluation.comparison_table import PAPER
from oldphoto.weights.store import MAPPINGS

SPACE = "{http://www.w3.org/2000/svg}"
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
