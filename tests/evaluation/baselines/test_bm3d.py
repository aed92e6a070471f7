"""BM3D: exact transforms, known stacks, less noise than non-local means, refusals."""

import cv2
import numpy as np
import pytest

from oldphoto.checks import InputError
from oldphoto.evaluation.baselines import bm3d as module
from oldphoto.evaluation.baselines.bm3d import bm3d
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_photo


def noisy(clean: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, clean.shape)
    return (clean + noise).round().clip(0, 255).astype(np.uint8)


def test_transforms_keep_lengths_and_are_undone():
    blocks = np.random.default_rng(0).normal(size=(3, 5, 16, 8, 8)).astype(np.float32)
    spectrum = module._to_spectrum(blocks)
    assert (spectrum**2).sum() == pytest.approx((blocks**2).sum(), rel=1e-5)
    np.testing.assert_allclose(module._from_spectrum(spectrum), blocks, atol=1e-5)
    # A stack of equal flat blocks is one number: 8 * 8 * 16 values v give v * sqrt(1024).
    flat = module._to_spectrum(np.full((1, 1, 16, 8, 8), 3.0, np.float32))
    assert flat[0, 0, 0, 0, 0] == pytest.approx(3 * 32, rel=1e-5)
    assert np.abs(flat.ravel()[1:]).max() < 1e-3


def test_distances_equal_those_worked_out_block_by_block():
    guide = np.random.default_rng(1).normal(size=(30, 34)).astype(np.float32)
    rows, columns = np.array([0, 5, 22]), np.array([0, 7, 26])
    found = module._distances(guide, rows, columns, down=2, right=-3)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if row + 2 + 8 > 30 or column - 3 < 0:
                assert found[i, j] == np.inf
                continue
            here = guide[row : row + 8, column : column + 8]
            there = guide[row + 2 : row + 10, column - 3 : column + 5]
            assert found[i, j] == pytest.approx(((here - there) ** 2).sum(), rel=1e-3)


def test_each_block_is_in_its_own_stack_and_all_pixels_are_covered():
    guide = np.random.default_rng(2).normal(size=(40, 37)).astype(np.float32)
    covered = np.zeros(guide.shape, bool)
    for stacks in module._matched(guide, search=6, num_blocks=16):
        assert stacks.rows.shape[1] == 16
        assert stacks.rows.min() >= 0 and stacks.rows.max() <= 32 and stacks.columns.max() <= 29
        own = (stacks.rows % 3 == 0) | (stacks.rows == 32)
        assert own.any(axis=1).all()
        for row, column in zip(stacks.rows.ravel(), stacks.columns.ravel(), strict=True):
            covered[row : row + 8, column : column + 8] = True
    assert covered.all()


@pytest.mark.parametrize("sigma", [10, 30])
def test_removes_white_noise_better_than_non_local_means(sigma):
    clean = sample_photo("lantern")[40:136, 60:150]
    damaged = noisy(clean, sigma)
    rival = cv2.fastNlMeansDenoisingColored(damaged, None, sigma, sigma, 3, 21)
    found = psnr(bm3d(damaged, sigma), clean)
    assert found > psnr(damaged, clean) + 5
    assert found > psnr(rival, clean) + 1


def test_flat_photo_and_no_noise_stay_as_they_are():
    flat = np.full((20, 23, 3), (90, 120, 200), np.uint8)
    assert np.array_equal(bm3d(flat, 20), flat)
    photo = sample_photo("cat")[:16, :21]
    assert np.array_equal(bm3d(photo, 0), photo)
    assert bm3d(photo, 10).shape == photo.shape


def test_refusals():
    with pytest.raises(InputError, match="of dtype uint8"):
        bm3d(np.zeros((16, 16)), 5)
    with pytest.raises(InputError, match="at least 8"):
        bm3d(np.zeros((7, 16, 3), np.uint8), 5)
    with pytest.raises(InputError, match="negative"):
        bm3d(np.zeros((16, 16, 3), np.uint8), -1)
