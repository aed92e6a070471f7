"""Helpers of several lessons: small photos, crops, PSNR of a batch, logs, source code, pictures."""

import csv
import importlib.metadata
import inspect
import io
import re
import tempfile
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import HTML
from PIL import Image, ImageDraw
from torch import Tensor

from oldphoto.checks import InputError, require_in, require_positive
from oldphoto.config import STAGES, Preset, StageName
from oldphoto.course.figures import Photo, as_pixels, figure_html, require_description
from oldphoto.images.tensors import to_tensor
from oldphoto.samples import sample_names, sample_photo
from oldphoto.system.outputs import require_writable

ROOT = Path(__file__).parents[2]  # the folder that holds the package
GAP = 8  # white pixels between the photos of a picture
_ENLARGED = 5


def output_folder(path: str | Path) -> Path:
    """Make the folder for a notebook's results, and return it.

    Returns:
        The folder; a new temporary one if nothing can be written there, and a sentence says so.
    """
    try:
        require_writable(Path(path))
    except InputError as error:
        folder = Path(tempfile.mkdtemp(prefix="oldphoto_"))
        reason = str(error).rpartition(":")[0]
        print(f"{reason}: the results go into {folder}. Copy what you want to keep from there.")
        return folder
    return Path(path)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: for small matrices, several threads are slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def small_photos(kind: str, side: int = 64) -> Tensor:
    """Return all sample photos of one kind, downsampled.

    Args:
        kind: "clean" to train with, "held_out" to measure on.
        side: height and width after downsampling.

    Shape:
        (N, 3, side, side) in [-1, 1].
    """
    require_positive(side=side)
    photos = [to_tensor(sample_photo(name)) for name in sample_names(kind)]
    return torch.cat([F.interpolate(p, size=(side, side), mode="area") for p in photos])


def random_crops(photos: Tensor, count: int, side: int, generator: torch.Generator) -> Tensor:
    """Cut ``count`` squares at random places out of random photos: (count, 3, side, side)."""
    height, width = photos.shape[-2:]
    if side > min(height, width):
        raise InputError(f"expected crops of at most {min(height, width)} px, got {side}")
    crops = []
    for number in torch.randint(len(photos), (count,), generator=generator).tolist():
        top = int(torch.randint(height - side + 1, (1,), generator=generator))
        left = int(torch.randint(width - side + 1, (1,), generator=generator))
        crops.append(photos[number, :, top : top + side, left : left + side])
    return torch.stack(crops)


def psnr_of(output: Tensor, clean: Tensor) -> Tensor:
    """Return the PSNR of each photo of a batch in dB, shape (B,); both in [-1, 1].

    >>> float(psnr_of(torch.full((1, 3, 4, 4), 0.2), torch.zeros(1, 3, 4, 4)))  # a tenth of 2
    20.0
    """
    error = (output - clean).square().flatten(1).mean(1)
    return 10 * torch.log10(4 / error)  # from -1 to 1 are 2, and 2 squared is 4


def enlarged(photo: Photo, times: int = _ENLARGED) -> Image.Image:
    """Return a tiny photo enlarged for display: each pixel becomes a square."""
    image = Image.fromarray(as_pixels(photo))
    size = (image.width * times, image.height * times)
    return image.resize(size, Image.Resampling.NEAREST)


def beside(*photos: np.ndarray, gap: int = GAP) -> np.ndarray:
    """Return photos of one size, uint8 (H, W, 3), in a row with white gaps between them."""
    white = np.full((photos[0].shape[0], gap, 3), 255, np.uint8)
    parts = [part for photo in photos for part in (photo, white)]
    return np.hstack(parts[:-1])


def exact_html(pixels: np.ndarray, alt: str) -> str:
    """Return HTML of a picture whose pixels are kept exactly, unlike those of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return figure_html("image/png", buffer.getvalue(), require_description(alt))


def draw_box(size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    """Return a mask, bool (H, W), with an ellipse in a box of left, top, right, bottom."""
    drawing = Image.new("1", size[::-1])
    ImageDraw.Draw(drawing).ellipse(box, fill=1)
    return np.array(drawing)


Log = dict[str, np.ndarray]
"""A training log: column name to its values, one for each row."""


def shortened(preset: Preset, num_photos: Mapping[str, int]) -> Preset:
    """Return a preset with another number of training photos per stage.

    Args:
        preset: sizes and schedule.
        num_photos: stage to photos; stages that are not named stay as they are.
    """
    for stage, photos in num_photos.items():
        require_in(stage, STAGES, "stage")
        preset = preset.with_stages(cast(StageName, stage), num_photos=photos)
    return preset


def read_log(folder: Path) -> Log:
    """Read ``log.csv`` of a stage.

    Raises:
        InputError: if the stage has not written one yet.
    """
    path = folder / "log.csv"
    if not path.is_file():
        raise InputError(f"expected the log of a training stage, {path} is not there: train first")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def fall(log: Log, term: str, rows: int = 3) -> tuple[float, float]:
    """Return the mean of a term over the first and over the last rows of a log."""
    values = log[term]
    return float(values[:rows].mean()), float(values[-rows:].mean())


def source(obj: Any) -> HTML:
    """Return the package's code of a class, method or function, with a link to it on GitHub.

    The code is folded away under one line: a click opens it.

    Args:
        obj: a class, a method or a function of the package.

    Raises:
        InputError: if it has no code in the package.

    >>> source(psnr_of).data.startswith("<details><summary><code>oldphoto.course.common.psnr_of")
    True
    """
    try:
        lines, first = inspect.getsourcelines(obj)
        path = Path(inspect.getfile(inspect.unwrap(obj))).relative_to(ROOT)
        if (
            path.parts[0] != "oldphoto"
        ):  # beside an installed package, or in a .venv here, lie others
            raise ValueError(path)
    except (OSError, TypeError, ValueError):
        raise InputError(f"expected a class or function of the package, got {obj!r}") from None
    place = f"{path.as_posix()}, lines {first} to {first + len(lines) - 1}"
    url = _files_url()
    if url:
        link = f"{url}/{path.as_posix()}#L{first}-L{first + len(lines) - 1}"
        place = f'<a href="{escape(link)}">{place}</a>'
    name = escape(f"{obj.__module__}.{obj.__qualname__}")
    code = escape(textwrap.dedent("".join(lines)))
    return HTML(
        f"<details><summary><code>{name}</code> ({place})</summary><pre>{code}</pre></details>"
    )


def _files_url() -> str:
    """Return where GitHub shows the package's files, or "" if the project does not say.

    A checkout says it in pyproject.toml, an installed package in its metadata.
    """
    project = ROOT / "pyproject.toml"
    if project.is_file():
        urls = tomllib.loads(project.read_text(encoding="utf-8"))["project"].get("urls", {})
    else:
        entries = importlib.metadata.metadata("oldphoto").get_all("Project-URL") or []
        urls = dict(entry.split(", ", 1) for entry in entries)
    notebooks = re.fullmatch(r"(https://.+)/tree/(.+)/notebooks", urls.get("Notebooks", ""))
    return f"{notebooks[1]}/blob/{notebooks[2]}" if notebooks else ""
