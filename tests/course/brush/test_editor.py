"""The mask editor without a browser: its messages are sent by the tests."""

import datetime
import io

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.course.brush import MaskEditor
from oldphoto.course.brush.editor import LONGEST_SHOWN
from oldphoto.images.files import read_mask, write_mask
from oldphoto.inference.masks import pair_masks

NOW = datetime.datetime(2020, 1, 1)
GREY = np.full((40, 60, 3), 90, np.uint8)


def top_row(pixels):
    """A proposal: the first row."""
    mask = np.zeros(pixels.shape[:2], bool)
    mask[0] = True
    return mask


def paint(editor, *points, width=3, erases=False, of=None):
    """Send a stroke as the browser does."""
    of = editor.brush.number if of is None else of
    stroke = {"number": 7, "of": of, "points": points, "width": width, "erases": erases}
    editor.brush._handle_custom_msg(stroke, [])


def errors_of(editor) -> list:
    return list(editor.widget.children[-1].outputs)


@pytest.fixture
def album(tmp_path):
    """A folder with three photos, one of them broken."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("a.png", "C d.jpg"):
        Image.fromarray(GREY).save(folder / name)
    (folder / "b.png").write_text("no photo", encoding="utf-8")
    return folder


def test_a_stroke_of_the_browser_is_in_the_mask(tmp_path):
    editor = MaskEditor({"grey": GREY}, tmp_path / "masks")
    paint(editor, (20.5, 10.5))
    assert editor.mask.dtype == bool and editor.mask.shape == (40, 60)
    assert editor.mask[9:12, 19:22].all() and editor.mask.sum() == 9
    shown = np.asarray(Image.open(io.BytesIO(editor.brush.mask)))
    np.testing.assert_array_equal(shown == 1, editor.mask)
    assert editor.brush.drawn == 7 and editor.brush.words == "Its mask marks 0.38 % as damaged."
    paint(editor, (20.5, 10.5), width=1, erases=True)
    assert editor.mask.sum() == 8
    paint(editor, (30.5, 10.5), of=editor.brush.number - 1)  # of a photo that is gone
    assert editor.mask.sum() == 8 and not errors_of(editor)


def test_buttons_change_the_mask_that_the_browser_shows(tmp_path):
    editor = MaskEditor({"grey": GREY}, tmp_path / "masks", propose=top_row)
    counts = []
    for name in ("Grow", "Clear", "Undo", "Undo", "Redo", "Shrink", "Clear", "Proposal"):
        editor.buttons[name].click()
        shown = np.asarray(Image.open(io.BytesIO(editor.brush.mask)))
        counts.append(int(shown.sum()))
        assert editor.mask.sum() == counts[-1]
    assert counts == [120, 0, 120, 60, 120, 60, 0, 60] and not errors_of(editor)


def test_a_large_photo_is_shown_smaller_and_its_mask_is_not(tmp_path):
    editor = MaskEditor({"wide": np.zeros((30, 3000, 3), np.uint8)}, tmp_path / "masks")
    paint(editor, (2999.5, 29.5), width=1)
    assert editor.mask.shape == (30, 3000) and editor.mask[29, 2999] and editor.mask.sum() == 1
    assert editor.brush.size == [30, 3000]
    assert Image.open(io.BytesIO(editor.brush.photo)).width == LONGEST_SHOWN


def test_masks_of_a_folder_are_those_that_restore_takes(album, tmp_path):
    folder = tmp_path / "masks"
    editor = MaskEditor([album], folder)
    assert editor.choice.options == ("C d", "a", "b")
    paint(editor, (20.5, 10.5))
    first = editor.mask
    editor.buttons["Next"].click()  # saves what was painted
    assert editor.name == "a" and not editor.mask.any()
    editor.buttons["Next"].click()  # nothing was painted: nothing is saved
    assert "b.png" in editor.message.value and not errors_of(editor)
    assert editor.brush.size == [0, 0]  # a broken file shows no photo
    with pytest.raises(InputError, match="there is no photo to paint on"):
        editor.mask.sum()
    editor.buttons["Grow"].click()
    assert "there is no photo" in editor.message.value and not errors_of(editor)
    editor.buttons["Next"].click()
    np.testing.assert_array_equal(editor.mask, first)
    assert editor.saved == [folder / "C d.png"] == list(folder.iterdir())
    np.testing.assert_array_equal(read_mask(editor.saved[0], (40, 60)), first)
    photo = album / "C d.jpg"
    assert pair_masks([photo], folder) == {photo: folder / "C d.png"}


def test_a_mask_that_is_there_is_opened_in_place_of_the_proposal(album, tmp_path):
    mask = np.zeros((40, 60), bool)
    mask[5:9] = True
    write_mask(tmp_path / "masks" / "A.png", mask)  # restore takes it for a.png, too
    editor = MaskEditor([album / "a.png"], tmp_path / "masks", propose=top_row)
    np.testing.assert_array_equal(editor.mask, mask)
    editor.buttons["Grow"].click()
    editor.buttons["Save mask"].click()
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["A.png"]
    assert read_mask(tmp_path / "masks" / "A.png", (40, 60)).sum() == 360


def test_what_cannot_be_used_is_said_in_a_sentence(album, tmp_path):
    with pytest.raises(InputError, match="expected a folder of their own for the masks"):
        MaskEditor([album / "a.png"], album)
    with pytest.raises(InputError, match="several photos are called a"):
        MaskEditor({"a": GREY, "A": GREY}, tmp_path)
    with pytest.raises(InputError, match="expected at least one photo"):
        MaskEditor({}, tmp_path)
    Image.fromarray(GREY).save(album / "a.webp")
    assert list(MaskEditor([album], tmp_path).photos) == ["C d", "b"]
    Image.fromarray(GREY).save(tmp_path / "grey.jpg")  # as a mask: grey values
    editor = MaskEditor({"grey": GREY}, tmp_path)
    assert "has grey values" in editor.message.value and not errors_of(editor)
    Image.fromarray(GREY * 0).save(tmp_path / "grey.jpg")
    editor = MaskEditor({"grey": GREY}, tmp_path)
    editor.buttons["Save mask"].click()
    assert "grey.jpg is the mask of this photo" in editor.message.value and not editor.saved


def test_a_program_error_is_kept_where_the_batch_run_finds_it(tmp_path):
    editor = MaskEditor({"grey": GREY}, tmp_path, restore=lambda pixels, mask: 1 / 0)
    editor.buttons["Restore"].click()
    assert errors_of(editor)[0]["ename"] == "ZeroDivisionError"


def test_restored_photo_stands_beside_the_original(tmp_path):
    def restore(pixels, mask):
        return np.where(mask[..., None], 255, pixels).astype(np.uint8)

    editor = MaskEditor({"grey": GREY, "black": 0 * GREY}, tmp_path, top_row, restore)
    editor.buttons["Restore"].click()
    assert (editor.restored[0] == 255).all() and (editor.restored[1:] == 90).all()
    (compared,) = editor.place.children
    sliders = [w for w in compared.children if isinstance(w, ipywidgets.IntSlider)]
    assert [s.description for s in sliders] == ["before, in % of the width", "strength, in %"]
    editor.buttons["Next"].click()
    assert editor.restored is None and editor.place.children == () and not errors_of(editor)


def test_an_uploaded_photo_keeps_its_size_and_gets_a_name_of_its_own(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (1500, 50)).save(buffer, "PNG")
    entry = {"name": "grey.png", "type": "image/png", "size": 9, "content": buffer.getvalue()}
    editor = MaskEditor({"grey": GREY}, tmp_path)
    paint(editor, (20.5, 10.5))
    editor.upload.value = ({**entry, "last_modified": NOW},)
    assert editor.name == editor.choice.value == "grey_2" and editor.mask.shape == (50, 1500)
    assert editor.saved == [tmp_path / "grey.png"] and not errors_of(editor)
    editor.upload.value = ({**entry, "content": b"a letter", "last_modified": NOW},)
    assert "grey.png is not an image" in editor.message.value
