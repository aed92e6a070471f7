"""Colours that colour-blind people can tell apart, in the palette and wherever code names one."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot

from oldphoto.course import figures
from oldphoto.course.publishing import colour_vision
from oldphoto.course.publishing.colour_vision import (
    APART,
    VISIONS,
    LineStyle,
    distance,
    merging,
    simulate,
)
from oldphoto.course.publishing.palette_use import foreign_colours

COURSE = Path(figures.__file__).parent


def cycle(**changes: list[str]) -> list[LineStyle]:
    """The styles of the course's lines in their order, with some columns replaced."""
    entries = list(figures.STYLE["axes.prop_cycle"])
    colours = changes.get("colours", [entry["color"] for entry in entries])
    dashes = changes.get("dashes", [entry["linestyle"] for entry in entries])
    return [LineStyle(c, d) for c, d in zip(colours, dashes, strict=True)]


@pytest.mark.parametrize("vision", VISIONS.values(), ids=VISIONS.keys())
def test_greys_are_seen_alike_by_everybody(vision):
    # Each row of the matrices adds up to 1, so that grey stays grey.
    np.testing.assert_allclose(vision.sum(axis=1), 1, atol=1e-5)
    for grey in (0.0, 0.5, 1.0):
        np.testing.assert_allclose(simulate(str(grey), vision), grey, atol=1e-4)


def test_pure_red_by_hand():
    # The first column of the matrix, encoded: 1.055 v^(1/2.4) - 0.055, and what is below 0 is cut.
    seen = simulate("#ff0000", colour_vision.DEUTERANOPIA)
    expected = [1.055 * v ** (1 / 2.4) - 0.055 for v in (0.367322, 0.280085)]
    np.testing.assert_allclose(seen, [*expected, 0.0], atol=1e-6)


def test_distances_known_without_a_program():
    assert distance("black", "white") == pytest.approx(100, abs=0.1)
    assert distance("#123456", "#123456") == 0


@pytest.mark.parametrize("vision", VISIONS.values(), ids=VISIONS.keys())
@pytest.mark.parametrize("pair", list(combinations(figures.COLOURS, 2)), ids=" and ".join)
def test_no_two_colours_of_the_palette_merge(pair, vision):
    one, other = (figures.COLOURS[name] for name in pair)
    assert distance(one, other, vision) > APART


def test_the_lines_of_the_course_do_not_merge():
    assert merging(cycle()) == []
    solid = cycle(dashes=["-"] * 5)
    assert merging(solid) == []  # and that without the help of their dashes


def test_red_and_green_merge_unless_dashes_or_markers_differ():
    red, green = LineStyle("tab:red"), LineStyle("tab:green")
    found = {name for _, _, name in merging([red, green])}
    assert "deuteranopia" in found and "typical" not in found
    assert merging([red, LineStyle("tab:green", "--")]) == []
    assert merging([red, LineStyle("tab:green", marker="o")]) == []
    assert len(merging([red, red])) == len(VISIONS)


def test_the_named_lines_of_a_figure_are_looked_at():
    fig, axis = pyplot.subplots()
    axis.plot([0, 1], color="tab:red", label="one")
    axis.plot([1, 0], color="tab:green", label="other")
    axis.plot([1, 1], color="tab:green")  # without a name
    styles = colour_vision.styles_of(axis)
    pyplot.close(fig)
    assert [style.dashes for style in styles] == ["-", "-"] and merging(styles)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a.plot(x, 'r--')", ["r--"]),
        ("a.plot(x, 'go')", ["go"]),
        ("a.plot(x, '--b')", ["--b"]),
        ("a.bar(x, y, color=['red', 'black'])", ["red"]),
        ("a.scatter(x, y, c='tab:red')", ["tab:red"]),
        ("a.fill_between(x, y, facecolor='#ff0000')", ["#ff0000"]),
        ("a.plot(x, 'o--', label='red')", []),
        ("a.plot(x, 'k:'); a.plot(x, 's-', color='C4')", []),
        ("a.plot(x, color=COLOURS['red']); a.plot(x, color='#0072b2')", []),
        ("%pip list\na.plot(x, color='0.4')", []),
    ],
)
def test_colours_outside_the_palette_are_found(code, expected):
    assert foreign_colours(code) == expected


@pytest.mark.parametrize("path", sorted(COURSE.glob("*.py")), ids=lambda path: path.name)
def test_the_laboratories_use_the_palette(path):
    assert foreign_colours(path.read_text(encoding="utf-8")) == []
