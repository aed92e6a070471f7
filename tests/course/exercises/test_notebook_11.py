"""Exercises of notebook 11: their solutions are what the package computes."""

from math import comb

import numpy as np
import pytest
import torch

from oldphoto.course.exercises import notebook_11 as exercises
from oldphoto.course.lessons.metrics.metrics import ssim_maps, window_weights
from oldphoto.metrics.bootstrap import bootstrap
from oldphoto.metrics.fidelity import psnr
from oldphoto.metrics.perceptual import lpips_squeeze
from oldphoto.metrics.realism import frechet_distance
from oldphoto.samples import sample_photo

RNG = np.random.default_rng(1)
CLEAN = RNG.integers(0, 256, (16, 18, 3), dtype=np.uint8)
OUTPUT = np.clip(CLEAN + RNG.normal(0, 20, CLEAN.shape), 0, 255).astype(np.uint8)


def test_grey_levels_are_the_root_of_the_mean_square():
    error = np.sqrt(np.mean((OUTPUT.astype(float) - CLEAN) ** 2))
    assert exercises.grey_levels.solution(psnr(OUTPUT, CLEAN)) == pytest.approx(error)


def test_ssim_of_a_window_is_a_place_of_the_map():
    windows = [photo[2:13, 4:15, 1].astype(float) for photo in (OUTPUT, CLEAN)]
    by_hand = exercises.window_ssim.solution(*windows, window_weights())
    assert by_hand == pytest.approx(ssim_maps(OUTPUT, CLEAN).ssim[2, 4, 1], abs=1e-9)


def test_layer_distances_add_up_to_the_packages_lpips():
    network = lpips_squeeze()
    clean = sample_photo("cat")[:96, :96]
    output = np.roll(clean, 3, axis=1)
    x, y = (
        network.backbone(torch.from_numpy(p.copy()).permute(2, 0, 1)[None] / 127.5 - 1)
        for p in (output, clean)
    )
    parts = [
        exercises.layer_distance.solution(a, b, head)
        for a, b, head in zip(x, y, network.heads, strict=True)
    ]
    assert float(sum(parts)) == pytest.approx(network.between(output, clean), rel=1e-3)


def test_frechet_distance_in_one_dimension_is_the_packages():
    first, second = RNG.normal(3, 2, (50, 1)), RNG.normal(-1, 5, (70, 1))
    moments = [f(t) for t in (first, second) for f in (np.mean, lambda t: np.std(t, ddof=1))]
    assert exercises.frechet.solution(*moments) == pytest.approx(frechet_distance(first, second))


def test_interval_is_the_packages_but_for_the_draws():
    values = [3.0, 9.0, 14.0, 2.0, 7.0, 30.0, 11.0, 5.0]
    found = bootstrap(values)
    low, high = exercises.interval.solution(np.array(values), 5)
    assert (low, high) == pytest.approx((found.low, found.high), rel=0.04)
    for seed in range(5):  # any seed and any order of drawing is right
        other = exercises.interval.solution(np.array(values), seed + 100)
        assert exercises.interval.check(lambda v, s, add=seed: redrawn(v, s + add)).right
        assert other == pytest.approx([low, high], rel=0.05)


def redrawn(values: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(1000 + seed)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(4000)]
    return np.quantile(means, [0.025, 0.975])


def test_a_coin_counted_by_hand():
    share = sum(comb(8, right) for right in (7, 8)) / 2**8
    assert exercises.coin.solution() == share


def test_stubs_of_the_notebook_that_are_to_be_modified_are_told_why():
    def without_lengths(a, b, factors):
        return (factors.view(1, -1, 1, 1) * (a - b) ** 2).sum(dim=1).mean()

    assert "lengths" in exercises.layer_distance.check(without_lengths).message

    def without_repetition(values, seed):
        rng = np.random.default_rng(seed)
        size = len(values)
        draws = [rng.choice(values, size=size, replace=False) for _ in range(400)]
        return np.quantile(np.mean(draws, axis=1), [0.025, 0.975])

    assert "Without repetition" in exercises.interval.check(without_repetition).message
