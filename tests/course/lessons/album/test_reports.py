"""Experiments with scans and masks: known values, and the direction that each must show."""

import numpy as np
import pytest
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.course.lessons.album import reports as lab
from oldphoto.inference.memory_plan import WorkingMemory
from oldphoto.samples import sample_paths, sample_photo
from oldphoto.system.memory import GIB

PATHS = sample_paths("held_out")[2:4]


def leave_alone(pixels, _mask):
    return pixels


def test_the_same_seed_gives_the_same_degraded_photos():
    first, again, other = (lab.degraded_photos(PATHS[:1], seed=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.degraded, again.degraded)
    assert (first.degraded != other.degraded).any()
    np.testing.assert_array_equal(first.clean, sample_photo(PATHS[0].stem))


def test_scaling_keeps_a_flat_photo_flat():
    flat = np.full((20, 30, 3), 77, np.uint8)
    assert (lab.scaled(flat, 2) == np.full((40, 60, 3), 77)).all()
    assert lab.scaled(flat, 0.5).shape == (10, 15, 3)


def test_a_lower_resolution_loses_detail_even_where_nothing_is_restored():
    photos = lab.degraded_photos(PATHS)
    scores = lab.resolution_scores(leave_alone, photos, (0.25, 1))
    assert [len(values) for values in scores.values()] == [2, 2]
    # At scale 1 nothing happens at all: the score is that of the degraded photo itself.
    assert scores[1] == [lab.psnr(photo.degraded, photo.clean) for photo in photos]
    clean = [lab.TestPhoto("", p.clean, p.clean, p.scratch_mask) for p in photos]
    quarter = lab.resolution_scores(leave_alone, clean, (0.25,))[0.25]
    assert max(quarter) < 35


def test_stains_spare_the_red_channel():
    for seed in range(3):
        stained, grey = lab.stained_print(sample_photo("lighthouse"), seed)
        assert (grey[..., 0] == grey[..., 2]).all()
        errors = np.abs(stained.astype(int) - grey).mean(axis=(0, 1))
        assert errors[0] < 0.5 * errors[2]  # red less than half of blue


def test_masks_grow_and_shrink_by_hand_counted_pixels():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    assert lab.grown(mask, 0).sum() == 1
    assert lab.grown(mask, 2).sum() == 25
    np.testing.assert_array_equal(lab.grown(lab.grown(mask, 3), -3), mask)
    assert not lab.grown(mask, -1).any()


def test_a_score_counts_the_marked_pixels_alone():
    clean = np.zeros((4, 4, 3), np.uint8)
    restored = clean.copy()
    restored[0, 0] = 255  # as wrong as can be: 0 dB
    where = np.zeros((4, 4), bool)
    where[0, 0] = True
    assert lab.psnr_within(restored, clean, where) == 0
    assert lab.psnr_within(restored, clean, ~where) == float("inf")
    with pytest.raises(InputError, match="at least one pixel"):
        lab.psnr_within(restored, clean, where & False)


def test_an_ideal_filler_is_best_with_the_exact_mask_and_hurt_by_thin_and_none():
    photos = lab.scratched_photos(PATHS)
    assert all(photo.scratch_mask.any() for photo in photos)

    def fill_exactly(pixels, mask):
        photo = next(p for p in photos if (p.degraded == pixels).all())
        return pixels if mask is None else np.where(mask[..., None], photo.clean, pixels)

    scores = lab.mask_scores(fill_exactly, photos, (-1, 0, 3))
    assert list(scores) == ["no mask", "1 px thinner", "exact", "3 px wider"]
    assert np.mean(scores["no mask"]) <= np.mean(scores["1 px thinner"]) < scores["exact"][0]
    assert scores["exact"] == [float("inf")] * 2


def test_words_go_from_the_best_on():
    words = lab.score_words({"a": [10.0, 20.0], "b": [30.0]})
    assert words == "b: 30.0 dB, a: 15.0 dB."


def test_the_figure_shows_a_bar_for_each_mean_and_a_dot_for_each_photo():
    fig = lab.draw_scores({"a": [10.0, 20.0], "b": [30.0]}, "what", start=5)
    axis = fig.axes[0]
    assert [patch.get_height() for patch in axis.patches] == [15, 30]
    assert sum(len(line.get_xdata()) for line in axis.lines) == 3
    assert axis.get_ylim()[0] == 5
    pyplot.close(fig)


def test_the_memory_table_is_the_prediction_for_the_pixels_of_the_print():
    memory = WorkingMemory(vae_features=4.0, mapping_features=8.0)
    rows = lab.memory_table(memory, (2.54, 5.08), (300, 600))
    assert [row["pixels"] for row in rows] == ["600 x 300", "1200 x 600"]
    assert rows[0]["without mask"] == f"{memory.predict_bytes(300, 600) / GIB:.2f} GiB"
    assert rows[1]["with mask"] == f"{memory.predict_bytes(600, 1200, True) / GIB:.2f} GiB"
