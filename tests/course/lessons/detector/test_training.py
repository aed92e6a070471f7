"""The lesson on the detector: its crops, its measures, its pictures."""

import ipywidgets
import numpy as np
import pytest
import torch
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.config import DetectorConfig
from oldphoto.course.lessons.detector import training as lab
from oldphoto.course.lessons.detector import view
from oldphoto.degradations import degrade
from oldphoto.metrics.detection import grown, precision_recall_curve
from oldphoto.networks.scratch_detector import ScratchUNet

TINY = DetectorConfig(width=4, depth=1)


@pytest.fixture(scope="module")
def test_crops() -> lab.Crops:
    return lab.damaged_crops("held_out", 6, crop=32, seed=0)


@pytest.fixture(scope="module")
def network() -> ScratchUNet:
    torch.manual_seed(0)
    return ScratchUNet(TINY)


def test_crops_are_damaged_where_the_mask_says_and_repeat(test_crops):
    assert test_crops.grey.shape == test_crops.scratch_mask.shape == (6, 1, 32, 32)
    assert test_crops.truth.dtype == bool
    assert 0 < test_crops.fraction == test_crops.truth.mean() < 0.9
    again = lab.damaged_crops("held_out", 6, crop=32, seed=0)
    assert torch.equal(again.grey, test_crops.grey)
    other = lab.damaged_crops("held_out", 6, crop=32, seed=1)
    assert not torch.equal(other.grey, test_crops.grey)
    with pytest.raises(InputError, match="count"):
        lab.damaged_crops("clean", 0, crop=32, seed=0)


def test_plain_scratches_are_light_lines_of_one_width_in_pixels():
    grey = np.full((2, 256, 256, 3), 60, np.uint8)
    for photo, side in zip((grey[0], grey[1, :48, :48]), (256, 48), strict=True):
        recipe = lab.plain_scratches(side)
        hit = [degrade(photo, seed=seed, recipe=recipe) for seed in range(8)]
        assert all((changed >= photo).all() for changed, _ in hit)
        thickest = max(rounds_to_nothing(mask) for _, mask in hit)
        assert 1 <= thickest <= 8  # strands side by side make a scratch a little wider
    with pytest.raises(InputError, match="side"):
        lab.plain_scratches(0)


def rounds_to_nothing(mask: np.ndarray) -> int:
    """How often a mask can lose its rim until nothing is left."""
    times = 0
    while mask.any():
        mask, times = ~grown(~mask, 1), times + 1
    return times


def test_photo_and_mask_are_turned_together():
    grey = torch.rand(5, 1, 8, 8)
    crops = lab.Crops(grey, grey.clone())
    generator, seen = torch.Generator().manual_seed(0), set()
    for _ in range(40):
        photos, masks = lab.random_batch(crops, generator)
        assert torch.equal(photos, masks)
        corners = [grey[:, 0, r, c] for r in (0, -1) for c in (0, -1)]
        seen |= {i for i, corner in enumerate(corners) if photos[0, 0, 0, 0] in corner}
    assert seen == {0, 1, 2, 3}


class EverySecond(torch.nn.Module):
    """Halve without the blur."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., ::2, ::2]


def test_shifts_by_the_stride_change_nothing_and_smaller_ones_do(network):
    grey = torch.rand(1, 1, 64, 64) * 2 - 1
    # The circular roll moves the rim, too, so only the middle is compared.
    assert lab.shift_error(network, grey, pixels=2) < 1e-6
    with_blur = lab.shift_error(network, grey, pixels=1)
    for down in network.down:
        down.blur = EverySecond()
    assert lab.shift_error(network, grey, pixels=1) > 1.2 * with_blur > 5e-6
    with pytest.raises(InputError, match="more than 16 px"):
        lab.shift_error(network, grey[..., :16])


def test_photo_is_judged_in_grey_at_its_own_size(network):
    photo = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    levels = lab.grey_levels(photo)
    weighted = photo @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(levels, weighted, atol=1)
    of_photo = lab.photo_probability(network, photo)
    grey = torch.from_numpy(levels / 127.5 - 1).float()[None, None]
    with torch.no_grad():
        by_hand = torch.sigmoid(network(grey))[0, 0]
    assert of_photo.shape == (16, 24)
    np.testing.assert_allclose(of_photo, by_hand, atol=1e-6)


def test_average_precision_is_that_of_all_pixels_of_the_crops(network, test_crops):
    with torch.no_grad():
        by_hand = torch.sigmoid(network.eval()(test_crops.grey)).numpy()
    np.testing.assert_allclose(lab.probability(network, test_crops.grey), by_hand, atol=1e-6)
    expected = precision_recall_curve(by_hand, test_crops.truth).average_precision
    assert lab.average_precision(network, test_crops) == pytest.approx(expected, abs=1e-4)
    assert not network.training


def test_edges_have_the_steepness_computed_by_hand():
    ramp = np.tile(np.arange(6.0) * 3, (5, 1))
    np.testing.assert_allclose(lab.edge_strength(ramp), 3)
    rows, columns = np.mgrid[:5, :6]
    np.testing.assert_allclose(lab.edge_strength(4 * rows + 3 * columns), 5)


def test_alarms_are_counted_at_edges_and_elsewhere():
    grey = np.zeros((10, 20))
    grey[:, 10:] = 200  # one edge: columns 9 and 10 are steep
    found = np.zeros(grey.shape, bool)
    found[:5, 9:11] = True
    found[0, :2] = True
    assert lab.alarms_at_edges(found, grey, fraction=0.1) == (0.5, 2 / 180)
    with pytest.raises(InputError, match="equally steep"):
        lab.alarms_at_edges(found, np.zeros(grey.shape))
    with pytest.raises(InputError, match="one size"):
        lab.alarms_at_edges(found[:5], grey)


def example() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    photo = np.full((4, 4, 3), 100, np.uint8)
    truth = np.zeros((4, 4), bool)
    truth[1] = True
    probability = np.zeros((4, 4))
    probability[1, :2] = 0.9
    probability[3, 3] = 0.6
    return photo, probability, truth


def test_hits_misses_and_alarms_have_colours_of_their_own():
    photo, probability, truth = example()
    painted = view.overlay(photo, probability >= 0.5, truth)
    assert (painted[0] == 177).all()
    hit, miss, alarm = painted[1, 0], painted[1, 3], painted[3, 3]
    assert (tuple(hit), tuple(miss), tuple(alarm)) == ((0, 114, 178), (240, 228, 66), (213, 94, 0))
    unknown = view.overlay(photo, probability >= 0.5)
    assert (unknown[3, 3] == hit).all()
    with pytest.raises(InputError, match="expected masks of size"):
        view.overlay(photo, truth[:2], truth[:2])


def test_words_of_a_threshold_have_the_values_computed_by_hand():
    _, probability, truth = example()
    assert view.threshold_words(probability, truth, 0.5, 0) == (
        "Threshold 0.50, widened by 0: precision 0.67, recall 0.50, F1 0.57, IoU 0.40."
    )
    # Widened: three rows of three on the left, two by two in the corner, one in both: 12.
    assert "precision 0.25, recall 0.75" in view.threshold_words(probability, truth, 0.5, 1)


def test_widget_draws_what_its_sliders_say():
    photo, probability, truth = example()
    widget = view.threshold_view(photo, probability, truth)
    percent, wider, picture, log = widget.children
    assert isinstance(percent, ipywidgets.IntSlider) and not percent.continuous_update
    seen = set()
    for level, pixels in ((50, 0), (80, 0), (95, 0), (50, 2)):
        percent.value, wider.value = level, pixels
        assert view.threshold_words(probability, truth, level / 100, pixels) in picture.value
        seen.add(picture.value)
    assert len(seen) == 4 and not log.outputs


def test_curves_are_told_in_words():
    _, probability, truth = example()
    curve = precision_recall_curve(probability, truth)
    fig, words = view.draw_curves({"one": curve, "two": curve}, truth.mean())
    assert "one: average precision 0.62, best F1 0.67 at threshold 0.90." in words
    assert len(fig.axes[0].lines) == 5  # two curves, their points, and guessing
    pyplot.close(fig)
