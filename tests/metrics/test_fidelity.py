"""PSNR and SSIM: values by hand, a slow reference, refusals."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from oldphoto.checks import InputError
from oldphoto.metrics.fidelity import psnr, psnr_within, ssim


def photo(value: int, size: int = 16) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


def test_psnr_known_values():
    assert psnr(photo(0), photo(255)) == pytest.approx(0.0)
    assert psnr(photo(100), photo(110)) == pytest.approx(20 * np.log10(255 / 10))
    assert psnr(photo(7), photo(7)) == float("inf")


def test_psnr_within_looks_at_the_marked_pixels_alone():
    output, where = photo(110), np.zeros((16, 16), bool)
    output[4:8] = 100
    where[2:4] = True
    assert psnr_within(output, photo(100), where) == pytest.approx(20 * np.log10(255 / 10))
    assert psnr_within(output, photo(100), np.roll(where, 2, axis=0)) == float("inf")
    with pytest.raises(InputError, match="empty mask"):
        psnr_within(output, photo(100), where & False)


def test_ssim_of_flat_photos_is_the_luminance_term():
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(photo(100), photo(150)) == pytest.approx(expected, abs=1e-6)


def test_ssim_equals_the_formula_written_out():
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (24, 30, 3), dtype=np.uint8) for _ in range(2))

    def mean(x):
        return gaussian_filter(x, sigma=1.5, truncate=3.5)

    values = []
    for channel in range(3):
        x, y = a[..., channel].astype(float), b[..., channel].astype(float)
        mx, my = mean(x), mean(y)
        vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        local = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
        values.append(local[5:-5, 5:-5].mean())
    assert ssim(a, b) == pytest.approx(np.mean(values), abs=1e-6)


@pytest.mark.parametrize(
    ("output", "clean", "message"),
    [
        (photo(0).astype(float), photo(0), "expected output of dtype uint8"),
        (photo(0), photo(0)[..., 0], "expected clean of shape"),
        (photo(0, 16), photo(0, 17), "two photos of one size"),
    ],
)
def test_refusals(output, clean, message):
    for metric in (psnr, ssim):
        with pytest.raises(InputError, match=message):
            metric(output, clean)
    with pytest.raises(InputError, match="at least 11"):
        ssim(photo(0, 8), photo(0, 8))
