"""Accessible figures: alternative text, large type, colours for the colour-blind.

``show`` refuses to draw without a description. The picture goes into the notebook as an HTML image
with alternative text, because viewers drop the text that belongs to a plain picture output.
"""

import base64
import io
import textwrap
from collections.abc import Mapping
from html import escape
from typing import Any, Literal

import numpy as np
from cycler import cycler
from IPython.display import HTML, display
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image
from torch import Tensor

from oldphoto.checks import InputError
from oldphoto.images.tensors import to_pixels

Photo = Image.Image | np.ndarray | Tensor

# The palette of Okabe and Ito (2008), which colour-blind people can distinguish.
COLOURS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "red": "#D55E00",
    "pink": "#CC79A7",
}
_LETTERS_PER_INCH = 10  # of a title
_WIDGET_DPI = 70  # a picture that is redrawn at each move
_LINES = (("blue", "-"), ("red", "--"), ("green", "-."), ("orange", ":"), ("pink", "-"))
STYLE: dict[Any, Any] = {
    "font.size": 12,
    "axes.titlesize": 13,
    "figure.facecolor": "white",  # readable on dark pages too
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,  # inches; on a dark page, a title at the very
    "figure.constrained_layout.w_pad": 0.06,  # edge of the white picture looks cut
    "image.cmap": "cividis",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2.0,
    # Lines differ in dashes as well: no information is in the colour alone.
    "axes.prop_cycle": cycler(
        color=[COLOURS[name] for name, _ in _LINES], linestyle=[dash for _, dash in _LINES]
    ),
}
MIN_DESCRIPTION = 15


def use_style() -> None:
    """Set the style of the course for all figures of this kernel."""
    pyplot.rcParams.update(STYLE)


def show(fig: Figure, alt: str, caption: str = "", kind: Literal["png", "jpeg"] = "png") -> None:
    """Display a figure with its description, and close it.

    Args:
        fig: figure of matplotlib.
        alt: alternative text, for readers who cannot see it.
        caption: a line below it.
        kind: "jpeg" makes figures of photos a fifth as large.

    Raises:
        InputError: if the description is missing or too short.
    """
    alt = require_description(alt)
    buffer = io.BytesIO()
    quality = {"quality": 80} if kind == "jpeg" else None
    fig.savefig(buffer, format=kind, dpi=90, pil_kwargs=quality)
    pyplot.close(fig)  # else Jupyter shows it a second time, without description
    display(HTML(figure_html(f"image/{kind}", buffer.getvalue(), alt, caption)))


def show_photos(photos: Mapping[str, Photo], alt: str, caption: str = "", columns: int = 3) -> None:
    """Display photos and masks in a grid, each with its title.

    Args:
        photos: title to photo: PIL image, uint8 (H, W, 3), mask bool (H, W), or tensor
            (3, H, W) or (1, 3, H, W) in [-1, 1].
        alt: what they show, in words.
        columns: how many in a row at most.
    """
    alt = require_description(alt)
    if not photos:
        raise InputError("expected at least one photo to show, got none")
    columns = min(columns, len(photos))
    letters = round(_LETTERS_PER_INCH * 11 / columns)  # a longer title would overlap the next
    wrap = textwrap.TextWrapper(letters, break_on_hyphens=False).fill
    shown = {wrap(title): as_pixels(photo) for title, photo in photos.items()}
    lines = max(title.count("\n") for title in shown)
    rows = -(-len(shown) // columns)
    height = max(pixels.shape[0] / pixels.shape[1] for pixels in shown.values())
    with pyplot.rc_context(STYLE):
        width = 11 / columns
        size = (11, rows * (min(width, 5.5) * height + 0.45 + 0.25 * lines))
        fig, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for axis, (title, pixels) in zip(axes.flat, shown.items(), strict=False):
            axis.imshow(pixels, interpolation="antialiased")
            axis.set_title(title)
        show(fig, alt, caption, kind="jpeg")


def show_svg(svg: str, alt: str, caption: str = "") -> None:
    """Display a drawing (SVG text) with its description."""
    display(HTML(figure_html("image/svg+xml", svg.encode(), require_description(alt), caption)))


def require_description(alt: str) -> str:
    """Return the description, or raise InputError when it is too short."""
    if not isinstance(alt, str) or len(alt.strip()) < MIN_DESCRIPTION:
        raise InputError(
            "a figure needs alt=..., a sentence that says what it shows "
            f"(at least {MIN_DESCRIPTION} characters); got {alt!r}"
        )
    return alt.strip()


def figure_html(kind: str, content: bytes, alt: str, caption: str = "") -> str:
    """Return HTML of a picture that carries its data, its description and its caption."""
    data = base64.b64encode(content).decode("ascii")
    image = (
        f'<img alt="{escape(alt, quote=True)}" src="data:{kind};base64,{data}" '
        'style="max-width: 100%; background: white">'
    )
    if not caption:
        return image
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def figure_as_html(fig: Figure, alt: str, caption: str = "") -> str:
    """Return a figure as HTML with its description, for the picture of a widget, and close it."""
    return pixels_html(figure_pixels(fig), alt, caption)


def figure_pixels(fig: Figure) -> np.ndarray:
    """Return a figure as uint8 (H, W, 3) at the size of a widget's picture, and close it.

    It is drawn once, where ``savefig`` lays it out and draws it twice: a reader waits for it.
    """
    fig.set_dpi(_WIDGET_DPI)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    pyplot.close(fig)
    return np.asarray(canvas.buffer_rgba())[..., :3]


def pixels_html(pixels: np.ndarray, alt: str, caption: str = "") -> str:
    """Return uint8 (H, W, 3) as HTML with its description, each pixel as it is."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return figure_html("image/png", buffer.getvalue(), require_description(alt), caption)


class SteadyFigure:
    """Draws the figures of one widget with the layout of the first one.

    To lay a figure out takes longer than to draw it, and axes that move with every move of a
    slider are hard to compare. For figures whose labels stay as long as they are.
    """

    def __init__(self) -> None:
        self._places: list[Bbox] = []

    def pixels(self, fig: Figure) -> np.ndarray:
        """Return the figure as ``figure_pixels`` does, and close it."""
        if len(self._places) == len(fig.axes):
            fig.set_layout_engine("none")
            for axis, place in zip(fig.axes, self._places, strict=True):
                axis.set_position(place)
        drawn = figure_pixels(fig)
        self._places = [axis.get_position(original=True) for axis in fig.axes]
        return drawn

    def html(self, fig: Figure, alt: str, caption: str = "") -> str:
        """Return the figure as ``figure_as_html`` does, and close it."""
        return pixels_html(self.pixels(fig), alt, caption)


def photo_html(photo: Photo, alt: str) -> str:
    """Return HTML of one photo, pixel by pixel, with its description."""
    buffer = io.BytesIO()
    Image.fromarray(as_pixels(photo)).save(buffer, format="JPEG", quality=90)
    return figure_html("image/jpeg", buffer.getvalue(), require_description(alt))


def as_pixels(photo: Photo) -> np.ndarray:
    """Return a photo or mask in any of the forms of ``show_photos`` as uint8 (H, W, 3).

    Raises:
        InputError: if it is in none of these forms.
    """
    if isinstance(photo, Tensor):
        return to_pixels(photo.detach().cpu())
    pixels = np.asarray(photo.convert("RGB") if isinstance(photo, Image.Image) else photo)
    if pixels.dtype == bool and pixels.ndim == 2:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(
            "expected a photo as PIL image, uint8 (H, W, 3), bool (H, W) or tensor (3, H, W) in "
            f"[-1, 1]; got {pixels.dtype} {pixels.shape}"
        )
    return pixels
