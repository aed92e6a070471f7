"""Widgets: the pure functions, the views driven through their range, and errors that stay."""

import base64
import datetime
import io

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.config import MappingConfig, VAEConfig
from oldphoto.course import widgets
from oldphoto.course.lessons.nonlocal_block import attention
from oldphoto.networks.mapping import PlainMapping, scratch_mapping
from oldphoto.networks.partial_nonlocal import PartialNonlocal
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.vae import VAE

BLACK = np.zeros((20, 30, 3), np.uint8)
GREY = np.full((20, 30, 3), 90, np.uint8)


def find(view: ipywidgets.Widget, kind: type) -> list:
    """All widgets of a kind inside a view."""
    inside = [w for child in getattr(view, "children", ()) for w in find(child, kind)]
    return ([view] if isinstance(view, kind) else []) + inside


def errors_of(view: ipywidgets.Widget) -> list:
    return [output for log in find(view, ipywidgets.Output) for output in log.outputs]


def test_before_after_joins_at_the_position():
    joined = widgets.before_after(BLACK, GREY, 0.5)
    assert joined[:, :14].max() == 0 and (joined[:, 14:16] == 255).all()
    assert (joined[:, 16:] == 90).all()
    assert (widgets.before_after(BLACK, GREY, 0) == GREY).all()
    assert (widgets.before_after(BLACK, GREY, 1) == BLACK).all()
    assert BLACK.max() == 0  # the photo itself is not drawn on


def test_before_after_fits_another_size():
    assert widgets.before_after(BLACK, np.zeros((5, 5, 3), np.uint8), 0.3).shape == BLACK.shape


def test_before_after_view_redraws():
    view = widgets.before_after_view(BLACK, GREY, "A test photo.")
    slider, picture = find(view, ipywidgets.IntSlider)[0], find(view, ipywidgets.HTML)[0]
    seen = set()
    for value in (0, 25, 100):
        slider.value = value
        seen.add(picture.value)
    assert len(seen) == 3 and not errors_of(view)
    assert slider.continuous_update is False
    assert 'alt="A test photo. Left 100 %' in picture.value


def right_half(html: str) -> np.ndarray:
    """The mean level of the right half of the picture in a widget."""
    data = html.split("base64,")[1].split('"')[0]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))[:, 17:].mean()


def test_strength_mixes_before_and_after():
    view = widgets.before_after_view(BLACK, GREY, "A test photo.", with_strength=True)
    _, strength = find(view, ipywidgets.IntSlider)
    picture, levels = find(view, ipywidgets.HTML)[0], []
    for percent in (100, 50, 0):
        strength.value = percent
        assert f"the rest: after, strength {percent} %." in picture.value
        levels.append(round(right_half(picture.value)))
    assert levels == pytest.approx([90, 45, 0], abs=1) and not errors_of(view)


def test_error_in_a_callback_is_shown_kept_and_wiped():
    guard = widgets.Guard()
    fails = guard(lambda value: 1 / value)
    assert fails(0) is None
    assert guard.log.outputs[0]["output_type"] == "error"
    assert guard.log.outputs[0]["ename"] == "ZeroDivisionError"
    assert fails(2) == 0.5
    assert guard.log.outputs == ()


def jpeg(size=(30, 20)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(buffer, format="JPEG")
    return buffer.getvalue()


def upload_to(view, name, content):
    upload = find(view, ipywidgets.FileUpload)[0]
    if int(ipywidgets.__version__.split(".")[0]) == 7:  # as in Colab
        upload.set_trait("value", {name: {"metadata": {}, "content": content}})
        return
    entry = {"name": name, "type": "image/jpeg", "size": len(content), "content": content}
    upload.value = ({**entry, "last_modified": datetime.datetime(2020, 1, 1)},)


def test_photo_view_restores_choices_and_uploads():
    seen = []

    def restore(pixels):
        seen.append(pixels.shape)
        return 255 - pixels

    view = widgets.photo_view(restore, {"first": BLACK, "second": GREY[:16, :20]})
    find(view, ipywidgets.Dropdown)[0].value = "second"
    upload_to(view, "mine.jpg", jpeg((3000, 60)))
    assert seen == [(20, 30, 3), (16, 20, 3), (20, 1024, 3)]  # large uploads are reduced
    assert "mine.jpg" in view.children[1].value
    assert not errors_of(view)


def test_upload_that_is_no_photo_gets_a_sentence_not_an_error():
    view = widgets.photo_view(lambda pixels: pixels, {"first": BLACK})
    upload_to(view, "<letter>.txt", b"Dear Ann")
    assert "&lt;letter&gt;.txt" in view.children[1].value
    assert not errors_of(view)


def test_uploads_of_ipywidgets_7_are_read_too():
    old = {"a.jpg": {"metadata": {}, "content": b"12"}}
    assert widgets.uploaded_files(old) == [("a.jpg", b"12")]
    new = ({"name": "a.jpg", "content": memoryview(b"12")},)
    assert widgets.uploaded_files(new) == [("a.jpg", b"12")]


@pytest.fixture(scope="module")
def scene() -> attention.Scene:
    """A block whose query and key are the identity; left half is of kind A, right half of B."""
    block = PartialNonlocal(2, num_blocks=0)
    with torch.no_grad():
        for conv in (block.query, block.key):
            conv.weight.copy_(torch.eye(2)[:, :, None, None])
            conv.bias.zero_()
    features = torch.zeros(1, 2, 6, 8)
    features[:, 0, :, :4] = 2.0
    features[:, 1, :, 4:] = 2.0
    validity = torch.ones(1, 1, 6, 8)
    validity[:, :, 2:4, 3:5] = 0
    return attention.Scene(block, features, validity, np.full((48, 64, 3), 200, np.uint8))


def test_row_of_the_hand_made_scene_is_the_predicted_one(scene):
    weight = scene.row((2, 3))
    # 22 sound positions of each kind; a score of 4 within the kind, 0 across.
    same = np.exp(4) / (22 * np.exp(4) + 22)
    assert weight[0, 0] == pytest.approx(same, rel=1e-5)
    assert weight[2:4, 3:5].max() == 0
    assert weight.sum() == pytest.approx(1, rel=1e-5)


def test_xray_words_tell_hole_and_sound_apart(scene):
    words = attention.xray_words(scene, (2, 3))
    assert "is damaged" in words and "From inside the hole: 0.0 %" in words
    assert "is sound" in attention.xray_words(scene, (0, 0))


def test_xray_marks_hole_and_position(scene):
    drawn = attention.xray(scene, (2, 3))
    assert drawn.shape == (48, 64, 3)
    # The middle of position (2, 3), 8 pixels each, is (20, 28); the arms go on from there.
    assert (drawn[20, 28] == attention.CROSS).all()
    assert (drawn[25, 28] == attention.CROSS).all() and (drawn[20, 33] == attention.CROSS).all()
    assert not (drawn[25, 20] == attention.CROSS).all()
    assert tuple(drawn[31, 39]) != tuple(drawn[40, 60])  # the hole is tinted
    # Kind A lies on the left: it is brighter there for a position of kind A.
    assert drawn[0:8, 0:8].mean() > drawn[0:8, -8:].mean() + 50


def test_xray_at_all_corners(scene):
    for position in [(0, 0), (0, 7), (5, 0), (5, 7)]:
        assert attention.xray(scene, position).shape == (48, 64, 3)


def test_xray_view_is_driven_through_its_range(scene):
    view = attention.xray_view(scene, (2, 3))
    row, column = find(view, ipywidgets.IntSlider)
    picture = find(view, ipywidgets.HTML)[0]
    seen = set()
    for row.value, column.value in [(0, 0), (2, 4), (5, 7)]:
        seen.add(picture.value)
    assert len(seen) == 3 and not errors_of(view)
    assert (row.max, column.max) == (5, 7)


def test_memory_view_is_driven_through_its_range():
    view = attention.memory_view()
    side, damaged = find(view, ipywidgets.IntSlider)
    picture = find(view, ipywidgets.HTML)[0]
    for side.value, damaged.value in [(128, 0), (4096, 100), (1984, 10)]:
        assert "GiB" in picture.value
    assert "1984 x 1488" in picture.value and not errors_of(view)


def network(mapping: type) -> RestorationNetwork:
    torch.manual_seed(0)
    vae = VAEConfig(stem="unshuffle", width=8, latent_channels=4, num_blocks=1, norm=False)
    settings = MappingConfig(
        latent_channels=4, widths_in=(8,), widths_out=(), num_blocks=1, num_global_blocks=1
    )
    return RestorationNetwork(VAE(vae), VAE(vae), mapping(settings)).eval()


def test_scene_of_a_network_has_its_features():
    mask = torch.zeros(1, 1, 32, 40)
    mask[:, :, 8:16, 8:16] = 1
    scene = attention.scene_of(network(scratch_mapping), torch.zeros(1, 3, 32, 40), mask)
    assert scene.size == (8, 10)
    assert scene.features.shape == (1, 8, 8, 10)
    assert scene.is_damaged((2, 2)) and not scene.is_damaged((7, 9))


def test_scene_of_a_network_without_the_block_is_refused():
    with pytest.raises(InputError, match="got one with PlainMapping"):
        attention.scene_of(
            network(PlainMapping), torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
        )
