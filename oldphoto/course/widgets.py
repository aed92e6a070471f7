"""Widgets: each is a pure function from settings to a picture, and a thin view of it.

Only core widgets are used here, which work in JupyterLab, in Colab and without a network; the brush
for masks (``oldphoto.course.brush``) has a view of its own. An exception
inside a callback would vanish without a trace; ``Guard`` shows it below the widget and keeps it
where the batch run finds it.
"""

import functools
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course.figures import Photo, SteadyFigure, as_pixels, photo_html
from oldphoto.images.files import read_photo
from oldphoto.images.tensors import from_levels
from oldphoto.inference.fidelity import blended

LINE = np.array([255, 255, 255], dtype=np.uint8)
LONGEST_UPLOAD = 1024  # pixels; larger uploads are downsampled to save time


class Guard:
    """Keep and show exceptions of callbacks.

    Attributes:
        log: widget to place below a view; it shows the error.
    """

    def __init__(self) -> None:
        self.log = ipywidgets.Output()

    def __call__(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Return the callback wrapped: an error is shown and kept, a success clears it."""

        @functools.wraps(callback)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                result = callback(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - shown to the reader, found by the runner
                self.log.outputs = (_as_output(error),)
                return None
            self.log.outputs = ()
            return result

        return guarded


def _as_output(error: Exception) -> dict[str, Any]:
    """Return the error in the form in which notebooks keep it."""
    return {
        "output_type": "error",
        "ename": type(error).__name__,
        "evalue": str(error),
        "traceback": traceback.format_exception(error),
    }


def slider(label: str, value: int, low: int, high: int, step: int = 1) -> ipywidgets.IntSlider:
    """Return a slider that reports when it is released: the kernel may be remote."""
    return ipywidgets.IntSlider(
        value=value,
        min=low,
        max=high,
        step=step,
        description=label,
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "min(100%, 32rem)"},
    )


def picture_view(
    controls: Sequence[ipywidgets.Widget], html: Callable[[], str]
) -> ipywidgets.Widget:
    """Return controls above a picture, the HTML that is drawn anew whenever one of them moves.

    The controls lie one below the other: beside others a slider is too short.
    """
    picture, guard = ipywidgets.HTML(), Guard()

    @guard
    def draw(_change: object = None) -> None:
        picture.value = html()

    for control in controls:
        control.observe(draw, "value")
    draw()
    return ipywidgets.VBox([*controls, picture, guard.log])


def before_after(before: Photo, after: Photo, position: float) -> np.ndarray:
    """Return one photo whose left part is ``before`` and whose right part is ``after``.

    Args:
        before: photo in any form of ``show_photos``.
        after: photo of the same size.
        position: fraction of the width, in [0, 1], that shows ``before``.

    Returns:
        uint8 (H, W, 3), with a white line between the two parts.
    """
    left, right = as_pixels(before), as_pixels(after)
    height, width = left.shape[:2]
    if right.shape != left.shape:
        right = np.asarray(Image.fromarray(right).resize((width, height)))
    column = round(position * width)
    joined = np.concatenate([left[:, :column], right[:, column:]], axis=1)
    if 0 < column < width:
        joined[:, max(column - 1, 0) : column + 1] = LINE
    return joined


def before_after_view(
    before: Photo, after: Photo, alt: str, with_strength: bool = False
) -> ipywidgets.Widget:
    """Return a slider that uncovers ``after`` from the right; ``alt`` describes the photo.

    Args:
        with_strength: add a slider for the strength of a restoration; ``after``, which has to have
            the size of ``before``, is the photo at full strength.
    """
    left, right = as_pixels(before), as_pixels(after)
    percent = slider("before, in % of the width", 50, 0, 100)
    strength = slider("strength, in %", 100, 0, 100)

    def html() -> str:
        words, shown = "after", right
        if with_strength:
            words = f"after, strength {strength.value} %"
            shown = from_levels(blended(left, right.astype(np.float32), strength.value / 100))
        mixed = before_after(left, shown, percent.value / 100)
        return photo_html(mixed, f"{alt} Left {percent.value} %: before; the rest: {words}.")

    return picture_view([percent, strength] if with_strength else [percent], html)


def recorded_view(
    steps: Sequence[int], draw: Callable[[int], tuple[Figure, str]], start: int, about: str = ""
) -> ipywidgets.Widget:
    """Return a slider over the frames of a recording, and the picture of the chosen frame.

    Args:
        steps: of the looks, in order.
        draw: number of a look to its figure and words. All are drawn before anybody moves the
            slider: then none has to be waited for.
        start: number of the look that is shown first.
        about: stands before the words in each description.
    """
    choice = ipywidgets.SelectionSlider(
        options=[(str(step), number) for number, step in enumerate(steps)],
        value=start,
        description="training step",
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "min(100%, 32rem)"},
    )
    figure, drawn = SteadyFigure(), []
    for number in range(len(steps)):
        fig, words = draw(number)
        drawn.append(figure.html(fig, about + words, words))
    return picture_view([choice], lambda: drawn[choice.value])


def photo_view(
    restore: Callable[[np.ndarray], Photo], photos: Mapping[str, Photo]
) -> ipywidgets.Widget:
    """Return a choice of photos, with an upload, each shown before and after ``restore``.

    Args:
        restore: called with a photo, uint8 (H, W, 3); returns the restored photo.
        photos: title to photo, to choose from.
    """
    choice = ipywidgets.Dropdown(options=list(photos), description="photo")
    upload = ipywidgets.FileUpload(accept="image/*", multiple=False, description="your photo")
    message = ipywidgets.HTML()
    place = ipywidgets.VBox()
    guard = Guard()

    def present(title: str, photo: Photo) -> None:
        message.value = f"Restoring {title} ..."
        before = as_pixels(photo)
        start = time.perf_counter()
        after = restore(before)
        height, width = before.shape[:2]
        seconds = time.perf_counter() - start
        place.children = (before_after_view(before, after, f"The photo {title}."),)
        message.value = f"{title}: {width} x {height} pixels, restored in {seconds:.1f} s"

    @guard
    def chosen(_change: object = None) -> None:
        present(choice.value, photos[choice.value])

    @guard
    def uploaded(_change: object = None) -> None:
        for name, content in uploaded_files(upload.value):
            try:
                present(name, reduced(read_upload(name, content)))
            except InputError as error:  # the reader's file, not an error of the course
                message.value = escape(str(error))

    choice.observe(chosen, "value")
    upload.observe(uploaded, "value")
    chosen()
    return ipywidgets.VBox([ipywidgets.HBox([choice, upload]), message, place, guard.log])


def uploaded_files(value: Any) -> list[tuple[str, bytes]]:
    """Return name and content of what an upload widget holds, in ipywidgets 7 and 8 alike."""
    if isinstance(value, Mapping):  # 7, which Colab still has: {name: {"content": ...}}
        return [(name, bytes(entry["content"])) for name, entry in value.items()]
    return [(entry["name"], bytes(entry["content"])) for entry in value]


def read_upload(name: str, content: bytes) -> np.ndarray:
    """Return an uploaded photo as uint8 (H, W, 3), upright.

    Raises:
        InputError: if it is not a photo; the sentence names the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{Path(name).suffix}"
        path.write_bytes(content)
        try:
            return read_photo(path).pixels
        except InputError as error:
            raise InputError(str(error).replace(str(path), name)) from error


def reduced(pixels: np.ndarray, longest: int = LONGEST_UPLOAD) -> np.ndarray:
    """Return the photo, made smaller where its longer side has more than ``longest`` pixels."""
    photo = Image.fromarray(pixels)
    photo.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(photo)
