"""The mask editor in a real JupyterLab: a stroke of the mouse is the same stroke in Python."""

import time
from pathlib import Path

import numpy as np

from oldphoto.course.brush import DrawnMask
from oldphoto.images.files import read_mask

SCREENSHOTS = Path(__file__).parents[2] / "out" / "screenshots"
START_MS = 120_000
SIZE = (1600, 2400)  # of the photo "sky"; the browser gets and shows it smaller
SLIDER = ".widget-hslider:has-text('{}') .noUi-handle"
ROWS = 40  # that are proposed
# Until an element has had one place for ten pictures of the screen: a scroll has ended.
UNTIL_STILL = """node => new Promise(done => {
  let before = '', count = 0;
  const look = () => {
    const box = node.getBoundingClientRect();
    const now = [box.x, box.y, box.width, box.height].join();
    count = now === before ? count + 1 : 0;
    before = now;
    if (count === 10) done(true); else requestAnimationFrame(look);
  };
  look();
})"""
CELL = """\
from pathlib import Path
import numpy as np
from oldphoto.course.brush import MaskEditor

folder = Path({folder!r})
sky = np.linspace(60, 200, 1600)[:, None, None].astype(np.uint8).repeat(2400, 1).repeat(3, 2)
dark = np.full((64, 48, 3), 40, np.uint8)


def propose(pixels):
    mask = np.zeros(pixels.shape[:2], bool)
    mask[:40] = True
    return mask


def restore(pixels, mask):
    return np.where(mask[..., None], 255, pixels).astype(np.uint8)


def keep(_change):
    np.save(folder / "now.part.npy", editor.mask)
    (folder / "now.part.npy").rename(folder / "now.npy")


editor = MaskEditor({{"sky": sky, "dark": dark}}, folder / "masks", propose, restore)
editor.brush.observe(keep, "mask")
editor.widget
"""


def wait_for_mask(page, folder: Path, expected: np.ndarray) -> None:
    """Wait until the mask in Python is the expected one."""
    mask, end = np.zeros((0, 0), bool), time.monotonic() + 30
    while time.monotonic() < end and not np.array_equal(mask, expected):
        page.wait_for_timeout(200)
        mask = np.load(folder / "now.npy") if (folder / "now.npy").exists() else mask
    np.testing.assert_array_equal(mask, expected)


def drag(page, stage, start: tuple[float, float], end: tuple[float, float]) -> list[list[float]]:
    """Drag the mouse over a part of the photo in view; return the stroke in pixels of the photo."""
    box, points = stage.locator("svg").bounding_box(), []
    for number in range(6):
        part = [a + (b - a) * number / 5 for a, b in zip(start, end, strict=True)]
        at = [round(box["x"] + part[0] * box["width"]), round(box["y"] + part[1] * box["height"])]
        page.mouse.move(*at)
        if number == 0:
            page.mouse.down()
        x, y = ((at[0] - box["x"]) / box["width"], (at[1] - box["y"]) / box["height"])
        points.append([x * SIZE[1], y * SIZE[0]])
    page.mouse.up()
    return points


def test_paint_erase_undo_save_restore(page, run_cells, tmp_path):
    said = []
    page.on("pageerror", lambda error: said.append(str(error)))
    run_cells("brush", [CELL.format(folder=str(tmp_path))])
    stage = page.locator(".oldphoto-brush")
    stage.locator("img[alt^='Its mask marks 2.50 %']").wait_for(timeout=START_MS)
    stage.scroll_into_view_if_needed()
    stage.evaluate(UNTIL_STILL)
    drawn = DrawnMask(SIZE)
    drawn.mask[:ROWS] = True
    page.screenshot(path=SCREENSHOTS / "brush_proposal.png")

    handle = page.locator(SLIDER.format("brush, in pixels"))
    handle.focus()
    page.keyboard.press("PageUp")
    width = int(float(handle.get_attribute("aria-valuenow")))
    assert width > 9
    drawn.stroke(drag(page, stage, (0.2, 0.5), (0.8, 0.7)), width)
    wait_for_mask(page, tmp_path, drawn.mask)
    page.wait_for_function("() => !document.querySelector('.oldphoto-brush polyline')")
    page.screenshot(path=SCREENSHOTS / "brush_painted.png")

    page.get_by_role("button", name="erase").click()
    drawn.stroke(drag(page, stage, (0.5, 0.4), (0.5, 0.8)), width, is_eraser=True)
    wait_for_mask(page, tmp_path, drawn.mask)
    page.get_by_role("button", name="Undo").press("Enter")
    drawn.undo()
    wait_for_mask(page, tmp_path, drawn.mask)
    page.get_by_role("button", name="Grow").press("Enter")
    drawn.grow()
    wait_for_mask(page, tmp_path, drawn.mask)

    page.get_by_role("button", name="Save mask").click()
    page.get_by_text("saved as").wait_for()
    np.testing.assert_array_equal(read_mask(tmp_path / "masks" / "sky.png", SIZE), drawn.mask)

    page.get_by_role("button", name="Restore").click()
    compared = page.locator("img[alt^='The photo sky, restored']")
    compared.wait_for(timeout=30_000)
    strength = page.locator(SLIDER.format("strength"))
    strength.focus()
    page.keyboard.press("Home")
    page.locator("img[alt$='strength 0 %.']").wait_for(timeout=30_000)
    page.screenshot(path=SCREENSHOTS / "brush_restored.png", full_page=True)
    assert said == []


def test_by_keyboard_and_by_finger_in_a_narrow_dark_window(page, run_cells, tmp_path):
    run_cells("narrow", [CELL.format(folder=str(tmp_path))])
    theme = "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: '%s'})"
    page.evaluate(theme % "JupyterLab Dark")
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.set_viewport_size({"width": 390, "height": 844})
    stage = page.locator(".oldphoto-brush")
    stage.locator("img[alt^='Its mask marks 2.50 %']").wait_for(timeout=START_MS)
    stage.scroll_into_view_if_needed()
    stage.evaluate(UNTIL_STILL)
    page.screenshot(path=SCREENSHOTS / "brush_narrow.png")
    drawn = DrawnMask(SIZE)
    drawn.mask[:ROWS] = True

    stage.focus()
    for _ in range(3):  # each moves by half the width of the brush
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    drawn.stroke([[1200 + 3 * 5, 800]], 9)
    wait_for_mask(page, tmp_path, drawn.mask)

    page.locator("label:has-text('zoom') + select").select_option("8 x")
    page.wait_for_function(
        "() => { const s = document.querySelector('.oldphoto-brush');"
        " return s.scrollWidth > 7 * s.clientWidth; }"
    )
    box = stage.bounding_box()
    svg = stage.locator("svg").bounding_box()
    x, y = round(box["x"] + 60), round(box["y"] + 60)
    finger = page.context.new_cdp_session(page)
    touch = "Input.dispatchTouchEvent"
    finger.send(touch, {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    finger.send(touch, {"type": "touchEnd", "touchPoints": []})
    at = [(x - svg["x"]) * SIZE[1] / svg["width"], (y - svg["y"]) * SIZE[0] / svg["height"]]
    drawn.stroke([at], 9)
    wait_for_mask(page, tmp_path, drawn.mask)
    page.screenshot(path=SCREENSHOTS / "brush_narrow_zoomed.png")
    page.evaluate(theme % "JupyterLab Light")
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
