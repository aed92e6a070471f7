"""Measure how long each interactive part of the notebooks takes to redraw (the aim: 200 ms).

python tests/benchmarks/bench_widgets.py
"""

import argparse
import time
from collections.abc import Callable

import ipywidgets
import numpy as np
import torch
from PIL import Image

from oldphoto.course import attention, widgets
from oldphoto.networks.partial_nonlocal import PartialNonlocal
from oldphoto.samples import sample_photo


def sliders_of(view: ipywidgets.Widget) -> list[ipywidgets.IntSlider]:
    """Return all sliders inside a view."""
    inside = [s for child in getattr(view, "children", ()) for s in sliders_of(child)]
    return ([view] if isinstance(view, ipywidgets.IntSlider) else []) + inside


def views() -> dict[str, Callable[[], ipywidgets.Widget]]:
    """Return the views at the sizes at which the notebooks use them."""
    photo = sample_photo("taped_postcard")
    large = Image.fromarray(photo).resize((1024, 651))
    torch.manual_seed(0)
    block = PartialNonlocal(128, num_blocks=0)
    keep = torch.ones(1, 1, 64, 64)
    keep[..., 20:30, 20:30] = 0
    scene = attention.Scene(block, torch.randn(1, 128, 64, 64), keep, photo[:256, :256])
    return {
        "before and after, 640 x 407": lambda: widgets.before_after_view(photo, photo, "A photo."),
        "before and after, 1024 x 651": lambda: widgets.before_after_view(large, large, "A photo."),
        "attention X-ray, 64 x 64": lambda: attention.xray_view(scene, (25, 25)),
        "memory predictor": attention.memory_view,
    }


def measure(view: ipywidgets.Widget, moves: int) -> list[float]:
    """Move each slider of a view and return the seconds that each redraw took."""
    seconds = []
    for slider in sliders_of(view):
        for value in np.linspace(slider.min, slider.max, moves).round().astype(int):
            start = time.perf_counter()
            slider.value = int(value)
            seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Print the median and the longest redraw of each view."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=20, help="how often each slider is moved")
    moves = parser.parse_args().moves
    print(f"{'view':32} {'median':>9} {'longest':>9}")
    for name, make in views().items():
        seconds = measure(make(), moves)
        print(f"{name:32} {1e3 * np.median(seconds):6.0f} ms {1e3 * max(seconds):6.0f} ms")


if __name__ == "__main__":
    main()
