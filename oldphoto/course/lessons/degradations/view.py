"""The panel of the degradation laboratory: a thin view of ``degradation_lab``."""

import io
from collections.abc import Mapping, Sequence
from html import escape

import ipywidgets
import numpy as np
from IPython.display import HTML, display
from PIL import Image

from oldphoto.checks import InputError, require_in
from oldphoto.course.common import beside, exact_html
from oldphoto.course.figures import figure_html, require_description
from oldphoto.course.lessons.degradations.dials import (
    DIALS,
    OWN_MIX,
    REPLAY,
    UNSTRUCTURED,
    Settings,
    lab_picture,
    lab_words,
    run_lab,
)
from oldphoto.course.widgets import Guard, slider
from oldphoto.degradations.named import RECIPES

MAX_SEED = 99
STRIP_WIDTH = 960  # pixels on the page, at most


def lab_view(
    photos: Mapping[str, np.ndarray],
    kinds: Sequence[str] = UNSTRUCTURED,
    strengths: Mapping[str, float] | None = None,
    with_mask: bool = False,
) -> ipywidgets.Widget:
    """Return the panel: photo, recipe or dials, seed, picture, numbers, recipe as text.

    Args:
        photos: title to clean photo, uint8 (H, W, 3).
        kinds: the kinds of damage that get a dial, in the order of the panel.
        strengths: initial values of the dials, in [0, 1]; others are 0.
        with_mask: whether the mask is shown as a third picture.
    """
    photo = ipywidgets.Dropdown(options=list(photos), description="photo")
    source = ipywidgets.Dropdown(options=[OWN_MIX, *RECIPES, REPLAY], description="recipe")
    seed = slider("seed", 0, 0, MAX_SEED)
    dials = dial_sliders(kinds, strengths or {})
    picture, message = ipywidgets.HTML(), ipywidgets.HTML()
    text = _text_area()
    guard = Guard()

    @guard
    def draw(_change: object = None) -> None:
        for dial in dials.values():
            dial.disabled = source.value != OWN_MIX
        wanted = Settings(source.value, strengths_of(dials), seed.value, text.value)
        try:
            result = run_lab(photos[photo.value], wanted)
        except InputError as error:  # the text is not a recipe: the reader can correct it
            message.value = escape(str(error))
            return
        words = lab_words(result)
        shown = lab_picture(result, with_mask)
        alt = f"The photo {photo.value}, clean and degraded by {words}"
        picture.value, message.value = exact_html(shown, alt), escape(words)
        if source.value != REPLAY:
            text.value = result.text

    @guard
    def replayed(_change: object = None) -> None:
        if source.value == REPLAY:
            draw()

    for control in (photo, source, seed, *dials.values()):
        control.observe(draw, "value")
    text.observe(replayed, "value")
    draw()
    rows = [ipywidgets.HBox([photo, source]), seed, grid(dials), message, picture, text]
    return ipywidgets.VBox([*rows, guard.log])


def dial_sliders(
    kinds: Sequence[str], strengths: Mapping[str, float]
) -> dict[str, ipywidgets.IntSlider]:
    """Return a slider from 0 to 100 % for each kind."""
    for kind in (*kinds, *strengths):
        require_in(kind, tuple(DIALS), "kind of damage with a dial")
    return {
        kind: slider(f"{DIALS[kind].label}, %", round(100 * strengths.get(kind, 0)), 0, 100, step=5)
        for kind in kinds
    }


def strengths_of(dials: Mapping[str, ipywidgets.IntSlider]) -> dict[str, float]:
    """Return the values of the sliders, in [0, 1]."""
    return {kind: dial.value / 100 for kind, dial in dials.items()}


def grid(dials: Mapping[str, ipywidgets.Widget]) -> ipywidgets.Widget:
    """Return the sliders in two columns, or in one where the page is narrow."""
    layout = {"grid_template_columns": "repeat(auto-fit, minmax(20rem, 1fr))"}
    return ipywidgets.GridBox(list(dials.values()), layout=layout)


def show_strip(photos: Mapping[str, np.ndarray], alt: str, columns: int = 4) -> None:
    """Display small photos enlarged, with every pixel as a square.

    The photos are stored as small as they are and enlarged by the page; noise enlarged by
    ``show_photos`` would take ten times the room.

    Args:
        photos: title to photo, uint8 (H, W, 3), all of one size.
        alt: what they show, in words.
        columns: how many in a row at most.
    """
    alt = require_description(alt)
    columns = min(columns, len(photos))
    rows = []
    for start in range(0, len(photos), columns):
        row = dict(list(photos.items())[start : start + columns])
        titles = "".join(_title_cell(title, 100 // columns) for title in row)
        image = strip_html(list(row.values()), f"{', '.join(row)}. {alt}")
        cell = f"<td colspan='{len(row)}' style='padding: 0'>{image}</td>"
        rows.append(f"<tr>{titles}</tr><tr>{cell}</tr>")
    style = f"table-layout: fixed; max-width: {STRIP_WIDTH}px"  # never wider than the page
    display(HTML(f"<table width='100%' style='{style}'>{''.join(rows)}</table>"))


def _title_cell(title: str, percent: int) -> str:
    style = "text-align: center; padding: 4px 0"
    return f"<th width='{percent}%' align='center' style='{style}'>{escape(title)}</th>"


def strip_html(photos: Sequence[np.ndarray], alt: str) -> str:
    """Return HTML of photos of one size in a row, as wide as the surrounding element."""
    joined = beside(*photos, gap=max(1, photos[0].shape[1] // 40))
    buffer = io.BytesIO()
    Image.fromarray(joined).save(buffer, format="JPEG", quality=88)
    html = figure_html("image/jpeg", buffer.getvalue(), alt)
    return html.replace("<img ", "<img width='100%' ", 1).replace(
        'style="', 'style="image-rendering: pixelated; ', 1
    )


def _text_area() -> ipywidgets.Textarea:
    return ipywidgets.Textarea(
        description="as text",
        placeholder="the recipe as JSON; choose 'replay the text' and paste one here",
        continuous_update=False,
        layout={"width": "min(100%, 60rem)", "height": "8rem"},
    )
