"""The mask editor of the notebooks: a photo, a brush, the detector's proposal, the result."""

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course.brush.drawn_mask import DrawnMask
from oldphoto.course.figures import Photo, as_pixels
from oldphoto.course.widgets import (
    Guard,
    before_after_view,
    read_upload,
    reduced,
    slider,
    uploaded_files,
)
from oldphoto.images.files import READABLE, PhotoSource, load_rgb, read_mask, write_mask
from oldphoto.inference.inputs import find_photos
from oldphoto.system.outputs import folded

LONGEST_SHOWN = 2048  # pixels of the photo that is sent to the browser; the mask has all
WIDEST = 100  # pixels; of the brush
_ROW = {"flex_flow": "row wrap", "align_items": "center"}


class Brush(anywidget.AnyWidget):
    """The photo with its mask, in the browser; ``brush.js`` is its other half.

    It sends each stroke as a message ``{"number", "of", "points", "width", "erases"}``.

    Attributes:
        number: of the photo in view; strokes say which photo they are ``of``.
        size: height and width of the photo in pixels; 0, 0: there is none.
        photo: JPEG, perhaps reduced.
        mask: PNG of ``DrawnMask.picture``.
        about, words: descriptions of both.
        drawn: the number of the last stroke that the mask contains.
        tool: 0 paints, 1 erases, 2 moves the enlarged photo.
        width: of the brush, in pixels of the photo.
        zoom: the photo is enlarged 2 ** zoom times.
    """

    _esm = Path(__file__).with_name("brush.js")
    _css = Path(__file__).with_name("brush.css")
    number = traitlets.Int(0).tag(sync=True)
    size = traitlets.List([0, 0]).tag(sync=True)
    photo = traitlets.Bytes().tag(sync=True)
    mask = traitlets.Bytes().tag(sync=True)
    about = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    drawn = traitlets.Float(0).tag(sync=True)
    tool = traitlets.Int(0).tag(sync=True)
    width = traitlets.Int(9).tag(sync=True)
    zoom = traitlets.Int(0).tag(sync=True)


class MaskEditor:
    """Paint the scratch masks of one photo or of many; ``widget`` is to be displayed.

    Each photo starts with its mask in ``folder``, if one is there, else with what ``propose``
    finds. Masks are saved under the names of the photos, so that the folder can be given to
    ``restore --mask``. A mask that was changed is also saved when another photo is chosen.

    Args:
        photos: name to photo in any form of ``load_rgb``; or files and folders of photos. Files of
            one name, such as a.jpg and a.png, are left out: ``restore`` takes no masks for them.
        folder: for the masks; made when the first one is saved.
        propose: called with uint8 (H, W, 3), returns bool (H, W), such as a ``ScratchDetector``;
            None: masks start empty.
        restore: called with pixels and mask, returns the restored photo, such as a ``Restorer``;
            None: there is no button for it.

    Attributes:
        name: of the photo in view.
        restored: what ``restore`` returned last for this photo; None: nothing yet.
        saved: the mask files written so far.

    Raises:
        InputError: if there is no photo, two have one name, or the masks would lie among them.

    Example:
        >>> editor = MaskEditor({"grey": np.full((40, 60, 3), 90, np.uint8)}, "masks")
        >>> editor.drawn.stroke([(20.5, 10.5)], width=3)
        >>> editor.mask.shape, int(editor.mask.sum())
        ((40, 60), 9)
    """

    def __init__(
        self,
        photos: Mapping[str, PhotoSource] | Sequence[Path],
        folder: str | Path,
        propose: Callable[[np.ndarray], np.ndarray] | None = None,
        restore: Callable[[np.ndarray, np.ndarray], Photo] | None = None,
    ) -> None:
        self.photos = _by_name(photos)
        self.folder = Path(folder)
        _require_own_folder(self.folder, self.photos)
        self.name, self.saved = "", list[Path]()
        self.restored: Photo | None = None
        self._propose, self._restore = propose, restore
        self._drawn: DrawnMask | None = None
        self._kept = np.zeros((0, 0), bool)  # the mask as it was opened or saved
        self.pixels = np.zeros((0, 0, 3), np.uint8)
        self._guard = Guard()
        self.brush = Brush()
        self.choice = ipywidgets.Dropdown(options=list(self.photos), description="photo")
        self.message, self.place = ipywidgets.HTML(), ipywidgets.VBox()
        self.buttons = {
            name: self._button(name, words, action)
            for name, words, action in (
                ("Previous", "the photo before", lambda: self._step(-1)),
                ("Next", "the next photo", lambda: self._step(1)),
                ("Undo", "take the last step back", lambda: self.drawn.undo()),
                ("Redo", "do it again", lambda: self.drawn.redo()),
                ("Grow", "one pixel wider on every side", lambda: self.drawn.grow()),
                ("Shrink", "one pixel narrower on every side", lambda: self.drawn.shrink()),
                ("Clear", "nothing is damaged", lambda: self.drawn.replace(None)),
                ("Proposal", "what the detector finds", self._take_proposal),
                ("Save mask", "as a PNG file", self.save),
                ("Restore", "with this mask", self.show_restored),
            )
        }
        self.upload = ipywidgets.FileUpload(
            accept="image/*", multiple=False, description="your photo"
        )
        self._chosen = self._told(lambda: self.open(self.choice.value))
        self.choice.observe(self._chosen, "value")
        self.upload.observe(self._told(self._take_upload), "value")
        self.brush.on_msg(self._guard(self._take_stroke))
        self.widget = self._view()
        self._chosen()

    @property
    def drawn(self) -> DrawnMask:
        """The mask of the photo in view, with its steps."""
        if self._drawn is None:
            raise InputError("there is no photo to paint on: choose one that can be read")
        return self._drawn

    @property
    def mask(self) -> np.ndarray:
        """The mask of the photo in view: bool (H, W) at its full size, true where damaged."""
        return self.drawn.mask

    def open(self, name: str) -> None:
        """Show another photo; a changed mask of the one in view is saved.

        Raises:
            InputError: if a photo or its mask cannot be read, or a mask not be written.
        """
        self.message.value, self.place.children = "", ()
        if self._drawn and not np.array_equal(self.mask, self._kept):
            self.save()
        self._drawn, self.restored = None, None
        self.brush.size, self.brush.number = [0, 0], self.brush.number + 1
        self.name, self.pixels = name, load_rgb(self.photos[name])
        file, size = self._file_of(name), self.pixels.shape[:2]
        self._drawn = DrawnMask(size, read_mask(file, size) if file.exists() else self._proposal())
        self._kept = self.mask
        with self.brush.hold_sync():
            self.brush.size, self.brush.number = list(size), self.brush.number + 1
            self.brush.about = f"The photo {name}."
            self.brush.photo = _jpeg(reduced(self.pixels, LONGEST_SHOWN))
        self._show_mask()

    def save(self) -> Path:
        """Save the mask of the photo in view as PNG, in place of an earlier one; return its file.

        Raises:
            InputError: if it cannot be written, or a file of another format has its name.
        """
        file = self._file_of(self.name)
        if file.suffix.lower() != ".png":  # it may have soft edges, and two masks are one too many
            raise InputError(f"{file} is the mask of this photo: make a PNG of it, or move it away")
        write_mask(file, self.mask)
        self._kept = self.mask
        if file not in self.saved:
            self.saved.append(file)
        self._say(f"saved as {file}")
        return file

    def show_restored(self) -> None:
        """Restore the photo in view with its mask, and show it beside the original."""
        if self._restore is None:
            raise InputError("this editor has no restorer: make it with restore=...")
        self._say("restoring ...")
        self.restored = restored = self._restore(self.pixels, self.mask)
        before, after = reduced(self.pixels), reduced(as_pixels(restored))
        about = f"The photo {self.name}, restored with the mask."
        self.place.children = (before_after_view(before, after, about, with_strength=True),)
        self._say("restored")

    def _view(self) -> ipywidgets.Widget:
        """Lay out all controls; those of the browser alone are linked there, without Python."""
        tool = ipywidgets.ToggleButtons(options=["paint", "erase", "move"])
        tool.style.button_width = "4.5rem"
        tool.layout.width = "max-content"
        width = slider("brush, in pixels", self.brush.width, 1, WIDEST)
        width.continuous_update = True  # the browser alone uses it
        zoom = ipywidgets.Dropdown(options=["1 x", "2 x", "4 x", "8 x"], description="zoom")
        zoom.layout.width, zoom.style.description_width = "8rem", "3rem"
        self._links = [
            ipywidgets.jslink((tool, "index"), (self.brush, "tool")),
            ipywidgets.jslink((width, "value"), (self.brush, "width")),
            ipywidgets.jslink((zoom, "index"), (self.brush, "zoom")),
        ]
        steps = ["Undo", "Redo", "Grow", "Shrink", "Clear"]
        steps += ["Proposal"] if self._propose else []
        ends = ["Save mask"] + (["Restore"] if self._restore else [])
        step = [self.buttons[name] for name in ("Previous", "Next")] if len(self.photos) > 1 else []
        rows = [
            [self.choice, *step, self.upload],
            [tool, zoom, width],
            [self.buttons[name] for name in steps],
            [self.brush],
            [*(self.buttons[name] for name in ends), self.message],
        ]
        boxes = [ipywidgets.HBox(row, layout=_ROW) for row in rows]
        return ipywidgets.VBox([*boxes, self.place, self._guard.log])

    def _button(self, name: str, words: str, action: Callable[[], object]) -> ipywidgets.Button:
        def act() -> None:
            action()
            if self._drawn:
                self._show_mask()

        button = ipywidgets.Button(description=name, tooltip=words, layout={"width": "auto"})
        button.on_click(self._told(act))
        return button

    def _told(self, action: Callable[[], object]) -> Callable[..., None]:
        """Return the action as a callback that says what the reader can mend, such as a file."""

        @self._guard
        def told(_change: object = None) -> None:
            try:
                action()
            except InputError as error:
                self.message.value = escape(str(error))

        return told

    def _take_stroke(self, _brush: object, stroke: dict[str, Any], _buffers: object) -> None:
        if stroke["of"] != self.brush.number:  # the photo was changed meanwhile
            return
        self.drawn.stroke(stroke["points"], stroke["width"], stroke["erases"])
        self._show_mask(stroke["number"])

    def _take_proposal(self) -> None:
        self.drawn.replace(self._proposal())

    def _take_upload(self) -> None:
        for name, content in uploaded_files(self.upload.value):
            pixels, stem = read_upload(name, content), Path(name).stem
            while folded(stem) in map(folded, self.photos):
                stem += "_2"
            self.photos[stem] = pixels
            self.choice.unobserve(self._chosen, "value")  # new options choose the first of them
            self.choice.options = list(self.photos)
            self.choice.value = stem
            self.choice.observe(self._chosen, "value")
            self.open(stem)

    def _proposal(self) -> np.ndarray | None:
        return self._propose(self.pixels) if self._propose else None

    def _step(self, step: int) -> None:
        names = list(self.photos)
        self.choice.value = names[(names.index(self.choice.value) + step) % len(names)]

    def _show_mask(self, drawn: float = 0) -> None:
        with self.brush.hold_sync():
            self.brush.words = f"Its mask marks {100 * self.mask.mean():.2f} % as damaged."
            self.brush.mask = self.drawn.picture
            self.brush.drawn = max(drawn, self.brush.drawn)

    def _say(self, words: str) -> None:
        marked = f"{100 * self.mask.mean():.2f} % is marked"
        self.message.value = escape(f"{self.name}: {marked}; {words}")

    def _file_of(self, name: str) -> Path:
        """Return the mask file of a photo: the one that is there, or the one to write."""
        there = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        for path in there:
            if folded(path.stem) == folded(name) and path.suffix.lower() in READABLE:
                return path
        return self.folder / f"{name}.png"


def _by_name(photos: Mapping[str, PhotoSource] | Sequence[Path]) -> dict[str, PhotoSource]:
    """Return photos by the name that their mask gets; of files, those with a name of their own."""
    if isinstance(photos, Mapping):
        named = list(photos.items())
    else:
        named = [(path.stem, path) for path in find_photos([Path(path) for path in photos])]
    times = Counter(folded(name) for name, _photo in named)
    alone = {name: photo for name, photo in named if times[folded(name)] == 1}
    if isinstance(photos, Mapping) and len(alone) < len(photos):
        name = next(name for name in photos if name not in alone)
        raise InputError(f"several photos are called {name}: their masks would share one file")
    if not alone:
        raise InputError("expected at least one photo with a name of its own, got none")
    return alone


def _require_own_folder(folder: Path, photos: Mapping[str, PhotoSource]) -> None:
    for photo in photos.values():
        if isinstance(photo, (str, Path)) and Path(photo).resolve().parent == folder.resolve():
            raise InputError(f"expected a folder of their own for the masks, got that of {photo}")


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
