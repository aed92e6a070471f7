"""Notebooks in a real JupyterLab: Run All leaves no error, and each slider changes its picture."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.samples import sample_photo

SCREENSHOTS = Path(__file__).parents[2] / "out" / "screenshots"
NOTEBOOKS = tuple(notebook.path.stem for notebook in all_notebooks())
QUICK = ("00", "08", "11", "13")
"""Notebooks that are always opened; ``--every-notebook`` opens the others, too."""

START_MS = 600_000
RUN_ALL_MS = 1_800_000
ALL_RAN = """() => {
  const cells = [...document.querySelectorAll('.jp-CodeCell')];
  const prompts = cells.map(cell => cell.querySelector('.jp-InputPrompt').textContent.trim());
  return cells.length > 0 && prompts.every(text => /^\\[\\d+\\]:$/.test(text));
}"""
# Widgets are drawn after their cell has ended.
ALL_DRAWN = """() => {
  const kind = 'application/vnd.jupyter.widget-view+json';
  const views = [...document.querySelectorAll(`.jp-OutputArea-output[data-mime-type="${kind}"]`)];
  const isDrawn = view => view.textContent.includes('Error displaying widget')
    || view.querySelector('.jupyter-widgets') !== null;
  const pictures = [...document.querySelectorAll('.jp-OutputArea img')];
  return views.every(isDrawn) && pictures.every(picture => picture.complete);
}"""
ERRORS = '[data-mime-type="application/vnd.jupyter.error"]'
VIEW_OF = """node => {  // the innermost box that holds both the slider and a picture
  let box = node.closest('.widget-vbox');
  while (!box.querySelector('img, svg')) box = box.parentElement.closest('.widget-vbox');
  return box;
}"""
SOURCES = "view => [...view.querySelectorAll('img, svg')].map(node => node.outerHTML).join()"
UNDESCRIBED = ".jp-OutputArea img:not([alt]), .jp-OutputArea img[alt='']"
STDERR = '[data-mime-type="application/vnd.jupyter.stderr"]'


def run_all(page, lab: str, name: str) -> None:
    """Open a notebook, clear its stored outputs, and run all cells to the end."""
    page.set_viewport_size({"width": 1300, "height": 1000})
    page.goto(f"{lab}/lab/tree/{name}.ipynb?reset")  # and close all others
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=START_MS)
    # Too early, the command asks in a window for a kernel instead of waiting for it.
    page.get_by_text("Python 3 | Idle").wait_for(timeout=START_MS)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    try:
        page.wait_for_function(ALL_RAN, timeout=RUN_ALL_MS)
    finally:
        page.screenshot(path=SCREENSHOTS / f"{name}_ran.png")
    page.wait_for_function(ALL_DRAWN, timeout=START_MS)


def picture(element) -> np.ndarray:
    """The pixels that an element shows."""
    image = Image.open(io.BytesIO(element.screenshot()))
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_in_jupyterlab(page, lab, name, request):
    if not name.startswith(QUICK) and not request.config.getoption("--every-notebook"):
        pytest.skip("--every-notebook opens it")
    run_all(page, lab, name)
    errors = [element.inner_text() for element in page.query_selector_all(ERRORS)]
    assert errors == []
    assert [element.inner_text() for element in page.query_selector_all(STDERR)] == []
    assert "Error displaying widget" not in page.inner_text(".jp-NotebookPanel")
    assert len(page.query_selector_all(UNDESCRIBED)) == 0
    if name.startswith("00"):
        assert_left_half_is_the_photo(page)
    if name.startswith("11"):
        assert_blind_test_can_be_played_by_keyboard(page)
    sliders = page.query_selector_all(".jp-OutputArea .widget-hslider")
    assert sliders or name.startswith("13"), "no slider was drawn"  # 13: see test_study.py
    for number, slider in enumerate(sliders):
        move_and_compare(page, slider, SCREENSHOTS / f"{name}_slider{number}.png")
    assert page.query_selector_all(ERRORS) == []


def move_and_compare(page, slider, screenshot: Path) -> None:
    """Move a slider from its high end to its low end by the keyboard, and see a picture change."""
    view = slider.evaluate_handle(VIEW_OF).as_element()
    handle = slider.query_selector(".noUi-handle")
    handle.scroll_into_view_if_needed()
    handle.focus()
    start = value_of(handle)
    page.keyboard.press("End")
    wait_until_steady(page, view)
    before, source = pictures(view), view.evaluate(SOURCES)
    page.keyboard.press("Home")
    page.wait_for_function(
        f"([view, old]) => ({SOURCES})(view) !== old", arg=[view, source], timeout=START_MS
    )
    wait_until_steady(page, view)
    view.screenshot(path=screenshot)
    assert any(map(is_different, before, pictures(view))), f"{slider.inner_text()}: nothing changes"
    move_back(page, handle, start)
    wait_until_steady(page, view)


def value_of(handle) -> float:
    return float(handle.get_attribute("aria-valuenow"))


def move_back(page, handle, value: float) -> None:
    """Move a slider up from its low end: another slider may show nothing without this one."""
    low = value_of(handle)
    if value == low:
        return
    page.keyboard.press("ArrowRight")
    step = value_of(handle) - low
    pages, steps = divmod(round((value - low) / step) - 1, 5)  # a page has five steps
    for key, count in (("PageUp", pages), ("ArrowRight", steps)):
        for _ in range(count):
            page.keyboard.press(key)
    assert value_of(handle) == pytest.approx(value, abs=step / 2)


def pictures(view) -> list[np.ndarray]:
    """Return the pixels of all pictures of a view."""
    return [picture(image) for image in view.query_selector_all("img, svg")]


def is_different(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether a reader would see the difference between two pictures."""
    return first.shape != second.shape or np.abs(first - second).max() > 8


def wait_until_steady(page, view) -> None:
    """Wait until a view has shown the same pictures for a moment."""
    for _ in range(60):
        before = view.evaluate(SOURCES)
        page.wait_for_timeout(300)
        if view.evaluate(SOURCES) == before:
            return
    raise AssertionError("the pictures never come to rest")


def assert_left_half_is_the_photo(page) -> None:
    """The first slider of notebook 00 shows the photo itself at the left, but for JPEG's loss."""
    shown = page.query_selector(".jp-OutputArea .widget-vbox img")
    data = shown.get_attribute("src").split("base64,")[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
    photo = sample_photo("taped_postcard").astype(int)
    half = photo.shape[1] // 2 - 8
    assert np.abs(pixels[:, :half] - photo[:, :half]).mean() < 3


def assert_blind_test_can_be_played_by_keyboard(page) -> None:
    """Judge all pairs with the space bar; names are hidden until the table comes."""
    button = page.get_by_role("button", name="A is nearer")
    button.scroll_into_view_if_needed()
    view = button.evaluate_handle("node => node.closest('.jp-OutputArea-child')").as_element()
    view.screenshot(path=SCREENSHOTS / "11_blind_test.png")
    assert len(view.query_selector_all("img")) == 3 and view.query_selector("table") is None
    for number in range(1, 9):
        page.get_by_text(f"Pair {number} of 8.").wait_for(timeout=START_MS)
        button.focus()
        page.keyboard.press("Space")
    page.get_by_text("All 8 pairs are judged.").wait_for(timeout=START_MS)
    assert "agrees with you in" in view.inner_text() and view.query_selector("table")
    view.screenshot(path=SCREENSHOTS / "11_blind_test_judged.png")
