"""All drawings: sound XML, described, no word outside its place, sections that there are."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from oldphoto.course.diagrams import (
    data as diagrams_data,
)
from oldphoto.course.diagrams import (
    learning as diagrams_learning,
)
from oldphoto.course.diagrams import (
    networks as diagrams,
)
from oldphoto.course.diagrams import (
    training as diagrams_training,
)
from oldphoto.course.diagrams import (
    use as diagrams_use,
)
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.degradations import RECIPES

SPACE = "{http://www.w3.org/2000/svg}"
# Drawing, number of the notebook whose sections it names, words that it must have.
DRAWINGS = {
    "pipeline": (diagrams.pipeline, None, ("old photo r", "mapping T", "restored")),
    "parallel": (lambda: diagrams.partial_nonlocal_block("parallel"), None, ("query", "softmax")),
    "serial": (lambda: diagrams.partial_nonlocal_block("serial"), None, ("query", "softmax")),
    "vae": (diagrams.variational_autoencoder, None, ("encoder", "decoder")),
    "detector": (diagrams.detector_unet, None, ()),
    "lpips": (diagrams.perceptual_distance, None, ()),
    "memory": (lambda: diagrams.memory_chart((768, 1024), 0.1)[0], None, ("this package",)),
    "recipe": (diagrams_data.released_recipe, "01", ("clean y", "degraded x", "old photo r")),
    "mask": (diagrams_data.exact_mask, "02", ("clean y", "layer l", "mask m", "degraded x")),
    "sets": (diagrams_data.three_sets, "03", ("clean y", "old photo r", "VAE 1", "mapping T")),
    "discriminator of photos": (
        diagrams_learning.discriminator_of_photos,
        "05",
        ("made ŷ", "discriminator D"),
    ),
    "discriminator of codes": (
        diagrams_learning.discriminator_of_codes,
        "06",
        ("latent z_r", "latent z_x"),
    ),
    "stages": (diagrams_training.training_stages, "10", ("old r", "degraded x", "clean y")),
    "methods": (diagrams_use.six_methods, "12", ("ours", "old r")),
    "study": (diagrams_use.user_study, "13", ("old photos r", "a rater")),
    "record": (diagrams_use.sampling_and_record, "14", ("photo.png", "copy.png")),
    "own photo": (diagrams_use.own_photo, "15", ("your photo r", "MASK?")),
}
# Sections that are no step of a drawing which shows all steps of its notebook.
NOT_DRAWN = {"01": {6, 8}, "02": {1, 7, 9}, "03": set(), "05": set(), "06": set()}


@pytest.fixture(params=DRAWINGS.values(), ids=DRAWINGS.keys())
def drawing(request):
    """Give SVG text, number of the notebook and known words of each drawing."""
    draw, number, words = request.param
    return draw(), number, words


def texts(svg: str) -> list[tuple[str, float, float, float]]:
    """Return each text with its left and right end and the line it stands on.

    The widths are those of DejaVu Sans, which is wider than most fonts of a browser.
    """
    found = []
    for node in ElementTree.fromstring(svg).iter(f"{SPACE}text"):
        font = FontProperties(family="DejaVu Sans", weight=node.get("font-weight"))
        half = TextPath((0, 0), node.text, float(node.get("font-size")), prop=font)
        half = half.get_extents().width / 2
        middle = float(node.get("x")) + (0 if node.get("text-anchor") == "middle" else half)
        found.append((node.text, middle - half, middle + half, float(node.get("y"))))
    return found


def boxes(svg: str) -> Iterator[tuple[float, float, float, float]]:
    """Yield left, top, right, bottom of each box; of a slanted one, halfway up."""
    root = ElementTree.fromstring(svg)
    for rect in list(root.iter(f"{SPACE}rect"))[1:]:  # the first is the background
        x, y, width, height = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        yield x, y, x + width, y + height
    for polygon in root.iter(f"{SPACE}polygon"):
        corners = [tuple(map(float, pair.split(","))) for pair in polygon.get("points").split()]
        if len(corners) == 4:
            (left, top), _, (right, bottom), _ = corners
            yield left - 6, top, right + 6, bottom
        else:  # the six corners of a question
            columns, rows = zip(*corners, strict=True)
            yield min(columns), min(rows), max(columns), max(rows)


def sections_named(svg: str) -> set[int]:
    """Return the numbers in "section 4", "sections 2 and 5" and "sections 2 to 4"."""
    named = set()
    for first, word, last in re.findall(r"sections? (\d+)(?: (and|to) (\d+))?", svg):
        numbers = range(int(first), int(last or first) + 1)
        named |= {numbers[0], numbers[-1]} if word == "and" else set(numbers)
    return named


def test_drawing_is_small_described_and_self_contained(drawing):
    svg, number, words = drawing
    root = ElementTree.fromstring(svg)
    assert root.find(f"{SPACE}title").text and len(root.find(f"{SPACE}desc").text) > 100
    assert len(svg) < 100_000
    assert "href" not in svg and "url(http" not in svg
    assert set(words) <= {text for text, *_ in texts(svg)}
    assert min(int(node.get("font-size")) for node in root.iter(f"{SPACE}text")) >= 12
    if number in NOT_DRAWN:  # a drawing of all steps: in a narrow page its letters get small
        assert int(root.get("width")) <= 800


def test_no_text_leaves_the_drawing_or_its_box(drawing):
    svg, *_ = drawing
    root = ElementTree.fromstring(svg)
    for text, left, right, line in texts(svg):
        assert left > 0 and right < float(root.get("width")), text
        assert 12 <= line <= float(root.get("height")) - 3, text
        middle = (left + right) / 2
        for x1, y1, x2, y2 in boxes(svg):
            if x1 < middle < x2 and y1 < line < y2:
                assert x1 < left and right < x2, text


def test_no_two_texts_share_a_place(drawing):
    found = texts(drawing[0])
    for index, (text, left, right, line) in enumerate(found):
        for other, left2, right2, line2 in found[:index]:
            apart = right < left2 or right2 < left or abs(line - line2) >= 12
            assert apart, f"{text!r} lies on {other!r}"


def test_sections_are_those_of_the_notebook(drawing):
    svg, number, _ = drawing
    if number is None:
        assert not sections_named(svg)
        return
    (notebook,) = (n for n in all_notebooks() if n.number == number)
    source = "\n".join(c.source for c in notebook.node.cells if c.cell_type == "markdown")
    sections = {int(section) for section in re.findall(r"^## (\d+)\. ", source, re.MULTILINE)}
    named = sections_named(svg)
    assert len(named) >= 2 and named <= sections
    if number in NOT_DRAWN:
        assert named == sections - NOT_DRAWN[number]


def test_the_recipe_is_drawn_with_its_own_probabilities(monkeypatch):
    assert diagrams_data.released_recipe().count("happens to 7 in 10") == 4
    (steps,) = RECIPES["released"].groups
    rarer = replace(RECIPES["released"], groups=((replace(steps[0], prob=0.2), *steps[1:]),))
    monkeypatch.setitem(RECIPES, "released", rarer)
    svg = diagrams_data.released_recipe()
    assert svg.count("happens to 7 in 10") == 3 and svg.count("happens to 2 in 10") == 1
