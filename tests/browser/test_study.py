"""The ranking study in a real JupyterLab, from the first key to the last: no mouse is used."""

from pathlib import Path

SCREENSHOTS = Path(__file__).parents[2] / "out" / "screenshots"
START_MS = 600_000
CELL = """\
import numpy as np
from oldphoto.course.study.study import Study
from oldphoto.course.study.store import AnswerFile
from oldphoto.course.study.view import study_view

study = Study(("boat", "cat"), ("first", "second", "third"), seed=1)
pictures = {
    photo: {m: np.full((150, 200, 3), 60 * (n + 1), np.uint8) for n, m in enumerate(study.methods)}
    for photo in study.photos
}
answers = AnswerFile("study_answers.sqlite", study)
study_view(pictures, answers, "k1")
"""
LAST = 'print("saved:", [(r.rater, r.photo) for r in answers.rankings()])'
RUN_ALL = "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
FOCUSED = "() => document.activeElement.textContent.trim()"


def press(page, name: str) -> None:
    """Go on to the next control, which must be the named one, and press it."""
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == name
    page.keyboard.press("Space")


def test_a_session_by_keyboard_alone(page, run_cells):
    run_cells("study", [CELL, LAST])
    start = page.get_by_role("button", name="Start or continue")
    start.wait_for(timeout=START_MS)
    start.focus()
    page.keyboard.press("Space")
    page.get_by_text("Photo 1 of 2").wait_for()
    assert page.locator("img[alt^='Picture A of this photo']").count() == 1
    for place, letter in enumerate("ABC", start=1):
        press(page, letter)
        page.get_by_role("button", name=f"{letter}: place {place}").wait_for()
        assert page.evaluate(FOCUSED) == f"{letter}: place {place}"  # the place is not lost
    page.screenshot(path=SCREENSHOTS / "study_ranked.png")
    page.keyboard.press("Tab")  # over Undo
    press(page, "Save")
    page.get_by_text("Photo 2 of 2").wait_for()
    assert page.evaluate(FOCUSED) == "Save"
    page.keyboard.press("Tab")  # into the field for typing
    page.keyboard.type("cab")
    page.keyboard.press("Enter")
    page.get_by_text("Order: C > A > B.").wait_for()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(FOCUSED) == "Save"
    page.keyboard.press("Space")
    page.get_by_text("All 2 photos are ranked and saved").wait_for()
    page.evaluate(RUN_ALL)  # as after a break: the answers are there
    page.get_by_text("saved: [('k1', ").wait_for(timeout=START_MS)
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
