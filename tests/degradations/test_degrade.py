"""The door: crops with margin, seeds and processes, pairs, holes, and its refusals."""

import hashlib
import multiprocessing

import cv2
import numpy as np
import pytest
import torch

from oldphoto.checks import InputError
from oldphoto.degradations import (
    RECIPES,
    Recipe,
    Step,
    apply_recipe,
    degrade,
    degrade_pair,
    sample_box_blur,
    sample_gaussian_blur,
    sample_jpeg,
    sample_recipe,
)
from oldphoto.degradations.common import fractal_field


def digest(seed_and_recipe: tuple[tuple[int, ...], str]) -> str:
    """Degrade a photo made here and return the digest of all bytes; runs in any process."""
    seed, recipe = seed_and_recipe
    photo = np.clip(128 + 40 * fractal_field(1, (90, 110), 4), 0, 255).astype(np.uint8)
    parts = degrade_pair(np.dstack([photo] * 3), seed, recipe, 64, hole_prob=0.5)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_the_same_bytes_in_any_process_and_on_any_number_of_threads():
    jobs = [((0, 1, index), recipe) for recipe in RECIPES for index in range(2)]
    here = [digest(job) for job in jobs]
    assert len(set(here)) == len(here)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(digest, jobs[::-1])[::-1] == here
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(3)
    torch.set_num_threads(3)
    assert [digest(job) for job in jobs] == here
    cv2.setNumThreads(threads[0])
    torch.set_num_threads(threads[1])


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_shapes_and_kinds(photo, recipe):
    degraded, mask = degrade(photo, 3, recipe)
    assert degraded.shape == photo.shape and degraded.dtype == np.uint8
    assert mask.shape == photo.shape[:2] and mask.dtype == bool
    degraded, mask = degrade(photo, 3, recipe, crop=48)
    assert degraded.shape == (48, 48, 3) and mask.shape == (48, 48)
    assert degraded.flags["C_CONTIGUOUS"] and mask.flags["C_CONTIGUOUS"]


def test_an_int_and_a_tuple_are_seeds(photo):
    first = degrade(photo, (0, 1, 2))[0]
    assert np.array_equal(first, degrade(photo, (0, 1, 2))[0])
    assert not np.array_equal(first, degrade(photo, (0, 2, 1))[0])
    assert np.array_equal(degrade(photo, 7)[0], degrade(photo, np.int64(7))[0])


def test_a_crop_is_the_cut_of_the_whole(photo):
    """Blurs and JPEG give, with the margin, what degrading the whole photo first gives."""
    recipe = Recipe(
        "local",
        groups=(
            (
                Step(1.0, (sample_gaussian_blur,)),
                Step(1.0, (sample_box_blur,)),
                Step(1.0, (sample_jpeg,)),
            ),
        ),
        shuffled=(True,),
    )
    for seed in range(12):
        degraded, clean, _ = degrade_pair(photo, seed, recipe, crop=40)
        top, left = find(photo, clean)
        rng = np.random.default_rng(np.random.SeedSequence(seed))
        rng.integers(120 - 40, endpoint=True), rng.integers(150 - 40, endpoint=True)
        whole, _ = apply_recipe(photo, sample_recipe(recipe, rng))
        difference = np.abs(whole[top : top + 40, left : left + 40].astype(int) - degraded)
        assert difference.max() <= 2


def find(photo: np.ndarray, part: np.ndarray) -> tuple[int, int]:
    """Return where a part lies in a photo."""
    score = cv2.matchTemplate(photo, part, cv2.TM_SQDIFF)
    left, top = cv2.minMaxLoc(score)[2]
    assert np.array_equal(photo[top : top + part.shape[0], left : left + part.shape[1]], part)
    return top, left


def test_crops_reach_every_place_and_the_pair_fits(photo):
    corners = {find(photo, degrade_pair(photo, s, "light", crop=118)[1]) for s in range(60)}
    assert {top for top, _ in corners} == {0, 1, 2}
    lefts = {left for _, left in corners}
    assert min(lefts) <= 3 and max(lefts) >= 29


def test_the_clean_partner_is_untouched_and_owned(photo):
    before = photo.copy()
    degraded, clean, _ = degrade_pair(photo, 1, "heavy")
    assert np.array_equal(clean, before) and np.array_equal(photo, before)
    assert not np.shares_memory(degraded, clean)
    assert not np.shares_memory(photo, clean)


def test_an_unlucky_draw_of_no_damage_still_returns_a_copy():
    recipe = Recipe("nothing", groups=((Step(0.0, (sample_jpeg,)),),), shuffled=(True,))
    photo = np.full((20, 20, 3), 9, np.uint8)
    degraded, clean, _ = degrade_pair(photo, 0, recipe)
    degraded[:] = 0
    assert (photo == 9).all() and (clean == 9).all()


def test_holes_come_with_their_probability_and_ratio(photo):
    masks = [
        degrade_pair(photo, s, "released", 64, hole_prob=0.5, hole_ratio=0.3)[2] for s in range(100)
    ]
    with_hole = [mask.mean() for mask in masks if mask.any()]
    assert 30 <= len(with_hole) <= 70
    assert with_hole == pytest.approx([0.3] * len(with_hole), abs=0.002)


def test_holes_are_in_the_mask_only(photo):
    without = degrade_pair(photo, 5, "released", 64)
    holed = degrade_pair(photo, 5, "released", 64, hole_prob=1.0)
    assert np.array_equal(without[0], holed[0]) and np.array_equal(without[1], holed[1])
    assert not without[2].any() and holed[2].any()


def test_refusals(photo):
    with pytest.raises(
        InputError,
        match="must be one of released, paper, heavy, light, prints, scans, faded, worn; got 'old'",
    ):
        degrade(photo, 0, "old")
    with pytest.raises(InputError, match="between 1 and the photo's short side 120, got 121"):
        degrade(photo, 0, "light", crop=121)
    with pytest.raises(InputError, match="got 0; enlarge"):
        degrade(photo, 0, "light", crop=0)
    with pytest.raises(InputError, match="dtype uint8"):
        degrade(photo / 255)
    with pytest.raises(InputError, match="hole_prob must be within"):
        degrade_pair(photo, hole_prob=2.0)
    with pytest.raises(InputError, match="whole number >= 0"):
        degrade(photo, -3)
