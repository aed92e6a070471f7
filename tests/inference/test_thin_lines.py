"""Thin lines come back without the grain; grain, edges and engravings bring none."""

import cv2
import numpy as np
import pytest

from oldphoto.inference.restorer import Restorer
from oldphoto.inference.texture import keep_detail, measure_loss
from oldphoto.inference.thin_lines import LINE_REACH, line_spreads, lost_lines

SIZE = 200


def wire(angle: float, depth: float) -> np.ndarray:
    """Return the picture of a dark wire of one pixel through the middle, 0 elsewhere."""
    picture = np.zeros((SIZE, SIZE), np.uint8)
    radians = np.deg2rad(angle)
    way = 2 * SIZE * np.array([np.cos(radians), np.sin(radians)])
    ends = [tuple(int(v) for v in SIZE / 2 + sign * way) for sign in (-1, 1)]
    cv2.line(picture, ends[0], ends[1], 255, 1, cv2.LINE_AA)
    return -depth * picture.astype(np.float32) / 255


def grain(deviation: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, (SIZE, SIZE)).astype(np.float32)


def found(lost: np.ndarray, variance: float = 0.1) -> np.ndarray:
    return lost_lines(lost, np.full_like(lost, variance), line_spreads(lost))


@pytest.mark.parametrize("angle", [0, 7, 30, 45, 66, 90, 120, 171])
def test_a_wire_of_any_direction_comes_back_without_the_grain(angle):
    clean = wire(angle, depth=12)
    back = found(clean + grain(4))
    on, away = clean < -6, cv2.dilate((clean < 0).astype(np.uint8), np.ones((9, 9))) == 0
    rim = LINE_REACH
    inner = np.s_[rim:-rim, rim:-rim]
    assert 0.5 < (back[inner][on[inner]].mean() / clean[inner][on[inner]].mean()) < 1.5
    assert np.abs(back[away]).mean() < 0.05


def test_grain_alone_gives_nothing():
    for seed in range(5):
        assert (found(grain(6, seed)) != 0).mean() < 0.002
    coarse = cv2.GaussianBlur(grain(30), (0, 0), 1.2)  # grain of several pixels
    assert (found(coarse) != 0).mean() < 0.002


def test_coarser_grain_in_a_shadow_is_no_line():
    uneven = grain(2)
    uneven[:, SIZE // 2 :] *= 5
    assert (found(uneven) != 0).mean() < 0.002


def test_the_rim_of_a_sharpened_edge_is_no_line():
    lost = wire(90, depth=12) + grain(1)
    assert np.abs(found(lost, variance=400.0)).max() == 0


def test_in_an_engraving_no_line_stands_out():
    hatching = 10 * np.sin(np.arange(SIZE) * 2 * np.pi / 5)[:, None] + np.zeros((SIZE, SIZE))
    assert (found(hatching.astype(np.float32)) != 0).mean() < 0.01


def test_a_hole_gets_no_line():
    photo = np.repeat((150 + wire(90, 20))[..., None], 3, axis=2)
    hole = np.zeros((SIZE, SIZE), bool)
    hole[80:120, 80:120] = True
    flat = np.full_like(photo, 150)
    noisy = (photo + grain(2)[..., None]).clip(0, 255).astype(np.uint8)
    kept = keep_detail(noisy, flat, hole, measure_loss(noisy, flat, hole))
    np.testing.assert_allclose(kept[hole], 150, atol=1e-3)
    assert kept[20:60, 100].mean() < 144


def test_wires_before_a_grainy_sky_survive_a_restoration():
    sky = np.linspace(150, 190, SIZE)[:, None] + np.zeros((SIZE, SIZE))
    photo = sky + wire(60, 14) + wire(100, 14)
    original = (photo + grain(5)).clip(0, 255).astype(np.uint8)
    restorer = Restorer.from_pretrained("small", device="cpu", precision="fp32")
    restored = restorer.restore_pixels(np.repeat(original[..., None], 3, axis=2))[..., 0]
    on = photo - sky < -8
    rim = np.s_[20:-20, 20:-20]
    assert (restored - sky)[rim][on[rim]].mean() < -6  # as dark as half of the wire
    away = cv2.dilate((photo - sky < 0).astype(np.uint8), np.ones((9, 9))) == 0
    assert (restored - sky)[rim][away[rim]].std() < 2.5  # of 5
