"""Figures: never without a description, readable by colour-blind people and on dark pages."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course import figures
from oldphoto.course.diagrams.memory_chart import memory_chart, readable_bytes

ALT = "Two lines that rise from left to right."


@pytest.fixture
def shown(monkeypatch):
    """Catch what is displayed."""
    outputs: list[str] = []
    monkeypatch.setattr(figures, "display", lambda html: outputs.append(html.data))
    return outputs


def picture_of(html: str) -> Image.Image:
    data = re.search(r'src="data:[\w/+]+;base64,([^"]+)"', html).group(1)
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("alt", ["", "   ", "a figure", None])
def test_figure_without_description_is_refused(alt, shown):
    fig, _ = pyplot.subplots()
    with pytest.raises(InputError, match=r"a figure needs alt=\.\.\."):
        figures.show(fig, alt)
    with pytest.raises(InputError, match="a figure needs alt"):
        figures.show_svg("<svg/>", alt)
    with pytest.raises(InputError, match="a figure needs alt"):
        figures.show_photos({"a": np.zeros((4, 4, 3), np.uint8)}, alt)
    pyplot.close(fig)
    assert shown == []


def test_show_emits_an_image_with_alt_and_closes_the_figure(shown):
    fig, axis = pyplot.subplots(figsize=(4, 3))
    axis.plot([0, 1])
    figures.show(fig, 'Line "a" <b>, rising from 0 to 1.', caption="A < B")
    assert 'alt="Line &quot;a&quot; &lt;b&gt;, rising from 0 to 1."' in shown[0]
    assert "<figcaption>A &lt; B</figcaption>" in shown[0]
    assert not pyplot.fignum_exists(fig.number)
    assert picture_of(shown[0]).size == (360, 270)


def test_a_title_does_not_touch_the_edge_of_the_picture(shown):
    with pyplot.rc_context(figures.STYLE):
        fig, axis = pyplot.subplots(figsize=(4, 3))
        axis.set_title("A title")
        figures.show(fig, ALT)
    ink = np.asarray(picture_of(shown[0]).convert("L")) < 128
    assert np.flatnonzero(ink.any(axis=1))[0] >= 6  # pixels, of 90 in an inch


def test_background_is_white_for_dark_pages(shown):
    fig, _ = pyplot.subplots()
    figures.use_style()
    figures.show(fig, ALT)
    assert picture_of(shown[0]).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_all_forms_of_a_photo_become_pixels():
    grey = np.full((2, 3), 7, dtype=np.uint8)
    assert figures.as_pixels(grey).tolist() == np.full((2, 3, 3), 7).tolist()
    assert figures.as_pixels(grey > 0).min() == 255
    assert figures.as_pixels(Image.new("L", (3, 2), 9)).shape == (2, 3, 3)
    white = figures.as_pixels(torch.ones(1, 3, 2, 3))
    assert white.shape == (2, 3, 3) and white.min() == 255
    with pytest.raises(InputError, match="expected a photo as PIL image"):
        figures.as_pixels(np.zeros((2, 3), dtype=float))


def test_titles_too_long_for_their_column_are_wrapped(shown):
    titles = []
    photo = np.zeros((4, 4, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "show", lambda fig, *_a, **_k: titles.extend(fig.axes))
        names = ("ours without partial non-local", "ours with partial non-local", "c", "d", "e")
        figures.show_photos(dict.fromkeys(names, photo), "Five black photos.", columns=5)
    wrapped = [axis.get_title() for axis in titles]
    assert wrapped == ["ours without partial\nnon-local", "ours with partial\nnon-local", *"cde"]
    titles[0].figure.canvas.draw()
    boxes = [axis.title.get_window_extent() for axis in titles[:2]]
    assert boxes[0].x1 < boxes[1].x0


def test_show_photos_lays_out_a_grid(shown):
    photo = np.zeros((40, 60, 3), np.uint8)
    figures.show_photos({name: photo for name in "abcd"}, "Four black photos.", columns=2)
    width, height = picture_of(shown[0]).size
    assert 0.7 < width / height < 1.6
    with pytest.raises(InputError, match="at least one photo"):
        figures.show_photos({}, "Nothing at all here.")


def test_type_is_large_enough():
    assert figures.STYLE["font.size"] >= 12


def test_memory_chart_says_the_predicted_bytes():
    _, words = memory_chart((1472, 1984), 0.1)
    # 182,528 positions; four tables of 4-byte numbers: 4 * 4 * 182,528^2 bytes.
    assert "182,528 latent positions" in words
    assert f"{16 * 182_528**2 / 2**30:.3g} GiB" in words


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(2**20, "1 MiB"), (1536 * 2**20, "1.5 GiB"), (2**41, "2,048 GiB")]
)
def test_bytes_are_readable(size_bytes, text):
    assert readable_bytes(size_bytes) == text


def drawn(width: float, label: str = "") -> Figure:
    with pyplot.rc_context(figures.STYLE):
        fig, axes = pyplot.subplots(1, 2, figsize=(width, 3))
    axes[0].set_ylabel(label)
    return fig


def test_a_figure_for_a_widget_is_white_described_and_closed():
    before = len(pyplot.get_fignums())
    html = figures.figure_as_html(drawn(6), "Two empty axes beside each other.", "empty")
    assert 'alt="Two empty axes' in html and "<figcaption>empty</figcaption>" in html
    picture = picture_of(html).convert("RGB")
    assert picture.size == (420, 210) and picture.getpixel((0, 0)) == (255, 255, 255)
    assert len(pyplot.get_fignums()) == before
    with pytest.raises(InputError, match="a figure needs alt="):
        figures.figure_as_html(drawn(6), "")


def test_axes_keep_their_places_while_a_slider_moves():
    steady, long_label = figures.SteadyFigure(), "a label\nof three\nlines"
    first = drawn(6)
    assert steady.html(first, ALT) == figures.figure_as_html(drawn(6), ALT)
    moved = drawn(6, long_label)
    steady.html(moved, ALT)
    places = [
        [axis.get_position(original=True).bounds for axis in fig.axes] for fig in (first, moved)
    ]
    assert places[0] == places[1]
    laid_out = drawn(6, long_label)
    figures.figure_as_html(laid_out, ALT)
    assert laid_out.axes[0].get_position(original=True).bounds != places[0][0]
